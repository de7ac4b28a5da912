"""Pinned files in DuckDB: on disk by its own reader, on S3 by Arrow's (DuckDB's would be an extension to download)."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import duckdb
import pyarrow.dataset as ds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.lake.snapshots import TableSnapshot
    from nh_pipeline.model.table import Table as Contract


@cache
def _shared() -> duckdb.DuckDBPyConnection:
    """The process's database: to make one takes longer than most questions. Of files it keeps nothing in memory."""
    return duckdb.connect(config={"enable_external_file_cache": "false"})


def reading(
    lake: Lake, views: Mapping[str, tuple[Contract, TableSnapshot]], db: duckdb.DuckDBPyConnection | None = None
) -> duckdb.DuckDBPyConnection:
    """A connection to DuckDB with a view of its own for each snapshot, by name: ``t``, ``old``.

    Columns are found by their names; only those that a query asks for are read. A snapshot without files is a view
    with the contract's columns and no rows. Settings are only for who brings a database (``db``): the process's is
    shared by others. So would be views with names like ``layer.table``, which get a database of their own.
    """
    db = db or (duckdb.connect() if any("." in name for name in views) else _shared().cursor())
    for name, (contract, snapshot) in views.items():
        layer, _, table = name.rpartition(".")
        if layer:
            db.execute(f"create schema if not exists {layer}")
        select = _select(db, lake, contract, snapshot, f"{layer}_{table}_files")
        db.execute(f"create {'' if layer else 'temp '}view {name} as {select}")
    return db


def _select(db: duckdb.DuckDBPyConnection, lake: Lake, contract: Contract, snapshot: TableSnapshot, files: str) -> str:
    if not snapshot.files:
        columns = ", ".join(f'cast(null as {c.type.sql}) as "{c.name}"' for c in contract.columns)
        return f"select {columns} where false"
    if lake.storage.local:
        # No columns from folder names: files are the truth, their folders are not.
        listed = ", ".join("'" + lake.readable(path).replace("'", "''") + "'" for path in snapshot.paths)
        source = f"read_parquet([{listed}], union_by_name=true, hive_partitioning=false)"
        found = {row[0] for row in db.execute(f"describe select * from {source}").fetchall()}
        # A column that the contract gained, and that no file has yet: its rows are stale, and can be read all the same.
        gained = (c for c in contract.columns if c.name not in found)
        nulls = (f', cast(null as {c.type.sql}) as "{c.name}"' for c in gained)
        return f"select *{''.join(nulls)} from {source}"
    paths = [lake.storage.path(lake.relative(path)) for path in snapshot.paths]
    db.register(files, ds.dataset(paths, schema=contract.arrow, format="parquet", filesystem=lake.storage.fs))
    return f"select * from {files}"
