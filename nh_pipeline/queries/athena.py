"""SQL on Athena, as Arrow tables: one workgroup, bounded waiting, one message per failure."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3
import pyarrow as pa
from sqlglot import exp

from nh_pipeline.lake.s3 import region
from nh_pipeline.queries.open import QueryError
from nh_pipeline.queries.views import translated

if TYPE_CHECKING:
    from collections.abc import Sequence

VERSION_SECONDS = 600
"""How long an answer may be kept."""

_DONE = ("SUCCEEDED", "FAILED", "CANCELLED")
_PLAIN = {
    "boolean": pa.bool_(),
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "float": pa.float32(),
    "real": pa.float32(),
    "double": pa.float64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("ms"),
}


@dataclass(frozen=True)
class AthenaQueries:
    """Queries through a workgroup of Athena, with the credentials and region of AWS's own settings.

    Attributes:
        workgroup: says where results go and how much a query may scan.
        prefix: begins the names of the databases.
        seconds: how long to wait for one query; then it is stopped.
    """

    workgroup: str
    prefix: str = ""
    seconds: float = 300
    longest_pause: float = field(default=2, repr=False)

    @cached_property
    def _client(self) -> Any:
        return boto3.Session(region_name=region()).client("athena")

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> pa.Table:
        request: dict[str, Any] = {
            "QueryString": translated(sql, "athena", prefix=self.prefix),
            "WorkGroup": self.workgroup,
        }
        if parameters:
            # Text of SQL, so texts carry quotes.
            request["ExecutionParameters"] = [exp.convert(value).sql(dialect="athena") for value in parameters]
        query_id = self._client.start_query_execution(**request)["QueryExecutionId"]
        try:
            execution = self._finished(query_id)
        except BaseException:  # nobody waits for the answer any more: neither scan nor pay for it
            self._client.stop_query_execution(QueryExecutionId=query_id)
            raise
        self._must_have_succeeded(execution)
        return self._table(query_id, with_header=execution.get("StatementType") == "DML")

    def version(self) -> str:
        """Another one every ten minutes: the catalog is not asked, and what Athena reads is paid for."""
        return str(int(time.time() // VERSION_SECONDS))

    def _finished(self, query_id: str) -> dict[str, Any]:
        end, pause = time.monotonic() + self.seconds, 0.1
        while True:
            execution: dict[str, Any] = self._client.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
            if execution["Status"]["State"] in _DONE:
                return execution
            if time.monotonic() + pause > end:
                raise QueryError(
                    f"Athena did not finish the query within {self.seconds:g} s, and it was stopped ({query_id}). Ask "
                    "for fewer days: the daily tables are partitioned by month of work_date"
                )
            time.sleep(pause)
            pause = min(pause * 1.5, self.longest_pause)

    def _must_have_succeeded(self, execution: dict[str, Any]) -> None:
        status = execution["Status"]
        if status["State"] == "SUCCEEDED":
            return
        reason = str(status.get("StateChangeReason") or "no reason was given")
        if re.search(r"bytes scanned limit", reason, re.IGNORECASE):
            raise QueryError(
                f"the query would scan more than the workgroup {self.workgroup} allows. Ask for fewer columns, or for "
                "fewer days (where work_date between …), or raise ScanLimitBytes with nh aws deploy"
            )
        raise QueryError(f"Athena: {reason} ({status['State'].lower()}, {execution['QueryExecutionId']})")

    def _table(self, query_id: str, *, with_header: bool) -> pa.Table:
        info: list[dict[str, Any]] = []
        rows: list[list[str | None]] = []
        for page in self._client.get_paginator("get_query_results").paginate(QueryExecutionId=query_id):
            info = page["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
            rows += [[cell.get("VarCharValue") for cell in row["Data"]] for row in page["ResultSet"]["Rows"]]
        del rows[: int(with_header)]  # of a SELECT, the first row of the first page is the names
        columns = zip(*rows, strict=True) if rows else ((),) * len(info)
        arrays = [pa.array(cells, pa.string()).cast(_type(column)) for column, cells in zip(info, columns, strict=True)]
        return pa.table(arrays, names=[column["Name"] for column in info])


def _type(column: dict[str, Any]) -> pa.DataType:
    """Arrow's type of a result column; text where there is none (arrays, rows)."""
    if column["Type"] == "decimal":
        return pa.decimal128(column["Precision"], column["Scale"])
    return _PLAIN.get(column["Type"], pa.string())
