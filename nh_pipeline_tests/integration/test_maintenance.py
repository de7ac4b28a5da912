"""Maintenance under the daemon: a job by the clock that does what ``nh`` does before its runs."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import dagster as dg
import pytest

from nh_pipeline.lake.lake import Lake
from nh_pipeline.orchestration import jobs
from nh_pipeline.orchestration.definitions import build_defs
from nh_pipeline.pipeline.build_state import compared_snapshots
from nh_pipeline.settings import Settings
from nh_pipeline.tables import gold, tables

pytestmark = pytest.mark.integration


@pytest.fixture
def lake(tmp_path):
    return Lake(str(tmp_path))


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


def test_the_daemon_maintains_the_lake_every_night(lake, monkeypatch):
    lake.storage.write("raw/.incoming/x", b"half a download")
    lake.storage.write("raw/.incoming/young", b"under way")
    old = time.time() - 2 * 86400
    os.utime(Path(lake.root, "raw/.incoming/x"), (old, old))
    asked = []
    monkeypatch.setattr(jobs, "expire", lambda *told: asked.append(told) or {"silver.dim_date": 3})
    defs = build_defs(Settings(home=lake.root))
    schedule = defs.get_repository_def().get_schedule_def("nightly_maintenance")
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    with dg.DagsterInstance.ephemeral() as instance:
        result = defs.resolve_job_def(schedule.job_name).execute_in_process(instance=instance)
        said = " ".join(e.user_message for e in instance.all_logs(result.run_id))
    assert "silver.dim_date: 3 snapshots expired" in said
    assert "1 files deleted" in said
    assert len(asked) == 1
    assert sorted(p.name for p in Path(lake.root, "raw/.incoming").iterdir()) == ["young"]
    assert "maintenance" not in {j.name for j in build_defs(Settings(home=lake.root), by_the_clock=False).jobs or ()}
