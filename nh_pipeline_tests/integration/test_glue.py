"""Steps as AWS Glue jobs: real arguments, a process per job, messages through S3; and every way in which a job ends."""

from __future__ import annotations

import json
import threading
import time
from datetime import date
from functools import cached_property

import dagster as dg
import pytest
from dagster._core.pipes import utils as pipes

from nh_pipeline.datasets.cms.daily_nurse_staffing import FCT_STAFFING_LEVELS
from nh_pipeline.datasets.dates import DIM_DATE
from nh_pipeline.engines import glue, glue_job
from nh_pipeline.engines.spark import _sail_address, spark_session
from nh_pipeline.errors import LakeError
from nh_pipeline.lake.lake import Lake
from nh_pipeline.marts.facility_measures import FACILITY_MEASURES
from nh_pipeline.orchestration.definitions import build_defs
from nh_pipeline.orchestration.partitions import range_tags
from nh_pipeline.orchestration.resources import EngineResource, LakeResource
from nh_pipeline.pipeline.calendar import BuildCalendar
from nh_pipeline.pipeline.remote_request import BuildRequest
from nh_pipeline.sample import Correction, Deliveries
from nh_pipeline.settings import Settings
from nh_pipeline.tables import tables
from nh_pipeline_tests.support import chain
from nh_pipeline_tests.support.aws_calls import AwsError
from nh_pipeline_tests.support.aws_server import signed_in, throttled
from nh_pipeline_tests.support.declared import BRONZE
from nh_pipeline_tests.support.glue_service import JOB, GlueService
from nh_pipeline_tests.support.local import DEFINITIONS, serving

pytestmark = [
    pytest.mark.integration,
    # Dagster's own Pipes asks for it.
    pytest.mark.filterwarnings("ignore:AssetExecutionContext.run_id is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*expected_writer_count:dagster.PreviewWarning"),
]

PLAN = Deliveries(8, ("2024Q2",), releases=1, quirks=False, days=2)
DAYS = (date(2024, 4, 1), date(2024, 4, 2))
CALENDAR = "silver/dim_date"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """The same waits, shorter."""
    monkeypatch.setattr(glue, "POLL", 0.2)
    monkeypatch.setattr(pipes, "WAIT_FOR_LOGS_AFTER_EXECUTION_INTERVAL", 1)
    monkeypatch.setattr(pipes, "DEFAULT_SLEEP_INTERVAL", 0.1)


class Installation:
    """A lake on S3 whose steps are Glue jobs."""

    def __init__(self, aws, service, **settings):
        self.aws, self.service = aws, service
        self.settings = Settings(**{"home": aws.home, "engine": "glue", **settings})

    @cached_property
    def instance(self) -> dg.DagsterInstance:
        return dg.DagsterInstance.ephemeral()

    @property
    def lake(self) -> Lake:
        return Lake(self.settings.home, self.settings.catalog_properties)

    @property
    def workspace(self):
        """Of this process, on Sail."""
        return chain.BuildContext(spark_session("sail"), self.lake, chain.RunInfo(run_id="here", asset="test"))

    def run(self, *assets: str, days=None, **resources) -> dg.ExecuteInProcessResult:
        defs = build_defs(self.settings, resources=resources)
        tags = {} if days is None else range_tags(*days)
        return defs.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=self.instance,
            asset_selection=[dg.AssetKey(a.split("/")) for a in assets],
            tags=tags,
            raise_on_error=False,
        )

    def failure(self, *assets: str, **options) -> tuple[str, str]:
        """What a run that has to fail says, and where its job run is to be seen."""
        result = self.run(*assets, **options)
        (event,) = [e for e in result.all_events if e.is_step_failure]
        told = event.step_failure_data.user_failure_data
        assert told, event.step_failure_data.error
        return told.description, told.metadata["glue_job_run"].value


@pytest.fixture(scope="module")
def home(engine, aws_server, tmp_path_factory):
    with (
        signed_in(aws_server) as aws,
        # Whatever a job's own machine serves, it builds the tables that the run knows.
        GlueService(
            aws, tmp_path_factory.mktemp("jobs"), {"SPARK_REMOTE": _sail_address(), "NH_DOMAINS": "clinical"}
        ) as service,
    ):
        service.make_job()
        made = Installation(aws, service)
        with made.instance:
            yield made


@pytest.fixture
def calendar(home):
    """The installation, whose calendar is the thing to build: it needs no input."""
    home.service.fates.clear()
    home.service.at = home.service.before = None
    home.aws.calls.clear()
    return home


