"""AWS on loopback: moto's services behind a layer that is as strict as AWS where moto is not.

What the layer adds: the version check of Glue's ``UpdateTable``, limits of Glue's catalog, signed requests, buckets
that answer in their own region only, sessions of roles that end. What it offers to tests: a record of every request
with the permissions that AWS would ask for, faults by script, rules about what is allowed, and handlers for calls that
moto does not know.

Every :class:`Aws` is an account of its own, so tests share the server and see nothing of one another.
"""

from __future__ import annotations

import fnmatch
import itertools
import json
import sys
import threading
import time
import uuid
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto.backends import get_backend
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.s3.models import FakeKey, FakeMultipart
from werkzeug.serving import make_server

from nh_pipeline_tests.support.aws_calls import AwsError, call_of
from nh_pipeline_tests.support.aws_limits import check, check_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from typing_extensions import Self

    from nh_pipeline_tests.support.aws_calls import Call

REGION = "us-west-2"
"""Not us-east-1: whoever forgets the region would not be noticed there."""

_numbers = itertools.count(1)


@dataclass
class Fault:
    """A scripted error."""

    calls: str
    error: Callable[[Call], AwsError]
    resource: str
    times: float
    lost: bool
    met: int = 0

    def meets(self, call: Call) -> bool:
        known = fnmatch.fnmatchcase(call.name, self.calls)
        return self.times > 0 and known and any(fnmatch.fnmatchcase(r, self.resource) for r in call.resources)


def expired(call: Call) -> AwsError:
    """Temporary credentials whose time is over."""
    if call.service == "s3":
        return AwsError("ExpiredToken", "The provided token has expired.")
    return AwsError("ExpiredTokenException", "The security token included in the request is expired")


def denied(call: Call) -> AwsError:
    """A permission that is missing."""
    who = f"arn:aws:iam::{call.account}:user/test"
    if call.service == "s3":
        return AwsError("AccessDenied", "Access Denied", 403)
    action, resource = call.permissions[0]
    return AwsError("AccessDeniedException", f"User: {who} is not authorized to perform: {action} on resource: "
                    f"{resource} because no identity-based policy allows the {action} action")  # fmt: skip


def key_denied(call: Call) -> AwsError:
    """A permission that is missing on the key that a bucket is encrypted with."""
    who, key = f"arn:aws:iam::{call.account}:user/test", f"arn:aws:kms:us-west-2:{call.account}:key/1234abcd"
    return AwsError("AccessDenied", f"User: {who} is not authorized to perform: kms:GenerateDataKey on resource: {key} "
                    "because no identity-based policy allows the kms:GenerateDataKey action", 403)  # fmt: skip


def ungranted(_: Call) -> AwsError:
    """A grant of Lake Formation that is missing, where it governs the catalog."""
    return AwsError("AccessDeniedException", "Insufficient Lake Formation permission(s): Required Describe on gold")


def unknown_key(call: Call) -> AwsError:
    """Credentials that AWS does not know."""
    if call.service == "s3":
        return AwsError("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", 403)
    return AwsError("UnrecognizedClientException", "The security token included in the request is invalid.")


def throttled(call: Call) -> AwsError:
    """Too many requests."""
    if call.service == "s3":
        return AwsError("SlowDown", "Please reduce your request rate.", 503)
    return AwsError("ThrottlingException", "Rate exceeded")


def away(_: Call) -> AwsError:
    """S3, or a service, for an hour that AWS writes a report about."""
    return AwsError("ServiceUnavailable", "The service is unavailable.", 503)


def broken(_: Call) -> AwsError:
    """A fault of AWS's own."""
    return AwsError("InternalError", "We encountered an internal error. Please try again.", 500)


