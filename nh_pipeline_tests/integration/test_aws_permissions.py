"""What the deployed roles may do, against every call that the code makes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nh_pipeline.engines import glue
from nh_pipeline.engines.spark import _sail_address
from nh_pipeline.queries.open import queries
from nh_pipeline.sample import Deliveries
from nh_pipeline.settings import Settings
from nh_pipeline_tests.support.deployment import bucket_of, environment, nh, settings_of
from nh_pipeline_tests.support.dynamodb import Treatments, exported
from nh_pipeline_tests.support.glue_service import GlueService
from nh_pipeline_tests.support.iam import Role, full_arn

REPOSITORY = Path(__file__).resolve().parents[2]
PLAN = Deliveries(4, ("2024Q2",), releases=1, quirks=True, days=2)
OF_PLAN = ("PBJ_", "NH_ProviderInfo_")  # a table of every kind is made of them

pytestmark = [
    pytest.mark.integration,
    pytest.mark.at_length,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    # Dagster's own Pipes asks for it.
    pytest.mark.filterwarnings("ignore:AssetExecutionContext.run_id is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*expected_writer_count:dagster.PreviewWarning"),
]


@pytest.fixture(scope="module")
def deployed(aws_server, tmp_path_factory):
    """An environment; tests leave it as it is."""
    with environment(aws_server, tmp_path_factory.mktemp("dagster")) as aws:
        yield aws


def role_of(aws, name):
    """One of the roles of the environment ``test``."""
    return Role.of(aws, f"nh-test-{name}-{aws.region}")


def test_what_deploys_calls_what_the_page_says(aws):
    """Whoever deploys has no role here: the page lists what the command itself calls."""
    nh("aws", "deploy", "--dry-run")
    nh("aws", "deploy", "--yes")
    nh("aws", "deploy", "--parameter", "Workers=5", "--dry-run")
    nh("aws", "deploy", "--environment", "other", "--parameter", "DatabasePrefix=", "--dry-run", exits=1)
    called = {c.name for c in aws.calls if c.service in ("cloudformation", "s3")}
    called.add("cloudformation:DescribeStackEvents")  # of a deployment that failed (test_aws_deploy)
    page = (REPOSITORY / "docs" / "aws.md").read_text(encoding="utf-8")
    told = page.partition("Who deploys needs")[2].partition("\n## ")[0]
    assert called == set(re.findall(r"`((?:cloudformation|s3):\w+)`", told))


def test_the_pipeline_may_read_treatments_and_their_exports_where_these_are_named(aws, tmp_path):
    table = Treatments(aws)
    named = {"TreatmentsTable": table.name, "TreatmentsExports": aws.bucket}
    parameters = [word for name, value in named.items() for word in ("--parameter", f"{name}={value}")]
    settings = settings_of(nh("aws", "deploy", "--environment", "test", "--yes", *parameters))
    assert settings["NH_TREATMENTS_TABLE"] == table.name
    settings |= {"NH_TREATMENTS_INDEX": table.index, "NH_DAGSTER_HOME": str(tmp_path / "dagster")}
    table.put(1, {"S": "2024-05-01T10:00:00Z"})
    folder = exported(tmp_path / "made", [{"Item": {"treatment": {"M": {"id": {"N": "1"}}}}}]).parent.parent
    for path in folder.rglob("*.*"):
        key = f"exports/{path.relative_to(folder)}"
        aws.client("s3").put_object(Bucket=aws.bucket, Key=key, Body=path.read_bytes())
    pipeline = role_of(aws, "pipeline")
    aws.calls.clear()
    aws.allowed = lambda action, resource: action.startswith("sts:") or pipeline.may(action, full_arn(aws, resource))
    nh("treatments", "check", **settings)
    nh("treatments", "extract", **settings)
    nh("treatments", "extract", "--mode", "query", **settings)
    nh("treatments", "import", f"s3://{aws.bucket}/exports", **settings)
    used = {action for call in aws.calls for action, _ in call.permissions if call.service == "dynamodb"}
    assert used == {action for action in pipeline.grants if action.startswith("dynamodb:")}
    assert pipeline.lacks(aws.calls, aws) == set()


# What no test here makes a role do, and why it is granted nevertheless.
UNSEEN = {
    "pipeline": {
        "s3:AbortMultipartUpload": "of a large file, when its upload fails",
        "s3:ListMultipartUploadParts": "of a large file, when its upload is resumed",
        "s3:ListBucketMultipartUploads": "Spark's S3A, which looks for uploads that it left when a step ends",
        "glue:BatchStopJobRun": "when a run is cancelled (test_glue)",
        "secretsmanager:GetSecretValue": "when Google Drive is the source (test_sources_drive)",
    },
    "job": {
        "s3:AbortMultipartUpload": "as above",
        "s3:ListMultipartUploadParts": "as above",
        "s3:ListBucketMultipartUploads": "as above",
        "logs:CreateLogGroup": "Glue, in the job's name",
        "logs:CreateLogStream": "Glue, in the job's name",
        "logs:PutLogEvents": "Glue, in the job's name",
    },
}


@pytest.fixture(scope="module")
def worked(deployed, drop, tmp_path_factory):
    """The environment after a whole chain with the pipeline's permissions and no others, and one step as a Glue job."""
    pipeline = role_of(deployed, "pipeline")
    assert pipeline.statements
    deployed.calls.clear()
    deployed.allowed = lambda action, resource: (
        action.startswith("sts:") or pipeline.may(action, full_arn(deployed, resource))
    )
    try:
        nh("run", drop, **{**deployed.settings, "NH_ENGINE": "sail"})
        nh("aws", "check", **deployed.settings)
        with pytest.MonkeyPatch.context() as patch:  # as the dashboard asks, without Athena
            for name, value in deployed.settings.items():
                patch.setenv(name, value)
            assert queries(Settings()).query("select count(*) as n from gold.facility_measures").num_rows == 1
    finally:
        deployed.allowed = None
    deployed.by_pipeline = list(deployed.calls)
    deployed.calls.clear()
    elsewhere = {"SPARK_REMOTE": _sail_address()}
    with (
        pytest.MonkeyPatch.context() as patch,
        GlueService(deployed, tmp_path_factory.mktemp("jobs"), elsewhere),
    ):
        patch.setattr(glue, "POLL", 0.2)
        deployed.calls.clear()
        nh("materialize", "--select", "silver/dim_date", **deployed.settings)
    deployed.by_job = [c for c in deployed.calls if c.key_id in deployed.server.sessions]
    mine = [c for c in deployed.calls if c.key_id == deployed.key_id]
    deployed.by_pipeline += [c for c in mine if c.name != "glue:GetJob"]  # the service's own
    return deployed


