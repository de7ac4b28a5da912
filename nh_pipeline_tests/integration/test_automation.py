"""What runs by itself, and what does not: the decisions of sensors and conditions, without a daemon."""

from __future__ import annotations

import os
import time
import zipfile
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import AssetMaterializationPlannedData

from nh_pipeline.lake.lake import Lake
from nh_pipeline.landing.zone import RawZone
from nh_pipeline.orchestration.assets import FOLLOW_RELEASES
from nh_pipeline.orchestration.definitions import build_defs
from nh_pipeline.orchestration.delivery_sensor import MOST_ATTEMPTS, SensorState, plan_requests, run_key
from nh_pipeline.orchestration.partitions import RANGE_END, RANGE_START, RELEASES
from nh_pipeline.orchestration.planned_runs import PlannedRun
from nh_pipeline.orchestration.sensors import requests
from nh_pipeline.periods import joined
from nh_pipeline.pipeline.calendar import BuildCalendar
from nh_pipeline.sample import Deliveries
from nh_pipeline.settings import Settings
from nh_pipeline.sources import FolderSource, SourceUnavailable
from nh_pipeline_tests.support import chain
from nh_pipeline_tests.support.stale import stale_gold
from nh_pipeline_tests.unit.test_landing_archive import zipped

# Dagster's own tester of conditions uses it.
pytestmark = pytest.mark.filterwarnings("ignore:Parameter `include_sources`:dagster.BetaWarning")

PLAN = Deliveries(5, ("2024Q1",), releases=1, days=2)


def never(_: str) -> bool:
    return False


class Drop:
    """A drop folder with the sensor's memory and the lake's raw zone."""

    def __init__(self, root):
        self.folder = root / "drop"
        self.folder.mkdir()
        self.zone = RawZone(Lake(str(root / "lake")).storage)
        self.cursor: str | None = None
        self.said: list[str] = []

    def tick(self, source=None, *, failed=never, **more) -> list[dg.RunRequest]:
        watch = SensorState.load(self.cursor)
        source = source or FolderSource(self.folder)
        requests = plan_requests(
            source, watch, failed=failed, deliveries=self.zone.deliveries, say=self.said.append, **more
        )
        self.cursor = watch.dump()
        return requests

    def land(self) -> None:
        source = FolderSource(self.folder)
        for file in source.changes().files:
            self.zone.land(source, file)

    def names(self, requests) -> list[str]:
        return [r.tags["nh/file"] for r in requests]


@pytest.fixture
def drop(tmp_path):
    return Drop(tmp_path)


def written(path, content, *, seconds_ago=60):
    path.write_bytes(content)
    when = time.time() - seconds_ago
    os.utime(path, (when, when))


def file_ids(request: dg.RunRequest) -> list[str]:
    (op,) = request.run_config["ops"].values()
    return op["config"]["file_ids"]


# The drive sensor


def test_a_quarter_is_one_run_over_its_days(drop):
    PLAN.staffing(drop.folder, "2024Q1")
    (file,) = FolderSource(drop.folder).changes().files
    (request,) = drop.tick()
    assert request.job_name == "daily_nurse_staffing_delivery"
    assert (request.tags[RANGE_START], request.tags[RANGE_END]) == ("2024-01-01", "2024-03-31")
    assert request.run_key == run_key(file.file_id, file.version, 1)
    assert request.run_config == {"ops": {"raw__daily_nurse_staffing": {"config": {"file_ids": [file.file_id]}}}}
    assert request.tags["nh/file"] == "PBJ_Daily_Nurse_Staffing_Q1_2024.csv"


def test_a_release_is_one_run_of_its_month(drop):
    PLAN.release(drop.folder, 0)
    requests = {r.tags["nh/file"]: r for r in drop.tick()}
    jobs = {name: r.job_name for name, r in requests.items()}
    assert jobs == {
        "NH_ProviderInfo_Jul2024.csv": "providers_delivery",
        "NH_QualityMsr_Claims_Jul2024.csv": "medicare_claims_delivery",
        "NH_DataCollectionIntervals_Jul2024.csv": "data_collection_intervals_delivery",
        "NH_Penalties_Jul2024.csv": "penalties_delivery",
        "NH_StateUSAverages_Jul2024.csv": "state_us_averages_delivery",
    }
    release = requests["NH_ProviderInfo_Jul2024.csv"]
    assert (release.tags[RANGE_START], release.tags[RANGE_END]) == ("2024-07-01", "2024-07-01")


