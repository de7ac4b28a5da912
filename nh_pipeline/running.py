"""Runs from the command line: through Dagster's own machinery, in this process, on the persistent instance.

So the Dagster UI shows them like any other run. What to run is decided here from what is behind in the lake, in
the order that mixed partitions ask for: releases, dimensions, the daily chain, gold.
"""

from __future__ import annotations

import fnmatch
import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import dagster as dg

from nh_pipeline.assets.publishing import asset_key
from nh_pipeline.automation.jobs import CLAIMS, DIMENSIONS, MEASURES, PROVIDERS, STAFFING
from nh_pipeline.contracts import ALL
from nh_pipeline.dead_runs import PROCESS_TAG, fail_dead_runs, process_lock
from nh_pipeline.definitions import build_defs
from nh_pipeline.event_log import BATCH_SIZE
from nh_pipeline.lake.lake import Lake
from nh_pipeline.lake.maintain import sweep
from nh_pipeline.landing.zone import RawZone
from nh_pipeline.partitions import RELEASES, WORK_DATES, range_tags
from nh_pipeline.periods import joined, month_bounds, quarter_bounds
from nh_pipeline.steps.behind import GoldInputs, stale_days, stale_dimensions, stale_quarters, unparsed

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date

    from nh_pipeline.settings import Settings

_INSTANCE_CONFIG = """\
# Local Dagster instance of nh: runs, events and sensors in SQLite below this folder.
event_log_storage:  # as Dagster's own, but the days of a range are written at once
  module: nh_pipeline.event_log
  class: BatchingSqliteEventLogStorage
  config:
    base_dir: "{home}/history/runs"
telemetry:
  enabled: false
nux:
  enabled: false
# A run of the daemon that was killed together with its code server is failed after this time, and tried again.
run_monitoring:
  enabled: true
  max_runtime_seconds: 21600
"""
_ANY = "__ASSET_JOB"  # Dagster's name for a run of any assets
_RELEASE_JOBS = {"providers": PROVIDERS.name, "medicare_claims": CLAIMS.name}


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
        config.write_text(_INSTANCE_CONFIG.format(home=json.dumps(str(home))[1:-1]))
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", str(BATCH_SIZE))  # read by Dagster, here and in run workers
    return dg.DagsterInstance.from_config(str(home))


def tidy_up(settings: Settings, instance: dg.DagsterInstance) -> None:
    """Before runs: fails the ones whose process was killed, and deletes what they left in the lake a day ago."""
    fail_dead_runs(instance, settings.dagster_home)
    sweep(Lake(settings.home, settings.catalog_properties), ALL)


def behind(settings: Settings) -> Iterator[PlannedRun]:
    """Everything that the lake is behind of, as runs; each is computed when the ones before it are done."""
    lake = Lake(settings.home, settings.catalog_properties)
    zone = RawZone(lake.storage)
    fresh = unparsed(lake, zone)
    for dataset, job in _RELEASE_JOBS.items():
        landed = (d.manifest.coverage.start for d in fresh if _of(d, dataset))
        for start, end in _month_blocks({f"{day:%Y-%m}" for day in landed if day}):
            yield PlannedRun(job, start, end, raw=(dataset,))
    dimensions = [asset_key(contract) for contract in stale_dimensions(lake, zone)]
    if dimensions:
        yield PlannedRun(DIMENSIONS.name, assets=tuple(dimensions))
    quarters = {d.manifest.coverage.key for d in fresh if _of(d, "daily_nurse_staffing")} | set(
        stale_quarters(lake, zone)
    )
    for start, end in joined(map(quarter_bounds, quarters)):
        yield PlannedRun(STAFFING.name, start, end, raw=("daily_nurse_staffing",))
    for start, end in joined((day, day) for day in stale_days(lake, GoldInputs.current(lake))):
        yield PlannedRun(MEASURES.name, start, end)


def _of(delivery: Any, dataset: str) -> bool:
    return bool(delivery.manifest.dataset == dataset)


