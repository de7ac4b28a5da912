"""The calendar of CMS deliveries: calendar quarters, monthly releases, and which quarter a release reports.

The rule "two quarters back" is what CMS mostly does and only serves to make plausible deliveries. Readers must
take the reported quarter from the generated ``NH_DataCollectionIntervals`` files, as with real ones.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_FIRST_YEAR = 2017

# Not strftime("%b"): that follows the machine's locale.
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

TWO_CYCLES_FROM = date(2025, 7, 1)
"""The release from which on health inspections are rated by two cycles instead of three."""


@dataclass(frozen=True, order=True)
class Quarter:
    """A calendar quarter, written ``2024Q2``."""

    year: int
    number: int

    @classmethod
    def parse(cls, text: str) -> Quarter:
        """Reads ``2024Q2``.

        Raises:
            ValueError: If the text is not a quarter from 2017, the first year of PBJ, on.
        """
        match = re.fullmatch(r"(20[0-9]{2})Q([1-4])", text)
        if match is None or int(match[1]) < _FIRST_YEAR:
            raise ValueError(f"not a quarter like 2024Q2, from 2017 on: {text!r}")
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def of(cls, day: date) -> Quarter:
        """The quarter that holds a day."""
        return cls(day.year, (day.month + 2) // 3)

    def shift(self, quarters: int) -> Quarter:
        """The quarter that many quarters later (earlier if negative)."""
        index = self.index + quarters
        return Quarter(index // 4, index % 4 + 1)

    @property
    def index(self) -> int:
        """Quarters since year 0: consecutive quarters have consecutive numbers."""
        return self.year * 4 + self.number - 1

    @property
    def first(self) -> date:
        """The first day."""
        return date(self.year, self.number * 3 - 2, 1)

    @property
    def last(self) -> date:
        """The last day."""
        return self.shift(1).first - timedelta(days=1)

    @property
    def reported_from(self) -> date:
        """The first release that reports this quarter: the first month two quarters later."""
        return self.shift(2).first

    def dates(self, limit: int | None = None) -> list[date]:
        """All days in order, or the first ``limit`` of them."""
        count = (self.last - self.first).days + 1
        return [self.first + timedelta(days=n) for n in range(count if limit is None else min(limit, count))]

    def __str__(self) -> str:
        return f"{self.year}Q{self.number}"


def release_months(first: Quarter, count: int) -> list[date]:
    """Processing dates of ``count`` monthly releases, from the first one that reports ``first``."""
    start = first.reported_from
    months = [start.year * 12 + start.month - 1 + n for n in range(count)]
    return [date(month // 12, month % 12 + 1, 1) for month in months]


def reported_quarter(release: date, quarters: Sequence[Quarter]) -> Quarter:
    """The quarter that a release reports: the latest generated one that is due by then."""
    due = Quarter.of(release).shift(-2)
    return max(quarter for quarter in quarters if quarter <= due)


def timestamp(day: date, later_days: int = 0) -> float:
    """Noon UTC of a day, in epoch seconds: the modified time of the file of that business date."""
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=timezone.utc)
    return (noon + timedelta(days=later_days)).timestamp()
