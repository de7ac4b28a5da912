"""Two servers of DynamoDB on loopback, and exports as AWS writes them.

moto's is part of :mod:`.aws_server`. dynalite (npm) is stricter: it has AWS's limits and writes numbers as AWS does; it
is asked through :class:`.aws_server.Aws`, so that faults, permissions and the record of calls are the same for both.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import http.client
import json
import os
import signal
import sys
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import pytest
from tenacity import wait_none

from nh_pipeline import failpoints
from nh_pipeline.lake.storage import Storage
from nh_pipeline.landing import RawZone
from nh_pipeline.landing.extraction import extract, watermark
from nh_pipeline.sample.treatments import dynalite as server
from nh_pipeline.settings import Settings
from nh_pipeline.sources.dynamodb import Table
from nh_pipeline_tests.support.aws_calls import AwsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nh_pipeline.landing.extraction import Extracted
    from nh_pipeline_tests.support.aws_calls import Call
    from nh_pipeline_tests.support.aws_server import Aws

DYNALITE = Path(os.environ.get("NH_TEST_DYNALITE", server.DYNALITE))

_OPERATIONS = ("CreateTable", "DescribeTable", "PutItem", "DeleteItem", "BatchWriteItem", "Scan", "Query")


@contextmanager
def dynalite() -> Iterator[int]:
    """A server of this process, which ends with it: its port."""
    if reason := server.missing(DYNALITE):
        pytest.skip(reason)
    with server.serving(DYNALITE) as port:
        yield port


def asked_of(aws: Aws, port: int) -> None:
    """Lets dynalite answer what the account is asked of DynamoDB."""

    def answered(call: Call) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        headers = {k: v for k, v in call.headers.items() if k in ("authorization", "x-amz-date", "x-amz-target")}
        connection.request(
            "POST", "/", json.dumps(call.params), {**headers, "Content-Type": "application/x-amz-json-1.0"}
        )
        response = connection.getresponse()
        content = json.loads(response.read())
        connection.close()
        if response.status != 200:
            raise AwsError(content["__type"].rpartition("#")[2], content.get("message", ""), response.status)
        return content

    aws.handlers |= {f"dynamodb:{operation}": answered for operation in _OPERATIONS}


class Treatments:
    """A table of an account, with an index by time of modification.

    Attributes:
        name: Of the table.
        kind: Of the index's range key: ``S`` or ``N``.
    """

    index = "by_time"

    def __init__(self, aws: Aws, *, kind: str = "S", projection: str = "ALL") -> None:
        self.aws, self.client = aws, aws.client("dynamodb")
        self.name = f"treatments-{aws.account}-{kind}"
        attributes = {"treatment_id_partition_key": "S", "shard": "N", "metadata_modified_at": kind}
        keys = [{"AttributeName": "shard", "KeyType": "HASH"}]
        self.client.create_table(
            TableName=self.name,
            AttributeDefinitions=[{"AttributeName": n, "AttributeType": t} for n, t in attributes.items()],
            KeySchema=[{"AttributeName": "treatment_id_partition_key", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
            GlobalSecondaryIndexes=[
                {
                    "IndexName": self.index,
                    "KeySchema": [*keys, {"AttributeName": "metadata_modified_at", "KeyType": "RANGE"}],
                    "Projection": {"ProjectionType": projection},
                }
            ],
        )
        self.client.get_waiter("table_exists").wait(TableName=self.name, WaiterConfig={"Delay": 1})

    def put(self, number: int, modified_at: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        """Writes an item, which is returned."""
        item = {
            "treatment_id_partition_key": {"S": str(number)},
            "treatment": {"M": {"id": {"N": str(number)}}},
            **({"metadata": {"M": {"modified_at": modified_at}}} if modified_at else {}),
            **more,
        }
        self.client.put_item(TableName=self.name, Item=item)
        return item

    def delete(self, number: int) -> None:
        self.client.delete_item(TableName=self.name, Key={"treatment_id_partition_key": {"S": str(number)}})


def members(path: Path) -> dict[str, bytes]:
    """Files of a zip."""
    with ZipFile(path) as found:
        return {name: found.read(name) for name in found.namelist()}


AT = datetime(2024, 7, 1, 3, tzinfo=timezone.utc)
"""As of when exports are that AWS makes."""


def exported(
    folder: Path, *files: list[dict[str, Any]], table: str = "treatments", since: datetime | None = None
) -> Path:
    """Writes an export as AWS does, below ``AWSDynamoDB`` in a folder; of what changed since then, or of everything.

    Returns:
        The folder of its manifests.
    """
    arn = f"arn:aws:dynamodb:us-east-1:123456789012:table/{table}"
    name = "01719802800000-a1b2c3d4" if since is None else "01719806400000-e5f6a7b8"
    data = "AWSDynamoDB/data" if since else f"AWSDynamoDB/{name}/data"
    listed = []
    for lines in files:
        content = gzip.compress("".join(f"{json.dumps(line)}\n" for line in lines).encode(), mtime=0)
        digest = hashlib.md5(content, usedforsecurity=False)
        path = folder / data / f"{digest.hexdigest()[:26]}.json.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        listed.append(
            {
                "itemCount": len(lines),
                "md5Checksum": base64.b64encode(digest.digest()).decode(),
                "etag": f"{digest.hexdigest()}-1",
                "dataFileS3Key": f"exports/{data}/{path.name}",
            }
        )
    kind: dict[str, Any] = {"exportType": "FULL_EXPORT", "exportTime": f"{AT:%FT%TZ}"}
    if since:
        window = {"exportFromTime": f"{since:%FT%TZ}", "exportToTime": f"{AT:%FT%TZ}", "outputView": "NEW_IMAGE"}
        kind = {"exportType": "INCREMENTAL_EXPORT", **window}
    summary = {
        "version": "2023-08-01",
        "exportArn": f"{arn}/export/{name}",
        "tableArn": arn,
        "s3Bucket": "exports",
        "s3Prefix": "exports",
        "manifestFilesS3Key": f"exports/AWSDynamoDB/{name}/manifest-files.json",
        "itemCount": sum(map(len, files)),
        "outputFormat": "DYNAMODB_JSON",
        **kind,
    }
    manifests = folder / "AWSDynamoDB" / name
    manifests.mkdir(parents=True, exist_ok=True)
    (manifests / "manifest-files.json").write_text("".join(f"{json.dumps(line)}\n" for line in listed))
    (manifests / "manifest-summary.json").write_text(json.dumps(summary))
    (manifests / "manifest-summary.md5").write_text("x")
    return manifests


NOW = datetime.now(tz=timezone.utc).replace(microsecond=0)


def at(**ago: float) -> dict[str, str]:
    return {"S": (NOW - timedelta(**ago)).isoformat().replace("+00:00", "Z")}


class Extractions:
    """A table, and a lake that it is extracted into."""

    def __init__(self, table: Treatments, home: str):
        self.table, self.zone = table, RawZone(Storage(home))
        self.settings = {"home": home, "treatments_table": table.name, "treatments_segments": 2}

    def __call__(self, **how: Any) -> Extracted:
        settings = Settings(**self.settings)
        table = Table(
            self.table.name,
            index=settings.treatments_index,
            shards=settings.treatments_shards,
            segments=settings.treatments_segments,
            wait=wait_none(),
        )
        return extract(settings, self.zone, table=table, **how)

    def landed(self, found: Extracted) -> dict[str, bytes]:
        """Files of the zip that landed."""
        assert found.landed is not None
        return members(self.zone.storage.path(f"{found.landed.path}/delivery.zip"))

    def items(self, found: Extracted) -> dict[int, dict[str, Any]]:
        """Items that landed, by their number, which each has once."""
        files = [gzip.decompress(content) for name, content in self.landed(found).items() if name.endswith(".gz")]
        items = [json.loads(line)["Item"] for content in files for line in content.splitlines()]
        by_number = {int(item["treatment_id_partition_key"]["S"]): item for item in items}
        assert len(by_number) == len(items) == found.items
        return by_number

    @property
    def watermark(self) -> datetime | None:
        return watermark(self.zone, self.table.name).modified_at

    def left(self) -> list[str]:
        return [path for path in self.zone.storage.files() if not path.startswith("raw/.incoming")]


def extract_and_die(home: str, point: str) -> None:
    """Extracts the table of the environment's settings, and is killed at a point."""

    def observer(reached: failpoints.Point, _: str) -> None:
        if reached.name == point:
            os.kill(os.getpid(), signal.SIGKILL)

    failpoints.observer = observer
    extract(Settings(), RawZone(Storage(home)))


if __name__ == "__main__":
    extract_and_die(*sys.argv[1:])
