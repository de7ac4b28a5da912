"""The plan: what is stale in the lake, why, and in which order it is built. Without Dagster, and without an engine.

The command line, the sensors, tests and benchmarks ask it. It reads manifests, notes, decisions and table metadata;
data only to find the days of a mart that a changed dimension concerns. What has been asked is kept in the process, with
a fingerprint of all that it depends on: to ask again while nothing has changed reads no data at all.

Order: bronze, then silver, of it the days last, then the marts. What a later part needs is not known before the parts
before it are built; so it is asked again after each.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import date
from itertools import chain
from typing import TYPE_CHECKING

from nh_pipeline import datasets
from nh_pipeline.datasets.headers import HeaderError
from nh_pipeline.lake.refusals import Refusal, Refusals, inputs_of
from nh_pipeline.model.kinds import Calendar, Daily, PerRelease
from nh_pipeline.model.table import REJECTS, WHOLE, Table
from nh_pipeline.periods import quarter_bounds
from nh_pipeline.pipeline import quality
from nh_pipeline.pipeline.bucket_staleness import stale_buckets
from nh_pipeline.pipeline.build_state import LANDED, NOT_BUILT, deliveries_of, of_deliveries, recorded_inputs, why_stale
from nh_pipeline.pipeline.chosen import partition_of
from nh_pipeline.pipeline.deliveries import Deliveries, look_at_all
from nh_pipeline.pipeline.exports import Exports
from nh_pipeline.pipeline.exports import look as look_at_exports
from nh_pipeline.pipeline.mart_staleness import Inputs, is_stale, stale_days
from nh_pipeline.pipeline.notes import DeliveryNote, Notes
from nh_pipeline.pipeline.recipe import code_version, judged_by, parse_recipe, recipe
from nh_pipeline.tables import gold, level, qualities, silver, tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.landing.manifest import Delivery
    from nh_pipeline.landing.zone import RawZone
    from nh_pipeline.model.mart import Mart
    from nh_pipeline.pipeline.guards import DeliveryStatus

_PLANS: dict[str, tuple[str, Plan]] = {}


@dataclass(frozen=True)
class Stale:
    """One thing to build.

    Attributes:
        partition: a delivery (bronze), a quarter or a release (silver), a range of days or a release (marts), or the
            whole table.
        reason: why it is stale, for people.
        start, end: first and last day concerned, if it has days.
    """

    table: Table
    partition: str
    reason: str
    start: date | None = None
    end: date | None = None

    @property
    def part(self) -> int:
        """Its place in the order: parts are built one after the other."""
        return part_of(self.table)


@dataclass(frozen=True)
class Plan:
    """What is stale, in the order in which it is to be built, and what needs a person.

    Attributes:
        builds: all that is stale as things are now; when one part is built, there may be more in those after it.
        refused: builds that the gate refused, and would refuse again.
        deliveries: of every dataset with tables.
        drift: per dataset, what is odd about the headers of deliveries that count, or about attributes of their items.
    """

    builds: tuple[Stale, ...]
    refused: tuple[Refusal, ...]
    deliveries: dict[str, tuple[DeliveryStatus, ...]]
    drift: dict[str, tuple[str, ...]]

    def part(self, number: int) -> tuple[Stale, ...]:
        """What is stale of one part."""
        return tuple(b for b in self.builds if b.part == number)

    def within(self, start: date | None, end: date | None) -> Plan:
        """What is stale of some days alone: whole parts that touch them."""
        first, last = start or date.min, end or date.max
        inside = (b for b in self.builds if b.start and b.end and b.start <= last and first <= b.end)
        return replace(self, builds=tuple(inside))

    @property
    def not_counting(self) -> list[DeliveryStatus]:
        """Deliveries that a person should know of: held, refused, not in bronze, or withdrawn."""
        found = chain.from_iterable(self.deliveries.values())
        return [s for s in found if s.state not in ("effective", "superseded")]


def part_of(table: Table) -> int:
    """The place of a table in the order: bronze, silver but for the days, the days, then marts by their level."""
    number = level(table)
    return 2 * number - 1 + isinstance(table.kind, Daily) if number else 0


def parts() -> list[int]:
    return sorted({part_of(table) for table in tables()})


def plan(lake: Lake, zone: RawZone) -> Plan:
    """What is stale, and why."""
    loaded = quality.load(lake)
    mark, known = fingerprint(lake, loaded), _PLANS.get(lake.storage.root)
    if known is None or known[0] != mark:
        known = (mark, _planned(lake.with_loaded(loaded), zone, loaded))
        _PLANS[lake.storage.root] = known
    return known[1]


def fingerprint(lake: Lake, loaded: quality.Loaded | None = None) -> str:
    """Changes whenever anything does that a plan depends on: what has landed, what was decided, tables, recipes.

    ``loaded`` are the tables, if the caller has them.
    """
    digest, loaded = hashlib.sha256(), loaded or quality.load(lake)
    for table in tables():
        found = loaded[table.name]
        digest.update(f"{table.name} {found.metadata_location if found else ''} {code_version(table)}\n".encode())
    for folder, suffix in (("raw", ".json"), ("state", ".json")):
        for path, stamp in lake.storage.stamps(folder, suffix=suffix).items():
            digest.update(f"{path} {stamp}\n".encode())
    return digest.hexdigest()


def unparsed(lake: Lake, found: Deliveries, refusals: Iterable[Refusal]) -> list[tuple[Delivery, str]]:
    """Landed deliveries that are not in bronze as they would be read now, and why they are to be read."""
    dataset, stale = found.dataset, []
    state, rules = recorded_inputs(lake, dataset.bronze), judged_by(dataset)
    refused = inputs_of(refusals, dataset.bronze.name)
    older = any(not delivery.manifest.header for delivery in found.landed)  # only the note tells their header
    notes = Notes(lake.storage).of(dataset.name) if older else {}
    for delivery in found.landed:
        i = delivery.delivery_id
        header = delivery.manifest.header or (notes[i].header if i in notes else None)
        try:
            wanted = parse_recipe(dataset.name, header) if header else ""
        except HeaderError:  # its header is no known one any more: it stays as it was parsed
            wanted = state.get(i, "")
        reason = _why_parse(state.get(i), found.notes.get(i), wanted, rules)
        if reason and not (wanted and refused.get(i) == wanted):
            stale.append((delivery, reason))
    return stale


def _planned(lake: Lake, zone: RawZone, loaded: quality.Loaded) -> Plan:
    found, refusals = look_at_all(lake, zone), Refusals(lake.storage).all()
    rejected = lake.snapshot(REJECTS).present
    builds = [build for deliveries in found.values() for build in _bronze(lake, deliveries, refusals)]
    exports = {export.name: look_at_exports(lake, zone, export) for export in datasets.exports()}
    builds += [build for of_export in exports.values() for build in _exports(of_export)]
    for table in silver():
        builds += _silver(lake, table, found.get(table.dataset), rejected, inputs_of(refusals, table.name))
    for table in gold():
        builds += _mart(lake, table.kind, inputs_of(refusals, table.name))
    seen: dict[str, list[Deliveries | Exports]] = {}
    for deliveries in found.values():
        seen.setdefault(deliveries.dataset.domain, []).append(deliveries)
    for of_export in exports.values():
        seen.setdefault(of_export.export.domain, []).append(of_export)
    for table in qualities():
        if quality.is_stale(table, loaded, seen.get(table.kind.domain, []), refusals):
            there = bool(quality.recorded(table, loaded))
            builds.append(Stale(table, WHOLE, "what it tells of has changed" if there else NOT_BUILT))
    return Plan(
        builds=tuple(sorted(builds, key=lambda b: b.part)),
        refused=tuple(refusals),
        deliveries={name: seen.statuses for each in (found, exports) for name, seen in each.items()},
        drift={name: seen.drift for each in (found, exports) for name, seen in each.items()},
    )


def _bronze(lake: Lake, found: Deliveries, refusals: Iterable[Refusal]) -> Iterator[Stale]:
    for delivery, reason in unparsed(lake, found, refusals):
        manifest = delivery.manifest
        told = f"{manifest.name} ({manifest.coverage.key}) {reason}"
        yield Stale(found.dataset.bronze, delivery.delivery_id, told, manifest.coverage.start, manifest.coverage.end)


def _exports(found: Exports) -> Iterator[Stale]:
    """The days of which a delivery is to be read, or to be taken away."""
    for day in sorted({day for d in found.landed if (day := d.manifest.coverage.start)}):
        told = [found.stale[i] for d in found.of_day(day) if (i := d.delivery_id) in found.stale]
        if told:
            several = f"{len(told)} deliveries, such as " if len(told) > 1 else ""
            yield Stale(found.export.leading, f"{day}", f"{several}{told[0]}", day, day)


def _why_parse(state: str | None, note: DeliveryNote | None, wanted: str, rules: str) -> str:
    if note is None or state is None:
        return LANDED if state is None else "was parsed by an older version"
    if wanted and not state == note.parsed == wanted:
        return "has columns that are read otherwise now"
    return "was judged by other rules than those of now" if note.inspected != rules else ""


def _silver(
    lake: Lake, table: Table, found: Deliveries | None, rejected: frozenset[str], refused: Mapping[str, str]
) -> Iterator[Stale]:
    state, made_by = recorded_inputs(lake, table), recipe(table)
    if found is None or isinstance(table.kind, Calendar):
        there, now = bool(lake.snapshot(table).files), of_deliveries(made_by, {})
        if not there or state.get(WHOLE) != now:
            yield Stale(table, WHOLE, why_stale(state.get(WHOLE), now, {}) if there else NOT_BUILT)
        return
    apart = isinstance(table.kind, (Daily, PerRelease))
    for coverage, part in (found.by_coverage if apart else {WHOLE: found}).items():
        name = partition_of(table, coverage)
        reason = _why_build(table, part, state.get(name), refused.get(name), rejected, made_by=made_by)
        if not reason:
            continue
        if isinstance(table.kind, Daily):
            yield Stale(table, coverage, reason, *quarter_bounds(coverage))
        else:
            days = next((d.manifest.coverage for d in part.landed if d.manifest.coverage.key == coverage), None)
            start, end = (days.start, days.end) if days else (None, None)
            yield Stale(table, coverage, reason, start, end)


def _why_build(
    table: Table,
    found: Deliveries,
    state: str | None,
    refused: str | None,
    rejected: frozenset[str],
    *,
    made_by: str,
) -> str:
    """Why a partition is stale; empty if it is not, if nothing counts, or if the gate would refuse it again."""
    now = of_deliveries(made_by, {i: found.notes[i].parsed for i in found.effective})
    before = deliveries_of(state)
    if (not found.effective and not (before and before.keys() <= found.withdrawn)) or refused == now:
        return ""
    if state != now:
        return why_stale(state, now, found.names)
    left = [n for i, n in found.names.items() if i not in found.effective and f"{i}.{table.short}" in rejected]
    return f"rejects of {', '.join(left)}, which does not count, are still there" if left else ""


def _mart(lake: Lake, mart: Mart, refused: Mapping[str, str]) -> Iterator[Stale]:
    inputs, built = Inputs.current(lake, mart), recorded_inputs(lake, mart.table)
    reason = "what it is made of, or the recipe, has changed" if built else NOT_BUILT
    if not mart.cut_by:
        if is_stale(lake, inputs, refused):
            yield Stale(mart.table, WHOLE, reason)
        return
    if mart.bucket:
        if stale := stale_buckets(lake, inputs, refused):
            told = f"{reason}, for {len(stale)} of {len(inputs.parts)} parts of the patients" if built else reason
            yield Stale(mart.table, WHOLE, told)
        return
    for start, end in stale_days(lake, inputs, refused=refused):
        part, these = (f"{start}", "this release") if mart.release else (f"{start}..{end}", "these days")
        yield Stale(mart.table, part, f"{reason}, for {these}" if built else reason, start, end)
