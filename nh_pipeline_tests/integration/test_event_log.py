"""The event log that writes batches leaves what Dagster's own would."""

import json
import time
from datetime import date

import dagster as dg
import pytest
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster_postgres import PostgresEventLogStorage

from nh_pipeline.orchestration.event_log import BATCH_SIZE, BatchingSqliteEventLogStorage
from nh_pipeline.orchestration.event_log_postgres import BatchingPostgresEventLogStorage
from nh_pipeline.orchestration.instance import open_instance
from nh_pipeline.orchestration.partitions import SINGLE_RUN, WORK_DATES, range_tags
from nh_pipeline.settings import Settings
from nh_pipeline_tests.support.postgres import postgres

KEY = dg.AssetKey("days")
DAYS = ("2024-04-01", "2024-04-02", "2024-04-03")


@dg.asset(
    name="days", partitions_def=WORK_DATES, backfill_policy=SINGLE_RUN, check_specs=[dg.AssetCheckSpec("c", asset=KEY)]
)
def days(context: dg.AssetExecutionContext):
    for day in context.partition_keys:
        context.add_asset_metadata({"dagster/partition_row_count": int(day[-1])}, partition_key=day)
    yield dg.AssetCheckResult(passed=True, check_name="c")
    yield dg.MaterializeResult(tags={"by": "test"})


def outcome(instance):
    """What the UI and sensors can ask about the run."""
    job = dg.Definitions(assets=[days]).resolve_implicit_global_asset_job_def()
    run = job.execute_in_process(instance=instance, tags=range_tags(date(2024, 4, 1), date(2024, 4, 3)))
    assert run.success
    records = instance.fetch_materializations(KEY, limit=10).records
    latest = instance.get_latest_materialization_event(KEY)
    check = instance.get_latest_asset_check_evaluation_record(dg.AssetCheckKey(KEY, "c"))
    checks = instance.event_log_storage.get_asset_check_execution_history(dg.AssetCheckKey(KEY, "c"), limit=10)
    return {
        "kinds": [e.dagster_event_type for e in instance.all_logs(run.run_id)],
        "planned": [
            e.dagster_event.partition
            for e in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED)
        ],
        "partitions": sorted(instance.get_materialized_partitions(KEY)),
        "rows": [
            (r.partition_key, r.asset_materialization.metadata["dagster/partition_row_count"].value) for r in records
        ],
        "tags": [r.asset_materialization.tags["by"] for r in records],
        "latest": latest.dagster_event.partition,
        "check": (check.status, check.run_id == run.run_id),
        "checks": [(c.status, c.partition, c.event.dagster_event_type) for c in checks],
        "record": [
            r.asset_entry.last_materialization.dagster_event.partition for r in instance.get_asset_records([KEY])
        ],
    }


@pytest.mark.integration
def test_batches_leave_what_single_events_leave(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "0")
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "dagster.yaml").write_text("telemetry: {enabled: false}")
    with dg.DagsterInstance.local_temp(str(tmp_path / "plain")) as plain:
        expected = outcome(plain)
    assert (expected["partitions"], expected["planned"]) == (list(DAYS), list(DAYS))
    monkeypatch.delenv("DAGSTER_EVENT_BATCH_SIZE")
    batches = []
    store = BatchingSqliteEventLogStorage.store_event_batch
    monkeypatch.setattr(
        BatchingSqliteEventLogStorage,
        "store_event_batch",
        lambda self, events: (batches.append(len(events)), store(self, events)),
    )
    with open_instance(Settings(home=str(tmp_path / "lake"))) as instance:
        assert outcome(instance) == expected
    assert batches == [4, 3]  # planned, with the check, then materialized


@pytest.mark.integration
def test_batches_in_postgres_leave_what_single_events_leave(tmp_path, monkeypatch):
    def stored(storage):
        config = {"module": storage.__module__, "class": storage.__name__, "config": {"postgres_url": address}}
        (tmp_path / "dagster.yaml").write_text(json.dumps({"event_log_storage": config}))
        with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
            assert type(instance.event_log_storage) is storage
            found = outcome(instance)
            instance.wipe()
        return found

    with postgres() as address:
        monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "0")
        expected = stored(PostgresEventLogStorage)
        assert (expected["partitions"], expected["planned"]) == (list(DAYS), list(DAYS))
        monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", str(BATCH_SIZE))
        assert stored(BatchingPostgresEventLogStorage) == expected


@pytest.mark.integration
def test_another_process_follows_a_run_while_its_log_is_open(tmp_path):
    settings, seen = Settings(home=str(tmp_path / "lake")), []
    job = dg.Definitions(assets=[days]).resolve_implicit_global_asset_job_def()
    with open_instance(settings) as mine, open_instance(settings) as webserver:
        run = mine.create_run_for_job(job, tags=range_tags(date(2024, 4, 1), date(2024, 4, 3)))
        webserver.watch_event_logs(run.run_id, None, lambda entry, _: seen.append(entry.message))
        for n in range(3):
            mine.report_engine_event(f"number {n}", run)
            end = time.monotonic() + 30
            while f"number {n}" not in " ".join(seen) and time.monotonic() < end:
                time.sleep(0.05)
            assert f"number {n}" in seen[-1]
        mine.delete_run(run.run_id)
        assert webserver.all_logs(run.run_id) == []
    assert open_databases(tmp_path) == []


@pytest.mark.integration
def test_what_follows_a_run_ends_before_the_databases_are_closed(tmp_path, monkeypatch):
    settings, stop = Settings(home=str(tmp_path / "lake")), SqliteEventLogStorage.dispose
    job = dg.Definitions(assets=[days]).resolve_implicit_global_asset_job_def()
    with open_instance(settings) as instance:
        run = instance.create_run_for_job(job, tags=range_tags(date(2024, 4, 1), date(2024, 4, 3)))

        def dispose(storage):
            storage.get_records_for_run(run.run_id)  # as the thread does that follows a run, when it is told to end
            stop(storage)

        monkeypatch.setattr(SqliteEventLogStorage, "dispose", dispose)
    assert open_databases(tmp_path) == []


def open_databases(folder):
    """Files that SQLite has beside databases as long as somebody has them open."""
    return list((folder / "lake" / "dagster" / "history" / "runs").glob("*-wal"))
