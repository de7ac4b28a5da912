"""Runs from the command line: through Dagster's own machinery, in this process, on the persistent instance.

So the Dagster UI shows them like any other run. What to run the plan says, or a person who selects assets: then in the
order that mixed partitions ask for.
"""

from __future__ import annotations

import fnmatch
from datetime import date
from typing import TYPE_CHECKING

import dagster as dg

from nh_pipeline import datasets
from nh_pipeline.lake.lake import Lake
from nh_pipeline.lake.refusals import Refusals
from nh_pipeline.landing.selection import covers
from nh_pipeline.landing.zone import RawZone
from nh_pipeline.model.kinds import Bronze
from nh_pipeline.orchestration.assets import raw_key
from nh_pipeline.orchestration.dead_runs import PROCESS_TAG, fail_dead_runs, process_lock
from nh_pipeline.orchestration.definitions import build_defs
from nh_pipeline.orchestration.maintenance import maintain_lake
from nh_pipeline.orchestration.partitions import RELEASES, WORK_DATES, partitions_of
from nh_pipeline.orchestration.parts import asset_key
from nh_pipeline.orchestration.planned_runs import PlannedRun, month_blocks, numbered, runs_of, together
from nh_pipeline.periods import by_years, joined, month_bounds, quarter_bounds
from nh_pipeline.pipeline import build_state
from nh_pipeline.pipeline.plan import parts, plan
from nh_pipeline.tables import dataset_of, gold, tables

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator, Sequence

    from nh_pipeline.model.table import Table
    from nh_pipeline.settings import Settings


class SelectionError(ValueError):
    """What was selected cannot be run; the message says why, and what there is."""


_ANY = "__ASSET_JOB"  # Dagster's name for a run of any assets


def tidy_up(settings: Settings, instance: dg.DagsterInstance) -> None:
    """Before runs: fails the ones whose process was killed, and maintains the lake."""
    fail_dead_runs(instance)
    maintain_lake(Lake(settings.home, settings.catalog_properties), snapshot_days=settings.keep_snapshots)


def behind(settings: Settings, start: date | None = None, end: date | None = None) -> Iterator[list[PlannedRun]]:
    """Everything that is stale, or what of it touches some days, as runs.

    Each part is planned when the ones before it are done: a run that failed, or was killed, left stale what it did not
    publish, and nothing else.
    """
    lake = Lake(settings.home, settings.catalog_properties)
    zone = RawZone(lake.storage)
    for part in parts():
        found = plan(lake, zone)
        yield runs_of(found.within(start, end) if start or end else found, part)


def forget(settings: Settings, table: Table, start: date | None, end: date | None) -> None:
    """Makes what a table holds of some days count as not built, and lets the gate judge it anew.

    Bronze would else not be read again: a delivery never changes. Silver and gold compute whatever they are asked to.
    """
    lake = Lake(settings.home, settings.catalog_properties)
    refusals = Refusals(lake.storage)
    partitions = {r.partition for r in refusals.all(table.name)}
    export = datasets.export_of(table)
    if isinstance(table.kind, Bronze) or export:
        date_range = (start or date.min, end or date.max) if start or end else None
        landed = RawZone(lake.storage).deliveries(export.name if export else table.dataset)
        partitions = {d.delivery_id for d in landed if covers(d.manifest.coverage, date_range)}
        build_state.forget(lake, export.leading if export else table, partitions)
    refusals.forget(table.name, partitions)


def selected(settings: Settings, patterns: Sequence[str], start: date | None, end: date | None) -> list[PlannedRun]:
    """Runs for chosen assets, in the order releases, dimensions, days, marts of releases; by default all of days.

    Patterns are asset keys (``silver/dim_date``), with wildcards (``gold/*``). First and last day are by default those
    that landed deliveries cover.

    Raises:
        SelectionError: a pattern matches no asset, or daily assets are asked for and nothing has landed.
    """
    graph = build_defs(settings).resolve_asset_graph()
    keys = sorted(graph.executable_asset_keys)
    chosen: list[dg.AssetKey] = [] if patterns else [k for k in keys if graph.get(k).partitions_def == WORK_DATES]
    for pattern in patterns:
        matching = [k for k in keys if fnmatch.fnmatchcase(k.to_user_string(), pattern)]
        if not matching:
            known = ", ".join(k.to_user_string() for k in keys)
            raise SelectionError(f"no asset matches {pattern!r}; there are {known}")
        chosen += [k for k in matching if k not in chosen]
    zone = RawZone(Lake(settings.home, settings.catalog_properties).storage)
    of = {raw_key(d.name): d.name for d in datasets.delivered()} | {asset_key(t): dataset_of(t) for t in tables()}

    def those(kind: dg.PartitionsDefinition[str] | None) -> dict[str, tuple[dg.AssetKey, ...]]:
        """The chosen assets that have this kind of partitions, by the file whose coverage they follow."""
        found: dict[str, tuple[dg.AssetKey, ...]] = {}
        for key in (k for k in chosen if k in of and graph.get(k).partitions_def == kind):
            found[of[key]] = (*found.get(of[key], ()), key)
        return found

    last = [asset_key(t) for t in gold() if partitions_of(t) == RELEASES]  # some are made of days, too
    planned, marts = list[PlannedRun](), list[PlannedRun]()
    for dataset, assets in those(RELEASES).items():
        planned += _releases(zone, dataset, tuple(k for k in assets if k not in last), start, end)
        marts += _releases(zone, dataset, tuple(k for k in assets if k in last), start, end)
    if whole := _with_something(zone, those(None)):
        assets = tuple(k for k in chosen if any(k in keys for keys in whole.values()))
        raw = tuple(dataset for dataset, keys in whole.items() if raw_key(dataset) in keys)
        planned.append(PlannedRun(_ANY, assets=assets, raw=raw))
    planned += [run for dataset, keys in those(WORK_DATES).items() for run in _days(zone, dataset, keys, start, end)]
    planned = [*_exports(zone, chosen, start, end), *together(planned), *together(marts)]
    if copies := tuple(k for k in chosen if k not in of):  # of tables, in the warehouse
        planned.append(PlannedRun(_ANY, assets=copies))
    if not planned:
        raise SelectionError(f"no release has landed from {start or 'the first'} to {end or 'the last'}")
    return numbered(planned)


