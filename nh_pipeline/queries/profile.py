"""What is in a file or a table, column by column: type, empty cells, distinct values, range, most frequent values.

DuckDB counts, one column after the other, so that memory depends on how many values a column has and not on the rows;
what does not fit into it is put on disk. All counts are exact. Where a column is text, its type is the first of
:data:`_FORMS` in which every value can be read; words that stand for no value are counted apart.
"""

from __future__ import annotations

import re
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel

from nh_pipeline.lake.duck import reading
from nh_pipeline.tables import dataset_of, is_public

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.landing.any_csv import AnyCsv
    from nh_pipeline.model.table import Table

MOST_FREQUENT = 5
"""Values of a column that are named with their counts."""

MEMORY = "512MB"
"""What DuckDB may take before it uses the disk."""

WORDS = ("---", "--", "-", ".", "n/a", "na", "#n/a", "nan", "null", "not available", "not applicable")
"""What people and CMS write where there is no value, in any case."""


class Frequent(BaseModel, frozen=True):
    """A value and how often it occurs."""

    value: str
    rows: int


class ColumnProfile(BaseModel, frozen=True):
    """One column.

    Attributes:
        name: of the column; of a file, the cell of its header.
        canonical: the name that the column has in the tables, where the file is known; else empty.
        type: ``integer``, ``decimal(5,2)``, ``date (MM/DD/YYYY)``, ``boolean (Y/N)``, ``double``, ``text``,
            ``empty``; of a table's column that is no text, its own.
        nulls: cells without anything but blanks; in a table, NULLs too.
        words: words that stand for no value, and how often.
        distinct: values, those words left out. All that follows is of these.
        minimum, maximum: of numbers and dates.
        shortest, longest: characters of texts.
        frequent: the most frequent values.
        protected: whether values are not shown, as the data are not public and the column is no key.
    """

    name: str
    canonical: str = ""
    type: str
    nulls: int
    words: dict[str, int] = {}
    distinct: int
    minimum: str | None = None
    maximum: str | None = None
    shortest: int | None = None
    longest: int | None = None
    frequent: tuple[Frequent, ...] = ()
    protected: bool = False

    def masked(self) -> ColumnProfile:
        """The same without any value."""
        return self.model_copy(update={"minimum": None, "maximum": None, "frequent": (), "protected": True})


class Profile(BaseModel, frozen=True):
    """A file or a table.

    Attributes:
        dataset: what a file is taken for, or what a table is made of; empty if that is not known.
        written: encoding of a file, and how it is written otherwise than CMS does.
        rows: records, or rows.
        refused: lines of a file that have not as many cells as its header.
    """

    name: str
    dataset: str = ""
    written: str = ""
    rows: int
    refused: int = 0
    columns: tuple[ColumnProfile, ...]


@dataclass(frozen=True)
class _Form:
    """A way to write values: its name, a pattern of all of a text, and SQL by which they are ordered, NULL for none."""

    told: str
    pattern: str
    order: str

    @property
    def sql(self) -> str:
        return f"count(*) filter (regexp_full_match(value, '{self.pattern}') and ({self.order}) is not null)"


_WHOLE = "(0|[1-9][0-9]{0,29})"
"""Digits that begin with a zero are no number, but the name of something: a CCN, a ZIP code."""

_TIME = "([T ] ?[0-9]{1,2}:[0-9]{2}[0-9:.]*( ?[AaPp][Mm])?(Z|[+-][0-9:]{4,6})?)?"


def _date(told: str, pattern: str, form: str) -> _Form:
    day = f"try_strptime(regexp_extract(value, '^{pattern}'), '{form}')"
    return _Form(f"date ({told})", pattern + _TIME, f"cast({day} as date)")


_FORMS = (
    _Form("boolean (Y/N)", "[YyNn]", "upper(value)"),
    _Form("boolean (yes/no)", "(?i)(yes|no)", "upper(value)"),
    _Form("boolean (true/false)", "(?i)(true|false)", "upper(value)"),
    _date("YYYY-MM-DD", "[0-9]{4}-[0-9]{2}-[0-9]{2}", "%Y-%m-%d"),
    _date("YYYYMMDD", "(19|20)[0-9]{6}", "%Y%m%d"),
    *(
        _date(mark.join(parts), f"[0-9]{{1,2}}[{mark}][0-9]{{1,2}}[{mark}][0-9]{{4}}", mark.join(form))
        for mark in ("/", "-", ".")
        for parts, form in ((("MM", "DD", "YYYY"), ("%m", "%d", "%Y")), (("DD", "MM", "YYYY"), ("%d", "%m", "%Y")))
    ),
    _Form("integer", "[-+]?(0|[1-9][0-9]{0,17})", "try_cast(value as bigint)"),
    _Form("decimal", f"[-+]?({_WHOLE}([.][0-9]{{0,8}})?|[.][0-9]{{1,8}})", "try_cast(value as decimal(38, 8))"),
    _Form("double", f"[-+]?({_WHOLE}([.][0-9]*)?|[.][0-9]+)([eE][-+]?[0-9]+)?", "try_cast(value as double)"),
)
_COMMAS = _Form("decimal", f"[-+]?{_WHOLE}(,[0-9]{{1,8}})?", "try_cast(replace(value, ',', '.') as decimal(38, 8))")


