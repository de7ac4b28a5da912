"""``nh aws deploy``: what it says, makes and leaves, and the code that the job gets.

Verified here: the change set, the stack and its outputs, on moto. Not verified here: that AWS itself takes the template
(cfn-lint does), and resources of kinds that moto's CloudFormation lacks, which :mod:`.cloudformation` makes of the
template's properties.
"""

from __future__ import annotations

import importlib.metadata
import io
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from botocore.exceptions import WaiterError
from hatchling.build import build_wheel
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from nh_pipeline.aws import code, stack
from nh_pipeline.aws.code import BROUGHT_BY_GLUE, build
from nh_pipeline.engines.glue_job import REQUIRES
from nh_pipeline_tests.support.aws_server import denied, signed_in
from nh_pipeline_tests.support.deployment import environment, nh, settings_of

pytestmark = pytest.mark.integration

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def deployed(aws_server, tmp_path_factory):
    """An environment; tests leave it as it is."""
    with environment(aws_server, tmp_path_factory.mktemp("dagster")) as aws:
        yield aws


def stacks(aws):
    return {s["StackName"]: s["StackStatus"] for s in aws.client("cloudformation").describe_stacks()["Stacks"]}


# Deploying


def test_a_deployment_says_what_it_does_and_what_to_set(deployed):
    told = deployed.told
    assert "The stack nh-test is not there yet. This would be done:" in told
    for kind in ("bucket", "database", "Glue job", "Athena workgroup", "secret", "permissions", "role"):
        assert re.search(rf"^create +{kind} ", told, re.MULTILINE), kind
    bucket = f"nh-test-lake-{deployed.account}-us-west-2"
    assert settings_of(told) == {
        "AWS_REGION": "us-west-2",
        "NH_HOME": f"s3://{bucket}/lake",
        "NH_DATABASE_PREFIX": "test_",
        "NH_DOMAINS": "cms,clinical,treatments",
        "NH_ENGINE": "glue",
        "NH_GLUE_JOB": "nh-test-pipeline",
        "NH_DRIVE_CREDENTIALS": "secretsmanager://nh-test/google-drive",
    }
    for role in ("pipeline", "job", "dashboard", "clinical", "treatments"):
        assert f"arn:aws:iam::{deployed.account}:role/nh-test-{role}-us-west-2" in told
    for domain in ("clinical", "treatments"):
        assert f"role/nh-test-{domain}-us-west-2, with NH_ATHENA_WORKGROUP=nh-test-{domain}" in told
    assert "role/nh-test-dashboard-us-west-2, with NH_ATHENA_WORKGROUP=nh-test\n" in told
    assert told.count("NH_ATHENA_WORKGROUP=") == 3  # of readers: the pipeline's role asks no Athena
    job = deployed.client("glue").get_job(JobName="nh-test-pipeline")["Job"]
    arguments, address = job["DefaultArguments"], f"s3://{bucket}/code/{build().name}"
    assert job["GlueVersion"] == "5.1"
    assert job["Command"]["ScriptLocation"] == f"{address}/glue_job.py"
    assert arguments["--additional-python-modules"] == ",".join([f"{address}/{build().wheel}", *build().requirements])
    assert arguments["--python-modules-installer-option"] == "--no-deps"


def test_deploying_again_changes_nothing(deployed):
    told = nh("aws", "deploy", "--environment", "test")  # and asks nothing
    assert "The stack nh-test is up to date" in told
    assert settings_of(told) == settings_of(deployed.told)
    assert deployed.made("cloudformation:ExecuteChangeSet") == [
        c for c in deployed.deploying if c.name == "cloudformation:ExecuteChangeSet"
    ]


def test_a_change_is_shown_and_asked_for(deployed):
    arguments = ("aws", "deploy", "--environment", "test", "--parameter", "Workers=3")
    before = len(deployed.made("cloudformation:ExecuteChangeSet"))
    told = nh(*arguments, exits=1)  # nobody is there to answer
    assert re.search(r"^change +Glue job +Job", told, re.MULTILINE)
    assert "Make these changes?" in told
    assert len(deployed.made("cloudformation:ExecuteChangeSet")) == before
    glue_client = deployed.client("glue")
    nh(*arguments, "--yes")
    assert int(glue_client.get_job(JobName="nh-test-pipeline")["Job"]["NumberOfWorkers"]) == 3
    nh("aws", "deploy", "--environment", "test", "--parameter", "WorkerType=G.1X")  # the other one stays
    assert int(glue_client.get_job(JobName="nh-test-pipeline")["Job"]["NumberOfWorkers"]) == 3


