"""What is missing for the pipeline to run on AWS with the settings of this process, in plain words.

Looks with the permissions of who runs it, which should be the pipeline's own role. Changes nothing but one small file
below ``state/``, which it deletes again. On request it starts the job, which looks at what is there where it runs.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from nh_pipeline.aws.code import SCRIPT, build
from nh_pipeline.engines import glue_job
from nh_pipeline.errors import explain
from nh_pipeline.lake.s3 import SCHEME, region
from nh_pipeline.queries.athena import AthenaQueries
from nh_pipeline.queries.open import QueryError
from nh_pipeline.queries.view import selected_databases
from nh_pipeline.sources.drive_credentials import SECRETS
from nh_pipeline.tables import tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nh_pipeline.settings import Settings

GLUE_VERSION = "5.1"
"""Of the job: Spark 3.5 on Python 3.11."""

LOOK = 15
"""Minutes after which AWS ends a job run that only looks around."""

_ABSENT = {
    "404",
    "NoSuchBucket",
    "NoSuchKey",
    "EntityNotFoundException",
    "ResourceNotFoundException",
    "NoSuchPublicAccessBlockConfiguration",
}
_DENIED = {"403", "AccessDenied", "AccessDeniedException"}
_LACKS = re.compile(r"not authorized to perform: (\S+)(?: on resource: (\S+))?")
"""In AWS's words: the permission, which may be another service's (a bucket's key), and on what."""


class MissingError(Exception):
    """Something is not there, or not as it must be; the message says what to do."""


@dataclass(frozen=True)
class Finding:
    """What came of looking at one thing."""

    what: str
    fine: bool
    told: str


class Account:
    """The account and region that AWS's own configuration points at, seen through the settings."""

    def __init__(self, settings: Settings, *, run_job: bool = False) -> None:
        self.settings, self.run_job = settings, run_job
        with suppress(OSError):  # which _region tells
            region()
        self.session = boto3.Session()
        self.client = self.session.client
        self.bucket, _, self._prefix = settings.home.removeprefix(SCHEME).partition("/")

    def findings(self) -> Iterator[Finding]:
        """Looks at one thing after the other. Without credentials, region or bucket, the rest is not looked at."""
        for needed, what, look in (
            (True, "region", self._region),
            (True, "identity", self._identity),
            (True, "bucket", self._bucket),
            (False, "encryption", self._encryption),
            (False, "public access", self._public),
            (False, "files", self._files),
            (False, "databases", self._databases),
            (False, "tables", self._tables),
            (False, "glue job", self._job),
            (False, "workgroup", self._workgroup),
            (False, "secret", self._secret),
        ):
            found = self._looked(what, look)
            yield found
            if needed and not found.fine:
                return
        if self.run_job:
            yield from self._job_run()

    def _looked(self, what: str, look: Callable[[], str]) -> Finding:
        try:
            return Finding(what, fine=True, told=look())
        except MissingError as error:
            return Finding(what, fine=False, told=str(error))
        except (ClientError, BotoCoreError) as error:
            told = explain(error) or str(error)
            if isinstance(error, ClientError) and _code(error) in _DENIED and "Lake Formation" not in str(error):
                told = f"{error.operation_name} is denied: give this role {_lacks(error)}, or use the pipeline's role"
            return Finding(what, fine=False, told=told)

    def _region(self) -> str:
        if not self.session.region_name:
            raise MissingError("none is set: set AWS_REGION to the region of the bucket of NH_HOME")
        return str(self.session.region_name)

    def _identity(self) -> str:
        found = self.client("sts").get_caller_identity()
        return f"{found['Arn']}, account {found['Account']}"

    def _bucket(self) -> str:
        with _else(f"{self.bucket} does not exist: nh aws deploy makes it, and says its NH_HOME"):
            found = self.client("s3").get_bucket_location(Bucket=self.bucket)
        there = found["LocationConstraint"] or "us-east-1"
        if there != self.session.region_name:
            raise MissingError(f"{self.bucket} is in {there}: set AWS_REGION={there}")
        return f"{self.bucket} is there"

    def _encryption(self) -> str:
        found = self.client("s3").get_bucket_encryption(Bucket=self.bucket)
        (rule, *_) = found["ServerSideEncryptionConfiguration"]["Rules"]
        return f"new files are encrypted ({rule['ApplyServerSideEncryptionByDefault']['SSEAlgorithm']})"

    def _public(self) -> str:
        with _else("it is not blocked: deploy the bucket with nh aws deploy"):
            found = self.client("s3").get_public_access_block(Bucket=self.bucket)["PublicAccessBlockConfiguration"]
        if not all(found.values()):
            raise MissingError("it is blocked in part only: deploy the bucket with nh aws deploy")
        return "is blocked"

    def _files(self) -> str:
        s3, key = self.client("s3"), f"{self._prefix.rstrip('/')}/state/.check-{uuid.uuid4().hex}".lstrip("/")
        s3.put_object(Bucket=self.bucket, Key=key, Body=b"nh aws check")
        s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        s3.list_objects_v2(Bucket=self.bucket, Prefix=key)
        s3.delete_object(Bucket=self.bucket, Key=key)
        return f"can be written, read, listed and deleted in {self.settings.home}"

    def _databases(self) -> str:
        glue, names = self.client("glue"), [self.settings.database_prefix + name for name in selected_databases()]
        absent = [name for name in names if not _there(glue.get_database, Name=name)]
        if absent:
            raise MissingError(
                f"{', '.join(absent)} not there: compare NH_DATABASE_PREFIX with what nh aws deploy said, or deploy"
            )
        return f"{', '.join(names)} are there"

    def _tables(self) -> str:
        glue, there = self.client("glue"), 0
        for contract in tables():
            database, _, name = contract.name.partition(".")
            there += _there(glue.get_table, DatabaseName=self.settings.database_prefix + database, Name=name)
        return f"{there} of {len(tables())} are there; the pipeline makes the others when it publishes them"

    def _job(self) -> str:
        name = self.settings.glue_job
        if self.settings.engine != "glue":
            return f"is not needed (NH_ENGINE is {self.settings.engine})"
        with _else(f"{name} does not exist: nh aws deploy makes it, and NH_GLUE_JOB names it"):
            job = self.client("glue").get_job(JobName=name)["Job"]
        if job.get("GlueVersion") != GLUE_VERSION:
            raise MissingError(f"{name} is of Glue {job.get('GlueVersion')}, expected {GLUE_VERSION}: nh aws deploy")
        script = job["Command"]["ScriptLocation"]
        wheel = job["DefaultArguments"].get("--additional-python-modules", "").partition(",")[0]
        for address in (script, wheel):
            bucket, _, key = address.removeprefix(SCHEME).partition("/")
            if not key or not _there(self.client("s3").head_object, Bucket=bucket, Key=key):
                raise MissingError(f"{name} runs {address or 'no wheel'}, which is not there: nh aws deploy uploads it")
        code = build()
        if f"/{code.name}/" not in wheel or not script.endswith(f"/{code.name}/{SCRIPT}"):
            other = wheel.rpartition("/")[0].rpartition("/")[2]
            raise MissingError(
                f"{name} runs the code {other}, here it is {code.name}: nh aws deploy brings it up to date"
            )
        return f"{name} runs this code, {code.name}, on Glue {GLUE_VERSION}"

    def _workgroup(self) -> str:
        name = self.settings.athena_workgroup
        if not name:
            return "is not set (NH_ATHENA_WORKGROUP): DuckDB answers queries"
        with _else(f"{name} does not exist: nh aws deploy makes it", words="not found"):
            found = self.client("athena").get_work_group(WorkGroup=name)["WorkGroup"]["Configuration"]
        limit = found.get("BytesScannedCutoffPerQuery")
        if not limit or not found.get("EnforceWorkGroupConfiguration"):
            raise MissingError(f"{name} has no limit to what a query may scan, or does not enforce it: nh aws deploy")
        try:
            AthenaQueries(name).query("select 1 as one")
        except QueryError as error:
            raise MissingError(str(error)) from error
        return f"{name} answers; a query may scan {limit / 1e9:.1f} GB"

    def _job_run(self) -> Iterator[Finding]:
        """Runs the job as nothing but a look around, and tells what it found."""
        s3, place = self.client("s3"), {"Bucket": self.bucket, "Key": f"pipes/check-{uuid.uuid4().hex}.json"}
        done = self._looked("job run", lambda: self._run_job(f"{SCHEME}{self.bucket}/{place['Key']}"))
        yield done
        if done.fine:
            for what, found in json.loads(s3.get_object(**place)["Body"].read()).items():
                yield Finding(f"  {what}", **found)
            s3.delete_object(**place)

    def _run_job(self, report: str) -> str:
        from nh_pipeline.engines import glue  # noqa: PLC0415 (brings Dagster along)

        client, job = self.client("glue"), {"JobName": self.settings.glue_job}
        arguments = {
            glue_job.REGION: str(self.session.region_name),
            glue_job.REPORT: report,
            glue_job.HOME: self.settings.home,
        }
        run = client.start_job_run(**job, Arguments=arguments, Timeout=LOOK, JobRunQueuingEnabled=True)["JobRunId"]
        end = time.monotonic() + 60 * (LOOK + glue.PATIENCE)
        while (now := client.get_job_run(**job, RunId=run)["JobRun"])["JobRunState"] not in glue.ENDED:
            if time.monotonic() > end:
                client.batch_stop_job_run(**job, JobRunIds=[run])
                raise MissingError(f"{run} has not come to an end, and is stopped")
            time.sleep(glue.POLL)
        if now["JobRunState"] != "SUCCEEDED":
            raise MissingError(f"{run} ended as {now['JobRunState']}: {now.get('ErrorMessage', 'see its log')}")
        return f"{run} has looked around:"

    def _secret(self) -> str:
        where = self.settings.drive_credentials.get_secret_value() if self.settings.drive_credentials else ""
        if not where.startswith(("arn:", SECRETS)):
            return "is not needed (NH_DRIVE_CREDENTIALS names none)"
        name = where.removeprefix(SECRETS)
        with _else(f"{name} does not exist: nh aws deploy makes it"):
            found = self.client("secretsmanager").describe_secret(SecretId=name)
        if not found.get("VersionIdsToStages"):
            raise MissingError(
                f"{name} is empty: put the key in with aws secretsmanager put-secret-value --secret-id {name} "
                "--secret-string file://key.json"
            )
        return f"{name} has a value; nh drive check tries it"


@contextmanager
def _else(told: str, words: str = "") -> Iterator[None]:
    """Says so if what is looked at is not there, by AWS's code, or the words of its message."""
    try:
        yield
    except ClientError as error:
        if _code(error) in _ABSENT or (words and words in str(error)):
            raise MissingError(told) from error
        raise


def _there(look: Callable[..., Any], **what: str) -> bool:
    try:
        with _else(""):
            look(**what)
    except MissingError:
        return False
    return True


def _lacks(error: ClientError) -> str:
    """The permission that is missing, as far as AWS says which."""
    found = _LACKS.search(str(error))
    return " on ".join(filter(None, found.groups())) if found else "the permission"


def _code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])
