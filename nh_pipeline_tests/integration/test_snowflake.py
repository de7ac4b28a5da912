"""The views for reports in Snowflake's dialect, on what stands for a Snowflake. Snowflake itself cannot be had here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nh_pipeline.lake.lake import Lake
from nh_pipeline.queries.open import LakeQueries
from nh_pipeline.queries.views import VIEWS, ddl
from nh_pipeline_tests import support

pytestmark = [pytest.mark.integration, pytest.mark.every_mart]


@pytest.fixture(scope="module")
def python() -> Path:
    found = Path(sys.prefix) / "snowflake" / "bin" / "python"
    if not any(found.parents[1].glob("lib/*/site-packages/fakesnow")):
        pytest.skip(f"no fakesnow in {found.parents[1]}: make test installs requirements-snowflake.lock there")
    return found


def test_views_for_reports_say_the_same(whole_lake, python, tmp_path):
    source = LakeQueries(Lake(str(whole_lake)))
    for name in set().union(*(view.reads for view in VIEWS)) - {view.name for view in VIEWS}:
        pq.write_table(source.query(f"select * from {name}"), tmp_path / f"{name}.parquet")
    direct = [source.query(f"select * from {view.name}") for view in VIEWS]
    made = [statement for statement in ddl("snowflake").split(";\n") if statement.strip()]
    asked = [f"select {', '.join(d.column_names)} from {v.name}" for v, d in zip(VIEWS, direct, strict=True)]
    done = subprocess.run(
        [python, Path(support.__file__).with_name("fake_snowflake.py"), tmp_path],
        input=json.dumps([*made, *asked]), env={n: v for n, v in os.environ.items() if not n.startswith("PYTHON")},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    for view, known, found in zip(VIEWS, direct, json.loads(done.stdout), strict=True):
        numbers = {f.name for f in known.schema if pa.types.is_decimal(f.type) or pa.types.is_floating(f.type)}
        expected, rows = (sorted([_told(row, numbers) for row in r]) for r in (known.to_pylist(), found))
        assert rows == expected, view.name
        assert rows, view.name


def _told(row: dict[str, object], numbers: set[str]) -> list[str]:
    """Its values as texts; exact numbers without zeros at their ends, doubles to nine digits."""
    return [
        f"{float(str(value)):.9g}" if column in numbers and value is not None else str(value)
        for column, value in row.items()
    ]
