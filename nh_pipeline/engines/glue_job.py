"""The AWS Glue job: runs the steps that Dagster sends on the job's own Spark session.

This file is the job's script, and the package beside it is the same that sends (:mod:`nh_pipeline.engines.glue`). It
runs where no Dagster is installed, and Spark is Glue's own.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import boto3
from dagster_pipes import PipesCliArgsParamsLoader, PipesS3ContextLoader, PipesS3MessageWriter, open_dagster_pipes

from nh_pipeline.engines.spark import job_session
from nh_pipeline.faults import as_one_message
from nh_pipeline.pipeline.remote_request import Order

if TYPE_CHECKING:
    from dagster_pipes import PipesContext

REQUIRES = (
    "boto3",
    "dagster-pipes",
    "duckdb",
    "pandera",
    "pyarrow",
    "pydantic",
    "pyiceberg",
    "pyiceberg-core",
    "sqlalchemy",
    "tenacity",
)
"""Distributions that the job needs, with what they need in turn, beside this package and Glue's PySpark."""


def main() -> None:
    """Takes an order from Dagster Pipes; sends back an outcome per step, or the error that ended them."""
    arguments = PipesCliArgsParamsLoader()  # type: ignore[no-untyped-call]
    if not arguments.is_dagster_pipes_process():
        raise SystemExit("This job is started by Dagster, with NH_ENGINE=glue: it does nothing by itself")
    s3 = boto3.client("s3")
    with open_dagster_pipes(
        params_loader=arguments, context_loader=PipesS3ContextLoader(s3), message_writer=PipesS3MessageWriter(s3)
    ) as pipes:
        try:
            with as_one_message():
                _build(pipes)
        except Exception as error:
            pipes.report_custom_message({"error": f"{type(error).__name__}: {error}"})
            raise


def _build(pipes: PipesContext) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        os.environ.setdefault(name, pipes.get_extra("region"))
    order = Order.model_validate(pipes.get_extra("order"))
    workspace = order.workspace(job_session())
    for step in order.steps:
        pipes.log.info("%r …", step)
        started = time.monotonic()
        outcome = step.run(workspace)
        pipes.report_custom_message({"outcome": outcome.model_dump(mode="json")})
        told = ", ".join(f"{r.table} {r.rows:,} rows" for r in outcome.results)
        pipes.log.info("%s in %.1f s", told, time.monotonic() - started)


if __name__ == "__main__":
    main()
