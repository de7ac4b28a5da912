"""Housekeeping: old snapshots expire, and files that no snapshot names are deleted. Data of any snapshot stay.

Whatever was named within the last day is left where it is: whoever has begun to read a snapshot, or to copy what a
catalog names, comes to an end. So a table whose snapshots have just expired is swept a day later at the earliest, and
only then more of its snapshots expire.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table.update import RemoveSnapshotsUpdate, SetPropertiesUpdate

from nh_pipeline.errors import LakeError
from nh_pipeline.lake.lake import Lake, folder_of, unchanged
from nh_pipeline.lake.pointers import version

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from pyiceberg.manifest import ManifestFile
    from pyiceberg.table import Table
    from pyiceberg.table.snapshots import Snapshot

    from nh_pipeline.model.table import Table as Contract

LEFT_ALONE = timedelta(days=1)
"""What is younger may belong to a run that is still at work; what expired later may be read by somebody."""

_EXPIRED_AT = "nh.expired-at"
"""Property of a table: when snapshots of it expired last, in milliseconds."""

KEPT_FOR = timedelta(days=30)
"""How long a snapshot can be read at least; and so many of the newest, however old:"""
KEPT = 20


def expire(
    lake: Lake,
    contracts: Iterable[Contract],
    spared: Mapping[str, Collection[int]],
    *,
    kept_for: timedelta = KEPT_FOR,
    kept: int = KEPT,
    left_alone: timedelta = LEFT_ALONE,
) -> dict[str, int]:
    """Lets old snapshots of tables expire; :func:`sweep` takes the files that only they named.

    Every reading of a table, and every look for what is swept, gets dearer with each of them. A table of which another
    process changes something meanwhile waits for the next time, as does one whose last expired snapshots are
    ``left_alone``, and one that is left alone whatever happens (:func:`sweep`).

    What is younger than ``kept_for`` stays, as do the newest ``kept``, and the ids in ``spared``, by table: somebody
    still compares with these. Returns how many expired, by table.
    """
    now = datetime.now(tz=timezone.utc)
    before, gone = (now - kept_for).timestamp() * 1000, {}
    for contract in contracts:
        table = _known(lake, contract)
        if table is None or table.current_snapshot() is None or _expired_since(table, now - left_alone):
            continue
        snapshots = sorted(table.snapshots(), key=lambda s: s.timestamp_ms, reverse=True)
        named = {ref.snapshot_id for ref in table.metadata.refs.values()} | set(spared.get(contract.name, ()))
        old = [s.snapshot_id for s in snapshots[kept:] if s.timestamp_ms < before and s.snapshot_id not in named]
        if not old:
            continue
        noted = SetPropertiesUpdate(updates={_EXPIRED_AT: str(int(now.timestamp() * 1000))})
        try:
            for address in _manifests(table, snapshots):
                lake.relative(address)  # all of it is here
            lake.catalog.commit_table(table, unchanged(table), (RemoveSnapshotsUpdate(**{"snapshot-ids": old}), noted))
        except (LakeError, FileNotFoundError, CommitFailedException, ValueError):
            continue  # the last one says that another process has let them expire
        gone[contract.name] = len(old)
    return gone


def sweep(lake: Lake, contracts: Iterable[Contract], *, older_than: timedelta = LEFT_ALONE) -> list[str]:
    """Deletes files of tables that no snapshot names, and downloads and half-written documents that were given up.

    A table that this lake's catalog does not know all of is left alone: a lake that was moved, copied or restored, one
    with another catalog, or one that another tool writes to. Whatever uses it says so; sweeping stops nobody.

    Returns the paths of what was deleted, below the lake's root.
    """
    before = datetime.now(tz=timezone.utc) - older_than
    left = list(lake.storage.files("raw/.incoming", before=before))
    for folder in ("raw", "quarantine", "state"):
        left += lake.storage.files(folder, suffix=".partial", before=before)
    for contract in contracts:
        left += _orphans(lake, contract, before)
    for path in left:
        lake.storage.delete(path)
    return left


def _orphans(lake: Lake, contract: Contract, before: datetime) -> list[str]:
    # In this order: what is committed after the listing is in the table that is loaded then.
    folder = folder_of(contract)
    written = lake.storage.files(folder, before=before)
    old = [p for p in written if p.startswith(f"{folder}/data/") or p.endswith((".avro", ".metadata.json"))]
    if not old:
        return []
    try:
        table = _known(lake, contract)
        if table is None:
            return old if not _written(lake, contract) and lake.load(contract) is None else []
        if _expired_since(table, before):
            return []
        # All of them, data or not: one in another place says that files here may be named by addresses of that place.
        named = {lake.relative(address) for address in _named(table)}
    except (LakeError, FileNotFoundError):
        return []
    return [path for path in old if path not in named and not _is_newer(path, table)]


def _expired_since(table: Table, moment: datetime) -> bool:
    return float(table.properties.get(_EXPIRED_AT, 0)) > moment.timestamp() * 1000


def _is_newer(path: str, table: Table) -> bool:
    """Whether it is the metadata file of a commit that the catalog does not know, or not yet."""
    written, current = version(path), version(table.metadata_location)
    return written is not None and current is not None and written > current


def _known(lake: Lake, contract: Contract) -> Table | None:
    """The table, if its catalog knows all of it: else it is a copy, or another tool's, and left alone."""
    try:
        table = lake.load(contract)
    except (LakeError, FileNotFoundError):
        return None
    current = version(table.metadata_location) if table else None
    written = _written(lake, contract)
    if current is None or None in written:  # another tool names them, or the catalog does not know the table
        return None
    newest = max((v for v in written if v is not None), default=-1)
    return None if newest > current + 1 else table  # else it is not here, or it is an old copy


def _written(lake: Lake, contract: Contract) -> list[int | None]:
    """Versions of the metadata files that are there."""
    return [version(path) for path in lake.storage.files(f"{folder_of(contract)}/metadata", suffix=".metadata.json")]


def _named(table: Table) -> Iterator[str]:
    """Addresses in all snapshots (manifest lists, manifests, data files), and of the last metadata files."""
    yield table.metadata_location
    yield from (entry.metadata_file for entry in table.metadata.metadata_log)
    for address, manifest in _manifests(table, table.snapshots()).items():
        yield address
        if manifest:
            yield from (e.data_file.file_path for e in manifest.fetch_manifest_entry(table.io))


def _manifests(table: Table, snapshots: Iterable[Snapshot]) -> dict[str, ManifestFile | None]:
    """Manifest lists, as None, and manifests of snapshots, by their addresses."""
    found: dict[str, ManifestFile | None] = {}
    for snapshot in snapshots:
        found[snapshot.manifest_list] = None
        found |= {m.manifest_path: m for m in snapshot.manifests(table.io)}
    return found
