"""Field ids in Parquet footers: all columns get them, nothing else changes, and what is damaged is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nh_pipeline.errors import LakeError
from nh_pipeline.lake import publish as module
from nh_pipeline.lake.field_ids import numbered, put_ids, with_ids
from nh_pipeline.lake.lake import Lake
from nh_pipeline.lake.publish import Conflict
from nh_pipeline.lake.storage import Storage
from nh_pipeline.model.columns import text
from nh_pipeline.sample import Deliveries
from nh_pipeline_tests.support import chain
from nh_pipeline_tests.support.all_types import AFTER, ROWS
from nh_pipeline_tests.support.chain import workspace_at
from nh_pipeline_tests.support.publishers import DAILY, put, read, stage

TABLE = pa.Table.from_pylist(ROWS * 3000, schema=AFTER.arrow)
IDS = {name: number**3 + 1 for number, name in enumerate(reversed(AFTER.names))}
"""In another order than the columns; their codes take one to three bytes."""

PLAN = Deliveries(20, ("2024Q3",), releases=2, days=3)
APRIL = [("a", date(2024, 4, 1), 1), ("b", date(2024, 4, 30), 2)]


@pytest.fixture
def storage(tmp_path):
    return Storage(str(tmp_path))


def ids_of(source):
    return {f.name: int((f.metadata or {}).get(b"PARQUET:field_id", -1)) for f in pq.read_schema(source)}


def footer_of(content):
    """All before the footer, and the footer."""
    length = int.from_bytes(content[-8:-4], "little")
    return content[: -8 - length], content[-8 - length : -8]


def as_file(footer):
    return b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1"


def described(content):
    """All that Arrow finds in a footer, but its length."""
    found = pq.read_metadata(pa.BufferReader(content)).to_dict()
    found.pop("serialized_size")
    return found


def by_pyarrow(path, **options):
    pq.write_table(TABLE, path, **options)


def by_duckdb(path, options=""):
    with duckdb.connect() as db:
        db.register("t", TABLE)
        db.execute(f"copy t to '{path}' (format parquet{options})")


WRITERS = {
    "pyarrow": by_pyarrow,
    "of version 1": lambda p: by_pyarrow(p, version="1.0", data_page_version="1.0", use_dictionary=False),
    "of version 2": lambda p: by_pyarrow(p, data_page_version="2.0", compression="zstd", write_page_checksum=True),
    "without statistics": lambda p: by_pyarrow(p, write_statistics=False),
    "with an index of pages": lambda p: by_pyarrow(p, write_page_index=True, data_page_size=1024),
    "sorted, with integers for decimals": lambda p: by_pyarrow(
        p, store_decimal_as_integer=True, sorting_columns=[pq.SortingColumn(1), pq.SortingColumn(0)]
    ),
    "without Arrow's schema": lambda p: by_pyarrow(p, store_schema=False),
    "with notes": lambda p: pq.write_table(TABLE.replace_schema_metadata({"a note": "x" * 99_000}), p),
    "a footer of 300 kB": lambda p: by_pyarrow(p, row_group_size=100),
    "without rows": lambda p: pq.write_table(TABLE[:0], p),
    "with other ids": lambda p: pq.write_table(TABLE.cast(numbered(TABLE.schema, dict.fromkeys(IDS, 77))), p),
    "with some ids": lambda p: pq.write_table(
        TABLE.cast(pa.schema([numbered(TABLE.schema, IDS).field(0), *list(TABLE.schema)[1:]])), p
    ),
    "DuckDB, with bloom filters": by_duckdb,
    "DuckDB, of version 2": lambda p: by_duckdb(p, ", parquet_version v2, row_group_size 2048"),
    "polars": lambda p: pl.from_arrow(TABLE).write_parquet(p),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_columns_get_their_ids_and_nothing_else_changes(storage, tmp_path, writer):
    path = tmp_path / "t.parquet"
    WRITERS[writer](path)
    before = path.read_bytes()
    assert put_ids(storage, path.name, IDS) == pq.read_metadata(path).num_rows
    after = path.read_bytes()
    assert ids_of(path) == IDS
    assert footer_of(after)[0] == footer_of(before)[0]
    assert described(after) == described(before)
    for values in (pq.read_table, pl.read_parquet, lambda s: duckdb.read_parquet(str(s)).to_arrow_table()):
        old = tmp_path / "old.parquet"
        old.write_bytes(before)
        assert values(path).equals(values(old))
    put_ids(storage, path.name, IDS)
    assert path.read_bytes() == after


def test_bytes_after_the_schema_are_not_even_understood():
    """What no version of this module knows: a struct of the future at the footer's end."""
    sink = pa.BufferOutputStream()
    pq.write_table(TABLE[:5], sink)
    _, footer = footer_of(sink.getvalue().to_pybytes())
    future = footer[:-1] + bytes([0xF5, 0x02, 0x3C, 0xFE, 0xFF]) + b"\0"
    changed = with_ids(future, IDS)
    assert changed.endswith(footer[-200:-1] + bytes([0xF5, 0x02, 0x3C, 0xFE, 0xFF]) + b"\0")
    assert changed[:-6] == with_ids(footer, IDS)[:-1]


