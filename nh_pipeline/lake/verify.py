"""Whether the files of tables are what their metadata say, from the catalog's pointer down to rows of Parquet.

A pure read: nothing is locked, and nothing that was read before is believed. Others may publish, expire and sweep
meanwhile: where something seems wrong, and the pointer is another one by now, the table is looked at again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import pyarrow.parquet as pq
from pydantic import BaseModel
from pyiceberg.exceptions import NoSuchTableError

from nh_pipeline.errors import InfrastructureError, translate_infrastructure_errors
from nh_pipeline.lake import avro
from nh_pipeline.lake.lake import Lake, folder_of
from nh_pipeline.lake.pointers import pointer, version

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyiceberg.table import Table

    from nh_pipeline.model.table import Table as Contract

T = TypeVar("T")

_TOGETHER = "restore it from a backup, or the catalog and warehouse/ together, as they were at one time"
_AGAIN = "restore the file from a backup; or nh rebuild the table, which then is right, but for its older snapshots"
_LOOKS = 5
"""How often a table is looked at that others change all the time."""


class Fault(BaseModel, frozen=True):
    """Something that is not as it should be.

    Attributes:
        where: the table, ``raw zone`` or ``quarantine``.
        file: path below the lake's root, or the partition, or the pointer that it is about.
        expected: what should be there.
        found: what is there.
        advice: what to do.
    """

    where: str
    file: str
    expected: str
    found: str
    advice: str


class Verified(BaseModel, frozen=True):
    """What came of looking at a table, or at a zone.

    Attributes:
        where: the table, ``raw zone`` or ``quarantine``.
        files: files that are named, and were looked at.
        size: their bytes.
        rows: of its current snapshot.
        homeless: files that nothing names: staged by a build under way or left over, for maintenance to take away.
        faults: what is wrong.
    """

    where: str
    files: int = 0
    size: int = 0
    rows: int = 0
    homeless: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()


@dataclass
class Looking:
    """One look at a table, or at a zone: what was found so far."""

    where: str
    present: dict[str, int] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)

    def fault(self, file: str, expected: str, found: str, advice: str) -> None:
        """Notes what is wrong."""
        self.faults.append(Fault(where=self.where, file=file, expected=expected, found=found, advice=advice))

    def is_there(self, file: str, size: int | None, what: str, advice: str) -> bool:
        """Whether a file is there, with its size where that is known; its absence is noted."""
        self.named.add(file)
        found = self.present.get(file)
        if found is None or size not in (None, found):
            expected = what if size is None else f"{what} of {size:,} bytes"
            self.fault(file, expected, "no such file" if found is None else f"{found:,} bytes", advice)
            return False
        return True

    def read(self, file: str, read: Callable[[], T], what: str, advice: str) -> T | None:
        """What a reader makes of a file; None, and a fault, if it cannot be read.

        Raises:
            InfrastructureError: the machine, or AWS, is at fault.
        """
        try:
            with translate_infrastructure_errors():
                return read()
        except InfrastructureError:
            raise
        except Exception as error:  # noqa: BLE001 (libraries fail in every way at damaged bytes)
            told = next(iter(str(error).splitlines()), "")[:200]
            self.fault(file, what, f"it cannot be read: {type(error).__name__}: {told}", advice)
            return None

    def done(self, rows: int = 0) -> Verified:
        """The outcome."""
        found = self.named & self.present.keys()
        return Verified(
            where=self.where,
            files=len(found),
            size=sum(self.present[file] for file in found),
            rows=rows,
            homeless=tuple(sorted(self.present.keys() - self.named)),
            faults=tuple(self.faults),
        )


def verified(lake: Lake, contract: Contract, *, quick: bool = False) -> tuple[Verified, Lake]:
    """Looks at all files of a table, of all its snapshots.

    Args:
        lake: the lake.
        contract: the table.
        quick: presence and sizes alone; else each data file is read to its end and its rows are counted.

    Returns:
        What was found, and the lake with the table as it was then.

    Raises:
        LakeMovedError: the table is in another place than this lake.
    """
    look, table, rows = looked(lake, contract, quick=quick)
    return look.done(rows), lake.with_loaded({contract.name: table})


def looked(lake: Lake, contract: Contract, *, quick: bool) -> tuple[Looking, Table | None, int]:
    """The same as it was found: the files that are named and there, the table, and the rows of its current snapshot."""
    for _ in range(_LOOKS):
        before = _pointer(lake, contract)
        look = Looking(contract.name)
        table = _loaded(lake, contract, before, look)
        # In this order: all that a loaded table names was there before.
        look.present = {path: size for path, (_, size) in lake.storage.stamps(folder_of(contract)).items()}
        rows = _files(lake, table, look, quick=quick) if table else 0
        _compare_versions(look, before)
        if not look.faults or _pointer(lake, contract) == before:
            break
    return look, table, rows


def _pointer(lake: Lake, contract: Contract) -> str | None:
    return pointer(lake.catalog, lake.identifier(contract)) if lake.has_catalog else None


def _loaded(lake: Lake, contract: Contract, address: str | None, look: Looking) -> Table | None:
    if address is None:
        return None
    file = lake.relative(address)
    look.named.add(file)
    what = "the metadata file that the catalog names"
    if not lake.storage.exists(file):
        look.fault(file, what, "no such file", _TOGETHER)
        return None

    def load() -> Table | None:
        try:
            return lake.catalog.load_table(lake.identifier(contract))
        except NoSuchTableError:  # dropped meanwhile
            return None

    table = look.read(file, load, what, _TOGETHER)
    if table:
        lake.relative(table.location())
    return table


def _compare_versions(look: Looking, address: str | None) -> None:
    """A catalog that is older than the metadata beside it would lose what was published since."""
    written = {path: version(path) for path in look.present if path.endswith(".metadata.json")}
    newest = max((v for v in written.values() if v is not None), default=0)
    current = version(address) if address else 0
    if current is not None and newest > current + 1:
        name = next(path for path, v in written.items() if v == newest)
        found = f"that it names version {current}" if address else "no such table in it"
        look.fault(name, f"a catalog that names version {newest} or the one before it", found, _TOGETHER)


def _files(lake: Lake, table: Table, look: Looking, *, quick: bool) -> int:
    """Follows a table's metadata down to its data files; returns the rows of its current snapshot."""
    metadata, files = table.metadata, dict[str, tuple[int, int]]()
    look.named |= {lake.relative(entry.metadata_file) for entry in metadata.metadata_log}
    current, manifests = 0, dict[str, dict[str, tuple[int, int]]]()
    for snapshot in table.snapshots():
        of_snapshot: dict[str, tuple[int, int]] = {}
        for manifest, length in _listed(lake, table, look, snapshot.manifest_list):
            if manifest not in manifests:
                manifests[manifest] = _entries(lake, table, look, manifest, length)
            of_snapshot |= manifests[manifest]
        files |= of_snapshot
        if snapshot.snapshot_id == metadata.current_snapshot_id:
            current = sum(rows for _, rows in of_snapshot.values())
    for file, (size, rows) in files.items():
        if look.is_there(file, size, "a data file", _AGAIN) and not quick:
            counted = look.read(file, partial(_rows, lake, file), "a Parquet file", _AGAIN)
            if counted not in (None, rows):
                look.fault(file, f"{rows:,} rows, as its manifest says", f"{counted:,}", _AGAIN)
    return current


