"""Staleness of marts: what would come out differently, if it were built from its inputs as they are now.

It compares what is there with what the mart was built from (:mod:`.build_state`). A mart that joins dimensions as of
the day is stale only on the days on which their versions differ. All else that may be stale is in :mod:`.plan`.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from nh_pipeline.lake.duck import reading
from nh_pipeline.lake.snapshots import TableSnapshot
from nh_pipeline.model.kinds import Daily
from nh_pipeline.model.mart import AsOf, Lookup, Mart, Previous, Within
from nh_pipeline.model.table import WHOLE, Table
from nh_pipeline.periods import first_day, joined, month_bounds, months, quarter_bounds, quarter_of, quarters, shifted
from nh_pipeline.pipeline.build_state import recorded_inputs
from nh_pipeline.pipeline.recipe import recipe
from nh_pipeline.transforms.as_of import holding_sql

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from nh_pipeline.lake.lake import Lake


def bucket_of(partition: str) -> str:
    """The bucket of a partition that is cut by one, last if by something else as well."""
    return partition.rpartition(".")[2]


def bounds(mart: Mart, part: str) -> tuple[date, date]:
    """First and last day of a part of a mart; of a release, its date alone."""
    start = first_day(part)
    if mart.quarter:
        return quarter_bounds(quarter_of(start))
    return (start, start) if mart.release else month_bounds(part)


def between(mart: Mart, start: date, end: date) -> list[str]:
    """The parts of a mart of months or quarters that a range of days touches."""
    if mart.month:
        return months(start, end)
    return [f"{quarter_bounds(quarter)[0]:%Y-%m}" for quarter, _, _ in quarters(start, end)]


@dataclass(frozen=True)
class Inputs:
    """Snapshots that a mart is, or would be, built from, in the order of its declaration."""

    mart: Mart
    snapshots: tuple[TableSnapshot, ...]

    @classmethod
    def current(cls, lake: Lake, mart: Mart) -> Inputs:
        """As the tables are now."""
        return cls(mart, tuple(lake.snapshots(mart.inputs)))

    def only(self, parts: Collection[str]) -> Inputs:
        """What these parts of the mart are made of."""
        cut = []
        for number, snapshot in enumerate(self.snapshots):
            feeding = [self._feeding(number, part) for part in parts]
            cut.append(snapshot if None in feeding else snapshot.only(set().union(*filter(None, feeding))))
        return Inputs(self.mart, tuple(cut))

    @cached_property
    def parts(self) -> frozenset[str]:
        """The parts of the mart that there is anything for."""
        mart = self.mart
        if mart.month:
            return self.snapshots[0].present
        if mart.quarter:
            return frozenset(f"{bounds(mart, p)[0]:%Y-%m}" for p in self.snapshots[0].present)
        if mart.bucket:
            return frozenset(chain.from_iterable(found for found in self._buckets if found))
        cut = (
            begun
            for read, table, begun in zip(mart.reads, mart.inputs, self._begun, strict=True)
            if begun and not isinstance(read, Within) and not table.partitioning.monthly
        )
        return frozenset(day.isoformat() for begun in cut for day, _ in begun)

    def of(self, part: str) -> str:
        """What a part of the mart built now would be built from."""
        found: dict[str, Any] = {}
        for number, snapshot in enumerate(self.snapshots):
            feeding = self._feeding(number, part)
            if feeding is None:
                found[snapshot.table] = snapshot.snapshot_id
            else:
                paths = snapshot.only(feeding).paths
                found[snapshot.table] = [path.rpartition("/data/")[2] for path in paths]
        return json.dumps({"recipe": recipe(self.mart.table), "inputs": found}, sort_keys=True)

    def rows_of(self, bucket: str) -> int:
        """Rows of what a bucket is made of alone."""
        cut = ((s, of) for s, of in zip(self.snapshots, self._buckets, strict=True) if of is not None)
        return sum(snapshot.only(of.get(bucket, ())).rows for snapshot, of in cut)

    def _feeding(self, number: int, part: str) -> set[str] | None:
        """The partitions of an input that a part of the mart is made of; None for all, as one."""
        if self.mart.bucket:
            buckets = self._buckets[number]
            return None if buckets is None else buckets.get(part, set())
        begun = self._begun[number]
        return None if begun is None else _near(self.mart, self.mart.reads[number], begun, part)

    @cached_property
    def _begun(self) -> tuple[list[tuple[date, str]] | None, ...]:
        """The parts of each input by the day on which they begin, in order; None if it is read whole."""
        cut = (table.partitioning.in_time and self.mart.cut_by for table in self.mart.inputs)
        return tuple(
            sorted((first_day(p), p) for p in snapshot.present) if in_time else None
            for in_time, snapshot in zip(cut, self.snapshots, strict=True)
        )

    @cached_property
    def _buckets(self) -> tuple[dict[str, set[str]] | None, ...]:
        """The partitions of each input by their bucket; None if it is read whole."""
        return tuple(
            _by_bucket(snapshot) if self.mart.bucket in table.partitioning.columns else None
            for table, snapshot in zip(self.mart.inputs, self.snapshots, strict=True)
        )


def _by_bucket(snapshot: TableSnapshot) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for partition in snapshot.present:
        found.setdefault(bucket_of(partition), set()).add(partition)
    return found


def _near(mart: Mart, read: Any, begun: list[tuple[date, str]], part: str) -> set[str]:
    """The parts of an input that begin in a part of the mart, or as near to it as it is read."""
    start, end = bounds(mart, part)
    if isinstance(read, Within):
        start, end = shifted(start, -read.before), shifted(end, read.after + 1) - timedelta(days=1)
    first = bisect_left(begun, start, key=itemgetter(0))
    last = bisect_right(begun, end, key=itemgetter(0))
    first -= isinstance(read, Previous) and first > 0
    first = max(first, last - 1) if isinstance(read, Within) and read.last else first
    return {p for _, p in begun[first:last]}


def is_stale(lake: Lake, inputs: Inputs, refused: Mapping[str, str]) -> bool:
    """Whether a mart of one partition would come out differently now, and not as the gate ``refused`` it.

    Not before there is anything to make it of: of what is protected, if it reads any of that.
    """
    known = {recorded_inputs(lake, inputs.mart.table).get(WHOLE, ""), refused.get(WHOLE)}
    mine = [s for of, s in zip(inputs.mart.inputs, inputs.snapshots, strict=True) if of.sensitive] or inputs.snapshots
    return any(snapshot.snapshot_id is not None for snapshot in mine) and inputs.of(WHOLE) not in known


def stale_days(
    lake: Lake, inputs: Inputs, parts: Collection[str] | None = None, refused: Mapping[str, str] | None = None
) -> list[tuple[date, date]]:
    """Ranges of days (first and last) of a mart whose rows would come out differently now.

    A part whose inputs changed, or the recipe, is stale on all days that it has or had. If only a dimension changed
    that is joined to days, just the days of the keys concerned are, inside the validity of the versions that differ. A
    mart that cannot be built by day is stale by whole parts; releases are ranges of a day each.

    Of all parts that there is anything for, or of some; passing over those that the gate ``refused``, and would again.
    """
    mart, state = inputs.mart, recorded_inputs(lake, inputs.mart.table)
    refused = refused or {}
    loaded = inputs.parts | (lake.snapshot(mart.table).present if parts is None else frozenset())
    anew: list[str] = []
    by_state: dict[str, list[str]] = {}
    for part in sorted(loaded if parts is None else loaded & set(parts)):
        now, then = inputs.of(part), state.get(part, "")
        if now in (then, refused.get(part)):
            continue
        if mart.month and isinstance(mart.inputs[0].kind, Daily) and only_changed(mart, AsOf, then, now):
            by_state.setdefault(then, []).append(part)
        else:
            anew.append(part)
    touched: set[date] = set()
    for then, behind in by_state.items():
        touched |= _touched(lake, inputs, json.loads(then)["inputs"], behind)
    if mart.release:
        return [bounds(mart, part) for part in anew]
    if not mart.by_day:
        return joined(bounds(mart, part) for part in {*anew, *(f"{day:%Y-%m}" for day in touched)})
    if anew:
        touched |= _days(lake, mart.inputs[0], inputs.snapshots[0].only(anew), mart.month)
        touched |= _days(lake, mart.table, lake.snapshot(mart.table, anew), mart.month)
    return joined((day, day) for day in touched)


def only_changed(mart: Mart, kind: type[AsOf | Lookup], then: str, now: str) -> bool:
    """Whether nothing differs between two memories of a part but inputs of a kind."""
    before, after = json.loads(then or "{}"), json.loads(now)
    dimensions = {read.table.name for read in mart.reads if isinstance(read, kind)}
    others = {name: value for name, value in after["inputs"].items() if name not in dimensions}
    had = before.get("inputs", {})
    return before.get("recipe") == after["recipe"] and all(
        name in had and had[name] == value for name, value in others.items()
    )


def _day_of(mart: Mart) -> str:
    """The column of days of what it reads first."""
    return mart.inputs[0].partitioning.columns[0]


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
            return _days(lake, mart.inputs[0], facts, _day_of(mart))
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
    day, valid = _day_of(mart), f"select {used}, {first} as _from, {after} as _to from "
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