def of_file(csv: AnyCsv) -> Profile:
    """A CSV, of a known dataset or not.

    Raises:
        Refused: it is damaged, or cannot be cut into records.
    """
    reader = csv.reader
    with tempfile.TemporaryDirectory(prefix="nh-profile-") as folder:
        path = Path(folder) / "records.parquet"
        schema = pa.schema([(name, pa.string()) for name in reader.columns])
        with pq.ParquetWriter(path, schema) as writer:
            for batch in csv.batches(reader):
                writer.write_batch(batch.select(schema.names))
        with duckdb.connect() as db, _bounded(db, folder):
            db.execute(f"create view t as select * from read_parquet('{path}')")
            named = zip(csv.cells, csv.canonical, schema.names, strict=True)
            commas = csv.dialect.delimiter != ","
            columns = [
                _column(db, column, cell.strip() or f"(column {i})", canonical, commas=commas)
                for i, (cell, canonical, column) in enumerate(named, 1)
            ]
    shown = [all(dataset.shows(c.canonical) for dataset in csv.known) for c in columns]
    return Profile(
        name=csv.name,
        dataset=" or ".join(dataset.name for dataset in csv.known),
        written=", ".join(filter(None, (csv.encoding, csv.dialect.told))),
        rows=reader.rows,
        refused=reader.rejections,
        columns=tuple(c if show else c.masked() for c, show in zip(columns, shown, strict=True)),
    )


def of_table(lake: Lake, table: Table) -> Profile:
    """A table, as its current snapshot is."""
    snapshot = lake.snapshot(table)
    with (
        tempfile.TemporaryDirectory(prefix="nh-profile-") as folder,
        reading(lake, {"t": (table, snapshot)}, duckdb.connect()) as db,
        _bounded(db, folder),
    ):
        columns = [_column(db, name, name) for name in table.names]
    shown = (c if is_public(table) or c.name in table.grain else c.masked() for c in columns)
    return Profile(name=table.name, dataset=dataset_of(table), rows=snapshot.rows, columns=tuple(shown))


@contextmanager
def _bounded(db: duckdb.DuckDBPyConnection, folder: str) -> Iterator[None]:
    db.execute(f"set memory_limit = '{MEMORY}'")
    db.execute("set temp_directory = ?", [folder])
    db.execute("set preserve_insertion_order = false")
    db.execute("set enable_progress_bar = false")
    yield


def _column(
    db: duckdb.DuckDBPyConnection, column: str, name: str, canonical: str = "", *, commas: bool = False
) -> ColumnProfile:
    """Counts the values of a column, then looks at each of them once."""
    quoted = '"' + column.replace('"', '""') + '"'
    kind = str(db.sql(f"select {quoted} from t limit 0").types[0]).lower()
    is_text = kind == "varchar"
    value = f"trim({quoted})" if is_text else quoted
    db.execute(f"create or replace temp table v as select {value} as value, count(*) as n from t group by all")
    nothing = "value is null" + " or value = ''" * is_text
    nulls = _one(db, f"select coalesce(sum(n), 0)::bigint from v where {nothing}")[0]
    db.execute(f"delete from v where {nothing}")
    words: dict[str, int] = {}
    if is_text:
        meant = f"lower(value) in ({', '.join(repr(word) for word in WORDS)})"
        words = dict(db.execute(f"select value, n from v where {meant} order by n desc, value").fetchall())
        db.execute(f"delete from v where {meant}")
    distinct = _one(db, "select count(*) from v")[0]
    told, order = _form(db, distinct, commas=commas) if is_text else (kind, "value")
    found = {"type": told, "nulls": nulls, "words": words, "distinct": distinct}
    if order:
        as_text = "cast({o} as varchar)" if told.startswith("date") else "cast(value as varchar)"
        ends = (f"first({as_text.format(o=order)} order by {order} {way}, value)" for way in ("asc", "desc"))
        found["minimum"], found["maximum"] = _one(db, f"select {', '.join(ends)} from v")
    elif distinct:
        found["shortest"], found["longest"] = _one(db, "select min(length(value)), max(length(value)) from v")
    most = f"select cast(value as varchar), n from v order by n desc, value limit {MOST_FREQUENT}"
    frequent = tuple(Frequent(value=value, rows=n) for value, n in db.execute(most).fetchall())
    return ColumnProfile(name=name, canonical=canonical, frequent=frequent, **found)


def _form(db: duckdb.DuckDBPyConnection, distinct: int, *, commas: bool) -> tuple[str, str]:
    """The type of texts, and SQL by which they are ordered; none for text itself."""
    if not distinct:
        return "empty", ""
    sample = _one(db, "select value from v limit 1")[0]
    likely = [f for f in (*_FORMS, *([_COMMAS] if commas else [])) if re.fullmatch(f.pattern, sample)]
    counts = _one(db, f"select {', '.join(f.sql for f in likely)} from v") if likely else ()
    fitting = [f for f, count in zip(likely, counts, strict=True) if count == distinct]
    if not fitting:
        return "text", ""
    first, *others = fitting
    if first.told == "decimal":
        whole, scale = _one(
            db,
            "select max(length(regexp_extract(value, '([0-9]*)[.,]?[0-9]*$', 1))), "
            "max(length(regexp_extract(value, '[.,]([0-9]*)$', 1))) from v",
        )
        return f"decimal({whole + scale},{scale})" + " with commas" * (first is _COMMAS), first.order
    both = (f" or {f.told}" for f in others if f.told.startswith("date (DD"))  # no day or month is more than twelve
    return first.told + "".join(both), first.order


def _one(db: duckdb.DuckDBPyConnection, sql: str) -> tuple[Any, ...]:
    row: tuple[Any, ...] = db.execute(sql).fetchone() or ()
    return row
