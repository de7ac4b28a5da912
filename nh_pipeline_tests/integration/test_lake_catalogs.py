"""Catalogs of a lake in a file and on a server: made by whoever writes first, and shared by several who publish."""

from __future__ import annotations

import multiprocessing
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest
from pyiceberg.io.pyarrow import PyArrowFileIO
from sqlalchemy import NullPool, create_engine, inspect

from nh_pipeline.lake.lake import Lake
from nh_pipeline.lake.storage import Storage
from nh_pipeline_tests.support.postgres import postgres
from nh_pipeline_tests.support.publishers import APRIL, DAILY, add_days, in_order, meet_at, put, read


@pytest.fixture
def lake(tmp_path):
    return Lake(str(tmp_path / "lake"))


def test_default_catalog_is_a_file_of_the_lake(lake):
    put(lake, APRIL, "2024-04")
    assert lake.storage.exists("catalog.db")
    assert isinstance(lake.catalog.load_table(DAILY.name).io, PyArrowFileIO)
    assert read(Lake(lake.root)) == in_order(APRIL)


@pytest.fixture(scope="module")
def postgres_url():
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


def test_who_only_reads_makes_no_catalog(tmp_path, options):
    lake = Lake(str(tmp_path / "lake"), options)
    assert lake.snapshot(DAILY).files == ()
    assert not (tmp_path / "lake").exists()
    if options:
        assert not inspect(create_engine(options["uri"], poolclass=NullPool)).get_table_names()
    put(lake, APRIL, "2024-04")
    assert read(Lake(lake.root, options)) == in_order(APRIL)


PLANS = {"a": ["2024-04", "2024-05"], "b": ["2024-04", "2024-06"], "c": ["2024-04"], "d": ["2024-07"]}
"""Who publishes which months: some the same, some not, and all of them the first load."""


@pytest.mark.integration
@pytest.mark.parametrize("processes", [False, True])
def test_four_publish_at_once(tmp_path, options, processes):
    root, pool = str(tmp_path / "lake"), _processes() if processes else _threads()
    with pool:
        running = [pool.submit(add_days, root, options, name, months, 2) for name, months in PLANS.items()]
        done = [one.result() for one in running]
    lake = Lake(root, options)
    published = [row for rows, _ in done for row in rows]
    assert len(published) + sum(gave_up for _, gave_up in done) == 12
    assert {row[1].month for row in published} == {4, 5, 6, 7}
    assert read(lake) == in_order(published)  # none lost, none doubled, and none of those that gave up
    assert len(lake.catalog.load_table(DAILY.name).snapshots()) == len(published)
    assert [f.partition for f in lake.snapshot(DAILY).files] == ["2024-04", "2024-05", "2024-06", "2024-07"]


def _threads():
    return ThreadPoolExecutor(4, initializer=meet_at, initargs=(threading.Barrier(4),))


def _processes():
    # Not fork: this process may have an engine by now. The server has imported everything before it forks.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["nh_pipeline_tests.support.publishers"])
    return ProcessPoolExecutor(4, context, initializer=meet_at, initargs=(context.Barrier(4),))


def test_the_catalog_is_below_a_folder_that_is_not_there_yet(tmp_path):
    lake = Lake(str(tmp_path / "a" / "b"))
    assert lake.snapshot(DAILY).files == ()
    assert not (tmp_path / "a").exists()  # looking makes nothing
    lake.table(DAILY)
    assert Storage(lake.root).exists("catalog.db")
