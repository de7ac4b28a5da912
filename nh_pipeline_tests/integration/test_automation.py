"""What is built by itself, and what is not: decisions of conditions and of catching up, without a daemon."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import AssetMaterializationPlannedData

from nh_pipeline.orchestration.assets import FOLLOW_RELEASES
from nh_pipeline.orchestration.attempts import AT_ONCE, FIRST_PAUSE, Tried
from nh_pipeline.orchestration.definitions import build_defs
from nh_pipeline.orchestration.partitions import RANGE_END, RANGE_START, RELEASES
from nh_pipeline.orchestration.planned_runs import PlannedRun
from nh_pipeline.orchestration.sensors import requests
from nh_pipeline.periods import joined
from nh_pipeline.pipeline.calendar import BuildCalendar
from nh_pipeline.sample import Deliveries
from nh_pipeline.settings import Settings
from nh_pipeline_tests.support import chain
from nh_pipeline_tests.support.runbook import RUNBOOK, not_said
from nh_pipeline_tests.support.stale import stale_gold
from nh_pipeline_tests.support.ticks import tick as evaluated
from nh_pipeline_tests.support.ticks import tick_of

# Dagster's own tester of conditions uses it.
pytestmark = pytest.mark.filterwarnings("ignore:Parameter `include_sources`:dagster.BetaWarning")

PLAN = Deliveries(5, ("2024Q1",), releases=1, days=2)


# Dimensions follow releases


def _dimensions():
    @dg.asset(key=["bronze", "providers_raw"], partitions_def=RELEASES)
    def bronze(): ...

    @dg.asset(key=["silver", "dim_providers"], deps=[bronze], automation_condition=FOLLOW_RELEASES)
    def dimension(): ...

    return dg.Definitions([bronze, dimension])


@pytest.fixture
def following():
    """Evaluates the condition tick by tick on an instance of its own."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield Following(instance)


class Following:
    def __init__(self, instance):
        self.instance, self.defs, self.cursor = instance, _dimensions(), None

    def tick(self) -> int:
        found = dg.evaluate_automation_conditions(self.defs, instance=self.instance, cursor=self.cursor)
        self.cursor = found.cursor
        return found.total_requested

    def release(self, *months: str) -> None:
        for month in months:
            self.instance.report_runless_asset_event(
                dg.AssetMaterialization(["bronze", "providers_raw"], partition=f"{month}-01")
            )

    def build(self) -> None:
        self.instance.report_runless_asset_event(dg.AssetMaterialization(["silver", "dim_providers"]))


def test_real_assets_carry_the_condition():
    graph = build_defs(Settings(home="nowhere")).resolve_asset_graph()
    carrying = {k.to_user_string() for k in graph.executable_asset_keys if graph.get(k).automation_condition}
    assert carrying == {"silver/dim_providers", "silver/dim_claims", "silver/dim_npi"}
    assert graph.get(dg.AssetKey(["silver", "dim_claims"])).automation_condition == FOLLOW_RELEASES


def test_no_release_no_request(following):
    assert [following.tick() for _ in range(3)] == [0, 0, 0]


def test_one_month_of_many_is_enough(following):
    following.tick()
    following.release("2024-07")
    assert [following.tick(), following.tick()] == [1, 0]
    following.build()
    assert following.tick() == 0
    following.release("2024-08")
    assert [following.tick(), following.tick()] == [1, 0]


def test_two_updates_between_ticks_count_once(following):
    following.tick()
    following.release("2024-07", "2024-08")
    assert [following.tick(), following.tick()] == [1, 0]


def test_a_release_of_an_old_month_counts_too(following):
    following.tick()
    following.release("2024-08")
    following.tick()
    following.build()
    following.tick()
    following.release("2019-03")
    assert following.tick() == 1


def test_what_the_condition_cannot_see(following):
    """A release that came in since the last tick, in which a build ended, too. That is what the catch-up is for."""
    following.tick()
    following.release("2024-07")
    following.tick()
    following.build()
    following.release("2024-08")
    assert [following.tick(), following.tick()] == [0, 0]