def _exports(zone: RawZone, chosen: Sequence[dg.AssetKey], start: date | None, end: date | None) -> list[PlannedRun]:
    """Runs of exports over their days, each with all the tables that it becomes, if one of them is chosen."""
    planned = list[PlannedRun]()
    for export in datasets.exports():
        built = tuple(map(asset_key, export.tables)) if {*map(asset_key, export.tables)} & {*chosen} else ()
        assets = (*(key for key in (raw_key(export.name),) if key in chosen), *built)
        landed = {day for d in zone.deliveries(export.name) if (day := d.manifest.coverage.start)}
        days = [(day, day) for day in landed if (start or day) <= day <= (end or day)]
        raw = _landed(export.name, assets)
        planned += [PlannedRun(_ANY, a, b, assets, raw) for a, b in by_years(days) if assets]
    return planned


def _with_something(zone: RawZone, chosen: dict[str, tuple[dg.AssetKey, ...]]) -> dict[str, tuple[dg.AssetKey, ...]]:
    """Without what is made of files of which none has landed."""
    return {dataset: keys for dataset, keys in chosen.items() if not dataset or zone.deliveries(dataset)}


def _releases(
    zone: RawZone, dataset: str, assets: tuple[dg.AssetKey, ...], start: date | None, end: date | None
) -> list[PlannedRun]:
    """Runs of a file's assets over the months that have a release and touch the days."""
    landed = (d.manifest.coverage.start for d in zone.deliveries(dataset))
    months = {f"{day:%Y-%m}": month_bounds(f"{day:%Y-%m}") for day in landed if day}
    wanted = [m for m, (first, last) in months.items() if (start or first) <= last and first <= (end or last)]
    blocks = month_blocks(wanted) if assets else []
    raw = _landed(dataset, assets)
    return [PlannedRun(_ANY, first, last, assets, raw, shared=_ANY) for first, last in blocks]


def _days(
    zone: RawZone, dataset: str, assets: tuple[dg.AssetKey, ...], start: date | None, end: date | None
) -> list[PlannedRun]:
    """Runs of daily assets over the days, as far as deliveries cover them."""
    quarters = sorted({d.manifest.coverage.key for d in zone.deliveries(dataset)})
    if not quarters:
        raise SelectionError(f"no delivery of {datasets.dataset(dataset).title} has landed: nh ingest the files first")
    clipped = [
        (max(first, start or first), min(last, end or last)) for first, last in joined(map(quarter_bounds, quarters))
    ]
    days = by_years((a, b) for a, b in clipped if a <= b)
    planned = [PlannedRun(_ANY, a, b, assets, _landed(dataset, assets)) for a, b in days]
    if not planned:
        asked = f"from {start or 'the first day'} to {end or 'the last'}"
        raise SelectionError(f"no landed delivery covers anything {asked}; covered are {', '.join(quarters)}")
    return planned


def _landed(dataset: str, assets: Sequence[dg.AssetKey]) -> tuple[str, ...]:
    return (dataset,) if raw_key(dataset) in assets else ()


def execute(
    settings: Settings, instance: dg.DagsterInstance, run: PlannedRun, *, logger: logging.Logger
) -> dg.ExecuteInProcessResult:
    """Runs it and returns the result, failed or not; ``logger`` receives Dagster's events."""

    @dg.logger
    def _progress(_: dg.InitLoggerContext) -> logging.Logger:
        return logger

    defs = build_defs(settings, loggers={"progress": _progress}, by_the_clock=False)
    job = defs.resolve_implicit_global_asset_job_def() if run.job == _ANY else defs.resolve_job_def(run.job)
    with process_lock(instance) as process:
        return job.execute_in_process(
            instance=instance,
            run_config={"loggers": {"progress": {}}, **run.config},
            tags={**run.tags, "nh/by": "nh", PROCESS_TAG: process},
            asset_selection=list(run.assets) or None,
            raise_on_error=False,
        )
