"""The services of docker-compose.yml together: files become gold by themselves, whatever goes wrong on the way."""

from __future__ import annotations

import os
import signal
import time
import urllib.error
import urllib.request
from collections import Counter
from datetime import timedelta

import pytest

from nh_pipeline import tables
from nh_pipeline.lake.lake import Lake
from nh_pipeline.landing.zone import RawZone
from nh_pipeline.orchestration.dead_runs import PROCESS_TAG
from nh_pipeline.periods import quarter_bounds
from nh_pipeline.pipeline.plan import plan
from nh_pipeline.queries.open import LakeQueries
from nh_pipeline.sample import Correction, Deliveries
from nh_pipeline_tests.support.local import Nh
from nh_pipeline_tests.support.small_disk import ONLY_ROOT, filled, small_disk
from nh_pipeline_tests.support.stack import NO_CLOCK, Stack

pytestmark = [
    pytest.mark.integration,
    pytest.mark.at_length,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

DROPPED, KILLED, FULL, AWAY, BEHIND, AGAIN = "2024Q1", "2024Q2", "2024Q3", "2023Q4", "2023Q3", "2023Q2"
"""A quarter for each fault."""

PLAN = Deliveries(20, (DROPPED, KILLED, FULL, AWAY, BEHIND, AGAIN), releases=1, days=2)
CORRECTION = Correction(drop_facilities=0, changed_facilities=5)
UNDER_WAY = ["QUEUED", "NOT_STARTED", "STARTING", "STARTED", "CANCELING"]
DAILY = (
    "raw/daily_nurse_staffing",
    "bronze/daily_nurse_staffing_raw",
    "silver/fct_staffing_levels",
    "gold/facility_measures",
)


class Running(Stack):
    """The stack, and what tests ask of it."""

    def __init__(self, folder):
        super().__init__(folder)
        self.expected = {}  # rows and cents of an hour in gold, by quarter: nothing lost, nothing doubled
        self.queries = LakeQueries(Lake(str(self.lake)))  # it is asked again and again while others work

    def deliver(self, quarter, correction=None, *, into=None):
        ready = self.folder / "ready"
        path = PLAN.corrected(ready, quarter, correction) if correction else PLAN.staffing(ready, quarter)
        os.utime(path, (0, time.time() - 60))  # long since written
        truth = PLAN.quarter_truth(quarter, correction)
        self.expected[quarter] = (truth.rows, truth.hours_cents)
        return path.rename((into or self.deliveries) / path.name)

    def measured(self):
        sql = """select cy_qtr as q, count(*) as n, cast(100 * sum(total_hours) as bigint) as cents
            from gold.facility_measures group by all"""
        return {row["q"]: (row["n"], row["cents"]) for row in self.rows(sql)}

    def matches(self):
        """Rows of gold, by how they found their provider."""
        sql = "select provider_match as m, count(*) as n from gold.facility_measures group by all"
        return {row["m"]: row["n"] for row in self.rows(sql)}

    def rows(self, sql):
        return self.queries.query(sql).to_pylist()

    def becomes_gold(self, what):
        """Waits until all is, and nothing is left to do."""

        def done():  # who looks at tables while a run works takes its time
            return not self.runs(statuses=UNDER_WAY) and self.measured() == self.expected and not self.stale()

        self.wait(done, f"all is gold, {what}", 900, every=1)

    def stale(self):
        lake = self.queries.lake
        return plan(lake, RawZone(lake.storage)).builds

    def runs(self, **filters):
        asked = """query($f: RunsFilter!) { runsOrError(filter: $f) { ... on Runs { results {
            runId jobName status tags { key value } } } } }"""
        found = self.graphql(asked, f=filters)["runsOrError"]["results"]
        return [{**run, "tags": {tag["key"]: tag["value"] for tag in run["tags"]}} for run in found]

    def executing(self):
        """The run that a process executes right now."""
        return next((run for run in self.runs(statuses=["STARTED"]) if PROCESS_TAG in run["tags"]), None)

    def status(self, run):
        return self.runs(runIds=[run["runId"]])[0]["status"]

    def fails(self, run, what):
        self.wait(lambda: self.status(run) == "FAILURE", f"{what}: its run is seen as failed")

    def told(self, run):
        """All that is told of a run's errors."""
        asked = """query($r: ID!) { logsForRun(runId: $r) { ... on EventConnection { events {
            ... on ErrorEvent { error { message errorChain { error { message } } } } } } } }"""
        return str(self.graphql(asked, r=run["runId"])["logsForRun"])

    def ticks(self, **filters):
        """Those of the drive sensor."""
        asked = """query($a: Float, $b: Float) { sensorOrError(sensorSelector: {sensorName: "drive_sensor",
            repositoryName: "__repository__", repositoryLocationName: "nh_pipeline"}) { ... on Sensor { sensorState {
                ticks(afterTimestamp: $a, beforeTimestamp: $b) {
                    status error { errorChain { error { message } } } } } } } }"""
        return self.graphql(asked, **filters)["sensorOrError"]["sensorState"]["ticks"]

    def backfill(self, quarter):
        """Launches one over all days of a quarter; finds its runs."""
        first, last = quarter_bounds(quarter)
        days = [f"{first + timedelta(days=n)}" for n in range((last - first).days + 1)]
        launched = self.graphql(
            """mutation($p: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $p) {
                ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }""",
            p={"assetSelection": [{"path": key.split("/")} for key in DAILY], "partitionNames": days},
        )["launchPartitionBackfill"]
        return {"tags": [{"key": "dagster/backfill", "value": launched["backfillId"]}]}

    def answers(self, run):
        """Whether the webserver has connected again: to runs, to their events and to ticks, each on its own."""
        try:
            return bool(self.status(run) and self.told(run) and self.ticks(a=time.time()) is not None)
        except urllib.error.HTTPError:
            return False


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stack")
    with small_disk(folder / "lake", "64m"), Running(folder) as running, pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "QUALITIES", ())  # as in what the services load
        yield running