def test_a_file_that_has_its_ids_is_not_written(storage, tmp_path, monkeypatch):
    path = tmp_path / "t.parquet"
    pq.write_table(TABLE.cast(numbered(TABLE.schema, IDS)), path)
    monkeypatch.setattr(Storage, "replace_end", lambda *_: pytest.fail("it is written to"))
    assert put_ids(storage, path.name, {**IDS, "a column that the file lacks": 99}) == TABLE.num_rows


types = st.sampled_from(
    [pa.string(), pa.int32(), pa.int64(), pa.float64(), pa.bool_(), pa.date32(), pa.decimal128(9, 2), pa.large_string()]
)
names = st.text(min_size=1, max_size=200).filter(lambda n: "\0" not in n and "." not in n)


@given(
    columns=st.dictionaries(names, st.tuples(types, st.booleans(), st.integers(1, 2**31 - 1)), min_size=1, max_size=40),
    rows=st.integers(0, 3),
)
@settings(max_examples=100, deadline=None)
def test_any_columns_and_any_ids(columns, rows):
    fields = [pa.field(name, dtype) for name, (dtype, _, _) in columns.items()]
    table = pa.Table.from_pylist([{}] * rows, schema=pa.schema(fields))
    ids = {name: number for name, (_, _, number) in columns.items()}
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, store_schema=False)
    start, footer = footer_of(sink.getvalue().to_pybytes())
    changed = with_ids(footer, ids)
    content = pa.BufferReader(start + as_file(changed)[4:])
    assert ids_of(content) == ids
    assert pq.read_table(content).equals(pq.read_table(sink.getvalue()))
    assert with_ids(changed, ids) == changed
    known = {}
    assert [with_ids(footer, ids, known), with_ids(footer, ids, known)] == [changed, changed]
    assert len(known) == 1
    assert pq.read_metadata(content).schema.names == list(columns)


# Damage


