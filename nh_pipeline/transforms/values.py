"""Text of CMS files as typed values, in Spark SQL.

Every function gives an expression that is NULL for what it cannot read. Text is matched by a regular expression
before it is cast, because engines differ in what a cast lets pass.
"""

from __future__ import annotations

_NULLS = "('', '---', 'Not Available', 'N/A', '.')"
"""How CMS writes that there is no value."""

_END = r"\\z"
"""The very end of a text, in a SQL string: ``$`` also matches before a last line break on the JVM, not on Sail."""


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


def is_decimal(column: str, precision: int, scale: int) -> str:
    """Whether text is an exact, non-negative number with at most ``scale`` decimals that count."""
    whole = precision - scale
    plain = f"`{column}` rlike '^[0-9]{{1,{whole}}}([.][0-9]{{1,{scale}}})?{_END}'"
    any_form = f"trim(`{column}`) rlike '^([0-9]{{1,{whole}}}([.][0-9]{{0,{scale}}}0*)?|[.][0-9]{{1,{scale}}}0*){_END}'"
    # Nearly all cells are plain, and to match those takes half as long; only the rest is trimmed and looked at again.
    return f"case when {plain} then true else {any_form} end"


def decimal(column: str, precision: int, scale: int) -> str:
    """An exact, non-negative number; NULL unless :func:`is_decimal`."""
    return f"case when {is_decimal(column, precision, scale)} then {checked_decimal(column, precision, scale)} end"


def checked_decimal(column: str, precision: int, scale: int) -> str:
    """The same for rows that :func:`is_decimal` has already passed (to match twice would double the work).

    Goes through double precision, which Sail reads four times faster than decimals. It is exact: a number of up to
    15 digits is the decimal nearest to its double, and ``scale`` cuts nothing off.
    """
    number = f"coalesce(try_cast(`{column}` as double), try_cast(trim(`{column}`) as double))"
    return f"cast({number} as decimal({precision},{scale}))"


def date(column: str) -> str:
    """A date written ``20240401``, ``2024-04-01`` (a time after it is left out) or ``04/01/2024`` (or ``4/1/2024``)."""
    t = f"trim(`{column}`)"
    part = [f"lpad(split({t}, '/')[{i}], 2, '0')" for i in (0, 1)]
    return (
        f"try_cast(case when {t} rlike '^[0-9]{{8}}{_END}' "
        f"then concat(substr({t}, 1, 4), '-', substr({t}, 5, 2), '-', substr({t}, 7, 2)) "
        f"when {t} rlike '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}([T ][0-9:.]*)?{_END}' then substr({t}, 1, 10) "
        f"when {t} rlike '^[0-9]{{1,2}}/[0-9]{{1,2}}/[0-9]{{4}}{_END}' "
        f"then concat(split({t}, '/')[2], '-', {part[0]}, '-', {part[1]}) end as date)"
    )


def ccn(column: str) -> str:
    """A CCN in capital letters; NULL for anything else (a lost leading zero is not guessed back)."""
    t = f"upper(trim(`{column}`))"
    return f"case when {t} rlike '^[0-9]{{2}}[0-9A-Z][0-9]{{3}}{_END}' then {t} end"


def expected(column: str, what: str) -> str:
    """The reason of a reject: which column, what was expected, what was found."""
    found = f"""coalesce(concat('"', substr(`{column}`, 1, 40), '"'), 'nothing')"""
    return f"concat('{column}: expected {what}, found ', {found})"
