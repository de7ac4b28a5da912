"""Sensors: a dropped file becomes a run; changed dimension versions become a run over the days concerned.

The decisions are plain functions (tested without a daemon); the sensors are their thin shells.
"""

import hashlib
import io
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from typing import Any, BinaryIO, NamedTuple, cast

import dagster as dg

from nh_pipeline.assets.publishing import asset_key
from nh_pipeline.assets.raw import recognised
from nh_pipeline.automation.jobs import DELIVERY_JOBS, DIMENSIONS, LAND_ONLY, MEASURES
from nh_pipeline.contracts.bronze import BRONZE
from nh_pipeline.landing.manifest import Delivery
from nh_pipeline.landing.refused import Refused
from nh_pipeline.partitions import range_tags
from nh_pipeline.resources import LakeResource, SourceResource
from nh_pipeline.sources.protocol import Source, SourceFile, SourceUnavailable
from nh_pipeline.steps.behind import GoldInputs, blocks, stale_days, stale_dimensions
from nh_pipeline.steps.effective import DIMENSIONS as DATASET_DIMENSIONS

TICK_SECONDS = 40.0
"""Time budget of a tick; Dagster ends a tick after 60 s."""

MOST_ATTEMPTS = 3
"""How often a run is tried for the same cause before a person has to look."""


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


class Requested(NamedTuple):
    """What was last requested for a file; ``seen`` is its version now, if it was touched since."""

    version: str
    attempt: int
    seen: str


@dataclass
class Watch:
    """What the drive sensor knows (its cursor): file id to what was requested."""

    requested: dict[str, Requested] = field(default_factory=dict)

    @classmethod
    def load(cls, cursor: str | None) -> "Watch":
        """From the cursor."""
        return cls({k: Requested(*v) for k, v in json.loads(cursor).items()} if cursor else {})

    def dump(self) -> str:
        """As the cursor."""
        return json.dumps(self.requested, sort_keys=True)


def run_key(file_id: str, version: str, attempt: int) -> str:
    """One run per file version and attempt, for ever."""
    return f"{file_id}:{version}:{attempt}"


def request(source: Source, file: SourceFile, attempt: int) -> dg.RunRequest:
    """The run that a file asks for: its dataset's job over its range, or landing alone.

    A file that is not (yet) modelled, or that will end in quarantine, is landed by a job of its own: downloading is
    no work for a sensor.
    """
    config: dict[str, Any] = {"file_ids": [file.file_id]}
    tags = {"nh/file": file.name[:60], "nh/attempt": str(attempt)}
    key = run_key(file.file_id, file.version, attempt)
    try:
        found = recognised(source, file)
    except Refused:
        return dg.RunRequest(key, job_name=LAND_ONLY.name, tags=tags, run_config=_config("land", config))
    job, coverage = DELIVERY_JOBS.get(found.dataset), found.coverage
    if job is None or coverage.start is None or coverage.end is None:
        return dg.RunRequest(key, job_name=LAND_ONLY.name, tags=tags, run_config=_config("land", config))
    start, end = coverage.start, coverage.end
    if coverage.kind == "release":
        start = end = start.replace(day=1)
    return dg.RunRequest(
        key,
        job_name=job.name,
        tags={**tags, **range_tags(start, end)},
        run_config=_config(f"raw__{found.dataset}", config),
    )


def _config(op: str, config: Mapping[str, Any]) -> dict[str, Any]:
    return {"ops": {op: {"config": dict(config)}}}


def next_attempt(
    source: Source,
    file: SourceFile,
    last: Requested | None,
    failed: Callable[[str], bool],
    deliveries: Callable[[], Iterable[Delivery]],
) -> int | None:
    """Which attempt a file asks for now: 1 for a new content, more for one whose run failed, None for nothing.

    A file that only looks changed, with a content that has landed, was touched: that is nothing, unless its run failed.
    """
    if last is None:
        return 1
    again = failed(run_key(file.file_id, last.version, last.attempt))
    if file.version not in (last.version, last.seen):
        return 1 if again or not has_landed(source, file, deliveries()) else None
    return last.attempt + 1 if again and last.attempt < MOST_ATTEMPTS else None


