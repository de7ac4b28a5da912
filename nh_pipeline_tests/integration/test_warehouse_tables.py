"""All tables of a lake in a Postgres, value by value, and the views for reports on them."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("psycopg2", reason="the extra warehouse is not installed")

from nh_pipeline.lake.lake import Lake
from nh_pipeline.queries.open import LakeQueries
from nh_pipeline.queries.views import VIEWS, ddl
from nh_pipeline.tables import tables
from nh_pipeline.warehouse.address import Address
from nh_pipeline.warehouse.load import compare, load
from nh_pipeline_tests.support.postgres import postgres
from nh_pipeline_tests.support.warehouse import asked, database, expected, held

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.integration, pytest.mark.every_mart]


@pytest.fixture(scope="module")
def lake(whole_lake: Path) -> Lake:
    return Lake(str(whole_lake))


@pytest.fixture(scope="module")
def queries(lake: Lake) -> LakeQueries:
    return LakeQueries(lake)


@pytest.fixture(scope="module")
def address(lake) -> Iterator[Address]:
    """A warehouse that every table has been loaded into."""
    with postgres() as url, database(Address.of(url)) as found:
        for table in tables():
            assert load(lake, table, found).changed
        asked(found, ddl("postgres"))
        yield found


def test_every_table_is_equal(lake, address):
    filled = 0
    for table in tables():
        assert compare(lake, table, address).is_equal, table.name
        assert load(lake, table, address).changed is False, table.name
        filled += lake.snapshot(table).rows > 0
    assert filled > 80


@pytest.mark.at_length
@pytest.mark.parametrize("table", tables(), ids=lambda table: table.name)
def test_every_value_is_equal(table, lake, address):
    assert held(address, table) == expected(lake, table)


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_views_for_reports_say_the_same(view, queries, address):
    direct = queries.query(f"select * from {view.name}")
    listed = ", ".join(f'"{column}"' for column in direct.column_names)
    rows = [
        dict(zip(direct.column_names, row, strict=True)) for row in asked(address, f"select {listed} from {view.name}")
    ]
    assert len(rows) == direct.num_rows > 0
    for mine, known in zip(sorted(rows, key=_texts), sorted(direct.to_pylist(), key=_texts), strict=True):
        for column, value in known.items():
            # Sums of doubles depend on the order of their rows.
            assert mine[column] == (pytest.approx(value, rel=1e-12) if isinstance(value, float) else value), column


def _texts(row: dict[str, Any]) -> list[str]:
    """What tells rows apart: all of them but measures that are doubles, which differ in the last digit."""
    return [
        f"{value:.9f}" if isinstance(value, Decimal) else str(value)
        for value in row.values()
        if not isinstance(value, float)
    ]
