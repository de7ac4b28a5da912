"""What the tables do not show yet of what has landed: a pure question to the lake, asked by the CLI and by sensors.

It compares what is there with what the tables remember to be built from (:mod:`.memory`).
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nh_pipeline.contracts.bronze import BRONZE, REJECTS
from nh_pipeline.contracts.gold import FACILITY_MEASURES, PROVIDER_COLUMNS
from nh_pipeline.contracts.silver import DIM_CLAIMS, DIM_DATE, DIM_PROVIDERS, FCT_STAFFING_LEVELS
from nh_pipeline.lake.lake import WHOLE, Pin
from nh_pipeline.lake.sql import reading
from nh_pipeline.periods import month_bounds
from nh_pipeline.steps.effective import DIMENSIONS, effective, quarter_standings, release_standings
from nh_pipeline.steps.memory import mark, remembered

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    from nh_pipeline.contracts.base import Contract
    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.landing.manifest import Delivery
    from nh_pipeline.landing.zone import RawZone
    from nh_pipeline.steps.effective import Standing

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
                "facts": [p.rpartition("/data/")[2] for p in self.facts.only([month]).paths],
                DIM_PROVIDERS.name: self.providers.snapshot_id,
                DIM_CLAIMS.name: self.claims.snapshot_id,
            },
            sort_keys=True,
        )


def stale_days(lake: Lake, inputs: GoldInputs, months: Iterable[str] | None = None) -> list[date]:
    """Days of ``gold.facility_measures`` whose rows would come out differently now.

    A month whose facts changed is stale on all days that it has or had. For a changed dimension only the days of the
    providers concerned, inside the validity of the versions that differ, are.

    Args:
        lake: the lake.
        inputs: the current pins.
        months: only these; default all loaded ones.
    """
    memory = remembered(lake, FACILITY_MEASURES)
    loaded = inputs.facts.present | (lake.pin(FACILITY_MEASURES).present if months is None else frozenset())
    stale: set[date] = set()
    by_memory: dict[str, list[str]] = {}
    for month in sorted(loaded if months is None else loaded & set(months)):
        now, then = inputs.of_month(month), memory.get(month, "")
        if now == then:
            continue
        if not then or json.loads(then)["facts"] != json.loads(now)["facts"]:
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


def unparsed(lake: Lake, zone: RawZone) -> list[Delivery]:
    """Landed deliveries of modelled datasets that are not in bronze."""
    found = []
    for dataset, contract in BRONZE.items():
        parsed = remembered(lake, contract)
        found += [d for d in zone.deliveries(dataset) if d.delivery_id not in parsed]
    return found


def stale_quarters(lake: Lake, zone: RawZone, *, contested: bool = False) -> list[str]:
    """Quarters whose facts were not built, whole, from the delivery that counts now.

    Args:
        lake: the lake.
        zone: its raw zone.
        contested: only those that more than one delivery was landed for.
    """
    memory, rejected = remembered(lake, FCT_STAFFING_LEVELS), lake.pin(REJECTS).present
    landed = Counter(d.manifest.coverage.key for d in zone.deliveries("daily_nurse_staffing"))
    standings = {q: quarter_standings(lake, zone, q) for q, count in landed.items() if count > contested}
    return sorted(q for q, found in standings.items() if _is_behind(found, memory.get(q), rejected))


def stale_dimensions(lake: Lake, zone: RawZone) -> list[Contract]:
    """Dimensions that were not built from the deliveries that count now; the calendar if it is missing."""
    rejected = lake.pin(REJECTS).present
    found = [
        contract
        for dataset, contract in DIMENSIONS.items()
        if _is_behind(release_standings(lake, zone, dataset), remembered(lake, contract).get(WHOLE), rejected)
    ]
    return found if lake.pin(DIM_DATE).files else [*found, DIM_DATE]


def _is_behind(standings: list[Standing], memory: str | None, rejected: frozenset[str]) -> bool:
    """Whether something else was built than what counts, or a delivery that does not count still has rejects."""
    ids = effective(standings)
    left = {f"{s.delivery_id}.type" for s in standings if s.delivery_id not in ids} & rejected
    return bool(ids) and (memory != mark(ids) or bool(left))
