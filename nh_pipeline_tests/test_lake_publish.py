"""One commit or nothing: what a publish replaces, what it leaves, and what happens when two publish at once."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

import pandera.pyspark as pa
import pytest
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.table import Table

from nh_pipeline.contracts.base import text
from nh_pipeline.lake.lake import Lake, LakeError
from nh_pipeline.lake.publish import Conflict, publish
from nh_pipeline.storage import Storage
from nh_pipeline_tests.chain import workspace_at
from nh_pipeline_tests.publishers import DAILY, add_days, put, read, stage

APRIL = [("a", date(2024, 4, 1), 1), ("b", date(2024, 4, 1), 2), ("a", date(2024, 4, 30), 3)]
MAY = [("a", date(2024, 5, 31), 4)]
OTHER = replace(DAILY, schema=pa.DataFrameSchema(name="silver.other", description="o", unique=["provider_id"],
                                                  columns=DAILY.schema.columns))  # fmt: skip


@pytest.fixture
def lake(tmp_path):
    return Lake(str(tmp_path / "lake"))


def snapshots(lake):
    return lake.catalog.load_table(DAILY.name).snapshots()


def in_order(rows):
    return sorted(rows, key=lambda r: (r[1], r[0]))


def test_publish_and_publish_again(lake):
    first = put(lake, [*APRIL, *MAY], "2024-04", "2024-05", "2024-06", **{"run-id": "r1", "asset": "silver/daily"})
    assert (first.changed, first.rows) == ({"2024-04", "2024-05"}, 4)
    assert read(lake) == in_order([*APRIL, *MAY])
    pin = lake.pin(DAILY)
    assert (pin.rows, pin.present, pin.snapshot_id) == (4, {"2024-04", "2024-05"}, first.snapshot_id)
    files = list(lake.storage.files("warehouse", suffix=".parquet"))
    again = put(lake, [*APRIL, *MAY], "2024-04", "2024-05", "2024-06", **{"run-id": "r2"})
    assert (again.changed, again.rows, again.snapshot_id) == (frozenset(), 0, first.snapshot_id)
    assert again.content_hash == first.content_hash
    assert len(snapshots(lake)) == 1
    assert list(lake.storage.files("warehouse", suffix=".parquet")) == files


def test_snapshot_says_who_and_from_what(lake):
    put(lake, APRIL, "2024-04", contract=OTHER)
    source = lake.pin(OTHER)
    done = put(lake, APRIL, "2024-04", inputs=[(OTHER, source)], **{"run-id": "r1", "asset": "x", "range": "all"})
    (only,) = snapshots(lake)
    told = only.summary.additional_properties
    assert {k: v for k, v in told.items() if k.startswith("nh.")} == {
        "nh.run-id": "r1",
        "nh.asset": "x",
        "nh.range": "all",
        "nh.slices": "2024-04",
        "nh.input.silver.other": str(source.snapshot_id),
        "nh.content-sha256": done.content_hash,
    }


def test_replacing_a_month_keeps_the_others(lake):
    put(lake, [*APRIL, *MAY], "2024-04", "2024-05")
    may = lake.pin(DAILY, ["2024-05"]).paths
    changed = [("a", date(2024, 4, 2), 9)]
    done = put(lake, [*changed, *MAY], "2024-04", "2024-05")
    assert done.changed == {"2024-04"}
    assert read(lake) == in_order([*changed, *MAY])
    assert lake.pin(DAILY, ["2024-05"]).paths == may
    assert [s.summary["total-records"] for s in snapshots(lake)] == ["4", "2"]
    assert len(snapshots(lake)) == 2
    assert len(list(lake.storage.files("warehouse/silver/daily/data", suffix=".parquet"))) == 3


def test_a_slice_without_rows_is_removed(lake):
    put(lake, [*APRIL, *MAY], "2024-04", "2024-05")
    done = put(lake, [], "2024-04")
    assert (done.changed, read(lake)) == ({"2024-04"}, MAY)
    assert put(lake, [], "2024-04").changed == frozenset()
    assert len(snapshots(lake)) == 2
    assert put(lake, [], "2024-05").changed == {"2024-05"}
    assert (read(lake), lake.pin(DAILY).present) == ([], frozenset())


def test_nothing_at_all_makes_no_snapshot(lake):
    done = put(lake, [], "2024-04")
    assert (done.snapshot_id, done.changed) == (None, frozenset())
    assert not lake.catalog.table_exists(DAILY.name)


def test_an_older_snapshot_can_be_pinned(lake):
    first = put(lake, APRIL, "2024-04")
    put(lake, MAY, "2024-05")
    assert read(lake, lake.pin_at(DAILY, first.snapshot_id)) == in_order(APRIL)
    assert lake.pin_at(DAILY, 42) is None


def test_conflict_when_the_slice_changed(lake):
    put(lake, APRIL, "2024-04")
    mine = lake.pin(DAILY, ["2024-04"])
    put(lake, APRIL[:1], "2024-04")
    with pytest.raises(Conflict, match=r"silver\.daily changed since snapshot"):
        put(lake, APRIL[1:], "2024-04", base=mine)
    assert read(lake) == APRIL[:1]


def test_conflict_on_the_first_load(lake):
    mine = lake.pin(DAILY, ["2024-04"])
    put(lake, APRIL, "2024-04")
    with pytest.raises(Conflict):
        put(lake, APRIL[1:], "2024-04", base=mine)
    assert read(lake) == in_order(APRIL)


def test_no_conflict_when_another_slice_changed(lake):
    put(lake, APRIL, "2024-04")
    mine = lake.pin(DAILY, ["2024-04"])
    put(lake, MAY, "2024-05")
    put(lake, APRIL[:1], "2024-04", base=mine)
    assert read(lake) == [*APRIL[:1], *MAY]


def test_conflict_when_an_input_changed(lake):
    put(lake, [*APRIL, *MAY], "2024-04", "2024-05", contract=OTHER)
    april, whole = lake.pin(OTHER, ["2024-04"]), lake.pin(OTHER)
    put(lake, [], "2024-05", contract=OTHER)
    with pytest.raises(Conflict, match=r"silver\.other"):
        put(lake, APRIL, "2024-04", inputs=[(OTHER, whole)])
    put(lake, APRIL, "2024-04", inputs=[(OTHER, april)])  # another part of it
    put(lake, [], "2024-04", contract=OTHER)
    with pytest.raises(Conflict, match=r"silver\.other"):
        put(lake, APRIL[:1], "2024-04", inputs=[(OTHER, april)])
    assert read(lake) == in_order(APRIL)


def test_orphans_are_never_read(lake):
    put(lake, APRIL, "2024-04")
    stage(lake, MAY, ["2024-05"])  # a run that died before its commit
    stage(lake, [("z", date(2024, 4, 1), 9)], ["2024-04"])
    assert read(lake) == in_order(APRIL)
    staged = stage(lake, MAY, ["2024-05"])
    assert staged.rows == 1
    publish(lake, DAILY, staged, base=lake.pin(DAILY, ["2024-05"]), inputs=[], properties={})
    assert read(lake) == in_order([*APRIL, *MAY])


def test_staged_rows_outside_of_the_range_are_an_error(lake):
    with pytest.raises(ValueError, match=r"outside of what is replaced: \['2024-05'\]"):
        stage(lake, [*APRIL, *MAY], ["2024-04"])


def test_a_new_column_is_added_to_the_table(lake):
    put(lake, APRIL, "2024-04")
    columns = {**DAILY.schema.columns, "more": text("more", nullable=True)}
    schema = pa.DataFrameSchema(name=DAILY.name, description="d", unique=list(DAILY.grain), columns=columns)
    lake.table(replace(DAILY, schema=schema))
    stored = lake.catalog.load_table(DAILY.name)
    assert stored.schema().column_names == ["provider_id", "work_date", "census", "more"]
    assert "more" in stored.properties["schema.name-mapping.default"]
    assert stored.scan().to_arrow()["more"].null_count == 3
    assert len(snapshots(lake)) == 1


@pytest.mark.integration
def test_a_missing_data_file_is_noticed(engine, tmp_path):
    workspace = workspace_at(tmp_path / "lake", engine)
    lake = workspace.lake
    put(lake, [*APRIL, *MAY], "2024-04", "2024-05")
    pin = lake.pin(DAILY)
    assert int(workspace.read(DAILY, pin).count()) == 4
    lake.storage.delete(lake.relative(pin.paths[0]))
    with pytest.raises(LakeError, match=r"silver\.daily, snapshot .*: 4 rows by its metadata, 1 by its files"):
        workspace.read(DAILY, pin)
    lake.storage.delete(lake.relative(pin.paths[1]))
    with pytest.raises(LakeError, match="a data file is missing or damaged"):
        workspace.read(DAILY, pin)


@pytest.mark.integration
def test_a_read_has_the_columns_of_the_contract(engine, tmp_path):
    workspace = workspace_at(tmp_path / "lake", engine)
    empty = workspace.read(DAILY, workspace.lake.pin(DAILY))
    assert (empty.schema, int(empty.count())) == (DAILY.spark, 0)


def test_delete_files_are_refused(lake, monkeypatch):
    put(lake, APRIL, "2024-04")
    table = lake.catalog.load_table(DAILY.name)
    (task,) = table.scan().plan_files()
    task.delete_files = {task.file}  # PyIceberg 0.12 writes none, other tools do
    scan = type("Scan", (), {"plan_files": lambda _: [task]})
    monkeypatch.setattr(Table, "scan", lambda *_, **__: scan())
    with pytest.raises(LakeError, match="has delete files, written by another tool"):
        lake.pin(DAILY)


def test_default_catalog_is_a_file_of_the_lake(lake):
    put(lake, APRIL, "2024-04")
    assert lake.storage.exists("catalog.db")
    assert isinstance(lake.catalog.load_table(DAILY.name).io, PyArrowFileIO)
    assert read(Lake(lake.root)) == in_order(APRIL)


@contextmanager
def postgres():
    """A server of its own, which only this user reaches through a socket."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not folders:
        pytest.skip("no PostgreSQL: set NH_TEST_POSTGRES to a postgresql+psycopg2:// address, or install postgresql")
    programs = folders[-1].parent
    as_user = ["runuser", "-u", "nobody", "--"] if os.getuid() == 0 else []
    home = Path(tempfile.mkdtemp(prefix="nh-pg-"))
    try:
        if as_user:
            shutil.chown(home, "nobody")
        data = str(home / "data")

        def run(program, *arguments):
            command = [*as_user, programs / program, "-D", data, *arguments]
            subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL)

        run("initdb", "-U", "nh", "--auth=trust", "-N")
        options = f"-k {home} -c listen_addresses='' -c fsync=off"
        run("pg_ctl", "-o", options, "-l", f"{home}/log", "-w", "start")
        try:
            yield f"postgresql+psycopg2://nh@/postgres?host={home}"
        finally:
            run("pg_ctl", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(home)


@pytest.fixture(scope="module")
def postgres_url():
    given = os.environ.get("NH_TEST_POSTGRES")
    if given:
        yield given
    else:
        with postgres() as url:
            yield url


@pytest.fixture(params=["sqlite", "postgres"])
def options(request, tmp_path):
    """Catalog properties; a fresh catalog for each test."""
    if request.param == "sqlite":
        return {}
    pytest.importorskip("psycopg2", reason="the extra postgres is not installed")
    # Tables of the catalog are shared in one database; a schema of its own makes the first load a first load.
    url = request.getfixturevalue("postgres_url")
    name = f"t{abs(hash(str(tmp_path)))}"
    import psycopg2  # noqa: PLC0415 (an extra)

    with psycopg2.connect(url.replace("+psycopg2", "")) as connection, connection.cursor() as cursor:
        cursor.execute(f"create schema {name}")
    connection.close()
    return {"type": "sql", "uri": f"{url}{'&' if '?' in url else '?'}options=-csearch_path%3D{name}"}


def expected(names, months, days):
    return in_order(
        (n, date.fromisoformat(f"{m}-{d:02d}"), d) for n in names for m in months for d in range(1, days + 1)
    )


@pytest.mark.integration
def test_threads_publish_the_same_and_other_months(tmp_path, options):
    root, barrier = str(tmp_path / "lake"), threading.Barrier(3)
    with ThreadPoolExecutor(3) as pool:
        running = [
            pool.submit(add_days, root, options, "a", ["2024-04"], days=3, barrier=barrier),
            pool.submit(add_days, root, options, "b", ["2024-04"], days=3, barrier=barrier),
            pool.submit(add_days, root, options, "c", ["2024-05"], days=3, barrier=barrier),
        ]
        for one in running:
            one.result()
    lake = Lake(root, options)
    assert read(lake) == in_order([*expected("ab", ["2024-04"], 3), *expected("c", ["2024-05"], 3)])
    assert len(snapshots(lake)) == 9
    assert [f.slice for f in lake.pin(DAILY).files] == ["2024-04", "2024-05"]


@pytest.mark.integration
def test_processes_publish_at_once(tmp_path, options):
    root, context = str(tmp_path / "lake"), multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    plans = [("a", ["2024-04", "2024-05"]), ("b", ["2024-04", "2024-06"])]
    running = [
        context.Process(target=add_days, args=(root, options, name, months), kwargs={"days": 2, "barrier": barrier})
        for name, months in plans
    ]
    for process in running:
        process.start()
    for process in running:
        process.join(120)
    assert [process.exitcode for process in running] == [0, 0]
    lake = Lake(root, options)
    wanted = [*expected("ab", ["2024-04"], 2), *expected("a", ["2024-05"], 2), *expected("b", ["2024-06"], 2)]
    assert read(lake) == in_order(wanted)
    assert len(snapshots(lake)) == 8


def test_the_catalog_is_below_a_folder_that_is_not_there_yet(tmp_path):
    lake = Lake(str(tmp_path / "a" / "b"))
    assert lake.pin(DAILY).files == ()
    assert Storage(lake.root).exists("catalog.db")
