"""What Dagster keeps of runs, schedules and sensors: old ones are deleted, on SQLite and on Postgres.

A run stays, however old, that made the last materialization of a partition or asset, or the last result of a check:
the UI shows what there is, and automation counts on it.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

import dagster as dg
from dagster._core.scheduler.instigation import InstigatorState, TickStatus
from dagster._core.storage.dagster_run import FINISHED_STATUSES
from dagster._core.storage.event_log import SqlEventLogStorage
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, SqlEventLogStorageTable
from dagster._core.storage.legacy_storage import LegacyEventLogStorage
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from sqlalchemy import ColumnElement, Select, Table, delete, func, select

_ENDED_TICKS = [status for status in TickStatus if status is not TickStatus.STARTED]


def sweep_runs(instance: dg.DagsterInstance, *, older_than: timedelta) -> list[str]:
    """Deletes runs that ended so long ago, with their events and output; returns their ids."""
    before = datetime.now(tz=timezone.utc) - older_than
    old = instance.get_run_ids(dg.RunsFilter(statuses=list(FINISHED_STATUSES), updated_before=before))
    events = _events(instance) if old else None
    if events is None:
        return []
    shown = _shown(events)
    gone = [run_id for run_id in old if run_id not in shown]
    for run_id in gone:  # the run itself last: killed before, it is found again
        with events.index_connection() as connection:  # Dagster would leave these
            connection.execute(delete(AssetCheckExecutionsTable).where(AssetCheckExecutionsTable.c.run_id == run_id))
        instance.compute_log_manager.delete_logs(prefix=[run_id])
        instance.event_log_storage.delete_events(run_id)
        instance.run_storage.delete_run(run_id)
    return gone


def sweep_ticks(instance: dg.DagsterInstance, *, older_than: timedelta) -> None:
    """Deletes what schedules and sensors have noted, and logged, of their evaluations so long ago.

    Of most evaluations, several a minute, Dagster leaves an empty file: these are kept for a day.
    """
    now = datetime.now(tz=timezone.utc)
    before, yesterday = (now - older_than).timestamp(), (now - timedelta(days=1)).timestamp()
    for state in instance.all_instigator_state() if instance.schedule_storage else ():
        instance.purge_ticks(state.instigator_origin_id, state.selector_id, before, _ENDED_TICKS)
        for file in _logs(instance, state):
            found = file.stat()
            if found.st_mtime < (before if found.st_size else yesterday):
                file.unlink()


def _logs(instance: dg.DagsterInstance, state: InstigatorState) -> Iterator[Path]:
    """The files in which a sensor or schedule logs, one for each evaluation, where that is a folder."""
    logs = instance.compute_log_manager
    if isinstance(logs, LocalComputeLogManager):
        key = [state.origin.repository_origin.repository_name, state.instigator_name, "0"]
        yield from Path(logs.get_captured_local_path(key, "err")).parent.glob("*.err")


def _events(instance: dg.DagsterInstance) -> SqlEventLogStorage | None:
    """Where events are; None if that is no database."""
    found = instance.event_log_storage
    if isinstance(found, LegacyEventLogStorage):  # runs, events and schedules in one
        found = found._storage.event_log_storage  # noqa: SLF001 (there is no other way to it)
    return found if isinstance(found, SqlEventLogStorage) else None


def _shown(events: SqlEventLogStorage) -> set[str]:
    """Runs of the last materialization of each partition, and of the last result of each check."""
    log, checks = SqlEventLogStorageTable, AssetCheckExecutionsTable
    made = log.c.dagster_event_type == dg.DagsterEventType.ASSET_MATERIALIZATION.value
    with events.index_connection() as connection:
        found = [
            *connection.execute(_of_last(log, log.c.asset_key, log.c.partition, where=[made])),
            *connection.execute(_of_last(checks, checks.c.asset_key, checks.c.check_name)),
        ]
    return {row[0] for row in found}


def _of_last(table: Table, *by: ColumnElement[str], where: Sequence[ColumnElement[bool]] = ()) -> Select[tuple[str]]:
    """The runs of the last rows of a table, by what they are about."""
    last = select(func.max(table.c.id)).where(*where).group_by(*by)
    return select(table.c.run_id).where(table.c.id.in_(last)).distinct()
