"""How clients of S3 find it: region and endpoint as AWS's own configuration says, for libraries that ask to be told.

What belongs here: translation, for Arrow, PyIceberg and Hadoop. Not here: credentials, which every client takes from
AWS's standard places itself, and settings of our own, of which there are none.
"""

from __future__ import annotations

import os
from contextlib import suppress

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


def filesystem(bucket: str, prefix: str) -> pafs.FileSystem:
    """Arrow's view of S3, after a look whether the bucket is there and can be read.

    Raises:
        OSError: it is not there, is in another region, or may not be listed.
    """
    # A small object is one request, not a multipart upload; none of it is there until it is closed.
    fs = pafs.S3FileSystem(
        region=region(), endpoint_override=endpoint(), allow_delayed_open=True, retry_strategy=S3RetryStrategy()
    )
    with suppress(FileNotFoundError):  # nothing there yet
        fs.get_file_info(pafs.FileSelector(f"{bucket}/{prefix}".rstrip("/")))
    return fs


def iceberg_properties() -> dict[str, str]:
    """What PyIceberg is told; without a region it would ask S3 for every bucket's."""
    retries = f"{S3RetryStrategy.__module__}.{S3RetryStrategy.__qualname__}"
    given = {"client.region": region(), "s3.endpoint": endpoint(), "s3.retry-strategy-impl": retries}
    return {name: value for name, value in given.items() if value}


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