@pytest.mark.parametrize("content", [b"a,b\n1,2\n", b"", b"\x00\x01", b"PK\x03\x04 cut off"])
def test_what_nobody_recognises_is_landed_to_be_put_into_quarantine(drop, content):
    written(drop.folder / "odd.csv", content)
    (request,) = drop.tick()
    assert request.job_name == "land_only"
    assert drop.tick() == []


def test_a_file_of_one_line_without_a_line_end_is_recognised(drop):
    path = PLAN.staffing(drop.folder, "2024Q1")
    written(path, b"\n".join(path.read_bytes().split(b"\n")[:2]).rstrip())
    (request,) = drop.tick()
    assert request.job_name == "daily_nurse_staffing_delivery"


def test_nothing_new_nothing_to_do(drop):
    assert drop.tick() == []
    PLAN.staffing(drop.folder, "2024Q1")
    assert len(drop.tick()) == 1
    assert drop.tick() == []
    assert drop.tick() == []


def test_a_changed_content_is_a_new_run(drop):
    path = PLAN.staffing(drop.folder, "2024Q1")
    (first,) = drop.tick()
    drop.land()
    written(path, path.read_bytes() + path.read_bytes().split(b"\n")[1] + b"\n")
    (second,) = drop.tick()
    assert second.run_key != first.run_key
    assert file_ids(second) == file_ids(first)
    assert second.tags["nh/attempt"] == "1"


def test_a_changed_content_of_the_same_size_is_a_new_run(drop):
    path = PLAN.staffing(drop.folder, "2024Q1")
    drop.tick()
    drop.land()
    text = path.read_bytes()
    path.write_bytes(text[:-3] + bytes([text[-3] ^ 1]) + text[-2:])
    os.utime(path, (1, 1))
    assert len(drop.tick()) == 1


def test_touching_a_file_starts_nothing(drop):
    path = PLAN.staffing(drop.folder, "2024Q1")
    (first,) = drop.tick()
    drop.land()
    for when in (1_800_000_000, 1_900_000_000):
        os.utime(path, (when, when))
        assert drop.tick() == []
    # Its run is remembered: should it fail after all, the next attempt is made.
    (second,) = drop.tick(failed=lambda key: key == first.run_key)
    assert second.tags["nh/attempt"] == "2"


def test_touching_a_file_whose_run_failed_is_a_new_beginning(drop):
    path = PLAN.staffing(drop.folder, "2024Q1")
    drop.tick()
    drop.land()
    for _ in range(MOST_ATTEMPTS):
        drop.tick(failed=lambda _: True)
    assert drop.tick(failed=lambda _: True) == []
    os.utime(path, (1_800_000_000, 1_800_000_000))
    (request,) = drop.tick(failed=lambda _: True)
    assert request.tags["nh/attempt"] == "1"


def test_a_failed_run_is_tried_again_up_to_three_times(drop):
    PLAN.staffing(drop.folder, "2024Q1")
    (first,) = drop.tick()
    keys = [first.run_key]
    for attempt in range(2, MOST_ATTEMPTS + 1):
        assert drop.tick() == []  # under way
        (request,) = drop.tick(failed=lambda key: key == keys[-1])
        assert request.tags["nh/attempt"] == str(attempt)
        keys.append(request.run_key)
    assert len(set(keys)) == MOST_ATTEMPTS == 3
    assert drop.tick(failed=lambda _: True) == []