def test_all_services_are_well(stack):
    found = stack.graphql("""{
        workspaceOrError { ... on Workspace { locationEntries { name locationOrLoadError { __typename } } } }
        instance { daemonHealth { allDaemonStatuses { daemonType required healthy } } }
        sensorsOrError(repositorySelector: {repositoryName: "__repository__", repositoryLocationName: "nh_pipeline"}) {
            ... on Sensors { results { name sensorState { status } } } } }""")
    locations = {
        e["name"]: e["locationOrLoadError"]["__typename"] for e in found["workspaceOrError"]["locationEntries"]
    }
    assert locations == {"nh_pipeline": "RepositoryLocation"}
    daemons = {
        d["daemonType"]: d["healthy"] for d in found["instance"]["daemonHealth"]["allDaemonStatuses"] if d["required"]
    }
    assert {"SENSOR", "SCHEDULER", "BACKFILL", "QUEUED_RUN_COORDINATOR", "MONITORING", "ASSET"} <= set(daemons)
    assert set(daemons.values()) == {True}
    sensors = {s["name"]: s["sensorState"]["status"] for s in found["sensorsOrError"]["results"]}
    assert {"drive_sensor", "catch_up", "dimensions_follow_releases"} <= set(sensors)
    assert set(sensors.values()) == {"RUNNING"}
    with urllib.request.urlopen(f"http://127.0.0.1:{stack.here('8501')}/", timeout=10) as page:
        assert "Streamlit" in page.read().decode()


def test_a_dropped_delivery_becomes_gold_by_itself(stack):
    dropped = stack.deliver(DROPPED)
    stack.becomes_gold("nothing being wrong")
    dropped.touch()  # is no delivery: see the last test


def test_a_dimension_follows_its_release_and_gold_the_dimension(stack):
    assert stack.matches() == {"unknown": 40}  # a missing dimension blocks nothing
    (providers,) = (p for p in PLAN.release(stack.folder / "ready", 0) if "ProviderInfo" in p.name)
    providers.rename(stack.deliveries / providers.name)
    unknown = 2 * len(PLAN.truth().unknown_providers)
    stack.wait(lambda: stack.matches() == {"as_of": 40 - unknown, "unknown": unknown}, "gold follows", every=2)
    (run,) = stack.runs(tags=[{"key": "dagster/sensor_name", "value": "dimensions_follow_releases"}])
    stack.wait(lambda: stack.status(run) == "SUCCESS", "the dimension was built by its condition")


def test_two_backfills_of_the_same_days_a_correction_and_a_killed_daemon(stack):
    both = [stack.backfill(DROPPED) for _ in range(2)]
    stack.wait(stack.executing, "a backfill's run begins")
    stack.kill("daemon")
    stack.deliver(DROPPED, CORRECTION)
    stack.up("daemon")
    stack.becomes_gold("corrected while backfills ran")
    first, last = quarter_bounds(DROPPED)
    for backfill in both:
        (run,) = stack.runs(**backfill)
        assert run["status"] == "SUCCESS"
        tags = [run["tags"][f"dagster/asset_partition_range_{end}"] for end in ("start", "end")]
        assert tags == [f"{first}", f"{last}"]
    found = stack.graphql("""{ assetNodeOrError(assetKey: {path: ["silver", "fct_staffing_levels"]}) {
        ... on AssetNode { assetChecksOrError {
            ... on AssetChecks { checks { name executionForLatestMaterialization { status } } } } } } }""")
    checks = found["assetNodeOrError"]["assetChecksOrError"]["checks"]
    passed = {c["name"] for c in checks if (c["executionForLatestMaterialization"] or {}).get("status") == "SUCCEEDED"}
    assert {"schema", "grain", "values", "row_accounting"} <= passed, checks


