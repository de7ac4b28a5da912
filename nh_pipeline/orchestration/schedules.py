"""Schedules: what happens by the clock."""

import dagster as dg

from nh_pipeline.orchestration.jobs import RECONCILE

SCHEDULES = [
    dg.ScheduleDefinition(
        name="nightly_reconciliation",
        job=RECONCILE,
        cron_schedule="15 3 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Lists all of the delivery folder, whatever its changes said, and lands what is missing.",
    )
]
