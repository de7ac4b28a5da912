"""The plan as runs of Dagster: which job, over which partitions, for which assets. The same for ``nh`` and sensors."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING

from nh_pipeline import datasets
from nh_pipeline.domains import PROTECTED, domain_of
from nh_pipeline.model.kinds import Bronze, Daily
from nh_pipeline.model.mart import Mart
from nh_pipeline.model.quality import Quality
from nh_pipeline.model.view import Exported
from nh_pipeline.orchestration.assets import raw_key
from nh_pipeline.orchestration.jobs import (
    DIMENSIONS,
    MARTS,
    QUALITY,
    RELEASE_MARTS,
    RELEASED,
    UNDATED,
    WHOLE_MARTS,
    delivery_job,
    of_delivery,
    whole_tables,
)
from nh_pipeline.orchestration.partitions import RELEASES, WORK_DATES, partitions_of, range_tags
from nh_pipeline.orchestration.parts import asset_key
from nh_pipeline.periods import by_years, month_bounds, months
from nh_pipeline.pipeline.build_state import LANDED, NOT_BUILT
from nh_pipeline.tables import dataset_of, gold

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import date

    import dagster as dg

    from nh_pipeline.model.table import Table
    from nh_pipeline.pipeline.plan import Plan, Stale


_MARTS: Mapping[object, str] = {WORK_DATES: MARTS, RELEASES: RELEASE_MARTS, None: WHOLE_MARTS}
_SHARED: Mapping[object, str] = {RELEASES: RELEASED, None: UNDATED}
"""Jobs by the partitions of what they build: of marts, and of several files."""


PROGRESS = "nh/progress"
"""Tag of runs that were planned together."""

_SHOWN = 3


@dataclass(frozen=True)
class PlannedRun:
    """One run: a job, a range of partitions or none, the assets if not all of the job's, and why.

    A range is at most about a year long, so that little is lost with a run, and people see how far a history is.

    ``raw`` names the datasets whose raw assets are in it: they take what has landed. ``shared`` is the job in which it
    is one run with others over the same days. ``progress`` says how many runs were planned with it, and how far they
    were.
    """

    job: str
    start: date | None = None
    end: date | None = None
    assets: tuple[dg.AssetKey, ...] = ()
    raw: tuple[str, ...] = ()
    reasons: tuple[str, ...] = field(default=(), compare=False)
    shared: str = field(default="", compare=False)
    progress: str = field(default="", compare=False)

    @property
    def title(self) -> str:
        """For people: at most three of many assets by name."""
        names = [a.to_user_string() for a in self.assets] or [self.job]
        if len(names) > _SHOWN:
            names = [name for name in names if not name.startswith("raw/")]
        more = len(names) - _SHOWN
        what = f"{', '.join(names[:_SHOWN])} and {more} more" if more > 1 else ", ".join(names)
        return what if self.start is None or self.end is None else f"{what} {self.start} to {self.end}"

    @property
    def key(self) -> str:
        """The title, with something that tells it from others that begin alike."""
        names = " ".join(a.to_user_string() for a in self.assets)
        return f"{self.title} {hashlib.sha256(names.encode()).hexdigest()[:8]}"

    @property
    def tags(self) -> dict[str, str]:
        """Of the run: its range of partitions, and its progress, which the UI then shows."""
        told = {PROGRESS: self.progress} if self.progress else {}
        return {**(range_tags(self.start, self.end) if self.start and self.end else {}), **told}

    @property
    def partitions(self) -> int:
        """How many it builds: months of a range, else one."""
        return len(months(self.start, self.end)) if self.start and self.end else 1

    @property
    def config(self) -> dict[str, object]:
        """Run config: what is to be landed has landed."""
        return {"ops": {f"raw__{d}": {"config": {"from_source": False}} for d in self.raw}} if self.raw else {}


def runs_of(plan: Plan, part: int) -> list[PlannedRun]:
    """The runs of one part of a plan (:func:`nh_pipeline.pipeline.plan.parts`)."""
    stale = plan.part(part)
    runs: list[PlannedRun] = []
    # In the job of all tables that are built whole; those of undated files come with their delivery.
    whole = [b for b in stale if partitions_of(b.table) is None and asset_key(b.table) in whole_tables()]
    if whole:
        keys = tuple(dict.fromkeys(asset_key(b.table) for b in whole))
        runs.append(PlannedRun(DIMENSIONS, assets=keys, reasons=_reasons(whole)))
    exported = [b for b in stale if isinstance(b.table.kind, Exported)]
    runs += _exported(exported)
    protected = [b for b in stale if isinstance(b.table.kind, Mart) and domain_of(b.table.database) in PROTECTED]
    for domain in PROTECTED:
        runs += _of_domain(domain, [b for b in protected if domain_of(b.table.database) == domain])
    others = (b for b in stale if not any(b in those for those in (whole, exported, protected)))
    for _, group in groupby(others, key=lambda b: b.table.name):
        found = list(group)
        runs += _runs(found[0].table, found)
    return numbered(together(runs))


def numbered(runs: Iterable[PlannedRun]) -> list[PlannedRun]:
    """Each of several runs with its place among them."""
    found = list(runs)
    told = ("" if len(found) == 1 else f"run {n} of {len(found)}" for n in range(1, len(found) + 1))
    return [replace(run, progress=progress) for run, progress in zip(found, told, strict=True)]


def month_blocks(named: Iterable[str]) -> list[tuple[date, date]]:
    """Contiguous months (``2024-04``), by their first days: the keys of their partitions."""
    return [(first, last.replace(day=1)) for first, last in by_years(map(month_bounds, named))]


def follows(table: Table) -> tuple[Table, ...]:
    """The table, and the marts that are built in the same run: they have its days, and read it.

    Not those that read a mart of other parts as well: it may have to be built before.
    """
    found = [table]
    for mart in gold():
        first, *others = mart.kind.inputs
        later = any(isinstance(other.kind, Mart) and other not in found for other in others)
        if partitions_of(mart) is WORK_DATES and first in found and not later:
            found.append(mart)
    return tuple(found)


def _exported(stale: Sequence[Stale]) -> Iterator[PlannedRun]:
    """Runs of exports, by their days."""
    for export in datasets.exports():
        found = [b for b in stale if b.table is export.leading]
        for start, end in by_years((b.start, b.end) for b in found if b.start and b.end):
            inside = _reasons(b for b in found if b.start and start <= b.start <= end)
            yield PlannedRun(delivery_job(export.name), start, end, raw=(export.name,), reasons=inside)


def _of_domain(domain: str, stale: Sequence[Stale]) -> Iterator[PlannedRun]:
    """One run of the marts of a domain that are stale, and of all that is made of them there."""
    built = {b.table.name for b in stale}
    for mart in (t for t in gold() if domain_of(t.database) == domain):
        built |= {mart.name} if built & {source.name for source in mart.kind.inputs} else set()
    if built:
        keys = tuple(asset_key(t) for t in gold() if t.name in built)
        yield PlannedRun(domain, assets=keys, reasons=_reasons(stale))


def _runs(table: Table, stale: Sequence[Stale]) -> Iterator[PlannedRun]:
    partitions, dataset = partitions_of(table), dataset_of(table)
    is_bronze, is_mart = isinstance(table.kind, Bronze), isinstance(table.kind, Mart)
    job, shared = delivery_job(dataset), _SHARED.get(partitions, "")
    if is_mart:
        job = shared = _MARTS[partitions]
    elif isinstance(table.kind, Quality):
        job = shared = QUALITY
    assets: tuple[dg.AssetKey, ...] = (asset_key(table),)
    if is_bronze:
        assets = (raw_key(dataset), *assets)
    elif isinstance(table.kind, Daily):
        assets = tuple(map(asset_key, follows(table)))
    raw = (dataset,) if is_bronze else ()
    if dataset and not is_mart and set(assets) == set(of_delivery(dataset)):
        assets = ()  # all of the job's
    if partitions is None:
        yield PlannedRun(job, assets=assets, raw=raw, reasons=_reasons(stale), shared=shared)
    elif partitions == RELEASES:
        for start, end in month_blocks({f"{b.start:%Y-%m}" for b in stale if b.start}):
            inside = _reasons(b for b in stale if b.start and start <= b.start.replace(day=1) <= end)
            yield PlannedRun(job, start, end, assets, raw, inside, shared)
    else:
        for start, end in by_years({(b.start, b.end) for b in stale if b.start and b.end}):
            inside = _reasons(b for b in stale if b.start and start <= b.start <= end)
            yield PlannedRun(job, start, end, assets, raw, inside, shared)


def together(runs: Sequence[PlannedRun]) -> Iterator[PlannedRun]:
    """Runs of the same job over the same days as one, so that few are started for many tables."""
    found: dict[tuple[object, ...], list[PlannedRun]] = {}
    for run in runs:
        found.setdefault((run.shared, run.start, run.end) if run.shared else (run,), []).append(run)
    for same in found.values():
        first, *others = same
        if others:
            names = ("assets", "raw", "reasons")
            assets, raw, reasons = (tuple(dict.fromkeys(x for run in same for x in getattr(run, n))) for n in names)
            yield PlannedRun(first.shared, first.start, first.end, assets, raw, reasons)
        else:
            yield first


def _reasons(builds: Iterable[Stale]) -> tuple[str, ...]:
    """Why something is built again; that something new is built needs no words."""
    again = (b for b in builds if not b.reason.endswith((LANDED, NOT_BUILT)))
    named = (("" if isinstance(b.table.kind, (Bronze, Mart)) else f"{b.table.name}: ") + b.reason for b in again)
    return tuple(dict.fromkeys(named))
