"""``nh query``: it reads and says so, its formats are strict, and its memory is flat."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nh_pipeline.lake.lake import Lake
from nh_pipeline.queries import duck
from nh_pipeline.queries.open import LakeQueries, QueryError
from nh_pipeline_tests.support.local import Nh

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def nh(tmp_path_factory):
    return Nh(tmp_path_factory.mktemp("lake"))


def asked(nh, sql, output="json"):
    return nh("query", sql, "--format", output).stdout


NOT_READING = [
    "drop view gold.facility_measures",
    "create table gold.x as select 1 a",
    "delete from gold.facility_measures",
    "update silver.dim_date set year = 1",
    "insert into silver.dim_date select * from silver.dim_date",
    "copy (select 1) to 'FILE'",
    "explain analyze copy (select 1) to 'FILE'",
    "/* one */ explain analyze copy (select 1) to 'FILE'",
    "select 1; drop view gold.facility_measures",
    "attach 'FILE' as other",
    "set memory_limit = '1GB'",
    "pragma memory_limit = '1GB'",
    "export database 'FILE'",
    "call checkpoint()",
    "begin",
]


@pytest.mark.parametrize("sql", NOT_READING)
def test_what_does_not_read_says_so(nh, tmp_path, monkeypatch, sql):
    monkeypatch.chdir(tmp_path)
    for output in ("table", "csv", "json"):
        found = nh("query", sql.replace("FILE", str(tmp_path / "file")), "--format", output, exits=2)
        assert found.stdout == ""
        assert "is not carried out" in " ".join(found.stderr.split())
    with pytest.raises(QueryError, match="is not carried out"):
        LakeQueries(Lake(str(nh.home))).query(sql)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "sql",
    [
        "from silver.dim_date",
        "values (1)",
        "with a as (select 1 as b) from a",
        "describe silver.dim_date",
        "show tables",
        "summarize silver.dim_date",
        "explain select 1",
        "explain analyze select 1",
        "pivot (select 1 as a, 2 as b) on a using sum(b)",
        "-- a remark\nselect 1",
    ],
)
def test_what_reads_is_answered(nh, sql):
    assert isinstance(json.loads(nh("query", "--format", "json", "--", sql).stdout), list)


@pytest.mark.parametrize(
    "sql",
    [
        "select * from read_text('{0}')",
        "select * from read_csv('{0}')",
        "select * from glob('/*')",
        "from '{0}'",
        "select * from read_parquet('https://127.0.0.1:1/x.parquet')",
        "select * from sql",  # a variable of ours
        "with x as (insert into gold.facility_measures select * from gold.facility_measures returning 1) from x",
        "from read_parquet('{1}')",  # a table of a domain that this process does not serve
    ],
)
def test_only_the_lakes_own_tables_are_open(nh, tmp_path, sql):
    (tmp_path / "secret.csv").write_text("geheim\n1\n")
    other = Path(nh.home) / "warehouse" / "clinical_silver" / "dim_patients" / "data" / "part.parquet"
    other.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"a": ["geheim"]}), other)
    found = nh("query", sql.format(tmp_path / "secret.csv", other), exits=2)
    assert "geheim" not in found.output


def test_json_is_json(nh):
    def never(text):
        raise AssertionError(text)

    sql = """
        select 1 as a, 2 as a, 3 as a_2, 'NaN'::double as nan, '-inf'::float as inf, 1.50::decimal(4,2) as d,
            12345678901234567890123456789.123456789::decimal(38,9) as long, date '2024-01-02' as day,
            timestamp '2024-01-02 03:04:05' as at, time '03:04' as clock, [1.5::decimal(3,1), null] as list,
            {'x': 'NaN'::double} as struct, null as nothing, true as yes, 'ü"\\%s' as text, 9007199254740993 as big,
            'a'::blob as bytes
    """
    text = asked(nh, sql)
    assert text.isascii()
    (row,) = json.loads(text, parse_constant=never)
    assert row == {
        "a": 1,
        "a_3": 2,
        "a_2": 3,
        "nan": None,
        "inf": None,
        "d": 1.5,
        "long": 12345678901234567890123456789.123456789,
        "day": "2024-01-02",
        "at": "2024-01-02T03:04:05",
        "clock": "03:04:00",
        "list": [1.5, None],
        "struct": {"x": None},
        "nothing": None,
        "yes": True,
        "text": 'ü"\\%s',
        "big": 9007199254740993,
        "bytes": "61",
    }
    assert '"long": 12345678901234567890123456789.123456789' in text
    assert not math.isnan(row["d"])
    assert json.loads(asked(nh, "select 1 as a where false")) == []


def test_csv_keeps_every_column_and_ends_lines_with_a_line_feed(nh):
    found = nh("query", "select 1 as a, 2 as a, 'x,\"ü' as b, null as c", "--format", "csv")
    assert found.stdout_bytes == 'a,a,b,c\n1,2,"x,""ü",\n'.encode()


def test_a_fault_of_the_machine_is_no_wrong_usage(nh, monkeypatch):
    def full(*_):
        raise duckdb.OutOfMemoryException("Out of Memory Error: failed to allocate")

    monkeypatch.setattr(duck, "ask", full)
    assert "Out of Memory" in nh("query", "select 1", exits=1).stderr


@pytest.mark.parametrize(
    ("output", "sql"),
    [
        ("csv", "select range as a, range * 1.5 as b from range(2000000)"),
        ("json", "select range as a, 'text ' || range as b from range(2000000)"),
    ],
)
@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="the most memory that a process had is told by Linux"
)
def test_two_million_rows_in_little_memory(nh, output, sql):
    program = (
        "import sys; from nh_pipeline.cli.main import app\n"
        f"sys.argv = ['nh', 'query', {sql!r}, '--format', {output!r}]\n"
        "try:\n    app()\nfinally:\n"
        # Not ru_maxrss: that of the process that started this one counts there, too.
        "    print(*(line.split()[1] for line in open('/proc/self/status') if 'VmHWM' in line), file=sys.stderr)"
    )
    env = {**os.environ, "NH_HOME": str(nh.home)}
    with subprocess.Popen(
        [sys.executable, "-c", program], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stderr
        lines = sum(chunk.count(b"\n") for chunk in iter(lambda: process.stdout.read(1 << 20), b""))
        megabytes = int(process.stderr.read().split()[-1]) // 1024
    assert lines == (2_000_001 if output == "csv" else 2_000_002)
    assert megabytes < 400
