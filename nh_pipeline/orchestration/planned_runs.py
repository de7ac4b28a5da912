"""The plan as runs of Dagster: which job, over which partitions, for which assets. The same for ``nh`` and sensors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import dagster as dg

from nh_pipeline.contracts.bronze import BRONZE
from nh_pipeline.contracts.gold import FACILITY_MEASURES
from nh_pipeline.contracts.silver import FCT_STAFFING_LEVELS
from nh_pipeline.orchestration.events import asset_key
from nh_pipeline.orchestration.jobs import CLAIMS, DIMENSIONS, MEASURES, PROVIDERS, STAFFING
from nh_pipeline.periods import joined, month_bounds
from nh_pipeline.pipeline.build_state import NOT_BUILT
from nh_pipeline.pipeline.plan import LANDED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date

    from nh_pipeline.pipeline.plan import Build, Plan

_STAFFING = "daily_nurse_staffing"
_RELEASES = {"providers": PROVIDERS.name, "medicare_claims": CLAIMS.name}
RELEASE_DATASETS = tuple(_RELEASES)

PARTS = ("bronze", "dimensions", "facts", "gold")
"""Parts of a plan, in order: each is looked at when the ones before it are done."""


@dataclass(frozen=True)
class PlannedRun:
    """One run: a job, a range of partitions or none, the assets if not all of the job's, and why.

    ``raw`` names the datasets whose raw assets are in it: they take what has landed.
    """

    job: str
    start: date | None = None
    end: date | None = None
    assets: tuple[dg.AssetKey, ...] = ()
    raw: tuple[str, ...] = field(default=())
    reasons: tuple[str, ...] = field(default=(), compare=False)

    @property
    def title(self) -> str:
        """For people."""
        what = ", ".join(a.to_user_string() for a in self.assets) if self.assets else self.job
        return what if self.start is None or self.end is None else f"{what} {self.start} to {self.end}"

    @property
    def config(self) -> dict[str, object]:
        """Run config: what is to be landed has landed."""
        return {"ops": {f"raw__{d}": {"config": {"from_source": False}} for d in self.raw}} if self.raw else {}


def runs_of(plan: Plan, part: str) -> list[PlannedRun]:
    """The runs of one of the :data:`PARTS`."""
    return list({"bronze": _bronze, "dimensions": _dimensions, "facts": _facts, "gold": _gold}[part](plan))


def month_blocks(months: Iterable[str]) -> list[tuple[date, date]]:
    """Contiguous months (``2024-04``), by their first days: the keys of their partitions."""
    return [(first, last.replace(day=1)) for first, last in joined(map(month_bounds, months))]


def _bronze(plan: Plan) -> Iterator[PlannedRun]:
    for dataset, job in _RELEASES.items():
        builds = [b for b in plan.bronze if b.table is BRONZE[dataset]]
        for start, end in month_blocks({f"{b.start:%Y-%m}" for b in builds if b.start}):
            inside = _reasons(b for b in builds if b.start and start <= b.start.replace(day=1) <= end)
            yield PlannedRun(job, start, end, raw=(dataset,), reasons=inside)
    builds = [b for b in plan.bronze if b.table is BRONZE[_STAFFING]]
    assets = (dg.AssetKey(["raw", _STAFFING]), asset_key(BRONZE[_STAFFING]))
    for start, end in joined({(b.start, b.end) for b in builds if b.start and b.end}):
        inside = _reasons(b for b in builds if b.start and start <= b.start <= end)
        yield PlannedRun(STAFFING.name, start, end, assets, raw=(_STAFFING,), reasons=inside)


def _dimensions(plan: Plan) -> Iterator[PlannedRun]:
    if plan.dimensions:
        keys = tuple(asset_key(b.table) for b in plan.dimensions)
        yield PlannedRun(DIMENSIONS.name, assets=keys, reasons=_reasons(plan.dimensions))


def _facts(plan: Plan) -> Iterator[PlannedRun]:
    assets = (asset_key(FCT_STAFFING_LEVELS), asset_key(FACILITY_MEASURES))
    for start, end in joined({(b.start, b.end) for b in plan.facts if b.start and b.end}):
        inside = _reasons(b for b in plan.facts if b.start and start <= b.start <= end)
        yield PlannedRun(STAFFING.name, start, end, assets, reasons=inside)


def _gold(plan: Plan) -> Iterator[PlannedRun]:
    yield from (PlannedRun(MEASURES.name, b.start, b.end, reasons=(b.reason,)) for b in plan.gold)


def _reasons(builds: Iterable[Build]) -> tuple[str, ...]:
    """Why something is built again; that something new is built needs no words."""
    again = (b for b in builds if not b.reason.endswith((LANDED, NOT_BUILT)))
    return tuple(f"{b.table.name}: {b.reason}" if b.table.layout == "whole" else b.reason for b in again)
