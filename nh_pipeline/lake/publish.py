"""Publishing: staged files replace partitions of a table in one commit, or nothing happens at all.

The protocol, and what it protects against:

1. A build takes the snapshots of what it reads (inputs, and the partitions that it will replace), computes, and stages
   Parquet files in a fresh folder below the table. Nobody reads a staged folder that no snapshot names.
   :func:`find_staged` gives columns that the engine left without Iceberg's field ids theirs.
2. :func:`publish` drops staged partitions that hold the same rows as the table already does.
3. It then loads the table anew (optimistic concurrency). If a partition to be replaced, or one that was read, is not
   as it was, or a column has another id, somebody published in between: :class:`Conflict`, and the step is computed
   again (committing would put older data over newer, and rows that equal what was read may not equal what is there
   now). Nothing to replace: no commit.
4. One snapshot removes the old files and adds the new ones, on condition that the table is still the one just
   loaded. Lost that race: step 3 again, which decides between a plain retry and a conflict.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel
from pyiceberg.exceptions import CommitFailedException, ValidationException
from pyiceberg.table import Transaction
from pyiceberg.table.snapshots import Operation
from pyiceberg.table.update.snapshot import _ManifestMergeManager, _OverwriteFiles
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from nh_pipeline.errors import LakeError, explain
from nh_pipeline.failpoints import Point, reached
from nh_pipeline.lake.entries import entries
from nh_pipeline.lake.field_ids import put_ids
from nh_pipeline.lake.lake import Lake, folder_of
from nh_pipeline.lake.snapshots import SnapshotFile, TableSnapshot, data_files, partition_of

if TYPE_CHECKING:
    from pyiceberg.manifest import ManifestFile
    from pyiceberg.table import Table as IcebergTable
    from pyiceberg.table.metadata import TableMetadata

    from nh_pipeline.model.table import Table as Contract

_COMMIT_ATTEMPTS = 12

MOST_MANIFESTS = 20
"""So many manifests become one, of at most so many bytes:"""
_MANIFEST_BYTES = 8 << 20


class _Transaction(Transaction):
    """PyIceberg's, which copies all metadata, deeply, each time that it looks at them: here, once for each update."""

    def __init__(self, table: IcebergTable) -> None:
        super().__init__(table)
        self._updated = 0, table.metadata

    @property
    def table_metadata(self) -> TableMetadata:
        if self._updated[0] != len(self._updates):
            self._updated = len(self._updates), super().table_metadata
        return self._updated[1]


class _Overwrite(_OverwriteFiles):
    """PyIceberg's, which would keep a manifest of every publish for ever, also those that only say what was removed.

    Whoever plans a scan or a commit reads all of them. Here, as in Iceberg's own library, those without a live file are
    left out, and many small ones become one.
    """

    def __init__(self, table: IcebergTable, transaction: Transaction, properties: Mapping[str, str]) -> None:
        first = table.current_snapshot() is None
        super().__init__(
            operation=Operation.APPEND if first else Operation.OVERWRITE,
            transaction=transaction,
            io=table.io,
            snapshot_properties=dict(properties),
        )

    def _process_manifests(self, manifests: list[ManifestFile]) -> list[ManifestFile]:
        mine = self._snapshot_id
        live = [m for m in manifests if m.added_snapshot_id == mine or m.has_added_files() or m.has_existing_files()]
        merging = _ManifestMergeManager(_MANIFEST_BYTES, MOST_MANIFESTS, merge_enabled=True, snapshot_producer=self)
        return merging.merge_manifests(live)


class Conflict(Exception):  # noqa: N818 (an outcome that callers handle, not a failure)
    """What the step read is no longer current: compute it again."""


class Staged(BaseModel, frozen=True):
    """Parquet files that wait for publication, the partitions that they replace, the field ids of their columns."""

    table: str
    folder: str
    files: tuple[SnapshotFile, ...]
    replaces: frozenset[str]
    ids: Mapping[str, int] = {}

    @property
    def rows(self) -> int:
        return sum(f.rows for f in self.files)