@pytest.mark.at_length
@pytest.mark.integration
def test_a_dimension_that_stayed_behind_is_caught_up(workspace):  # noqa: PLR0915 (one story)
    w = workspace()
    drop = w.lake.storage.base + "/files"
    defs = build_defs(Settings(home=w.lake.storage.base))
    with dg.DagsterInstance.ephemeral() as instance:
        cursor, told = "", []

        def tick():
            nonlocal cursor
            found = tick_of(defs, "catch_up", instance, cursor=cursor)
            cursor = found.cursor if found.cursor is not None else cursor
            told.extend(found.asset_events)
            return found.run_requests or []

        assert tick() == []
        (request,) = tick()  # the calendar, which nothing else builds
        assert [k.to_user_string() for k in request.asset_selection] == ["silver/dim_date"]
        chain.published(BuildCalendar(table="silver.dim_date").run(w).results)
        assert tick() == tick() == []
        # Whatever has landed is built, however it came in: here, by no run at all.
        modelled = ("NH_ProviderInfo", "NH_QualityMsr_Claims")
        chain.land(w, *(p for p in PLAN.release(Path(drop), 0) if p.name.startswith(modelled)))
        assert tick() == []  # a delivery's own run goes first
        parse = tick()
        assert [(r.job_name, r.tags[RANGE_START]) for r in parse] == [("releases", "2024-07-01")]
        from_raw = {"config": {"from_source": False}}
        assert parse[0].run_config == {"ops": {"raw__providers": from_raw, "raw__medicare_claims": from_raw}}
        chain.parse(w, "providers")
        (claims,) = (tick(), tick())[1]  # nothing is asked for what is done
        assert claims.job_name == "medicare_claims_delivery"
        for attempt in (1, 2, 3):  # it fails, whatever is done: the next part need not wait for ever
            tags = {**claims.tags, "nh/attempt": str(attempt)}
            job = defs.resolve_job_def("medicare_claims_delivery")
            instance.create_run_for_job(job, tags=tags, status=dg.DagsterRunStatus.FAILURE)
        tried = []
        while wanted := tick():
            for request in wanted:
                job = defs.resolve_job_def(request.job_name)
                instance.create_run_for_job(job, tags=request.tags, status=dg.DagsterRunStatus.FAILURE)
            tried.append([(r.job_name, r.tags["nh/attempt"]) for r in wanted])
        attempts = [str(n) for n in range(1, AT_ONCE + 1)]
        of_silver = [[("dimensions", n), ("providers_delivery", n)] for n in attempts]
        assert tried == [*of_silver, *([("quality", n)] for n in attempts)]
        gave_up = {(e.asset_key.to_user_string(), e.check_name, e.passed) for e in told}
        assert gave_up == {
            ("bronze/medicare_claims_raw", "no_build_gave_up", False),
            ("silver/dim_providers", "no_build_gave_up", False),
            ("silver/fct_provider_releases", "no_build_gave_up", False),
            ("gold/data_quality", "no_build_gave_up", False),
        }
        assert "look at why they failed" in told[0].metadata["what_to_do"].value
        assert not_said(RUNBOOK["A build fails again and again"].seen, told[0].description) == []
        told.clear()
        assert tick() == []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("nh_pipeline.orchestration.attempts.FIRST_PAUSE", timedelta(0))  # it is over
            assert {r.tags["nh/attempt"] for r in tick()} == {str(AT_ONCE + 1)}
        assert told == []  # once
        chain.parse(w, "medicare_claims")
        assert tick() == []
        assert [(e.asset_key.path[-1], e.passed) for e in told] == [("medicare_claims_raw", True)]  # no longer stale
        histories, releases = tick()
        assert [k.path[-1] for k in histories.asset_selection] == ["dim_providers", "dim_claims"]
        assert [k.path[-1] for k in releases.asset_selection] == ["fct_provider_releases", "fct_claims_measures"]
        chain.whole(w)
        assert tick() == tick() == []


def _start(following, key, **tags):
    """A run of an asset that has started and does not end."""
    job = following.defs.resolve_implicit_global_asset_job_def()
    run = following.instance.create_run_for_job(
        job, asset_selection=frozenset({dg.AssetKey(key)}), tags=tags, status=dg.DagsterRunStatus.STARTED
    )
    planned = dg.DagsterEvent.build_asset_materialization_planned_event(
        job_name=job.name,
        step_key="__".join(key),
        asset_materialization_planned_data=AssetMaterializationPlannedData(
            dg.AssetKey(key), partition=tags.get("dagster/partition")
        ),
    )
    following.instance.report_dagster_event(planned, run.run_id)
    return run


def test_nothing_is_requested_while_the_dimension_is_being_built(following):
    following.tick()
    run = _start(following, ["silver", "dim_providers"])
    following.release("2024-07")
    assert following.tick() == 0
    following.instance.report_run_canceled(run)
    assert [following.tick(), following.tick()] == [1, 0]


def test_nothing_is_requested_while_a_release_is_coming_in(following):
    following.tick()
    run = _start(following, ["bronze", "providers_raw"], **{"dagster/partition": "2024-08-01"})
    following.release("2024-07")
    assert following.tick() == 0
    following.release("2024-08")
    following.instance.report_run_canceled(run)
    assert [following.tick(), following.tick()] == [1, 0]


# Gold follows the dimensions

RELEASED = Deliveries(30, ("2024Q1", "2024Q3"), releases=4, days=None)
"""Releases of July to October 2024. The first quarter carries the earliest versions, the third lies among them."""
FIRST_RELEASES = ("Jul2024", "Aug2024")


