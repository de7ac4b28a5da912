"""Avro files of Iceberg's metadata, read and copied in their own schema.

PyIceberg's readers of manifests fill in what an entry inherits, and know fields of their own format version only. Here
nothing is inherited, defaulted or left out: what a copy does not change, it keeps.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pyiceberg.avro import file as of_pyiceberg
from pyiceberg.avro.file import AvroFile, AvroFileHeader, AvroOutputFile
from pyiceberg.avro.resolver import resolve_reader
from pyiceberg.typedef import Record
from pyiceberg.types import StructType
from pyiceberg.utils.schema_conversion import AvroSchemaConversion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pyiceberg.avro.reader import Reader
    from pyiceberg.io import FileIO
    from pyiceberg.schema import Schema

# Ids of fields by Iceberg's specification: of manifest lists …
MANIFEST, LENGTH, CONTENT = 500, 501, 517
# … and of manifests. What an entry says was removed need not be there.
STATUS, REMOVED, DATA_FILE, PATH, ROWS, SIZE = 0, 2, 2, 100, 103, 104


_READERS: dict[tuple[Any, ...], tuple[Schema, Schema, Reader]] = {}
_MOST_READERS = 1000


def remember_readers() -> None:
    """Lets PyIceberg make the reader of a manifest once for all with the same schema.

    It makes one for each file, which takes three times as long as reading a manifest of a few files.
    """
    AvroFileHeader.get_schema = lambda self: _schema(self.meta["avro.schema"])  # type: ignore[method-assign]
    of_pyiceberg.resolve_reader = _reader  # type: ignore[attr-defined, assignment]


@lru_cache(maxsize=_MOST_READERS)
def _schema(text: str) -> Schema:
    return AvroSchemaConversion().avro_to_iceberg(json.loads(text))


def _reader(written: Schema, wanted: Schema, types: dict[int, Any], enums: dict[int, Any]) -> Reader:
    key = id(written), id(wanted), tuple(types.items()), tuple(enums.items())
    known = _READERS.get(key)
    if known is None:
        if len(_READERS) >= _MOST_READERS:
            _READERS.clear()
        # With the schemas: as long as they are here, no other object has their ids.
        known = _READERS[key] = written, wanted, resolve_reader(written, wanted, types, enums)
    return known[2]


class Row:
    """A record, by the ids that Iceberg's specification gives to its fields."""

    def __init__(self, record: Record, struct: StructType) -> None:
        self.record, self._struct = record, struct
        self._at = {f.field_id: i for i, f in enumerate(struct.fields)}

    def __getitem__(self, field_id: int) -> Any:
        return self.record[self._at[field_id]]

    def __setitem__(self, field_id: int, value: Any) -> None:
        self.record[self._at[field_id]] = value

    def get(self, field_id: int) -> Any:
        """A field that not every format version has; None without it."""
        return self[field_id] if field_id in self._at else None

    def within(self, field_id: int) -> Row:
        """A field that is a record itself."""
        struct = self._struct.fields[self._at[field_id]].field_type
        if not isinstance(struct, StructType):
            raise TypeError(f"field {field_id} is a {struct}, not a struct")
        return Row(self[field_id], struct)


def records(io: FileIO, address: str) -> Iterator[Row]:
    """All records of a file."""
    with AvroFile[Record](io.new_input(address)) as file:
        struct = file.schema.as_struct()
        yield from (Row(record, struct) for record in file)


def copy(io: FileIO, source: str, target: str, change: Callable[[Row], None]) -> int:
    """Copies a file with its schema and the rest of its header, each record changed; its new length in bytes."""
    with AvroFile[Record](io.new_input(source)) as file:
        schema, header = file.schema, dict(file.header.meta)
        struct = schema.as_struct()
        rows = [Row(record, struct) for record in file]
    for row in rows:
        change(row)
    name = json.loads(header.pop("avro.schema"))["name"]
    with AvroOutputFile[Record](io.new_output(target), schema, name, metadata=header) as out:
        if rows:
            out.write_block([row.record for row in rows])
    return len(io.new_input(target))
