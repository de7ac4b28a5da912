"""Dagster's event log in Postgres, which writes the events of a range of days at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster_postgres import PostgresEventLogStorage
from dagster_postgres.utils import pg_url_from_config

from nh_pipeline.orchestration.event_log import BatchingEventLogStorage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dagster import EventLogEntry
    from dagster._serdes import ConfigurableClassData


class BatchingPostgresEventLogStorage(BatchingEventLogStorage, PostgresEventLogStorage):
    """Postgres event log with batches; in the database it is what Dagster's own leaves."""

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> BatchingPostgresEventLogStorage:
        """From ``dagster.yaml``; the inherited one makes an instance of its own class."""
        return cls(pg_url_from_config(config_value), inst_data=inst_data)

    def _store_asset_events(self, events: Sequence[EventLogEntry]) -> None:
        inserts = self.prepare_insert_event_batch(events).returning(SqlEventLogStorageTable.c.id)
        with self.run_connection() as connection:  # committed at once: who follows events goes by their ids
            ids = [int(row[0]) for row in connection.execute(inserts)]
        with self.index_transaction() as connection:
            self._store_of_assets(connection, events, ids)