def test_a_vanished_file_is_forgotten_and_no_run(drop):
    path = PLAN.staffing(drop.folder, "2024Q1")
    (first,) = drop.tick()
    content, stat = path.read_bytes(), path.stat()
    path.unlink()
    assert drop.tick(failed=lambda _: True) == []
    assert SensorState.load(drop.cursor).requested == {}
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    (again,) = drop.tick()
    assert again.run_key == first.run_key  # which Dagster knows: no second run


def test_an_archive_of_several_is_landed_once_however_far_behind_its_files_are(drop, tmp_path):
    (averages,) = (p for p in PLAN.release(tmp_path, 0) if "StateUSAverages" in p.name)
    quarter = PLAN.staffing(tmp_path, "2024Q1").read_bytes()
    members = [("a.pdf", bytes(range(256)) * 1000), ("PBJ.csv", quarter), ("averages.csv", averages.read_bytes())]
    archive = drop.folder / "monthly.zip"
    written(archive, zipped(*members, method=zipfile.ZIP_STORED))
    (drop.folder / "Thumbs.db").write_bytes(b"x")
    (drop.folder / "PBJ.csv.part").write_bytes(quarter[:5000])
    (request,) = drop.tick()
    assert request.job_name == "land_only"
    drop.land()
    assert {d.manifest.coverage.kind for d in drop.zone.deliveries()} == {"quarter", "release"}
    os.utime(archive, (1, 1))
    assert drop.tick() == []
    single = drop.folder / "PBJ.zip"
    written(single, zipped(*members[:2], method=zipfile.ZIP_STORED))
    (request,) = drop.tick()
    assert request.job_name == "daily_nurse_staffing_delivery"


def test_a_file_that_may_still_grow_waits_for_the_next_tick(drop, tmp_path):
    content = PLAN.staffing(tmp_path, "2024Q1").read_bytes()
    path = drop.folder / "PBJ.csv"
    for part in (content[:-30], content):
        path.write_bytes(part)
        assert drop.tick() == []
        assert drop.said.pop() == "PBJ.csv was changed within the last 10 s: it waits for the next tick"
    written(path, content, seconds_ago=30)  # unchanged since the tick before
    (first,) = drop.tick()
    written(path, content + b"\n", seconds_ago=0)
    assert drop.tick() == []
    written(path, content + b"\n", seconds_ago=-3600)  # the clock of a network drive is ahead: it is not left for ever
    (second,) = drop.tick()
    assert first.run_key != second.run_key
    assert drop.said == ["PBJ.csv was changed within the last 10 s: it waits for the next tick"]


def test_a_listing_that_fails_raises_and_changes_nothing(drop):
    PLAN.staffing(drop.folder, "2024Q1")
    drop.tick()
    cursor = drop.cursor
    with pytest.raises(SourceUnavailable, match="no such folder"):
        drop.tick(FolderSource(drop.folder / "elsewhere"))
    assert drop.cursor == cursor
    assert drop.tick() == []


class Flaky(FolderSource):
    """Cannot read some files, and takes its time for each."""

    def __init__(self, path, *, broken=(), seconds=0.0):
        super().__init__(path)
        self.broken, self.seconds = broken, seconds

    def peek(self, file, *args):
        time.sleep(self.seconds)
        if file.name in self.broken:
            raise SourceUnavailable(f"cannot read {file.name!r}")
        return super().peek(file, *args)


def test_a_file_that_cannot_be_read_waits_and_the_others_do_not(drop):
    PLAN.release(drop.folder, 0)
    broken = "NH_Penalties_Jul2024.csv"
    assert len(drop.tick(Flaky(drop.folder, broken=[broken]))) == 4
    assert drop.said == [f"cannot read '{broken}'"]
    assert drop.names(drop.tick()) == [broken]
    assert drop.tick() == []


def test_what_does_not_fit_into_a_tick_waits_for_the_next(drop):
    PLAN.release(drop.folder, 0)
    slow = Flaky(drop.folder, seconds=0.2)
    first = drop.names(drop.tick(slow, seconds=0.3))
    assert len(first) == 2
    assert "wait for the next tick" in drop.said[0]
    second = drop.names(drop.tick(slow, seconds=30))
    assert len(second) == 3
    assert not set(first) & set(second)
    assert drop.tick(slow, seconds=30) == []


