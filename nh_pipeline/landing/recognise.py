"""What a delivery is, from its content: encoding, dataset, layout and coverage.

What belongs here: decisions on the first bytes of a CSV, and the encoding of all of it. File names are never looked
at, only printed. Not here: unpacking (:mod:`nh_pipeline.landing.archive`), headers and aliases
(:mod:`nh_pipeline.contracts.raw`), and checks of every row (bronze).
"""

from __future__ import annotations

import codecs
import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

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
from nh_pipeline.landing.archive import Head, head
from nh_pipeline.landing.coverage import Coverage, programme_year, quarter_covered, release_covered
from nh_pipeline.landing.refused import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

_AS_PUBLISHED = "Deliver the file as CMS publishes it."


class Unrecognised(Refused):
    """A CSV that is no known layout of a known dataset, or whose coverage cannot be told."""


@dataclass(frozen=True)
class Recognition:
    """What a delivery is.

    Attributes:
        dataset: Name in :data:`nh_pipeline.contracts.raw.DATASETS`.
        encoding: ``utf-8``, ``utf-8-sig`` or ``cp1252``, as far as the bytes looked at show.
        coverage: What it covers.
        header: Its columns.
        compression: ``csv``, ``zip`` or ``gz``.
        member: Name of the CSV within a zip archive, else None.
    """

    dataset: str
    encoding: str
    coverage: Coverage
    header: Header
    compression: str
    member: str | None


def recognise(content: bytes, name: str, *, complete: bool = False) -> Recognition:
    """Recognises a delivery by its first bytes.

    Args:
        content: The first 64 KB or so of the delivery, packed or not.
        name: The delivery's name, for messages only.
        complete: Whether that is all of it. If not, its last line counts as cut off.

    Returns:
        What it is.

    Raises:
        Refused: If it is empty, damaged, no text, or (:class:`Unrecognised`) of no known layout.
    """
    if not content:
        raise _empty(name)
    return recognise_csv(head(content, name, complete=complete), name)


def recognise_csv(start: Head, name: str, *, encoding: str | None = None) -> Recognition:
    """Recognises a CSV by its first bytes.

    Args:
        start: The beginning of the CSV.
        name: The delivery's name, for messages only.
        encoding: The encoding of the whole file, if it is known.

    Returns:
        What it is.

    Raises:
        Refused: As :func:`recognise`.
    """
    if not start.content and start.complete:
        raise _empty(name)
    encoding = encoding or encoding_of([start.content], name)
    rows = _rows(start, encoding, name)
    if not rows:
        raise Unrecognised(
            f"{name}: no header",
            expected="a line with the names of the columns",
            found=f"no complete line in the first {len(start.content):,} bytes",
            what_to_do=_AS_PUBLISHED,
        )
    cells, *data = rows
    dataset = _dataset(cells, data, name)
    try:
        header = canonical_header(dataset, cells)
    except HeaderError as error:
        raise Unrecognised(
            f"{name}: not a known layout of {dataset.name}",
            expected="its required columns, each once",
            found=str(error),
            what_to_do=_AS_PUBLISHED,
        ) from error
    if not data:
        raise Refused(
            f"{name}: a header without rows",
            expected=f"rows of {dataset.name}",
            found="none" if start.complete else f"no complete row in the first {len(start.content):,} bytes",
            what_to_do="Deliver the complete file; an empty one would erase what it covers.",
        )
    coverage = _coverage(dataset, header, cells, data, name)
    return Recognition(dataset.name, encoding, coverage, header, start.compression, start.member)


def encoding_of(chunks: Iterable[bytes], name: str) -> str:
    """The encoding of a text, from its bytes in chunks of any size.

    Args:
        chunks: All of the text, or its beginning (a character cut off at the end does not matter).
        name: The delivery's name, for messages only.

    Returns:
        ``utf-8``, ``utf-8-sig`` if it begins with a byte order mark, or ``cp1252`` for anything else.

    Raises:
        Refused: If it is UTF-16 or holds a NUL byte.
    """
    utf8 = codecs.getincrementaldecoder("utf-8")()
    encoding, is_utf8, at, begin = "utf-8", True, 0, b""
    for chunk in chunks:
        if len(begin) < len(codecs.BOM_UTF8):
            begin += chunk[: len(codecs.BOM_UTF8)]
            encoding = "utf-8-sig" if begin.startswith(codecs.BOM_UTF8) else "utf-8"
        if begin.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise _no_text(name, "a UTF-16 byte order mark")
        if b"\0" in chunk:
            raise _no_text(name, f"a NUL byte at offset {at + chunk.index(0):,}")
        if is_utf8:
            try:
                utf8.decode(chunk)
            except UnicodeDecodeError:
                is_utf8 = False
        at += len(chunk)
    return encoding if is_utf8 else "cp1252"