DAMAGED = {
    "nothing": (b"", "expected a Parquet file, .* found 0 bytes"),
    "a few bytes": (b"PAR1", "found 4 bytes that end in b'PAR1'"),
    "text": (b"provider_id,work_date\n" * 9, "expected a Parquet file"),
    "too long a footer": (b"PAR1" + b"\xff\xff\xff\x7fPAR1", "expected a Parquet file"),
    "an encrypted footer": (b"PARE" + b"x" * 40 + (40).to_bytes(4, "little") + b"PARE", "end in .*PARE"),
    "an empty footer": (as_file(b""), "expected a Parquet footer with columns among"),
    "zeros": (as_file(bytes(40)), "found no schema in it"),
    "an endless list": (as_file(b"\x15\x02\x19\xfc\xff\xff\xff\xff\x0f"), "found a list of"),
    "a type that is none": (as_file(b"\x1d\x02\x00"), "a value of type 13"),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_what_is_no_parquet_file_is_refused(storage, kind):
    content, told = DAMAGED[kind]
    storage.write("t.parquet", content)
    with pytest.raises(LakeError, match=told):
        put_ids(storage, "t.parquet", IDS)
    assert storage.read("t.parquet") == content


@pytest.mark.parametrize(
    ("column", "told"),
    [
        (pa.field("note", pa.list_(pa.string())), "found note, a column with columns in it"),
        (pa.field("stranger", pa.string()), "found stranger, which is no column of the table"),
    ],
)
def test_columns_that_no_table_has_are_refused(storage, column, told):
    with storage.create("t.parquet") as sink:
        pq.write_table(pa.schema([column]).empty_table(), sink)
    with pytest.raises(LakeError, match=told):
        put_ids(storage, "t.parquet", IDS)


@given(data=st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_footer_is_refused_or_read_as_arrow_reads_it(storage, data):
    sink = pa.BufferOutputStream()
    pq.write_table(TABLE[:5], sink, store_schema=False)
    pages, footer = footer_of(sink.getvalue().to_pybytes())
    at = data.draw(st.integers(0, 400))
    damage = data.draw(st.binary(min_size=1, max_size=4))
    content = pages + as_file(footer[:at] + damage + footer[at + len(damage) :])[4:]
    storage.write("t.parquet", content)
    try:
        rows = put_ids(storage, "t.parquet", IDS)
    except LakeError:
        assert storage.read("t.parquet") == content
    else:
        found = pq.read_metadata(pa.BufferReader(storage.read("t.parquet")))
        assert found.num_rows == rows
        assert ids_of(pa.BufferReader(storage.read("t.parquet"))) == {n: IDS[n] for n in found.schema.names}


def test_a_disk_that_writes_something_else(storage, monkeypatch):
    with storage.create("t.parquet") as sink:
        pq.write_table(TABLE, sink)
    monkeypatch.setattr(Storage, "replace_end", lambda *_: None)
    with pytest.raises(LakeError, match="expected the footer that was just written, found another"):
        put_ids(storage, "t.parquet", IDS)


# Publishing


def with_columns(*gained):
    return replace(DAILY, columns=(*(text(name, name) for name in gained), *DAILY.columns))


def published_ids(lake, contract=DAILY):
    return [ids_of(lake.open(path)) for path in lake.snapshot(contract).paths]


def test_ids_are_those_that_the_table_gets(tmp_path):
    lake, wide = Lake(str(tmp_path / "lake")), with_columns("first", "second")
    assert lake.field_ids(wide) == {"first": 1, "second": 2, "provider_id": 3, "work_date": 4, "census": 5}
    put(lake, APRIL, "2024-04")
    assert published_ids(lake) == [{"provider_id": 1, "work_date": 2, "census": 3}]
    expected = {"provider_id": 1, "work_date": 2, "census": 3, "first": 4, "second": 5}
    assert lake.field_ids(wide) == expected
    assert {f.name: f.field_id for f in lake.table(wide).schema().fields} == expected
    assert lake.field_ids(wide) == lake.field_ids(DAILY) == expected
    put(lake, [("a", date(2024, 5, 1), 1)], "2024-05")
    assert published_ids(lake)[1] == {"provider_id": 1, "work_date": 2, "census": 3}


def test_a_file_without_ids_equals_one_that_has_them(tmp_path, monkeypatch):
    lake = Lake(str(tmp_path / "lake"))
    with monkeypatch.context() as patch:
        patch.setattr(module, "put_ids", lambda s, path, *_: pq.read_metadata(s.open(path)).num_rows)
        old = put(lake, APRIL, "2024-04")
    assert published_ids(lake) == [dict.fromkeys(DAILY.names, -1)]
    again = put(lake, APRIL, "2024-04")
    assert (again.changed, again.snapshot_id) == (frozenset(), old.snapshot_id)
    put(lake, APRIL[:1], "2024-04")
    assert published_ids(lake) == [{"provider_id": 1, "work_date": 2, "census": 3}]
    assert read(lake) == APRIL[:1]


def test_ids_that_another_process_gave_otherwise_are_a_conflict(tmp_path):
    """Both saw no table; the other one makes it, with columns that come before."""
    lake = Lake(str(tmp_path / "lake"))
    base, staged = lake.snapshot(DAILY, ["2024-04"]), stage(lake, APRIL, ["2024-04"])
    lake.table(with_columns("first"))
    with pytest.raises(Conflict, match=r"silver\.daily: columns have other field ids than when its files were staged"):
        module.publish(lake, DAILY, staged, base=base, inputs=[], properties={})
    assert list(lake.storage.files("warehouse", suffix=".parquet")) == []
    put(lake, APRIL, "2024-04")
    assert read(lake) == APRIL
    assert published_ids(lake) == [{"provider_id": 2, "work_date": 3, "census": 4}]


@pytest.mark.integration
def test_all_files_of_a_lake(engine, drop, tmp_path):
    workspace = workspace_at(tmp_path / "lake", engine)
    chain.land(workspace, drop)
    chain.whole(workspace)
    assert chain.without_ids(workspace.lake) == []
