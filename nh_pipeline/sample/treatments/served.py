"""The generated treatment system in a table of a real server of DynamoDB, whose scans are read as those of any table.

DynamoDB's own exports no such server makes.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import boto3

from nh_pipeline.sample.treatments.system import FULL, FULL_AGAIN
from nh_pipeline.sample.treatments.writing import put, scan, tagged
from nh_pipeline.sources.dynamodb import Table
from nh_pipeline.sources.dynamodb_export import FILES, write_export
from nh_pipeline.sources.dynamodb_reading import read_all

if TYPE_CHECKING:
    from nh_pipeline.sample.treatments.system import System

_NAME, _KEY = "treatments", "treatment_id_partition_key"
_SEGMENTS = 4
_AT_ONCE = 25
"""Items of a request, at most, as DynamoDB has it."""


class Served:
    """The system in a table of a server."""

    def __init__(self, system: System, port: int) -> None:
        self._system, self._port = system, port
        self._client = self._connected()
        self._client.create_table(
            TableName=_NAME,
            AttributeDefinitions=[{"AttributeName": _KEY, "AttributeType": "S"}],
            KeySchema=[{"AttributeName": _KEY, "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        self._client.get_waiter("table_exists").wait(TableName=_NAME, WaiterConfig={"Delay": 1})

    def extraction(self, number: int) -> bytes:
        """A scan, 1, 2 or 4, of the table as it is then, as an archive."""
        self._become(number)
        at, out = self._system.at(number), BytesIO()
        since = None if number in (FULL, FULL_AGAIN) else self._system.at(number - 1)
        table = Table(_NAME, segments=1 if since else _SEGMENTS, client=self._connected())
        with TemporaryDirectory() as folder:
            found = read_all(table, table.scan(since), Path(folder), since, at)
            summary = {"outputFormat": "DYNAMODB_JSON", "manifestFilesS3Key": FILES, **scan(at, since=since)}
            write_export(out, [part.file for part in found.parts], summary, at)
        return out.getvalue()

    def _connected(self) -> Any:
        return boto3.client(
            "dynamodb",
            endpoint_url=f"http://127.0.0.1:{self._port}",
            region_name="us-east-1",
            aws_access_key_id="demo",
            aws_secret_access_key="demo",  # noqa: S106 (of a server that asks for none)
        )

    def _become(self, number: int) -> None:
        """Puts what is there at the time of an extraction, and deletes all else."""
        system, requests = self._system, list[Any]()
        for n in system.numbers(number):
            if system.is_there(n, number):
                requests.append({"PutRequest": {"Item": put(system.item(system.treated(n, number)))["Item"]}})
            else:
                requests.append({"DeleteRequest": {"Key": {_KEY: tagged(f"{n}")}}})
        for start in range(0, len(requests), _AT_ONCE):
            left = {_NAME: requests[start : start + _AT_ONCE]}
            while left:
                left = self._client.batch_write_item(RequestItems=left)["UnprocessedItems"]
