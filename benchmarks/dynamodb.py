"""What reading a table of DynamoDB costs this process, for each item: nh_pipeline beside boto3.

    python -m benchmarks.dynamodb [--items 20000] [--rounds 3]

The table is dynalite's, in a process of its own, so that the seconds of CPU of this one are the reader's share. Ours
gives the zip that lands; boto3's gives Python's objects (``Decimal``) and writes nothing. ``benchmarks/dynamodb.json``
receives medians in milliseconds of CPU for each item.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import boto3
import pytest
import typer

from benchmarks.__main__ import machine
from nh_pipeline.sources.dynamodb import Table
from nh_pipeline.sources.dynamodb_export import write_export
from nh_pipeline.sources.dynamodb_reading import read_all
from nh_pipeline_tests.support.dynamodb import dynalite

if TYPE_CHECKING:
    from collections.abc import Callable

RESULTS = Path(__file__).resolve().parent / "dynamodb.json"
NAME, AT = "treatments", datetime(2024, 7, 1, tzinfo=timezone.utc)
_ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "us-west-2"}


def main(
    items: Annotated[int, typer.Option(min=1, help="Items in the table.")] = 20_000,
    rounds: Annotated[int, typer.Option(min=1, help="Repetitions, in turns.")] = 3,
) -> None:
    """Measures and reports."""
    with pytest.MonkeyPatch.context() as patch, dynalite() as port:
        for name, value in {**_ENVIRONMENT, "AWS_ENDPOINT_URL_DYNAMODB": f"http://127.0.0.1:{port}"}.items():
            patch.setenv(name, value)
        _fill(items)
        readers = {"nh_pipeline, to the zip": _ours, "boto3 paginator, TypeDeserializer": _boto3}
        laps: dict[str, list[float]] = {name: [] for name in readers}
        for _ in range(rounds):
            for name, reader in readers.items():
                laps[name].append(_cpu(reader, items))
    found = {name: round(statistics.median(each), 4) for name, each in laps.items()}
    result = {"machine": machine(), "items": items, "bytes": len(json.dumps(_item(1))), "ms of CPU per item": found}
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    typer.echo(json.dumps(found, indent=1))


def _cpu(reader: Callable[[], int], items: int) -> float:
    """Milliseconds for each item."""
    begun = time.process_time()
    found = reader()
    if found != items:
        raise AssertionError(f"expected {items} items, found {found}")
    return (time.process_time() - begun) * 1_000 / items


def _ours() -> int:
    table = Table(NAME, segments=4)
    with tempfile.TemporaryDirectory(prefix="nh-bench-") as folder:
        found = read_all(table, table.scan(None), Path(folder), None, AT)
        with Path(folder, "export.zip").open("wb") as out:
            write_export(out, [part.file for part in found.parts], {}, AT)
        return found.items


def _boto3() -> int:
    from boto3.dynamodb.types import TypeDeserializer

    deserialize, found = TypeDeserializer().deserialize, 0
    client = boto3.client("dynamodb", region_name="us-west-2")
    for page in client.get_paginator("scan").paginate(TableName=NAME, ConsistentRead=True):
        for item in page["Items"]:
            found += bool({name: deserialize(value) for name, value in item.items()})
    return found


def _fill(items: int) -> None:
    client, key = boto3.client("dynamodb", region_name="us-west-2"), "treatment_id_partition_key"
    client.create_table(
        TableName=NAME,
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
        KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client.get_waiter("table_exists").wait(TableName=NAME, WaiterConfig={"Delay": 1})
    for start in range(0, items, 25):
        puts = [{"PutRequest": {"Item": _item(n)}} for n in range(start, min(start + 25, items))]
        client.batch_write_item(RequestItems={NAME: puts})


def _item(number: int) -> dict[str, Any]:
    """An item of 31 attributes in six maps, about as large as real ones."""
    maps = ("treatment", "provider", "location", "patient", "disease")
    attributes = {f"attribute_{n}": {"S": f"value {number} of {n}"} for n in range(5)}
    filled = {name: {"M": {"id": {"N": str(number)}, "cost": {"N": f"{number}.5"}, **attributes}} for name in maps}
    times = {"modified_at": {"S": "2024-06-01T10:00:00Z"}, "added_at": {"S": "2024-06-01T10:00:00Z"}}
    return {"treatment_id_partition_key": {"S": str(number)}, **filled, "metadata": {"M": times}}


if __name__ == "__main__":
    typer.run(main)
