"""Figures for Prometheus: they parse, and are what SQL says of the lake."""

from __future__ import annotations

import socket
import threading
import urllib.request
from datetime import datetime, timezone
from pathlib import Path

import dagster as dg
import prometheus_client
import pytest
from dagster._core.scheduler.instigation import TickStatus
from prometheus_client.parser import text_string_to_metric_families

from nh_pipeline.lake.lake import Lake
from nh_pipeline.landing.zone import RawZone
from nh_pipeline.orchestration.definitions import build_defs
from nh_pipeline.queries.duck import connect
from nh_pipeline.settings import Settings
from nh_pipeline.tables import tables
from nh_pipeline_tests.support.local import Nh
from nh_pipeline_tests.support.ticks import ticked

pytestmark = [pytest.mark.integration, pytest.mark.every_mart]


def figures(text):
    """Value by name and labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_of_a_lake_with_every_table(whole_lake):
    found = figures(Nh(whole_lake)("metrics").stdout)
    lake = Lake(str(whole_lake))
    with connect(lake) as db:
        for table in tables():
            (rows,) = db.execute(f"select count(*) from {table.name}").fetchone()
            assert found["nh_table_rows", table.name] == rows
            size = sum(f.stat().st_size for f in _files(lake, table))
            assert found["nh_table_size_bytes", table.name] == size
            column = table.partitioning.columns[0] if table.partitioning.in_time else ""
            if rows and column and column != "fiscal_year":
                (day,) = db.execute(f"select max({column}) from {table.name}").fetchone()
                newest = datetime(day.year, day.month, day.day, tzinfo=timezone.utc).timestamp()
                assert found["nh_table_newest_timestamp_seconds", table.name] == newest, table.name
                age = datetime.now(tz=timezone.utc).timestamp() - newest
                assert found["nh_table_age_seconds", table.name] == pytest.approx(age, abs=300)
    assert found["nh_table_rows", "silver.fct_staffing_levels"] > 0
    landed = len(RawZone(lake.storage).deliveries())
    of_tables = sum(value for (name, *_), value in found.items() if name == "nh_deliveries")
    assert 0 < of_tables <= landed
    assert found["nh_deliveries", "daily_nurse_staffing", "effective"] == 2
    end = datetime(2024, 6, 30, tzinfo=timezone.utc).timestamp()
    assert found["nh_dataset_newest_timestamp_seconds", "daily_nurse_staffing"] == end
    assert found["nh_quarantined_files",] == 0


def _files(lake, table):
    return [Path(lake.readable(path)) for path in lake.snapshot(table).paths]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Dagster's event log readers
def test_of_runs_checks_and_sensors(tmp_path):
    nh, out = Nh(tmp_path / "lake"), tmp_path / "nh.prom"
    with nh.instance as instance:
        for name, passed in (("grain", False), ("values", True), ("pandera", False)):
            severity = dg.AssetCheckSeverity.WARN if name == "pandera" else dg.AssetCheckSeverity.ERROR
            instance.report_runless_asset_event(
                dg.AssetCheckEvaluation(
                    asset_key=dg.AssetKey(["silver", "dim_date"]),
                    check_name=name,
                    passed=passed,
                    severity=severity,
                    metadata={},
                )
            )
        ticked(instance, "drive_sensor", TickStatus.FAILURE, 1_800_000_000)
        ticked(instance, "drive_sensor", TickStatus.STARTED, 1_800_000_030)
        ticked(instance, "catch_up", TickStatus.SKIPPED, 1_800_000_031)
        maintenance = build_defs(Settings(home=str(nh.home))).resolve_job_def("maintenance")
        run_id = maintenance.execute_in_process(instance=instance).run_id
        ended = instance.get_run_record_by_id(run_id).end_time
    nh("metrics", "--out", out)
    found = figures(out.read_text())
    failed = {key[1:]: value for key, value in found.items() if key[0] == "nh_failed_checks"}
    assert failed == {("silver/dim_date", "ERROR"): 1, ("silver/dim_date", "WARN"): 1}
    assert found["nh_job_last_success_timestamp_seconds", "maintenance"] == pytest.approx(ended, abs=0.001)
    assert found["nh_last_tick_timestamp_seconds", "sensor", "drive_sensor"] == 1_800_000_000
    assert found["nh_last_tick_failed", "sensor", "drive_sensor"] == 1
    assert found["nh_last_tick_timestamp_seconds", "sensor", "catch_up"] == 1_800_000_031
    assert found["nh_last_tick_failed", "sensor", "catch_up"] == 0


def test_they_are_served_on_this_machine_alone(tmp_path, monkeypatch):
    served = prometheus_client.start_http_server
    answers = []

    def asked(port, **how):
        server, thread = served(port, **how)
        answers.append(server.server_address[0])
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            answers.append(figures(answer.read().decode())["nh_quarantined_files",])
        threading.Thread(target=server.shutdown).start()  # as Ctrl-C would end it
        return server, thread

    monkeypatch.setattr(prometheus_client, "start_http_server", asked)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    Nh(tmp_path / "lake")("metrics", "--serve", str(port))
    assert answers == ["127.0.0.1", 0]