@pytest.fixture
def late(engine, tmp_path):
    """A lake up to the release of August; the files of the later ones wait."""
    drop = tmp_path / "files"
    paths = RELEASED.write(drop)
    early = [p for p in paths if p.name.startswith("PBJ") or p.stem.endswith(FIRST_RELEASES)]
    workspace = chain.workspace_at(tmp_path / "lake", engine)
    chain.land(workspace, *early)
    chain.whole(workspace)
    return workspace, {p.name: p for p in paths}


def behind(workspace):
    return stale_gold(workspace.lake)


def deliver(workspace, files, *names):
    chain.land(workspace, *(files[n] for n in names))
    for dataset in ("providers", "medicare_claims"):
        chain.parse(workspace, dataset)
        chain.dimension(workspace, dataset)


@pytest.mark.at_length
@pytest.mark.integration
def test_a_late_release_concerns_only_the_days_on_which_it_holds(late):
    workspace, files = late
    assert behind(workspace) == []
    deliver(workspace, files, "NH_ProviderInfo_Sep2024.csv")
    days = behind(workspace)
    assert joined(zip(days, days, strict=True)) == [(date(2024, 9, 1), date(2024, 9, 30))]
    # Two updates of the dimensions before anybody looks: both count.
    deliver(workspace, files, "NH_QualityMsr_Claims_Sep2024.csv")
    deliver(workspace, files, "NH_QualityMsr_Claims_Oct2024.csv", "NH_ProviderInfo_Oct2024.csv")
    assert set(behind(workspace)) >= set(days)
    days = behind(workspace)
    windows = joined(zip(days, days, strict=True))
    assert windows[0][0] == date(2024, 9, 1)
    before = chain.rows(workspace.lake, chain.FACILITY_MEASURES)
    for start, end in windows:
        chain.published(chain.measures_build(start=start, end=end).run(workspace).results)
    assert behind(workspace) == []
    # The windows were all that there was to do: building everything finds nothing more.
    built, counts = chain.rows(workspace.lake, chain.FACILITY_MEASURES), chain.snapshots(workspace.lake)
    assert [r for r in built if r["work_date"] < date(2024, 9, 1)] == [
        r for r in before if r["work_date"] < date(2024, 9, 1)
    ]
    assert built != before
    chain.measures(workspace)
    assert chain.rows(workspace.lake, chain.FACILITY_MEASURES) == built
    assert chain.snapshots(workspace.lake) == counts


def test_joined():
    day = date(2024, 1, 30)
    days = [day + timedelta(days=n) for n in (5, 0, 1, 2, 4)]
    windows = [(day, day + timedelta(days=2)), (day + timedelta(days=4), day + timedelta(days=5))]
    assert joined(zip(days, days, strict=True)) == windows
    assert joined([]) == []


def test_a_window_is_one_run_at_a_time():
    tried: dict[str, Tried] = {}
    windows = [(date(2024, 9, 1), date(2024, 9, 30)), (date(2024, 11, 5), date(2024, 11, 5))]
    runs = [PlannedRun("marts", a, b) for a, b in windows]
    keys = []
    for attempt in range(1, AT_ONCE + 1):
        found = requests(runs, "state", tried.get)
        assert [(r.tags[RANGE_START], r.tags[RANGE_END]) for r in found] == [
            ("2024-09-01", "2024-09-30"),
            ("2024-11-05", "2024-11-05"),
        ]
        assert {r.tags["nh/attempt"] for r in found} == {str(attempt)}
        keys += [r.run_key for r in found]
        tried.update({r.tags["nh/trigger"]: Tried(attempt, datetime.now(tz=timezone.utc)) for r in found})
    assert len(set(keys)) == 2 * AT_ONCE
    assert requests(runs, "state", tried.get) == []
    assert len(requests(runs, "another state", tried.get)) == 2  # something has changed: it may go well now
    over = {trigger: before._replace(over_at=before.over_at - FIRST_PAUSE) for trigger, before in tried.items()}
    assert {r.tags["nh/attempt"] for r in requests(runs, "state", over.get)} == {str(AT_ONCE + 1)}


def test_catching_up_waits_for_other_runs_but_not_for_ever(workspace, monkeypatch):
    w = workspace()
    chain.published(BuildCalendar(table="silver.dim_date").run(w).results)
    settings = Settings(home=w.lake.storage.base)
    with dg.DagsterInstance.ephemeral() as instance:
        assert "nothing is stale" in evaluated("catch_up", settings, instance).skip_message
        job = build_defs(settings).resolve_job_def("dimensions")
        instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
        assert "in progress" in evaluated("catch_up", settings, instance).skip_message
        monkeypatch.setattr("nh_pipeline.orchestration.sensors.LONGEST_RUN", timedelta(0))  # killed long ago
        assert "nothing is stale" in evaluated("catch_up", settings, instance).skip_message
