"""Maintenance: nobody loses data by it, whatever goes on; and what Dagster keeps does not grow for ever."""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    ScheduleInstigatorData,
    TickData,
    TickStatus,
)
from dagster._core.storage.compute_log_manager import ComputeIOType

from nh_pipeline.lake.lake import Lake
from nh_pipeline.lake.maintain import expire, sweep
from nh_pipeline.lake.publish import MOST_MANIFESTS
from nh_pipeline.lake.storage import Storage
from nh_pipeline.lake.verify import verified
from nh_pipeline.orchestration import maintenance
from nh_pipeline.orchestration.definitions import build_defs
from nh_pipeline.orchestration.instance import open_instance
from nh_pipeline.orchestration.run_storage import sweep_runs, sweep_ticks
from nh_pipeline.pipeline.build_state import compared_snapshots
from nh_pipeline.settings import Settings
from nh_pipeline.tables import gold, tables
from nh_pipeline_tests.support.local import Nh
from nh_pipeline_tests.support.postgres import postgres
from nh_pipeline_tests.support.publishers import DAILY, add_days, meet_at, put, read

pytestmark = pytest.mark.integration

NOW = timedelta(0)


@pytest.fixture
def lake(tmp_path):
    return Lake(str(tmp_path))


def months(count):
    return [f"{2000 + i // 12}-{i % 12 + 1:02d}" for i in range(count)]


def test_manifests_do_not_pile_up(lake):
    """Whoever plans a scan or a commit reads all of them: a few, however often and whatever was published."""
    each, rows = months(MOST_MANIFESTS + 5), []
    for n, month in enumerate(each):
        rows.append(("a", date.fromisoformat(f"{month}-01"), n))
        put(lake, rows[-1:], month)
    for n in range(5):
        rows[0] = ("a", rows[0][1], -n)
        put(lake, rows[:1], each[0])
    table = lake.load(DAILY)
    manifests = table.current_snapshot().manifests(table.io)
    assert len(manifests) < MOST_MANIFESTS
    assert read(lake) == rows
    # What an entry says of when its file was added stays, and so does what readers of old snapshots see.
    added = {lake.snapshot_at(DAILY, s.snapshot_id).rows: s for s in table.snapshots()[: len(each)]}
    assert list(added) == list(range(1, len(each) + 1))
    entries = {e.data_file.file_path: e for m in manifests for e in m.fetch_manifest_entry(table.io)}
    for number, month in enumerate(each[1:], start=2):
        (path,) = lake.snapshot(DAILY, [month]).paths
        snapshot = added[number]
        assert (entries[path].snapshot_id, entries[path].sequence_number) == (
            snapshot.snapshot_id,
            snapshot.sequence_number,
        )


def remembered(lake, mart, **partitions):
    with lake.table(mart).transaction() as transaction:
        transaction.set_properties({f"nh.built-from.{name}": memory for name, memory in partitions.items()})


def test_snapshots_that_a_mart_compares_with_are_spared(lake):
    mart = gold()[0]
    dimension, fact = "silver.dim_providers", "silver.fct_staffing_levels"
    inputs = {dimension: 11, fact: ["a.parquet"], "silver.dim_claims": None}
    remembered(
        lake,
        mart,
        may=json.dumps({"recipe": "r", "inputs": inputs}),
        june=json.dumps({"recipe": "r", "inputs": {**inputs, dimension: 12}}),
        july="of another version",
        august=json.dumps({"recipe": "r", "inputs": [1]}),
    )
    assert compared_snapshots(lake, tables()) == {dimension: {11, 12}}
    assert compared_snapshots(Lake(lake.root + "/nothing"), tables()) == {}


# Readers, publishers and accidents meanwhile


def aged(lake, older_than=timedelta(days=2)):
    """All files that are there are old, and what expired did so long ago."""
    then = time.time() - older_than.total_seconds()
    for path in Path(lake.root).rglob("*"):
        with suppress(FileNotFoundError):  # others work there
            os.utime(path, (then, then))
    with lake.load(DAILY).transaction() as transaction:
        transaction.set_properties({"nh.expired-at": str(int(then * 1000))})


def maintained(lake, **left_alone):
    """Paths that are swept, and how many snapshots expire, in the order of maintenance."""
    return sweep(lake, [DAILY]), expire(lake, [DAILY], {}, kept_for=NOW, kept=1, **left_alone).get(DAILY.name, 0)


