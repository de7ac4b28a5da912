"""A deployed environment for tests: ``nh aws deploy``, run on moto's CloudFormation."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from moto.backends import get_backend
from typer.testing import CliRunner

from nh_pipeline.cli.main import app
from nh_pipeline_tests.support import cloudformation, early_validation  # noqa: F401 (what moto's CloudFormation lacks)
from nh_pipeline_tests.support.aws_calls import AwsError
from nh_pipeline_tests.support.aws_server import signed_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nh_pipeline_tests.support.aws_calls import Call
    from nh_pipeline_tests.support.aws_server import Aws, AwsServer


def nh(*arguments: str | Path, exits: int = 0, **env: str) -> str:
    """What it prints; the process's environment is AWS's, ``env`` are settings."""
    found = CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "160", "NO_COLOR": "1", **env})
    assert found.exit_code == exits, f"{found.output}\n{found.exception!r}"
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return found.output


def settings_of(told: str) -> dict[str, str]:
    """The settings that a deployment printed."""
    return dict(re.findall(r"^export (\w+)=(\S*)$", told, re.MULTILINE))


def bucket_of(aws: Aws) -> str:
    return aws.settings["NH_HOME"].removeprefix("s3://").partition("/")[0]


@contextmanager
def environment(server: AwsServer, dagster: Path) -> Iterator[Aws]:
    """The environment ``test``: an account with ``told`` (the output), ``deploying`` (the calls) and ``settings``."""
    with signed_in(server) as aws:
        aws.told = nh("aws", "deploy", "--environment", "test", "--yes")
        aws.deploying = list(aws.calls)
        aws.handlers["athena:GetWorkGroup"] = lambda call: _known_workgroup(aws, call)
        aws.settings = {**settings_of(aws.told), "NH_DAGSTER_HOME": str(dagster)}
        key = '{"type": "service_account"}'
        aws.client("secretsmanager").put_secret_value(SecretId="nh-test/google-drive", SecretString=key)
        yield aws


def _known_workgroup(aws: Aws, call: Call) -> None:
    """Moto's answer about a workgroup that is not there is none of AWS's."""
    if call.params["WorkGroup"] not in get_backend("athena")[aws.account][aws.region].work_groups:
        raise AwsError("InvalidRequestException", f"WorkGroup {call.params['WorkGroup']} is not found.")
