"""What each slice of a table was built from, as table properties (``nh.built-from.<slice>``).

A rebuild that finds nothing to change makes no snapshot, and must not be asked for again: so this is kept beside the
data, not in snapshots. It is only a memory: without it a slice counts as behind and is computed once more.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from pyiceberg.exceptions import CommitFailedException
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nh_pipeline.contracts.base import Contract
    from nh_pipeline.lake.lake import Lake

_PREFIX = "nh.built-from."


@retry(
    retry=retry_if_exception_type(CommitFailedException),
    stop=stop_after_attempt(12),
    wait=wait_random_exponential(multiplier=0.1, max=5),
    reraise=True,
)
def remember(lake: Lake, contract: Contract, built_from: Mapping[str, str]) -> None:
    """Notes per slice what it was built from; touches no data and makes no snapshot."""
    table = lake.table(contract)
    news = {f"{_PREFIX}{s}": v for s, v in built_from.items() if table.properties.get(f"{_PREFIX}{s}") != v}
    if news:
        with table.transaction() as transaction:
            transaction.set_properties(news)


def remembered(lake: Lake, contract: Contract) -> dict[str, str]:
    """What each slice of a table was built from."""
    if not lake.catalog.table_exists(contract.name):
        return {}
    properties = lake.catalog.load_table(contract.name).properties
    return {k.removeprefix(_PREFIX): v for k, v in properties.items() if k.startswith(_PREFIX)}


def mark(deliveries: Iterable[str]) -> str:
    """A short name for a set of deliveries."""
    return hashlib.sha256(" ".join(sorted(deliveries)).encode()).hexdigest()[:16]
