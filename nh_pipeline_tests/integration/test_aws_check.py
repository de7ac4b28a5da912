"""``nh aws check``: every thing that can be missing is said, and nothing else is."""

from __future__ import annotations

import json
import platform
import re

import pyarrow as pa
import pytest

from nh_pipeline.aws import code
from nh_pipeline.aws.code import build
from nh_pipeline.engines import glue, glue_job
from nh_pipeline.engines.spark import _sail_address
from nh_pipeline_tests.support.aws_server import denied, expired, key_denied, ungranted
from nh_pipeline_tests.support.deployment import bucket_of, environment, nh
from nh_pipeline_tests.support.glue_service import GlueService
from nh_pipeline_tests.support.runbook import CLINICAL, not_said

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def deployed(aws_server, tmp_path_factory):
    """An environment; tests leave it as it is."""
    with environment(aws_server, tmp_path_factory.mktemp("dagster")) as aws:
        yield aws


def found(told):
    """Finding by subject."""
    return {m[1].strip(): (m[0], m[2]) for m in re.findall(r"^([✓✗]) (.{14})(.*)$", told, re.MULTILINE)}


def test_nothing_is_missing(deployed):
    told = nh("aws", "check", **deployed.settings)
    assert told.endswith("Nothing is missing\n")
    subjects = found(told)
    assert {mark for mark, _ in subjects.values()} == {"✓"}
    assert subjects["glue job"][1] == f"nh-test-pipeline runs this code, {build().name}, on Glue 5.1"
    assert subjects["databases"][1] == (
        "test_bronze, test_silver, test_gold, test_bi, test_clinical_bronze, test_clinical_silver, "
        "test_clinical_gold, test_clinical_bi, test_treatments_bronze, test_treatments_silver, test_treatments_gold "
        "are there"
    )
    assert "DuckDB answers" in subjects["workgroup"][1]
    assert deployed.client("s3").list_objects_v2(Bucket=bucket_of(deployed), Prefix="lake/state/")["KeyCount"] == 0


def test_a_workgroup_is_tried(deployed):
    told = found(nh("aws", "check", **deployed.settings, NH_ATHENA_WORKGROUP="nh-test"))["workgroup"]
    assert told == ("✓", "nh-test answers; a query may scan 10.7 GB")
    (asked,) = deployed.made("athena:StartQueryExecution")
    assert asked.params["QueryString"].lower() == "select 1 as one"


def test_the_job_looks_around(deployed, tmp_path, monkeypatch):
    """Where it runs: with the credentials of a role that is in no variable, which Arrow has to be given."""
    monkeypatch.setattr(glue, "POLL", 0.2)
    with GlueService(deployed, tmp_path, {"SPARK_REMOTE": _sail_address()}) as service:
        told = found(nh("aws", "check", "--run-job", **deployed.settings))
        run = service.runs[-1]
        assert told["job run"] == ("✓", f"{run.id} has looked around:")
        assert told["python"] == ("✓", platform.python_version())
        assert f"pyarrow {pa.__version__}" in told["modules"][1]
        assert told["credentials"] == ("✓", "assume-role")
        assert "AWS_ACCESS_KEY_ID" not in told["variables"][1]
        assert told["identity"][1].startswith(f"arn:aws:sts::{deployed.account}:")
        assert told["files"] == ("✓", "0 below state/, listed by Arrow")
        assert not deployed.client("s3").list_objects_v2(Bucket=bucket_of(deployed), Prefix="pipes/").get("Contents")
        service.fates.append("FAILED")
        told = found(nh("aws", "check", "--run-job", exits=1, **deployed.settings))
        assert told["job run"] == ("✗", f"{service.runs[-1].id} ended as FAILED: see its log")


def test_what_the_job_may_not_do_is_told_beside_the_rest(aws, monkeypatch):
    monkeypatch.setattr(glue_job, "job_session", lambda: 1 / 0)
    with aws.failing("s3:ListObjectsV2", denied):
        glue_job.look(aws.home, f"s3://{aws.bucket}/pipes/report.json")
    told = json.loads(aws.client("s3").get_object(Bucket=aws.bucket, Key="pipes/report.json")["Body"].read())
    assert [what for what, finding in told.items() if not finding["fine"]] == ["spark", "files"]
    assert told["spark"]["told"] == "ZeroDivisionError: division by zero"
    assert "AWS Error ACCESS_DENIED" in told["files"]["told"]


