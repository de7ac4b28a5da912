"""Builds as AWS Glue jobs: one job run for the builds of an asset, started and followed through Dagster Pipes.

The other end is :mod:`.glue_job`. What runs there, and how it is published, is the builds' own business.
"""

from __future__ import annotations

import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import boto3
import dagster as dg
from botocore.config import Config
from botocore.exceptions import ClientError
from dagster_aws.pipes import PipesGlueClient, PipesS3ContextInjector, PipesS3MessageReader

from nh_pipeline import domains
from nh_pipeline.engines import glue_job, stopping
from nh_pipeline.engines.spark import EngineError
from nh_pipeline.errors import translate_infrastructure_errors
from nh_pipeline.lake.s3 import SCHEME
from nh_pipeline.pipeline.remote_request import Build, BuildRequest
from nh_pipeline.pipeline.result import BuildResult
from nh_pipeline.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dagster import PipesMessageHandler
    from dagster_pipes import PipesParams

    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.pipeline.context import RunInfo

ENDED = ("SUCCEEDED", "FAILED", "STOPPED", "TIMEOUT", "ERROR", "EXPIRED")
"""States of a job run that is over."""

_RETRIES = Config(retries={"mode": "standard", "max_attempts": 10})
"""Of calls that AWS throttles or does not answer: for a minute or two."""

# Preview, and called by Dagster itself.
warnings.filterwarnings("ignore", message=".*expected_writer_count", category=dg.PreviewWarning)

POLL = 5.0
"""Seconds between two looks at a job run."""

PATIENCE = 30.0
"""Minutes that a job run may take to get its machines and to end, beyond its timeout."""

QUEUE = 24 * 60.0
"""Minutes that a job run may stand in AWS's queue before that."""


@dataclass(frozen=True)
class GlueJob:
    """The job that ``nh aws deploy`` makes.

    Attributes:
        name: of the job.
        messages: ``s3://bucket/prefix`` through which it and Dagster speak.
        timeout: minutes after which Glue ends a run of it.
    """

    name: str
    messages: str
    timeout: int

    def run(
        self, builds: Sequence[Build], lake: Lake, run: RunInfo, context: dg.AssetExecutionContext
    ) -> Iterator[BuildResult]:
        """Runs the builds in one job run and waits for it.

        However this process stops waiting (the run is cancelled, AWS does not answer), it stops the job run.

        Raises:
            EngineError: what the settings say cannot be sent to a job.
            dg.Failure: the job run failed; with its own error, and a link to it.
        """
        if "uri" in lake.catalog_properties:  # whoever sees the job run, its log or its messages would see it
            raise EngineError(
                "NH_CATALOG_URL may hold a password, and what is sent to a Glue job is not secret: leave it out, so "
                "that the catalog is the AWS Glue Data Catalog, or choose another NH_ENGINE than glue"
            )
        client = _Client(self, context)
        try:
            with translate_infrastructure_errors():
                request = BuildRequest.of(builds, lake, run)
                client.run(
                    context=context,
                    # A fresh one each time: the client writes into it.
                    start_job_run_params={
                        "JobName": self.name,
                        "Arguments": {glue_job.REGION: client.region},
                        "Timeout": self.timeout,
                        "JobRunQueuingEnabled": True,
                    },
                    extras={
                        "request": request.model_dump(mode="json"),
                        "environment": {  # what the job has to know as this process does
                            domains.VARIABLE: ",".join(domains.selected()),
                            "NH_NPPES_SCOPE": Settings().nppes_scope,
                        },
                    },
                )
        except client.unknown as error:
            raise EngineError(
                f"AWS Glue has no job {self.name} in {client.region}: nh aws deploy makes it, and NH_GLUE_JOB names it"
            ) from error
        except BaseException:
            client.stop()
            if not client.failed:
                raise
        yield from client.results()
        context.add_asset_metadata({"glue_job_run": dg.MetadataValue.url(client.url)})
        if client.failed or len(client.results()) < len(builds):
            raise client.failure()


