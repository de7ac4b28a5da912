"""Jobs and schedules: what a delivery sets in motion, and what happens by the clock.

A job holds assets of one kind of partition, so that it is one run.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from nh_pipeline import datasets
from nh_pipeline.domains import PROTECTED, domain_of
from nh_pipeline.landing.source_state import SourceState
from nh_pipeline.landing.sync import land_changes
from nh_pipeline.orchestration.assets import raw_key
from nh_pipeline.orchestration.checks import FRESH
from nh_pipeline.orchestration.partitions import RELEASES, WORK_DATES, partitions_of, partitions_of_file
from nh_pipeline.orchestration.parts import asset_key
from nh_pipeline.orchestration.resources import LakeResource, SourceResource
from nh_pipeline.tables import dataset_of, gold, qualities, silver

DIMENSIONS, RELEASED, UNDATED = "dimensions", "releases", "undated_files"
MARTS, RELEASE_MARTS, WHOLE_MARTS, FRESHNESS = "marts", "release_marts", "whole_marts", "freshness"
QUALITY = "quality"


def delivery_job(dataset: str) -> str:
    """Name of the job that a delivered file of a dataset starts."""
    return f"{dataset}_delivery"


def of_delivery(dataset: str) -> list[dg.AssetKey]:
    """What such a job builds: what has the partitions of the file, and is made of it."""
    export = next((e for e in datasets.exports() if e.name == dataset), None)
    if export:
        return [raw_key(dataset), *map(asset_key, export.tables)]
    declared = datasets.dataset(dataset)
    partitions = partitions_of_file(declared)
    follows = [t for t in (*silver(), *gold()) if dataset_of(t) == dataset and partitions_of(t) == partitions]
    return [raw_key(dataset), asset_key(declared.bronze), *map(asset_key, follows)]


def whole_tables() -> list[dg.AssetKey]:
    """Silver that is built whole, from all releases or none."""
    return [asset_key(t) for t in silver() if partitions_of(t) is None and not _is_of_undated(t.dataset)]


def _is_of_undated(dataset: str) -> bool:
    return bool(dataset) and partitions_of_file(datasets.dataset(dataset)) is None


def _delivered(partitions: Any) -> list[dg.AssetKey]:
    """What is made of the lines of files whose partitions are these, from raw to silver."""
    found: list[dg.AssetKey] = []
    for dataset in (d for d in datasets.with_tables() if partitions_of_file(d) == partitions):
        apart = (t for t in dataset.silver if partitions_of(t) == partitions and asset_key(t) not in whole_tables())
        found += [raw_key(dataset.name), asset_key(dataset.bronze), *map(asset_key, apart)]
    return found


def _marts(partitions: Any, domain: str = "cms") -> list[dg.AssetKey]:
    return [asset_key(t) for t in gold() if partitions_of(t) == partitions and domain_of(t.database) == domain]


class LandOnlyConfig(dg.Config):
    """Files of the source to land."""

    file_ids: list[str]


@dg.op
def land(context: dg.OpExecutionContext, config: LandOnlyConfig, lake: LakeResource, source: SourceResource) -> None:
    """Lands files that no asset is made of yet, or puts them into quarantine with a reason."""
    drop = source.source
    for file in drop.find(config.file_ids):
        for landed in lake.zone.land(drop, file).each:
            context.log.info("%s: %s", landed.document.name, landed.path)


@dg.job(name="land_only", description="A file without tables, or one that is not recognised: raw zone or quarantine.")
def LAND_ONLY() -> None:  # noqa: N802 (a constant like the other jobs)
    land()


@dg.op
def reconcile(context: dg.OpExecutionContext, lake: LakeResource, source: SourceResource) -> None:
    """Lists all that the source holds, and lands what is missing; the drive sensor then requests its runs."""
    drop = source.source
    if not drop.authoritative:
        context.log.info("nothing to reconcile: the drive sensor lists all of a folder whenever it looks")
        return
    state = SourceState(lake.lake.storage, drop.name)
    for landed in land_changes(drop, lake.zone, state, full=True):
        context.log.info("%s: %s", landed.document.name, landed.path)
    context.log.info("%s files, and %s more that cannot be delivered", len(state.files), len(state.unusable))


@dg.job(
    name="reconciliation", description="All that Google Drive holds beside what has landed: what was missed is landed."
)
def RECONCILE() -> None:  # noqa: N802
    reconcile()


def jobs(*, by_the_clock: bool = True) -> list[Any]:
    """All jobs, with those that only the clock starts or without."""
    made: list[Any] = [
        _job(
            delivery_job(dataset.name),
            of_delivery(dataset.name),
            f"A delivery of {dataset.title}: all that has its partitions; what is built whole follows.",
            by_the_clock=by_the_clock,
        )
        for dataset in datasets.delivered()
    ]
    made.append(_job(DIMENSIONS, whole_tables(), "All dimensions, from all releases.", by_the_clock=by_the_clock))
    several = {
        RELEASED: (_delivered(RELEASES), "Releases of several files."),
        UNDATED: (_delivered(None), "Several files that name no release."),
        MARTS: (_marts(WORK_DATES), "Marts alone, for days whose inputs changed."),
        RELEASE_MARTS: (_marts(RELEASES), "Marts of releases."),
        WHOLE_MARTS: (_marts(None), "Marts that are built whole."),
        **{of: (_marts(None, of), f"Silver and gold of the domain {of}, from all its exports.") for of in PROTECTED},
        QUALITY: ([*map(asset_key, qualities())], "What is known of the quality of all tables."),
    }
    made += [_job(name, keys, told, by_the_clock=by_the_clock) for name, (keys, told) in several.items() if keys]
    if by_the_clock:
        late = dg.AssetSelection.checks(*(dg.AssetCheckKey(asset_key(t), FRESH) for t in silver() if t.dataset))
        made.append(dg.define_asset_job(FRESHNESS, late, description="Whether the next delivery of a file is late."))
    return [*made, LAND_ONLY, RECONCILE]


def _job(name: str, keys: list[dg.AssetKey], description: str, *, by_the_clock: bool = False) -> Any:
    selected = dg.AssetSelection.assets(*keys)
    dated = {asset_key(t) for t in silver() if t.dataset}
    late = [dg.AssetCheckKey(key, FRESH) for key in keys if by_the_clock and key in dated]
    return dg.define_asset_job(name, selected - dg.AssetSelection.checks(*late), description=description)


def schedules(*, by_the_clock: bool = True) -> list[dg.ScheduleDefinition]:
    """What happens by the clock."""
    told = "Lists all of the delivery folder, whatever its changes said, and lands what is missing."
    nightly = scheduled("nightly_reconciliation", RECONCILE.name, "15 3 * * *", told)
    daily = scheduled("daily_freshness", FRESHNESS, "45 6 * * *", "Says which deliveries are late.")
    return [nightly, daily] if by_the_clock else [nightly]


def scheduled(
    name: str, job: str, at: str, description: str, config: Mapping[str, Any] | None = None
) -> dg.ScheduleDefinition:
    """A job by the clock, in UTC."""
    return dg.ScheduleDefinition(
        name=name,
        job_name=job,
        cron_schedule=at,
        run_config=config,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=description,
    )
