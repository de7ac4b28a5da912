"""Calendar units that the product works in: days, months (files of daily tables), quarters (CMS's deliveries)."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

FIRST_WORK_DATE = date(2017, 1, 1)
"""CMS publishes daily staffing from the first quarter of 2017."""

FIRST_RELEASE = date(2005, 5, 1)
"""Month of the first numbers of the NPI registry, whose files may be of any time since then. All others are younger."""

_QUARTERS = 4
"""Of a year."""

_QUARTER = re.compile(r"^([0-9]{4})Q([1-4])$")


def quarter_of(day: date) -> str:
    """The calendar quarter as CMS writes it: ``2024Q2``."""
    return f"{day.year}Q{(day.month - 1) // 3 + 1}"


def quarter_bounds(quarter: str) -> tuple[date, date]:
    """First and last day of ``2024Q2``.

    Raises:
        ValueError: not a quarter.
    """
    match = _QUARTER.match(quarter)
    if match is None:
        raise ValueError(f"{quarter!r} is no quarter: expected 2024Q2")
    year, first = int(match[1]), (int(match[2]) - 1) * 3 + 1
    following = date(year + 1, 1, 1) if first == 10 else date(year, first + 3, 1)  # noqa: PLR2004 (October)
    return date(year, first, 1), following - timedelta(days=1)


def quarters(start: date, end: date) -> list[tuple[str, date, date]]:
    """The quarters that a range touches, each with the part of the range that lies in it."""
    found = []
    while start <= end:
        quarter = quarter_of(start)
        last = min(quarter_bounds(quarter)[1], end)
        found.append((quarter, start, last))
        start = last + timedelta(days=1)
    return found


def joined(spans: Iterable[tuple[date, date]]) -> list[tuple[date, date]]:
    """Spans of days (first and last), with those that follow on one another made one."""
    found: list[tuple[date, date]] = []
    for start, end in sorted(spans):
        if found and start == found[-1][1] + timedelta(days=1):
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found


def by_years(spans: Iterable[tuple[date, date]]) -> list[tuple[date, date]]:
    """Spans of days, joined; those that touch more than four quarters are cut where years end."""
    found: list[tuple[date, date]] = []
    for start, end in joined(spans):
        if len(quarters(start, end)) <= _QUARTERS:
            found.append((start, end))
        else:
            years = range(start.year, end.year + 1)
            found += [(max(start, date(year, 1, 1)), min(end, date(year, 12, 31))) for year in years]
    return found


def months(start: date, end: date) -> list[str]:
    """The months that a range touches: ``2024-04``."""
    count = (end.year - start.year) * 12 + end.month - start.month
    indices = (start.year * 12 + start.month - 1 + i for i in range(count + 1))
    return [f"{i // 12:04d}-{i % 12 + 1:02d}" for i in indices]


def month_bounds(month: str) -> tuple[date, date]:
    """First and last day of ``2024-04``."""
    year, number = (int(part) for part in month.split("-"))
    following = date(year + number // 12, number % 12 + 1, 1)
    return date(year, number, 1), following - timedelta(days=1)


def first_day(part: str) -> date:
    """The first day of a part of a table that is cut in time: ``2024-04``, ``2024-10-01``, ``FY2024`` (October on).

    Raises:
        ValueError: it is none of these.
    """
    if part.startswith("FY"):
        return date(int(part[2:]) - 1, 10, 1)
    return date.fromisoformat(part if part.count("-") > 1 else f"{part}-01")


def shifted(day: date, months: int) -> date:
    """The first day of the month that is so many months later (earlier, if negative)."""
    index = day.year * 12 + day.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)
