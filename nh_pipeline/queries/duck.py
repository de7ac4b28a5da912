"""SQL over the current snapshots, with DuckDB: every table as a view ``layer.table``, and the views for reports."""

from __future__ import annotations

import re
import tempfile
import uuid
from typing import TYPE_CHECKING

import duckdb

from nh_pipeline.lake.duck import reading
from nh_pipeline.queries.views import selected_views
from nh_pipeline.tables import tables

if TYPE_CHECKING:
    from nh_pipeline.lake.duck import Snapshots
    from nh_pipeline.lake.lake import Lake

_READS = (duckdb.StatementType.SELECT, duckdb.StatementType.MULTI)  # the latter is PIVOT
_EXPLAIN = re.compile(r"\s*explain\s+(?:analyze\s+)?(?:\([^()]*\)\s*)?", re.IGNORECASE)


class NotReadingError(Exception):
    """A statement would do something else than read; the message says what can be asked."""


def pinned(lake: Lake) -> Snapshots:
    """Each table of the selected domains, by name, with its current snapshot."""
    known = tables()
    return {table.name: (table, snapshot) for table, snapshot in zip(known, lake.snapshots(known), strict=True)}


def connect(lake: Lake, snapshots: Snapshots | None = None) -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB with a view for each table of the selected domains, of snapshots, or the current ones.

    A table that does not exist yet, or is empty, is a view with its columns and no rows. Of this machine's files it can
    open those of these snapshots, and of the network nothing.
    """
    snapshots = snapshots or pinned(lake)
    db = reading(lake, snapshots, duckdb.connect())
    for view in selected_views():
        db.execute(f"create schema if not exists {view.schema}")
        db.execute(view.statement)
    # Results that are too large spill there, not into the working directory; whatever is in it can be read, too.
    db.execute("set temp_directory = ?", [f"{tempfile.gettempdir()}/nh-query-{uuid.uuid4().hex}"])
    if lake.storage.local:
        paths = [lake.readable(path) for _, snapshot in snapshots.values() for path in snapshot.paths]
        db.execute("set allowed_paths = ?", [paths])
    for setting in (
        "parquet_metadata_cache = true",  # a file never changes
        "enable_progress_bar = false",  # of an interactive process, among the rows
        "python_enable_replacements = false",
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        db.execute(f"set {setting}")
    return db


def ask(db: duckdb.DuckDBPyConnection, sql: str, parameters: object = None) -> duckdb.DuckDBPyRelation | None:
    """What a query has for an answer, not computed yet; None if it is empty.

    Raises:
        NotReadingError: it does something else than read, which would be of no effect on the lake.
        duckdb.Error: it is wrong.
    """
    for statement in db.extract_statements(sql):
        kinds = [statement.type]
        if statement.type == duckdb.StatementType.EXPLAIN:
            kinds = [inner.type for inner in db.extract_statements(_EXPLAIN.sub("", statement.query, count=1))]
        for kind in kinds:
            if kind not in _READS:
                raise NotReadingError(
                    f"{kind.name} is not carried out: tables are read here, and written by builds alone. Expected a "
                    "SELECT (also FROM, VALUES, DESCRIBE, SHOW, SUMMARIZE, EXPLAIN)"
                )
    return db.sql(sql, params=parameters)
