"""The CloudFormation template, read: what it allows and whom, what it keeps, what cfn-lint says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cfnlint.api import ManualArgs, lint
from cfnlint.decode import decode_str

from nh_pipeline.aws.stack import template
from nh_pipeline.queries.view import DATABASES

TEXT = template()
DOCUMENT, _ = decode_str(TEXT)
RESOURCES = DOCUMENT["Resources"]

# Where a resource ends with a wildcard: the part before it is all that can be known when the stack is made.
WILDCARDS = {
    "${Bucket.Arn}/lake/*": "files of the lake, whose names come with the data",
    "${Bucket.Arn}/lake/warehouse/silver/*": "the same, of one layer",
    "${Bucket.Arn}/lake/warehouse/gold/*": "the same, of one layer",
    "${Bucket.Arn}/lake/warehouse/clinical_silver/*": "the same, of one layer",
    "${Bucket.Arn}/lake/warehouse/clinical_gold/*": "the same, of one layer",
    "${Bucket.Arn}/lake/warehouse/treatments_silver/*": "the same, of one layer",
    "${Bucket.Arn}/lake/warehouse/treatments_gold/*": "the same, of one layer",
    "${Bucket.Arn}/pipes/*": "Dagster makes a random name for each job run",
    "${Bucket.Arn}/code/*": "named by their contents; those of older deployments are still running",
    "${Bucket.Arn}/athena/*": "Athena makes a name for each query",
    "${Bucket.Arn}/athena-clinical/*": "the same",
    "${Bucket.Arn}/athena-treatments/*": "the same",
    "table/${Bronze}/*": "tables of one database; the pipeline makes them",
    "table/${Silver}/*": "the same",
    "table/${Gold}/*": "the same",
    "table/${Bi}/*": "views of one database; people make them",
    "table/${ClinicalBronze}/*": "tables of one database; the pipeline makes them",
    "table/${ClinicalSilver}/*": "the same",
    "table/${ClinicalGold}/*": "the same",
    "table/${TreatmentsBronze}/*": "the same",
    "table/${TreatmentsSilver}/*": "the same",
    "table/${TreatmentsGold}/*": "the same",
    "table/${ClinicalBi}/*": "views of one database; people make them",
    "table/${TreatmentsTable}/index/*": "indexes of one table; a setting names one",
    "arn:${AWS::Partition}:s3:::${TreatmentsExports}/*AWSDynamoDB/*": "DynamoDB names exports, below any prefix",
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


def resources(statement):
    """ARNs as they are written, those that are there on a condition, too."""
    for value in listed(statement["Resource"]):
        found = value["Fn::If"][1] if "Fn::If" in value else value
        yield found["Fn::Sub"] if "Fn::Sub" in found else str(found)


POLICIES = [n for n in (*of_type("AWS::IAM::Role"), *of_type("AWS::IAM::ManagedPolicy")) if statements(n)]


def test_cfn_lint_finds_nothing():
    regions = ManualArgs(regions=["us-east-1", "us-west-2", "eu-central-1"])
    assert [str(found) for found in lint(TEXT, config=regions)] == []
    assert lint(TEXT.replace("SSEAlgorithm: AES256", "SSEAlgorithm: none"), config=regions)


@pytest.mark.parametrize("name", POLICIES)
def test_policies_name_what_they_allow_and_on_what(name):
    for statement in statements(name):
        assert statement["Effect"] == "Allow"
        assert not {"NotAction", "NotResource", "NotPrincipal"} & set(statement)
        assert not [a for a in listed(statement["Action"]) if "*" in a], statement["Sid"]
        for arn in resources(statement):
            if not ("*" in arn or "?" in arn):
                continue
            end = re.sub(r"^arn:\$\{AWS::Partition\}:\w+:\$\{AWS::Region\}:\$\{AWS::AccountId\}:", "", arn)
            assert end in WILDCARDS, f"{name}, {statement['Sid']}: {arn}"


def test_every_wildcard_that_is_allowed_is_there():
    text = "\n".join(arn for n in POLICIES for s in statements(n) for arn in resources(s))
    assert [w for w in WILDCARDS if w not in text] == []


def test_roles_are_taken_by_those_they_are_for():
    trusts = {n: r["Properties"]["AssumeRolePolicyDocument"]["Statement"] for n, r in of_type("AWS::IAM::Role").items()}
    pipeline, service = trusts.pop("PipelineRole")
    for statement in (pipeline, service["Fn::If"][1], *(s for (s,) in trusts.values())):
        assert statement["Action"] == "sts:AssumeRole"
        assert statement["Principal"] != "*"
    (job,) = trusts["JobRole"]
    # Without a condition on the source's account: public text does not say whether Glue sends that for jobs, and a role
    # cannot be passed to another account's job.
    assert job == {"Effect": "Allow", "Principal": {"Service": "glue.amazonaws.com"}, "Action": "sts:AssumeRole"}


def test_a_machine_or_a_container_has_the_pipelines_role_only_where_it_is_named():
    _, service = RESOURCES["PipelineRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert service["Fn::If"][0] == "Service"
    assert service["Fn::If"][1]["Principal"] == {"Service": {"Ref": "PipelineService"}}
    assert service["Fn::If"][2] == {"Ref": "AWS::NoValue"}
    assert DOCUMENT["Parameters"]["PipelineService"]["Default"] == ""
    profiles = of_type("AWS::IAM::InstanceProfile")
    assert {n: (p["Condition"], p["Properties"]["Roles"]) for n, p in profiles.items()} == {
        "PipelineProfile": ("Machine", [{"Ref": "PipelineRole"}])
    }


def test_names_of_roles_are_of_a_region():
    """They are an account's: the same environment in another region has others."""
    names = [r["Properties"]["RoleName"]["Fn::Sub"] for r in of_type("AWS::IAM::Role").values()]
    assert all(name.startswith("${AWS::StackName}-") and name.endswith("-${AWS::Region}") for name in names)
    longest = ("nh-" + 16 * "e", "ap-southeast-2")
    assert all(
        len(n.replace("${AWS::StackName}", longest[0]).replace("${AWS::Region}", longest[1])) <= 64 for n in names
    )


