"""Statements of Snowflake's dialect on a DuckDB: ``python fake_snowflake.py FOLDER < STATEMENTS``.

Runs in an environment of its own (``requirements-snowflake.lock``). The folder holds the tables, a Parquet file
``layer.table.parquet`` each; of the statements, those that begin with SELECT are answered, as JSON in which dates and
exact numbers are text.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import fakesnow
import snowflake.connector


def main(folder: str) -> None:
    with fakesnow.patch():
        connection = snowflake.connector.connect(database="LAKE", schema="PUBLIC")
        cursor, duck = connection.cursor(), connection._duck_conn
        for file in sorted(Path(folder).glob("*.parquet")):
            schema, table = file.stem.upper().split(".")
            cursor.execute(f"create schema if not exists {schema}")
            # Names without quotes are in capital letters to Snowflake.
            known = duck.execute(f"describe select * from '{file}'").fetchall()
            columns = ", ".join(f'"{name}" as "{name.upper()}"' for name, *_ in known)
            duck.execute(f"create table LAKE.{schema}.{table} as select {columns} from '{file}'")
        answers = []
        for statement in json.load(sys.stdin):
            cursor.execute(statement)
            if statement.startswith("select"):
                answers.append([dict(zip(_names(cursor), row, strict=True)) for row in cursor.fetchall()])
    print(json.dumps(answers, default=str))  # noqa: T201 (what the test compares)


def _names(cursor) -> list[str]:
    return [column.name.lower() for column in cursor.description]


if __name__ == "__main__":
    main(sys.argv[1])
