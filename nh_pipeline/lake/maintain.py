"""Housekeeping: files that dead attempts left. Data of any snapshot, also of an old one, is never touched."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from nh_pipeline.errors import LakeError
from nh_pipeline.lake.pointers import version

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pyiceberg.manifest import ManifestFile
    from pyiceberg.table import Table

    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.model.table import Table as Contract

LEFT_ALONE = timedelta(days=1)
"""What is younger may belong to a run that is still at work."""


def sweep(lake: Lake, contracts: Iterable[Contract], *, older_than: timedelta = LEFT_ALONE) -> list[str]:
    """Deletes staged files that no snapshot names, and downloads and half-written documents that were given up.

    A table that this lake's catalog does not know all of is left alone: a lake that was moved, copied or restored, one
    with another catalog, or one that another tool writes to. Whatever uses it says so; sweeping stops nobody.

    Args:
        lake: the lake.
        contracts: of the tables to look at.
        older_than: what is younger stays.

    Returns:
        Paths of what was deleted, below the lake's root.
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
    folder = f"warehouse/{contract.name.replace('.', '/')}"
    # In this order: what is committed after the listing is in the table that is loaded then.
    old = list(lake.storage.files(f"{folder}/data", before=before))
    written = [version(path) for path in lake.storage.files(f"{folder}/metadata", suffix=".metadata.json")]
    if not old:
        return []
    try:
        table = lake.load(contract)
        if table is None:
            return [] if written else old  # metadata that the catalog does not know: it is not the catalog of this lake
        current = version(table.metadata_location)
        if current is None or None in written:  # another tool names them
            return []
        if max((v for v in written if v is not None), default=-1) > current + 1:  # nor is it here, or it is an old copy
            return []
        # All of them, data or not: one in another place says that files here may be named by addresses of that place.
        named = {lake.relative(address) for address in _named(table)}
    except (LakeError, FileNotFoundError):
        return []
    return [path for path in old if path not in named]


def _named(table: Table) -> Iterator[str]:
    """Addresses in all snapshots: manifest lists, manifests, data files."""
    manifests: dict[str, ManifestFile] = {}
    for snapshot in table.snapshots():
        yield snapshot.manifest_list
        manifests |= {m.manifest_path: m for m in snapshot.manifests(table.io)}
    for path, manifest in manifests.items():
        yield path
        yield from (e.data_file.file_path for e in manifest.fetch_manifest_entry(table.io))
