"""Errors: their base classes, and faults of the machine and of AWS as one message for people.

The message says what happened, where, and what to do.

A full disk, a read-only file system, a missing permission, a locked or read-only database; on AWS a wrong region, a
missing bucket, denied access, credentials that are missing, unknown or expired. All of them leave every table as before
or as after a publish. Everything else is a fault of the data, of its source or of this product, and keeps its error.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pydantic import ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Every layer words these in its own way (Python, Arrow, SQLite, boto3, the engine, which knows no error numbers).
_KNOWN = {
    r"No space left on device|disk is full|Disk quota exceeded": (
        "there is no space left",
        "free some space or choose another NH_HOME",
    ),
    r"Read-only file system|readonly database": (
        "nothing can be written: the file system, or a file, is read-only",
        "mount it for writing, or choose another NH_HOME",
    ),
    r"Permission denied|Operation not permitted|unable to open database file": (
        "a permission is missing",
        "run as the user that owns the lake, or give this one the right to read and write there",
    ),
    r"database is locked": (
        "another process holds the lock of a database for longer than the time that others wait",
        "wait until it is through; if nothing runs, look for a backup or a copy that has the file open",
    ),
}
_SERVERS = {
    r"password authentication failed|no password supplied|role .* does not exist|no pg_hba.conf entry|Access denied": (
        "it does not let this user in",
        "compare the user and the password in NH_CATALOG_URL with what its database knows",
    ),
    r"database .* does not exist|Unknown database": (
        "there is no such database",
        "create it, or correct the name at the end of NH_CATALOG_URL",
    ),
    r"could not translate host name|Name or service not known|failure in name resolution|nodename nor servname": (
        "there is no such host",
        "correct the host in NH_CATALOG_URL, or look at the network",
    ),
    r"Connection refused|timeout expired|timed out|No route to host|Network is unreachable|server closed the connection"
    r"|could not connect|the database system is (?:starting up|shutting down)": (
        "it does not answer",
        "start it, or correct host and port in NH_CATALOG_URL, or look at the network",
    ),
    r"permission denied": (
        "this user may not do that there",
        "give it the right to read and write in the database, and to create tables in its schema",
    ),
}
_AWS = {
    r"ExpiredToken|RequestExpired|token .{0,40}expired|HTTP status 400\) during Head\w+ operation: No response body": (
        "the credentials have expired",
        "sign in again (aws sso login, a new role session), so that AWS_SESSION_TOKEN or the profile is fresh",
    ),
    r"INVALID_ACCESS_KEY_ID|InvalidAccessKeyId|UnrecognizedClient|InvalidClientTokenId|SignatureDoesNotMatch|SIGNATURE_DOES"
    r"|security token included in the request is invalid": (
        "the credentials are not known there",
        "compare AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, with the account that the lake is in",
    ),
    r"Unable to locate credentials|NoCredentials|config profile \(.*\) could not be found|no providers in chain": (
        "there are no credentials",
        "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where a role is attached",
    ),
    r"PermanentRedirect|AuthorizationHeaderMalformed|HTTP status 301|IllegalLocationConstraint": (
        "the bucket of NH_HOME is in another region",
        "set AWS_REGION to the region of the bucket",
    ),
    r"no AWS region|must specify a region": (
        "no region is set",
        "set AWS_REGION to the region of the bucket of NH_HOME",
    ),
    r"needs the libraries for AWS": (
        "it cannot be asked",
        "install the extra: pip install 'nh-pipeline[aws]'",
    ),
    r"NO_SUCH_BUCKET|NoSuchBucket|bucket does not exist": (
        "the bucket of NH_HOME does not exist",
        "compare NH_HOME with the buckets of the account, or make it: nh aws deploy",
    ),
    r"Lake Formation permission": (
        "Lake Formation governs this catalog, and has not granted this user or role what it asks for",
        "grant it there, beside the permissions of IAM (docs/aws.md, Lake Formation)",
    ),
    r"ACCESS_DENIED|AccessDenied|not authorized to perform|[Ss]tatus(?: code)? 403|403 Forbidden": (
        "access is denied",
        "give this user or role the permission (nh aws check lists what is missing), or use the role that has it",
    ),
    r"SLOW_DOWN|SlowDown|Throttling|Rate exceeded|TooManyRequests": (
        "there are too many requests, and they stayed too many when they were sent again",
        "wait a little; if it happens often, ask AWS for a higher quota",
    ),
    r"SERVICE_UNAVAILABLE|ServiceUnavailable|INTERNAL_FAILURE|\(InternalError\)|HTTP status 50\d|status code: 50\d": (
        "it cannot do what it is asked to at the moment, and could not when it was asked again",
        "wait until it can: AWS Health tells of the region",
    ),
    r"NETWORK_CONNECTION|Could not connect to the endpoint|Could not resolve host|ConnectTimeout|ReadTimeout": (
        "it does not answer",
        "look at the network, the proxy and AWS_ENDPOINT_URL, if that is set",
    ),
}
_KEY_ID = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b")


class LakeError(Exception):
    """A table is not as this product leaves it; the message says what was found and what to do."""


class LakeMovedError(LakeError):
    """The lake was opened elsewhere than where its addresses say that it is: it was moved, copied or restored."""


class DeliveryError(Exception):
    """A source or a delivered file is at fault, and the message names it: whatever caused it is not the lake's."""


