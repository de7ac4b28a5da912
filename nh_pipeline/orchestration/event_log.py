"""Dagster's event log, which writes the events of a range of days in one transaction.

A run over a quarter reports every asset for each of its 91 days, twice. Dagster hands such events over as a batch (if
``DAGSTER_EVENT_BATCH_SIZE`` says so), but its SQLite storage takes a batch apart and commits each event several times,
and its Postgres storage does so with events of what is planned (:mod:`.event_log_postgres`). The one in SQLite also
opens and closes a database for each, which is most of what a small run takes: here the databases stay open.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster._core.events import ASSET_EVENTS
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log import SqlEventLogStorage, SqliteEventLogStorage
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import serialize_value
from sqlalchemy import create_engine, event
from sqlalchemy.pool import QueuePool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dagster import EventLogEntry
    from dagster._serdes import ConfigurableClassData
    from sqlalchemy import Connection, Engine

BATCH_SIZE = 1000
"""Events written at once, at most."""

OPEN = 4
"""Databases that stay open, at most: the index of all runs, and those of the runs last asked for."""


class BatchingEventLogStorage(SqlEventLogStorage):
    """What batches have in common in all databases."""

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Stores events of one run, as :meth:`store_event` would one by one."""
        of_assets = [e for e in events if e.is_dagster_event and e.dagster_event_type in ASSET_EVENTS]
        if of_assets:
            self._store_asset_events(of_assets)
        for one in events:
            if not (one.is_dagster_event and one.dagster_event_type in ASSET_EVENTS):
                self.store_event(one)

    def _store_asset_check_evaluation_planned(self, event: EventLogEntry, event_id: int | None) -> None:
        # Dagster's own writes the event as text for each day anew, and a statement as long as there are days.
        planned: Any = event.get_dagster_event().event_specific_data
        row = {
            "asset_key": planned.asset_key.to_string(),
            "check_name": planned.check_name,
            "run_id": event.run_id,
            "execution_status": AssetCheckExecutionRecordStatus.PLANNED.value,
            "evaluation_event": serialize_value(event),
            "evaluation_event_timestamp": self._event_insert_timestamp(event),  # type: ignore[no-untyped-call]
            "evaluation_event_storage_id": event_id,
        }
        days = planned.partitions_subset.get_partition_keys() if planned.partitions_subset else [None]
        with self.index_connection() as connection:
            connection.execute(AssetCheckExecutionsTable.insert(), [{**row, "partition": day} for day in days])

    @abstractmethod
    def _store_asset_events(self, events: Sequence[EventLogEntry]) -> None:
        """Stores events of one run that are about assets."""

    def _store_of_assets(self, connection: Connection, events: Sequence[EventLogEntry], ids: list[int]) -> None:
        """What is kept by asset, beside the events with these ids."""
        self._store_asset_event_tags(connection, events, ids)
        # Of several events of an asset its row keeps the last one.
        last = {e.get_dagster_event().asset_key: (e, i) for e, i in zip(events, ids, strict=True)}
        for one, event_id in last.values():
            self._store_asset_event(connection, one, event_id)


class BatchingSqliteEventLogStorage(BatchingEventLogStorage, SqliteEventLogStorage):
    """SQLite event log with batches and open databases; on disk it is what Dagster's own leaves."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: dict[str, Engine] = {}  # of shards, the one used last at the end
        super().__init__(base_dir, inst_data)

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> BatchingSqliteEventLogStorage:
        """From ``dagster.yaml``; the inherited one makes an instance of its own class."""
        return cls(inst_data=inst_data, **config_value)

    def dispose(self) -> None:
        """Closes the databases, when nobody follows runs any more; whoever asks later opens them again."""
        super().dispose()
        with self._db_lock:
            while self._engines:
                self._engines.popitem()[1].dispose()

    def delete_events(self, run_id: str) -> None:
        """Removes the events of a run, with its file, which Dagster's own would leave; unless somebody has it open."""
        super().delete_events(run_id)
        with self._db_lock:
            if engine := self._engines.pop(run_id, None):
                engine.dispose()
            self._initialized_dbs.discard(run_id)
            file = Path(self.path_for_shard(run_id))
            if not file.with_name(f"{file.name}-wal").exists():
                file.unlink(missing_ok=True)

    def wipe(self) -> None:
        """Removes all events, with the files of the runs."""
        self.dispose()
        super().wipe()

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection:
                database: Any = connection.connection.dbapi_connection
                before = database.total_changes
                with connection.begin():
                    yield connection
                changed = database.total_changes != before
            if changed:  # the webserver follows a run by its file, to which SQLite seldom writes while it is open
                os.utime(self.path_for_shard(shard))

    def _engine(self, shard: str) -> Engine:
        """One connection to a shard; the lock sees to it that one thread uses it at a time."""
        engine = self._engines.pop(shard, None)
        if engine is None:
            options = {"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False}
            engine = create_engine(
                self.conn_string_for_shard(shard), poolclass=QueuePool, pool_size=1, connect_args=options
            )
            event.listen(engine, "connect", _without_waiting_for_the_disk)
        self._engines[shard] = engine
        if len(self._engines) > OPEN:
            self._engines.pop(next(iter(self._engines))).dispose()
        return engine

    def _store_asset_events(self, events: Sequence[EventLogEntry]) -> None:
        inserts = [self.prepare_insert_event(one) for one in events]
        with self.run_connection(events[0].run_id) as connection:
            for insert in inserts:
                connection.execute(insert)
        with self.index_transaction() as connection:
            ids = [int(connection.execute(i).inserted_primary_key[0]) for i in inserts]  # type: ignore[index]  # has one
            self._store_of_assets(connection, events, ids)


def _without_waiting_for_the_disk(database: Any, _: object) -> None:
    """Without power, the last events may be lost, and nothing else: what is in the lake, the lake says itself."""
    database.execute("pragma synchronous = normal")