def test_without_the_protected_domains_there_is_nothing_of_them(deployed):
    with signed_in(deployed.server) as fresh:
        machine = "PipelineService=ec2.amazonaws.com"
        told = nh("aws", "deploy", "--yes", "--parameter", "Domains=cms", "--parameter", machine)
        assert settings_of(told)["NH_DOMAINS"] == "cms"
        assert not re.search("clinical|treatments", told.partition("It is used with")[2])
        databases = {d["Name"] for d in fresh.client("glue").get_databases()["DatabaseList"]}
        assert databases == {"bronze", "silver", "gold", "bi"}
        roles = {r["RoleName"] for r in fresh.client("iam").list_roles()["Roles"]}
        assert roles == {f"nh-{role}-us-west-2" for role in ("pipeline", "job", "dashboard")}
        assert told.endswith("\nInstance profile of the pipeline: nh-pipeline-us-west-2\n")
        (profile,) = fresh.client("iam").list_instance_profiles()["InstanceProfiles"]
        ((role,), trusted) = profile["Roles"], profile["Roles"][0]["AssumeRolePolicyDocument"]["Statement"]
        assert role["RoleName"] == "nh-pipeline-us-west-2"
        assert [*trusted[0]["Principal"], trusted[1]["Principal"]["Service"]] == ["AWS", "ec2.amazonaws.com"]
        workgroups = {w["Name"] for w in fresh.client("athena").list_work_groups()["WorkGroups"]}
        assert not {"nh-clinical", "nh-treatments"} & workgroups


def test_a_dry_run_changes_nothing(deployed):
    with signed_in(deployed.server) as fresh:
        told = nh("aws", "deploy", "--dry-run")
        assert "The stack nh is not there yet" in told
        assert told.endswith("Nothing has been changed (dry run)\n")
        assert stacks(fresh) == {}
        assert [b["Name"] for b in fresh.client("s3").list_buckets()["Buckets"]] == [fresh.bucket]
    with signed_in(deployed.server) as other:
        nh("aws", "deploy", "--yes")
        before = other.client("s3").list_objects_v2(Bucket=f"nh-lake-{other.account}-us-west-2")["KeyCount"]
        told = nh("aws", "deploy", "--dry-run", "--parameter", "Workers=9")
        assert re.search(r"^change +Glue job", told, re.MULTILINE)
        assert int(other.client("glue").get_job(JobName="nh-pipeline")["Job"]["NumberOfWorkers"]) == 2
        left = other.client("cloudformation").list_change_sets(StackName="nh")["Summaries"]
        assert [c["ExecutionStatus"] for c in left] == ["EXECUTE_COMPLETE"]  # of the first one
        assert other.client("s3").list_objects_v2(Bucket=f"nh-lake-{other.account}-us-west-2")["KeyCount"] == before


def test_what_is_there_already_is_named(aws):
    """By another stack, or left by one that was deleted; also where AWS does not let the events be seen."""
    aws.client("glue").create_database(DatabaseInput={"Name": "gold"})
    aws.client("secretsmanager").create_secret(Name="nh/google-drive")
    told = " ".join(nh("aws", "deploy", "--dry-run", exits=1).split())
    assert told == (
        "AWS refuses the template or a parameter: "
        "Gold (database): Resource of type 'AWS::Glue::Database' with identifier 'gold' already exists.; "
        "DriveSecret (secret): Resource of type 'AWS::SecretsManager::Secret' with identifier 'nh/google-drive' "
        "already exists."
    )
    assert stacks(aws) == {}
    with aws.failing("cloudformation:DescribeEvents", denied):
        assert "AWS::EarlyValidation::ResourceExistenceCheck" in nh("aws", "deploy", "--dry-run", exits=1)
    nh("aws", "deploy", "--environment", "test", "--dry-run")


def test_what_was_left_by_a_killed_deployment_does_no_harm(aws):
    client = aws.client("cloudformation")
    client.create_change_set(
        StackName="nh", ChangeSetName="left", ChangeSetType="CREATE", TemplateBody=stack.template(),
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )  # fmt: skip
    assert stacks(aws) == {"nh": "REVIEW_IN_PROGRESS"}
    nh("aws", "deploy", "--dry-run")
    assert stacks(aws) == {}


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ("ROLLBACK_COMPLETE", "was never completed (ROLLBACK_COMPLETE): Bucket: it exists already. Delete it"),
        ("UPDATE_IN_PROGRESS", "wait until that is over"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback"),
    ],
)
def test_a_stack_that_cannot_be_changed_is_explained(aws, status, says):
    client = FakeStacks(status)
    with pytest.raises(stack.DeployError) as error, stack.Stack("nh", client).proposed({}):
        pass
    assert says in str(error.value)