class _Client(PipesGlueClient):
    """Dagster's client for one job run, with what it lacks: an end of the waiting, and the run's own words."""

    def __init__(self, job: GlueJob, context: dg.AssetExecutionContext) -> None:
        glue, s3 = (boto3.client(service, config=_RETRIES) for service in ("glue", "s3"))
        bucket, _, prefix = job.messages.removeprefix(SCHEME).partition("/")
        prefix = f"{prefix}/" if prefix else ""
        self._job, self._context, self._messages = job, context, _Messages(bucket, prefix, s3)
        self._run: dict[str, Any] = {}
        self._wanted = False  # there is a job run, and we want it to go on
        glue.meta.events.register("after-call.glue.StartJobRun", self._started)
        super().__init__(
            client=glue,
            context_injector=PipesS3ContextInjector(bucket=bucket, client=s3, key_prefix=prefix),
            message_reader=self._messages,
            forward_termination=False,  # _wait and stop() do it
        )

    @property
    def unknown(self) -> type[Exception]:
        """Says that there is no such job."""
        return cast("type[Exception]", self._client.exceptions.EntityNotFoundException)

    @property
    def region(self) -> str:
        return str(self._client.meta.region_name)

    @property
    def url(self) -> str:
        """Of the job run in the AWS console."""
        place = f"https://{self.region}.console.aws.amazon.com/gluestudio/home?region={self.region}"
        return f"{place}#/job/{self._job.name}/run/{self._run.get('Id')}"

    @property
    def failed(self) -> bool:
        """Whether the job run came to a bad end."""
        return self._run.get("JobRunState") in set(ENDED) - {"SUCCEEDED"}

    def results(self) -> list[BuildResult]:
        """What the job's builds came to, as far as they got."""
        return [BuildResult.model_validate(m["result"]) for m in self._messages.received if "result" in m]

    def failure(self, why: str = "") -> dg.Failure:
        """Why the builds are not all done: in the job's words, else in Glue's."""
        state = self._run.get("JobRunState")
        why = why or next((m["error"] for m in self._messages.received if "error" in m), "")
        if not why and state == "SUCCEEDED":
            why = "Not all of its results came back. What it published is there: run this again"
        why = why or self._run.get("ErrorMessage") or "Glue gives no reason"
        told = f"{why}\nGlue job {self._job.name}, run {self._run.get('Id')}: {state}. {self.url}"
        return dg.Failure(told, metadata={"glue_job_run": dg.MetadataValue.url(self.url)})

    def stop(self) -> None:
        """Stops the job run, if there is one that has not ended."""
        if not self._wanted:
            return
        self._wanted, run_id = False, self._run["Id"]
        try:
            answer = self._client.batch_stop_job_run(JobName=self._job.name, JobRunIds=[run_id])
        except ClientError as error:  # what stopped us is the news, not this
            answer = {"Errors": [error]}
        if answer.get("Errors"):
            problem = answer["Errors"][0]
            self._context.log.warning("Glue job run %s could not be stopped: %s. See %s", run_id, problem, self.url)
        else:
            self._context.log.info("Glue job run %s is being stopped", run_id)

    def _started(self, parsed: dict[str, Any], **_: Any) -> None:
        if "JobRunId" in parsed:
            self._run, self._wanted = {"Id": parsed["JobRunId"]}, True

    def _wait_for_job_run_completion(self, job_name: str, run_id: str) -> Any:
        """Dagster's own method waits for ever for a run that has EXPIRED, or that never gets its machines.

        Stops the run, if need be, here and not in :meth:`GlueJob.run`: until then, Dagster waits for last messages.
        """
        try:
            return self._ended(job_name, run_id)
        except BaseException:
            self.stop()
            raise

    def _ended(self, job_name: str, run_id: str) -> Any:
        minutes, waits = QUEUE, True
        end = time.monotonic() + 60 * minutes
        while time.monotonic() < end:
            answer = self._client.get_job_run(JobName=job_name, RunId=run_id)
            self._run = answer["JobRun"]
            if self._run["JobRunState"] in ENDED:
                self._wanted = False
                return answer
            if waits and self._run["JobRunState"] != "WAITING":
                minutes, waits = self._job.timeout + PATIENCE, False
                end = time.monotonic() + 60 * minutes
            if stopping.requested():
                raise self.failure("It is stopped, since nh was asked to stop")
            time.sleep(POLL)
        awaited = "left the queue" if waits else "come to an end"
        raise self.failure(f"It is stopped, since it has not {awaited} within {minutes:g} minutes")


class _Messages(PipesS3MessageReader):
    """Reads messages below a prefix of their own, and keeps the ones that are meant for us."""

    def __init__(self, bucket: str, prefix: str, client: Any) -> None:
        super().__init__(bucket=bucket, client=client, interval=POLL, include_stdio_in_messages=True)
        self._prefix = prefix
        self._handler: PipesMessageHandler | None = None

    @property
    def received(self) -> list[dict[str, Any]]:
        return list(self._handler.get_custom_messages()) if self._handler else []

    @contextmanager
    def read_messages(self, handler: PipesMessageHandler) -> Iterator[PipesParams]:
        self._handler = handler
        with super().read_messages(handler) as params:
            yield params

    @contextmanager
    def get_params(self) -> Iterator[PipesParams]:
        with super().get_params() as params:  # Dagster's reader would have them at the bucket's root
            yield {**params, "key_prefix": f"{self._prefix}{params['key_prefix']}"}
