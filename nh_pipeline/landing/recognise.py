"""What a delivery is, from its content: encoding, dataset, layout, coverage and the order of its dates.

What belongs here: decisions on a CSV as a whole, and on its first bytes as far as they go. File names are never looked
at, only printed. Not here: unpacking (:mod:`nh_pipeline.landing.archive`), headers and aliases
(:mod:`nh_pipeline.datasets.headers`), what all rows must agree on (:mod:`nh_pipeline.landing.survey`), and what single
lines hold (bronze and silver).
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from nh_pipeline.datasets.headers import Header, HeaderError, candidates, canonical_header
from nh_pipeline.landing.archive import open_csv, start_of_csv
from nh_pipeline.landing.dialect import Dialect, find
from nh_pipeline.landing.refused import Beside, CutOff, Refused, Unrecognised
from nh_pipeline.landing.survey import AS_PUBLISHED, LONGEST_RECORD, Survey
from nh_pipeline.landing.text import (
    HEADER_BYTES,
    MIXED,
    CsvStream,
    EncodingDetector,
    MalformedCsv,
    decoded,
    without_marks,
)
from nh_pipeline.landing.unknown import unknown
from nh_pipeline.sources.protocol import PEEK_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nh_pipeline.landing.coverage import Coverage
    from nh_pipeline.landing.dates import DateOrder
    from nh_pipeline.model.dataset import Dataset

__all__ = ["LONGEST_RECORD", "CutOff", "Recognition", "Unrecognised", "inspect_file", "recognise"]


@dataclass(frozen=True)
class Recognition:
    """What a delivery is.

    Attributes:
        dataset: Name in :data:`nh_pipeline.datasets.DATASETS`.
        encoding: ``utf-8``, ``utf-8-sig``, ``cp1252`` or ``utf-8/cp1252``, as far as the bytes looked at show.
        coverage: What it covers.
        header: Its columns.
        cells: Its header as the file writes it.
        date_order: The order of its dates with the year last; None if there are none, or it does not matter.
        records: Lines after the header, those with a wrong number of cells included.
        size: Bytes of the CSV.
        dialect: How it is written.
        strays: Bytes of a file of UTF-8 that are read as Windows-1252.
        first_stray: Line of the first of them.
    """

    dataset: str
    encoding: str
    coverage: Coverage
    header: Header
    cells: tuple[str, ...]
    date_order: DateOrder | None
    records: int
    size: int
    dialect: Dialect = field(default_factory=Dialect)
    strays: int = 0
    first_stray: int = 0


def recognise(content: bytes, name: str, *, complete: bool = False) -> Recognition:
    """Recognises a delivery by its first bytes; what lies behind them may still refuse it when it lands.

    Args:
        content: The first 64 KB or so of the delivery, plain or gzipped; if it is complete, also zipped.
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
    if complete:  # as landing does it
        with open_csv(io.BytesIO(content), name).stream as stream:
            return inspect_file(stream, name)
    start = start_of_csv(content, name, size=max(len(content), PEEK_BYTES))
    whole_lines = 1 + max(start.rfind(b"\n"), start.rfind(b"\r"))
    if not whole_lines:
        raise CutOff(
            f"{name}: no header",
            expected="a line with the names of the columns",
            found=f"no line end in the first {len(start):,} bytes",
            what_to_do=AS_PUBLISHED,
        )
    return inspect_file(io.BytesIO(start[:whole_lines]), name, complete=False)