def test_the_pipeline_may_do_what_it_does(worked):
    role = role_of(worked, "pipeline")
    assert len(worked.by_pipeline) > 200
    assert {"glue:UpdateTable", "glue:StartJobRun", "s3:PutObject"} <= {c.name for c in worked.by_pipeline}
    assert role.lacks(worked.by_pipeline, worked) == set()


def test_the_job_may_do_what_it_does(worked):
    role = role_of(worked, "job")
    # What Sail does for the job is done with this process's key: the lake's files.
    files = [c for c in worked.by_pipeline if c.service == "s3" and c.params["Key"].startswith("lake/warehouse/")]
    assert {"glue:GetTable", "s3:PutObject"} <= {c.name for c in worked.by_job}
    assert role.lacks(worked.by_job + files, worked) == set()
    others = {"glue:StartJobRun", "secretsmanager:GetSecretValue", "athena:StartQueryExecution"}
    assert not others & role.grants


@pytest.mark.parametrize("name", UNSEEN)
def test_no_role_may_do_more_than_it_does(worked, name):
    calls = worked.by_pipeline + worked.by_job if name == "job" else worked.by_pipeline
    used = {action for c in calls for action, _ in c.permissions}
    assert role_of(worked, name).grants - used == set(UNSEEN[name])


def test_without_a_permission_the_code_would_be_found_out(worked):
    less = Role(tuple(s for s in role_of(worked, "pipeline").statements if s["Sid"] != "Catalog"))
    assert {a for a, _ in less.lacks(worked.by_pipeline, worked)} >= {"glue:UpdateTable", "glue:CreateTable"}


def test_the_dashboard_may_read_and_nothing_else(worked):
    role, bucket = role_of(worked, "dashboard"), f"arn:aws:s3:::{bucket_of(worked)}"
    glue_of = f"arn:aws:glue:us-west-2:{worked.account}"
    for action, resource, context, allowed in (
        *(("glue:GetTable", f"{glue_of}:table/test_{d}/anything", {}, True) for d in ("silver", "gold", "bi")),
        ("s3:GetObject", f"{bucket}/lake/warehouse/gold/facility_measures/data/x.parquet", {}, True),
        ("s3:ListBucket", bucket, {"s3:prefix": "lake/warehouse/gold/"}, True),
        ("s3:ListBucket", bucket, {"s3:prefix": "lake/raw/"}, False),
        ("s3:ListBucket", bucket, {}, False),
        ("s3:GetObject", f"{bucket}/lake/raw/providers/x/delivery.csv", {}, False),
        ("s3:GetObject", f"{bucket}/lake/warehouse/bronze/providers_raw/x.parquet", {}, False),
        ("s3:PutObject", f"{bucket}/lake/warehouse/gold/facility_measures/data/x.parquet", {}, False),
        ("glue:UpdateTable", f"{glue_of}:table/test_gold/facility_measures", {}, False),
        ("glue:GetTable", f"{glue_of}:table/gold/facility_measures", {}, False),
    ):
        assert role.may(action, resource, context) is allowed, (action, resource)


LAYERS = ("clinical_bronze", "clinical_silver", "clinical_gold", "clinical_bi")
TREATMENTS = ("treatments_bronze", "treatments_silver", "treatments_gold")


