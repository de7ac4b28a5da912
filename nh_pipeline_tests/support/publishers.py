"""Writers of a small daily table, for tests of publishing: without an engine, and importable by other processes."""

from __future__ import annotations

import os
import uuid
from datetime import date
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from nh_pipeline.errors import LakeError
from nh_pipeline.lake.lake import Lake
from nh_pipeline.lake.publish import Published, Staged, find_staged, publish, staging_folder
from nh_pipeline.model.columns import count, text
from nh_pipeline.model.columns import date as date_column
from nh_pipeline.model.table import Partitioning, Table
from nh_pipeline.pipeline.context import with_recompute

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nh_pipeline.lake.snapshots import TableSnapshot

DAILY = Table(
    name="silver.daily",
    description="A daily table.",
    columns=(text("provider_id", "who"), date_column("work_date", "when"), count("census", "how many")),
    grain=("provider_id", "work_date"),
    partitioning=Partitioning(("work_date",), monthly=True),
    sort=("work_date", "provider_id"),
)
_SCHEMA = pa.schema([("provider_id", pa.string()), ("work_date", pa.date32()), ("census", pa.int32())])
Row = tuple[str, date, int]

APRIL: list[Row] = [("a", date(2024, 4, 1), 1), ("b", date(2024, 4, 1), 2), ("a", date(2024, 4, 30), 3)]
MAY: list[Row] = [("a", date(2024, 5, 31), 4)]


def stage(lake: Lake, rows: Iterable[Row], replaces: Iterable[str], contract: Table = DAILY) -> Staged:
    """Rows as an engine would stage them: sorted, a file per month."""
    folder = staging_folder(contract, uuid.uuid4().hex)
    by_month: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda r: (r[1], r[0])):
        by_month.setdefault(f"{row[1]:%Y-%m}", []).append(row)
    for month, held in by_month.items():
        table = pa.Table.from_pylist([dict(zip(_SCHEMA.names, r, strict=True)) for r in held], schema=_SCHEMA)
        with lake.storage.create(f"{folder}/partition={month}/part-0.parquet") as sink:
            pq.write_table(table, sink)
    return find_staged(lake, contract, folder, set(replaces))


def put(
    lake: Lake,
    rows: Iterable[Row],
    *months: str,
    base: TableSnapshot | None = None,
    inputs: Iterable[tuple[Table, TableSnapshot]] = (),
    contract: Table = DAILY,
    **properties: str,
) -> Published:
    """Makes rows the content of months."""
    snapshot = base or lake.snapshot(contract, months)
    staged = stage(lake, rows, months, contract)
    return publish(lake, contract, staged, base=snapshot, inputs=list(inputs), properties=properties)


def read(lake: Lake, snapshot: TableSnapshot | None = None, contract: Table = DAILY) -> list[Row]:
    found: list[Row] = []
    for file in (snapshot or lake.snapshot(contract)).files:
        with lake.open(file.path) as source:
            found += [tuple(row.values()) for row in pq.read_table(source).to_pylist()]
    return in_order(found)


def in_order(rows: Iterable[Row]) -> list[Row]:
    """As :func:`read` gives them."""
    return sorted(rows, key=lambda r: (r[1], r[0]))


_barrier: Any = None


def meet_at(barrier: Any, environment: Mapping[str, str] | None = None) -> None:
    """Where the publishers of this process wait for the others, and what is in its environment."""
    os.environ.update(environment or {})  # a fork server has the one of its first test
    global _barrier  # noqa: PLW0603 (set once in each process of a pool)
    _barrier = barrier


def add_days(root: str, options: Mapping[str, str], name: str, months: list[str], days: int) -> tuple[list[Row], int]:
    """Adds one row per day, each in a publish of its own: reads the month, adds to it, replaces it.

    Returns:
        The rows that were published, and how many publishes gave up.
    """
    lake, published, gave_up = Lake(root, dict(options)), [], 0
    _barrier.wait(60)
    for day in range(1, days + 1):
        for month in months:
            mine = (name, date.fromisoformat(f"{month}-{day:02d}"), day)

            def attempt(month: str = month, mine: Row = mine) -> Published:
                before = lake.snapshot(DAILY, [month])
                return put(lake, [*read(lake, before), mine], month, base=before)

            try:
                with_recompute(attempt)
                published.append(mine)
            except LakeError:
                gave_up += 1
    return published, gave_up
