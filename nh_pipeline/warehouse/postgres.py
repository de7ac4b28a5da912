"""How rows get into Postgres: batches of Arrow, as CSV, through COPY."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq
from sqlglot import exp

from nh_pipeline.warehouse.definition import identifiers, kind, name, temporary

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.lake.snapshots import TableSnapshot
    from nh_pipeline.model.table import Table
    from nh_pipeline.warehouse.connection import Session

_BATCH = 20_000
"""Rows that are in memory at once."""


def staged(session: Session, lake: Lake, table: Table, snapshot: TableSnapshot) -> list[exp.Select]:
    """Copies the rows of a snapshot into a temporary table; what selects them, with the columns of the declaration.

    A column that the table gained after a file was written is NULL in its rows.
    """
    stage = name("stage")
    session.run(temporary(stage, {column.name: kind(column) for column in table.columns}))
    for file in snapshot.files:
        with lake.open(file.path) as source:
            parquet = pq.ParquetFile(source)
            there = [column for column in table.names if column in parquet.schema_arrow.names]
            schema = table.arrow.empty_table().select(there).schema
            batches = parquet.iter_batches(_BATCH, columns=there)
            _copy(session, stage, there, _Csv(batch.select(there).cast(schema) for batch in batches))
    return [exp.select(*identifiers(table.names)).from_(stage)]


def _copy(session: Session, stage: exp.Table, columns: list[str], rows: _Csv) -> None:
    listed = ", ".join(identifier.sql(dialect=session.dialect) for identifier in identifiers(columns))
    into = f"copy {stage.sql(dialect=session.dialect)} ({listed}) from stdin (format csv, encoding 'UTF8')"
    try:
        session.cursor.copy_expert(into, rows, size=1 << 16)
    except Exception:
        if rows.fault:
            raise rows.fault from None
        raise


class _Csv:
    """Batches as a stream of CSV: texts are in quotes, also empty ones; between two commas there is NULL.

    Attributes:
        fault: what ended the reading; the driver would tell it as an error of the server's.
    """

    def __init__(self, batches: Iterable[pa.RecordBatch]) -> None:
        self.fault: Exception | None = None
        self._chunks = filter(None, map(_csv, batches))
        self._rest = memoryview(b"")

    def read(self, size: int) -> bytes:
        try:
            self._rest = self._rest or memoryview(next(self._chunks, b""))
        except Exception as error:
            self.fault = error
            raise
        taken, self._rest = self._rest[:size], self._rest[size:]
        return bytes(taken)


def _csv(batch: pa.RecordBatch) -> bytes:
    written = io.BytesIO()
    arrow_csv.write_csv(batch, written, arrow_csv.WriteOptions(include_header=False, quoting_style="all_valid"))
    return written.getvalue()
