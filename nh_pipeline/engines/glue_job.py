"""The AWS Glue job: runs the builds that Dagster sends on the job's own Spark session, or says what it finds there.

This file is the job's script, and the package beside it is the same that sends (:mod:`nh_pipeline.engines.glue`). It
runs where no Dagster is installed, and Spark is Glue's own.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import time
from typing import TYPE_CHECKING

import boto3
from dagster_pipes import (
    PipesCliArgsParamsLoader,
    PipesContext,
    PipesS3ContextLoader,
    PipesS3MessageWriter,
    open_dagster_pipes,
)

from nh_pipeline.engines.spark import job_session
from nh_pipeline.errors import translate_infrastructure_errors
from nh_pipeline.lake.s3 import SCHEME
from nh_pipeline.lake.storage import Storage
from nh_pipeline.pipeline.remote_request import BuildRequest

if TYPE_CHECKING:
    from collections.abc import Callable

REQUIRES = (
    "boto3",
    "dagster-pipes",
    "duckdb",
    "msgspec",
    "pyarrow",
    "pydantic",
    "pyiceberg",
    "pyiceberg-core",
    "sqlalchemy",
    "tenacity",
)
"""Distributions that the job needs, with what they need in turn, beside this package and Glue's PySpark."""

REGION, HOME, REPORT = "--nh_region", "--nh_home", "--nh_report"
"""Arguments beside those of Dagster Pipes: the region of the lake; for a look around (``nh aws check``), the lake, and
the address that a report of it is written to."""


def main() -> None:
    """Takes a request from Dagster Pipes; sends back a result per build, or the error that ended them."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for name in (REGION, HOME, REPORT):
        parser.add_argument(name)
    given, _ = parser.parse_known_args()
    if given.nh_region:
        for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
            os.environ.setdefault(name, given.nh_region)
    if given.nh_report:
        look(given.nh_home, given.nh_report)
        return
    arguments = PipesCliArgsParamsLoader()  # type: ignore[no-untyped-call]
    if not arguments.is_dagster_pipes_process():
        raise SystemExit("This job is started by Dagster, with NH_ENGINE=glue: it does nothing by itself")
    s3 = boto3.client("s3")
    with open_dagster_pipes(
        params_loader=arguments, context_loader=PipesS3ContextLoader(s3), message_writer=PipesS3MessageWriter(s3)
    ) as pipes:
        try:
            with translate_infrastructure_errors():
                _build(pipes)
        except Exception as error:
            pipes.report_custom_message({"error": f"{type(error).__name__}: {error}"})
            raise


def look(home: str, report: str) -> None:
    """Writes what is here, a line each, to an address, and prints it: versions, who this is, what Arrow sees.

    What fails is told as the error, beside what does not.
    """
    looks: dict[str, Callable[[], str]] = {
        "python": platform.python_version,
        "spark": lambda: job_session().version,
        "modules": lambda: ", ".join(f"{name} {importlib.metadata.version(name)}" for name in REQUIRES),
        "variables": lambda: ", ".join(sorted(name for name in os.environ if name.startswith("AWS_"))) or "none of AWS",
        "credentials": lambda: boto3.Session().get_credentials().method,
        "identity": lambda: str(boto3.client("sts").get_caller_identity()["Arn"]),
        "files": lambda: f"{sum(1 for _ in Storage(home).files('state')):,} below state/, listed by Arrow",
    }
    found = {}
    for name, looked in looks.items():
        try:
            found[name] = {"fine": True, "told": looked()}
        except Exception as error:  # noqa: BLE001 (whatever it is, it is what was asked for)
            found[name] = {"fine": False, "told": f"{type(error).__name__}: {error}"}
        print(name, found[name], flush=True)  # noqa: T201 (the job's log)
    bucket, _, key = report.removeprefix(SCHEME).partition("/")
    boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=json.dumps(found).encode())


def _build(pipes: PipesContext) -> None:
    os.environ.update(pipes.get_extra("environment"))
    request = BuildRequest.model_validate(pipes.get_extra("request"))
    context = request.context(job_session())
    for build in request.builds:
        pipes.log.info("%r …", build)
        started = time.monotonic()
        result = build.run(context)
        pipes.report_custom_message({"result": result.model_dump(mode="json")})
        told = ", ".join(f"{r.table} {r.rows:,} rows" for r in result.results)
        pipes.log.info("%s in %.1f s", told, time.monotonic() - started)


if __name__ == "__main__":
    main()
