"""``etl_tracker``: what each step from the treatment system to its tables made of what it got, as identities.

A count that is compared with itself says nothing. So each term is counted where it is: lines by landing, rows, keys and
sums in the tables. A step is a match if what is at its source is at its destination, or has another place that is told.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from nh_pipeline.lake.duck import reading
from nh_pipeline.marts.treatments.steps import LANDED, STEPS
from nh_pipeline.pipeline.exports import Exports
from nh_pipeline.tables import told_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import duckdb
    from pyiceberg.table import Table as IcebergTable

    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.lake.refusals import Refusal
    from nh_pipeline.lake.snapshots import TableSnapshot
    from nh_pipeline.marts.treatments.steps import Step
    from nh_pipeline.model.table import Table


def rows(  # noqa: PLR0917 (what it tells of)
    lake: Lake,
    built: Table,
    loaded: Mapping[str, IcebergTable | None],
    found: Iterable[object],
    refusals: Iterable[Refusal],
    run_id: str,
    before: TableSnapshot,
) -> Iterator[dict[str, Any]]:
    """The rows of a run; none while nothing has landed.

    Args:
        lake: As it is looked at.
        built: The tracker.
        loaded: All tables, by name.
        found: The deliveries that it tells of.
        refusals: Builds that the gate withheld.
        run_id: The run that looks.
        before: The tracker as it is.
    """
    exports = [one for one in found if isinstance(one, Exports)]
    if not any(one.landed for one in exports):
        return
    known = {table.name: table for table in told_of(built)}
    withheld, now = {refusal.table for refusal in refusals}, datetime.now(timezone.utc)
    views = {name: (table, lake.snapshot(table)) for name, table in known.items()}
    with reading(lake, {**views, "told": (built, before)}) as db:
        last = dict(
            db.execute("select destination_table, max_by(snapshot_id, created_at) from told group by 1").fetchall()
        )
        for step in (step for step in STEPS if step.destination in known):
            at = _snapshot(loaded[step.destination])
            source, destination, explained = _counted(db, step, _landed(exports))
            status = "SUCCESS" if at is None or last.get(step.destination) != at[0] else "UNCHANGED"
            yield {
                "id": f"{run_id}:{step.source}:{step.destination}",
                "run_id": run_id,
                "source_layer": "raw" if step.source == LANDED else _layer(step.source),
                "destination_layer": _layer(step.destination),
                "source_table": step.source,
                "destination_table": step.destination,
                "status": "FAILED" if step.destination in withheld else status,
                "source_count": source,
                "destination_count": destination,
                "explained_count": explained,
                "reconciliation_status": "MATCH" if source == destination + explained else "MISMATCH",
                "told": step.told,
                "snapshot_id": at and at[0],
                "completion_timestamp": at and at[1],
                "created_at": now,
            }


def _counted(db: duckdb.DuckDBPyConnection, step: Step, landed: int) -> tuple[int, int, int]:
    sql = f"select {step.at_source}, {step.at_destination}, {step.explained}"
    found = db.execute(sql, {"landed": landed} if "$landed" in sql else None).fetchone()
    source, destination, explained = map(int, found or (0, 0, 0))
    return source, destination, explained


def _landed(exports: Iterable[Exports]) -> int:
    """Lines of the deliveries that count, as landing counted them."""
    return sum(status.lines for one in exports for status in one.statuses if status.state == "effective")


def _snapshot(table: IcebergTable | None) -> tuple[int, datetime] | None:
    """Id of a table's snapshot, and when it was published."""
    current = table.current_snapshot() if table else None
    if current is None:
        return None
    return current.snapshot_id, datetime.fromtimestamp(current.timestamp_ms / 1000, timezone.utc)


def _layer(table: str) -> str:
    return table.partition(".")[0].rpartition("_")[2]
