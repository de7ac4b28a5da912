"""Runs from the command line: through Dagster's own machinery, in this process, on the persistent instance.

So the Dagster UI shows them like any other run. What to run is decided here from what is behind in the lake, in
the order that mixed partitions ask for: releases, dimensions, the daily chain, gold.
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import dagster as dg

from nh_pipeline.automation.jobs import CLAIMS, DIMENSIONS, MEASURES, PROVIDERS, STAFFING
from nh_pipeline.definitions import build_defs
from nh_pipeline.lake.lake import Lake
from nh_pipeline.landing.zone import RawZone
from nh_pipeline.partitions import RELEASES, WORK_DATES, range_tags
from nh_pipeline.periods import FIRST_WORK_DATE, month_bounds, quarter_bounds
from nh_pipeline.steps.behind import GoldInputs, blocks, stale_days, stale_dimensions, stale_quarters, unparsed

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator, Sequence

    from nh_pipeline.settings import Settings

_INSTANCE_CONFIG = """\
# Local Dagster instance of nh: runs, events and sensors in SQLite below this folder.
telemetry:
  enabled: false
"""
_RELEASE_JOBS = {"providers": PROVIDERS.name, "medicare_claims": CLAIMS.name}
_DIMENSION_KEYS = {
    "providers": dg.AssetKey(["silver", "dim_providers"]),
    "medicare_claims": dg.AssetKey(["silver", "dim_claims"]),
}


@dataclass(frozen=True)
class PlannedRun:
    """One run: a job, a range of partitions or none, and the assets if not all of the job's."""

    job: str
    start: date | None = None
    end: date | None = None
    assets: tuple[dg.AssetKey, ...] = ()
    raw: tuple[str, ...] = field(default=())

    @property
    def title(self) -> str:
        """For people."""
        what = ", ".join(a.to_user_string() for a in self.assets) if self.assets else self.job
        return what if self.start is None or self.end is None else f"{what} {self.start} to {self.end}"


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """The persistent local instance below the lake's home, made on first use."""
    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    config = home / "dagster.yaml"
    if not config.exists():
        config.write_text(_INSTANCE_CONFIG)
    return dg.DagsterInstance.from_config(str(home))


def behind(settings: Settings) -> Iterator[PlannedRun]:
    """Everything that the lake is behind of, as runs; each is computed when the ones before it are done."""
    lake = Lake(settings.home, settings.catalog_properties)
    zone = RawZone(lake.storage)
    fresh = unparsed(lake, zone)
    for dataset, job in _RELEASE_JOBS.items():
        months = {
            d.manifest.coverage.start.replace(day=1) for d in fresh if _of(d, dataset) and d.manifest.coverage.start
        }
        for start, end in _month_blocks(sorted(months)):
            yield PlannedRun(job, start, end, raw=(dataset,))
    dimensions = [_DIMENSION_KEYS[d] for d in stale_dimensions(lake, zone)]
    if not lake.catalog.table_exists("silver.dim_date"):
        dimensions.append(dg.AssetKey(["silver", "dim_date"]))
    if dimensions:
        yield PlannedRun(DIMENSIONS.name, assets=tuple(dimensions))
    quarters = {d.manifest.coverage.key for d in fresh if _of(d, "daily_nurse_staffing")} | set(
        stale_quarters(lake, zone)
    )
    for start, end in _span(sorted(quarters)):
        yield PlannedRun(STAFFING.name, start, end, raw=("daily_nurse_staffing",))
    for start, end in blocks(stale_days(lake, GoldInputs.current(lake))):
        yield PlannedRun(MEASURES.name, start, end)


def _of(delivery: Any, dataset: str) -> bool:
    return bool(delivery.manifest.dataset == dataset)


def _month_blocks(months: Sequence[date]) -> list[tuple[date, date]]:
    """Contiguous months, by their first days."""
    found: list[tuple[date, date]] = []
    for month in months:
        if found and _following(found[-1][1]) == month:
            found[-1] = (found[-1][0], month)
        else:
            found.append((month, month))
    return found


