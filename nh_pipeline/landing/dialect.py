"""How a CSV is written: its delimiter, what stands above its header, and blank cells after its lines.

What belongs here: finding that out from the beginning of a text, where it is certain. Not here: bytes and encodings
(:mod:`nh_pipeline.landing.text`), and what a header means.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}

_MOST_ABOVE, _HEADER_LINES, _SAMPLE = 30, 50, 200
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")


class Dialect(BaseModel):
    """How a CSV is written.

    Attributes:
        delimiter: Between cells.
        above: Lines above the header, blank ones included: a title, Excel's ``sep=;``.
        named: Cells of the header that are names; None for all.
        blank: Blank cells that end every line, beyond those that are named.
        decimal: Mark before the decimals of numbers.
    """

    model_config = ConfigDict(frozen=True)

    delimiter: Literal[",", ";", "\t", "|"] = ","
    above: int = 0
    named: int | None = None
    blank: int = 0
    decimal: Literal[".", ","] = "."

    @property
    def told(self) -> str:
        """In which ways it is not CMS's, in words; empty if in none."""
        ways = (
            f"{DELIMITERS[self.delimiter]} between its cells" * (self.delimiter != ","),
            f"{self.above} line{'s' * (self.above > 1)} above its header" * bool(self.above),
            "blank cells after its lines" * bool(self.blank),
            "decimal commas" * (self.decimal == ","),
        )
        return ", ".join(filter(None, ways))


def lines(text: str) -> Iterator[str]:
    r"""The lines of a text with their ends: ``\n``, ``\r\n`` and ``\r``, as pyarrow and people see them."""
    at = 0
    while at < len(text):
        match = _LINE.match(text, at)
        at = match.end() if match else len(text)
        yield match[0] if match else ""


def rows(text: Iterable[str], delimiter: str) -> Iterator[list[str]]:
    """The records of lines, those without cells left out.

    Raises:
        csv.Error: If there is no end of a cell.
    """
    return (row for row in csv.reader(text, delimiter=delimiter) if row)


def header_of(text: Iterable[str], delimiter: str) -> list[str]:
    """The first record; one that a spreadsheet put into a single cell is cut again. Empty if there is none.

    Raises:
        csv.Error: As :func:`rows`.
    """
    found = next(rows(text, delimiter), [])
    if len(found) == 1 and delimiter in found[0]:
        found = next(rows(found, delimiter), found)
    return found


def find(text: str, known: Callable[[Sequence[str]], bool], *, complete: bool) -> tuple[Dialect, str]:
    """How a CSV is written, by its beginning.

    Args:
        text: The beginning, without byte order marks.
        known: Whether cells are a header.
        complete: Whether that is all of the text; if not, its last line counts as cut off.

    Returns:
        The dialect, and the first line above the header that is no title, empty if there is none. Where no header is
        known: the delimiter that makes the most of the first line.
    """
    beginning = list(islice(lines(text), _MOST_ABOVE + _HEADER_LINES))
    for above, line in enumerate(beginning[:_MOST_ABOVE]):
        for delimiter in DELIMITERS if line.strip() else ():
            cells = _header(beginning[above:], delimiter)
            if len(cells) > 1 and known(cells):
                odd = next((title for title in beginning[:above] if _is_row(title, delimiter, len(cells))), "")
                above_it = above if any(title.strip() for title in beginning[:above]) else 0  # blank lines do not count
                after = islice(lines(text), above, None)
                named, blank = _width(cells, after, delimiter, complete=complete)
                return Dialect(delimiter=delimiter, above=above_it, named=named, blank=blank), odd
    most = max(DELIMITERS, key=lambda delimiter: len(_header(beginning, delimiter)))
    return Dialect(delimiter=most if len(_header(beginning, ",")) == 1 else ","), ""


def _header(text: Sequence[str], delimiter: str) -> list[str]:
    try:
        return header_of(islice(text, _HEADER_LINES), delimiter)
    except csv.Error:
        return []


def _is_row(line: str, delimiter: str, width: int) -> bool:
    """Whether a line above a header is no title: half as many cells as the header has are filled."""
    return 2 * sum(bool(cell.strip()) for cell in _header([line], delimiter)) >= width


def _width(cells: Sequence[str], text: Iterable[str], delimiter: str, *, complete: bool) -> tuple[int | None, int]:
    """How many cells of a header are names, if not all, and how many blank ones end every line."""
    filled = max((n for n, cell in enumerate(cells, 1) if cell.strip()), default=0)
    try:
        found = list(islice(rows(text, delimiter), 1, _SAMPLE + 1))
    except csv.Error:  # where it is refused, it is said in words
        return None, 0
    if not complete and len(found) < _SAMPLE:
        found = found[:-1]
    if not found:
        return None, 0
    width = Counter(map(len, found)).most_common(1)[0][0]
    if width < filled or width == len(cells) == filled:
        return None, 0
    surplus = [any(row[filled:]) for row in found if len(row) == width]
    # Cells below a blank one of the header are kept as they are; those below none are no cells if most are blank.
    if any(surplus) if width <= len(cells) else 2 * sum(surplus) >= len(surplus):
        return None, 0
    return (filled if filled < len(cells) else None), width - filled