@pytest.mark.parametrize(
    ("policies", "results"),
    [
        (("ReaderPolicy", "DashboardRole"), "athena"),
        (("ClinicalReaderPolicy",), "athena-clinical"),
        (("TreatmentsReaderPolicy",), "athena-treatments"),
    ],
)
def test_readers_write_nothing_but_results(policies, results):
    granted = [(action, s) for p in policies for s in statements(p) for action in listed(s["Action"])]
    writing = [s for action, s in granted if re.search(":(Put|Delete|Create|Update|Abort)", action)]
    assert {arn for s in writing for arn in resources(s)} == {f"${{Bucket.Arn}}/{results}/*"}


@pytest.mark.parametrize("domain", ["Clinical", "Treatments"])
def test_nothing_that_is_always_there_allows_a_protected_domain(domain):
    """Files of the lake, which the pipeline moves, are named by no domain."""
    always = [s for n in POLICIES if "Condition" not in RESOURCES[n] for s in statements(n)]
    granted = [r for s in always for r in (*listed(s["Resource"]), s.get("Condition")) if r and "Fn::If" not in r]
    assert not [r for r in granted if domain.lower() in str(r).lower()]
    conditional = {n for n, r in RESOURCES.items() if r.get("Condition") == domain}
    assert conditional == {n for n in RESOURCES if n.startswith(domain)}


def test_the_source_of_treatments_is_only_read_and_only_by_the_pipeline_where_it_is_named():
    for policy, condition in (("SourceTableAccess", "SourceTable"), ("SourceExportsAccess", "SourceExports")):
        assert RESOURCES[policy]["Condition"] == condition
        assert RESOURCES[policy]["Properties"]["Roles"] == [{"Ref": "PipelineRole"}]
        granted = [action for s in statements(policy) for action in listed(s["Action"])]
        assert all(re.fullmatch("dynamodb:(Describe.*|Scan|Query)|s3:(GetObject|ListBucket)", a) for a in granted)
    others = [s for n in POLICIES if not n.startswith("Source") for s in statements(n)]
    assert "dynamodb" not in str(others)


def test_every_role_may_something():
    attached = {str(r) for p in of_type("AWS::IAM::ManagedPolicy").values() for r in p["Properties"]["Roles"]}
    assert [r for r in of_type("AWS::IAM::Role") if not statements(r) and str({"Ref": r}) not in attached] == []


def test_readers_share_no_place_for_results():
    places = {
        n: w["Properties"]["WorkGroupConfiguration"]["ResultConfiguration"]["OutputLocation"]["Fn::Sub"]
        for n, w in of_type("AWS::Athena::WorkGroup").items()
    }
    assert places == {
        "Workgroup": "s3://${Bucket}/athena/",
        "ClinicalWorkgroup": "s3://${Bucket}/athena-clinical/",
        "TreatmentsWorkgroup": "s3://${Bucket}/athena-treatments/",
    }


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
    assert expiring == {"athena/", "athena-clinical/", "athena-treatments/", "pipes/"}
    (abort,) = [r for r in rules if "AbortIncompleteMultipartUpload" in r]
    assert abort["Prefix"] == ""
    assert {r["Status"] for r in rules} == {"Enabled"}


def test_what_holds_data_outlives_the_stack():
    kept = {n for n, r in RESOURCES.items() if r.get("DeletionPolicy") == "RetainExceptOnCreate"}
    layers = {f"{domain}{layer}" for domain in ("", "Clinical", "Treatments") for layer in ("Bronze", "Silver", "Gold")}
    assert kept == {"Bucket", "DriveSecret", *layers}
    assert {RESOURCES[n]["UpdateReplacePolicy"] for n in kept} == {"Retain"}


def test_databases_are_those_of_the_code():
    names = {r["Properties"]["DatabaseInput"]["Name"]["Fn::Sub"] for r in of_type("AWS::Glue::Database").values()}
    assert names == {f"${{DatabasePrefix}}{name}" for name in DATABASES}


def test_the_secret_holds_nothing():
    assert not {"SecretString", "GenerateSecretString"} & set(RESOURCES["DriveSecret"]["Properties"])


@pytest.mark.parametrize("name", of_type("AWS::Athena::WorkGroup"))
def test_a_workgroup_limits_every_query(name):
    configuration = RESOURCES[name]["Properties"]["WorkGroupConfiguration"]
    assert configuration["EnforceWorkGroupConfiguration"] is True
    assert configuration["BytesScannedCutoffPerQuery"] == {"Ref": "ScanLimitBytes"}
    assert configuration["ResultConfiguration"]["EncryptionConfiguration"] == {"EncryptionOption": "SSE_S3"}


def test_nothing_of_an_account_is_in_the_repository():
    root = Path(__file__).resolve().parents[2]
    for path in [*(root / "deploy").rglob("*.*"), *(root / "nh_pipeline" / "aws").glob("*.py")]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\b\d{12}\b|\bA[KS]IA[A-Z0-9]{12,}", text), path