def decide(
    source: Source,
    watch: Watch,
    *,
    failed: Callable[[str], bool],
    deliveries: Callable[[], Iterable[Delivery]],
    seconds: float = TICK_SECONDS,
    say: Callable[[str], object] = lambda _: None,
) -> list[dg.RunRequest]:
    """The runs to request now. What does not fit into the time waits, as does a file that cannot be read.

    Args:
        source: the files.
        watch: what was requested before; is brought up to date.
        failed: whether the run of a run key ended without success.
        deliveries: what has landed.
        seconds: the time there is.
        say: told what waits.

    Raises:
        SourceUnavailable: the source cannot be listed: that is no empty folder.
    """
    deadline, files = time.monotonic() + seconds, source.changes(None).files
    requests: list[dg.RunRequest] = []
    for file in files:
        if time.monotonic() > deadline:
            say(f"out of time: {file.name} and what follows wait for the next tick")
            break
        last = watch.requested.get(file.file_id)
        try:
            attempt = next_attempt(source, file, last, failed, deliveries)
            if attempt is not None:
                requests.append(request(source, file, attempt))
                watch.requested[file.file_id] = Requested(file.version, attempt, file.version)
            elif last is not None:
                watch.requested[file.file_id] = last._replace(seen=file.version)
        except SourceUnavailable as error:
            say(str(error))
    present = {file.file_id for file in files}
    watch.requested = {k: v for k, v in watch.requested.items() if k in present}
    return requests


class _Md5(io.RawIOBase):
    """Digests what is written to it."""

    def __init__(self) -> None:
        self.digest = hashlib.md5(usedforsecurity=False)

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        self.digest.update(content)
        return len(content)


def has_landed(source: Source, file: SourceFile, deliveries: Iterable[Delivery]) -> bool:
    """Whether a file's content has landed; reads the file only if a delivery of its size has."""
    alike = {d.manifest.md5 for d in deliveries if d.manifest.size == file.size}
    if not alike or file.md5:
        return file.md5 in alike
    sink = _Md5()
    source.download(file, cast("BinaryIO", sink))
    return sink.digest.hexdigest() in alike


def _run_failed(instance: dg.DagsterInstance, key: str) -> bool:
    runs = instance.get_runs(filters=dg.RunsFilter(tags={"dagster/run_key": key}), limit=1)
    return bool(runs) and runs[0].status in (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)


@dg.sensor(
    jobs=[*DELIVERY_JOBS.values(), LAND_ONLY],
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Turns every new or changed file of the delivery folder into one run over what the file covers.",
)
def drive_sensor(context: dg.SensorEvaluationContext, source: SourceResource, lake: LakeResource) -> dg.SensorResult:
    """Decides, and keeps what it decided in the cursor."""
    watch = Watch.load(context.cursor)
    requests = decide(
        source.source,
        watch,
        failed=lambda key: _run_failed(context.instance, key),
        deliveries=lake.zone.deliveries,
        say=context.log.warning,
    )
    return dg.SensorResult(run_requests=requests, cursor=watch.dump())


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
    windows = blocks(stale_days(lake.lake, inputs))
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


def _busy(instance: dg.DagsterInstance) -> bool:
    since = datetime.now(tz=timezone.utc) - LONGEST_RUN
    return bool(instance.get_runs(dg.RunsFilter(statuses=_UNDER_WAY, created_after=since), limit=1))


def _tried(instance: dg.DagsterInstance, cause: str) -> int:
    return instance.get_runs_count(dg.RunsFilter(tags={_CAUSE: cause}))


SENSORS = [
    drive_sensor,
    dimensions_catch_up,
    gold_follows_dimensions,
    dg.AutomationConditionSensorDefinition(
        "dimensions_follow_releases",
        target=dg.AssetSelection.assets(["silver", "dim_providers"], ["silver", "dim_claims"]),
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Rebuilds a dimension when a release has come in.",
    ),
]
