"""``nh aws``: deploy an environment, and say what is missing."""

from __future__ import annotations

import re
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from nh_pipeline.cli.terminal import FAILED, USAGE, console, read_settings, stop
from nh_pipeline.domains import PROTECTED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nh_pipeline.aws.code import Code
    from nh_pipeline.aws.stack import Proposal

app = typer.Typer(help="An installation on AWS: S3, Glue Data Catalog, Glue job, Athena.", no_args_is_help=True)

# Addresses and what is to be copied stay in one line.
_say = partial(console.print, markup=False, soft_wrap=True)
_stop = partial(stop, soft_wrap=True)


@app.command()
def deploy(
    environment: Annotated[str, typer.Option(help="Begins all names: test gives nh-test and test_gold.")] = "",
    parameter: Annotated[
        list[str] | None, typer.Option(help="Of the template, as Workers=4; may be given again. Others stay.")
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Upload all that the job installs, so that it needs no PyPI.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Make or change the stack of an environment, upload what the job runs, print the settings to use."""
    if not re.fullmatch(r"([a-z][a-z0-9]{0,15})?", environment):
        _stop(f"--environment {environment}: expected up to 16 lower-case letters and digits, a letter first", USAGE)
    if environment in PROTECTED:
        _stop(f"--environment {environment}: its databases would be named like those of the domain", USAGE)
    given = dict(p.partition("=")[::2] for p in parameter or [])
    if "" in given or not all("=" in p for p in parameter or []):
        _stop("--parameter: expected a name and a value, as Workers=4", USAGE)
    with _explained():
        import boto3

        from nh_pipeline.aws.code import build
        from nh_pipeline.aws.stack import Stack
        from nh_pipeline.lake.s3 import region

        code, session = build(offline=offline), boto3.Session(region_name=region())
        stack = Stack(f"nh-{environment}" if environment else "nh", session.client("cloudformation"))
        prefix = f"{environment}_" if environment else ""
        with stack.proposed({"DatabasePrefix": prefix, **given, **code.parameters}) as proposal:
            _show(stack.name, proposal)
            if dry_run:
                _say("Nothing has been changed (dry run)")
                return
            if proposal.changes is not None and not yes:
                typer.confirm("Make these changes?", abort=True)
            if not proposal.creates:  # a job run that starts in between finds the old code or the new one
                _upload(session.client("s3"), code, stack.outputs()["Bucket"])
            if proposal.changes is not None:
                stack.execute(proposal)
        outputs = stack.outputs()
        if proposal.creates:
            _upload(session.client("s3"), code, outputs["Bucket"])
    _say(f"The stack {stack.name} is as it should be. It is used with these settings:\n")
    _say(_settings(outputs, session.region_name))


@app.command()
def check(
    *,
    run_job: Annotated[
        bool, typer.Option("--run-job", help="Start the Glue job, too, and say what it finds where it runs.")
    ] = False,
) -> None:
    """Say in plain words what the settings, the account or the permissions lack."""
    settings = read_settings()
    if not settings.on_s3:
        _stop(f"NH_HOME is {settings.home}: expected s3://bucket/prefix, as nh aws deploy prints it", USAGE)
    with _explained():
        from nh_pipeline.aws.check import Account

        missing = 0
        for finding in Account(settings, run_job=run_job).findings():
            missing += not finding.fine
            console.print(f"{'✓' if finding.fine else '✗'} {finding.what:14}", end="")
            _say(finding.told, style=None if finding.fine else "red")
    if missing:
        raise typer.Exit(FAILED)
    _say("Nothing is missing")


def _show(stack: str, proposal: Proposal) -> None:
    if proposal.changes is None:
        _say(f"The stack {stack} is up to date")
        return
    _say(f"The stack {stack} {'is not there yet' if proposal.creates else 'is there'}. This would be done:\n")
    table = Table("", "what", "name", "because of", box=None, pad_edge=False)
    for change in proposal.changes:
        style = "red" if change.action not in ("create", "change") else None
        table.add_row(change.action, change.kind, change.name, change.details, style=style)
    console.print(table)
    console.print()


def _upload(s3: Any, code: Code, bucket: str) -> None:
    for name, content in code.files.items():
        s3.put_object(Bucket=bucket, Key=f"code/{code.name}/{name}", Body=content)
        _say(f"uploaded s3://{bucket}/code/{code.name}/{name} ({len(content):,} bytes)")


def _settings(outputs: dict[str, str], region: str) -> str:
    values = {
        "AWS_REGION": region,
        "NH_HOME": outputs["Home"],
        "NH_DATABASE_PREFIX": outputs.get("DatabasePrefix", ""),
        "NH_DOMAINS": outputs["Domains"],
        "NH_ENGINE": "glue",
        "NH_GLUE_JOB": outputs["Job"],
        "NH_TREATMENTS_TABLE": outputs.get("TreatmentsTable", ""),
        "NH_DRIVE_CREDENTIALS": f"secretsmanager://{outputs['DriveSecret']}",
    }
    told = [f"export {name}={value}" for name, value in values.items() if value]
    named = {
        "pipeline": "PipelineRole",
        "Glue job": "JobRole",
        "dashboard": "DashboardRole",
        "clinical": "ClinicalRole",
        "treatments": "TreatmentsRole",
    }
    workgroups = {role: outputs.get(role.replace("Role", "Workgroup")) for role in named.values()}
    workgroups["DashboardRole"] = outputs["Workgroup"]
    roles = [
        f"  {name:11}{outputs[role]}" + (f", with NH_ATHENA_WORKGROUP={workgroups[role]}" if workgroups[role] else "")
        for name, role in named.items()
        if role in outputs
    ]
    if profile := outputs.get("PipelineProfile"):
        roles.append(f"\nInstance profile of the pipeline: {profile}")
    return "\n".join([*told, "", "Roles:", *roles])


@contextmanager
def _explained() -> Iterator[None]:
    """Ends the command with one message where AWS, its libraries or the deployment do not do what they should."""
    try:
        yield
    except ImportError as error:
        _stop(f"nh aws needs the libraries for AWS ({error.name}): pip install 'nh-pipeline[aws]'", USAGE)
    except Exception as error:
        from nh_pipeline.aws.stack import DeployError
        from nh_pipeline.errors import explain

        told = str(error) if isinstance(error, DeployError) else explain(error)
        if told is None:
            raise
        _stop(told, FAILED)