class InfrastructureError(LakeError):
    """The machine, or AWS, did not do what it was asked to; nothing is wrong with data or tables."""


def explain(error: BaseException) -> str | None:
    """The message for a fault of the machine, of AWS, or of the settings; None for any other error.

    An error of a source or of a delivered file names what is at fault itself: whatever caused it is not the lake's.
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, InfrastructureError):
            return str(seen)
        if isinstance(seen, (DeliveryError, LakeMovedError)):
            return None
        if isinstance(seen, ValidationError) and seen.title == "Settings":
            return _of_settings(seen)
        library = type(seen).__module__.partition(".")[0]
        database = library == "sqlalchemy" or isinstance(seen, sqlite3.Error)
        if database or isinstance(seen, OSError) or library in ("pyspark", "botocore", "boto3", "_duckdb"):
            if database and (found := _found(str(seen), _database(seen), _SERVERS)):
                return found
            found = _found(str(seen), _database(seen) if database else "The lake", _KNOWN)
            if found or (found := _found(str(seen), "AWS", _AWS)):
                return found
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return None


def fault_in(message: str) -> str:
    """What a message of :func:`explain` says in words of this module alone, without what it quotes; else nothing."""
    known = (what for each in (_KNOWN, _SERVERS, _AWS) for what, _ in each.values())
    return next((what for what in known if f": {what} (" in message), "")


def told(error: BaseException) -> str | None:
    """What people are told instead of a traceback: :func:`explain`, or an error that says itself what to do."""
    message = explain(error)
    return message or (str(error) if isinstance(error, (LakeError, DeliveryError)) else None)


def is_of_settings(error: BaseException) -> bool:
    """Whether it says what is wrong with the environment's settings."""
    return isinstance(error, ValidationError) and error.title == "Settings"


def _of_settings(error: ValidationError) -> str:
    """All that is wrong, by variable, but for what cannot be told because of it."""
    found = [e for e in error.errors() if e["type"] != "default_factory_not_called"]
    named = (f"NH_{'.'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in found)
    return "; ".join(str(e.get("ctx", {}).get("error") or told) for e, told in zip(found, named, strict=True))


def _found(text: str, where: str, known: dict[str, tuple[str, str]]) -> str | None:
    for pattern, (what, advice) in known.items():
        if found := re.search(pattern, text):
            line = next((t.strip() for t in text.splitlines() if found[0] in t), text)
            told = _KEY_ID.sub("…", line)[:300]
            return (
                f"{where}: {what} ({told}). Every table is as before or as after. What to do: {advice}; "
                "then run it again."
            )
    return None


def _database(error: BaseException) -> str:
    server = getattr(error, "orig", None)  # what SQLAlchemy wraps
    if server is not None and not isinstance(server, sqlite3.Error):
        return "The Iceberg catalog (NH_CATALOG_URL)"
    statement = str(getattr(error, "statement", ""))
    return "The Iceberg catalog (catalog.db)" if "iceberg_" in statement else "Dagster's database (dagster/)"


@contextmanager
def translate_infrastructure_errors() -> Iterator[None]:
    """Turns faults of the machine and of AWS into :class:`InfrastructureError`; lets all other errors pass.

    Raises:
        InfrastructureError: with what, where and what to do.
    """
    try:
        yield
    except Exception as error:
        message = explain(error)
        if message is None or isinstance(error, InfrastructureError):
            raise
        raise InfrastructureError(message) from error
