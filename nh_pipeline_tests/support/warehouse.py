"""Tables with values that are easily lost on their way, published without an engine, and read back from Postgres."""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import psycopg2
import pyarrow as pa
import pyarrow.parquet as pq

from nh_pipeline.lake.publish import find_staged, publish, staging_folder
from nh_pipeline.model.columns import date as date_column
from nh_pipeline.model.columns import decimal, flag, instant, integer, ratio, text
from nh_pipeline.model.table import WHOLE, Table
from nh_pipeline.model.types import LONG

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.warehouse.address import Address

MIXED = Table(
    name="gold.mixed",
    description="One row per key, with a value of every type; it's quoted.",
    columns=(
        text("key", "Who", nullable=False),
        text("order", "A word of SQL, and any text"),
        date_column("on", "A day"),
        instant("at", "A point in time"),
        integer("number", "An int"),
        integer("long", "A long", type=LONG),
        decimal(9, 2, "hours", "Hours", unit="hours"),
        decimal(38, 10, "exact", "All digits that there are"),
        ratio("ratio", "A double", unit="1"),
        flag("is_odd", "Whether it is odd"),
    ),
    grain=("key",),
)
GAINED = replace(MIXED, columns=(*MIXED.columns[:2], text("note", "Came later"), *MIXED.columns[2:]))
"""The same after its declaration gained a column in the middle."""

NOTHING: dict[str, Any] = dict.fromkeys(MIXED.names)
TEXTS = {
    "empty": "",
    "blank": " ",
    "null": "NULL",
    "backslash N": "\\N",
    "end of data": "\\.",
    "end of data in lines": "a\n\\.\nb",
    "quotes": '"it\'s"',
    "lines": "a\nb\r\nc\rd",
    "separators": "a,b;c\td|e",
    "escapes": "\\n \\\\ \\x41 %s {}",
    "not ascii": "ñ 中 😀 \u200b \ufeff",
    "long": "x" * 200_000,
}
ROWS: list[dict[str, Any]] = [
    *({**NOTHING, "key": key, "order": value} for key, value in TEXTS.items()),
    {**NOTHING, "key": "nothing"},
    {
        **NOTHING, "key": "least", "on": date(1, 1, 1), "at": datetime(1, 1, 1, tzinfo=timezone.utc),
        "number": -(2**31), "long": -(2**63), "hours": Decimal("-9999999.99"),
        "exact": Decimal("-1234567890123456789012345678.0123456789"), "ratio": float("-inf"), "is_odd": False,
    },
    {
        **NOTHING, "key": "most", "on": date(9999, 12, 31),
        "at": datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=timezone.utc), "number": 2**31 - 1, "long": 2**63 - 1,
        "hours": Decimal("0.10"), "exact": Decimal("0.0000000001"), "ratio": 0.1 + 0.2, "is_odd": True,
    },
    {
        **NOTHING, "key": "zone", "at": datetime(2024, 3, 10, 2, 30, tzinfo=timezone(timedelta(hours=-5))),
        "ratio": float("nan"), "exact": Decimal("0E-10"),
    },
]  # fmt: skip


def put(lake: Lake, rows: Iterable[Mapping[str, Any]], table: Table = MIXED, partition: str = WHOLE) -> None:
    """Makes rows the content of a table, or of a partition of it, as an engine would."""
    folder = staging_folder(table, uuid.uuid4().hex)
    with lake.storage.create(f"{folder}/part-0.parquet") as sink:
        pq.write_table(pa.Table.from_pylist([*rows], schema=table.arrow), sink)
    staged = find_staged(lake, table, folder, {partition})
    publish(lake, table, staged, base=lake.snapshot(table, [partition]), inputs=[], properties={})


@contextmanager
def database(server: Address) -> Iterator[Address]:
    """An empty database of a Postgres server, gone when it is done with."""
    name = f"warehouse_{uuid.uuid4().hex}"
    connection = psycopg2.connect(**server.options)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"create database {name}")
            yield replace(server, options={**server.options, "dbname": name})
            cursor.execute(f"drop database {name} with (force)")
    finally:
        connection.close()


def asked(address: Address, sql: str) -> list[tuple[Any, ...]]:
    """What a query of the warehouse answers; whatever it does is committed."""
    connection = psycopg2.connect(**address.options)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def held(address: Address, table: Table) -> dict[str, list[str]]:
    """The columns of the warehouse's table, in the order of the grain; as texts that tell NULL from empty."""
    listed, order = (", ".join(f'"{c}"' for c in columns) for columns in (table.names, table.grain))
    rows = asked(address, f"set time zone 'UTC'; select {listed} from {table.name} order by {order}")
    return _columns(table, sorted(rows, key=lambda row: _key(table, dict(zip(table.names, row, strict=True)))))


def expected(lake: Lake, table: Table) -> dict[str, list[str]]:
    """The same of the lake's."""
    rows: list[dict[str, Any]] = []
    for file in lake.snapshot(table).files:
        with lake.open(file.path) as source:
            rows += pq.ParquetFile(source).read().to_pylist()
    return _columns(
        table, [tuple(row.get(c) for c in table.names) for row in sorted(rows, key=lambda r: _key(table, r))]
    )


def _key(table: Table, row: Mapping[str, Any]) -> list[str]:
    return [str(row[column]) for column in table.grain]


def _columns(table: Table, rows: list[tuple[Any, ...]]) -> dict[str, list[str]]:
    return {column: [_told(row[i]) for row in rows] for i, column in enumerate(table.names)}


def _told(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else repr(value)
