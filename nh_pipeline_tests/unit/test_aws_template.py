"""The CloudFormation template, read: what it allows and whom, what it keeps, what cfn-lint says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cfnlint.api import ManualArgs, lint
from cfnlint.decode import decode_str

from nh_pipeline.aws.stack import template
from nh_pipeline.queries.views import DATABASES

TEXT = template()
DOCUMENT, _ = decode_str(TEXT)
RESOURCES = DOCUMENT["Resources"]

# Where a resource ends with a wildcard: the part before it is all that can be known when the stack is made.
WILDCARDS = {
    "${Bucket.Arn}/lake/*": "files of the lake, whose names come with the data",
    "${Bucket.Arn}/lake/warehouse/silver/*": "the same, of one layer",
    "${Bucket.Arn}/lake/warehouse/gold/*": "the same, of one layer",
    "${Bucket.Arn}/pipes/*": "Dagster makes a random name for each job run",
    "${Bucket.Arn}/code/*": "named by their contents; those of older deployments are still running",
    "${Bucket.Arn}/athena/*": "Athena makes a name for each query",
    "table/${Bronze}/*": "tables of one database; the pipeline makes them",
    "table/${Silver}/*": "the same",
    "table/${Gold}/*": "the same",
    "table/${Bi}/*": "views of one database; people make them",
    "log-group:/aws-glue/*": "Glue names groups and streams after job runs",
}


def statements(resource):
    properties = RESOURCES[resource]["Properties"]
    documents = [p["PolicyDocument"] for p in properties.get("Policies", [])]
    documents += [properties["PolicyDocument"]] if "PolicyDocument" in properties else []
    return [s for d in documents for s in d["Statement"]]


def of_type(kind):
    return {name: r for name, r in RESOURCES.items() if r["Type"] == kind}


def listed(value):
    return value if isinstance(value, list) else [value]


POLICIES = [*of_type("AWS::IAM::Role"), *of_type("AWS::IAM::ManagedPolicy")]


def test_cfn_lint_finds_nothing():
    regions = ManualArgs(regions=["us-east-1", "us-west-2", "eu-central-1"])
    assert [str(found) for found in lint(TEXT, config=regions)] == []
    assert lint(TEXT.replace("SSEAlgorithm: AES256", "SSEAlgorithm: none"), config=regions)


@pytest.mark.parametrize("name", POLICIES)
def test_policies_name_what_they_allow_and_on_what(name):
    found = statements(name)
    assert found
    for statement in found:
        assert statement["Effect"] == "Allow"
        assert not {"NotAction", "NotResource", "NotPrincipal"} & set(statement)
        assert not [a for a in listed(statement["Action"]) if "*" in a], statement["Sid"]
        for resource in listed(statement["Resource"]):
            arn = resource.get("Fn::Sub", "") if isinstance(resource, dict) else resource
            if not ("*" in arn or "?" in arn):
                continue
            end = re.sub(r"^arn:\$\{AWS::Partition\}:\w+:\$\{AWS::Region\}:\$\{AWS::AccountId\}:", "", arn)
            assert end in WILDCARDS, f"{name}, {statement['Sid']}: {arn}"


def test_every_wildcard_that_is_allowed_is_there():
    text = "\n".join(r["Fn::Sub"] for n in POLICIES for s in statements(n) for r in listed(s["Resource"]) if
                     isinstance(r, dict) and "Fn::Sub" in r)  # fmt: skip
    assert [w for w in WILDCARDS if w not in text] == []


def test_roles_are_taken_by_those_they_are_for():
    trusts = {n: r["Properties"]["AssumeRolePolicyDocument"]["Statement"] for n, r in of_type("AWS::IAM::Role").items()}
    for (statement,) in trusts.values():
        assert statement["Action"] == "sts:AssumeRole"
        assert statement["Principal"] != "*"
    (job,) = trusts["JobRole"]
    assert job["Principal"] == {"Service": "glue.amazonaws.com"}
    assert job["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_the_dashboard_writes_nothing_but_results():
    writing = {a: s for s in statements("DashboardRole") for a in listed(s["Action"]) if
               re.search(":(Put|Delete|Create|Update|Abort)", a)}  # fmt: skip
    assert {str(s["Resource"]["Fn::Sub"]) for s in writing.values()} == {"${Bucket.Arn}/athena/*"}


def test_the_bucket_is_closed_encrypted_and_kept():
    bucket = RESOURCES["Bucket"]["Properties"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    (policy,) = RESOURCES["BucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert (policy["Effect"], policy["Action"]) == ("Deny", "s3:*")
    assert policy["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert len(policy["Resource"]) == 2


def test_the_lake_never_expires():
    rules = RESOURCES["Bucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    expiring = {r["Prefix"] for r in rules if "ExpirationInDays" in r or "ExpirationDate" in r or "Transitions" in r}
    assert expiring == {"athena/", "pipes/"}
    (abort,) = [r for r in rules if "AbortIncompleteMultipartUpload" in r]
    assert abort["Prefix"] == ""
    assert {r["Status"] for r in rules} == {"Enabled"}


def test_what_holds_data_outlives_the_stack():
    kept = {n for n, r in RESOURCES.items() if r.get("DeletionPolicy") == "RetainExceptOnCreate"}
    assert kept == {"Bucket", "Bronze", "Silver", "Gold", "DriveSecret"}
    assert {RESOURCES[n]["UpdateReplacePolicy"] for n in kept} == {"Retain"}


def test_databases_are_those_of_the_code():
    names = {r["Properties"]["DatabaseInput"]["Name"]["Fn::Sub"] for r in of_type("AWS::Glue::Database").values()}
    assert names == {f"${{DatabasePrefix}}{name}" for name in DATABASES}


def test_the_secret_holds_nothing():
    assert not {"SecretString", "GenerateSecretString"} & set(RESOURCES["DriveSecret"]["Properties"])


def test_the_workgroup_limits_every_query():
    configuration = RESOURCES["Workgroup"]["Properties"]["WorkGroupConfiguration"]
    assert configuration["EnforceWorkGroupConfiguration"] is True
    assert configuration["BytesScannedCutoffPerQuery"] == {"Ref": "ScanLimitBytes"}
    assert configuration["ResultConfiguration"]["EncryptionConfiguration"] == {"EncryptionOption": "SSE_S3"}


def test_nothing_of_an_account_is_in_the_repository():
    root = Path(__file__).resolve().parents[2]
    for path in [*(root / "deploy").rglob("*.*"), *(root / "nh_pipeline" / "aws").glob("*.py")]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\b\d{12}\b|\bA[KS]IA[A-Z0-9]{12,}", text), path
