"""The drive sensor: a dropped file becomes one run over what the file covers.

The decision is a plain function (tested without a daemon); the sensor is its thin shell.
"""

import json
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import NamedTuple

import dagster as dg

from nh_pipeline import datasets
from nh_pipeline.landing.manifest import Delivery
from nh_pipeline.landing.receiving import md5_of
from nh_pipeline.landing.refused import Refused
from nh_pipeline.landing.selection import recognised
from nh_pipeline.landing.source_state import SourceState
from nh_pipeline.orchestration.attempts import ATTEMPT_TAG, Tried
from nh_pipeline.orchestration.jobs import LAND_ONLY, delivery_job
from nh_pipeline.orchestration.partitions import partitions_of_file, range_tags
from nh_pipeline.orchestration.resources import LakeResource, SourceResource
from nh_pipeline.pipeline.plan import plan
from nh_pipeline.sources.protocol import Source, SourceFile, SourceUnavailable

SETTLED_SECONDS = 10
"""A file that was changed so lately may still be growing, and waits for the next tick."""

TICK_SECONDS = 40.0
"""Time budget of a tick; Dagster ends a tick after 60 s."""


class LastRequest(NamedTuple):
    """What was last requested for a file; ``seen`` is its version now, if it was touched since."""

    version: str
    attempt: int
    seen: str


@dataclass
class SensorState:
    """What the drive sensor knows (its cursor): file id to what was requested."""

    requested: dict[str, LastRequest] = field(default_factory=dict)

    @classmethod
    def load(cls, cursor: str | None) -> "SensorState":
        return cls({k: LastRequest(*v) for k, v in json.loads(cursor).items()} if cursor else {})

    def dump(self) -> str:
        return json.dumps(self.requested, sort_keys=True)


def run_key(file_id: str, version: str, attempt: int) -> str:
    """One run per file version and attempt, for ever."""
    return f"{file_id}:{version}:{attempt}"


def request(source: Source, file: SourceFile, attempt: int) -> dg.RunRequest:
    """The run that a file asks for: its dataset's job over its range, or landing alone.

    A file that becomes no table (yet), or that will end in quarantine, is landed by a job of its own: downloading is no
    work for a sensor.
    """
    job, op = LAND_ONLY.name, "land"
    tags = {"nh/file": file.name[:60], ATTEMPT_TAG: str(attempt)}
    with suppress(Refused):
        found = recognised(source, file)
        dataset, start, end = datasets.dataset(found.dataset), found.coverage.start, found.coverage.end
        if dataset.has_tables:
            job, op = delivery_job(dataset.name), f"raw__{dataset.name}"
            if partitions_of_file(dataset) is not None and start and end:
                start, end = (start.replace(day=1),) * 2 if found.coverage.kind == "release" else (start, end)
                tags |= range_tags(start, end)
    config = {"ops": {op: {"config": {"file_ids": [file.file_id]}}}}
    return dg.RunRequest(run_key(file.file_id, file.version, attempt), job_name=job, tags=tags, run_config=config)


def next_attempt(
    source: Source,
    file: SourceFile,
    last: LastRequest | None,
    failed: Callable[[str], datetime | None],
    deliveries: Callable[[], Iterable[Delivery]],
) -> int | None:
    """Which attempt a file asks for now: 1 for a new content, more for one whose run failed, None for nothing.

    A file that only looks changed, with a content that has landed, was touched: that is nothing, unless its run failed.
    """
    if last is None:
        return 1
    over_at = failed(run_key(file.file_id, last.version, last.attempt))
    if file.version not in (last.version, last.seen):
        # A version that is an md5 is another content; any other one may be the same content, touched.
        return 1 if over_at or file.md5 or not has_landed(source, file, deliveries()) else None
    return last.attempt + 1 if over_at and Tried(last.attempt, over_at).is_due() else None


