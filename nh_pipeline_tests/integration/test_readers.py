"""Readers that are not ours find every value of a table, also in files that are older than its newest column."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from packaging.version import Version

from nh_pipeline_tests.support import outside_reader
from nh_pipeline_tests.support.all_types import AFTER, ROWS, build
from nh_pipeline_tests.support.chain import workspace_at

pytestmark = pytest.mark.integration

COLUMNS = [*(c for c in AFTER.names if c != "note"), "note"]
"""As the table has them: what it gains comes last."""


@pytest.fixture(scope="module")
def tables(engine, tmp_path_factory):
    """A table all of whose files have ids, and one whose first file was written before files got them."""
    found = {}
    for age in ("new", "old"):
        workspace = workspace_at(tmp_path_factory.mktemp(age), engine)
        build(workspace, old=age == "old")
        found[age] = workspace.lake.table(AFTER)
    return found


@pytest.fixture(scope="session")
def readers() -> Path:
    """The Python that has the readers."""
    python = Path(sys.prefix) / "readers" / "bin" / "python"
    if not python.exists():
        pytest.skip(f"no other readers in {python.parents[1]}: make test installs requirements-readers.lock there")
    return python


def read_by(readers, reader, table):
    metadata, folder = (a.removeprefix("file://") for a in (table.metadata_location, table.location()))
    command = [readers, outside_reader.__file__, reader, metadata, folder]
    bare = {n: v for n, v in os.environ.items() if not n.startswith(("PYTHON", "SPARK_"))}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=300, env=bare, cwd=Path(folder).parent
    )


def in_order(rows):
    return sorted(rows, key=lambda r: r["provider_id"])


@pytest.mark.parametrize("age", ["new", "old"])
def test_pyiceberg(tables, age):
    found = tables[age].scan().to_arrow()
    assert found.column_names == COLUMNS
    assert in_order(found.to_pylist()) == in_order(ROWS)


@pytest.mark.parametrize("age", ["new", "old"])
def test_polars(tables, age):
    # Its own reader refuses files without ids in 2.0, the last version for Python 3.10.
    by = "pyiceberg" if age == "old" and Version(pl.__version__) < Version("2.1") else "native"
    found = pl.scan_iceberg(tables[age], reader_override=by).collect()
    assert found.columns == COLUMNS
    assert in_order(found.to_dicts()) == in_order(ROWS)


@pytest.mark.parametrize("age", ["new", "old"])
@pytest.mark.parametrize("reader", ["duckdb", "chdb", "daft"])
def test_another(tables, readers, reader, age):
    done = read_by(readers, reader, tables[age])
    if (reader, age) == ("daft", "old"):  # it does not apply name mappings, and says so
        assert "carries no parquet field IDs" in done.stderr
        return
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    assert list(found[0]) == COLUMNS
    assert in_order(found) == in_order(json.loads(json.dumps(ROWS, default=str)))