def _listed(lake: Lake, table: Table, look: Looking, address: str) -> list[tuple[str, int]]:
    """The manifests that a manifest list names, with their lengths."""
    file = lake.relative(address)
    if not look.is_there(file, None, "a manifest list", _TOGETHER):
        return []
    rows = look.read(file, lambda: list(avro.records(table.io, address)), "a manifest list", _TOGETHER) or []
    if any(row.get(avro.CONTENT) for row in rows):
        advice = "rewrite the table's data files (copy-on-write) with the tool that wrote them"
        look.fault(file, "data files only", "delete files, which are not applied here", advice)
    return [(row[avro.MANIFEST], row[avro.LENGTH]) for row in rows]


def _entries(lake: Lake, table: Table, look: Looking, address: str, length: int) -> dict[str, tuple[int, int]]:
    """Bytes and rows of the data files that a manifest names."""
    file = lake.relative(address)
    if not look.is_there(file, length, "a manifest", _TOGETHER):
        return {}
    rows = look.read(file, lambda: list(avro.records(table.io, address)), "a manifest", _TOGETHER) or []
    found = (row.within(avro.DATA_FILE) for row in rows if row[avro.STATUS] != avro.REMOVED)
    return {lake.relative(f[avro.PATH]): (f[avro.SIZE], f[avro.ROWS]) for f in found}


def _rows(lake: Lake, file: str) -> int:
    """The rows of a data file, every page of which is read."""
    with lake.storage.open(file) as stream:
        return sum(batch.num_rows for batch in pq.ParquetFile(stream).iter_batches())
