"""The time that a figure of CMS is about, from text, in Spark SQL."""

from __future__ import annotations


def first_and_last_day(column: str) -> tuple[str, str]:
    """SQL for both ends of ``20230401-20240331``, ``2023Q3-2024Q2`` or ``FY2022`` (October on); NULL for others."""
    days = (f"{column} rlike '^[0-9]{{8}}-[0-9]{{8}}\\\\z'", *(_day(column, at) for at in (1, 10)))
    quarters = (
        f"{column} rlike '^[0-9]{{4}}Q[1-4]-[0-9]{{4}}Q[1-4]\\\\z'",
        _month(f"substr({column}, 1, 4)", f"3 * cast(substr({column}, 6, 1) as int) - 2"),
        f"last_day({_month(f'substr({column}, 8, 4)', f'3 * cast(substr({column}, 13, 1) as int)')})",
    )
    year = f"cast(substr({column}, 3, 4) as int)"
    fiscal = (
        f"{column} rlike '^FY[0-9]{{4}}\\\\z'",
        _month(f"cast({year} - 1 as string)", "10"),
        f"last_day({_month(f'substr({column}, 3, 4)', '9')})",
    )
    first, last = (
        "case " + " ".join(f"when {form[0]} then {form[end]}" for form in (days, quarters, fiscal)) + " end"
        for end in (1, 2)
    )
    return first, last


def _day(column: str, at: int) -> str:
    year, month, day = (f"substr({column}, {at + offset}, {n})" for offset, n in ((0, 4), (4, 2), (6, 2)))
    return f"try_cast(concat({year}, '-', {month}, '-', {day}) as date)"


def _month(year: str, month: str) -> str:
    """SQL for the first day of a month."""
    return f"try_cast(concat({year}, '-', lpad(cast({month} as string), 2, '0'), '-01') as date)"
