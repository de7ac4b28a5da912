"""Sensors that ask the lake what is behind: gold, quarters and dimensions that stayed behind.

The drive sensor, which watches the deliveries, is in :mod:`.drive`.
"""

from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta, timezone

import dagster as dg

from nh_pipeline.assets.publishing import asset_key
from nh_pipeline.automation.drive import MOST_ATTEMPTS, drive_sensor
from nh_pipeline.automation.jobs import DIMENSIONS, MEASURES, STAFFING
from nh_pipeline.contracts.bronze import BRONZE
from nh_pipeline.partitions import range_tags
from nh_pipeline.periods import joined, quarter_bounds
from nh_pipeline.resources import LakeResource
from nh_pipeline.steps.behind import GoldInputs, stale_days, stale_dimensions, stale_quarters
from nh_pipeline.steps.effective import DIMENSIONS as DATASET_DIMENSIONS
from nh_pipeline.steps.effective import effective, quarter_standings
from nh_pipeline.steps.memory import mark

LONGEST_RUN = timedelta(hours=6)
"""A run that is older and still counts as started was killed with its process."""

_CAUSE = "nh/cause"
_AS_LANDED = {"ops": {"raw__daily_nurse_staffing": {"config": {"from_source": False}}}}
_GAVE_UP = f"gave up after {MOST_ATTEMPTS} runs: look at why they failed, then materialize from the graph or with nh"
_UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def window_requests(
    windows: Iterable[tuple[date, date]], inputs: GoldInputs, tried: Callable[[str], int]
) -> list[dg.RunRequest]:
    """One run of gold per contiguous window; its cause names the states that gold is behind.

    Args:
        windows: first and last days.
        inputs: the current states.
        tried: how many runs a cause has had. They are over and gold is still behind, so they failed.
    """
    state = f"{inputs.facts.snapshot_id}:{inputs.providers.snapshot_id}:{inputs.claims.snapshot_id}"
    requests = []
    for start, end in windows:
        cause = f"{start}..{end}:{state}"
        attempt = tried(cause) + 1
        if attempt <= MOST_ATTEMPTS:
            tags = {**range_tags(start, end), _CAUSE: cause, "nh/attempt": str(attempt)}
            requests.append(dg.RunRequest(f"{cause}:{attempt}", tags=tags))
    return requests


@dg.sensor(
    job=MEASURES,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Brings changed provider and claims versions to gold, for the days on which they hold, and no others.",
)
def gold_follows_dimensions(context: dg.SensorEvaluationContext, lake: LakeResource) -> dg.SensorResult:
    """Compares the dimension snapshots that gold was built from with the current ones.

    Waits while a delivery's own run or a dimension is being built: that run may do the work.
    """
    if _busy(context.instance):
        return dg.SensorResult(skip_reason="other runs are in progress")
    inputs = GoldInputs.current(lake.lake)
    windows = joined((day, day) for day in stale_days(lake.lake, inputs))
    if not windows:
        return dg.SensorResult(skip_reason="gold is built from the current dimensions")
    requests = window_requests(windows, inputs, lambda cause: _tried(context.instance, cause))
    return dg.SensorResult(run_requests=requests) if requests else dg.SensorResult(skip_reason=_GAVE_UP)


@dg.sensor(
    job=DIMENSIONS,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Rebuilds a dimension that stayed behind: its run failed, a held delivery was confirmed, or the "
    "condition of its asset missed a release. Builds the calendar when it is missing.",
)
def dimensions_catch_up(context: dg.SensorEvaluationContext, lake: LakeResource) -> dg.SensorResult:
    """Asks the lake, not the events; acts on what it sees for the second time, so that the condition goes first.

    The condition forgets a failed run, and a release that came in between two ticks in which a build ended, too.
    """
    if _busy(context.instance):
        return dg.SensorResult(skip_reason="other runs are in progress")
    stale = stale_dimensions(lake.lake, lake.zone)
    releases = ",".join(str(lake.lake.pin(BRONZE[d]).snapshot_id) for d in DATASET_DIMENSIONS)
    names = ", ".join(contract.name for contract in stale)
    cause = f"{names}:{releases}" if stale else ""
    if not stale or cause != context.cursor:
        return dg.SensorResult(skip_reason=f"behind: {names or 'none'}", cursor=cause)
    attempt = _tried(context.instance, cause) + 1
    if attempt > MOST_ATTEMPTS:
        return dg.SensorResult(skip_reason=_GAVE_UP)
    keys = [asset_key(contract) for contract in stale]
    tags = {_CAUSE: cause, "nh/attempt": str(attempt)}
    return dg.SensorResult(run_requests=[dg.RunRequest(f"{cause}:{attempt}", asset_selection=keys, tags=tags)])


@dg.sensor(
    job=STAFFING,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Rebuilds a quarter for which another delivery counts than the one that its facts were built from: a "
    "correction was withdrawn or put back, or a held delivery was confirmed.",
)
def quarters_catch_up(context: dg.SensorEvaluationContext, lake: LakeResource) -> dg.SensorResult:
    """Asks the lake, not the events; acts on what it sees for the second time: a delivery's own run goes first."""
    if _busy(context.instance):
        return dg.SensorResult(skip_reason="other runs are in progress")
    stale = stale_quarters(lake.lake, lake.zone, contested=True)
    causes = {q: f"{q}:{mark(effective(quarter_standings(lake.lake, lake.zone, q)))}" for q in stale}
    seen = frozenset((context.cursor or "").split())
    requests = []
    for quarter, cause in causes.items():
        attempt = _tried(context.instance, cause) + 1
        if cause in seen and attempt <= MOST_ATTEMPTS:
            tags = {**range_tags(*quarter_bounds(quarter)), _CAUSE: cause, "nh/attempt": str(attempt)}
            requests.append(dg.RunRequest(f"{cause}:{attempt}", run_config=_AS_LANDED, tags=tags))
    return dg.SensorResult(run_requests=requests, cursor=" ".join(causes.values()))


def _busy(instance: dg.DagsterInstance) -> bool:
    since = datetime.now(tz=timezone.utc) - LONGEST_RUN
    return bool(instance.get_runs(dg.RunsFilter(statuses=_UNDER_WAY, created_after=since), limit=1))


def _tried(instance: dg.DagsterInstance, cause: str) -> int:
    return instance.get_runs_count(dg.RunsFilter(tags={_CAUSE: cause}))


SENSORS = [
    drive_sensor,
    quarters_catch_up,
    dimensions_catch_up,
    gold_follows_dimensions,
    dg.AutomationConditionSensorDefinition(
        "dimensions_follow_releases",
        target=dg.AssetSelection.assets(["silver", "dim_providers"], ["silver", "dim_claims"]),
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Rebuilds a dimension when a release has come in.",
    ),
]
