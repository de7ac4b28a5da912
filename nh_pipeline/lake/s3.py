"""How clients of S3 find it, as AWS's own configuration says: region, endpoint and credentials.

What belongs here: translation, for Arrow, PyIceberg and Hadoop. Not here: settings of our own, of which there are none.
Credentials are what boto3 finds. Arrow looks by itself in fewer places (no role or SSO profile, and not surely where a
Glue job has them), and a key that it is given ends with its session: so it gets a new client with each new session.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import lru_cache
from typing import Any

import pyarrow.fs as pafs

SCHEME = "s3://"


class S3RetryStrategy(pafs.AwsStandardS3RetryStrategy):  # type: ignore[misc]  # pyarrow has no types
    """Sends a request again for longer than Arrow would: S3 asks for patience (503) while it makes room for a load."""

    def __init__(self) -> None:
        super().__init__(max_attempts=5)


def region() -> str:
    """The region of the environment or of the profile; from now on all clients of this process agree on it.

    Raises:
        OSError: none is set, or the libraries for AWS are not installed.
    """
    try:
        import boto3
    except ImportError as error:
        raise OSError("an s3:// home needs the libraries for AWS") from error
    found = os.environ.get("AWS_REGION") or boto3.Session().region_name
    if not found:
        raise OSError("no AWS region is set")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):  # each is the only one that some client reads
        os.environ.setdefault(name, found)
    return str(found)


def endpoint() -> str | None:
    """An address that is not AWS's own (a server of S3's kind, a test)."""
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None


def filesystem() -> pafs.FileSystem:
    """Arrow's client of S3, with credentials that are good for some minutes at least: ask again for the next file.

    Raises:
        OSError: there are no credentials, or no region.
    """
    return _client(region(), endpoint(), *_credentials())


@lru_cache(maxsize=4)
def _client(region: str, endpoint: str | None, *session: str | None) -> pafs.FileSystem:
    keys = dict(zip(("access_key", "secret_key", "session_token"), session, strict=False))
    # A small object is one request, not a multipart upload; none of it is there until it is closed.
    return pafs.S3FileSystem(
        region=region,
        endpoint_override=endpoint,
        allow_delayed_open=True,
        retry_strategy=S3RetryStrategy(),
        **keys,
    )


def _credentials() -> Any:
    """Key, secret and token, which boto3 renews a quarter of an hour before they end."""
    import boto3

    if boto3.DEFAULT_SESSION is None:
        boto3.setup_default_session()
    found = boto3.DEFAULT_SESSION.get_credentials()
    if found is None:
        raise OSError("Unable to locate credentials")
    return found.get_frozen_credentials()[:3]


def require(bucket: str, prefix: str) -> None:
    """Looks whether a bucket is there and can be read.

    Raises:
        OSError: it is not there, is in another region, or may not be listed.
    """
    with suppress(FileNotFoundError):  # nothing there yet
        filesystem().get_file_info(pafs.FileSelector(f"{bucket}/{prefix}".rstrip("/")))


def hadoop_properties() -> dict[str, str]:
    """What JVM Spark is told so that it reads and writes ``s3://``; it downloads the library for it on first use."""
    properties = {
        "spark.jars.packages": "org.apache.hadoop:hadoop-aws:3.3.4",  # of the Hadoop that PySpark 3.5 brings along
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        "spark.hadoop.fs.s3a.endpoint.region": region(),
        "spark.hadoop.fs.s3a.aws.credentials.provider": "com.amazonaws.auth.DefaultAWSCredentialsProviderChain",
    }
    if other := endpoint():
        properties |= {"spark.hadoop.fs.s3a.endpoint": other, "spark.hadoop.fs.s3a.path.style.access": "true"}
    return properties
