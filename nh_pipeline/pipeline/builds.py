"""What is built for a table and a range of days: one build for each part that is committed by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nh_pipeline.landing.selection import covers
from nh_pipeline.model.kinds import Bronze, Calendar, Daily, PerRelease, Scd2
from nh_pipeline.model.mart import Mart
from nh_pipeline.model.quality import Quality
from nh_pipeline.periods import quarters
from nh_pipeline.pipeline.bronze import ParseDelivery
from nh_pipeline.pipeline.calendar import BuildCalendar
from nh_pipeline.pipeline.daily import BuildDays
from nh_pipeline.pipeline.deliveries import Deliveries, NothingDelivered
from nh_pipeline.pipeline.mart import BuildMart
from nh_pipeline.pipeline.per_release import BuildRelease
from nh_pipeline.pipeline.quality import BuildQuality
from nh_pipeline.pipeline.scd2 import BuildHistory

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from nh_pipeline.landing.manifest import Delivery
    from nh_pipeline.model.table import Table
    from nh_pipeline.pipeline.remote_request import Build


@dataclass(frozen=True)
class Part:
    """What is committed by itself: a quarter, a release, a delivery, or, without days, a table that has no partitions.

    Attributes:
        start: first partition that it is (part) of, by its first day.
        end: last day that it covers.
    """

    name: str
    start: date | None = None
    end: date | None = None


def builds(table: Table, found: Deliveries | None, date_range: tuple[date, date] | None) -> list[tuple[Part, Build]]:
    """The builds of a table, in order; last those of parts that no delivery counts for, as they fail.

    Raises:
        NothingDelivered: no delivery has anything for these days.
    """
    kind = table.kind
    if isinstance(kind, Bronze) and found is not None:
        landed = [d for d in found.landed if covers(d.manifest.coverage, date_range)]
        return [(_delivery(d), ParseDelivery(dataset=table.dataset, delivery=d.delivery_id)) for d in landed]
    if isinstance(kind, PerRelease) and found is not None:
        return _releases(table, found, date_range)
    if isinstance(kind, Daily) and found is not None:
        counting = {s.coverage for s in found.statuses if s.state == "effective"}
        spans = sorted(_quarters(table, date_range), key=lambda span: span[0] not in counting)
        return [(Part(*s), BuildDays(table=table.name, coverage=s[0], start=s[1], end=s[2])) for s in spans]
    if isinstance(kind, Mart) and kind.cut_by and not kind.bucket:
        spans = _quarters(table, date_range)
        return [(Part(*s), BuildMart(table=table.name, start=s[1], end=s[2])) for s in spans]
    whole: dict[type, type[BuildHistory | BuildCalendar | BuildMart | BuildQuality]] = {
        Scd2: BuildHistory,
        Calendar: BuildCalendar,
        Mart: BuildMart,
        Quality: BuildQuality,
    }
    return [(Part(table.name), whole[type(kind)](table=table.name))]


def _quarters(table: Table, date_range: tuple[date, date] | None) -> list[tuple[str, date, date]]:
    if date_range is None:
        raise ValueError(f"{table.name} is built for days: expected a range, found none")
    return quarters(*date_range)


def _delivery(delivery: Delivery) -> Part:
    coverage = delivery.manifest.coverage
    # The partitions of releases are months, by their first days.
    start = coverage.start.replace(day=1) if coverage.kind == "release" and coverage.start else coverage.start
    return Part(delivery.manifest.name, start, coverage.end)


def _releases(table: Table, found: Deliveries, date_range: tuple[date, date] | None) -> list[tuple[Part, Build]]:
    days = {d.manifest.coverage.key: d.manifest.coverage for d in found.landed}
    inside: Sequence[str] = [key for key in found.by_coverage if covers(days[key], date_range)]
    if not inside:
        told = f" covers anything from {date_range[0]} to {date_range[1]}" if date_range else " has landed"
        raise NothingDelivered(f"no delivery of {found.dataset.title}{told}")
    counts = {key: bool(part.effective) for key, part in found.by_coverage.items()}
    made: list[tuple[Part, Build]] = []
    for key in sorted(inside, key=lambda key: not counts[key]):
        start = days[key].start
        part = Part(key, start.replace(day=1) if start else None, days[key].end) if date_range else Part(key)
        made.append((part, BuildRelease(table=table.name, coverage=key)))
    return made
