"""A Redshift for tests, as far as loads ask for one: its statements, carried out by Postgres.

Each must be known to Redshift's dialect. ``COPY`` reads the files of a manifest from S3, as Redshift does: all of them
must be there, with the length that is told, and their columns are taken by their places.
"""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import boto3
import psycopg2
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq
import sqlglot
from sqlglot import exp

if TYPE_CHECKING:
    from collections.abc import Sequence

ROLE = "arn:aws:iam::123456789012:role/nh-warehouse"


def connect(statements: list[str], **options: str) -> Any:
    """A connection to Postgres that is spoken to as Redshift is; notes what was said."""

    class Cursor(psycopg2.extensions.cursor):
        def execute(self, sql: str, values: Sequence[Any] | None = None) -> None:
            statements.append(sql)
            if sql == "lock nh.loads":  # sqlglot knows no locks, Postgres does
                super().execute(sql)
                return
            (statement,) = sqlglot.parse(sql.replace("%s", "null"), dialect="redshift")
            assert statement is not None
            assert not statement.find(exp.Command, exp.Anonymous), sql
            if isinstance(statement, exp.Copy):
                self._copied(statement)
            elif values:
                super().execute(sql, values)
            else:
                super().execute(_for_postgres(statement))

        def _copied(self, statement: exp.Copy) -> None:
            assert [p.sql(dialect="redshift").lower() for p in statement.args["params"]] == [
                "format parquet",
                "manifest",
            ]
            assert statement.args["credentials"].args["iam_role"].name == ROLE
            for entry in json.loads(_read(statement.args["files"][0].name))["entries"]:
                content = _read(entry["url"])
                assert entry["meta"]["content_length"] == len(content)
                rows = io.BytesIO()
                options = arrow_csv.WriteOptions(include_header=False, quoting_style="all_valid")
                arrow_csv.write_csv(pq.read_table(io.BytesIO(content)), rows, options)
                rows.seek(0)
                self.copy_expert(f"copy {statement.this.sql(dialect='postgres')} from stdin (format csv)", rows)

    return psycopg2.connect(**options, cursor_factory=Cursor)


def _for_postgres(statement: exp.Expr) -> str:
    """Without what only Redshift has: where rows are, and a longest text."""
    for apart in [*statement.find_all(exp.DistKeyProperty, exp.SortKeyProperty)]:
        apart.pop()
    return statement.sql(dialect="postgres").replace("VARCHAR(MAX)", "TEXT")


def _read(address: str) -> bytes:
    bucket, _, key = address.removeprefix("s3://").partition("/")
    return bytes(boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())
