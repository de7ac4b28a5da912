"""What people are told when AWS does not let them: one message each, with what to do, and no secret in it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from pyspark.errors import PySparkException

from nh_pipeline.cli import main as cli
from nh_pipeline.errors import explain
from nh_pipeline.lake.lake import Lake
from nh_pipeline.lake.storage import Storage
from nh_pipeline.sample import Deliveries
from nh_pipeline.settings import Settings
from nh_pipeline_tests.support import chain
from nh_pipeline_tests.support.aws_server import away, broken, denied, expired, throttled, unknown_key

pytestmark = [
    pytest.mark.integration,
    # Dagster leaves the closing of its event-log and schedule connections to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

PLAN = Deliveries(5, ("2024Q2",), releases=1)
OF_PLAN = ("NH_ProviderInfo_", "NH_QualityMsr_Claims_")


@pytest.fixture
def nh(aws, capsys, monkeypatch, tmp_path):
    """``nh`` as its entry point runs it: what it says, and the code that it exits with."""
    monkeypatch.chdir(tmp_path)  # the Dagster instance is below the current folder
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(cli, "_leave", sys.exit)  # as this process goes on
    monkeypatch.setattr(cli.renewal, "allow", lambda: None)  # nor is it replaced

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["nh", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        told = " ".join((said.out + said.err).split())
        assert "Traceback" not in told
        assert not [secret for secret in (aws.key_id, "secret-of-the-tests") if secret in told]
        return ended.value.code or 0, told

    return run


def test_the_bucket_is_in_another_region(aws, nh, drop, monkeypatch):
    aws.make_bucket(f"far-{aws.bucket}", "eu-west-1")
    monkeypatch.setenv("NH_HOME", f"s3://far-{aws.bucket}/lake")
    for command in (["status"], ["run", drop], ["query", "select 1"]):
        code, told = nh(*command)
        assert (code, told.count("What to do")) == (1, 1)
        assert "AWS: the bucket of NH_HOME is in another region (" in told
        assert "set AWS_REGION to the region of the bucket" in told


def test_the_bucket_is_not_there(nh, drop, monkeypatch):
    monkeypatch.setenv("NH_HOME", "s3://bucket-of-nobody/lake")
    for command in (["status"], ["run", drop]):
        code, told = nh(*command)
        assert code == 1
        assert "AWS: the bucket of NH_HOME does not exist" in told
        assert "'bucket-of-nobody'" in told
        assert "nh aws deploy" in told


@pytest.mark.parametrize(
    ("error", "what", "advice"),
    [
        (denied, "access is denied", "nh aws check"),
        (expired, "the credentials have expired", "sign in again"),
        (unknown_key, "the credentials are not known there", "AWS_PROFILE"),
    ],
)
@pytest.mark.parametrize("calls", ["*", "glue:*", "s3:*"])
def test_nothing_is_let_through(aws, nh, calls, error, what, advice):  # noqa: PLR0917
    with aws.failing(calls, error):
        code, told = nh("status")
    assert code == 1
    assert f"AWS: {what}" in told
    assert advice in told
    assert told.count("What to do") == 1


def test_landing_is_stopped(aws, nh, drop):
    with aws.failing("s3:PutObject", denied, resource="*/raw/*"):
        code, told = nh("ingest", drop)
    assert code == 1
    assert "AWS: access is denied" in told
    assert list(Lake(aws.home).storage.files()) == []


@pytest.mark.at_length
def test_a_run_that_is_stopped_half_way_goes_on_later(aws, nh, drop, engine):
    parsed = "*/warehouse/bronze/providers_raw/*.parquet"
    with aws.failing("s3:*", expired, resource=parsed) as reading, aws.failing("glue:CreateTable", denied) as creating:
        code, told = nh("run", drop)
    assert (code, reading.met > 0, creating.met > 0) == (1, True, True)
    assert "AWS: the credentials have expired" in told
    assert "AWS: access is denied" in told
    assert not aws.client("glue").get_tables(DatabaseName="bronze")["TableList"]
    assert nh("run", drop)[0] == 0
    lake = Lake(aws.home)
    assert all(lake.snapshot(c).rows for c in (chain.BRONZE["providers"], chain.DIM_PROVIDERS, chain.DIM_CLAIMS))


def test_there_are_no_credentials_or_no_region(aws, nh, monkeypatch):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    code, told = nh("status")
    assert code == 1
    assert "AWS: no region is set (no AWS region is set)" in told
    monkeypatch.setenv("AWS_PROFILE", "nope")
    assert "AWS: there are no credentials (The config profile (nope) could not be found)" in nh("status")[1]
    monkeypatch.delenv("AWS_PROFILE")
    monkeypatch.setenv("AWS_REGION", aws.region)
    monkeypatch.setenv("AWS_DEFAULT_REGION", aws.region)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    assert "AWS: " in nh("status")[1]


def test_the_libraries_for_aws_are_not_installed(nh, monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    code, told = nh("status")
    assert code == 1
    assert "AWS: it cannot be asked (an s3:// home needs the libraries for AWS)" in told
    assert "pip install 'nh-pipeline[aws]'" in told


def test_credentials_that_expire_between_two_requests(aws):
    storage = Storage(aws.home)
    storage.write("state/x.json", b"{}")
    with aws.failing("s3:*", expired), pytest.raises(OSError, match="No response body") as error:  # of a HEAD
        storage.read("state/x.json")
    assert "AWS: the credentials have expired" in explain(error.value)


@pytest.mark.parametrize("how", [away, broken])
def test_s3_cannot_for_a_while(aws, engine, how):
    """Each client says so in its own words; a HEAD has none."""
    storage = Storage(aws.home)
    storage.write("state/x.parquet", b"{}")
    asked = (
        lambda: storage.read("state/x.parquet"),
        lambda: storage.write("state/y.json", b"{}"),
        lambda: engine.read.parquet(storage.uri("state/x.parquet")).collect(),
        lambda: aws.client("s3").list_objects_v2(Bucket=aws.bucket),
    )
    for ask in asked:
        with aws.failing("s3:*", how), pytest.raises((OSError, PySparkException, ClientError)) as error:
            ask()
        assert "AWS: it cannot do what it is asked to at the moment" in explain(error.value), error.value


def test_aws_does_not_answer(nh, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    code, told = nh("status")
    assert code == 1
    assert "AWS: it does not answer" in told
    assert "AWS_ENDPOINT_URL" in told


def test_too_many_requests(aws):
    glue = aws.client("glue", config=None)
    with aws.failing("glue:*", throttled), pytest.raises(glue.exceptions.ClientError) as error:
        glue.get_databases()
    assert "there are too many requests, and they stayed too many" in explain(error.value)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"NH_HOME": "gs://bucket/lake"}, "NH_HOME is gs://bucket/lake: expected a folder, or s3://bucket/prefix"),
        ({"NH_HOME": "s3://Bucket/lake"}, "NH_HOME is s3://Bucket/lake: expected"),
        ({"NH_CATALOG_URL": "sqlite:///secret.db"}, "NH_CATALOG_URL is a SQLite file of this machine"),
        ({"NH_DATABASE_PREFIX": "Dev-"}, "NH_DATABASE_PREFIX is Dev-: expected lower-case letters"),
        (
            {"NH_ENGINE": "glue", "NH_HOME": "lake"},
            "lake, a folder of this machine, which jobs of AWS Glue cannot reach",
        ),
    ],
)
def test_settings_that_do_not_fit(nh, monkeypatch, settings, told):
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    code, said = nh("status")
    assert code != 0
    assert told in said
    assert "secret.db" not in said


def test_what_stays_on_this_machine(aws, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    settings = Settings()
    assert settings.home == aws.home
    assert settings.dagster_home == tmp_path / ".nh" / "dagster"
    assert settings.source_folder == str(Path(".nh", "drop"))
    monkeypatch.setenv("NH_DAGSTER_HOME", "elsewhere")
    assert Settings().dagster_home == tmp_path / "elsewhere"
    assert Settings(home="lake", dagster_home="/d").folder.name == "lake"
