"""SQL over the current snapshots, with DuckDB: every table as a view ``layer.table``, and the views for reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.lake.duck import reading
from nh_pipeline.queries.views import SCHEMA, VIEWS
from nh_pipeline.tables import tables

if TYPE_CHECKING:
    import duckdb

    from nh_pipeline.lake.lake import Lake


def connect(lake: Lake) -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB with a view for each table of the lake, pinned to its current snapshot.

    A table that does not exist yet, or is empty, is a view with its columns and no rows.
    """
    db = reading(lake, {table.name: (table, lake.snapshot(table)) for table in tables()})
    db.execute(f"create schema {SCHEMA}")
    for view in VIEWS:
        db.execute(view.statement)
    return db
