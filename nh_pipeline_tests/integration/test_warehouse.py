"""The warehouse on a real Postgres: it holds exactly what the lake holds, or what it held before."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import traceback
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("psycopg2", reason="the extra warehouse is not installed")

import psycopg2
import pyarrow as pa
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from nh_pipeline import failpoints
from nh_pipeline.lake.lake import Lake
from nh_pipeline.model.columns import text
from nh_pipeline.warehouse import noted
from nh_pipeline.warehouse import postgres as copying
from nh_pipeline.warehouse.address import Address
from nh_pipeline.warehouse.connection import Session, WarehouseError, transact
from nh_pipeline.warehouse.definition import name
from nh_pipeline.warehouse.load import Copy, compare, load
from nh_pipeline_tests.support import publishers
from nh_pipeline_tests.support.postgres import postgres
from nh_pipeline_tests.support.warehouse import (
    GAINED,
    MIXED,
    NOTHING,
    ROWS,
    TEXTS,
    asked,
    database,
    expected,
    held,
    put,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def server() -> Iterator[Address]:
    with postgres() as url:
        yield Address.of(url)


@pytest.fixture
def address(server) -> Iterator[Address]:
    with database(server) as found:
        yield found


@pytest.fixture
def lake(tmp_path) -> Lake:
    found = Lake(str(tmp_path / "lake"))
    put(found, ROWS)
    return found


def place(address: Address) -> list[tuple[int, ...]]:
    """Where each row is, and which transaction wrote it: another one after any change."""
    return asked(address, "select ctid::text, xmin::text from gold.mixed order by 1")


def test_it_holds_what_the_lake_holds(lake, address):
    copy = load(lake, MIXED, address)
    assert copy.changed
    assert copy.is_equal
    assert (copy.rows, copy.copied) == (len(ROWS), len(ROWS))
    found = held(address, MIXED)
    assert found == expected(lake, MIXED)
    assert dict(zip(found["key"], found["order"], strict=True))["'empty'"] == "''"
    assert dict(zip(found["key"], found["order"], strict=True))["'nothing'"] == "None"
    (texts,) = asked(address, """select json_object_agg(key, "order") from gold.mixed where "order" is not null""")
    assert texts[0] == TEXTS


def test_types_key_and_comments_are_those_of_the_declaration(lake, address):
    load(lake, MIXED, address)
    types = asked(
        address,
        "select attname, format_type(atttypid, atttypmod), col_description(attrelid, attnum) from pg_attribute "
        "where attrelid = 'gold.mixed'::regclass and attnum > 0 order by attnum",
    )
    assert types == [
        ("key", "text", "Who"),
        ("order", "text", "A word of SQL, and any text"),
        ("on", "date", "A day"),
        ("at", "timestamp with time zone", "A point in time [UTC]"),
        ("number", "integer", "An int"),
        ("long", "bigint", "A long"),
        ("hours", "numeric(9,2)", "Hours [hours]"),
        ("exact", "numeric(38,10)", "All digits that there are"),
        ("ratio", "double precision", "A double [1]"),
        ("is_odd", "boolean", "Whether it is odd"),
    ]
    assert asked(address, "select obj_description('gold.mixed'::regclass)") == [(MIXED.description,)]
    key = "select pg_get_constraintdef(oid) from pg_constraint where conrelid = 'gold.mixed'::regclass"
    assert asked(address, key) == [("PRIMARY KEY (key)",)]


def test_a_second_load_touches_nothing(lake, address):
    load(lake, MIXED, address)
    before, noted = place(address), asked(address, "select * from nh.loads")
    assert load(lake, MIXED, address).changed is False
    assert (place(address), asked(address, "select * from nh.loads")) == (before, noted)


def test_a_correction_and_a_deletion_arrive(lake, address):
    load(lake, MIXED, address)
    asked(address, "create view public.seen as select * from gold.mixed")
    asked(address, "create role reader; grant usage on schema gold to reader; grant select on gold.mixed to reader")
    put(lake, [{**row, "hours": Decimal("7.25")} for row in ROWS[2:]])
    assert compare(lake, MIXED, address) == Copy(
        MIXED.name, lake.snapshot(MIXED).snapshot_id, len(ROWS) - 2, len(ROWS), is_current=False
    )
    assert load(lake, MIXED, address).changed
    assert held(address, MIXED) == expected(lake, MIXED)
    assert set(held(address, MIXED)["hours"]) == {"Decimal('7.25')"}
    # The table is the same one: what others made of it, and may do with it, stays.
    assert asked(address, "select count(*) from public.seen") == [(len(ROWS) - 2,)]
    assert asked(address, "set role reader; select count(*) from gold.mixed") == [(len(ROWS) - 2,)]
    asked(address, "drop owned by reader; drop role reader")


def test_a_table_that_lost_all_its_rows_is_empty_there(lake, address):
    load(lake, MIXED, address)
    put(lake, [])
    assert load(lake, MIXED, address).copied == 0
    assert compare(lake, MIXED, address).is_equal


def test_a_table_that_the_lake_has_not_built_yet_is_there_without_rows(tmp_path, address):
    lake = Lake(str(tmp_path / "none"))
    assert load(lake, MIXED, address).copied == 0
    assert load(lake, MIXED, address).changed is False
    put(lake, ROWS)
    assert load(lake, MIXED, address).copied == len(ROWS)


def test_files_of_many_partitions_are_one_table(tmp_path, address):
    lake, rows = Lake(str(tmp_path / "days")), [("a", date(2024, month, 1), month) for month in range(1, 8)]
    publishers.put(lake, rows, *(f"2024-{month:02d}" for month in range(1, 8)))
    load(lake, publishers.DAILY, address)
    assert len(lake.snapshot(publishers.DAILY).files) == 7
    assert held(address, publishers.DAILY) == expected(lake, publishers.DAILY)


def test_rows_that_somebody_took_away_there_come_back(lake, address):
    load(lake, MIXED, address)
    asked(address, "delete from gold.mixed where key = 'least'")
    assert not compare(lake, MIXED, address).is_equal
    assert load(lake, MIXED, address).changed
    assert held(address, MIXED) == expected(lake, MIXED)
    asked(address, "drop table gold.mixed")
    assert compare(lake, MIXED, address).copied is None
    assert load(lake, MIXED, address).changed
    assert held(address, MIXED) == expected(lake, MIXED)


def test_a_column_that_the_declaration_gained(lake, address):
    load(lake, MIXED, address)
    asked(address, "create view public.seen as select * from gold.mixed")
    # The lake's files are older than the column: it is NULL.
    assert load(lake, GAINED, address).changed
    assert set(held(address, GAINED)["note"]) == {"None"}
    put(lake, [{**row, "note": f"of {row['key']}"} for row in ROWS], GAINED)
    load(lake, GAINED, address)
    assert held(address, GAINED) == expected(lake, GAINED)
    assert asked(address, "select count(*) from public.seen") == [(len(ROWS),)]


def test_any_other_change_of_a_declaration_makes_the_table_anew(lake, address):
    load(lake, GAINED, address)
    assert load(lake, MIXED, address).changed
    assert held(address, MIXED) == expected(lake, MIXED)
    with pytest.raises(psycopg2.errors.UndefinedColumn):
        asked(address, "select note from gold.mixed")
    load(lake, GAINED, address)
    asked(address, "create view public.seen as select * from gold.mixed")
    with pytest.raises(WarehouseError, match="other objects depend on it"):  # nothing of others is dropped
        load(lake, MIXED, address)
    assert held(address, GAINED)["order"] == expected(lake, MIXED)["order"]


# What fails leaves the table as it was


def untouched(lake: Lake, address: Address, before: dict[str, list[str]]) -> None:
    """The old rows are there, nothing else is left, and nothing is locked."""
    assert held(address, MIXED) == before
    assert compare(lake, MIXED, address).is_current is False
    assert asked(address, "select relname from pg_class where relname like 'stage%'") == []


@pytest.fixture
def loaded(lake, address) -> dict[str, list[str]]:
    """What the warehouse holds, as the lake has a new row."""
    load(lake, MIXED, address)
    before = held(address, MIXED)
    put(lake, [*ROWS, {**NOTHING, "key": "new", "order": "Zephyrleak", "number": 4711}])
    return before


def told_of(raised: pytest.ExceptionInfo[Exception]) -> str:
    """All that a log could hold of an error."""
    error = raised.value
    assert error.__cause__ is None
    assert error.__context__ is None
    return "".join(traceback.format_exception(error)) + repr(error.args)


def test_somebodys_constraint(lake, address, loaded):
    asked(address, "alter table gold.mixed add constraint small check (number <> 4711)")
    with pytest.raises(WarehouseError, match='violates check constraint "small"') as raised:
        load(lake, MIXED, address)
    untouched(lake, address, loaded)
    assert "Zephyrleak" not in told_of(raised)  # the server quotes the row
    asked(address, "alter table gold.mixed drop constraint small")
    assert load(lake, MIXED, address).changed
    assert held(address, MIXED) == expected(lake, MIXED)


def test_somebodys_trigger_that_drops_rows(lake, address, loaded):
    asked(
        address,
        "create function public.nothing() returns trigger language plpgsql as 'begin return null; end'; "
        "create trigger lossy before insert on gold.mixed for each row when (new.number = 4711) "
        "execute function public.nothing()",
    )
    with pytest.raises(WarehouseError, match=f"the lake has {len(ROWS) + 1} rows, the warehouse got {len(ROWS)}"):
        load(lake, MIXED, address)
    untouched(lake, address, loaded)


def test_a_table_that_somebody_holds(lake, address, loaded, monkeypatch):
    monkeypatch.setattr(noted, "_PATIENCE", "100ms")
    reader = psycopg2.connect(**address.options)
    with reader.cursor() as cursor:
        cursor.execute("select count(*) from gold.mixed")  # and the transaction stays open
        with pytest.raises(WarehouseError, match="lock timeout"):
            load(lake, GAINED, address)
        untouched(lake, address, loaded)
        assert load(lake, MIXED, address).changed  # rows alone are replaced beside a reader
        cursor.execute("select count(*) from gold.mixed")
        assert cursor.fetchone() == (len(ROWS) + 1,)
    reader.close()


def test_a_value_that_postgres_cannot_hold(lake, address):
    load(lake, MIXED, address)
    before = held(address, MIXED)
    put(lake, [{**NOTHING, "key": "nul", "order": "Zephyrleak\0"}])
    with pytest.raises(WarehouseError, match="refused a value") as raised:
        load(lake, MIXED, address)
    untouched(lake, address, before)
    assert "Zephyrleak" not in told_of(raised)


def test_a_file_that_is_missing(lake, address, loaded):
    lake.storage.delete(lake.relative(lake.snapshot(MIXED).files[0].path))
    with pytest.raises(FileNotFoundError):
        load(lake, MIXED, address)
    untouched(lake, address, loaded)


def test_a_file_that_cannot_be_read_to_its_end(lake, address, loaded, monkeypatch):
    real = copying._csv

    def torn(batch: pa.RecordBatch) -> bytes:
        raise OSError(f"read error after {len(real(batch))} bytes")

    monkeypatch.setattr(copying, "_csv", torn)
    with pytest.raises(OSError, match="read error"):
        load(lake, MIXED, address)
    untouched(lake, address, loaded)


def test_a_table_of_others_is_left_alone(lake, address):
    asked(address, "create schema gold; create table gold.mixed (key text); insert into gold.mixed values ('mine')")
    with pytest.raises(WarehouseError, match=r"a table gold\.mixed that was not loaded from a lake"):
        load(lake, MIXED, address)
    assert asked(address, "select * from gold.mixed") == [("mine",)]


_KILLED = """
import os, signal, sys
from nh_pipeline import failpoints
from nh_pipeline.lake.lake import Lake
from nh_pipeline.warehouse import postgres
from nh_pipeline.warehouse.address import Address
from nh_pipeline.warehouse.load import load
from nh_pipeline_tests.support.warehouse import MIXED

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[1] == "copying":
    postgres._csv = die