def _empty(name: str) -> Refused:
    return Refused(
        f"{name}: an empty file",
        expected="a CSV with a header and rows",
        found="0 bytes",
        what_to_do="Deliver it again; the upload may have failed.",
    )


def _no_text(name: str, found: str) -> Refused:
    return Refused(
        f"{name}: not a text that can be read",
        expected="UTF-8 or Windows-1252",
        found=found,
        what_to_do="Deliver the CSV as CMS publishes it; from a spreadsheet, save it as 'CSV UTF-8'.",
    )


def _rows(start: Head, encoding: str, name: str) -> list[list[str]]:
    decoder = codecs.getincrementaldecoder(encoding)("strict" if encoding != "cp1252" else "replace")
    text = decoder.decode(start.content).removeprefix("\ufeff")
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    except csv.Error as error:
        raise Unrecognised(
            f"{name}: not a CSV", expected="comma-separated values", found=str(error), what_to_do=_AS_PUBLISHED
        ) from error
    # The last row may be cut off, even within a quoted field that holds a newline.
    return rows if start.complete else rows[:-1]


def _dataset(cells: list[str], data: list[list[str]], name: str) -> Dataset:
    found = candidates(cells)
    if len(found) > 1 and data:
        found = [dataset for dataset in found if _has_value(dataset, cells, data[0])]
    if len(found) == 1:
        return found[0]
    nearest, missing, unknown = _nearest(cells)
    lacks = f"; it lacks {', '.join(missing)}" if missing else ""
    raise Unrecognised(
        f"{name}: not a known CMS file",
        expected=f"the header of one of: {', '.join(DATASETS)}",
        found=f"{len(cells)} columns, the first {[cell[:60] for cell in cells[:6]]!r}; nearest is {nearest}{lacks}; "
        f"unknown to it: {[cell[:60] for cell in unknown[:6]]!r}{' and more' if len(unknown) > 6 else ''}",  # noqa: PLR2004
        what_to_do="If CMS has changed its layout, add the new header cells to nh_pipeline/contracts/raw_columns.py; "
        "else take the file out of the source.",
    )


def _has_value(dataset: Dataset, cells: list[str], row: list[str]) -> bool:
    if dataset.value is None:
        return True
    column, value = dataset.value
    at = names(dataset, cells).index(column)
    return at < len(row) and fold(row[at]) == value


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


def _coverage(dataset: Dataset, header: Header, cells: list[str], data: list[list[str]], name: str) -> Coverage:
    if dataset.dated_by is None:
        year = programme_year(cells)
        return Coverage(kind="undated", key=f"FY{year}" if year else "undated")
    at = header.columns.index(dataset.dated_by)
    values: dict[Coverage, int] = {}
    for line, row in enumerate(data, start=2):
        text = row[at].strip() if at < len(row) else ""
        if text:
            covered = quarter_covered(text) if dataset.coverage == "quarter" else release_covered(text)
            if covered is None:
                raise Unrecognised(
                    f"{name}: unreadable {dataset.coverage} in row {line}, column {cells[at]!r}",
                    expected="a quarter such as 2024Q2"
                    if dataset.coverage == "quarter"
                    else "a date such as 2024-10-01, 20241001 or 10/01/2024",
                    found=repr(text[:60]),
                    what_to_do=_AS_PUBLISHED,
                )
            values.setdefault(covered, line)
    if len(values) == 1:
        return next(iter(values))
    found = ", ".join(f"{coverage.key} in row {line}" for coverage, line in values.items()) or "only blanks"
    raise Unrecognised(
        f"{name}: column {cells[at]!r} does not say which {dataset.coverage} it is",
        expected=f"one {dataset.coverage} in all rows",
        found=found,
        what_to_do=f"Deliver each {dataset.coverage} in a file of its own, as CMS publishes it.",
    )
