"""Sensors: a dropped file becomes a run; changed dimension versions become a run over the days concerned.

The decisions are plain functions (tested without a daemon); the sensors are their thin shells.
"""

import hashlib
import io
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, BinaryIO, NamedTuple, cast

import dagster as dg

from nh_pipeline.assets.raw import recognised

from nh_pipeline.automation.jobs import DELIVERY_JOBS, LAND_ONLY, MEASURES
from nh_pipeline.landing.manifest import Delivery
from nh_pipeline.landing.refused import Refused
from nh_pipeline.partitions import range_tags
from nh_pipeline.resources import LakeResource, SourceResource
from nh_pipeline.sources.protocol import Source, SourceFile, SourceUnavailable
from nh_pipeline.steps.behind import GoldInputs, blocks, stale_days

TICK_SECONDS = 40.0
"""Time budget of a tick; Dagster ends a tick after 60 s."""

MOST_ATTEMPTS = 3
"""How often a run is tried for the same cause before a person has to look."""


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


def due(
    files: Iterable[SourceFile], watch: Watch, failed: Callable[[str], bool], touched: Callable[[SourceFile], bool]
) -> Iterable[tuple[SourceFile, int]]:
    """Files to request now: new contents, and those whose last attempt failed (up to three attempts).

    Args:
        files: everything that the source has.
        watch: what was requested before; a file that was only touched is noted in it.
        failed: whether the run of a run key ended without success.
        touched: whether a file that looks changed has a content that has landed.
    """
    for file in files:
        last = watch.requested.get(file.file_id)
        if last is None:
            yield file, 1
        elif failed(run_key(file.file_id, last.version, last.attempt)):
            if file.version not in (last.version, last.seen):
                yield file, 1
            elif last.attempt < MOST_ATTEMPTS:
                yield file, last.attempt + 1
        elif file.version not in (last.version, last.seen):
            if touched(file):
                watch.requested[file.file_id] = last._replace(seen=file.version)
            else:
                yield file, 1


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
def drive_sensor(
    context: dg.SensorEvaluationContext, source: SourceResource, lake: LakeResource
) -> dg.SensorResult:
    """A failed listing raises: it is not an empty folder. What does not fit into a tick waits for the next."""
    deadline, watch = time.monotonic() + TICK_SECONDS, Watch.load(context.cursor)
    drop = source.source
    listed = drop.changes(None).files

    def failed(key: str) -> bool:
        return _run_failed(context.instance, key)

    def touched(file: SourceFile) -> bool:
        return has_landed(drop, file, lake.zone.deliveries())

    requests: list[dg.RunRequest] = []
    for file in listed:
        if time.monotonic() > deadline:
            context.log.info("out of time: %s and what follows waits for the next tick", file.name)
            break
        try:
            for _, attempt in due([file], watch, failed, touched):
                requests.append(request(drop, file, attempt))
                watch.requested[file.file_id] = Requested(file.version, attempt, file.version)
        except SourceUnavailable as error:  # this file waits, the others do not
            context.log.warning("%s", error)
    present = {file.file_id for file in listed}
    watch.requested = {k: v for k, v in watch.requested.items() if k in present}
    return dg.SensorResult(run_requests=requests, cursor=watch.dump())


def window_requests(windows: Iterable[tuple[date, date]], inputs: GoldInputs) -> list[dg.RunRequest]:
    """One run of gold per contiguous window; the key names the states that gold is behind of."""
    state = f"{inputs.facts.snapshot_id}:{inputs.providers.snapshot_id}:{inputs.claims.snapshot_id}"
    return [
        dg.RunRequest(
            f"{start}..{end}:{state}", tags={**range_tags(start, end), "nh/why": "dimension versions changed"}
        )
        for start, end in windows
    ]


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
    busy = context.instance.get_runs(
        filters=dg.RunsFilter(
            statuses=[dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]
        ),
        limit=1,
    )
    if busy:
        return dg.SensorResult(skip_reason="other runs are in progress")
    inputs = GoldInputs.current(lake.lake)
    windows = blocks(stale_days(lake.lake, inputs))
    if not windows:
        return dg.SensorResult(skip_reason="gold is built from the current dimensions")
    return dg.SensorResult(run_requests=window_requests(windows, inputs))


SENSORS = [
    drive_sensor,
    gold_follows_dimensions,
    dg.AutomationConditionSensorDefinition(
        "dimensions_follow_releases",
        target=dg.AssetSelection.assets(["silver", "dim_providers"], ["silver", "dim_claims"]),
        default_status=dg.DefaultSensorStatus.RUNNING,
    ),
]