def inspect_file(stream: BinaryIO, name: str, *, complete: bool = True, order: DateOrder | None = None) -> Recognition:
    """Recognises a CSV by all of it: one pass, in bounded memory.

    Whatever passes can be parsed from its first to its last byte. Lines with a wrong number of cells are the business
    of bronze, values that of silver.

    Args:
        stream: The CSV, unpacked.
        name: The delivery's name, for messages only.
        complete: Whether it goes to the end of the file; if not, a quote may be open there.
        order: The order of its dates, if a person has said it.

    Returns:
        What it is.

    Raises:
        Refused: As :func:`recognise`; also for more than one coverage, wherever the second one begins, for dates whose
            order cannot be told (:class:`UndecidedDates`), for a quote that is never closed, a record longer than
            :data:`LONGEST_RECORD`, and a file without a readable row.
    """
    detector = EncodingDetector(stream, name)
    try:
        begun = detector.read(HEADER_BYTES)
        if complete and len(begun) < HEADER_BYTES:
            detector.end()
        start = decoded(without_marks(begun), detector.encoding)
        dialect, row = find(start, lambda cells: bool(candidates(cells)), complete=complete)
        if row:
            raise _rows_above(dialect, row, name)
        text = CsvStream(detector, "latin-1", dialect, begun)
        cells = text.header(detector.encoding)
        if not cells:
            raise _no_header(detector.size, name)
        found = candidates(cells)
        if not found:
            raise unknown(cells, name)
        line = 1 + dialect.above
        header = _header(found[0], cells, name, line)
        seen = Survey(found, header, cells, name)
        seen.read(text, complete=complete)
    except MalformedCsv as error:
        raise malformed(error, name) from error
    if complete:
        detector.end()
        if seen.ragged_end and seen.rows and not detector.last.endswith((b"\n", b"\r")):
            raise _cut(seen.ragged_end, name)
    if not seen.rows:
        raise _no_rows(found[0], seen, name, line, complete=complete)
    dataset = seen.dataset(complete=complete)
    if dataset is None:
        raise unknown(cells, name)
    cells = text.header(detector.encoding)
    coverage, order = seen.coverage(cells, order, complete=complete)
    return Recognition(
        dataset=dataset.name,
        encoding=detector.encoding,
        coverage=coverage,
        header=_header(dataset, cells, name, line),
        cells=tuple(cells),
        date_order=order,
        records=seen.records,
        size=detector.size,
        dialect=dialect.model_copy(update={"decimal": seen.decimal}),
        strays=detector.strays if detector.encoding == MIXED else 0,
        first_stray=detector.first_stray if detector.encoding == MIXED else 0,
    )


def malformed(error: MalformedCsv, name: str) -> Unrecognised:
    """Why a text is refused that cannot be cut into records."""
    return Unrecognised(
        f"{name}: not a CSV that can be cut into lines",
        expected=error.expected,
        found=error.found,
        what_to_do=f"Look at that line for a quote too much or too few. {AS_PUBLISHED}",
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
        what_to_do=AS_PUBLISHED,
    )


def _no_rows(dataset: Dataset, seen: Survey, name: str, line: int, *, complete: bool) -> Refused:
    if not complete:
        return CutOff(
            f"{name}: a header without rows",
            expected=f"rows of {dataset.name}",
            found="no complete row in the first bytes",
            what_to_do="Look at more of the file.",
        )
    if not seen.records:
        erases = "; an empty one would erase what it covers" if dataset.changed_by is None else ""
        return (Refused if erases else Beside)(
            f"{name}: a header without rows",
            expected=f"rows of {dataset.name}",
            found=f"nothing after line {line}",
            what_to_do=f"Deliver the complete file{erases}.",
        )
    one_cell = seen.ragged.endswith("found 1")
    return Unrecognised(
        f"{name}: no readable row",
        expected="rows with as many cells as the header",
        found=f"{seen.records:,} lines, none with as many; {seen.ragged}",
        what_to_do=f"Each line may be one quoted cell, or have another delimiter than the header. {AS_PUBLISHED}"
        if one_cell
        else AS_PUBLISHED,
    )


def _rows_above(dialect: Dialect, row: str, name: str) -> Unrecognised:
    return Unrecognised(
        f"{name}: rows above the header",
        expected="the header in line 1, or titles and blank lines above it",
        found=f"the header in line {dialect.above + 1}, and above it {row.strip()[:60]!r}",
        what_to_do=f"Put the header first: rows above it belong to no column. {AS_PUBLISHED}",
    )


def _cut(line: str, name: str) -> Refused:
    return Refused(
        f"{name}: its end is cut off",
        expected="a last line that is complete, or that has a line end",
        found=line,
        what_to_do="Deliver the complete file; the download may have broken off. A remark in the last line is to go.",
    )


def _header(dataset: Dataset, cells: Sequence[str], name: str, line: int) -> Header:
    try:
        header = canonical_header(dataset, cells, line=line)
    except HeaderError as error:
        raise Unrecognised(
            f"{name}: not a known layout of {dataset.name}",
            expected="its required columns, each once",
            found=str(error),
            what_to_do=AS_PUBLISHED,
        ) from error
    broken = [cell for cell, known in zip(cells, header.columns, strict=True) if not known and set(cell) & set("\r\n")]
    if broken:  # a quote that is not closed there would make rows a part of the header
        raise Unrecognised(
            f"{name}: a line break in the header",
            expected="names of columns in one line",
            found=f"a cell that begins {broken[0][:60]!r} in line {line}",
            what_to_do=f"Look for a quote too much or too few in line {line}. {AS_PUBLISHED}",
        )
    return header
