"""AWS Glue's job runs on loopback: each one is a process that runs the job's script with the arguments that AWS passes.

It has the job's role as AWS documents it for boto3, and no key in a variable.

It answers three calls of an account's :class:`~.aws_server.Aws` (jobs themselves are moto's), refuses what AWS's own
model of the service does not allow, and goes through AWS's states. Run as a module, it is what starts a script, as
Glue's own runner does: ``python -m nh_pipeline_tests.support.glue_service script.py --JOB_NAME …``.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.validate import ParamValidator
from dagster_pipes import PipesStdioLogWriterChannel

from nh_pipeline import failpoints as points
from nh_pipeline.engines import glue_job
from nh_pipeline_tests.support.aws_calls import AwsError
from nh_pipeline_tests.support.role_sessions import role_profile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from typing_extensions import Self

    from nh_pipeline_tests.support.aws_calls import Call
    from nh_pipeline_tests.support.aws_server import Aws

JOB = "nh-pipeline"
ACTIVE = ("WAITING", "STARTING", "RUNNING", "STOPPING")
_AT = "NH_TEST_AT"
_MODEL = botocore.session.get_session().get_service_model("glue")

# As Glue may have it, and not as the project's results need it.
SPARK = {
    "spark.master": "local[2]",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.sql.shuffle.partitions": "4",
    "spark.sql.session.timeZone": "America/Los_Angeles",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.parquet.compression.codec": "snappy",
    # Spark's other way to compute, which starts sooner.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}


@dataclass
class JobRun:
    """A run of a job.

    Attributes:
        id: as AWS names it.
        params: of StartJobRun.
        arguments: the job's own, and over them those of the run.
        state: AWS's JobRunState.
        error: AWS's ErrorMessage.
        log: what the process printed.
    """

    id: str
    params: dict[str, Any]
    arguments: dict[str, str]
    log: Path
    state: str = "STARTING"
    error: str = ""
    process: subprocess.Popen[bytes] | None = None
    stopped: threading.Event = field(default_factory=threading.Event)
    began: float = field(default_factory=time.time)

    def answer(self) -> dict[str, Any]:
        """As GetJobRun has it."""
        told = {
            "Id": self.id,
            "Attempt": 0,
            "JobName": self.params["JobName"],
            "StartedOn": self.began,
            "LastModifiedOn": time.time(),
            "JobRunState": self.state,
            "Arguments": self.params.get("Arguments", {}),
            "PredecessorRuns": [],
            "Timeout": self.params.get("Timeout", 480),
            "LogGroupName": "/aws-glue/jobs",
            "GlueVersion": "5.1",
        }
        return {**told, "ErrorMessage": self.error} if self.error else told


class GlueService:
    """Runs jobs for one account.

    Attributes:
        runs: all job runs, the first one first.
        fates: what becomes of the next runs, in order, instead of a process: ``EXPIRED``, ``ERROR``, ``RUNNING``, …;
            None for a process.
        at: a point and a table, and what processes of new runs do there: ``kill`` themselves, or ``hold`` for long.
        before: called once, when the next process is about to start.
        minute: seconds that a minute of a timeout takes.
        command: starts a script.
    """

    def __init__(self, aws: Aws, folder: Path, environment: Mapping[str, str]):
        self.aws, self.folder = aws, folder
        self.environment = dict(environment)
        self.runs: list[JobRun] = []
        self.fates: list[str | None] = []
        self.at: tuple[str, str, str] | None = None
        self.before: Callable[[], object] | None = None
        self.minute = 60.0
        self.command = [sys.executable, "-W", "ignore", "-m", "nh_pipeline_tests.support.glue_service"]
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        for action in ("StartJobRun", "GetJobRun", "BatchStopJobRun"):
            aws.handlers[f"glue:{action}"] = self._handled
        aws.client("s3").put_object(
            Bucket=aws.bucket, Key="code/glue_job.py", Body=Path(glue_job.__file__).read_bytes()
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for run in self.runs:
            self._stop(run)
        for thread in self._threads:
            thread.join(30)

    def make_job(self, name: str = JOB, *, at_once: int = 4) -> None:
        """A job as ``deploy/aws`` has it."""
        self.aws.client("glue").create_job(
            Name=name,
            Role=f"arn:aws:iam::{self.aws.account}:role/job",
            GlueVersion="5.1",
            Command={
                "Name": "glueetl",
                "PythonVersion": "3",
                "ScriptLocation": f"s3://{self.aws.bucket}/code/glue_job.py",
            },
            ExecutionProperty={"MaxConcurrentRuns": at_once},
            DefaultArguments={"--job-language": "python", "--enable-continuous-cloudwatch-log": "true"},
        )

    def _handled(self, call: Call) -> dict[str, Any]:
        report = ParamValidator().validate(call.params, _MODEL.operation_model(call.action).input_shape)
        if report.has_errors():
            raise AwsError("InvalidInputException", report.generate_report())
        answers = {"StartJobRun": self._start, "GetJobRun": self._get, "BatchStopJobRun": self._batch_stop}
        return answers[call.action](call.params)

    def _start(self, params: dict[str, Any]) -> dict[str, Any]:
        job = self._job(params["JobName"])
        most = job.get("ExecutionProperty", {}).get("MaxConcurrentRuns", 1)
        with self._lock:
            busy = sum(r.state in ACTIVE and r.params["JobName"] == params["JobName"] for r in self.runs)
            if busy >= most and not params.get("JobRunQueuingEnabled"):
                raise AwsError("ConcurrentRunsExceededException", f"Concurrent runs exceeded for {params['JobName']}")
            run_id = f"jr_{uuid.uuid4().hex}{uuid.uuid4().hex}"
            arguments = {**job.get("DefaultArguments", {}), **params.get("Arguments", {})}
            run = JobRun(run_id, params, arguments, self.folder / f"{run_id}.log")
            run.log.touch()  # whoever sees the run may read it
            run.state = "WAITING" if busy >= most else "STARTING"
            self.runs.append(run)
        fate = self.fates.pop(0) if self.fates else None
        thread = threading.Thread(target=self._live, args=(run, job, most, fate), daemon=True)
        self._threads.append(thread)
        thread.start()
        return {"JobRunId": run_id}

    def _get(self, params: dict[str, Any]) -> dict[str, Any]:
        self._job(params["JobName"])
        run = next((r for r in self.runs if r.id == params["RunId"]), None)
        if run is None:
            raise AwsError("EntityNotFoundException", "JobRun not found")
        return {"JobRun": run.answer()}

    def _batch_stop(self, params: dict[str, Any]) -> dict[str, Any]:
        self._job(params["JobName"])
        done: list[dict[str, Any]] = []
        refused: list[dict[str, Any]] = []
        for run_id in params["JobRunIds"]:
            name = {"JobName": params["JobName"], "JobRunId": run_id}
            run = next((r for r in self.runs if r.id == run_id and r.state in ACTIVE), None)
            if run is None:
                detail = {"ErrorCode": "InvalidInputException", "ErrorMessage": "The job run has ended already"}
                refused.append({**name, "ErrorDetail": detail})
            else:
                self._stop(run)
                done.append(name)
        return {"SuccessfulSubmissions": done, "Errors": refused}

    def _job(self, name: str) -> dict[str, Any]:
        glue = self.aws.client("glue")
        try:
            found: dict[str, Any] = glue.get_job(JobName=name)["Job"]
        except glue.exceptions.EntityNotFoundException:
            message = f"Failed to start job run due to missing metadata: {name}"
            raise AwsError("EntityNotFoundException", message) from None
        return found

    def _stop(self, run: JobRun) -> None:
        if run.state in ACTIVE:
            run.state = "STOPPING"
            run.stopped.set()

    def _live(self, run: JobRun, job: dict[str, Any], most: int, fate: str | None) -> None:
        while run.state == "WAITING":
            with self._lock:
                if sum(r.state in ACTIVE[1:] for r in self.runs) < most:
                    run.state = "STARTING"
            time.sleep(0.05)
        if fate in ("RUNNING", "WAITING"):
            run.state = fate
            run.stopped.wait(60)
        elif fate is not None:
            run.state = fate
        elif not run.stopped.is_set():
            self._execute(run, job)
        if run.stopped.is_set():
            run.state = "STOPPED"

    def _execute(self, run: JobRun, job: dict[str, Any]) -> None:
        bucket, _, key = job["Command"]["ScriptLocation"].removeprefix("s3://").partition("/")
        script = self.folder / f"{run.id}.py"
        script.write_bytes(self.aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())
        before, self.before = self.before, None
        if before:
            before()
        given = {"--JOB_NAME": job["Name"], "--JOB_ID": "j_1", "--JOB_RUN_ID": run.id, **run.arguments}
        with run.log.open("wb") as log:
            run.process = subprocess.Popen(
                [*self.command, str(script), *(text for pair in given.items() for text in pair)],
                env=self._environment(), cwd=self.folder, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        run.state = "RUNNING" if run.state == "STARTING" else run.state
        end = time.monotonic() + self.minute * run.params.get("Timeout", 480)
        while run.process.poll() is None and time.monotonic() < end and not run.stopped.wait(0.02):
            pass
        code = run.process.poll()
        if code is None:
            os.killpg(run.process.pid, signal.SIGKILL)
            run.process.wait()
            run.state = "STOPPING" if run.stopped.is_set() else "TIMEOUT"
        elif code == 0:
            run.state = "SUCCEEDED"
        else:
            lines = run.log.read_text(errors="replace").strip().splitlines()
            raised = lines[-1] if lines and code > 0 else f"Command failed with exit code {128 - code}"
            run.error = f"Error Category: UNCLASSIFIED_ERROR; {raised}"[:255]
            run.state = "FAILED"

    def _environment(self) -> dict[str, str]:
        """Nothing of this process's settings: a job knows what it was sent."""
        own = ("NH_", "SPARK_", "DAGSTER_", "PYTEST_", "AWS_")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(own)}
        submitted = " ".join(f"--conf {k}={v}" for k, v in SPARK.items())
        spark = {"PYSPARK_SUBMIT_ARGS": f"{submitted} pyspark-shell", "PYSPARK_PYTHON": sys.executable}
        role = role_profile(self.aws, self.folder, "job")
        repository = str(Path(__file__).resolve().parents[2])
        return {
            **kept,
            **spark,
            "PYTHONPATH": repository,
            **{k: v for k, v in role.items() if not k.endswith("REGION")},
            **self.environment,
            _AT: json.dumps(self.at),
        }


def main() -> None:
    """Runs a script as if it had been started itself."""
    del sys.argv[0]
    PipesStdioLogWriterChannel.WAIT_FOR_TEE_SECONDS = 0.1
    at = json.loads(os.environ[_AT]) or ["", "", ""]

    def observer(point: points.Point, where: str) -> None:
        print("reached", point.name, where, flush=True)  # noqa: T201 (what a job prints comes to Dagster)
        if [point.name, where] == at[:2]:
            if at[2] == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(120)

    points.observer = observer
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
