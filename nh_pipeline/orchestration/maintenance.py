"""Maintenance by the clock: of the lake, and of what Dagster keeps of its runs."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import dagster as dg

from nh_pipeline.lake.lake import Lake
from nh_pipeline.lake.maintain import expire, sweep
from nh_pipeline.orchestration.jobs import scheduled
from nh_pipeline.orchestration.resources import LakeResource
from nh_pipeline.orchestration.run_storage import sweep_runs, sweep_ticks
from nh_pipeline.pipeline.build_state import compared_snapshots
from nh_pipeline.settings import Settings
from nh_pipeline.tables import tables

MAINTENANCE, OP = "maintenance", "maintain"


@dataclass(frozen=True)
class Maintained:
    """What maintenance did.

    Attributes:
        expired: how many snapshots expired, by table.
        swept: paths of the files that were deleted, below the lake's root.
        runs: how many old runs were deleted, with their events.
    """

    expired: dict[str, int]
    swept: list[str]
    runs: int = 0

    @property
    def told(self) -> dict[str, Any]:
        """For people."""
        tables = {f"{table}: snapshots expired": count for table, count in self.expired.items()}
        return {**tables, "files deleted": len(self.swept), "runs deleted": self.runs}


def maintain_lake(lake: Lake, *, snapshot_days: int) -> Maintained:
    """Deletes files that nothing names, and lets old snapshots expire that no mart compares with."""
    swept = sweep(lake, tables())
    kept_for = timedelta(days=snapshot_days)
    return Maintained(expire(lake, tables(), compared_snapshots(lake, tables()), kept_for=kept_for), swept)


def maintain(lake: Lake, instance: dg.DagsterInstance, *, snapshot_days: int, run_days: int) -> Maintained:
    """The same, and deletes runs and ticks of sensors and schedules that are older than ``run_days``."""
    done, older_than = maintain_lake(lake, snapshot_days=snapshot_days), timedelta(days=run_days)
    sweep_ticks(instance, older_than=older_than)
    return Maintained(done.expired, done.swept, len(sweep_runs(instance, older_than=older_than)))


class Retention(dg.Config):
    """How many days are kept: NH_KEEP_SNAPSHOTS, NH_KEEP_RUNS."""

    snapshot_days: int
    run_days: int


@dg.op(name=OP)
def _maintain(context: dg.OpExecutionContext, config: Retention, lake: LakeResource) -> None:
    done = maintain(lake.lake, context.instance, snapshot_days=config.snapshot_days, run_days=config.run_days)
    context.add_output_metadata(done.told)


@dg.graph
def _maintenance() -> None:
    _maintain()


def maintenance(settings: Settings) -> tuple[list[dg.JobDefinition], list[dg.ScheduleDefinition]]:
    """The job, and its schedule: every night."""
    days = {"snapshot_days": settings.keep_snapshots, "run_days": settings.keep_runs}
    config = {"ops": {OP: {"config": days}}}
    told = "Old snapshots expire; files that nothing names, and old runs, are deleted."
    job = _maintenance.to_job(name=MAINTENANCE, description=told, config=config)
    return [job], [scheduled("nightly_maintenance", MAINTENANCE, "45 4 * * *", told, config)]
