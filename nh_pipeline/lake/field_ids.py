"""Iceberg's field ids in Parquet files: what tells readers which column of a file is which one of the table.

Writers that can are told the ids (:func:`numbered`). Files that came out without them get them in their footer, which
is at a file's end: its list of columns is encoded anew, all else is copied byte for byte, so that pages stay where they
are and nothing gets lost that this module does not know. Format: parquet.thrift in Thrift's compact protocol.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from nh_pipeline.errors import LakeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nh_pipeline.lake.storage import Storage

_KEY = "PARQUET:field_id"
"""Where Arrow keeps the id of a field."""

_MAGIC = b"PAR1"
_TAIL = 1 << 16
"""Bytes read first from a file's end: nearly always the whole footer."""

_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
_SCHEMA = 2
"""Field of FileMetaData: the root and the columns."""
_NAME, _CHILDREN, _ID = 4, 5, 9
"""Fields of SchemaElement."""


def numbered(schema: pa.Schema, ids: Mapping[str, int]) -> pa.Schema:
    """An Arrow schema whose fields carry ids; pyarrow then writes them."""
    return pa.schema([f.with_metadata({_KEY: str(ids[f.name])}) for f in schema])


def put_ids(storage: Storage, relative: str, ids: Mapping[str, int], known: dict[bytes, bytes] | None = None) -> int:
    """Gives the columns of a Parquet file that nobody reads yet their ids, if they do not have them; tells its rows.

    There may be ids of more columns than the file has. ``known`` is that of :func:`with_ids`.

    Raises:
        LakeError: it is no Parquet file, is damaged, or has columns that are nested or have no id.
    """
    start, footer = _read_footer(storage, relative)
    try:
        changed, rows = _checked(footer, ids, known)
    except (LookupError, RecursionError, ValueError, OSError) as error:  # Arrow raises OSError for what it cannot parse
        raise LakeError(
            f"{storage.uri(relative)}: expected a Parquet footer with columns among {', '.join(ids)}; found {error}. "
            "Whatever wrote the file is at fault, or its disk; nothing was published: run this again"
        ) from error
    if changed != footer:
        storage.replace_end(relative, start, changed + len(changed).to_bytes(4, "little") + _MAGIC)
        if _read_footer(storage, relative) != (start, changed):
            raise LakeError(
                f"{storage.uri(relative)}: expected the footer that was just written, found another one; another "
                "program writes to this file, or its disk is at fault. Nothing was published: run this again"
            )
    return rows


def _checked(footer: bytes, ids: Mapping[str, int], known: dict[bytes, bytes] | None) -> tuple[bytes, int]:
    """The footer with ids, and the file's rows, as Arrow reads them."""
    changed = with_ids(footer, ids, known)
    before, after = _metadata(footer), _metadata(changed)
    if (after.num_rows, _ids(after)) != (before.num_rows, {name: ids[name] for name in before.schema.names}):
        raise ValueError("columns that Arrow takes for others")
    return changed, int(after.num_rows)


def _read_footer(storage: Storage, relative: str) -> tuple[int, bytes]:
    """Where the footer starts, and its bytes without length and magic."""
    with storage.open(relative) as source:
        size = source.size()
        tail = source.read_at(min(size, _TAIL), max(size - _TAIL, 0))
        length = int.from_bytes(tail[-8:-4], "little")
        start = size - 8 - length
        if tail[-4:] != _MAGIC or start < len(_MAGIC):
            raise LakeError(
                f"{storage.uri(relative)}: expected a Parquet file, which ends in its footer, the footer's length and "
                f"{_MAGIC.decode()}; found {size} bytes that end in {tail[-8:]!r}. It was cut off, or is none: "
                "nothing was published, run this again"
            )
        return start, tail[-8 - length : -8] if length + 8 <= len(tail) else source.read_at(length, start)


def _metadata(footer: bytes) -> pq.FileMetaData:
    whole = _MAGIC + footer + len(footer).to_bytes(4, "little") + _MAGIC
    return pq.read_metadata(pa.BufferReader(whole))


def _ids(metadata: pq.FileMetaData) -> dict[str, int]:
    fields = metadata.schema.to_arrow_schema()
    return {f.name: int((f.metadata or {}).get(_KEY.encode(), -1)) for f in fields}


