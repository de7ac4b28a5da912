"""What a delivery is, from its content: encoding, dataset, layout and coverage.

What belongs here: decisions on a CSV as a whole, and on its first bytes as far as they go. File names are never looked
at, only printed. Not here: unpacking (:mod:`nh_pipeline.landing.archive`), headers and aliases
(:mod:`nh_pipeline.contracts.raw`), and what single lines hold (bronze and silver).
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

import pyarrow.compute as pc

from nh_pipeline.contracts.raw import (
    DATASETS,
    Dataset,
    Header,
    HeaderError,
    candidates,
    canonical_header,
    fold,
    names,
)
from nh_pipeline.landing.archive import head
from nh_pipeline.landing.coverage import Coverage, programme_year, quarter_covered, release_covered
from nh_pipeline.landing.records import RecordReader
from nh_pipeline.landing.refused import Refused
from nh_pipeline.landing.text import CsvText, MalformedCsv, Watched
from nh_pipeline.sources.protocol import PEEK_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

LONGEST_RECORD = 2 << 20
"""Bytes of the longest record that is certainly taken; twice as long, it is certainly refused. A block of bronze holds
it whatever its encoding, so bronze parses whatever has landed."""

_AS_PUBLISHED = "Deliver the file as CMS publishes it."


class Unrecognised(Refused):
    """A CSV that is no known layout of a known dataset, or whose coverage cannot be told."""


class CutOff(Refused):
    """The bytes that were given end before they tell what the file is; more of them may tell."""


@dataclass(frozen=True)
class Recognition:
    """What a delivery is.

    Attributes:
        dataset: Name in :data:`nh_pipeline.contracts.raw.DATASETS`.
        encoding: ``utf-8``, ``utf-8-sig`` or ``cp1252``, as far as the bytes looked at show.
        coverage: What it covers.
        header: Its columns.
        records: Lines after the header, those with a wrong number of cells included.
        size: Bytes of the CSV.
    """

    dataset: str
    encoding: str
    coverage: Coverage
    header: Header
    records: int
    size: int


def recognise(content: bytes, name: str, *, complete: bool = False) -> Recognition:
    """Recognises a delivery by its first bytes; what lies behind them may still refuse it when it lands.

    Args:
        content: The first 64 KB or so of the delivery, packed or not.
        name: The delivery's name, for messages only.
        complete: Whether that is all of it. If not, its last line counts as cut off.

    Returns:
        What it is.

    Raises:
        Refused: If it is empty, damaged, no text, or (:class:`Unrecognised`) of no known layout; :class:`CutOff` if
            more bytes may tell.
    """
    if not content:
        raise _empty(name)
    start = head(content, name, complete=complete, size=max(len(content), PEEK_BYTES))
    if start.complete:
        return judge(io.BytesIO(start.content), name)
    whole_lines = 1 + max(start.content.rfind(b"\n"), start.content.rfind(b"\r"))
    if not whole_lines:
        raise CutOff(
            f"{name}: no header",
            expected="a line with the names of the columns",
            found=f"no line end in the first {len(start.content):,} bytes",
            what_to_do=_AS_PUBLISHED,
        )
    return judge(io.BytesIO(start.content[:whole_lines]), name, complete=False)


def judge(stream: BinaryIO, name: str, *, complete: bool = True) -> Recognition:
    """Recognises a CSV by all of it: one pass, in bounded memory.

    Whatever passes can be parsed from its first to its last byte. Lines with a wrong number of cells are the business
    of bronze, values that of silver.

    Args:
        stream: The CSV, unpacked.
        name: The delivery's name, for messages only.
        complete: Whether it goes to the end of the file; if not, a quote may be open there.

    Returns:
        What it is.

    Raises:
        Refused: As :func:`recognise`; also for more than one coverage, wherever the second one begins, for a quote
            that is never closed, a record longer than :data:`LONGEST_RECORD`, and a file without a readable row.
    """
    watched = Watched(stream, name)
    try:
        text = CsvText(watched, "latin-1")
        cells = text.header(watched.encoding)
        if not cells:
            raise _no_header(watched.size, name)
        found = candidates(cells)
        if not found:
            raise _unknown(cells, name)
        header = _header(found[0], cells, name)
        seen = _Survey(found[0], header, cells, name)
        seen.read(text, complete=complete)
    except MalformedCsv as error:
        raise Unrecognised(
            f"{name}: not a CSV that can be cut into lines",
            expected=error.expected,
            found=error.found,
            what_to_do=f"Look at that line for a quote too much or too few. {_AS_PUBLISHED}",
        ) from error
    if complete:
        watched.end()
    dataset = next((d for d in found if _has_value(d, seen.first)), None) if len(found) > 1 else found[0]
    if not seen.rows:
        raise _no_rows(found[0], seen, name, complete=complete)
    if dataset is None:
        raise _unknown(cells, name)
    cells = text.header(watched.encoding)
    return Recognition(
        dataset.name,
        watched.encoding,
        seen.coverage(cells),
        _header(dataset, cells, name),
        seen.records,
        watched.size,
    )


class _Survey:
    """What the column that dates a file says in all of its rows."""

    def __init__(self, dataset: Dataset, header: Header, cells: Sequence[str], name: str) -> None:
        self._dataset, self._header, self._cells, self._name = dataset, header, cells, name
        self._covered: dict[Coverage, int] = {}
        self._known: set[str] = set()
        self.first: dict[str, str] = {}
        self.rows = self.records = 0
        self.ragged = ""

    def read(self, text: CsvText, *, complete: bool) -> None:
        told_by = {self._dataset.dated_by, *(self._dataset.value or ())[:1]} - {None}
        only = [c for c in self._header.columns if c in told_by]
        reader = RecordReader(self._header.columns, only=[c for c in only if c], block=LONGEST_RECORD)
        try:
            for batch in reader.batches(text):
                if not self.first and batch.num_rows:
                    self.first = {c: batch.column(c)[0].as_py() or "" for c in batch.schema.names[:-1]}
                if self._dataset.dated_by:
                    self._look(batch.column(self._dataset.dated_by), batch.column("source_line"))
                self._keep(reader)
        except MalformedCsv:
            if complete:
                raise
        self._keep(reader)

    def _keep(self, reader: RecordReader) -> None:
        self.rows, self.records = reader.rows, reader.records
        for line in reader.refused[: not self.ragged]:
            self.ragged = f"in line {line.source_line:,}: {line.reason}"
        reader.refused.clear()

    def _look(self, column: pa.Array, lines: pa.Array) -> None:
        for text in pc.unique(column).drop_null().to_pylist():
            if text in self._known or not text.strip():
                continue
            self._known.add(text)
            line = lines[pc.index(column, text).as_py()].as_py()
            read = quarter_covered if self._dataset.coverage == "quarter" else release_covered
            covered = read(text.strip())
            if covered is None:
                raise Unrecognised(
                    f"{self._name}: unreadable {self._dataset.coverage} in line {line:,}, column {self._column!r}",
                    expected="a quarter such as 2024Q2"
                    if self._dataset.coverage == "quarter"
                    else "a date such as 2024-10-01, 20241001 or 10/01/2024",
                    found=repr(text[:60]),
                    what_to_do=_AS_PUBLISHED,
                )
            self._covered.setdefault(covered, line)

    @property
    def _column(self) -> str:
        return self._cells[self._header.columns.index(self._dataset.dated_by)]

    def coverage(self, cells: Sequence[str]) -> Coverage:
        if self._dataset.dated_by is None:
            year = programme_year(cells)
            return Coverage(kind="undated", key=f"FY{year}" if year else "undated")
        if len(self._covered) == 1:
            return next(iter(self._covered))
        kind = self._dataset.coverage
        first = [f"{coverage.key} from line {line:,}" for coverage, line in self._covered.items()]
        found = f"{len(first)}: {', '.join(first[:5])}{', ...' * (len(first) > 5)}" if first else "only blanks"  # noqa: PLR2004
        raise Unrecognised(
            f"{self._name}: {'several' if first else 'no'} {kind}s in column {self._column!r}",
            expected=f"one {kind} in all rows",
            found=found,
            what_to_do=f"Deliver each {kind} in a file of its own, as CMS publishes it.",
        )


def _empty(name: str) -> Refused:
    return Refused(
        f"{name}: an empty file",
        expected="a CSV with a header and rows",
        found="0 bytes",
        what_to_do="Deliver it again; the upload may have failed.",
    )


def _no_header(size: int, name: str) -> Refused:
    if not size:
        return _empty(name)
    return Unrecognised(
        f"{name}: no header",
        expected="a line with the names of the columns",
        found=f"only blank lines in {size:,} bytes",
        what_to_do=_AS_PUBLISHED,
    )


def _no_rows(dataset: Dataset, seen: _Survey, name: str, *, complete: bool) -> Refused:
    if not complete:
        return CutOff(
            f"{name}: a header without rows",
            expected=f"rows of {dataset.name}",
            found="no complete row in the first bytes",
            what_to_do="Look at more of the file.",
        )
    if not seen.records:
        return Refused(
            f"{name}: a header without rows",
            expected=f"rows of {dataset.name}",
            found="nothing after line 1",
            what_to_do="Deliver the complete file; an empty one would erase what it covers.",
        )
    return Unrecognised(
        f"{name}: no readable row",
        expected="rows with as many cells as the header",
        found=f"{seen.records:,} lines, none with as many; {seen.ragged}",
        what_to_do=_AS_PUBLISHED,
    )


def _header(dataset: Dataset, cells: Sequence[str], name: str) -> Header:
    try:
        header = canonical_header(dataset, cells)
    except HeaderError as error:
        raise Unrecognised(
            f"{name}: not a known layout of {dataset.name}",
            expected="its required columns, each once",
            found=str(error),
            what_to_do=_AS_PUBLISHED,
        ) from error
    broken = [cell for cell, known in zip(cells, header.columns, strict=True) if not known and set(cell) & set("\r\n")]
    if broken:  # a quote that is not closed in line 1 would make rows a part of the header
        raise Unrecognised(
            f"{name}: a line break in the header",
            expected="names of columns in one line",
            found=f"a cell that begins {broken[0][:60]!r} in line 1",
            what_to_do=f"Look for a quote too much or too few in line 1. {_AS_PUBLISHED}",
        )
    return header


def _unknown(cells: list[str], name: str) -> Unrecognised:
    nearest, missing, unknown = _nearest(cells)
    lacks = f"; it lacks {', '.join(missing)}" if missing else ""
    return Unrecognised(
        f"{name}: not a known CMS file",
        expected=f"the header of one of: {', '.join(DATASETS)}",
        found=f"{len(cells)} columns, the first {[cell[:60] for cell in cells[:6]]!r}; nearest is {nearest}{lacks}; "
        f"unknown to it: {[cell[:60] for cell in unknown[:6]]!r}{' and more' if len(unknown) > 6 else ''}",  # noqa: PLR2004
        what_to_do="If CMS has changed its layout, add the new header cells to nh_pipeline/contracts/raw_columns.py; "
        "else take the file out of the source.",
    )


def _has_value(dataset: Dataset, row: dict[str, str]) -> bool:
    if dataset.value is None:
        return False
    column, value = dataset.value
    return fold(row.get(column, "")) == value


def _nearest(cells: list[str]) -> tuple[str, list[str], list[str]]:
    def known(dataset: Dataset) -> int:
        return sum(name is not None for name in names(dataset, cells))

    best = max(DATASETS.values(), key=lambda dataset: (known(dataset), -len(dataset.table)))
    if not known(best):
        return "none", [], cells
    have = names(best, cells)
    wanted = dict.fromkeys((*best.signature, *best.required))
    unknown = [cell for cell, name in zip(cells, have, strict=True) if name is None]
    return best.name, [name for name in wanted if name not in have], unknown