def _following(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def _span(quarters: Sequence[str]) -> list[tuple[date, date]]:
    """Contiguous quarters, by their first and last days."""
    days = [quarter_bounds(q) for q in quarters]
    found: list[tuple[date, date]] = []
    for start, end in days:
        if found and (start - found[-1][1]).days == 1:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found


def selected(settings: Settings, patterns: Sequence[str], start: date | None, end: date | None) -> list[PlannedRun]:
    """Runs for chosen assets, in the order releases, dimensions, daily chain.

    Args:
        settings: of the installation.
        patterns: asset keys (``silver/dim_providers``), with wildcards (``gold/*``).
        start: first day; default the first that a landed delivery covers.
        end: last day, likewise.

    Raises:
        ValueError: a pattern matches no asset, or daily assets are asked for and nothing has landed.
    """
    graph = build_defs(settings).resolve_asset_graph()
    keys = sorted(graph.executable_asset_keys)
    chosen: list[dg.AssetKey] = []
    for pattern in patterns:
        matching = [k for k in keys if fnmatch.fnmatchcase(k.to_user_string(), pattern)]
        if not matching:
            known = ", ".join(k.to_user_string() for k in keys)
            raise ValueError(f"no asset matches {pattern!r}; there are {known}")
        chosen += [k for k in matching if k not in chosen]
    zone = RawZone(Lake(settings.home, settings.catalog_properties).storage)
    by_kind = {
        kind: [k for k in chosen if graph.get(k).partitions_def == kind] for kind in (RELEASES, None, WORK_DATES)
    }
    planned = []
    for key in by_kind[RELEASES]:
        dataset = key.path[-1].removesuffix("_raw")
        months = sorted(
            {
                d.manifest.coverage.start.replace(day=1)
                for d in zone.deliveries(dataset)
                if d.manifest.coverage.start
                and (start or FIRST_WORK_DATE) <= month_bounds(f"{d.manifest.coverage.start:%Y-%m}")[1]
                and d.manifest.coverage.start <= (end or date.max)
            }
        )
        raw = (dataset,) if key.path[0] == "raw" else ()
        planned += [PlannedRun("__ASSET_JOB", a, b, (key,), raw) for a, b in _month_blocks(months)]
    if by_kind[None]:
        planned.append(PlannedRun("__ASSET_JOB", assets=tuple(by_kind[None])))
    if by_kind[WORK_DATES]:
        quarters = sorted({d.manifest.coverage.key for d in zone.deliveries("daily_nurse_staffing")})
        if not quarters:
            raise ValueError("no delivery of daily staffing has landed: nh ingest the files first")
        raw = ("daily_nurse_staffing",) if any(k.path[0] == "raw" for k in by_kind[WORK_DATES]) else ()
        for first, last in _span(quarters):  # clipped to what deliveries cover
            a, b = max(first, start or first), min(last, end or last)
            if a <= b:
                planned.append(PlannedRun("__ASSET_JOB", a, b, tuple(by_kind[WORK_DATES]), raw))
        if not any(p.assets == tuple(by_kind[WORK_DATES]) for p in planned):
            raise ValueError(f"no landed delivery covers {start} to {end}; covered are {', '.join(quarters)}")
    return planned


def execute(
    settings: Settings, instance: dg.DagsterInstance, run: PlannedRun, *, logger: logging.Logger
) -> dg.ExecuteInProcessResult:
    """Runs it and returns the result, failed or not; ``logger`` receives Dagster's events."""

    @dg.logger
    def _progress(_: dg.InitLoggerContext) -> logging.Logger:
        return logger

    defs = build_defs(settings, loggers={"progress": _progress})
    job = defs.resolve_implicit_global_asset_job_def() if run.job == "__ASSET_JOB" else defs.resolve_job_def(run.job)
    config: dict[str, Any] = {"loggers": {"progress": {}}}
    if run.raw:  # what is to be landed has been landed by `nh ingest`
        config["ops"] = {f"raw__{dataset}": {"config": {"from_source": False}} for dataset in run.raw}
    tags = {} if run.start is None or run.end is None else range_tags(run.start, run.end)
    return job.execute_in_process(
        instance=instance,
        run_config=config,
        tags={**tags, "nh/by": "nh"},
        asset_selection=list(run.assets) or None,
        raise_on_error=False,
    )