def _month_blocks(months: Iterable[str]) -> list[tuple[date, date]]:
    """Contiguous months (``2024-04``), by their first days: the keys of their partitions."""
    return [(first, last.replace(day=1)) for first, last in joined(map(month_bounds, months))]


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
        kind: tuple(k for k in chosen if graph.get(k).partitions_def == kind) for kind in (RELEASES, None, WORK_DATES)
    }
    planned = [run for dataset in _RELEASE_JOBS for run in _releases(zone, dataset, by_kind[RELEASES], start, end)]
    if by_kind[None]:
        planned.append(PlannedRun(_ANY, assets=by_kind[None]))
    if by_kind[WORK_DATES]:
        planned += _days(zone, by_kind[WORK_DATES], start, end)
    if not planned:
        raise ValueError(f"no release has landed from {start or 'the first'} to {end or 'the last'}")
    return planned


def _releases(
    zone: RawZone, dataset: str, keys: Sequence[dg.AssetKey], start: date | None, end: date | None
) -> list[PlannedRun]:
    """Runs of a dataset's assets over the months that have a release and touch the days."""
    assets = tuple(k for k in keys if k.path[-1].removesuffix("_raw") == dataset)
    if not assets:
        return []
    landed = (d.manifest.coverage.start for d in zone.deliveries(dataset))
    months = {f"{day:%Y-%m}": month_bounds(f"{day:%Y-%m}") for day in landed if day}
    wanted = [m for m, (first, last) in months.items() if (start or first) <= last and first <= (end or last)]
    return [PlannedRun(_ANY, first, last, assets, _landed(dataset, assets)) for first, last in _month_blocks(wanted)]


def _days(zone: RawZone, assets: tuple[dg.AssetKey, ...], start: date | None, end: date | None) -> list[PlannedRun]:
    """Runs of daily assets over the days, as far as deliveries cover them."""
    dataset = "daily_nurse_staffing"
    quarters = sorted({d.manifest.coverage.key for d in zone.deliveries(dataset)})
    if not quarters:
        raise ValueError("no delivery of daily staffing has landed: nh ingest the files first")
    clipped = [
        (max(first, start or first), min(last, end or last)) for first, last in joined(map(quarter_bounds, quarters))
    ]
    planned = [PlannedRun(_ANY, a, b, assets, _landed(dataset, assets)) for a, b in clipped if a <= b]
    if not planned:
        asked = f"from {start or 'the first day'} to {end or 'the last'}"
        raise ValueError(f"no landed delivery covers anything {asked}; covered are {', '.join(quarters)}")
    return planned


def _landed(dataset: str, assets: Sequence[dg.AssetKey]) -> tuple[str, ...]:
    return (dataset,) if dg.AssetKey(["raw", dataset]) in assets else ()


def execute(
    settings: Settings, instance: dg.DagsterInstance, run: PlannedRun, *, logger: logging.Logger
) -> dg.ExecuteInProcessResult:
    """Runs it and returns the result, failed or not; ``logger`` receives Dagster's events."""

    @dg.logger
    def _progress(_: dg.InitLoggerContext) -> logging.Logger:
        return logger

    defs = build_defs(settings, loggers={"progress": _progress})
    job = defs.resolve_implicit_global_asset_job_def() if run.job == _ANY else defs.resolve_job_def(run.job)
    config: dict[str, Any] = {"loggers": {"progress": {}}}
    if run.raw:  # what is to be landed has been landed by `nh ingest`
        config["ops"] = {f"raw__{dataset}": {"config": {"from_source": False}} for dataset in run.raw}
    tags = {} if run.start is None or run.end is None else range_tags(run.start, run.end)
    with process_lock(settings.dagster_home) as process:
        return job.execute_in_process(
            instance=instance,
            run_config=config,
            tags={**tags, "nh/by": "nh", PROCESS_TAG: process},
            asset_selection=list(run.assets) or None,
            raise_on_error=False,
        )