def link(home):
    run = home.service.runs[-1].id
    place = f"https://{home.aws.region}.console.aws.amazon.com/gluestudio/home?region={home.aws.region}"
    return f"{place}#/job/{JOB}/run/{run}"


def test_a_job_that_fails_tells_why(calendar):
    told, where = calendar.failure("silver/fct_staffing_levels", days=DAYS)
    assert told.startswith(
        "NothingDelivered: no delivery of Payroll Based Journal Daily Nurse Staffing for 2024Q2 is in bronze\n"
    )
    assert f"Glue job {JOB}, run {calendar.service.runs[-1].id}: FAILED" in told
    assert where == link(calendar)
    assert where in told
    # AWS has it, too: whoever looks there sees a job that failed, and why.
    assert calendar.service.runs[-1].error.endswith("is in bronze")


@pytest.mark.parametrize("state", ["EXPIRED", "ERROR", "STOPPED", "FAILED", "TIMEOUT"])
def test_every_bad_end_is_an_end(calendar, state):
    calendar.service.fates.append(state)
    told, where = calendar.failure(CALENDAR)
    assert told.startswith("Glue gives no reason\n")
    assert f": {state}. {link(calendar)}" in told
    assert where == link(calendar)
    assert calendar.aws.made("glue:BatchStopJobRun") == []


def test_a_job_whose_words_get_lost_has_not_succeeded(calendar):
    calendar.service.fates.append("SUCCEEDED")
    told, _ = calendar.failure(CALENDAR)
    assert told.startswith("Not all of its results came back. What it published is there: run this again\n")


def test_a_job_that_a_person_starts_says_what_starts_it(monkeypatch):
    monkeypatch.setattr("sys.argv", ["glue_job.py", "--JOB_NAME", JOB])
    with pytest.raises(SystemExit, match="is started by Dagster, with NH_ENGINE=glue"):
        glue_job.main()


def test_a_job_that_takes_too_long_is_ended_by_aws(calendar, monkeypatch):
    monkeypatch.setattr(calendar.service, "minute", 0.01)  # it has hardly begun
    told, _ = calendar.failure(CALENDAR)
    assert ": TIMEOUT. https://" in told
    assert calendar.service.runs[-1].params["Timeout"] == calendar.settings.glue_timeout
    assert calendar.service.runs[-1].process.returncode is not None


def test_a_job_that_never_ends_is_stopped(calendar, monkeypatch):
    monkeypatch.setattr(glue, "PATIENCE", 0.01 - calendar.settings.glue_timeout)
    calendar.service.fates.append("RUNNING")
    told, where = calendar.failure(CALENDAR)
    assert told.startswith("It is stopped, since it has not come to an end within 0.01 minutes\n")
    assert where == link(calendar)
    assert calendar.service.runs[-1].stopped.wait(5)


def test_a_job_that_stays_in_the_queue_is_stopped(calendar, monkeypatch):
    """It may stand there for longer than it may run."""
    monkeypatch.setattr(glue, "PATIENCE", -calendar.settings.glue_timeout)
    monkeypatch.setattr(glue, "QUEUE", 0.02)
    calendar.service.fates.append("WAITING")
    told, _ = calendar.failure(CALENDAR)
    assert told.startswith("It is stopped, since it has not left the queue within 0.02 minutes\n")
    assert calendar.service.runs[-1].stopped.wait(5)


def error(result: dg.ExecuteInProcessResult) -> str:
    """What a run failed of, that was not a job's failure."""
    (event,) = [e for e in result.all_events if e.is_step_failure]
    return str(event.step_failure_data.error.cause.message)


def test_a_job_that_is_not_there(calendar):
    other = EngineResource(engine="glue", glue_job="other", glue_messages=f"s3://{calendar.aws.bucket}/pipes")
    told = error(calendar.run(CALENDAR, engine=other))
    assert f"AWS Glue has no job other in {calendar.aws.region}: nh aws deploy makes it" in told


def throttled_in_a_queue(calendar):
    """A run that succeeds although AWS throttles, and the job's runs are as many as may be."""
    aws, service = calendar.aws, calendar.service
    service.make_job("one", at_once=1)
    service.fates.append("RUNNING")
    first = aws.client("glue").start_job_run(JobName="one")["JobRunId"]

    def make_room():
        while service.runs[-1].state != "WAITING":
            time.sleep(0.1)
        aws.client("glue").batch_stop_job_run(JobName="one", JobRunIds=[first])

    threading.Thread(target=make_room, daemon=True).start()
    one = EngineResource(engine="glue", glue_job="one", glue_messages=f"s3://{aws.bucket}/pipes")
    with (
        aws.failing("glue:StartJobRun", throttled, times=2),
        aws.failing("glue:GetJobRun", throttled, times=2),
    ):
        assert calendar.run(CALENDAR, engine=one).success
    assert [c.params["JobName"] for c in aws.made("glue:StartJobRun")][-4:] == ["one"] * 4  # the first, and three tries


