"""Staleness of gold: the days on which it would come out differently, if it were built from its inputs as they are.

It compares what is there with what gold remembers to be built from (:mod:`.memory`). Everything else that may be stale
is in :mod:`.plan`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nh_pipeline.contracts.gold import FACILITY_MEASURES, PROVIDER_COLUMNS
from nh_pipeline.contracts.silver import DIM_CLAIMS, DIM_PROVIDERS, FCT_STAFFING_LEVELS
from nh_pipeline.lake.duck import reading
from nh_pipeline.lake.lake import Pin
from nh_pipeline.lake.refusals import Refusals
from nh_pipeline.periods import month_bounds
from nh_pipeline.pipeline.build_state import remembered
from nh_pipeline.pipeline.recipe import recipe

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    from nh_pipeline.contracts.base import Contract
    from nh_pipeline.lake.lake import Lake

_USED = {
    DIM_PROVIDERS.name: ("provider_id", "state", *PROVIDER_COLUMNS, "valid_from"),
    DIM_CLAIMS.name: ("provider_id", "measure_code", "adjusted_score", "valid_from"),
}
"""Columns of a dimension that gold depends on: a change elsewhere leaves gold as it is."""


@dataclass(frozen=True)
class GoldInputs:
    """Pins that gold is, or would be, built from."""

    facts: Pin
    providers: Pin
    claims: Pin

    @classmethod
    def current(cls, lake: Lake) -> GoldInputs:
        """As the tables are now."""
        return cls(lake.pin(FCT_STAFFING_LEVELS), lake.pin(DIM_PROVIDERS), lake.pin(DIM_CLAIMS))

    def of_month(self, month: str) -> str:
        """What a month of gold built now would be built from."""
        return json.dumps(
            {
                "recipe": recipe(FACILITY_MEASURES),
                "facts": [p.rpartition("/data/")[2] for p in self.facts.only([month]).paths],
                DIM_PROVIDERS.name: self.providers.snapshot_id,
                DIM_CLAIMS.name: self.claims.snapshot_id,
            },
            sort_keys=True,
        )


def stale_days(
    lake: Lake, inputs: GoldInputs, months: Iterable[str] | None = None, *, passing: bool = False
) -> list[date]:
    """Days of ``gold.facility_measures`` whose rows would come out differently now.

    A month whose facts changed, or the recipe, is stale on all days that it has or had. For a changed dimension only
    the days of the providers concerned, inside the validity of the versions that differ, are.

    Args:
        lake: the lake.
        inputs: the current pins.
        months: only these; default all loaded ones.
        passing: whether to pass over months that the gate refused, and would refuse again.
    """
    memory = remembered(lake, FACILITY_MEASURES)
    refused = {r.slice: r.built_from for r in Refusals(lake.storage).all(FACILITY_MEASURES.name)} if passing else {}
    loaded = inputs.facts.present | (lake.pin(FACILITY_MEASURES).present if months is None else frozenset())
    stale: set[date] = set()
    by_memory: dict[str, list[str]] = {}
    for month in sorted(loaded if months is None else loaded & set(months)):
        now, then = inputs.of_month(month), memory.get(month, "")
        if now in (then, refused.get(month)):
            continue
        if not then or any(json.loads(then).get(k) != json.loads(now)[k] for k in ("facts", "recipe")):
            stale |= _days(lake, FCT_STAFFING_LEVELS, inputs.facts.only([month]))
            stale |= _days(lake, FACILITY_MEASURES, lake.pin(FACILITY_MEASURES, [month]))
        else:
            by_memory.setdefault(then, []).append(month)
    for then, behind in by_memory.items():
        stale |= _touched(lake, inputs, json.loads(then), behind)
    return sorted(stale)


def _days(lake: Lake, contract: Contract, pin: Pin) -> set[date]:
    with reading(lake, {"t": (contract, pin)}) as db:
        return {row[0] for row in db.execute("select distinct work_date from t").fetchall()}


def _touched(lake: Lake, inputs: GoldInputs, then: Mapping[str, int | None], months: list[str]) -> set[date]:
    """Days with facts of providers whose versions differ between then and now, while those versions hold."""
    facts = inputs.facts.only(months)
    days: set[date] = set()
    for contract, now in ((DIM_PROVIDERS, inputs.providers), (DIM_CLAIMS, inputs.claims)):
        before = then.get(contract.name)
        if before == now.snapshot_id:
            continue
        old = lake.pin_at(contract, before) if before is not None else None
        if old is None and before is not None:  # that snapshot has expired: nothing to compare with
            return _days(lake, FCT_STAFFING_LEVELS, facts)
        days |= _differing(lake, contract, old, now, facts)
    return {d for d in days if any(a <= d <= b for a, b in map(month_bounds, months))}


def _differing(lake: Lake, contract: Contract, old: Pin | None, now: Pin, facts: Pin) -> set[date]:
    key = ", ".join(contract.grain[:-1])
    used = ", ".join(_USED[contract.name])
    valid = (
        f"select {used}, case when row_number() over (partition by {key} order by valid_from) = 1 "
        "then date '0001-01-01' else valid_from end as _from, coalesce(valid_to, date '9999-12-31') as _to from "
    )
    query = f"""
        with a as ({valid} old), b as ({valid} now),
        differing as ((from a except all from b) union all (from b except all from a)),
        days as (select distinct f.provider_id as _id, f.work_date from facts f join differing d
            on f.provider_id = d.provider_id and f.work_date >= d._from and f.work_date < d._to),
        -- A version that only got another end differs, but not on the days that it still covers.
        was as (select work_date, {used} from days join a
            on provider_id = _id and work_date >= _from and work_date < _to),
        are as (select work_date, {used} from days join b
            on provider_id = _id and work_date >= _from and work_date < _to)
        select distinct work_date from ((from was except all from are) union all (from are except all from was))"""
    nothing = Pin(table=contract.name, snapshot_id=None)
    views = {"old": (contract, old or nothing), "now": (contract, now), "facts": (FCT_STAFFING_LEVELS, facts)}
    with reading(lake, views) as db:
        return {row[0] for row in db.execute(query).fetchall()}
