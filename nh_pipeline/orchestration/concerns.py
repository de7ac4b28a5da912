"""What a person must know now: asked of Dagster's instance and of the lake, for alerts and ``nh alerts show``.

Not events but states, so that nothing is lost that happened while nobody could be told, and what is well again is seen.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, NamedTuple

import dagster as dg
from dagster._core.scheduler.instigation import TickStatus

from nh_pipeline.alerts.message import Concern
from nh_pipeline.domains import PROTECTED, domain_of
from nh_pipeline.errors import fault_in
from nh_pipeline.orchestration.checks import FRESH
from nh_pipeline.orchestration.events import NO_DELIVERY_HELD
from nh_pipeline.orchestration.partitions import RANGE_END, RANGE_START
from nh_pipeline.pipeline.plan import plan
from nh_pipeline.pipeline.status import last_checks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dagster._core.storage.dagster_run import RunRecord

    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.landing.zone import RawZone

LOOK_BACK = timedelta(days=7)
"""Failed runs that are older, and that nothing has made good, are no longer looked at."""

FAILED_TICKS = 3
"""So many ticks of a sensor or a schedule in a row have to fail: a source may be away for a moment."""

_MOST_RUNS = 200
_SHOWN = 3
_ENDED = [TickStatus.SUCCESS, TickStatus.SKIPPED, TickStatus.FAILURE]


class _Failure(NamedTuple):
    """Why a run failed, and what it did not materialize: of each asset a partition, or None where it has none."""

    why: str
    missing: dict[dg.AssetKey, str | None]


_FAILURES: dict[str, _Failure] = {}
"""By the id of the run, of which nothing changes any more. The latest that were read."""


def concerns(
    instance: dg.DagsterInstance, lake: Lake, zone: RawZone, keys: list[dg.AssetCheckKey], *, ui: str, warnings: bool
) -> list[Concern]:
    """All of them.

    Args:
        instance: knows runs, checks and ticks.
        lake: the lake.
        zone: its raw zone.
        keys: of the checks that exist.
        ui: address of the Dagster UI; empty for none.
        warnings: whether checks that only warn count. That the next delivery is late always does.
    """
    found = [*_failed_runs(instance, ui), *_failing_ticks(instance, ui), *_set_aside(lake, zone)]
    for check in last_checks(instance, keys):
        if check.passed or check.check == NO_DELIVERY_HELD:  # which is told by delivery
            continue
        if warnings or check.severity == "ERROR" or check.check == FRESH:
            public = domain_of(check.asset.partition("/")[0]) not in PROTECTED
            found.append(
                Concern(
                    what=f"check {check.asset} {check.check}",
                    why=f"{check.found:,} found{f' ({check.description[:200]})' if public else ''}",
                    since=check.evaluated_at,
                    look=_look("nh status", ui, f"assets/{check.asset}?view=checks"),
                )
            )
    return found


def _look(command: str, ui: str, page: str) -> str:
    return f"{command}; {ui.rstrip('/')}/{page}" if ui else command


def _failed_runs(instance: dg.DagsterInstance, ui: str) -> Iterator[Concern]:
    """Of each job and range of partitions the last run that failed, until what it left out is there."""
    since = datetime.now(tz=timezone.utc) - LOOK_BACK
    failed = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=since)
    latest: dict[str, RunRecord] = {}
    for record in instance.get_run_records(failed, limit=_MOST_RUNS):
        latest.setdefault(_named(record.dagster_run), record)
    for what, record in latest.items():
        failure = _failure(instance, record.dagster_run.run_id)
        if not _made_good(instance, record, failure):
            at, run_id = record.update_timestamp, record.dagster_run.run_id
            look = _look("nh status", ui, f"runs/{run_id}")
            yield Concern(what=what, why=failure.why, since=at, look=look, forgotten_at=at + LOOK_BACK)


def _named(run: dg.DagsterRun) -> str:
    job = "of chosen assets" if run.job_name.startswith("__") else run.job_name
    days = [run.tags[tag] for tag in (RANGE_START, RANGE_END) if tag in run.tags]
    return f"run {job} {' to '.join(dict.fromkeys(days))}".strip()


def _failure(instance: dg.DagsterInstance, run_id: str) -> _Failure:
    if run_id not in _FAILURES:
        _FAILURES[run_id] = _read(instance, run_id)
        while len(_FAILURES) > _MOST_RUNS:
            _FAILURES.pop(next(iter(_FAILURES)))
    return _FAILURES[run_id]


def _read(instance: dg.DagsterInstance, run_id: str) -> _Failure:
    kinds = dg.DagsterEventType
    of_type = {kinds.STEP_FAILURE, kinds.ASSET_MATERIALIZATION_PLANNED, kinds.ASSET_MATERIALIZATION}
    events = [e.get_dagster_event() for e in instance.all_logs(run_id, of_type=of_type)]
    done = {(e.asset_key, e.partition) for e in events if e.event_type is kinds.ASSET_MATERIALIZATION}
    missing: dict[dg.AssetKey, str | None] = {}
    for event in (e for e in events if e.event_type is kinds.ASSET_MATERIALIZATION_PLANNED):
        planned = event.asset_materialization_planned_data
        subset = planned.partitions_subset
        for partition in subset.get_partition_keys() if subset else [planned.partition]:
            if (planned.asset_key, partition) not in done:
                missing.setdefault(planned.asset_key, partition)
    steps = [_step(e) for e in events if e.event_type is kinds.STEP_FAILURE]
    more = f" and {len(steps) - _SHOWN} more" if len(steps) > _SHOWN else ""
    return _Failure(
        ", ".join(steps[:_SHOWN]) + more or "no step failed: its process was ended, or not started", missing
    )


def _step(event: dg.DagsterEvent) -> str:
    """The step, and the kind of its error."""
    error = event.step_failure_data.error
    cause = (error.cause or error) if error else None
    told = (fault_in(cause.message) or cause.cls_name) if cause else "failed"
    return f"{(event.step_key or '').replace('__', '/')}: {told}"


def _made_good(instance: dg.DagsterInstance, record: RunRecord, failure: _Failure) -> bool:
    """Whether all that a run left out was materialized since; of a run without assets, whether its job succeeded."""
    if not failure.missing:
        job = record.dagster_run.job_name
        after = record.create_timestamp
        succeeded = dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.SUCCESS], created_after=after)
        return bool(instance.get_runs(succeeded, limit=1))
    ended = record.update_timestamp.timestamp()
    return all(
        instance.fetch_materializations(
            dg.AssetRecordsFilter(key, asset_partitions=[partition] if partition else None, after_timestamp=ended),
            limit=1,
        ).records
        for key, partition in failure.missing.items()
    )


def _failing_ticks(instance: dg.DagsterInstance, ui: str) -> Iterator[Concern]:
    """Sensors and schedules that fail: nothing that they start is started."""
    for state in instance.all_instigator_state() if instance.schedule_storage else []:  # one in memory has none
        origin, selector = state.instigator_origin_id, state.selector_id
        ticks = instance.get_ticks(origin, selector, limit=FAILED_TICKS, statuses=_ENDED)
        if len(ticks) == FAILED_TICKS and all(tick.is_failure for tick in ticks):
            error = ticks[0].error
            cause = (error.cause or error) if error else None
            yield Concern(
                what=f"{state.instigator_type.value.lower()} {state.instigator_name}",
                why=f"its ticks fail ({cause.cls_name if cause else 'unknown'})",
                since=datetime.fromtimestamp(ticks[-1].timestamp, tz=timezone.utc),
                look=_look("nh ui", ui, "automation"),
            )


def _set_aside(lake: Lake, zone: RawZone) -> Iterator[Concern]:
    """Deliveries that are held or were refused, and files in quarantine. Of an unknown file, nothing of it is told."""
    landed = {d.delivery_id: d.manifest.landed_at for d in zone.deliveries()}
    for dataset, statuses in plan(lake, zone).deliveries.items():
        for s in (s for s in statuses if s.state in ("held", "refused")):
            short = s.delivery_id[:12]
            lines = f", {s.lines_refused:,} of its {s.lines:,} lines refused" if s.lines_refused else ""
            yield Concern(
                what=f"delivery of {dataset}, {s.coverage}, {short}",
                why=f"{s.state}{lines}",
                since=landed[s.delivery_id],
                look=f"nh quarantine show {short}",
            )
    for q in zone.quarantined():
        yield Concern(
            what=f"file {q.md5[:12]} of {q.size:,} bytes",
            why=f"in quarantine, came from {q.source}",
            since=q.landed_at,
            look=f"nh quarantine show {q.md5[:12]}",
        )
