"""Dagster's event log in SQLite, which writes the events of a range of days in one transaction.

A run over a quarter reports every asset for each of its 91 days, twice. Dagster hands such events over as a batch (if
``DAGSTER_EVENT_BATCH_SIZE`` says so), but its SQLite storage takes a batch apart and commits each event several times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dagster._core.events import ASSET_EVENTS
from dagster._core.storage.event_log import SqliteEventLogStorage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dagster import EventLogEntry
    from dagster._serdes import ConfigurableClassData

BATCH_SIZE = 1000
"""Events written at once, at most."""


class BatchingSqliteEventLogStorage(SqliteEventLogStorage):
    """SQLite event log with batches; on disk it is what Dagster's own leaves."""

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> BatchingSqliteEventLogStorage:
        """From ``dagster.yaml``; the inherited one makes an instance of its own class."""
        return cls(inst_data=inst_data, **config_value)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Stores events of one run, as :meth:`store_event` would one by one."""
        of_assets = [e for e in events if e.is_dagster_event and e.dagster_event_type in ASSET_EVENTS]
        if of_assets:
            self._store_asset_events(of_assets)
        for event in events:
            if not (event.is_dagster_event and event.dagster_event_type in ASSET_EVENTS):
                self.store_event(event)

    def _store_asset_events(self, events: Sequence[EventLogEntry]) -> None:
        inserts = [self.prepare_insert_event(event) for event in events]
        with self.run_connection(events[0].run_id) as connection:
            for insert in inserts:
                connection.execute(insert)
        with self.index_transaction() as connection:
            ids = [int(connection.execute(i).inserted_primary_key[0]) for i in inserts]  # type: ignore[index]  # has one
            self._store_asset_event_tags(connection, events, ids)
            # Of several events of an asset its row keeps the last one.
            last = {e.get_dagster_event().asset_key: (e, i) for e, i in zip(events, ids, strict=True)}
            for event, event_id in last.values():
                self._store_asset_event(connection, event, event_id)
