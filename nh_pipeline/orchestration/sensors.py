"""The sensor that asks the lake what is stale, and the condition of the dimensions.

The drive sensor, which watches the deliveries, is in :mod:`.drive`.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import dagster as dg

from nh_pipeline.orchestration.dead_runs import fail_dead_runs
from nh_pipeline.orchestration.delivery_sensor import MOST_ATTEMPTS, drive_sensor
from nh_pipeline.orchestration.jobs import CLAIMS, DIMENSIONS, MEASURES, PROVIDERS, STAFFING
from nh_pipeline.orchestration.partitions import range_tags
from nh_pipeline.orchestration.planned_runs import PARTS, PlannedRun, runs_of
from nh_pipeline.orchestration.resources import LakeResource
from nh_pipeline.pipeline.plan import Plan, fingerprint, plan

LONGEST_RUN = timedelta(hours=6)
"""A run that is older and still counts as started was killed with its process."""

_CAUSE = "nh/cause"
_GAVE_UP = f"gave up after {MOST_ATTEMPTS} runs: look at why they failed, then materialize from the graph or with nh"
_UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def requests(runs: Iterable[PlannedRun], state: str, tried: Callable[[str], int]) -> list[dg.RunRequest]:
    """Requests for planned runs, as long as they have not been tried too often.

    Args:
        runs: what is stale.
        state: names what the lake holds: what was tried in another state is tried again.
        tried: how many runs a cause has had. They are over and the lake is still stale, so they failed.
    """
    found = []
    for run in runs:
        cause = _cause(run, state)
        attempt = tried(cause) + 1
        if attempt <= MOST_ATTEMPTS:
            tags = {_CAUSE: cause, "nh/attempt": str(attempt)}
            if run.start and run.end:
                tags |= range_tags(run.start, run.end)
            found.append(
                dg.RunRequest(
                    f"{cause}:{attempt}",
                    job_name=run.job,
                    asset_selection=list(run.assets) or None,
                    run_config=run.config,
                    tags=tags,
                )
            )
    return found


def _cause(run: PlannedRun, state: str) -> str:
    return f"{run.title}:{state[:16]}"


@dg.sensor(
    jobs=[STAFFING, PROVIDERS, CLAIMS, DIMENSIONS, MEASURES],
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Builds what has stayed stale: a delivery that landed without its own run, a table whose run failed, "
    "what a confirmation or a withdrawal changed, days of gold that a changed dimension concerns, and what was built "
    "by older rules.",
)
def catch_up(context: dg.SensorEvaluationContext, lake: LakeResource) -> dg.SensorResult:
    """Asks the lake, not the events; acts on what it sees for the second time, so that a delivery's own run goes first.

    The first part of the plan that has anything to try is requested; the parts after it wait for it.
    """
    # A run of `nh` whose process was killed would keep the queue, which takes one run at a time, for hours.
    fail_dead_runs(context.instance, Path(context.instance.root_directory))
    if _busy(context.instance):
        return dg.SensorResult(skip_reason="other runs are in progress")
    found = plan(lake.lake, lake.zone)
    if not found.builds:
        return dg.SensorResult(skip_reason=f"nothing is stale{_waiting(found)}", cursor="")
    state = fingerprint(lake.lake)
    if context.cursor != state:
        return dg.SensorResult(skip_reason=f"stale: {found.builds[0].reason}", cursor=state)
    for part in PARTS:
        wanted = requests(runs_of(found, part), state, lambda cause: _tried(context.instance, cause))
        if wanted:
            return dg.SensorResult(run_requests=wanted)
    return dg.SensorResult(skip_reason=_GAVE_UP)


def _waiting(found: Plan) -> str:
    """What a person should know of, in a few words."""
    told = [f"{s.name} is {s.state}" for s in found.not_counting if s.state in ("held", "refused")]
    told += [f"the gate refused {r.table} {r.slice}" for r in found.refused]
    told += [text for texts in found.drift.values() for text in texts]
    return f"; look at nh status: {'; '.join(told[:3])}" if told else ""


def _busy(instance: dg.DagsterInstance) -> bool:
    since = datetime.now(tz=timezone.utc) - LONGEST_RUN
    return bool(instance.get_runs(dg.RunsFilter(statuses=_UNDER_WAY, created_after=since), limit=1))


def _tried(instance: dg.DagsterInstance, cause: str) -> int:
    return instance.get_runs_count(dg.RunsFilter(tags={_CAUSE: cause}))


SENSORS = [
    drive_sensor,
    catch_up,
    dg.AutomationConditionSensorDefinition(
        "dimensions_follow_releases",
        target=dg.AssetSelection.assets(["silver", "dim_providers"], ["silver", "dim_claims"]),
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Rebuilds a dimension when a release has come in.",
    ),
]
