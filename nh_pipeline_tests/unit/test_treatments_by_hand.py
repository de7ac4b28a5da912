"""The yardstick of the benchmark is honest: its seven tables are those of the treatments."""

from __future__ import annotations

import duckdb

from benchmarks.by_hand_treatments import build
from nh_pipeline.sample import Deliveries
from nh_pipeline.sample.treatments import write_treatments


def test_by_hand_come_the_same_seven_tables(tmp_path):
    drop, out = tmp_path / "drop", tmp_path / "out"
    out.mkdir()
    truth = write_treatments(drop, cms=Deliveries(40, ("2024Q1",)), treatments=1500, extractions=(1,))
    (archive,) = drop.iterdir()
    build(archive, out)
    for name, expected in truth.tables.items():
        found = duckdb.read_parquet(f"{out}/{name}.parquet").to_arrow_table().to_pylist()
        assert sorted(map(str, found)) == sorted(map(str, expected)), name
    held = {name: len(duckdb.read_parquet(f"{out}/{name}.parquet")) for name in ("fact", "dim_patients", "dim_dates")}
    assert held == {
        "fact": len(truth.treatments), **{name: truth.dimensions[name] for name in ("dim_patients", "dim_dates")}
    }  # fmt: skip