def test_a_person_in_a_service_has_the_same_lake_and_the_same_runs(stack):
    told = stack.execute("code", "nh", "materialize", "--select", "silver/dim_date")
    assert told.endswith("1 run done\n")
    (run,) = stack.runs(tags=[{"key": "nh/by", "value": "nh"}])
    assert run["status"] == "SUCCESS"
    assert not (stack.lake / "dagster" / "dagster.yaml").exists()


def test_a_delivery_becomes_gold_whatever_is_killed_on_the_way(stack):
    def landed():
        return set((stack.lake / "raw").rglob("manifest.json"))

    before = landed()
    stack.deliver(KILLED)
    run = stack.wait(stack.executing, "a run begins")
    stack.wait(lambda: landed() > before, "it has landed", every=0.05)
    os.kill(int(run["tags"][PROCESS_TAG].split("-")[-2]), signal.SIGKILL)
    stack.fails(run, "killed alone")

    for services in (["code"], ["code", "daemon"]):
        run = stack.wait(stack.executing, "the next run begins")
        stack.kill(*services)
        assert stack.status(run) == "STARTED"
        stack.up(*services)
        stack.fails(run, f"killed with {services}")

    run = stack.wait(stack.executing, "the next run begins")
    stack.kill("postgres")
    time.sleep(10)
    stack.up("postgres")
    stack.wait(lambda: stack.answers(run), "the webserver has connected again")
    stack.wait(lambda: stack.status(run) in ("FAILURE", "SUCCESS"), "a run without its database is over")
    stack.becomes_gold("whatever was killed")


def test_a_disk_that_is_full_for_a_while(stack):
    if not stack.lake.is_mount():
        pytest.skip(ONLY_ROOT)
    before = stack.measured()
    ballast = filled(stack.lake, 100_000)
    stack.deliver(FULL)
    tried = {"tags": [{"key": "dagster/sensor_name", "value": "drive_sensor"}], "statuses": ["FAILURE"]}
    known = [run["runId"] for run in stack.runs(**tried)]
    (run,) = stack.wait(lambda: [r for r in stack.runs(**tried) if r["runId"] not in known], "a run fails")
    assert "there is no space left" in stack.told(run)
    assert stack.measured() == before
    ballast.unlink()
    stack.becomes_gold("once there is space")


def test_a_folder_of_deliveries_that_is_away_for_a_while(stack):
    before, runs = stack.measured(), len(stack.runs())
    away, since = stack.deliveries.rename(stack.folder / "away"), time.time()
    stack.deliver(AWAY, into=away)

    def failed():
        return [str(tick["error"]) for tick in stack.ticks(a=since) if tick["status"] == "FAILURE"]

    stack.wait(lambda: len(failed()) > 1, "ticks fail")
    assert all("no such folder" in told for told in failed())
    assert (stack.measured(), len(stack.runs())) == (before, runs)
    away.rename(stack.deliveries)
    stack.becomes_gold("once the folder is back")


def test_a_clock_that_is_an_hour_behind_and_right_again(stack):
    if not stack.clock.available:
        pytest.skip(NO_CLOCK)
    stack.kill("code", "daemon")
    stack.clock.given_to("code", "daemon")
    stack.up("code", "daemon")

    stack.clock.set("-1h")
    began = time.time() - 3600
    stack.deliver(BEHIND)
    # Dagster counts the pause between ticks from the last one: none is due before the clock is where it was.
    stack.execute("code", "python", "-m", "nh_pipeline_tests.support.few", "run", str(stack.deliveries))
    assert stack.measured() == stack.expected
    assert stack.ticks(a=began, b=time.time() - 3600) == []

    stack.clock.set("+0")
    stack.kill("daemon")  # its threads that were at work when the clock was set back sleep that hour
    stack.up("daemon")
    stack.deliver(AGAIN)
    stack.becomes_gold("with the clock right again")


def test_after_all_of_it_the_lake_is_as_it_should_be(stack):
    nh = Nh(stack.lake)
    assert "the lake is as it should be" in nh("verify").stdout
    assert nh("materialize").stdout == "nothing to do: every table is up to date\n"
    assert stack.measured() == stack.expected
    # Each attempt was asked for once.
    asked = Counter((r["tags"]["nh/file"], r["tags"]["nh/attempt"]) for r in stack.runs() if "nh/file" in r["tags"])
    assert set(asked.values()) == {1}
