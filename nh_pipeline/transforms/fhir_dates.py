r"""FHIR's dates and times as text, in Spark SQL: the day as it was written, and the instant beside it.

A day is what the clock on the wall of the facility showed: the first characters, whatever the zone. An instant needs a
time and a zone. Each function gives an expression that is NULL for what is none of FHIR's forms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Precision = Literal["year", "month", "day", "time"]
PRECISIONS: tuple[Precision, ...] = ("year", "month", "day", "time")

_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_ZONE = "(Z|[+-][0-9]{2}:[0-9]{2})"
_FORMS: dict[Precision, str] = {
    "year": "[0-9]{4}",
    "month": "[0-9]{4}-[0-9]{2}",
    "day": _DAY,
    "time": f"{_DAY}T[0-9]{{2}}:[0-9]{{2}}(:[0-9]{{2}}([.][0-9]+)?)?{_ZONE}?",
}


def _is(column: str, form: str) -> str:
    return rf"{column} rlike '^{form}\\z'"


def _first_form(column: str, then: Mapping[str, str]) -> str:
    """The SQL that belongs to the form that the text has."""
    return f"case {' '.join(f'when {_is(column, form)} then {then[name]}' for name, form in _FORMS.items())} end"


def precision(column: str) -> str:
    """Down to what it is written: year, month, day or time."""
    return _first_form(column, {name: f"'{name}'" for name in PRECISIONS})


def written(column: str) -> str:
    """The day as written; of a year or a month, the first one."""
    day = f"substr({column}, 1, 10)"
    days = {"year": f"concat({column}, '-01-01')", "month": f"concat({column}, '-01')", "day": day, "time": day}
    return f"try_cast({_first_form(column, days)} as date)"


def instant(column: str) -> str:
    """The instant; NULL without a time or a zone."""
    form = f"{_DAY}T[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}([.][0-9]+)?{_ZONE}"
    return f"case when {_is(column, form)} then try_cast({column} as timestamp) end"


def offset_minutes(column: str) -> str:
    """Minutes by which the written time is before UTC's (negative in America); NULL without a zone."""
    of = f"right({column}, 6)"
    minutes = f"cast(substr({of}, 2, 2) as int) * 60 + cast(substr({of}, 5, 2) as int)"
    return (
        f"case when not {_is(column, _FORMS['time'])} then null when {column} like '%Z' then 0 "
        f"when {of} rlike '^[+]' then {minutes} when {of} rlike '^-' then -({minutes}) end"
    )
