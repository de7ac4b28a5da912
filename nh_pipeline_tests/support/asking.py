"""Asking a DuckDB of hand-made tables as pages ask a lake."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboard.asking import frame

if TYPE_CHECKING:
    import duckdb

    from dashboard.asking import Ask


def asking(db: duckdb.DuckDBPyConnection) -> Ask:
    """Answers from the tables of ``db``."""
    return lambda sql, *parameters: frame(db.sql(sql, params=list(parameters)).to_arrow_table())
