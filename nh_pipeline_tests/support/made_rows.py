"""Tables of hand-made rows in a DuckDB, with the columns that the lake's tables have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb

from nh_pipeline.tables import table, tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def every_table() -> duckdb.DuckDBPyConnection:
    """A DuckDB with all tables of a lake, and no rows."""
    db = duckdb.connect()
    for each in tables():
        rows_of(db, each.name, ())
    return db


def rows_of(db: duckdb.DuckDBPyConnection, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Makes the table ``name`` as it is declared, with these rows; NULL where they say nothing."""
    columns = ", ".join(f'"{column.name}" {column.type.sql}' for column in table(name).columns)
    db.execute(f"create schema if not exists {name.partition('.')[0]}")
    db.execute(f"create table {name} ({columns})")
    for row in rows:
        names = ", ".join(f'"{column}"' for column in row)
        db.execute(f"insert into {name} ({names}) values ({', '.join('?' * len(row))})", list(row.values()))
