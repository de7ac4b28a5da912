"""Loads into Redshift: every statement is of its dialect, and a Postgres that carries them out holds the lake's rows.

Redshift itself cannot be had here.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("psycopg2", reason="the extra warehouse is not installed")

import psycopg2
import sqlglot
from sqlglot import exp

from nh_pipeline.lake.lake import Lake
from nh_pipeline.model.columns import text
from nh_pipeline.tables import tables
from nh_pipeline.warehouse import connection
from nh_pipeline.warehouse.address import Address
from nh_pipeline.warehouse.connection import WarehouseError
from nh_pipeline.warehouse.definition import create, name
from nh_pipeline.warehouse.load import compare, load
from nh_pipeline_tests.support import redshift
from nh_pipeline_tests.support.postgres import postgres
from nh_pipeline_tests.support.publishers import DAILY
from nh_pipeline_tests.support.warehouse import MIXED, ROWS, asked, database, expected, held, put

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def server() -> Iterator[Address]:
    with postgres() as url, database(Address.of(url)) as found:
        yield found


@pytest.fixture
def said() -> list[str]:
    """All statements that the warehouse got."""
    return []


@pytest.fixture
def address(server, said, monkeypatch) -> Iterator[Address]:
    driver = SimpleNamespace(connect=partial(redshift.connect, said), Error=psycopg2.Error)
    monkeypatch.setattr(connection, "psycopg2", driver)
    yield Address("redshift", server.options, redshift.ROLE)
    asked(server, "drop schema if exists nh, gold, silver cascade")


@pytest.fixture
def lake(aws) -> Lake:
    return Lake(aws.home)


def test_it_holds_what_the_lake_holds(lake, server, address, said):
    put(lake, ROWS)
    assert load(lake, MIXED, address).is_equal
    assert held(server, MIXED) == expected(lake, MIXED)
    assert not list(lake.storage.files("state/warehouse"))  # no manifest is left
    said.clear()
    assert load(lake, MIXED, address).changed is False
    assert not [sql for sql in said if sql.startswith(("copy", "DELETE"))]
    put(lake, ROWS[4:])
    assert not compare(lake, MIXED, address).is_equal
    load(lake, MIXED, address)
    assert held(server, MIXED) == expected(lake, MIXED)


def test_files_from_before_and_after_a_column_came(lake, server, address, said):
    """Redshift takes columns by their places: files with other columns are copied apart."""
    old, new = DAILY, replace(DAILY, columns=(text("note", "Came later"), *DAILY.columns))
    april, may = ({"provider_id": "a", "work_date": date(2024, month, 1), "census": month} for month in (4, 5))
    put(lake, [april], old, "2024-04")
    load(lake, old, address)
    put(lake, [{**may, "note": "here"}], new, "2024-05")
    said.clear()
    load(lake, new, address)
    assert len([sql for sql in said if sql.startswith("copy")]) == 2
    found = held(server, new)
    assert found["note"] == ["None", "'here'"]
    assert found["census"] == ["4", "5"]


def test_a_lake_that_redshift_cannot_reach(tmp_path, address):
    with pytest.raises(WarehouseError, match="Redshift reads files on S3 alone"):
        load(Lake(str(tmp_path)), MIXED, address)


def test_tables_are_spread_and_sorted_by_their_declaration():
    first, *_ = create(MIXED, name("gold", "mixed"), "redshift")
    assert first.sql(dialect="redshift") == (
        'CREATE TABLE "gold"."mixed" ("key" VARCHAR(MAX), "order" VARCHAR(MAX), "on" DATE, "at" TIMESTAMP WITH '
        'TIME ZONE, "number" INTEGER, "long" BIGINT, "hours" DECIMAL(9, 2), "exact" DECIMAL(38, 10), "ratio" DOUBLE '
        'PRECISION, "is_odd" BOOLEAN, PRIMARY KEY ("key")) DISTKEY("key") COMPOUND SORTKEY("key")'
    )


@pytest.mark.every_mart
@pytest.mark.parametrize("dialect", ["postgres", "redshift"])
def test_the_definitions_of_all_tables_are_known_to_their_dialect(dialect):
    for table in tables():
        for statement in create(table, name(table.database, table.short), dialect):
            (back,) = sqlglot.parse(statement.sql(dialect=dialect), dialect=dialect)
            assert back is not None
            assert not back.find(exp.Command, exp.Anonymous), back