def test_a_reader_of_an_old_snapshot_comes_to_its_end(lake):
    put(lake, [("a", date(2024, 4, 1), 1), ("a", date(2024, 5, 1), 2)], "2024-04", "2024-05")
    reading = lake.snapshot(DAILY)
    for census in range(3):
        put(lake, [("a", date(2024, 4, 1), census)], "2024-04")
    aged(lake)
    assert maintained(lake) == ([], 3)  # all files are old, and the snapshot has just expired
    assert lake.snapshot_at(DAILY, reading.snapshot_id) is None
    assert maintained(lake) == ([], 0)
    assert read(lake, reading) == [("a", date(2024, 4, 1), 1), ("a", date(2024, 5, 1), 2)]
    aged(lake)
    swept, expired = maintained(lake)
    assert ({path.rpartition(".")[2] for path in swept}, expired) == ({"avro", "parquet"}, 0)
    with pytest.raises(FileNotFoundError):
        read(lake, reading)
    assert read(lake) == [("a", date(2024, 4, 1), 2), ("a", date(2024, 5, 1), 2)]


def test_maintenance_while_others_publish(lake):
    """Two processes add rows as fast as they can, while what was left behind goes and snapshots expire."""
    for census in range(3):
        put(lake, [("c", date(2024, 4, 30), census)], "2024-04")
    maintained(lake)
    aged(lake)
    context = multiprocessing.get_context("forkserver")
    barrier, swept, expired = context.Barrier(3), 0, []
    with ProcessPoolExecutor(2, context, meet_at, (barrier,)) as pool:
        adding = [pool.submit(add_days, lake.root, {}, name, ["2024-04"], 8) for name in ("a", "b")]
        barrier.wait(60)
        while not all(each.done() for each in adding):
            done = maintained(lake, left_alone=NOW)
            swept, expired = swept + len(done[0]), [*expired, done[1]]
    rows = [("c", date(2024, 4, 30), 2), *(row for each in adding for row in each.result()[0])]
    assert read(lake) == sorted(rows, key=lambda r: (r[1], r[0]))
    assert (len(rows), swept) == (17, 7)  # two data files, two manifest lists, their manifests
    assert sum(expired) > 3
    assert verified(lake, DAILY)[0].faults == ()


def test_maintenance_that_is_killed_at_any_deletion_is_done_again(lake, monkeypatch):
    for census in range(4):
        put(lake, [("a", date(2024, 4, 1), census)], "2024-04")
    lake.storage.write("raw/.incoming/x", b"half a download")
    assert maintained(lake)[1] == 3
    aged(lake)
    allowed, passes, deletes = [1], 0, Storage.delete

    def delete(storage, relative):
        if not allowed.pop():
            raise KeyboardInterrupt
        allowed.append(0)
        deletes(storage, relative)

    monkeypatch.setattr(Storage, "delete", delete)
    while verified(lake, DAILY)[0].homeless or list(lake.storage.files("raw")):
        allowed[:] = [1]
        with suppress(KeyboardInterrupt):
            maintained(lake)
        passes += 1
        assert verified(lake, DAILY)[0].faults == ()
        assert read(lake) == [("a", date(2024, 4, 1), 3)]
    assert passes > 6


# Dagster


@dg.asset(
    partitions_def=dg.StaticPartitionsDefinition(["x", "y"]), check_specs=[dg.AssetCheckSpec("sound", asset="made")]
)
def made(context):
    print(f"made {context.partition_key}")  # noqa: T201 (what the compute log keeps)
    yield dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=True)])


@dg.op
def nothing():
    pass


@dg.job
def idle():
    nothing()


ORIGIN = RemoteInstigatorOrigin(RemoteRepositoryOrigin(GrpcServerCodeLocationOrigin("host", 1), "r"), "nightly")


def run(instance, partition):
    return dg.materialize([made], instance=instance, partition_key=partition).run_id


@contextmanager
def on_sqlite(home):
    with open_instance(Settings(home=str(home))) as instance:
        yield instance


@contextmanager
def on_postgres(home):
    pytest.importorskip("dagster_postgres")
    with postgres() as address:
        (home / "dagster.yaml").write_text(
            f"storage: {{postgres: {{postgres_url: '{address}'}}}}\ntelemetry: {{enabled: false}}\n"
        )
        with dg.DagsterInstance.from_config(str(home)) as instance:
            yield instance


