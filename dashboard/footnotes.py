"""What CMS's numbers beside blank figures mean (Nursing Home Data Dictionary), and scope and severity in words."""

from __future__ import annotations

from typing import Any

FOOTNOTES = {
    "1": "newly certified: too little data yet",
    "2": "not enough data for a star rating",
    "6": "no staffing data, or such as do not meet CMS's criteria",
    "7": "left out by CMS: not accurate, or data of a quarter are missing",
    "9": "too few residents or stays to report",
    "10": "data are missing",
    "12": "no staffing data, many days without a registered nurse, or data that could not be verified",
    "13": "of a shorter time than required",
    "14": "not required to report for the SNF Quality Reporting Program",
    "18": "not rated: Special Focus Facility, with a history of serious quality issues",
    "19": "left out by CMS",
    "20": "data could not be verified",
    "21": "data could not be verified",
    "22": "placed by its ZIP code",
    "23": "no staffing data submitted",
    "24": "many days without a registered nurse",
    "25": "staffing data could not be verified",
    "26": "turnover could not be computed: fewest points",
    "27": "turnover left out",
    "28": "a measure of a whole year: no quarters",
}
"""By number; 12 until 2024, since then 23, 24 and 25 in its place."""

_SCOPE = ("isolated", "a pattern", "widespread")
_SEVERITY = (
    "minimal harm possible",
    "more than minimal harm possible",
    "actual harm",
    "immediate jeopardy",
)
SEVERITY = {
    code: f"{code}: {_SEVERITY[n // 3]}, {_SCOPE[n % 3]}" for n, code in enumerate("ABCDEFGHIJKL")
}  # the letters run through three scopes of each severity
"""Scope and severity of a citation by its letter."""


def footnote(number: Any) -> str:
    """The footnote in words; of several, all of them; empty if there is none."""
    if number is None or number != number:  # noqa: PLR0124 (no number)
        return ""
    numbers = [n.strip() for n in str(number).split(",")]
    return "; ".join(FOOTNOTES.get(n, f"footnote {n}") for n in numbers if n)