def test_a_job_that_nobody_can_follow_is_stopped(calendar):
    denied = AwsError("AccessDeniedException", "not authorized to perform: glue:GetJobRun")
    calendar.service.fates.append("RUNNING")
    with calendar.aws.failing("glue:GetJobRun", denied):
        result = calendar.run(CALENDAR)
    assert "access is denied" in error(result)
    assert calendar.service.runs[-1].stopped.wait(5)


def test_a_secret_is_not_sent(calendar):
    url = "postgresql+psycopg2://lake:hunter2@db.example/lake"
    told = error(calendar.run(CALENDAR, lake=LakeResource(root=calendar.aws.home, catalog_url=url)))
    assert "NH_CATALOG_URL may hold a password" in told
    assert "hunter2" not in told
    assert calendar.aws.calls == []


@pytest.mark.at_length
def test_a_job_that_dies_before_it_commits(calendar):
    """The table is as before, and the next run heals; even one that is throttled and has to wait."""
    lake = calendar.lake
    if lake.catalog.table_exists(lake.identifier(DIM_DATE)):
        lake.catalog.drop_table(lake.identifier(DIM_DATE))
    calendar.service.at = ("COMMITTING", DIM_DATE.name, "kill")
    told, _ = calendar.failure(CALENDAR)
    assert "Command failed with exit code 137" in told
    assert lake.snapshot(DIM_DATE).files == ()
    left = set(lake.storage.files("warehouse/silver/dim_date/data", suffix=".parquet"))
    assert left
    calendar.service.at = None
    throttled_in_a_queue(calendar)
    assert lake.snapshot(DIM_DATE).rows > 0
    assert not left & {lake.relative(p) for p in lake.snapshot(DIM_DATE).paths}


@pytest.mark.at_length
def test_raw_to_gold(home, tmp_path, capsys):
    aws, service = home.aws, home.service
    aws.calls.clear()
    chain.land(home.workspace, PLAN.staffing(tmp_path, "2024Q2"))
    assets = ("bronze/daily_nurse_staffing_raw", "silver/fct_staffing_levels", "gold/facility_measures")
    result = home.run(*assets, days=DAYS)
    assert result.success
    lake, runs = home.lake, service.runs[-3:]
    assert [r.state for r in runs] == ["SUCCEEDED"] * 3
    rows = chain.rows(lake, FCT_STAFFING_LEVELS)
    truth = PLAN.quarter_truth("2024Q2")
    assert (len(rows), sum(r["census"] for r in rows)) == (truth.rows, truth.census)
    assert [r["census"] for r in chain.rows(lake, FACILITY_MEASURES)] == [r["census"] for r in rows]
    # Who made it is noted where the tables are, and where the job ran is shown with every day.
    for run, asset, contract in zip(
        runs, assets, (BRONZE[chain.STAFFING], FCT_STAFFING_LEVELS, FACILITY_MEASURES), strict=True
    ):
        summary = lake.table(contract).current_snapshot().summary
        assert (summary["nh.run-id"], summary["nh.asset"]) == (result.run_id, asset)
        built = result.asset_materializations_for_node(asset.replace("/", "__"))
        assert len(built) == 2
        for event in built:
            assert event.metadata["glue_job_run"].value.endswith(f"#/job/{JOB}/run/{run.id}")
    checks = result.get_asset_check_evaluations()
    assert {c.check_name for c in checks} >= {"grain", "values", "row_accounting", "facilities_readable"}
    failed = sorted(c.check_name for c in checks if not c.passed)
    # No release has landed, and the quarter is an old one; the calendar is there if its tests came first.
    assert [name for name in failed if name != "known_work_date"] == ["known_provider_id", "newest_is_fresh"]
    # What the job logs and prints comes back.
    logged = [e.user_message for e in home.instance.all_logs(result.run_id)]
    assert any(m.startswith("BuildDays(") for m in logged)
    assert any(
        m.startswith(f"{FCT_STAFFING_LEVELS.name} {truth.rows:,} rows, {chain.REJECTS.name} 0 rows in ") for m in logged
    )
    assert f"reached COMMITTED {FACILITY_MEASURES.name}" in capsys.readouterr().out
    # Messages have a place of their own; there is nothing secret in them, nor in arguments and logs.
    s3 = aws.client("s3")
    keys = [o["Key"] for o in s3.list_objects_v2(Bucket=aws.bucket)["Contents"]]
    assert {k.partition("/")[0] for k in keys} == {"lakes", "pipes", "code"}
    contexts = [c.params["Key"] for c in aws.made("s3:PutObject") if c.params["Key"].endswith("context.json")]
    assert len(contexts) == 3
    assert not set(contexts) & set(keys)
    sent = [json.dumps(r.params) + r.log.read_text() for r in runs]
    sent += [s3.get_object(Bucket=aws.bucket, Key=k)["Body"].read().decode() for k in keys if k.startswith("pipes/")]
    assert not [text for text in sent if aws.environment["AWS_SECRET_ACCESS_KEY"] in text or aws.key_id in text]


