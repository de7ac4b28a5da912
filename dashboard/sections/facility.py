"""The page of a nursing home: all of its sections, in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboard.sections import facility_beside as beside
from dashboard.sections import facility_days as days
from dashboard.sections import facility_lines as lines
from dashboard.sections import facility_outcomes as outcomes
from dashboard.sections import facility_quality as quality
from dashboard.sections import facility_record as record
from dashboard.sections.facility_home import home

if TYPE_CHECKING:
    from dashboard.asking import Ask
    from dashboard.page import Page


def report(page: Page, ask: Ask, ccn: str) -> None:
    """A home in its newest quarter.

    Raises:
        LookupError: the lake does not know the CCN; the message says what to do.
    """
    found = home(ask, ccn)
    record.head(page, found)
    days.over_the_years(page, ask, found)
    if found.newest_quarter:
        start, end = found.newest_quarter
        days.by_day(page, ask, found, start, end)
        lines.days_below(page, ask, found, start, end)
        beside.weekend_gap(page, ask, found, end)
        beside.among_peers(page, ask, found, start, end)
    beside.beside_cms(page, ask, found)
    outcomes.by_month(page, ask, found.ccn)
    quality.measures(page, ask, found)
    quality.citations(page, ask, found)
    quality.penalties(page, ask, found)
