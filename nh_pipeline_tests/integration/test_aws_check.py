"""``nh aws check``: every thing that can be missing is said, and nothing else is."""

from __future__ import annotations

import re

import pytest

from nh_pipeline.aws import code
from nh_pipeline.aws.code import build
from nh_pipeline_tests.support.aws_server import denied, expired, key_denied
from nh_pipeline_tests.support.deployment import bucket_of, environment, nh
from nh_pipeline_tests.support.runbook import RUNBOOK, not_said

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
    assert "10.7 GB" in subjects["workgroup"][1]
    assert deployed.client("s3").list_objects_v2(Bucket=bucket_of(deployed), Prefix="lake/state/")["KeyCount"] == 0


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
             RUNBOOK["Access is denied"].seen, strict=True),
        ("glue:GetJob", denied, "✗ glue job GetJob is denied: give this role glue:GetJob on …, or use"),
        ("athena:GetWorkGroup", denied, "✗ workgroup GetWorkGroup is denied: give this role athena:GetWorkGroup on"),
    ],
    ids=["files", "databases", "key", "glue job", "workgroup"],
)  # fmt: skip
def test_what_is_denied_is_said(deployed, calls, fault, says):
    with deployed.failing(calls, fault):
        told = nh("aws", "check", exits=1, **deployed.settings)
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