def reads_of(aws, database):
    """All that it takes to read a table of a database, with Athena or without."""
    bucket, prefix = f"arn:aws:s3:::{bucket_of(aws)}", f"lake/warehouse/{database}/t/"
    return [
        ("glue:GetDatabase", f"arn:aws:glue:us-west-2:{aws.account}:database/test_{database}", {}),
        ("glue:GetTable", f"arn:aws:glue:us-west-2:{aws.account}:table/test_{database}/t", {}),
        ("glue:GetTables", f"arn:aws:glue:us-west-2:{aws.account}:table/test_{database}/t", {}),
        ("s3:GetObject", f"{bucket}/{prefix}x.parquet", {}),
        ("s3:ListBucket", bucket, {"s3:prefix": prefix}),
    ]


@pytest.mark.parametrize("database", ["bronze", "silver", "gold", *LAYERS[:3], *TREATMENTS])
@pytest.mark.parametrize(
    ("name", "readable"),
    [
        ("dashboard", {"silver", "gold"}),
        ("clinical", {"silver", "gold", "clinical_silver", "clinical_gold"}),
        ("treatments", {"silver", "gold", "treatments_silver", "treatments_gold"}),
    ],
)
def test_a_reader_reads_its_domains_and_no_bronze(worked, name, readable, database):
    role = role_of(worked, name)
    allowed = {role.may(*read) for read in reads_of(worked, database)}
    assert allowed == {database in readable}


@pytest.mark.parametrize("domain", ["clinical", "treatments"])
def test_views_and_results_of_a_protected_domain_are_its_readers_alone(worked, domain):
    """Views have no files. Results of queries hold what was asked, and a workgroup gives all of its."""
    readers = {name: role_of(worked, name) for name in ("dashboard", "clinical", "treatments")}
    bucket = f"arn:aws:s3:::{bucket_of(worked)}"
    workgroups = f"arn:aws:athena:us-west-2:{worked.account}:workgroup"
    for action, resource in (
        ("glue:GetTable", f"arn:aws:glue:us-west-2:{worked.account}:table/test_{domain}_gold/t"),
        ("s3:GetObject", f"{bucket}/athena-{domain}/result.csv"),
        ("athena:GetQueryResults", f"{workgroups}/nh-test-{domain}"),
        ("athena:StartQueryExecution", f"{workgroups}/nh-test-{domain}"),
    ):
        assert {name for name, role in readers.items() if role.may(action, resource)} == {domain}, (action, resource)
    view = f"arn:aws:glue:us-west-2:{worked.account}:table/test_clinical_bi/v_readmission_rates"
    assert {name for name, role in readers.items() if role.may("glue:GetTable", view)} == {"clinical"}
    for role in readers.values():
        for database in (f"{domain}_silver", f"{domain}_gold"):
            table = f"arn:aws:glue:us-west-2:{worked.account}:table/test_{database}/t"
            assert not role.may("glue:UpdateTable", table)
            assert not role.may("s3:PutObject", f"{bucket}/lake/warehouse/{database}/t/x.parquet")
        for dataset in ("fhir_export", "treatments"):
            assert not role.may("s3:GetObject", f"{bucket}/lake/raw/{dataset}/x/delivery.zip")


@pytest.mark.parametrize("database", [*LAYERS[:3], *TREATMENTS])
def test_the_pipeline_and_its_job_write_the_protected_domains(worked, database):
    table = f"arn:aws:glue:us-west-2:{worked.account}:table/test_{database}/t"
    for role in (role_of(worked, "pipeline"), role_of(worked, "job")):
        assert all(role.may(f"glue:{action}Table", table) for action in ("Get", "Create", "Update"))
        assert role.may("s3:PutObject", f"arn:aws:s3:::{bucket_of(worked)}/lake/warehouse/{database}/t/x.parquet")


@pytest.mark.parametrize(
    ("name", "workgroup", "database"),
    [
        ("dashboard", "nh-test", "gold"),
        ("clinical", "nh-test-clinical", "clinical_gold"),
        ("treatments", "nh-test-treatments", "treatments_gold"),
    ],
)
def test_a_reader_may_query_through_its_workgroup(worked, monkeypatch, name, workgroup, database):
    """Its own calls. Athena looks at catalog and files in its name, which the statements above are about."""
    worked.calls.clear()
    for variable, value in {**worked.settings, "NH_ATHENA_WORKGROUP": workgroup}.items():
        monkeypatch.setenv(variable, value)
    queries(Settings()).query(f"select count(*) as n from {database}.t")
    (asked,) = worked.made("athena:StartQueryExecution")
    assert asked.params["QueryString"] == f"SELECT COUNT(*) AS n FROM test_{database}.t"
    asking = [c for c in worked.calls if c.service != "iam"]
    assert {c.name for c in asking} >= {"athena:StartQueryExecution", "athena:GetQueryResults"}
    readers = ("dashboard", "clinical", "treatments")
    assert [r for r in readers if not role_of(worked, r).lacks(asking, worked)] == [name]
