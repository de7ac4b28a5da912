"""What each partition of a table was built from, as table properties (``nh.built-from.<partition>``).

A rebuild that finds nothing to change makes no snapshot, and must not be asked for again: so this is kept beside the
data, not in snapshots. It is only a memory: without it a partition counts as behind and is computed once more.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import Table
from pyiceberg.table.update import SetPropertiesUpdate
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from nh_pipeline.failpoints import Point, reached
from nh_pipeline.lake.lake import Lake, unchanged
from nh_pipeline.lake.snapshots import snapshot_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nh_pipeline.lake.publish import Published
    from nh_pipeline.model.table import Table as Contract

_PREFIX = "nh.built-from."

LANDED = "has landed and is not in bronze yet"
NOT_BUILT = "not built yet"
"""Why something is built for the first time."""


@retry(
    retry=retry_if_exception_type(CommitFailedException),
    stop=stop_after_attempt(12),
    wait=wait_random_exponential(multiplier=0.1, max=5),
    reraise=True,
)
def record_inputs(lake: Lake, contract: Contract, built_from: Mapping[str, str], published: Published) -> None:
    """Notes per partition what it was built from; touches no data and makes no snapshot.

    Only while the table still holds what was published: a memory that is ahead of its rows would hide for ever that
    they are behind.
    """
    table = lake.table(contract)
    news = {f"{_PREFIX}{s}": v for s, v in built_from.items() if table.properties.get(f"{_PREFIX}{s}") != v}
    snapshot = snapshot_of(table, contract)
    held = snapshot if published.partitions is None else snapshot.only(published.partitions)
    if news and set(held.paths) == published.paths:
        made = lake.catalog.commit_table(table, unchanged(table), (SetPropertiesUpdate(updates=news),))
        lake.remember(Table(table.name(), made.metadata, made.metadata_location, table.io, lake.catalog))
    reached(Point.NOTED, contract.name)


def forget(lake: Lake, contract: Contract, partitions: Iterable[str]) -> None:
    """Makes partitions count as not built; their rows stay until they are built again."""
    keys = [f"{_PREFIX}{s}" for s in partitions]
    if lake.load(contract) is not None:
        with lake.table(contract).transaction() as transaction:
            transaction.remove_properties(*keys)


def recorded_inputs(lake: Lake, contract: Contract) -> dict[str, str]:
    """What each partition of a table was built from."""
    table = lake.load(contract)
    return built_from_of(table) if table else {}


def built_from_of(table: Table) -> dict[str, str]:
    """The same of a table that is loaded already."""
    return {k.removeprefix(_PREFIX): v for k, v in table.properties.items() if k.startswith(_PREFIX)}


def compared_snapshots(lake: Lake, contracts: Iterable[Contract]) -> dict[str, set[int]]:
    """Snapshots, by table, that marts remember to be built from: what changed since is found by comparing with them."""
    found: dict[str, set[int]] = {}
    for contract in contracts:
        for memory in recorded_inputs(lake, contract).values():
            for name, snapshot in compared_in(memory):
                found.setdefault(name, set()).add(snapshot)
    return found


def compared_in(memory: str) -> list[tuple[str, int]]:
    """The same of one partition's memory: tables, and the snapshots of them."""
    inputs = _parsed(memory).get("inputs")
    found = inputs.items() if isinstance(inputs, dict) else ()
    return [(name, snapshot) for name, snapshot in found if isinstance(snapshot, int)]


def of_deliveries(recipe: str, deliveries: Mapping[str, str]) -> str:
    """What a partition is built from: the recipe, and its deliveries with the recipes by which they were parsed."""
    return json.dumps({"recipe": recipe, "deliveries": dict(sorted(deliveries.items()))}, separators=(",", ":"))


def deliveries_of(memory: str | None) -> dict[str, str]:
    """The deliveries of :func:`of_deliveries`; none of a memory that another version wrote."""
    found = _parsed(memory).get("deliveries", {})
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}


def why_stale(then: str | None, now: str, names: Mapping[str, str]) -> str:
    """How two memories of :func:`of_deliveries` differ, for people: what a partition was built from, and would be."""
    if then is None:
        return NOT_BUILT
    before, after = deliveries_of(then), deliveries_of(now)
    told = [f"{names.get(i, i[:12])} counts now" for i in after.keys() - before.keys()]
    told += [f"{names.get(i, i[:12])} no longer counts" for i in before.keys() - after.keys()]
    told += [f"{names.get(i, i[:12])} was parsed anew" for i in before.keys() & after.keys() if before[i] != after[i]]
    if _parsed(then).get("recipe") != _parsed(now).get("recipe"):
        told.insert(0, "its columns, rules or transform have changed")
    more = f" and {len(told) - 3} more" if len(told) > 3 else ""  # noqa: PLR2004
    return "; ".join(sorted(told[:3], key=lambda t: (not t.startswith("its "), t))) + more


def _parsed(memory: str | None) -> dict[str, Any]:
    try:
        found = json.loads(memory or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
