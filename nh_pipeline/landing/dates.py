"""Days as people write them: year first, which reads in one way, or the year last, which may read in two.

What belongs here: one text. Not here: which of the two ways a file means (:mod:`nh_pipeline.landing.date_order`), and
Spark's reading of the same texts (:mod:`nh_pipeline.transforms.values`), which reads whatever is read here.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import date
from functools import lru_cache
from typing import Literal, NamedTuple, get_args

DateOrder = Literal["month-first", "day-first"]
ORDERS: tuple[DateOrder, DateOrder] = get_args(DateOrder)

YEAR_LAST = r"^\s*[0-9]{1,2}[-/.][0-9]{1,2}[-/.][0-9]{4}"
"""How every text begins that :func:`parts` reads, for pyarrow; other texts begin so, too."""

_TIME = (
    r"(?:[T ] ?[0-2]?[0-9]:[0-5][0-9](?::[0-5][0-9](?:[.][0-9]{1,9})?)?"
    r"(?: ?[AaPp][Mm])?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_YEAR_FIRST = (
    re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})" + _TIME),
    re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})"),
)
_YEAR_LAST = re.compile(r"([0-9]{1,2})([-/.])([0-9]{1,2})\2([0-9]{4})" + _TIME)


class Parts(NamedTuple):
    """A day that is written with the year last: ``01/08/2024``."""

    first: int
    second: int
    year: int

    def day(self, order: DateOrder) -> date | None:
        """The day that is meant in one order; None if there is no such day."""
        month, day = self[:2] if order == "month-first" else self[1::-1]
        with suppress(ValueError):
            return date(self.year, month, day)
        return None


@lru_cache(maxsize=1 << 16)  # the same few days, in millions of rows
def parts(text: str) -> Parts | None:
    """The parts of a day with the year last, its time left out; None for any other text.

    The year has four digits: ``8/1/24`` might begin with it.
    """
    match = _YEAR_LAST.fullmatch(text)
    return Parts(int(match[1]), int(match[3]), int(match[4])) if match else None


def read(text: str, order: DateOrder = "month-first") -> date | None:
    """The day that a text means, its time left out; None if it means none."""
    for pattern in _YEAR_FIRST:
        match = pattern.fullmatch(text)
        if match:
            with suppress(ValueError):
                return date(int(match[1]), int(match[2]), int(match[3]))
            return None
    found = parts(text)
    return found.day(order) if found else None


def in_words(day: date | None) -> str:
    """A day that cannot be mistaken: ``8 January 2024``."""
    return f"{day.day} {day:%B %Y}" if day else "no day"