class Published(BaseModel, frozen=True):
    """What a publish came to; ``snapshot_id`` is the table's current one.

    Attributes:
        changed: the partitions that were replaced.
        content_hash: sha256 of what was staged.
        partitions: those that the step built, changed or not; None for the whole table.
        paths: the files that they now consist of.
    """

    table: str
    snapshot_id: int | None
    changed: frozenset[str]
    rows: int
    content_hash: str
    partitions: frozenset[str] | None
    paths: frozenset[str]

    @classmethod
    def unchanged(cls, snapshot: TableSnapshot, content_hash: str = "") -> Published:
        """Nothing to do: the table is as it was read."""
        return cls(
            table=snapshot.table,
            snapshot_id=snapshot.snapshot_id,
            changed=frozenset(),
            rows=0,
            content_hash=content_hash,
            partitions=snapshot.partitions,
            paths=frozenset(snapshot.paths),
        )


def staging_folder(contract: Contract, token: str) -> str:
    """Folder (relative to the lake's root) for one attempt of one step."""
    return f"{folder_of(contract)}/data/{token}"


def find_staged(
    lake: Lake, contract: Contract, folder: str, replaces: Collection[str], ids: Mapping[str, int] | None = None
) -> Staged:
    """Lists what an engine wrote into a staging folder; rows come from the Parquet footers, which get field ids.

    The partition of a file is the name of its sub-folder (``partition=2024-04/…``), or, for files that no engine
    wrote, the only one replaced. ``ids`` are those of :meth:`Lake.field_ids`, if the caller has asked already.

    Raises:
        LakeError: see :func:`nh_pipeline.lake.field_ids.put_ids`.
    """
    ids = lake.field_ids(contract) if ids is None else ids
    files, known = [], dict[bytes, bytes]()
    for relative in lake.storage.files(folder, suffix=".parquet"):
        rows = put_ids(lake.storage, relative, ids, known)
        if rows == 0:  # an empty DataFrame: some engines write a file, some none
            continue
        part = relative[len(folder) + 1 :].rpartition("/")[0]
        name = part.removeprefix("partition=") if part else next(iter(replaces))
        address = lake.warehouse.removesuffix("warehouse") + relative
        files.append(SnapshotFile(path=address, rows=rows, partition=name))
    reached(Point.STAGED, contract.name)
    unexpected = {f.partition for f in files} - set(replaces)
    if unexpected:
        raise ValueError(f"{contract.name}: staged rows outside of what is replaced: {sorted(unexpected)}")
    return Staged(table=contract.name, folder=folder, files=tuple(files), replaces=frozenset(replaces), ids=ids)


def publish(
    lake: Lake,
    contract: Contract,
    staged: Staged,
    *,
    base: TableSnapshot,
    inputs: Sequence[tuple[Contract, TableSnapshot]],
    properties: Mapping[str, str],
) -> Published:
    """Makes the staged files, whose gate is passed, the content of the partitions that they replace.

    ``base`` are the table's partitions as the step saw them, ``inputs`` everything that it read; ``properties`` (run
    id, asset, range) go into the snapshot.

    Raises:
        Conflict: a partition or an input changed since it was read; what was staged is gone.
        LakeError: the table stayed contended for all attempts, or its manifests contradict one another.
    """
    lake = lake.current  # conditions are about what is there now, whatever the step was told to look at
    digest = _content_hash(lake, staged)
    changed = {s for s in staged.replaces if not _same_rows(lake, staged, base, s)}
    for file in staged.files:
        if file.partition not in changed:
            lake.storage.delete(lake.relative(file.path))
    new = [f for f in staged.files if f.partition in changed]
    summary = {
        **{f"nh.{k}": v for k, v in properties.items()},
        **{f"nh.input.{snapshot.table}": str(snapshot.snapshot_id) for _, snapshot in inputs},
        "nh.partitions": ",".join(sorted(changed)),
        "nh.content-sha256": digest,
    }
    try:
        if not changed:
            lake.storage.delete(staged.folder)
            _require_current(lake, [(contract, base), *inputs])
            return Published.unchanged(base, digest)
        snapshot_id = _commit(lake, contract, new, changed, ids=staged.ids, base=base, inputs=inputs, summary=summary)
    except Conflict:
        lake.storage.delete(staged.folder)  # certainly not committed; what other errors leave, sweeping takes away
        raise
    except CommitFailedException as error:
        raise LakeError(
            f"{contract.name}: gave up after {_COMMIT_ATTEMPTS} attempts to commit, as other runs commit to it all the "
            "time; the table is as they left it. Run this again when they are through"
        ) from error
    except ValidationException as error:
        raise LakeError(
            f"{contract.name}: PyIceberg does not find files that are to be replaced: {error}; nothing was published. "
            "A manifest of the table is damaged, or another tool writes to it: roll it back to an older snapshot"
        ) from error
    reached(Point.COMMITTED, contract.name)
    kept = {f.path for f in base.files if f.partition not in changed}
    return Published(
        table=contract.name,
        snapshot_id=snapshot_id,
        changed=frozenset(changed),
        rows=sum(f.rows for f in new),
        content_hash=digest,
        partitions=base.partitions,
        paths=frozenset(kept | {f.path for f in new}),
    )


