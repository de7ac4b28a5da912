"""Snapshots of tables: exactly which files each one has, and the partition that each of them belongs to."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from pydantic import BaseModel
from pyiceberg.conversions import from_bytes
from pyiceberg.manifest import DataFileContent
from pyiceberg.transforms import MonthTransform
from pyiceberg.types import DateType
from pyiceberg.utils.concurrent import ExecutorFactory

from nh_pipeline.errors import LakeError
from nh_pipeline.model.table import WHOLE
from nh_pipeline.periods import first_day

if TYPE_CHECKING:
    from collections.abc import Collection

    from pyiceberg.manifest import DataFile
    from pyiceberg.partitioning import PartitionSpec
    from pyiceberg.table import Table
    from pyiceberg.table.snapshots import Snapshot

    from nh_pipeline.model.table import Table as Contract

_EPOCH = date(1970, 1, 1)

_FILES: dict[str, tuple[SnapshotFile, ...]] = {}
"""Files by the manifest list that names them: what it says never changes. The latest that were read."""

_MOST_FILES = 100_000


class SnapshotFile(BaseModel, frozen=True):
    """One Parquet file of a snapshot: address, rows, and the partition (month, delivery, …) that it belongs to."""

    path: str
    rows: int
    partition: str


class TableSnapshot(BaseModel, frozen=True):
    """An exact state of (part of) a table: its snapshot and the files to read."""

    table: str
    snapshot_id: int | None
    files: tuple[SnapshotFile, ...] = ()
    partitions: frozenset[str] | None = None

    @property
    def rows(self) -> int:
        """Rows in its files, from table metadata."""
        return sum(f.rows for f in self.files)

    @property
    def paths(self) -> list[str]:
        return [f.path for f in self.files]

    @property
    def present(self) -> frozenset[str]:
        """Partitions that hold rows."""
        return frozenset(f.partition for f in self.files)

    def only(self, partitions: Collection[str]) -> TableSnapshot:
        """The same snapshot, fewer partitions."""
        wanted = frozenset(partitions)
        files = tuple(f for f in self.files if f.partition in wanted)
        return TableSnapshot(table=self.table, snapshot_id=self.snapshot_id, files=files, partitions=wanted)


def data_files(table: Table, snapshot: Snapshot | None = None) -> list[tuple[str, DataFile]]:
    """(partition, data file) of the current snapshot, or of an older one.

    Raises:
        LakeError: the snapshot has delete files, which this product never writes and its engines do not apply.
    """
    snapshot = snapshot or table.current_snapshot()
    manifests, specs, found = snapshot.manifests(table.io) if snapshot else [], table.specs(), []
    # A scan that filters nothing would look at the bounds of each file, which takes as long as reading them.
    for entries in ExecutorFactory.get_or_create().map(lambda m: m.fetch_manifest_entry(table.io), manifests):
        for file in (entry.data_file for entry in entries):
            if file.content is not DataFileContent.DATA:
                raise LakeError(
                    f"{'.'.join(table.name())}: snapshot {snapshot} has delete files, written by another "
                    "tool; rewrite the table's data files (copy-on-write) before using it here"
                )
            found.append((partition_of(table, specs[file.spec_id], file), file))
    return found


def newest_day(table: Table, contract: Contract) -> date | None:
    """The newest day of a table that is cut by months; of one that is cut otherwise in time, its newest part's first.

    Read from manifests: their upper bounds of the column.
    """
    present = snapshot_of(table, contract).present if contract.partitioning.in_time else frozenset[str]()
    if not present:
        return None
    first = max(map(first_day, present))
    if not contract.partitioning.monthly:
        return first
    field = table.schema().find_field(contract.partitioning.columns[0])
    newest = table.scan(row_filter=f"{field.name} >= '{first}'").plan_files()
    bounds = [bound for task in newest if (bound := task.file.upper_bounds.get(field.field_id))]
    return max((_EPOCH + timedelta(days=int(from_bytes(DateType(), bound))) for bound in bounds), default=first)


def partition_of(table: Table, spec: PartitionSpec, file: DataFile) -> str:
    """The partition that a data file belongs to, as a text."""
    values = [file.partition[i] for i in range(len(spec.fields))]
    if len(values) == 1 and isinstance(spec.fields[0].transform, MonthTransform) and values[0] is not None:
        return f"{1970 + values[0] // 12:04d}-{values[0] % 12 + 1:02d}"
    # A partition is the name of a staging folder too: nothing in it that engines would escape. A date may come as days.
    dates = [isinstance(table.schema().find_type(field.source_id), DateType) for field in spec.fields]
    told = (_EPOCH + timedelta(days=v) if d and isinstance(v, int) else v for d, v in zip(dates, values, strict=True))
    return ".".join(map(str, told)) or WHOLE


def snapshot_of(table: Table, contract: Contract, snapshot_id: int | None = None) -> TableSnapshot:
    """The loaded state of a table, or an older snapshot of it."""
    snapshot = table.current_snapshot() if snapshot_id is None else table.snapshot_by_id(snapshot_id)
    if snapshot is None:
        return TableSnapshot(table=contract.name, snapshot_id=None)
    files = _FILES.get(snapshot.manifest_list)
    if files is None:
        found = data_files(table, snapshot)
        named = (SnapshotFile(path=f.file_path, rows=f.record_count, partition=s) for s, f in found)
        files = tuple(sorted(named, key=lambda f: (f.partition, f.path)))
        _FILES[snapshot.manifest_list] = files
        while len(_FILES) > 1 and sum(map(len, list(_FILES.values()))) > _MOST_FILES:
            _FILES.pop(next(iter(_FILES)), None)
    return TableSnapshot(table=contract.name, snapshot_id=snapshot.snapshot_id, files=files)
