"""Staleness of marts: what would come out differently, if it were built from its inputs as they are now.

It compares what is there with what the mart was built from (:mod:`.build_state`). A mart that joins dimensions as of
the day is stale only on the days on which their versions differ. All else that may be stale is in :mod:`.plan`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nh_pipeline.lake.duck import reading
from nh_pipeline.lake.lake import Lake, TableSnapshot
from nh_pipeline.lake.refusals import Refusals
from nh_pipeline.model.mart import AsOf, Mart
from nh_pipeline.model.table import WHOLE, Table
from nh_pipeline.periods import joined, month_bounds
from nh_pipeline.pipeline.build_state import recorded_inputs
from nh_pipeline.pipeline.recipe import recipe
from nh_pipeline.transforms.as_of import holding_sql

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import date


@dataclass(frozen=True)
class Inputs:
    """Snapshots that a mart is, or would be, built from, in the order of its declaration."""

    mart: Mart
    snapshots: tuple[TableSnapshot, ...]

    @classmethod
    def current(cls, lake: Lake, mart: Mart) -> Inputs:
        """As the tables are now."""
        return cls(mart, tuple(lake.snapshot(table) for table in mart.inputs))

    def only(self, months: Collection[str]) -> Inputs:
        """These months, of tables that are cut by months."""
        cut = (
            p.only(months) if t.partitioning.monthly else p
            for t, p in zip(self.mart.inputs, self.snapshots, strict=True)
        )
        return Inputs(self.mart, tuple(cut))

    @property
    def loaded(self) -> frozenset[str]:
        """Months that the first table has."""
        return self.snapshots[0].present

    def of(self, partition: str) -> str:
        """What a partition of the mart built now would be built from."""
        found: dict[str, Any] = {}
        for table, snapshot in zip(self.mart.inputs, self.snapshots, strict=True):
            by_month = table.partitioning.monthly and partition != WHOLE
            files = [path.rpartition("/data/")[2] for path in snapshot.only([partition]).paths] if by_month else None
            found[table.name] = snapshot.snapshot_id if files is None else files
        return json.dumps({"recipe": recipe(self.mart.table), "inputs": found}, sort_keys=True)


def is_stale(lake: Lake, inputs: Inputs, *, passing: bool = False) -> bool:
    """Whether a mart of one partition would come out differently now; ``passing`` over what the gate refused."""
    table = inputs.mart.table
    refused = Refusals(lake.storage).inputs(table.name) if passing else {}
    known = {recorded_inputs(lake, table).get(WHOLE, ""), refused.get(WHOLE)}
    return any(snapshot.snapshot_id is not None for snapshot in inputs.snapshots) and inputs.of(WHOLE) not in known


def stale_days(
    lake: Lake, inputs: Inputs, months: Collection[str] | None = None, *, passing: bool = False
) -> list[tuple[date, date]]:
    """Ranges of days (first and last) of a mart whose rows would come out differently now.

    A month whose days changed, or the recipe, is stale on all days that it has or had. For a dimension that changed
    only the days of the keys concerned are, inside the validity of the versions that differ. A mart that cannot be
    built by day is stale by whole months.

    Of all months that are loaded, or of some; ``passing`` over those that the gate refused, and would refuse again.
    """
    mart, state = inputs.mart, recorded_inputs(lake, inputs.mart.table)
    refused = Refusals(lake.storage).inputs(mart.table.name) if passing else {}
    loaded = inputs.loaded | (lake.snapshot(mart.table).present if months is None else frozenset())
    anew: list[str] = []
    by_state: dict[str, list[str]] = {}
    for month in sorted(loaded if months is None else loaded & set(months)):
        now, then = inputs.of(month), state.get(month, "")
        if now in (then, refused.get(month)):
            continue
        if mart.by_day and _only_dimensions_changed(mart, then, now):
            by_state.setdefault(then, []).append(month)
        else:
            anew.append(month)
    if not mart.by_day:
        return joined(month_bounds(month) for month in anew)
    stale: set[date] = set()
    if anew:
        stale |= _days(lake, mart.inputs[0], inputs.snapshots[0].only(anew), mart.month)
        stale |= _days(lake, mart.table, lake.snapshot(mart.table, anew), mart.month)
    for then, behind in by_state.items():
        stale |= _touched(lake, inputs, json.loads(then)["inputs"], behind)
    return joined((day, day) for day in stale)


def _only_dimensions_changed(mart: Mart, then: str, now: str) -> bool:
    before, after = json.loads(then or "{}"), json.loads(now)
    dimensions = {read.table.name for read in mart.reads if isinstance(read, AsOf)}
    others = {name: value for name, value in after["inputs"].items() if name not in dimensions}
    had = before.get("inputs", {})
    return before.get("recipe") == after["recipe"] and all(
        name in had and had[name] == value for name, value in others.items()
    )


def _days(lake: Lake, table: Table, snapshot: TableSnapshot, day: str) -> set[date]:
    with reading(lake, {"t": (table, snapshot)}) as db:
        return {row[0] for row in db.execute(f"select distinct {day} from t").fetchall()}


def _touched(lake: Lake, inputs: Inputs, then: Mapping[str, int | None], months: list[str]) -> set[date]:
    """Days with rows of keys whose versions differ between then and now, while those versions hold."""
    mart, facts = inputs.mart, inputs.snapshots[0].only(months)
    days: set[date] = set()
    for read, now in zip(mart.reads, inputs.snapshots, strict=True):
        if not isinstance(read, AsOf) or then.get(read.table.name) == now.snapshot_id:
            continue
        before = then.get(read.table.name)
        old = lake.snapshot_at(read.table, before) if before is not None else None
        if old is None and before is not None:  # that snapshot has expired: nothing to compare with
            return _days(lake, mart.inputs[0], facts, mart.month)
        days |= _differing(lake, mart, read, (old, now), facts)
    return {d for d in days if any(a <= d <= b for a, b in map(month_bounds, months))}


def _differing(
    lake: Lake, mart: Mart, read: AsOf, versions: tuple[TableSnapshot | None, TableSnapshot], facts: TableSnapshot
) -> set[date]:
    first, after = holding_sql(read.key)
    used = ", ".join(dict.fromkeys((*read.key, *read.uses, "valid_from")))
    shared = [name for name in read.key if name in mart.inputs[0].names]
    ids = ", ".join(f"f.{name} as _{name}" for name in shared)
    same = " and ".join(f"f.{name} = d.{name}" for name in shared)
    mine = " and ".join(f"{name} = _{name}" for name in shared)
    day, valid = mart.month, f"select {used}, {first} as _from, {after} as _to from "
    query = f"""
        with a as ({valid} old), b as ({valid} now),
        differing as ((from a except all from b) union all (from b except all from a)),
        days as (select distinct {ids}, f.{day} as _day from facts f join differing d
            on {same} and f.{day} >= d._from and f.{day} < d._to),
        -- A version that only got another end differs, but not on the days that it still covers.
        was as (select _day, {used} from days join a on {mine} and _day >= _from and _day < _to),
        are as (select _day, {used} from days join b on {mine} and _day >= _from and _day < _to)
        select distinct _day from ((from was except all from are) union all (from are except all from was))"""
    old, now = versions
    nothing = TableSnapshot(table=read.table.name, snapshot_id=None)
    views = {"old": (read.table, old or nothing), "now": (read.table, now), "facts": (mart.inputs[0], facts)}
    with reading(lake, views) as db:
        return {row[0] for row in db.execute(query).fetchall()}