# PyIceberg (0.12) looks for the files to remove in threads that share one evaluator of manifests: now and then one of
# them overlooks a file that is there. PyIceberg notices, raises ValidationException, and has committed nothing.
@retry(
    retry=retry_if_exception_type((CommitFailedException, ValidationException)),
    stop=stop_after_attempt(_COMMIT_ATTEMPTS),
    wait=wait_random_exponential(multiplier=0.1, max=5),
    reraise=True,
)
def _commit(
    lake: Lake,
    contract: Contract,
    new: Sequence[SnapshotFile],
    changed: Collection[str],
    *,
    ids: Mapping[str, int],
    base: TableSnapshot,
    inputs: Sequence[tuple[Contract, TableSnapshot]],
    summary: Mapping[str, str],
) -> int | None:
    table = lake.table(contract)
    if ids.items() - {(f.name, f.field_id) for f in table.schema().fields}:  # another process made or extended it
        raise Conflict(f"{contract.name}: columns have other field ids than when its files were staged")
    current = data_files(table)
    _require_unchanged(base, {f.file_path for s, f in current if s in (base.partitions or {s})})
    _require_current(lake, inputs)
    reached(Point.COMMITTING, contract.name)
    with _Transaction(table) as transaction, _Overwrite(table, transaction, summary) as overwrite:
        for partition, file in current:
            if partition in changed:
                overwrite.delete_data_file(file)
        staged_for = {f.path: f.partition for f in new}
        for file in entries(table, staged_for):
            found = partition_of(table, table.spec(), file)  # read from the file's statistics
            if found != staged_for[file.file_path]:
                raise LakeError(
                    f"{contract.name}: {file.file_path} was staged for {staged_for[file.file_path]}, but by its "
                    f"statistics it is of {found}; nothing was published. Whatever wrote it mixes partitions or writes "
                    "row groups without rows"
                )
            overwrite.append_data_file(file)
    return lake.remember(table).metadata.current_snapshot_id


def _require_current(lake: Lake, snapshots: Sequence[tuple[Contract, TableSnapshot]]) -> None:
    for (_, then), now in zip(snapshots, lake.snapshots([contract for contract, _ in snapshots]), strict=True):
        _require_unchanged(then, set((now if then.partitions is None else now.only(then.partitions)).paths))


def _require_unchanged(snapshot: TableSnapshot, now: set[str]) -> None:
    if set(snapshot.paths) != now:
        raise Conflict(f"{snapshot.table} changed since snapshot {snapshot.snapshot_id}")


def _content_hash(lake: Lake, staged: Staged) -> str:
    digest = hashlib.sha256()
    for file in sorted(staged.files, key=lambda f: f.partition):
        with lake.open(file.path) as source:
            while chunk := source.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()


def _same_rows(lake: Lake, staged: Staged, base: TableSnapshot, partition: str) -> bool:
    """Whether a partition's staged rows equal its published ones, in order; stops at the first difference."""
    new = [f for f in staged.files if f.partition == partition]
    old = [f for f in base.files if f.partition == partition]
    if sum(f.rows for f in new) != sum(f.rows for f in old):
        return False
    if len(new) != 1 or len(old) != 1:
        return not new and not old
    with lake.open(new[0].path) as source:
        rows = pq.ParquetFile(source)
        try:
            with lake.open(old[0].path) as published:
                return _equal(rows, pq.ParquetFile(published))
        except (OSError, pa.ArrowInvalid) as error:
            if explain(error):
                raise
            return False  # the published file is missing or damaged: what is staged takes its place


def _equal(first: pq.ParquetFile, second: pq.ParquetFile) -> bool:
    names = first.schema_arrow.names
    if names != second.schema_arrow.names:
        return False
    # Column by column: chunk borders do not matter, and one column of a month is small.
    return all(_column(first, name).equals(_column(second, name)) for name in names)


def _column(file: pq.ParquetFile, name: str) -> pa.ChunkedArray:
    values = file.read([name]).column(0)
    # Engines differ in the text type that they note in the file (string, large_string), not in the text.
    return values.cast(pa.string()) if pa.types.is_large_string(values.type) else values
