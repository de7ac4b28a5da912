"""A table with a column of every type that contracts have, in files of several ages."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq

from nh_pipeline.lake import publish as module
from nh_pipeline.lake.publish import find_staged, publish, staging_folder
from nh_pipeline.model.columns import count, decimal, flag, ratio, text
from nh_pipeline.model.columns import date as date_column
from nh_pipeline.model.table import Partitioning, Table
from nh_pipeline.model.types import LONG

if TYPE_CHECKING:
    from nh_pipeline.lake.publish import Staged
    from nh_pipeline.pipeline.context import BuildContext

_COLUMNS = (
    text("provider_id", "text", nullable=False),
    date_column("work_date", "date", nullable=False),
    count("census", "int"),
    count("line", "long").having(type=LONG, allowed=None),
    decimal(9, 2, "hours", "a decimal of four bytes"),
    decimal(18, 4, "total", "a decimal of eight bytes"),
    decimal(38, 10, "exact", "a decimal of sixteen bytes"),
    ratio("hprd", "double", unit="hours"),
    flag("flagged", "boolean"),
)
BEFORE = Table(
    name="silver.types",
    description="t",
    columns=_COLUMNS,
    grain=("provider_id", "work_date"),
    partitioning=Partitioning(("work_date",), monthly=True),
    sort=("work_date", "provider_id"),
)
AFTER = replace(BEFORE, columns=(text("note", "a column that the table gained"), *_COLUMNS))

_NULLS = dict.fromkeys(BEFORE.names)
_FIRST: dict[str, Any] = {
    "provider_id": "01500é",
    "census": 2**31 - 1,
    "line": -(2**63),
    "hours": Decimal("-1234567.89"),
    "total": Decimal("99999999999999.9999"),
    "exact": Decimal("-1234567890123456789012345678.0123456789"),
    "hprd": 0.1,
    "flagged": True,
}
ROWS: list[dict[str, Any]] = [
    {**_FIRST, "work_date": date(2024, 3, 1), "note": None},
    {**_NULLS, "provider_id": "b", "work_date": date(2024, 3, 31), "note": None},
    {**_FIRST, "provider_id": "c", "work_date": date(2024, 4, 1), "flagged": False, "note": None},
    {**_FIRST, "provider_id": "d", "work_date": date(2024, 5, 31), "hprd": 1e300, "note": "a note"},
    {**_NULLS, "provider_id": "e", "work_date": date(2024, 5, 31), "note": ""},
]


def build(workspace: BuildContext, *, old: bool) -> None:
    """March, April and, with one column more, May; March without ids if it is to be old."""
    first = _as_once(workspace, "2024-03") if old else _staged(workspace, BEFORE, "2024-03")
    _publish(workspace, BEFORE, first)
    _publish(workspace, BEFORE, _staged(workspace, BEFORE, "2024-04"))
    _publish(workspace, AFTER, _staged(workspace, AFTER, "2024-05"))


def _rows(month: str) -> list[dict[str, Any]]:
    return [r for r in ROWS if f"{r['work_date']:%Y-%m}" == month]


def _staged(workspace: BuildContext, contract: Table, month: str) -> Staged:
    rows = [tuple(r[c] for c in contract.names) for r in _rows(month)]
    frame = workspace.spark.createDataFrame(rows, contract.spark)
    return workspace.stage(contract, frame, [month])


def _as_once(workspace: BuildContext, month: str) -> Staged:
    """As an engine left a file before files got ids."""
    folder = staging_folder(BEFORE, uuid.uuid4().hex)
    schema = BEFORE.arrow
    table = pa.Table.from_pylist([{c: r[c] for c in BEFORE.names} for r in _rows(month)], schema=schema)
    with workspace.lake.storage.create(f"{folder}/partition={month}/part-0.parquet") as sink:
        pq.write_table(table, sink)
    with patch.object(module, "put_ids", lambda *_: table.num_rows):
        return find_staged(workspace.lake, BEFORE, folder, {month})


def _publish(workspace: BuildContext, contract: Table, staged: Staged) -> None:
    snapshot = workspace.lake.snapshot(contract, list(staged.replaces))
    publish(workspace.lake, contract, staged, base=snapshot, inputs=[], properties={})