@pytest.mark.parametrize(
    ("changed", "subject", "says"),
    [
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1"}, "bucket", "is in us-west-2: set AWS_REGION"),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": ""}, "region", "none is set"),
        ({"NH_HOME": "s3://nobody-has-this/lake"}, "bucket", "nobody-has-this does not exist: nh aws deploy"),
        (
            {"NH_DATABASE_PREFIX": "other_"},
            "databases",
            "other_bronze, other_silver, other_gold, other_bi, other_clinical_bronze",
        ),
        ({"NH_DATABASE_PREFIX": "other_", "NH_DOMAINS": "cms"}, "databases", "other_gold, other_bi not there"),
        ({"NH_GLUE_JOB": "other"}, "glue job", "other does not exist: nh aws deploy makes it"),
        ({"NH_ATHENA_WORKGROUP": "other"}, "workgroup", "other does not exist"),
        ({"NH_DRIVE_CREDENTIALS": "secretsmanager://other"}, "secret", "other does not exist"),
        ({"AWS_ACCESS_KEY_ID": "AKIANOBODY00999999999999"}, "identity", "credentials are not known"),
    ],
)
def test_what_is_missing_is_said(deployed, changed, subject, says):
    told = found(nh("aws", "check", exits=1, **{**deployed.settings, **changed}))
    mark, text = told[subject]
    assert (mark, says in text) == ("✗", True), text
    assert [s for s, (m, _) in told.items() if m == "✗"] == [subject]


@pytest.mark.parametrize(
    ("calls", "fault", "says"),
    [
        *zip(("s3:PutObject", "glue:GetDatabase", "s3:PutObject"), (denied, denied, key_denied),
             CLINICAL["Access is denied"].seen, strict=True),
        ("glue:GetJob", denied, "✗ glue job GetJob is denied: give this role glue:GetJob on …, or use"),
        ("athena:GetWorkGroup", denied, "✗ workgroup GetWorkGroup is denied: give this role athena:GetWorkGroup on"),
        ("glue:GetTable", ungranted, "✗ tables AWS: Lake Formation governs this catalog, and has not granted"),
    ],
    ids=["files", "databases", "key", "glue job", "workgroup", "Lake Formation"],
)  # fmt: skip
def test_what_is_denied_is_said(deployed, calls, fault, says):
    with deployed.failing(calls, fault):
        told = nh("aws", "check", exits=1, **deployed.settings, NH_ATHENA_WORKGROUP="nh-test")
    assert not_said([says], told) == [], told


def test_expired_credentials_end_the_check(deployed):
    with deployed.failing("sts:*", expired):
        told = nh("aws", "check", exits=1, **deployed.settings)
    assert [*found(told)] == ["region", "identity"]
    assert "sign in again" in told
    with deployed.failing("cloudformation:*", expired):
        assert "sign in again" in nh("aws", "deploy", "--environment", "test", "--dry-run", exits=1)


def test_an_old_wheel_is_said(deployed, monkeypatch):
    monkeypatch.setattr(code, "_KIND", f"{code._KIND}\nBuild: 2")
    _, text = found(nh("aws", "check", exits=1, **deployed.settings))["glue job"]
    assert "nh aws deploy brings it up to date" in text


def test_a_bucket_that_is_open_is_said(aws):
    told = found(nh("aws", "check", exits=1, NH_HOME=aws.home, NH_ENGINE="sail"))
    assert told["public access"] == ("✗", "it is not blocked: deploy the bucket with nh aws deploy")
    assert told["glue job"] == ("✓", "is not needed (NH_ENGINE is sail)")
    assert told["databases"][0] == "✗"


def test_check_needs_a_lake_on_s3():
    assert "expected s3://bucket/prefix" in nh("aws", "check", exits=2, NH_HOME=".nh")