def plan_requests(
    source: Source,
    watch: SensorState,
    *,
    failed: Callable[[str], datetime | None],
    deliveries: Callable[[], Iterable[Delivery]],
    files: Sequence[SourceFile] | None = None,
    seconds: float = TICK_SECONDS,
    say: Callable[[str], object] = lambda _: None,
) -> list[dg.RunRequest]:
    """The runs to request now. What does not fit into the time waits, as does a file that cannot be read: that is said.

    The source is asked what it holds, unless ``files`` tells; ``watch`` is brought up to date; ``failed`` says when the
    run of a run key ended without success.

    Raises:
        SourceUnavailable: the source cannot be listed: that is no empty folder.
    """
    deadline = time.monotonic() + seconds
    files = source.changes(None).files if files is None else files
    requests: list[dg.RunRequest] = []
    for file in files:
        if time.monotonic() > deadline:
            say(f"out of time: {file.name} and what follows wait for the next tick")
            break
        if _may_grow(file):
            say(f"{file.name} was changed within the last {SETTLED_SECONDS} s: it waits for the next tick")
            continue
        last = watch.requested.get(file.file_id)
        try:
            attempt = next_attempt(source, file, last, failed, deliveries)
            if attempt is not None:
                requests.append(request(source, file, attempt))
                watch.requested[file.file_id] = LastRequest(file.version, attempt, file.version)
            elif last is not None:
                watch.requested[file.file_id] = last._replace(seen=file.version)
        except SourceUnavailable as error:
            say(str(error))
    present = {file.file_id for file in files}
    watch.requested = {k: v for k, v in watch.requested.items() if k in present}
    return requests


def _may_grow(file: SourceFile) -> bool:
    """Whether a file may still be written; not where the source knows its md5, nor by a clock that is ahead of ours."""
    age = (datetime.now(tz=timezone.utc) - file.modified_at).total_seconds()
    return file.md5 is None and 0 <= age < SETTLED_SECONDS


def has_landed(source: Source, file: SourceFile, deliveries: Iterable[Delivery]) -> bool:
    """Whether the content of a file of unknown md5 has landed; reads the file only if a delivery of its size has."""
    contents = [content for d in deliveries for content in (d.manifest, d.manifest.archive) if content]
    alike = {content.md5 for content in contents if content.size == file.size}
    if not alike:
        return False
    return md5_of(lambda out: source.download(file, out)) in alike


def held_now(source: Source, state: SourceState, say: Callable[[str], object]) -> list[SourceFile]:
    """All that an authoritative source holds: what was known of it, and its changes since.

    The cursor moves on if everything has landed; else the same changes are told again the next time.

    Raises:
        SourceUnavailable: the source cannot be listed; nothing was changed.
    """
    changes = source.changes(state.cursor)
    state.see(changes)
    state.save(changes.cursor)
    for unusable in changes.unusable:
        say(f"{unusable.name} cannot be delivered: {unusable.reason}")
    return state.files


def settled_files(lake: LakeResource) -> frozenset[str]:
    """Files whose last landed content a guard has stopped: to run them again would come to the same."""
    stopped = {s.delivery_id for s in plan(lake.lake, lake.zone).not_counting if s.state in ("held", "refused")}
    last: dict[str, Delivery] = {}
    for delivery in sorted(lake.zone.deliveries(), key=lambda d: d.manifest.landed_at):
        if delivery.manifest.archive is None:  # the run of an archive only lands it
            last[delivery.manifest.file_id] = delivery
    return frozenset(file_id for file_id, delivery in last.items() if delivery.delivery_id in stopped)


def _run_failed(instance: dg.DagsterInstance, key: str, waiting: frozenset[str]) -> datetime | None:
    """When the run of a key ended that left something to do; ``waiting`` are versions that have not landed."""
    records = instance.get_run_records(filters=dg.RunsFilter(tags={"dagster/run_key": key}), limit=1)
    status = records[0].dagster_run.status if records else None
    # One that succeeded leaves something to do if its file was away while it ran, and is back.
    left = status is dg.DagsterRunStatus.SUCCESS and key.rpartition(":")[0] in waiting
    failed = left or status in (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
    return records[0].update_timestamp if failed else None


def drive_sensor(context: dg.SensorEvaluationContext, source: SourceResource, lake: LakeResource) -> dg.SensorResult:
    """Decides, and keeps what it decided in the cursor."""
    started, watch, drop = time.monotonic(), SensorState.load(context.cursor), source.source
    files, waiting = None, frozenset[str]()
    if drop.authoritative:
        state = SourceState(lake.lake.storage, drop.name)
        files = held_now(drop, state, context.log.warning)
        waiting = frozenset(f"{file.file_id}:{file.version}" for file in state.pending())
    settled: list[frozenset[str]] = []

    def failed(key: str) -> datetime | None:
        over_at = _run_failed(context.instance, key, waiting)
        if over_at and not settled:  # looked up once a tick, and only if need be
            settled.append(settled_files(lake))
        return over_at if over_at and key.partition(":")[0] not in settled[0] else None

    requests = plan_requests(
        drop,
        watch,
        failed=failed,
        deliveries=lake.zone.deliveries,
        files=files,
        seconds=TICK_SECONDS - (time.monotonic() - started),
        say=context.log.warning,
    )
    return dg.SensorResult(run_requests=requests, cursor=watch.dump())
