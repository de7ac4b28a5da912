"""Housekeeping: files that dead attempts left. Data of any snapshot, also of an old one, is never touched."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from pyiceberg.exceptions import NoSuchTableError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyiceberg.table import Table

    from nh_pipeline.contracts.base import Contract
    from nh_pipeline.lake.lake import Lake

LEFT_ALONE = timedelta(days=1)
"""What is younger may belong to a run that is still at work."""


def sweep(lake: Lake, contracts: Iterable[Contract], *, older_than: timedelta = LEFT_ALONE) -> list[str]:
    """Deletes staged files that no snapshot names, and downloads and half-written documents that were given up.

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
    written = [_version(path) for path in lake.storage.files(f"{folder}/metadata", suffix=".metadata.json")]
    if not old:
        return []
    try:
        table = lake.catalog.load_table(lake.identifier(contract))
    except NoSuchTableError:
        return [] if written else old  # metadata that the catalog does not know: it is not the catalog of this lake
    if max(written, default=-1) > _version(table.metadata_location) + 1:  # nor is it here, or it is an old copy
        return []
    named = {lake.relative(address) for address in _named(table)}
    return [path for path in old if path not in named]


def _version(metadata: str) -> int:
    """``7`` of ``…/00007-<uuid>.metadata.json``; each commit counts one up, and one that failed leaves its file."""
    return int(metadata.rpartition("/")[2].partition("-")[0])


def _named(table: Table) -> set[str]:
    manifests = {m.manifest_path: m for s in table.snapshots() for m in s.manifests(table.io)}
    return {e.data_file.file_path for m in manifests.values() for e in m.fetch_manifest_entry(table.io)}
