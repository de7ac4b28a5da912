"""The sensor that asks the lake what is stale, and the condition of the dimensions.

The drive sensor, which watches the deliveries, is in :mod:`.delivery_sensor`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any

import dagster as dg

from nh_pipeline import datasets
from nh_pipeline.domains import PROTECTED
from nh_pipeline.model.kinds import Scd2
from nh_pipeline.orchestration.attempts import AT_ONCE, ATTEMPT_TAG, Tried
from nh_pipeline.orchestration.checks import GAVE_UP
from nh_pipeline.orchestration.dead_runs import fail_dead_runs
from nh_pipeline.orchestration.delivery_sensor import drive_sensor
from nh_pipeline.orchestration.jobs import (
    DIMENSIONS,
    LAND_ONLY,
    MARTS,
    QUALITY,
    RELEASE_MARTS,
    RELEASED,
    UNDATED,
    WHOLE_MARTS,
    delivery_job,
)
from nh_pipeline.orchestration.parts import asset_key
from nh_pipeline.orchestration.planned_runs import PlannedRun, runs_of
from nh_pipeline.orchestration.resources import LakeResource
from nh_pipeline.pipeline.plan import Plan, fingerprint, parts, plan
from nh_pipeline.tables import silver

LONGEST_RUN = timedelta(hours=6)
"""A run that is older and still counts as started was killed with its process."""

_OF_TABLES = (*PROTECTED, DIMENSIONS, RELEASED, UNDATED, MARTS, RELEASE_MARTS, WHOLE_MARTS, QUALITY)
_TRIGGER = "nh/trigger"
_GAVE_UP = (
    f"{AT_ONCE} runs have failed: look at why they failed. It is tried again ever more rarely, in the end once a day; "
    "materialize it from the graph or with nh to try it now"
)
_UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def requests(runs: Iterable[PlannedRun], state: str, tried: Callable[[str], Tried | None]) -> list[dg.RunRequest]:
    """Requests for planned runs, as far as they are due (:mod:`.attempts`).

    ``state`` names what the lake holds: what was tried in another state is tried at once. ``tried`` says which runs a
    trigger has had: they are over and the lake is still stale, so they failed.
    """
    found = []
    for run in runs:
        trigger = f"{run.key}:{state[:16]}"
        before = tried(trigger)
        if before is None or before.is_due():
            attempt = str(1 + (before.times if before else 0))
            found.append(
                dg.RunRequest(
                    f"{trigger}:{attempt}",
                    job_name=run.job,
                    asset_selection=list(run.assets) or None,
                    run_config=run.config,
                    tags={_TRIGGER: trigger, ATTEMPT_TAG: attempt, **run.tags},
                )
            )
    return found


def catch_up(context: dg.SensorEvaluationContext, lake: LakeResource) -> dg.SensorResult:
    """Asks the lake, not the events; acts on what it sees for the second time, so that a delivery's own run goes first.

    The first part of the plan that has anything due is requested; the parts after it wait for it. What has failed
    several times is told once, as a check of its table that fails until a run of it succeeds, or until it is stale no
    longer (a person withdrew the delivery). The cursor holds the state that was seen, and the tables that were told of.
    """
    # A run whose process was killed would keep the queue, which takes one run at a time, for hours.
    fail_dead_runs(context.instance)
    if _busy(context.instance):
        return dg.SensorResult(skip_reason="other runs are in progress")
    found = plan(lake.lake, lake.zone)
    seen, *told = (context.cursor or "").split() or [""]
    stale = {build.table.name for build in found.builds}
    over = [_passed(name) for name in told if name not in stale]
    told = [name for name in told if name in stale]
    if not found.builds:
        return dg.SensorResult(skip_reason=f"nothing is stale{_waiting(found)}", cursor="", asset_events=over)
    state = fingerprint(lake.lake)
    if seen != state:
        reason, cursor = f"stale: {found.builds[0].reason}", " ".join([state, *told])
        return dg.SensorResult(skip_reason=reason, cursor=cursor, asset_events=over)
    for part in parts():
        wanted = requests(runs_of(found, part), state, lambda trigger: _tried(context.instance, trigger))
        if wanted:
            return dg.SensorResult(run_requests=wanted)
    failing = [event for event in _gave_up(found) if event.metadata["table"].value not in told]
    return dg.SensorResult(skip_reason=_GAVE_UP, cursor=" ".join([state, *sorted(stale)]), asset_events=failing)


def _gave_up(found: Plan) -> Iterator[dg.AssetCheckEvaluation]:
    """That a table's build has failed too often, as a failing check: a skip reason is gone with the next tick."""
    for name in dict.fromkeys(build.table.name for build in found.builds):
        builds = [build for build in found.builds if build.table.name == name]
        yield dg.AssetCheckEvaluation(
            asset_key=asset_key(builds[0].table),
            check_name=GAVE_UP,
            passed=False,
            severity=dg.AssetCheckSeverity.ERROR,
            description=f"{len(builds)} builds are stale and have failed {AT_ONCE} times",
            metadata={
                "table": name,
                "failed_rows": len(builds),
                "what_to_do": _GAVE_UP,
                "stale": "; ".join(build.reason for build in builds[:5]),
            },
        )


