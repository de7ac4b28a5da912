"""The plan: what is stale in the lake, why, and in which order it is built. Without Dagster, and without an engine.

The command line, the sensors, tests and benchmarks ask it. It reads manifests, notes, decisions and table metadata;
data only to find the days of gold that a changed dimension concerns. What has been asked is kept in the process, with
a fingerprint of all that it depends on: to ask again while nothing has changed reads no data at all.

Order: bronze, then the dimensions and the facts, then gold. What a later part needs is not known before the parts
before it are built; so it is asked again after each.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from nh_pipeline.contracts import ALL
from nh_pipeline.contracts.bronze import BRONZE, REJECTS
from nh_pipeline.contracts.gold import FACILITY_MEASURES
from nh_pipeline.contracts.raw import HeaderError
from nh_pipeline.contracts.silver import DIM_DATE, FCT_STAFFING_LEVELS
from nh_pipeline.lake.lake import WHOLE
from nh_pipeline.lake.refusals import Refusals
from nh_pipeline.landing.confirmations import withdrawn
from nh_pipeline.periods import joined, quarter_bounds
from nh_pipeline.pipeline.behind import GoldInputs, stale_days
from nh_pipeline.pipeline.build_state import NOT_BUILT, deliveries_of, of_deliveries, remembered, why_stale
from nh_pipeline.pipeline.deliveries import DIMENSIONS, SILVER, STAFFING, drift, parsed, standings
from nh_pipeline.pipeline.guards import effective
from nh_pipeline.pipeline.notes import Notes
from nh_pipeline.pipeline.recipe import code_version, parse_recipe, recipe

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from nh_pipeline.contracts.base import Contract
    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.lake.refusals import Refusal
    from nh_pipeline.landing.manifest import Delivery
    from nh_pipeline.landing.zone import RawZone
    from nh_pipeline.pipeline.guards import Standing
    from nh_pipeline.pipeline.notes import DeliveryNote

LANDED = "has landed and is not in bronze yet"

_PLANS: dict[str, tuple[str, Plan]] = {}


@dataclass(frozen=True)
class Build:
    """One thing to build.

    Attributes:
        table: its contract.
        slice: a delivery (bronze), a quarter (facts), a range of days (gold), or the whole table.
        reason: why it is stale, for people.
        start: first day concerned, if it has days.
        end: the last one.
    """

    table: Contract
    slice: str
    reason: str
    start: date | None = None
    end: date | None = None


@dataclass(frozen=True)
class Plan:
    """What is stale, in the order in which it is to be built, and what needs a person.

    Attributes:
        bronze: deliveries to parse, or to judge anew.
        dimensions: dimensions and calendar.
        facts: quarters.
        gold: ranges of days, as facts and dimensions are now; when those are built, there may be others.
        refused: builds that the gate refused, and would refuse again.
        standings: of all deliveries of modelled datasets.
        drift: per dataset, what is odd about the headers of deliveries that count.
    """

    bronze: tuple[Build, ...]
    dimensions: tuple[Build, ...]
    facts: tuple[Build, ...]
    gold: tuple[Build, ...]
    refused: tuple[Refusal, ...]
    standings: dict[str, tuple[Standing, ...]]
    drift: dict[str, tuple[str, ...]]

    @property
    def builds(self) -> tuple[Build, ...]:
        """All that is stale."""
        return (*self.bronze, *self.dimensions, *self.facts, *self.gold)

    @property
    def not_counting(self) -> list[Standing]:
        """Deliveries that a person should know of: held, refused, not in bronze, or withdrawn."""
        found = chain.from_iterable(self.standings.values())
        return [s for s in found if s.state not in ("effective", "superseded")]


def plan(lake: Lake, zone: RawZone) -> Plan:
    """What is stale, and why."""
    mark, known = fingerprint(lake), _PLANS.get(lake.storage.root)
    if known is None or known[0] != mark:
        known = (mark, _planned(lake, zone))
        _PLANS[lake.storage.root] = known
    return known[1]


def fingerprint(lake: Lake) -> str:
    """Changes whenever anything does that a plan depends on: what has landed, what was decided, tables, recipes."""
    digest = hashlib.sha256()
    for contract in ALL:
        table = lake.load(contract)
        digest.update(f"{contract.name} {table.metadata_location if table else ''} {code_version(contract)}\n".encode())
    for folder, suffix in (("raw", "/manifest.json"), ("state", ".json")):
        for path, stamp in lake.storage.stamps(folder, suffix=suffix).items():
            digest.update(f"{path} {stamp}\n".encode())
    return digest.hexdigest()


def unparsed(lake: Lake, zone: RawZone) -> list[Delivery]:
    """Landed deliveries of modelled datasets that are not in bronze as they would be read now."""
    return [delivery for delivery, _ in _stale_bronze(lake, zone)]


def stale_quarters(lake: Lake, zone: RawZone) -> list[str]:
    """Quarters whose facts were not built, whole, from the delivery that counts now, by the recipe of now."""
    return [build.slice for build in _stale_facts(lake, standings(lake, zone, STAFFING))]


def stale_dimensions(lake: Lake, zone: RawZone) -> list[Contract]:
    """Dimensions that were not built from the deliveries that count now; the calendar if it is missing."""
    found = {dataset: standings(lake, zone, dataset) for dataset in DIMENSIONS}
    return [build.table for build in _stale_dimensions(lake, found)]


def _planned(lake: Lake, zone: RawZone) -> Plan:
    found = {dataset: standings(lake, zone, dataset) for dataset in SILVER}
    bronze = [_parse(delivery, reason) for delivery, reason in _stale_bronze(lake, zone)]
    return Plan(
        bronze=tuple(bronze),
        dimensions=tuple(_stale_dimensions(lake, found)),
        facts=tuple(_stale_facts(lake, found[STAFFING])),
        gold=tuple(_stale_gold(lake)),
        refused=tuple(Refusals(lake.storage).all()),
        standings={dataset: tuple(told) for dataset, told in found.items()},
        drift={dataset: tuple(drift(dataset, told, parsed(lake, dataset))) for dataset, told in found.items()},
    )


def _parse(delivery: Delivery, reason: str) -> Build:
    manifest = delivery.manifest
    contract = BRONZE[manifest.dataset]
    told = f"{manifest.name} ({manifest.coverage.key}) {reason}"
    return Build(contract, delivery.delivery_id, told, manifest.coverage.start, manifest.coverage.end)


def _stale_bronze(lake: Lake, zone: RawZone) -> list[tuple[Delivery, str]]:
    stale = []
    for dataset, contract in BRONZE.items():
        memory, notes, here = remembered(lake, contract), Notes(lake.storage).of(dataset), parsed(lake, dataset)
        refused = {r.slice: r.built_from for r in Refusals(lake.storage).all(contract.name)}
        judged_by = recipe(SILVER[dataset])
        for delivery in zone.deliveries(dataset):
            i = delivery.delivery_id
            header = delivery.manifest.header or (notes[i].header if i in notes else None)
            try:
                wanted = parse_recipe(dataset, header) if header else ""
            except HeaderError:  # its layout is no known one any more: it stays as it was parsed
                wanted = memory.get(i, "")
            reason = _why_parse(memory.get(i), here.get(i), wanted, judged_by)
            if reason and not (wanted and refused.get(i) == wanted):
                stale.append((delivery, reason))
    return stale


def _why_parse(memory: str | None, note: DeliveryNote | None, wanted: str, judged_by: str) -> str:
    if note is None or memory is None:
        return LANDED if memory is None else "was parsed by an older version"
    if wanted and not memory == note.parsed == wanted:
        return "has columns that are read otherwise now"
    return "was judged by other rules than those of now" if note.inspected != judged_by else ""


def _stale_facts(lake: Lake, found: Sequence[Standing]) -> list[Build]:
    by_quarter: dict[str, list[Standing]] = {}
    for standing in found:
        by_quarter.setdefault(standing.coverage, []).append(standing)
    memory, look = remembered(lake, FCT_STAFFING_LEVELS), _Looking(lake, FCT_STAFFING_LEVELS, STAFFING)
    stale = ((q, look.reason(q, told, memory.get(q))) for q, told in sorted(by_quarter.items()))
    return [Build(FCT_STAFFING_LEVELS, q, reason, *quarter_bounds(q)) for q, reason in stale if reason]


def _stale_dimensions(lake: Lake, found: dict[str, list[Standing]]) -> list[Build]:
    stale = []
    for dataset, contract in DIMENSIONS.items():
        reason = _Looking(lake, contract, dataset).reason(WHOLE, found[dataset], remembered(lake, contract).get(WHOLE))
        if reason:
            stale.append(Build(contract, WHOLE, reason))
    calendar, there = remembered(lake, DIM_DATE).get(WHOLE), bool(lake.pin(DIM_DATE).files)
    now = of_deliveries(recipe(DIM_DATE), {})
    if not there or calendar != now:
        stale.append(Build(DIM_DATE, WHOLE, why_stale(calendar, now, {}) if there else NOT_BUILT))
    return stale


def _stale_gold(lake: Lake) -> list[Build]:
    days = stale_days(lake, GoldInputs.current(lake), passing=True)
    reason = "facts, dimensions or the recipe have changed for these days"
    windows = joined((day, day) for day in days)
    return [Build(FACILITY_MEASURES, f"{a}..{b}", reason, a, b) for a, b in windows]


class _Looking:
    """Compares what a table's slices were built from with what they would be built from now."""

    def __init__(self, lake: Lake, contract: Contract, dataset: str) -> None:
        self._noted = parsed(lake, dataset)
        self._recipe = recipe(contract)
        self._withdrawn = withdrawn(lake.storage).keys()
        self._rejected = lake.pin(REJECTS).present
        self._refused = {r.slice: r.built_from for r in Refusals(lake.storage).all(contract.name)}

    def reason(self, name: str, found: Iterable[Standing], memory: str | None) -> str:
        """Why a slice is stale; empty if it is not, if nothing counts, or if the gate would refuse it again."""
        names = {s.delivery_id: s.name for s in found}
        ids = effective(found)
        now = of_deliveries(self._recipe, {i: self._noted[i].parsed for i in ids})
        before = deliveries_of(memory)
        if (not ids and not (before and before.keys() <= self._withdrawn)) or self._refused.get(name) == now:
            return ""
        if memory != now:
            return why_stale(memory, now, names)
        left = [n for i, n in names.items() if i not in ids and f"{i}.type" in self._rejected]
        return f"rejects of {', '.join(left)}, which does not count, are still there" if left else ""