def test_a_deployment_that_fails_says_what_failed_first():
    client, proposal = FakeStacks("ROLLBACK_COMPLETE"), stack.Proposal("arn", creates=True)
    with pytest.raises(stack.DeployError) as error:
        stack.Stack("nh", client).execute(proposal)
    assert str(error.value) == (
        "AWS could not make the changes to the stack nh (ROLLBACK_COMPLETE): Bucket: it exists already"
    )
    assert proposal.executed  # there is nothing to take back


class FakeStacks:
    """Answers of CloudFormation about a stack in a state that moto never gets into."""

    def __init__(self, status):
        self.status = status

    def execute_change_set(self, **_):
        pass

    def get_waiter(self, name):
        raise WaiterError(name, "Waiter encountered a terminal failure state", {})

    def get_template_summary(self, **_):
        return {"Parameters": []}

    def describe_stacks(self, **_):
        return {"Stacks": [{"StackStatus": self.status}]}

    def describe_stack_events(self, **_):
        def event(name, status, reason):
            return {"LogicalResourceId": name, "ResourceStatus": status, "ResourceStatusReason": reason}

        return {"StackEvents": [  # the last one first
            event("nh", "ROLLBACK_COMPLETE", ""),
            event("Job", "CREATE_FAILED", "Resource creation cancelled"),
            event("Bucket", "CREATE_FAILED", "it exists already"),
            event("nh", "CREATE_IN_PROGRESS", "User Initiated"),
            event("Bucket", "UPDATE_FAILED", "of a time long ago"),
        ]}  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "says", "exits"),
    [
        (["--environment", "Prod!"], "expected up to 16 lower-case letters and digits", 2),
        (["--environment", "clinical"], "named like those of the domain", 2),
        (["--parameter", "Workers"], "expected a name and a value", 2),
        (["--parameter", "Wrokers=3"], "no parameter Wrokers; it has ClinicalPrincipal, Code, ConcurrentJobRuns", 1),
    ],
)
def test_wrong_usage(aws, arguments, says, exits):
    assert says in " ".join(nh("aws", "deploy", *arguments, exits=exits).split())
    assert stacks(aws) == {}


def test_without_the_libraries_for_aws(aws, monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    assert "pip install 'nh-pipeline[aws]'" in nh("aws", "deploy", "--dry-run", exits=2)


# What the job runs


def test_the_same_code_has_the_same_name(monkeypatch):
    first, again = build(), build()
    assert (first.name, first.files) == (again.name, again.files)
    monkeypatch.setattr(code, "_KIND", f"{code._KIND}\nBuild: 2")
    assert build().name != first.name


def test_the_wheel_is_a_wheel(tmp_path):
    made = build()
    path = tmp_path / made.wheel
    path.write_bytes(made.files[made.wheel])
    target = tmp_path / "installed"
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target", target, path],
        check=True,
    )
    assert (target / "nh_pipeline" / "engines" / "glue_job.py").read_bytes() == made.files["glue_job.py"]
    assert not list(target.rglob("nh_pipeline_tests"))


def empty_wheel(folder, name, version):
    about = f"{name.replace('-', '_')}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{about.removesuffix('.dist-info')}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{about}/RECORD", "")


def test_a_job_without_pypi_gets_all_of_it_in_one_file(aws, tmp_path, monkeypatch):
    """An index that is a folder of empty wheels; what is uploaded installs by itself, as Glue does it."""
    index, zipped = tmp_path / "index", tmp_path / "nh-pipeline.gluewheels.zip"
    index.mkdir()
    monkeypatch.setattr(code, "REQUIRES", ("msgspec", "tenacity"))
    for requirement in build().requirements:
        empty_wheel(index, *requirement.split("=="))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    settings = settings_of(nh("aws", "deploy", "--yes", "--offline"))
    job = aws.client("glue").get_job(JobName="nh-pipeline")["Job"]
    bucket, key = settings["NH_HOME"].removeprefix("s3://").partition("/")[0], f"code/{build().name}"
    assert job["DefaultArguments"]["--additional-python-modules"] == f"s3://{bucket}/{key}/{zipped.name}"
    assert job["DefaultArguments"]["--python-modules-installer-option"] == "--no-index"
    zipped.write_bytes(aws.client("s3").get_object(Bucket=bucket, Key=f"{key}/{zipped.name}")["Body"].read())
    zipfile.ZipFile(zipped).extractall(tmp_path)
    wheels, target = tmp_path / "wheels", tmp_path / "installed"
    monkeypatch.delenv("PIP_FIND_LINKS")
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--find-links", wheels, "--target", target,
         "--requirement", wheels / "requirements.txt"],
        check=True,
    )  # fmt: skip
    assert (target / "nh_pipeline" / "engines" / "glue_job.py").is_file()
    assert len(list(target.glob("*.dist-info"))) == len(build().requirements) + 1
    assert "pip could not download what the job needs" in nh("aws", "deploy", "--offline", "--dry-run", exits=1)
    assert nh("aws", "deploy", "--yes").count("Glue job") == 1  # back to PyPI: another list, the same code


