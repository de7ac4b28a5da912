"""Text of CMS files as typed values, in Spark SQL.

Every function gives an expression that is NULL for what it cannot read. Text is matched by a regular expression
before it is cast, because engines differ in what a cast lets pass.
"""

from __future__ import annotations

from datetime import date as Date  # `date` is a function here
from datetime import timedelta

_NULLS = "('', '-', '---', 'Not Available', 'N/A', '.')"
"""How CMS writes that there is no value."""

_END = r"\\z"
"""The very end of a text, in a SQL string: ``$`` also matches before a last line break on the JVM, not on Sail."""

_TIME = "[T ] ?[0-2]?[0-9]:[0-5][0-9](:[0-5][0-9]([.][0-9]{1,9})?)?( ?[AaPp][Mm])?(Z|[+-][0-9]{2}:?[0-9]{2})?"
"""A time after a date, as landing reads it (:mod:`nh_pipeline.landing.dates`)."""


def text(column: str) -> str:
    """Trimmed text; the marks for "no value" are NULL."""
    return f"case when trim(`{column}`) in {_NULLS} then null else trim(`{column}`) end"


def integer(column: str) -> str:
    """A whole number, also when written ``5.0``."""
    t = f"trim(`{column}`)"
    return (
        f"case when {t} rlike '^[0-9]{{1,9}}([.]0{{1,6}})?{_END}' "
        f"then try_cast(regexp_replace({t}, '[.]0+{_END}', '') as int) end"
    )


SIGN, DOLLAR = "-?", "[$]?"
"""What may stand before a number: a pattern."""


def is_decimal(column: str, precision: int, scale: int, before: str = "") -> str:
    """Whether text is an exact number with at most ``scale`` decimals that count; ``before`` is what may precede it."""
    number = f"([0-9]{{1,{precision - scale}}}([.][0-9]{{0,{scale}}}0*)?|[.][0-9]{{1,{scale}}}0*)"
    return f"trim(`{column}`) rlike '^{before}{number}{_END}'"


def decimal(column: str, precision: int, scale: int, before: str = "") -> str:
    """An exact number; NULL unless :func:`is_decimal`."""
    exact = f"cast({checked_number(column, before)} as decimal({precision},{scale}))"
    return f"case when {is_decimal(column, precision, scale, before)} then {exact} end"


def checked_number(column: str, before: str = "") -> str:
    """A number in double precision, for rows that :func:`is_decimal` has already passed.

    Sail reads doubles four times faster than decimals, and the cast to a decimal later is exact: a number of up to 15
    digits is the decimal nearest to its double.
    """
    trimmed = f"replace(trim(`{column}`), '$', '')" if before == DOLLAR else f"trim(`{column}`)"
    return f"coalesce(try_cast(`{column}` as double), try_cast({trimmed} as double))"


def date(column: str, *, day_first: bool | None = None) -> str:
    """A date written ``20240401``, ``2024-04-01`` or ``04/01/2024`` (or ``4/1/2024``); a time after it is left out.

    ``day_first`` says whether ``04/01/2024`` is the fourth of January. If that is known, ``4-1-2024`` and ``4.1.2024``
    are read, too; if nobody has decided (None), only CMS's ``04/01/2024``, as the first of April.
    """
    t = f"trim(`{column}`)"
    separators = ("/",) if day_first is None else ("/", "-", "[.]")
    year_last = "|".join(f"[0-9]{{1,2}}{separator}[0-9]{{1,2}}{separator}" for separator in separators)
    first, second = (f"lpad(split({t}, '[-/.]')[{i}], 2, '0')" for i in (0, 1))
    month, day = (second, first) if day_first else (first, second)
    return (
        f"try_cast(case when {t} rlike '^[0-9]{{8}}{_END}' "
        f"then concat(substr({t}, 1, 4), '-', substr({t}, 5, 2), '-', substr({t}, 7, 2)) "
        f"when {t} rlike '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}([T ][0-9:.]*|{_TIME})?{_END}' then substr({t}, 1, 10) "
        f"when {t} rlike '^({year_last})[0-9]{{4}}({_TIME})?{_END}' "
        f"then concat(substr(split({t}, '[-/.]')[2], 1, 4), '-', {month}, '-', {day}) end as date)"
    )


def ccn(column: str) -> str:
    """A CCN in capital letters; NULL for anything else (a lost leading zero is not guessed back)."""
    t = f"upper(trim(`{column}`))"
    return f"case when {t} rlike '^[0-9]{{2}}[0-9A-Z][0-9]{{3}}{_END}' then {t} end"


def boolean(column: str) -> str:
    """True for Y, false for N, in any case; NULL for anything else."""
    return f"case upper(trim(`{column}`)) when 'Y' then true when 'N' then false end"


def expected(column: str, what: str) -> str:
    """The reason of a reject: which column, what was expected, what was found."""
    found = f"""coalesce(concat('"', substr(`{column}`, 1, 40), '"'), 'nothing')"""
    return f"concat('{column}: expected {what}, found ', {found})"


# How nearly all values are written: what matches these needs no closer look. NULL or false says nothing.


def is_plain_decimal(column: str, precision: int, scale: int) -> str:
    """Whether text is a number as in ``12.25``; implies :func:`is_decimal`."""
    return f"`{column}` rlike '^[0-9]{{1,{precision - scale}}}([.][0-9]{{1,{scale}}})?{_END}'"


def is_plain_integer(column: str) -> str:
    """Whether text is digits alone; then :func:`integer` reads it."""
    return f"`{column}` rlike '^[0-9]{{1,9}}{_END}'"


def is_plain_ccn(column: str) -> str:
    """Whether text is a CCN in capital letters; then :func:`ccn` reads it."""
    return f"`{column}` rlike '^[0-9]{{2}}[0-9A-Z][0-9]{{3}}{_END}'"


def is_plain_day(column: str, first: Date, last: Date) -> str:
    """Whether text is a day from ``first`` to ``last`` as in ``20240401``; then :func:`date` reads it as that day.

    To look a text up in a list takes a tenth of the time of reading it as a date.
    """
    days = (first + timedelta(n) for n in range((last - first).days + 1))
    listed = ", ".join(f"'{day:%Y%m%d}'" for day in days)
    return f"`{column}` in ({listed})"
