"""The AWS Glue job: runs the builds that Dagster sends on the job's own Spark session.

This file is the job's script, and the package beside it is the same that sends (:mod:`nh_pipeline.engines.glue`). It
runs where no Dagster is installed, and Spark is Glue's own.
"""

from __future__ import annotations

import os
import time

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
from nh_pipeline.pipeline.remote_request import BuildRequest

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


def main() -> None:
    """Takes a request from Dagster Pipes; sends back a result per build, or the error that ended them."""
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


def _build(pipes: PipesContext) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        os.environ.setdefault(name, pipes.get_extra("region"))
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