def _passed(name: str) -> dg.AssetCheckEvaluation:
    """That what was given up on is no longer to be built."""
    told = "it is no longer stale"
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(name.split(".")), check_name=GAVE_UP, passed=True, description=told, metadata={}
    )


def _waiting(found: Plan) -> str:
    """What a person should know of, in a few words."""
    told = [f"{s.name} is {s.state}" for s in found.not_counting if s.state in ("held", "refused")]
    told += [f"the gate refused {r.table} {r.partition}" for r in found.refused]
    told += [text for texts in found.drift.values() for text in texts]
    return f"; look at nh status: {'; '.join(told[:3])}" if told else ""


def _busy(instance: dg.DagsterInstance) -> bool:
    since = datetime.now(tz=timezone.utc) - LONGEST_RUN
    return bool(instance.get_runs(dg.RunsFilter(statuses=_UNDER_WAY, created_after=since), limit=1))


def _tried(instance: dg.DagsterInstance, trigger: str) -> Tried | None:
    last = instance.get_run_records(dg.RunsFilter(tags={_TRIGGER: trigger}), limit=1)
    return Tried(int(last[0].dagster_run.tags[ATTEMPT_TAG]), last[0].update_timestamp) if last else None


def sensors(jobs: Sequence[Any]) -> list[dg.SensorDefinition]:
    """All sensors; each may request some of the jobs."""
    of_deliveries = [job for job in jobs if job.name in {delivery_job(d.name) for d in datasets.delivered()}]
    of_tables = [job for job in jobs if job.name in _OF_TABLES]
    sensor = partial(dg.sensor, minimum_interval_seconds=30, default_status=dg.DefaultSensorStatus.RUNNING)
    histories = [asset_key(table) for table in silver() if isinstance(table.kind, Scd2)]
    return [
        sensor(
            jobs=[*of_deliveries, LAND_ONLY],
            description="Turns every new or changed file of the delivery folder into one run over what the file "
            "covers.",
        )(drive_sensor),
        sensor(
            jobs=[*of_deliveries, *of_tables],
            description="Builds what has stayed stale: a delivery that landed without its own run, a table whose run "
            "failed, what a confirmation or a withdrawal changed, days of gold that a changed dimension concerns, and "
            "what was built by older rules.",
        )(catch_up),
        dg.AutomationConditionSensorDefinition(
            "dimensions_follow_releases",
            target=dg.AssetSelection.assets(*histories),
            default_status=dg.DefaultSensorStatus.RUNNING,
            description="Rebuilds a dimension when a release has come in.",
        ),
    ]
