"""Words for people: names of columns, of kinds of staff and of states, and numbers, periods and dates as read.

What a home did not do is told as days below a line, never as more than the figures show.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import date

STAFF = {
    "total": "All nursing staff",
    "rn": "Registered nurses (RN)",
    "lpn": "Licensed practical nurses (LPN)",
    "aide": "Nurse aides",
    "direct_care": "Direct care staff",
    "contract": "Contract staff",
}
"""Kinds of staff, as columns name them (``<kind>_hours``, ``hprd_<kind>``)."""

KINDS = ("rn", "lpn", "aide")
"""The kinds that add up to the total, in the order of the palette."""

OWNERSHIP = ("for profit", "non profit", "government")
SIZES = {"small": "below 60 beds", "medium": "60 to 119 beds", "large": "120 beds or more"}

HPRD = "hours per resident day"

STATES = {
    "AL": "Alabama", "AK": "Alaska", "AZ": "Arizona", "AR": "Arkansas", "CA": "California", "CO": "Colorado",
    "CT": "Connecticut", "DE": "Delaware", "DC": "District of Columbia", "FL": "Florida", "GA": "Georgia",
    "GU": "Guam", "HI": "Hawaii", "ID": "Idaho", "IL": "Illinois", "IN": "Indiana", "IA": "Iowa", "KS": "Kansas",
    "KY": "Kentucky", "LA": "Louisiana", "ME": "Maine", "MD": "Maryland", "MA": "Massachusetts", "MI": "Michigan",
    "MN": "Minnesota", "MS": "Mississippi", "MO": "Missouri", "MT": "Montana", "NE": "Nebraska", "NV": "Nevada",
    "NH": "New Hampshire", "NJ": "New Jersey", "NM": "New Mexico", "NY": "New York", "NC": "North Carolina",
    "ND": "North Dakota", "OH": "Ohio", "OK": "Oklahoma", "OR": "Oregon", "PA": "Pennsylvania", "PR": "Puerto Rico",
    "RI": "Rhode Island", "SC": "South Carolina", "SD": "South Dakota", "TN": "Tennessee", "TX": "Texas",
    "UT": "Utah", "VT": "Vermont", "VI": "Virgin Islands", "VA": "Virginia", "WA": "Washington",
    "WV": "West Virginia", "WI": "Wisconsin", "WY": "Wyoming",
}  # fmt: skip
"""Postal codes of states and territories and their names."""

NOTHING = "–"  # noqa: RUF001
"""Shown where there is no value."""


def number(value: Any, digits: int = 2) -> str:
    """``1,234.50``; a dash where there is none."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return NOTHING
    return f"{float(value):,.{digits}f}"


def share(value: Any, digits: int = 1) -> str:
    """``12.3 %`` of 0.123; a dash where there is none."""
    shown = number(None if value is None else float(value) * 100, digits)
    return shown if shown == NOTHING else f"{shown} %"


def day(value: date | None) -> str:
    """``Apr 1, 2024``."""
    return f"{value:%b} {value.day}, {value.year}" if value is not None and value == value else NOTHING  # noqa: PLR0124


def period(start: date, end: date) -> str:
    """``Apr 1 to Jun 30, 2024``."""
    if start == end:
        return day(end)
    first = f"{start:%b} {start.day}" if start.year == end.year else day(start)
    return f"{first} to {day(end)}"


def count(n: int, one: str, many: str = "") -> str:
    """``1 home``, ``2,345 homes``."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def state(code: str) -> str:
    """The name of a state or territory; the code itself, if it is none that is known."""
    return STATES.get(code, code)
