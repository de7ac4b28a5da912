"""SQL over the current snapshots, with DuckDB: every table as a view ``layer.table``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from nh_pipeline.contracts import ALL

if TYPE_CHECKING:
    from nh_pipeline.contracts.base import Contract
    from nh_pipeline.lake.lake import Lake


def connect(lake: Lake) -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB with a view for each table of the lake, pinned to its current snapshot.

    A table that does not exist yet, or is empty, is a view with its columns and no rows.
    """
    db = duckdb.connect()
    for contract in ALL:
        layer, _, _ = contract.name.partition(".")
        db.execute(f"create schema if not exists {layer}")
        db.execute(f"create view {contract.name} as {_select(lake, contract)}")
    return db


def _select(lake: Lake, contract: Contract) -> str:
    paths = [lake.readable(path).replace("'", "''") for path in lake.pin(contract).paths]
    if not paths:
        columns = ", ".join(f'cast(null as {f.dataType.simpleString()}) as "{f.name}"' for f in contract.spark.fields)
        return f"select {columns} where false"
    names = ", ".join(f'"{c}"' for c in contract.columns)
    files = ", ".join(f"'{path}'" for path in paths)
    # By name, and no columns from folder names: files are the truth, their folders are not.
    return f"select {names} from read_parquet([{files}], union_by_name=true, hive_partitioning=false)"
