"""What a delivery covers, in business time, and how CMS writes it.

What belongs here: quarters, release dates and programme years as text and as values. Not here: which column they are
in (:mod:`nh_pipeline.datasets.headers`) and whether all rows agree (:mod:`nh_pipeline.landing.survey`).
"""

from __future__ import annotations

import calendar
import re
from datetime import date
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from nh_pipeline.landing.dates import read
from nh_pipeline.model.dataset import CoverageKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nh_pipeline.landing.dates import DateOrder

_QUARTER = re.compile(r"(20[0-9]{2}) ?Q([1-4])", re.IGNORECASE)
_FIRST_YEAR, _LAST_YEAR = 2000, 2099
_THRESHOLD_YEAR = re.compile(r"\bFY (20[0-9]{2}) (?:Achievement Threshold|Benchmark)", re.IGNORECASE)
_PERFORMANCE_YEAR = re.compile(r"^Performance Period: FY (20[0-9]{2}) ", re.IGNORECASE)


class Coverage(BaseModel):
    """What a delivery covers, in business time.

    Attributes:
        kind: ``quarter``, ``release``, ``fiscal_year``, or ``undated`` if the file does not say.
        key: ``2024Q2``; the release date, ``2024-10-01``; ``FY2024`` for a programme year; else ``undated``. Safe as
            one segment of a path.
        start: First day covered; None if undated.
        end: Last day covered; None if undated. Of a release, the same day as ``start``.
    """

    model_config = ConfigDict(frozen=True)

    kind: CoverageKind
    key: str = Field(pattern=r"^[0-9A-Za-z-]{1,32}$")
    start: date | None = None
    end: date | None = None

    @classmethod
    def quarter(cls, year: int, quarter: int) -> Coverage:
        """A calendar quarter, 1 to 4."""
        last = 3 * quarter
        end = date(year, last, calendar.monthrange(year, last)[1])
        return cls(kind="quarter", key=f"{year}Q{quarter}", start=date(year, last - 2, 1), end=end)

    @classmethod
    def fiscal_year(cls, year: int) -> Coverage:
        """A federal fiscal year: October of the year before to September."""
        return cls(kind="fiscal_year", key=f"FY{year}", start=date(year - 1, 10, 1), end=date(year, 9, 30))

    @classmethod
    def release(cls, day: date) -> Coverage:
        """The CMS release of a day."""
        return cls(kind="release", key=day.isoformat(), start=day, end=day)


def quarter_covered(text: str) -> Coverage | None:
    """The coverage that a quarter such as ``2024Q2`` means; None if the text is no quarter."""
    match = _QUARTER.fullmatch(text)
    return Coverage.quarter(int(match[1]), int(match[2])) if match else None


def release_covered(text: str, order: DateOrder = "month-first") -> Coverage | None:
    """The coverage that a release date means, its time left out; None if the text is no date of this century.

    Args:
        text: The date: ``2024-10-01``, ``20241001`` or with the year last.
        order: How it is read if the year is last.
    """
    day = read(text, order)
    return Coverage.release(day) if day and _FIRST_YEAR <= day.year <= _LAST_YEAR else None


def programme_year(cells: Iterable[str]) -> int | None:
    """The fiscal year of a value-based purchasing file, from its header.

    Args:
        cells: The header's cells. They name the year of the achievement threshold, or else the year of the performance
            period, which is two before the programme's.

    Returns:
        The year, None if no cell names one.
    """
    found = [cell.strip() for cell in cells]
    threshold = next((match for cell in found if (match := _THRESHOLD_YEAR.search(cell))), None)
    if threshold:
        return int(threshold[1])
    performance = next((match for cell in found if (match := _PERFORMANCE_YEAR.match(cell))), None)
    return int(performance[1]) + 2 if performance else None