else:
    failpoints.observer = die
load(Lake(sys.argv[2]), MIXED, Address("postgres", eval(sys.argv[3])))
"""


@pytest.mark.parametrize("at", ["copying", "copied"])
def test_a_process_that_is_killed(lake, address, loaded, at):
    command = [sys.executable, "-c", _KILLED, at, lake.root, repr(dict(address.options))]
    assert subprocess.run(command, check=False, timeout=120).returncode == -signal.SIGKILL
    untouched(lake, address, loaded)
    assert load(lake, MIXED, address).changed
    assert held(address, MIXED) == expected(lake, MIXED)


def test_two_that_load_at_once_take_turns_and_the_newer_snapshot_stays(lake, address, monkeypatch):
    first_is_there, go_on, copies = threading.Event(), threading.Event(), []

    def wait(*_: object) -> None:
        if not first_is_there.is_set():
            first_is_there.set()
            assert go_on.wait(60)

    monkeypatch.setattr(failpoints, "observer", wait)
    first, second = (
        threading.Thread(target=lambda: copies.append(load(Lake(lake.root), MIXED, address))) for _ in "ab"
    )
    first.start()
    assert first_is_there.wait(60)
    put(lake, ROWS[3:])
    second.start()
    second.join(1)
    assert second.is_alive()  # it waits for the first one's transaction
    go_on.set()
    first.join(60)
    second.join(60)
    assert [copy.rows for copy in copies] == [len(ROWS), len(ROWS) - 3]
    assert held(address, MIXED) == expected(lake, MIXED)


# Any text


TABLE = replace(MIXED, columns=(text("a", "any"), text("b", "any"), *MIXED.columns[2:]), grain=("a",), sort=("a",))
STRINGS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20) | st.sampled_from(
    list(TEXTS.values())
)


@hypothesis_settings(max_examples=60)
@given(rows=st.lists(st.tuples(st.none() | STRINGS, st.none() | STRINGS), max_size=30))
def test_any_text_arrives(server, rows):
    schema = pa.schema([("a", pa.string()), ("b", pa.string())])
    batch = pa.RecordBatch.from_pylist([{"a": a, "b": b} for a, b in rows], schema=schema)

    def there_and_back(session: Session) -> list[tuple[str | None, str | None]]:
        session.run("create temp table stage (n serial, a text, b text)")
        copying._copy(session, name("stage"), ["a", "b"], copying._Csv([batch.slice(0, 7), batch.slice(7)]))
        session.run("select a, b from stage order by n")
        return session.cursor.fetchall()

    assert transact(server, "stage", there_and_back) == rows


def test_batches_are_read_when_they_are_wanted():
    made = []

    def batches() -> Iterator[pa.RecordBatch]:
        for number in range(9):
            made.append(number)
            yield pa.RecordBatch.from_pydict({"a": ["x" * 1000] * 100})

    rows = copying._Csv(batches())
    assert len(rows.read(1 << 16)) == 1 << 16
    assert made == [0]
    while rows.read(1 << 16):
        pass
    assert made == list(range(9))
