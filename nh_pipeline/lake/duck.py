"""Pinned files in DuckDB: on disk by its own reader, on S3 by Arrow's (DuckDB's would be an extension to download)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

import duckdb
import pyarrow.dataset as ds

if TYPE_CHECKING:
    from collections.abc import Collection

    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.lake.snapshots import TableSnapshot
    from nh_pipeline.model.table import Table as Contract

Snapshots = Mapping[str, "tuple[Contract, TableSnapshot]"]
"""What views are of, by their names."""


@cache
def _shared() -> duckdb.DuckDBPyConnection:
    """The process's database: to make one takes longer than most questions. Of files it keeps nothing in memory."""
    return duckdb.connect(config={"enable_external_file_cache": "false"})


def reading(lake: Lake, views: Snapshots, db: duckdb.DuckDBPyConnection | None = None) -> duckdb.DuckDBPyConnection:
    """A connection to DuckDB with a view of its own for each snapshot, by name: ``t``, ``old``.

    Columns are found by their names; only those that a query asks for are read. A snapshot without files is a view
    with the contract's columns and no rows. Settings are only for who brings a database (``db``): the process's is
    shared by others. So would be views with names like ``layer.table``, which get a database of their own.
    """
    db = db or (duckdb.connect() if any("." in name for name in views) else _shared().cursor())
    reach(db, lake, views)
    made = {name: f"{'' if '.' in name else 'temp '}view {name}" for name in views}
    sources = {name: _source(lake, name, *of) for name, of in views.items()}
    for layer in {name.partition(".")[0] for name in views if "." in name}:
        db.execute(f"create schema if not exists {layer}")
    for name, view in made.items():
        db.execute(f"create {view} as select * from {sources[name]}")
    # What views have, DuckDB knows; to describe a query of files, it would open all of them once more. Asked once, as
    # it goes through all that it has.
    known = "select schema_name || '.' || table_name, list(column_name) from duckdb_columns() group by all"
    found = dict(db.execute(known).fetchall())
    for name, (contract, _) in views.items():
        # A column that the contract gained, and that no file has yet: its rows are stale, and can be read all the same.
        if gained := _nulls(contract, found[name if "." in name else f"main.{name}"]):
            db.execute(f"create or replace {made[name]} as select *, {gained} from {sources[name]}")
    return db


def reach(db: duckdb.DuckDBPyConnection, lake: Lake, views: Snapshots) -> None:
    """Lets a connection find the files of views on S3, with the credentials of now.

    A cursor needs it anew: of what its connection was given, it knows the views alone.
    """
    for name, (contract, snapshot) in {} if lake.storage.local else views.items():
        if paths := [lake.storage.path(lake.relative(path)) for path in snapshot.paths]:
            files = ds.dataset(paths, schema=contract.arrow, format="parquet", filesystem=lake.storage.fs)
            db.register(_files(name), files)


def _files(view: str) -> str:
    return f"{view.replace('.', '_')}_files"


def _source(lake: Lake, name: str, contract: Contract, snapshot: TableSnapshot) -> str:
    if not snapshot.files:
        return f"(select {_nulls(contract)} where false)"
    if lake.storage.local:
        # No columns from folder names: files are the truth, their folders are not.
        listed = ", ".join("'" + lake.readable(path).replace("'", "''") + "'" for path in snapshot.paths)
        return f"read_parquet([{listed}], union_by_name=true, hive_partitioning=false)"
    return _files(name)


def _nulls(contract: Contract, but: Collection[str] = ()) -> str:
    return ", ".join(f'cast(null as {c.type.sql}) as "{c.name}"' for c in contract.columns if c.name not in but)
