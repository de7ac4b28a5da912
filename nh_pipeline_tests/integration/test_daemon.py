"""Unattended: files are dropped, and a real daemon with its sensors does the rest."""

from __future__ import annotations

import os
import time
from collections import Counter

import dagster as dg
import pytest

from nh_pipeline.datasets.dates import DIM_DATE
from nh_pipeline.landing.zone import RawZone
from nh_pipeline.pipeline.plan import plan
from nh_pipeline.sample import Deliveries
from nh_pipeline_tests.support.local import Nh, serving

pytestmark = [
    pytest.mark.integration,
    pytest.mark.at_length,
    pytest.mark.timeout(1200),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

PLAN = Deliveries(20, ("2024Q1",), releases=1, days=2)
MATCHES = "select provider_match as m, count(*) as n from gold.facility_measures group by all order by all"


def test_dropped_files_reach_gold_by_themselves_and_once(tmp_path):
    nh = Nh(tmp_path / "lake")
    drop, ready = nh.home / "drop", tmp_path / "ready"
    drop.mkdir(parents=True)
    staffing = PLAN.staffing(ready, "2024Q1")
    (providers,) = (p for p in PLAN.release(ready, 0) if "ProviderInfo" in p.name)

    def deliver(path):
        path.rename(drop / path.name)  # at once: no half a file

    def matches():
        return {r["m"]: r["n"] for r in nh.rows(MATCHES)}

    def stale():
        return plan(nh.lake, RawZone(nh.lake.storage)).builds

    with serving(nh.home) as server:
        deliver(staffing)
        server.wait(matches, "gold has rows")
        assert matches() == {"unknown": 40}  # a missing dimension blocks nothing
        deliver(providers)
        # The release becomes a run, the dimension follows it by its condition, gold the dimension by its sensor.
        server.wait(lambda: set(matches()) != {"unknown"}, "gold follows the dimension")
        unknown = len(PLAN.truth().unknown_providers)
        assert matches() == {"earliest": 2 * (20 - unknown), "unknown": 2 * unknown}
        server.wait(lambda: nh.lake.snapshot(DIM_DATE).files, "the calendar, which no file asks for, is caught up")
        server.wait(lambda: all(r.is_finished for r in nh.runs()) and not stale(), "all is built, runs are over")

        before = [r.run_id for r in nh.runs()]
        for path in (staffing, providers):
            os.utime(drop / path.name)
        touched = time.time()
        server.wait(lambda: _ticks(nh, "drive_sensor", touched) >= 2, "the drive sensor has looked twice")
        assert [r.run_id for r in nh.runs()] == before

    runs = [r for r in nh.runs() if r.job_name != "quality"]  # which follows whatever has changed
    assert {r.status for r in runs} == {dg.DagsterRunStatus.SUCCESS}
    assert Counter(r.tags["nh/file"] for r in runs if "nh/file" in r.tags) == {staffing.name: 1, providers.name: 1}
    by = {r.tags.get("dagster/sensor_name"): r for r in runs}
    assert set(by) == {
        "drive_sensor",
        "dimensions_follow_releases",
        "catch_up",
    }
    assert by["catch_up"].tags["dagster/asset_partition_range_start"] == "2024-01-01"
    assert len(runs) == 5
    assert nh("materialize").stdout == "nothing to do: every table is up to date\n"


def _ticks(nh, sensor, since):
    """Finished ticks of a sensor since then."""
    with nh.instance as instance:
        (state,) = [s for s in instance.all_instigator_state() if s.instigator_name == sensor]
        ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, after=since)
        return sum(t.is_completed for t in ticks)
