"""Treatments by the clock: extracted in runs of Dagster, built by the sensor that catches up."""

from __future__ import annotations

from datetime import timedelta

import dagster as dg
import pytest
from tenacity import wait_none

from nh_pipeline.datasets.treatments.tables import TREATMENT_ITEMS
from nh_pipeline.domains import VARIABLE
from nh_pipeline.lake.lake import Lake
from nh_pipeline.orchestration import extraction
from nh_pipeline.orchestration.definitions import build_defs
from nh_pipeline.settings import Settings
from nh_pipeline.sources import dynamodb
from nh_pipeline_tests.support import chain
from nh_pipeline_tests.support.aws_server import denied, throttled
from nh_pipeline_tests.support.dynamodb import NOW, at

pytestmark = pytest.mark.integration


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture
def run(lake, instance, monkeypatch):
    """Runs a schedule's job as the daemon does; its result."""
    monkeypatch.setattr(dynamodb, "wait_random_exponential", lambda **_: wait_none())
    monkeypatch.setattr(extraction, "WAIT", 0)

    def run_of(schedule: str, **settings: int) -> dg.ExecuteInProcessResult:
        defs = build_defs(Settings(**lake.settings, **settings))
        found = defs.get_repository_def().get_schedule_def(schedule)
        assert found.default_status is dg.DefaultScheduleStatus.RUNNING
        with dg.build_schedule_context(instance, repository_def=defs.get_repository_def()) as context:
            (request,) = found.evaluate_tick(context).run_requests
        job = defs.resolve_job_def(found.job_name)
        return job.execute_in_process(run_config=request.run_config, instance=instance, raise_on_error=False)

    return run_of


def told(result: dg.ExecuteInProcessResult) -> dict[str, object]:
    assert result.success
    (output,) = [e for e in result.all_events if e.is_successful_output]
    return {name: value.value for name, value in output.step_output_data.metadata.items()}


def test_what_has_changed_lands_every_hour_and_is_built(lake, run, instance):
    for number in range(3):
        lake.table.put(number, at(hours=3))
    assert told(run("treatments_schedule"))["window"] == "all"
    lake.table.put(3, at(hours=1))
    found = told(run("treatments_schedule"))
    since, watermark = NOW - timedelta(hours=3, minutes=10), NOW - timedelta(hours=1)
    assert found.pop("outcome").startswith("landed: dynamodb-")
    assert found.pop("bytes") == max(d.manifest.size for d in lake.zone.deliveries())
    assert found == {
        "mode": "scan",
        "window": f"since {since.isoformat()}",
        "items": 4,
        "watermark": watermark.isoformat(),
    }
    defs, cursor, asked = build_defs(Settings(**lake.settings)), None, []
    sensor = defs.get_repository_def().get_sensor_def("catch_up")
    for _ in range(2):  # it acts on what it sees for the second time
        with dg.build_sensor_context(
            instance,
            repository_def=defs.get_repository_def(),
            resources=dict(defs.resources or {}),
            cursor=cursor,
        ) as context:
            tick = sensor.evaluate_tick(context)
        cursor, asked = tick.cursor, tick.run_requests or []
    for request in asked:
        job = defs.resolve_job_def(request.job_name)
        assert job.execute_in_process(run_config=request.run_config, tags=request.tags, instance=instance).success
    rows = chain.rows(Lake(lake.settings["home"]), TREATMENT_ITEMS)
    assert [request.job_name for request in asked] == ["treatments_delivery"]
    assert {int(row["treatment_id"]) for row in rows} == {0, 1, 2, 3}


def test_all_of_a_table_is_scanned_at_night_unless_it_is_too_large(lake, run, request):
    if request.node.callspec.params["server"] == "dynalite":
        pytest.skip("dynalite never counts the items of a table, as DynamoDB does every few hours")
    lake.table.put(1, at(hours=3))
    lake()
    lake.table.put(2, at(hours=2))
    assert told(run("treatments_full_scan", treatments_full_scan=1)) == {
        "outcome": "not scanned: 2 items, more than NH_TREATMENTS_FULL_SCAN"
    }
    found = told(run("treatments_full_scan", treatments_full_scan=2))
    assert (found["window"], found["items"]) == ("all", 2)


def test_what_is_held_or_in_no_need_of_landing_says_so(lake, run):
    for number in range(4):
        lake.table.put(number, at(hours=3))
    for _ in range(2):
        lake()
    assert told(run("treatments_schedule"))["outcome"] == "the same as the last time: nothing to land"
    lake.table.delete(0)
    assert str(told(run("treatments_full_scan"))["outcome"]).startswith("held: it lacks 25.0% of the treatments of")


@pytest.mark.parametrize(("error", "tries"), [(throttled, 1 + extraction.RETRIES), (denied, 1)])
def test_what_may_pass_is_tried_again_and_what_does_not_is_told(lake, run, error, tries):
    with lake.table.aws.failing("dynamodb:Scan", error):
        result = run("treatments_schedule")
    (failure,) = [e for e in result.all_events if e.is_step_failure]
    assert "Nothing was extracted" in failure.step_failure_data.user_failure_data.description
    assert 1 + sum(e.is_step_up_for_retry for e in result.all_events) == tries
    assert lake.left() == []


def test_without_a_table_there_is_nothing_by_the_clock(tmp_path, monkeypatch):
    def names(**how):
        defs = build_defs(Settings(home=str(tmp_path), treatments_table="treatments"), **how)
        return {each.name for each in [*defs.jobs, *defs.schedules]} & {extraction.EXTRACTION, "treatments_schedule"}

    assert len(names()) == 2
    assert names(by_the_clock=False) == set()
    assert extraction.extraction(Settings(home=str(tmp_path))) == ([], [])
    monkeypatch.setenv(VARIABLE, "cms")
    assert names() == set()
