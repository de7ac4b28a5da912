"""What each slice of a table was built from, as table properties (``nh.built-from.<slice>``).

A rebuild that finds nothing to change makes no snapshot, and must not be asked for again: so this is kept beside the
data, not in snapshots. It is only a memory: without it a slice counts as behind and is computed once more.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from pyiceberg.exceptions import CommitFailedException, NoSuchTableError
from pyiceberg.table.update import AssertRefSnapshotId, AssertTableUUID, SetPropertiesUpdate
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from nh_pipeline.lake.lake import pin_table
from nh_pipeline.points import Point, reached

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nh_pipeline.contracts.base import Contract
    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.lake.publish import Published

_PREFIX = "nh.built-from."


@retry(
    retry=retry_if_exception_type(CommitFailedException),
    stop=stop_after_attempt(12),
    wait=wait_random_exponential(multiplier=0.1, max=5),
    reraise=True,
)
def remember(lake: Lake, contract: Contract, built_from: Mapping[str, str], published: Published) -> None:
    """Notes per slice what it was built from; touches no data and makes no snapshot.

    Only while the table still holds what was published: a memory that is ahead of its rows would hide for ever that
    they are behind.
    """
    table = lake.table(contract)
    news = {f"{_PREFIX}{s}": v for s, v in built_from.items() if table.properties.get(f"{_PREFIX}{s}") != v}
    pin = pin_table(table, contract)
    held = pin if published.slices is None else pin.only(published.slices)
    if news and set(held.paths) == published.paths:
        requirements = (
            AssertTableUUID(uuid=table.metadata.table_uuid),
            AssertRefSnapshotId(ref="main", **{"snapshot-id": pin.snapshot_id}),
        )
        lake.catalog.commit_table(table, requirements, (SetPropertiesUpdate(updates=news),))
    reached(Point.NOTED, contract.name)


def remembered(lake: Lake, contract: Contract) -> dict[str, str]:
    """What each slice of a table was built from."""
    try:
        properties = lake.catalog.load_table(lake.identifier(contract)).properties
    except NoSuchTableError:
        return {}
    return {k.removeprefix(_PREFIX): v for k, v in properties.items() if k.startswith(_PREFIX)}


def mark(deliveries: Iterable[str]) -> str:
    """A short name for a set of deliveries."""
    return hashlib.sha256(" ".join(sorted(deliveries)).encode()).hexdigest()[:16]
