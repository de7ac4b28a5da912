"""What the columns that tell a file's dataset, coverage and order of dates say in all of its rows.

What belongs here: reading these columns in one pass, and the answer that all rows must agree on. Not here: the header
and the encoding (:mod:`nh_pipeline.landing.recognise`), and how the order of dates is decided
(:mod:`nh_pipeline.landing.date_order`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pyarrow.compute as pc

from nh_pipeline.landing.coverage import Coverage, programme_year, quarter_covered, release_covered
from nh_pipeline.landing.date_order import DateEvidence
from nh_pipeline.landing.dates import ORDERS, parts
from nh_pipeline.landing.records import RecordReader
from nh_pipeline.landing.refused import CutOff, Unrecognised
from nh_pipeline.landing.text import MalformedCsv
from nh_pipeline.model.dataset import fold

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from nh_pipeline.datasets.headers import Header
    from nh_pipeline.landing.dates import DateOrder
    from nh_pipeline.landing.text import CsvStream
    from nh_pipeline.model.dataset import Dataset

LONGEST_RECORD = 2 << 20
"""Bytes of the longest record that is certainly taken; twice as long, it is certainly refused. A block of bronze holds
it whatever its encoding, so bronze parses whatever has landed."""

AS_PUBLISHED = "Deliver the file as CMS publishes it."

_POINT, _COMMA, _DECIMAL_COMMA = r"[0-9]?[.][0-9]", "[0-9]?,[0-9]", r"^\s*[0-9]*,([0-9]{1,2}|[0-9]{4,})\s*$"
_MARKS = (_POINT, _COMMA, _DECIMAL_COMMA)
"""In numbers. 1,500 may be either: a number with three decimals, or fifteen hundred."""

_NAMED = 5
"""How many of several values a message names."""


class Survey:
    """The rows of a file, as far as they tell what it is.

    Args:
        found: The datasets that its header may be of; they have one header.
        header: That header.
        cells: Its cells, as the file writes them.
        name: The file's name, for messages.

    Attributes:
        rows: Rows that were read.
        records: Those and the lines with a wrong number of cells.
        ragged: The first of those, in words.
        ragged_end: The last line, in words, if it is one of those.
    """

    def __init__(self, found: Sequence[Dataset], header: Header, cells: Sequence[str], name: str) -> None:
        self._found, self._dataset, self._header, self._cells, self._name = found, found[0], header, cells, name
        self._quarters: dict[Coverage, int] = {}
        self._releases: dict[str, int] = {}
        self._known: set[str] = set()
        self._values: dict[str, dict[str, tuple[str, int]]] = {d.value[0]: {} for d in found if d.value}
        matters = self._dataset.day or (self._dataset.dated_by if self._dataset.coverage == "release" else None)
        self._matters = self._cell(matters) if matters else None
        self._dates = DateEvidence(
            name, self._matters, monthly=(self._dataset.coverage == "release" and self._dataset.on_the_first)
        )
        self.rows = self.records = 0
        self._last_ragged = (0, "")
        self.ragged = self.ragged_end = ""
        self._marks: set[str] = set()

    @property
    def decimal(self) -> Literal[".", ","]:
        """The mark before the decimals of its numbers: a comma only if no number has a point, and some 1,5 says so."""
        return "," if self._marks == {_COMMA, _DECIMAL_COMMA} else "."

    def read(self, text: CsvStream, *, complete: bool) -> None:
        """Reads all rows.

        Raises:
            Unrecognised: At the first quarter or release that is none.
            MalformedCsv: If they cannot be told from one another.
        """
        # A blank is in no canonical name.
        columns = [
            known or (f"date {i}" if "date" in cell.casefold() else None)
            for i, (known, cell) in enumerate(zip(self._header.columns, self._cells, strict=True))
        ]
        of_dates = {
            column: cell
            for column, cell in zip(columns, self._cells, strict=True)
            if column and ("date" in cell.casefold() or cell == self._matters)
        }
        only = {*of_dates, *self._values, *([self._dataset.dated_by] if self._dataset.dated_by else [])}
        numbers = set(self._dataset.numbers) & set(columns) if text.dialect.delimiter != "," else set()
        reader = RecordReader(columns, only=only | numbers, block=LONGEST_RECORD, dialect=text.dialect)
        try:
            for batch in reader.batches(text):
                lines = batch.column("source_line")
                if self._dataset.dated_by:
                    self._look(batch.column(self._dataset.dated_by), lines)
                for column, values in self._values.items():
                    self._collect(batch.column(column), lines, values)
                for column in numbers:
                    self._marks.update(mark for mark in _MARKS if _has(batch.column(column), mark))
                for column, cell in of_dates.items():
                    self._dates.look(cell, batch.column(column), lines)
                self._keep(reader)
        except MalformedCsv:
            if complete:
                raise
        self._keep(reader)

    def _keep(self, reader: RecordReader) -> None:
        self.rows, self.records = reader.rows, reader.records
        if reader.rejected:
            last = reader.rejected[-1]
            self._last_ragged = (last.source_line, f"line {last.source_line:,}: {last.reason}")
        self.ragged_end = self._last_ragged[1] if self._last_ragged[0] == reader.last_line else ""
        for line in reader.rejected[: not self.ragged]:
            self.ragged = f"in line {line.source_line:,}: {line.reason}"
        reader.rejected.clear()

    def _look(self, column: pa.Array, lines: pa.Array) -> None:
        for text in pc.unique(column).drop_null().to_pylist():
            if text in self._known or not text.strip():
                continue
            self._known.add(text)
            line = lines[pc.index(column, text).as_py()].as_py()
            if self._dataset.coverage == "quarter":
                covered = quarter_covered(text.strip())
                if covered:
                    self._quarters.setdefault(covered, line)
            else:
                covered = next((c for order in ORDERS if (c := release_covered(text.strip(), order))), None)
                self._releases.setdefault(text.strip(), line)
            if covered is None and not self._dataset.changed_by:  # there it is the matter of its line
                raise self._unreadable(text, line)

    def _collect(self, column: pa.Array, lines: pa.Array, values: dict[str, tuple[str, int]]) -> None:
        for text in pc.unique(column).drop_null().to_pylist():
            if fold(text) and fold(text) not in values and len(values) <= _NAMED:
                values[fold(text)] = (text.strip(), lines[pc.index(column, text).as_py()].as_py())

    def dataset(self, *, complete: bool) -> Dataset | None:
        """The dataset whose value all rows have that have one; None if it is the value of none of them.

        Raises:
            Unrecognised: If there is no value, or several.
            CutOff: If there is none, and not all rows were read.
        """
        if not self._values:
            return self._found[0] if len(self._found) == 1 else None
        for column, values in self._values.items():
            if not values and not complete:
                raise _only_blanks(self._cell(column), self._name)
            if len(values) != 1:
                listed = _listed([f"{text[:60]!r} from line {line:,}" for text, line in values.values()])
                raise Unrecognised(
                    f"{self._name}: {'several values' if values else 'no value'} in column {self._cell(column)!r}",
                    expected=f"one of {', '.join(repr(d.value[1]) for d in self._found if d.value)} in all rows",
                    found=listed if values else "only blanks",
                    what_to_do=f"Deliver each kind in a file of its own, as CMS publishes it. {AS_PUBLISHED}"
                    if values
                    else AS_PUBLISHED,
                )
        return next((d for d in self._found if d.value and fold(d.value[1]) in self._values[d.value[0]]), None)

    def coverage(
        self, cells: Sequence[str], said: DateOrder | None = None, *, complete: bool
    ) -> tuple[Coverage, DateOrder | None]:
        """What the file covers, and the order of its dates.

        Args:
            cells: The header's cells in the file's encoding.
            said: The order that a person says it has.
            complete: Whether all rows were read.

        Returns:
            The coverage, and the order; None if it has no dates with the year last, or their order does not matter.

        Raises:
            Unrecognised: If there is no coverage, or several; or if the order matters and cannot be told.
            CutOff: If more rows may tell the coverage, or the order that it depends on.
        """
        if self._dataset.coverage == "quarter":
            if not self._quarters and not complete:
                raise _only_blanks(self._dated, self._name)
            quarter = self._one(self._quarters)
            return quarter, said or self._dates.order(quarter, complete=complete)
        if self._dataset.dated_by is None:
            year = programme_year(cells)
            covered = Coverage.fiscal_year(year) if year else Coverage(kind="undated", key="undated")
            return covered, said or self._dates.order(complete=complete)
        if not self._releases and not complete:
            raise _only_blanks(self._dated, self._name)
        if self._dataset.changed_by:
            return self._last_change(said, complete=complete)
        readings = {order: self._released(order) for order in ORDERS}
        if not any(isinstance(reading, dict) and len(reading) == 1 for reading in readings.values()):
            self._disagree(*readings.values())
        order = said or self._dates.order(complete=complete)
        reading = readings[order or "month-first"]
        if isinstance(reading, str):
            raise self._dates.refused_as(order or "month-first", reading, self._releases[reading])
        return self._one(reading), order

    def _last_change(self, said: DateOrder | None, *, complete: bool) -> tuple[Coverage, DateOrder | None]:
        """The latest of all dates: any line may have it."""
        if not complete:
            raise CutOff(
                f"{self._name}: not all dates of column {self._dated!r}",
                expected="all lines, of which the latest date is the release",
                found=f"the first {self.rows:,} lines",
                what_to_do="Look at the whole file.",
            )
        order = said or self._dates.order()
        read = ((release_covered(text, order or "month-first"), line) for text, line in self._releases.items())
        found = {covered: line for covered, line in read if covered}
        return max(found, key=lambda covered: covered.key) if found else self._one(found), order

    def _released(self, order: DateOrder) -> dict[Coverage, int] | str:
        """The releases of the file in an order with the first line of each, or the first text that is none in it."""
        found: dict[Coverage, int] = {}
        for text, line in self._releases.items():
            covered = release_covered(text, order)
            if covered is None:
                return text
            found.setdefault(covered, line)
        return found

    def _disagree(self, cms: dict[Coverage, int] | str, other: dict[Coverage, int] | str) -> None:
        """Refuses a file whose rows are of one release in neither order, CMS's or the other one."""
        if isinstance(cms, dict):
            self._one(cms)
        elif isinstance(other, str):  # each order reads a date that the other one does not
            self._dates.order()
        elif any(parts(text) is None for text in self._releases):
            # In a column that is written otherwise, too, a date that is none in CMS's order is no sign of another one.
            raise self._unreadable(cms, self._releases[cms])
        else:
            self._one(other)

    def _one(self, covered: Mapping[Coverage, int]) -> Coverage:
        if len(covered) == 1:
            return next(iter(covered))
        kind = self._dataset.coverage
        listed = _listed([f"{coverage.key} from line {line:,}" for coverage, line in covered.items()])
        raise Unrecognised(
            f"{self._name}: {'several' if covered else 'no'} {kind}s in column {self._dated!r}",
            expected=f"one {kind} in all rows",
            found=listed if covered else "only blanks",
            what_to_do=f"Deliver each {kind} in a file of its own, as CMS publishes it.",
        )

    def _unreadable(self, text: str, line: int) -> Unrecognised:
        return Unrecognised(
            f"{self._name}: unreadable {self._dataset.coverage} in line {line:,}, column {self._dated!r}",
            expected="a quarter such as 2024Q2"
            if self._dataset.coverage == "quarter"
            else "a date such as 2024-10-01, 20241001 or 10/01/2024",
            found=repr(text[:60]),
            what_to_do=AS_PUBLISHED,
        )

    @property
    def _dated(self) -> str:
        return self._cell(self._dataset.dated_by)

    def _cell(self, column: str | None) -> str:
        return self._cells[self._header.columns.index(column)]


def _has(column: pa.Array, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(column, pattern)).as_py())


def _listed(found: Sequence[str]) -> str:
    return f"{len(found)}: {', '.join(found[:_NAMED])}{', ...' * (len(found) > _NAMED)}"


def _only_blanks(cell: str, name: str) -> CutOff:
    return CutOff(
        f"{name}: no value in column {cell!r}",
        expected="one in the first rows",
        found="only blanks",
        what_to_do="Look at more of the file.",
    )