class Aws:
    """An account with a bucket.

    Attributes:
        account: Its number.
        bucket: Its first bucket, in ``region``.
        home: An address for ``NH_HOME``.
        calls: Every request that was made, in order.
        handlers: By ``service:Action``: answers instead of moto; takes the call, returns the JSON (or XML, as bytes),
            raises AwsError.
        allowed: Whether a permission (action, resource) is granted; None grants everything.
    """

    def __init__(self, server: AwsServer, region: str):
        self.server, self.region = server, region
        self.account = f"{next(_numbers):012d}"
        self.bucket = f"nh-{self.account}-{uuid.uuid4().hex[:8]}"
        self.home = f"s3://{self.bucket}/lakes/test"
        self.calls: list[Call] = []
        self.faults: list[Fault] = []
        self.handlers: dict[str, Callable[[Call], Any]] = {}
        self.allowed: Callable[[str, str], bool] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which AWS's clients find this account: botocore's, Arrow's and object_store's."""
        return {
            "AWS_ENDPOINT_URL": self.server.url,
            "AWS_ACCESS_KEY_ID": self.key_id,
            "AWS_SECRET_ACCESS_KEY": "secret-of-the-tests",
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/nonexistent/config",
            "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent/credentials",
            "AWS_ALLOW_HTTP": "true",  # object_store refuses plain http else
            "NO_PROXY": "127.0.0.1,localhost",
        }

    @property
    def key_id(self) -> str:
        """The id of its access key, which names the account."""
        return f"AKIATEST{self.account}"

    def client(self, service: str, **options: Any) -> Any:
        """A boto3 client of this account."""
        names = {"AWS_ENDPOINT_URL": "endpoint_url", "AWS_ACCESS_KEY_ID": "aws_access_key_id",
                 "AWS_SECRET_ACCESS_KEY": "aws_secret_access_key", "AWS_REGION": "region_name"}  # fmt: skip
        return boto3.client(service, **{**{names[k]: v for k, v in self.environment.items() if k in names}, **options})

    def owns(self, bucket: str | None) -> bool:
        """Whether a bucket is this account's."""
        return any(bucket in backend.buckets for backend in get_backend("s3").get(self.account, {}).values())

    def make_bucket(self, name: str, region: str) -> None:
        """Another bucket."""
        self.client("s3", region_name=region).create_bucket(
            Bucket=name,
            **({} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}),
        )

    @contextmanager
    def failing(
        self,
        calls: str,
        error: AwsError | Callable[[Call], AwsError],
        *,
        resource: str = "*",
        times: float = float("inf"),
        lost: bool = False,
    ) -> Iterator[Fault]:
        """Answers calls with an error.

        Args:
            calls: pattern of ``service:Action``.
            error: itself, or what makes it of a call (:func:`denied`, :func:`expired`, :func:`throttled`).
            resource: pattern, which one of the call's ARNs must match.
            times: how often; then the calls succeed.
            lost: the calls do what they are to do, and the error is all that the caller hears.
        """
        fault = Fault(calls, error if callable(error) else lambda _: error, resource, times, lost)
        self.faults.append(fault)
        try:
            yield fault
        finally:
            self.faults.remove(fault)

    def made(self, calls: str) -> list[Call]:
        """Requests so far whose ``service:Action`` matches a pattern."""
        return [c for c in list(self.calls) if fnmatch.fnmatchcase(c.name, calls)]

    def trouble(self, call: Call, *, lost: bool) -> None:
        """Raises the error that the script has for a call, before it is carried out or after."""
        for fault in list(self.faults):
            if fault.lost is lost and fault.meets(call):
                fault.times, fault.met = fault.times - 1, fault.met + 1
                raise fault.error(call)

    def answer(self, call: Call) -> Any:
        """What a handler says; None if there is none.

        Raises:
            AwsError: by script, or since it is not allowed.
        """
        self.calls.append(call)
        self.trouble(call, lost=False)
        if self.allowed is not None and not all(self.allowed(a, r) for a, r in call.permissions):
            raise denied(call)
        check(call)
        handler = self.handlers.get(call.name)
        return None if handler is None else handler(call)