@pytest.mark.at_length
def test_what_others_publish_meanwhile_is_not_overwritten(home, tmp_path, capsys):
    """The job begins on the snapshots that its run has seen, and begins anew when they are no longer current."""
    fix = Correction(0, 3)

    def others():
        chain.land(home.workspace, PLAN.corrected(tmp_path, "2024Q2", fix))
        chain.parse(home.workspace)
        chain.staffing(home.workspace)

    chain.land(home.workspace, PLAN.staffing(tmp_path, "2024Q2"))
    chain.parse(home.workspace)
    chain.staffing(home.workspace)
    home.service.before = others
    assert home.run("silver/fct_staffing_levels", days=DAYS).success
    printed = capsys.readouterr().out
    assert printed.count(f"reached STAGED {FCT_STAFFING_LEVELS.name}") == 2
    rows = chain.rows(home.lake, FCT_STAFFING_LEVELS)
    truth = PLAN.quarter_truth("2024Q2", fix)
    assert (len(rows), sum(r["census"] for r in rows)) == (truth.rows, truth.census)
    assert truth != PLAN.quarter_truth("2024Q2")


@pytest.mark.at_length
def test_a_job_of_another_lake_is_refused(home):
    lake = home.lake
    request = BuildRequest.of([], lake, chain.RunInfo(run_id="r", asset="a"))
    seen = request.lake["pinned_snapshots"]
    assert seen == {c.name: lake.snapshot(c).snapshot_id for c in tables()}
    with pytest.raises(LakeError, match="looks at another lake or another catalog"):
        Lake(lake.root, {"database-prefix": "other_"}, seen).snapshot(FCT_STAFFING_LEVELS)


_LAUNCH = """mutation($p: ExecutionParams!) { launchRun(executionParams: $p) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on Error { message } } }"""
_TERMINATE = """mutation($id: String!) { terminateRun(runId: $id, terminatePolicy: SAFE_TERMINATE) {
  __typename ... on TerminateRunFailure { message } } }"""
_STATUS = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"


@pytest.mark.at_length
def test_a_cancelled_run_stops_its_job(calendar, tmp_path):
    """Launched and cancelled as people do it, in the web server."""
    # A lake of its own, in which no sensor finds anything to do.
    home, prefix = f"s3://{calendar.aws.bucket}/lakes/cancelled", "cancelled_"
    other = Installation(calendar.aws, calendar.service, home=home, database_prefix=prefix)
    chain.published(BuildCalendar(table="silver.dim_date").run(other.workspace).results)
    service, before, known = other.service, other.lake.snapshot(DIM_DATE), len(calendar.service.runs)
    service.at = ("PASSED", DIM_DATE.name, "hold")
    selector = {
        "repositoryLocationName": DEFINITIONS,
        "repositoryName": "__repository__",
        "jobName": "__ASSET_JOB",
        "assetSelection": [{"path": CALENDAR.split("/")}],
    }
    settings = {"NH_HOME": home, "NH_DATABASE_PREFIX": prefix, "NH_ENGINE": "glue"}
    with serving(tmp_path, **settings, NH_DAGSTER_HOME=str(tmp_path / "dagster")) as server:
        launched = server.graphql(_LAUNCH, p={"selector": selector, "runConfigData": {}})["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        run_id = launched["run"]["runId"]
        (job_run,) = server.wait(lambda: service.runs[known:], "the job is started")
        server.wait(lambda: "reached PASSED" in job_run.log.read_text(), "the job is about to publish")
        assert server.graphql(_TERMINATE, id=run_id)["terminateRun"]["__typename"] == "TerminateRunSuccess"
        server.wait(lambda: job_run.state == "STOPPED", "the job is stopped")
        server.wait(
            lambda: server.graphql(_STATUS, id=run_id)["runOrError"]["status"] == "CANCELED", "the run is cancelled"
        )
    assert job_run.process.wait(5) < 0
    assert other.lake.snapshot(DIM_DATE) == before
