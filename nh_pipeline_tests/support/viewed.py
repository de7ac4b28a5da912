"""Views for reports on rows that a test says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import sqlglot

from nh_pipeline.queries.views import ENGINES, translated

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nh_pipeline.model.table import Table
    from nh_pipeline.queries.view import View


def asked(view: View, rows: Mapping[Table, Iterable[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """The view's rows over tables with these; what other engines get, read back from their dialects, gives the same."""
    db = duckdb.connect()
    for table, said in rows.items():
        full = [{name: row.get(name) for name in table.names} for row in said]
        db.register("rows", pa.Table.from_pylist(full, table.arrow))
        db.execute(f"create schema if not exists {table.database}")
        db.execute(f"create table {table.name} as from rows")
    ordered = "select * from ({}) order by all"
    found: list[dict[str, Any]] = db.sql(ordered.format(view.query)).to_arrow_table().to_pylist()
    for engine in ENGINES:
        back = sqlglot.transpile(translated(view.query, engine), read=engine, write="duckdb")[0]
        assert db.sql(ordered.format(back)).to_arrow_table().to_pylist() == found, engine
    return found