def with_ids(footer: bytes, ids: Mapping[str, int], known: dict[bytes, bytes] | None = None) -> bytes:
    """A footer whose columns have these ids; equal to the one given if they have them already.

    Footers begin with the columns, and files of one table begin theirs alike: ``known`` receives each beginning, with
    and without ids, so that it is encoded once.

    Raises:
        ValueError: it has nested columns, or one without an id.
        IndexError: it is cut off.
    """
    known = {} if known is None else known
    for without, given in known.items():
        if footer.startswith(without):
            return given + footer[len(without) :]
    start, end = next(((a, b) for n, kind, a, b in _fields(footer, 0) if (n, kind) == (_SCHEMA, _LIST)), (0, 0))
    if not end:
        raise ValueError("no schema in it")
    count, _, at = _list(footer, start)
    parts = [footer[:at]]
    for nth in range(count):
        element = footer[at : _end(footer, at, _STRUCT)]
        parts.append(_numbered(element, ids) if nth else element)
        at += len(element)
    known[footer[:end]] = b"".join(parts)
    return known[footer[:end]] + footer[end:]


def _numbered(element: bytes, ids: Mapping[str, int]) -> bytes:
    fields = {n: (kind, element[a:b]) for n, kind, a, b in _fields(element, 0)}
    _, name = fields[_NAME]
    column = name[_varint(name, 0)[1] :].decode()
    if _CHILDREN in fields and fields[_CHILDREN][1] != b"\0":
        raise ValueError(f"{column}, a column with columns in it")
    if column not in ids:
        raise ValueError(f"{column}, which is no column of the table")
    value = (_I32, _zigzag(ids[column]))
    if fields.get(_ID) == value:
        return element
    return _struct(fields | {_ID: value})


# Thrift's compact protocol, as far as there is a way to a footer's schema.


def _fields(data: bytes, at: int) -> Iterator[tuple[int, int, int, int]]:
    """(number, type, start, end) of the values of a struct; it ends with a zero after the last of them."""
    number = 0
    while data[at]:
        delta, kind = divmod(data[at], 16)
        at += 1
        if delta:
            number += delta
        else:
            coded, at = _varint(data, at)
            number = (coded >> 1) ^ -(coded & 1)
        start, at = at, _end(data, at, kind)
        yield number, kind, start, at


def _end(data: bytes, at: int, kind: int) -> int:
    """Where a value ends that starts at a place."""
    if kind in (_TRUE, _FALSE):  # the type is the value
        return at
    if kind in (_I16, _I32, _I64):
        return _varint(data, at)[1]
    if kind in (_BYTE, _DOUBLE):
        return at + (1 if kind == _BYTE else 8)
    if kind == _BINARY:
        length, at = _varint(data, at)
        return at + length
    if kind in (_LIST, _SET):
        count, of, at = _list(data, at)
        for _ in range(count):
            at = _end(data, at, _BYTE if of in (_TRUE, _FALSE) else of)
        return at
    if kind == _STRUCT:
        for *_, last in _fields(data, at):
            at = last
        return at + 1
    raise ValueError(f"a value of type {kind}, which no schema has")


def _list(data: bytes, at: int) -> tuple[int, int, int]:
    """Length, type and start of a list's elements."""
    count, kind = divmod(data[at], 16)
    at += 1
    if count == 15:  # noqa: PLR2004 (the protocol's mark for a length of its own)
        count, at = _varint(data, at)
    if count > len(data) - at:  # each takes a byte at least
        raise ValueError(f"a list of {count} where {len(data) - at} bytes are left")
    return count, kind, at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while data[at] & 0x80:
        value |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
    return value | data[at] << shift, at + 1


def _zigzag(value: int) -> bytes:
    value = value << 1 if value >= 0 else ~(value << 1)
    coded = bytearray()
    while value > 0x7F:  # noqa: PLR2004 (seven bits in a byte)
        coded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*coded, value])


def _struct(fields: Mapping[int, tuple[int, bytes]]) -> bytes:
    coded, last = bytearray(), 0
    for number, (kind, value) in sorted(fields.items()):
        step = number - last
        coded += bytes([step << 4 | kind]) if step < 16 else bytes([kind]) + _zigzag(number)  # noqa: PLR2004 (four bits)
        coded += value
        last = number
    return bytes(coded) + b"\0"