def test_what_is_not_installed_here_is_one_item_of_the_jobs_list(monkeypatch):
    """Of another Python than Glue's: a range of versions would be two items, the second of them nonsense."""
    monkeypatch.setattr(code, "REQUIRES", ("not-installed-here>=1.2,<2,!=1.5",))
    assert build().requirements == ("not-installed-here>=1.2",)


def test_the_pins_resolve_beside_what_glue_brings():
    """What pip would say of them, if ``--no-deps`` let it."""
    pins = dict(r.split("==") for r in build().requirements)
    there = {**BROUGHT_BY_GLUE, **pins}
    wrong = {}
    for name, version in pins.items():
        for need in map(Requirement, importlib.metadata.requires(name) or ()):
            wanted = canonicalize_name(need.name)
            if need.marker and not need.marker.evaluate({**code._GLUE, "extra": ""}):
                continue
            if wanted not in there or not need.specifier.contains(there[wanted], prereleases=True):
                wrong[f"{name} {version}"] = f"{need}, is {there.get(wanted)}"
    assert wrong == {}
    assert not set(pins) & set(BROUGHT_BY_GLUE)
    assert {Requirement(r).name for r in REQUIRES} <= set(pins)


ONLY = """
import importlib.metadata, re, sys
there = {re.sub("[-_.]+", "-", name).lower() for name in sys.argv[1:]}
known = importlib.metadata.packages_distributions()

class Absent:
    def find_spec(self, name, path=None, target=None):
        owners = {re.sub("[-_.]+", "-", d).lower() for d in known.get(name.partition(".")[0], [])}
        if owners and not owners & there:
            raise ModuleNotFoundError(f"{name} is not on Glue", name=name)

sys.meta_path.insert(0, Absent())
import nh_pipeline.engines.glue_job, nh_pipeline.pipeline.mart, nh_pipeline.lake.glue
print(nh_pipeline.__file__)
"""
"""Imports the job where nothing is installed but what is told."""


def test_the_job_needs_nothing_that_it_does_not_install(tmp_path):
    """The wheel, its requirements and what Glue brings are enough; without one of them, they are not."""
    made = build()
    zipfile.ZipFile(io.BytesIO(made.files[made.wheel])).extractall(tmp_path)
    there = [re.split("[=<>~!]", r)[0] for r in made.requirements]

    def imported(*names):
        env = {**os.environ, "PYTHONPATH": str(tmp_path)}
        later = ["setuptools"] if sys.version_info >= (3, 12) else []  # Glue's Python, 3.11, has distutils itself
        command = [sys.executable, "-c", ONLY, *names, *BROUGHT_BY_GLUE, *later, "nh-pipeline"]
        return subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)

    found = imported(*there)
    assert found.returncode == 0, found.stderr
    assert found.stdout.startswith(str(tmp_path))
    assert "pyiceberg is not on Glue" in imported(*(n for n in there if n != "pyiceberg")).stderr


def test_an_installed_package_can_deploy(tmp_path):
    """The wheel that PyPI would have: it holds the template, and the code of the job is made of it."""
    before = Path.cwd()
    os.chdir(REPOSITORY)
    try:
        name = build_wheel(str(tmp_path))
    finally:
        os.chdir(before)
    zipfile.ZipFile(tmp_path / name).extractall(tmp_path / "site")
    program = "from nh_pipeline.aws import code, stack; print(code.build().name, len(stack.template()), stack.__file__)"
    found = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": str(tmp_path / "site")}, cwd=tmp_path,
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    name, length, place = found.stdout.split()
    assert place.startswith(str(tmp_path / "site"))
    assert int(length) == len((REPOSITORY / "deploy" / "aws" / "template.yaml").read_text(encoding="utf-8"))
    assert re.fullmatch(r"0\.\d+\.\d+-[0-9a-f]{12}", name)