def test_the_sensor_itself(tmp_path):
    settings = Settings(home=str(tmp_path / "lake"))
    folder = tmp_path / "lake" / "drop"
    folder.mkdir(parents=True)
    PLAN.staffing(folder, "2024Q1")
    with dg.DagsterInstance.ephemeral() as instance:
        found = _tick("drive_sensor", settings, instance)
        assert [r.job_name for r in found.run_requests] == ["daily_nurse_staffing_delivery"]
        assert not _tick("drive_sensor", settings, instance, cursor=found.cursor).run_requests
    with dg.DagsterInstance.ephemeral() as instance, pytest.raises(SourceUnavailable, match="no such folder"):
        _tick("drive_sensor", Settings(home=str(tmp_path), source=str(tmp_path / "away")), instance)


def _tick(name, settings, instance, **more):
    defs = build_defs(settings)
    repository = defs.get_repository_def()
    with dg.build_sensor_context(
        instance, repository_def=repository, resources=dict(defs.resources or {}), **more
    ) as context:
        return repository.get_sensor_def(name).evaluate_tick(context)


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
def test_a_dimension_that_stayed_behind_is_caught_up(workspace):
    w = workspace()
    drop = w.lake.storage.base + "/files"
    settings = Settings(home=w.lake.storage.base)
    with dg.DagsterInstance.ephemeral() as instance:
        cursor, told = "", []

        def tick():
            nonlocal cursor
            found = _tick("catch_up", settings, instance, cursor=cursor)
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
            instance.create_run_for_job(
                build_defs(settings).resolve_job_def("medicare_claims_delivery"),
                tags=tags,
                status=dg.DagsterRunStatus.FAILURE,
            )
        tried = []
        while wanted := tick():
            for request in wanted:
                job = build_defs(settings).resolve_job_def(request.job_name)
                instance.create_run_for_job(job, tags=request.tags, status=dg.DagsterRunStatus.FAILURE)
            tried.append([(r.job_name, r.tags["nh/attempt"]) for r in wanted])
        attempts = [str(n) for n in range(1, MOST_ATTEMPTS + 1)]
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
        told.clear()
        assert tick() == []
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


def test_a_window_is_one_run_tried_three_times():
    tried: dict[str, int] = {}

    def count(cause: str) -> int:
        return tried.get(cause, 0)

    windows = [(date(2024, 9, 1), date(2024, 9, 30)), (date(2024, 11, 5), date(2024, 11, 5))]
    runs = [PlannedRun("marts", a, b) for a, b in windows]
    keys = []
    for attempt in range(1, MOST_ATTEMPTS + 1):
        found = requests(runs, "state", count)
        assert [(r.tags[RANGE_START], r.tags[RANGE_END]) for r in found] == [
            ("2024-09-01", "2024-09-30"),
            ("2024-11-05", "2024-11-05"),
        ]
        assert {r.tags["nh/attempt"] for r in found} == {str(attempt)}
        keys += [r.run_key for r in found]
        tried.update({r.tags["nh/trigger"]: attempt for r in found})
    assert len(set(keys)) == 2 * MOST_ATTEMPTS
    assert requests(runs, "state", count) == []
    assert len(requests(runs, "another state", count)) == 2  # something has changed: it may go well now


def test_catching_up_waits_for_other_runs_but_not_for_ever(workspace, monkeypatch):
    w = workspace()
    chain.published(BuildCalendar(table="silver.dim_date").run(w).results)
    settings = Settings(home=w.lake.storage.base)
    with dg.DagsterInstance.ephemeral() as instance:
        assert "nothing is stale" in _tick("catch_up", settings, instance).skip_message
        job = build_defs(settings).resolve_job_def("dimensions")
        instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
        assert "in progress" in _tick("catch_up", settings, instance).skip_message
        monkeypatch.setattr("nh_pipeline.orchestration.sensors.LONGEST_RUN", timedelta(0))  # killed long ago
        assert "nothing is stale" in _tick("catch_up", settings, instance).skip_message
