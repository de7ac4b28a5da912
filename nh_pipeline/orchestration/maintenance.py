"""Maintenance of the lake, by ``nh`` before its runs and by the daemon every night."""

from collections.abc import Mapping

import dagster as dg

from nh_pipeline.lake.lake import Lake
from nh_pipeline.lake.maintain import expire, sweep
from nh_pipeline.orchestration.jobs import scheduled
from nh_pipeline.orchestration.resources import LakeResource
from nh_pipeline.pipeline.build_state import compared_snapshots
from nh_pipeline.tables import tables


def maintain(lake: Lake) -> tuple[Mapping[str, int], list[str]]:
    """Lets old snapshots expire that no mart compares with, and deletes files that nothing names.

    Returns:
        How many snapshots expired, by table, and the paths of what was deleted.
    """
    return expire(lake, tables(), compared_snapshots(lake, tables())), sweep(lake, tables())


@dg.op
def maintenance_of_lake(context: dg.OpExecutionContext, lake: LakeResource) -> None:
    expired, swept = maintain(lake.lake)
    for table, count in expired.items():
        context.log.info("%s: %s snapshots expired", table, count)
    context.log.info("%s files deleted that nothing names", len(swept))


@dg.job(name="maintenance", description="Old snapshots expire; files that nothing names are deleted.")
def MAINTENANCE() -> None:  # noqa: N802 (a constant like the other jobs)
    maintenance_of_lake()


def maintenance_schedule() -> dg.ScheduleDefinition:
    """Every night, when no delivery is reconciled."""
    told = "Lets old snapshots expire, and deletes files that nothing names."
    return scheduled("nightly_maintenance", MAINTENANCE.name, "45 4 * * *", told)
