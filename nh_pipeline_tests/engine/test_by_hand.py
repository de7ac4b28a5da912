"""The yardstick of the benchmark is honest: what DuckDB makes by hand are our tables."""

from __future__ import annotations

import duckdb

from benchmarks.by_hand import build
from nh_pipeline.sample import Deliveries
from nh_pipeline_tests.support import chain
from nh_pipeline_tests.support.declared import DIM_CLAIMS, DIM_PROVIDERS, FACILITY_MEASURES, FCT_STAFFING_LEVELS


def test_by_hand_come_the_same_facts_and_measures(workspace, tmp_path):
    ours, drop, out = workspace(), tmp_path / "drop", tmp_path / "out"
    out.mkdir()
    Deliveries(30, ("2024Q3",), releases=4, days=92).write(drop)
    chain.land(ours, drop)
    chain.parse(ours)
    for dataset in ("providers", "medicare_claims"):
        chain.dimension(ours, dataset)
    chain.staffing(ours)
    chain.measures(ours)
    (file,) = drop.glob("PBJ*.csv")
    dimensions = ([ours.lake.readable(p) for p in ours.lake.snapshot(d).paths] for d in (DIM_PROVIDERS, DIM_CLAIMS))
    build(file, *dimensions, out)
    for contract, name in ((FCT_STAFFING_LEVELS, "silver"), (FACILITY_MEASURES, "gold")):
        columns = ", ".join(c for c in contract.names if "delivery_id" not in c)
        sql = f"select {columns} from read_parquet('{out}/{name}/*/*.parquet') order by {', '.join(contract.grain)}"
        found, expected = duckdb.sql(sql).to_arrow_table(), chain.table(ours.lake, contract)
        assert found.num_rows == expected.num_rows > 0
        assert found.to_pylist() == expected.select(found.column_names).to_pylist()