@pytest.mark.parametrize("instances", [on_sqlite, on_postgres])
def test_old_runs_are_swept_but_for_what_they_show(tmp_path, instances):
    with instances(tmp_path) as instance:
        first, second = run(instance, "x"), run(instance, "x")
        other, ticking = run(instance, "y"), idle.execute_in_process(instance=instance).run_id
        state = InstigatorState(
            ORIGIN, InstigatorType.SCHEDULE, InstigatorStatus.RUNNING, ScheduleInstigatorData("@daily")
        )
        about = {"selector_id": state.selector_id, "status": TickStatus.SKIPPED, "timestamp": time.time() - 9}
        instance.add_instigator_state(state)
        instance.create_tick(TickData(state.instigator_origin_id, "nightly", InstigatorType.SCHEDULE, **about))
        assert sweep_runs(instance, older_than=timedelta(days=1)) == []
        sweep_ticks(instance, older_than=timedelta(days=1))
        assert len(instance.get_ticks(state.instigator_origin_id, state.selector_id)) == 1
        assert set(sweep_runs(instance, older_than=NOW)) == {first, ticking}
        sweep_ticks(instance, older_than=NOW)
        assert instance.get_ticks(state.instigator_origin_id, state.selector_id) == []
        assert {r.run_id for r in instance.get_runs()} == {second, other}
        assert not [path for path in tmp_path.rglob("*") if first in path.name or ticking in path.name]
        assert instance.all_logs(first) == []
        assert instance.get_materialized_partitions(made.key) == {"x", "y"}
        assert instance.get_latest_materialization_event(made.key).run_id == other
        (check,) = made.check_keys
        (last,) = instance.event_log_storage.get_asset_check_execution_history(check, limit=9)[:1]
        assert last.run_id == other
        assert {e.run_id for e in instance.event_log_storage.get_asset_check_execution_history(check, limit=9)} == {
            second,
            other,
        }
        assert sweep_runs(instance, older_than=NOW) == []


def test_logs_of_ticks_are_swept(tmp_path):
    """Dagster opens a file for each, and deletes none."""
    about = ScheduleInstigatorData("@daily")
    with on_sqlite(tmp_path) as instance:
        instance.add_instigator_state(InstigatorState(ORIGIN, InstigatorType.SCHEDULE, InstigatorStatus.RUNNING, about))
        for number, (text, days) in enumerate([("", 0), ("", 2), ("told", 2), ("told", 99)]):
            with instance.compute_log_manager.open_log_stream(
                ["r", "nightly", str(number)], ComputeIOType.STDERR
            ) as log:
                log.write(text)
            (file,) = tmp_path.rglob(f"{number}.err")
            os.utime(file, (time.time() - 86_400 * days,) * 2)
        sweep_ticks(instance, older_than=timedelta(days=90))
        assert sorted(path.name for path in tmp_path.rglob("*.err")) == ["0.err", "2.err"]


def test_the_daemon_maintains_the_lake_every_night(lake, monkeypatch):
    lake.storage.write("raw/.incoming/x", b"half a download")
    lake.storage.write("raw/.incoming/young", b"under way")
    old = time.time() - 2 * 86400
    os.utime(Path(lake.root, "raw/.incoming/x"), (old, old))
    asked = []
    monkeypatch.setattr(maintenance, "expire", lambda *told, **kept: asked.append(kept) or {"silver.dim_date": 3})
    settings = Settings(home=lake.root, keep_snapshots=7)
    defs = build_defs(settings)
    schedule = defs.get_repository_def().get_schedule_def("nightly_maintenance")
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    with dg.DagsterInstance.ephemeral() as instance:
        result = defs.resolve_job_def(schedule.job_name).execute_in_process(instance=instance)
        (told,) = [e.step_output_data.metadata for e in result.all_events if e.is_successful_output]
    assert {name: value.value for name, value in told.items()} == {
        "silver.dim_date: snapshots expired": 3,
        "files deleted": 1,
        "runs deleted": 0,
    }
    assert asked == [{"kept_for": timedelta(days=7)}]
    assert sorted(p.name for p in Path(lake.root, "raw/.incoming").iterdir()) == ["young"]
    assert "maintenance" not in {j.name for j in build_defs(settings, by_the_clock=False).jobs or ()}


def test_the_command(lake):
    nh = Nh(lake.root)
    assert nh("maintain").output.splitlines() == ["files deleted: 0", "runs deleted: 0"]
    assert list(Path(lake.root).iterdir()) == []