class AwsServer:
    """The server: a thread on loopback."""

    def __init__(self) -> None:
        self._accounts: dict[str, Aws] = {}
        self.known: set[str] = set()
        self.sessions: dict[str, tuple[str, float]] = {}
        """Of the known keys, those of roles: the token that comes with one, and when it ends."""
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._catalog = threading.Lock()
        self.strays: deque[str] = deque(maxlen=100)
        """Requests of nobody: unsigned, or with a key that no account has."""

    def __enter__(self) -> Self:
        self._server = make_server("127.0.0.1", 0, self, threaded=True, request_handler=_Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @contextmanager
    def account(self, region: str = REGION) -> Iterator[Aws]:
        """A new account with its bucket; everything in it is gone afterwards."""
        aws = Aws(self, region)
        self._accounts[aws.account] = aws
        self.known.add(aws.key_id)
        aws.make_bucket(aws.bucket, region)
        aws.calls.clear()
        try:
            yield aws
        finally:
            del self._accounts[aws.account]
            for service in ("dynamodb", "glue", "secretsmanager"):
                for backend in get_backend(service).pop(aws.account, {}).values():
                    backend.reset()
            get_backend("s3").pop(aws.account, None)
            for content in [*FakeKey.instances_tracked, *FakeMultipart.instances_tracked]:
                if content.account_id == aws.account:  # reset() would close the files of all accounts
                    content.dispose()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        call = None
        try:
            call = call_of(environ)
            # Sail keeps the credentials that a process had first. All accounts trust one another with their buckets.
            mine = next((a for a in list(self._accounts.values()) if a.owns(call.params.get("Bucket"))), None)
            aws = (mine if call.service == "s3" else None) or self._accounts.get(call.account)
            if aws is None or call.key_id not in self.known:
                self.strays.append(call.name)
                raise unknown_key(call)
            token, end = self.sessions.get(call.key_id, ("", float("inf")))
            if call.headers.get("x-amz-security-token", "") != token or time.time() > end:
                raise expired(call)
            call = replace(call, account=aws.account)
            environ["HTTP_X_MOTO_ACCOUNT_ID"] = aws.account
            made = aws.answer(call)
            if isinstance(made, bytes):
                start_response("200 OK", [("Content-Type", "text/xml"), ("Content-Length", str(len(made)))])
                return [made]
            if made is not None:
                return _json(start_response, 200, made)
            if call.service != "glue":
                return self._moto(environ, start_response)
            with self._catalog:  # looking at a version and replacing it is one step
                check_version(call)
                answers: list[Any] = []
                content = b"".join(self._moto(environ, lambda *told: answers.append(told)))
            aws.trouble(call, lost=True)
            start_response(*answers[-1])
        except AwsError as error:
            if call is None:
                self.strays.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
            return _refusal(environ, start_response, call, error)
        return [content]


class _Handler(MotoRequestHandler):
    def setup(self) -> None:
        sys.settrace(None)  # coverage looks away: this is not the product, and answers half as fast if measured
        super().setup()

    def log_request(self, *_: object) -> None:
        pass


def _json(start_response: Any, status: int, content: Any, headers: Iterable[tuple[str, str]] = ()) -> list[bytes]:
    body = json.dumps(content, default=str).encode()
    fixed = [("Content-Type", "application/x-amz-json-1.1"), ("Content-Length", str(len(body)))]
    start_response(f"{status} {'OK' if status == 200 else 'Error'}", [*fixed, *headers])
    return [body]


def _refusal(environ: dict[str, Any], start_response: Any, call: Call | None, error: AwsError) -> list[bytes]:
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))  # else the client sees a broken connection
    request_id = [("x-amzn-RequestId", uuid.uuid4().hex)]
    query = call is not None and call.service in ("cloudformation", "sts")
    if call is not None and call.service != "s3" and not query:
        content = {"__type": error.code, "message": error.message, "Message": error.message}
        return _json(start_response, error.status, content, request_id)
    inner = f"<Code>{error.code}</Code><Message>{error.message}</Message><RequestId>x</RequestId>"
    told = f"<Error>{'<Type>Sender</Type>' if query else ''}{inner}</Error>"
    text = f"<ErrorResponse>{told}</ErrorResponse>" if query else told
    body = b"" if environ["REQUEST_METHOD"] == "HEAD" else ('<?xml version="1.0" encoding="UTF-8"?>\n' + text).encode()
    fixed = [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))]
    start_response(f"{error.status} Error", [*fixed, *request_id, *error.headers])
    return [body]


@contextmanager
def signed_in(server: AwsServer, region: str = REGION, **settings: str) -> Iterator[Aws]:
    """An account, and the process's environment set to it: for fixtures of a module.

    Args:
        server: the server.
        region: of the account's bucket and of its clients.
        settings: more variables.
    """
    with server.account(region) as aws, pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN", "NH_CATALOG_URL", "NH_SOURCE"):
            patch.delenv(name, raising=False)
        for name, value in {**aws.environment, "NH_HOME": aws.home, **settings}.items():
            patch.setenv(name, value)
        # boto3's own session, which clients share, keeps the credentials that it found first.
        patch.setattr(boto3, "DEFAULT_SESSION", None)
        yield aws
