"""PBJ daily nurse staffing: bronze text to typed facts and rejects (domain rules: paid hours, eight groups)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from nh_pipeline.contracts.silver import FCT_STAFFING_LEVELS, HOUR_COLUMNS, ROLLUPS, STAFF_GROUPS
from nh_pipeline.periods import quarter_bounds
from nh_pipeline.transforms import values

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_HOURS = (9, 2)
"""Precision and scale of the source hours."""


CCN = values.ccn("provider_id")
"""SQL for the facility of a line; NULL if it cannot be read."""


def doubled_keys(bronze: DataFrame, *, day_first: bool = False) -> DataFrame:
    """Keys that occur more than once in a delivery: provider_id, work_date, ``rows``. Unreadable lines have none.

    Args:
        bronze: lines of one delivery.
        day_first: whether a date like 03/04/2024 is the third of April.
    """
    key = [
        F.expr(CCN).alias("provider_id"),
        F.expr(values.date("work_date", day_first=day_first)).alias("work_date"),
    ]
    return (
        bronze.select(*key)
        .where("provider_id is not null and work_date is not null")
        .groupBy("provider_id", "work_date")
        .agg(F.count(F.lit(1)).alias("rows"))
        .where("rows > 1")
    )


def days(bronze: DataFrame, *, day_first: bool = False) -> DataFrame:
    """The days that the lines of a delivery speak of: ``day``, each once; NULL if there are unreadable ones."""
    return bronze.select(F.expr(values.date("work_date", day_first=day_first)).alias("day")).distinct()


def judged(bronze: DataFrame, coverage: str, *, doubled: bool, day_first: bool = False) -> DataFrame:
    """Says of every bronze line of one delivery why it is refused, if it is.

    Only texts are matched here, nothing is converted: engines push the filter on ``reason`` down to the scan, and
    would convert every accepted line twice.

    Args:
        bronze: lines of one delivery, all text, as ``bronze.daily_nurse_staffing_raw``.
        coverage: the quarter that the delivery covers (``2024Q2``).
        doubled: whether some key occurs more than once (then lines are numbered within their key, which costs a
            sort; see :func:`doubled_keys`).
        day_first: whether a date like 03/04/2024 is the third of April.

    Returns:
        The same rows with ``reason``: NULL for accepted lines.
    """
    day = values.date("work_date", day_first=day_first)
    first_day, last_day = quarter_bounds(coverage)
    inside = f"{day} between date '{first_day}' and date '{last_day}'"
    outside = (
        f"case when coalesce(upper(replace(cy_qtr, ' ', '')), '') <> '{coverage}' or not ({inside}) "
        f"then concat('work_date: expected a day of {coverage}, found ', coalesce(work_date, 'nothing'), ' in ', "
        "coalesce(cy_qtr, 'no quarter')) end"
    )
    reasons = [
        _when(f"{values.ccn('provider_id')} is null", "provider_id", "a CCN (12A456; a leading zero may be lost)"),
        _when(f"{day} is null", "work_date", "a date (yyyymmdd)"),
        outside,
        _when(f"{values.integer('census')} is null", "census", "a whole number of residents"),
        *(
            _when(f"not coalesce({values.is_decimal(c, *_HOURS)}, false)", c, "paid hours, at most two decimals")
            for c in HOUR_COLUMNS
        ),
    ]
    # Nearly all lines are written plainly. To see that takes a third of the time of looking for every reason.
    plain = [
        values.is_plain_ccn("provider_id"),
        f"cy_qtr = '{coverage}'",
        inside,
        values.is_plain_integer("census"),
        *(values.is_plain_decimal(c, *_HOURS) for c in HOUR_COLUMNS),
    ]
    reason = f"case when {' and '.join(plain)} then null else coalesce({', '.join(reasons)}) end"
    first = bronze.select("*", F.expr(reason).alias("reason"))
    if not doubled:
        return first
    key = [F.expr(values.ccn("provider_id")), F.expr(day)]
    order = Window.partitionBy(*key).orderBy(F.expr("reason is not null"), "source_line")
    numbered = first.select(
        "*", F.row_number().over(order).alias("_nth"), F.first("source_line").over(order).alias("_first")
    )
    twice = (
        "case when reason is null and _nth > 1 then concat('provider_id, work_date: expected one line per facility "
        "and day, found it in line ', cast(_first as string), ' too, which is kept') else reason end"
    )
    return numbered.select(*bronze.columns, F.expr(twice).alias("reason"))


def _when(condition: str, column: str, what: str) -> str:
    return f"case when {condition} then {values.expected(column, what)} end"


def readings(lines: DataFrame, *, day_first: bool = False) -> DataFrame:
    """Accepted lines (of :func:`judged`) as numbers and dates, half as wide as the facts that they become.

    Args:
        lines: the lines, with their reason.
        day_first: whether a date like 03/04/2024 is the third of April.

    Returns:
        provider_id, work_date, cy_qtr, state, census, the 24 columns of hours in double precision (exact for numbers
        of up to 15 digits), delivery_id.
    """
    return lines.where("reason is null").select(
        F.expr(values.ccn("provider_id")).alias("provider_id"),
        F.expr(values.date("work_date", day_first=day_first)).alias("work_date"),
        F.col("coverage").alias("cy_qtr"),
        F.expr(values.text("state")).alias("state"),
        F.expr(values.integer("census")).alias("census"),
        *(F.expr(values.checked_number(c)).alias(c) for c in HOUR_COLUMNS),
        "delivery_id",
    )


def facts(read: DataFrame) -> DataFrame:
    """Readings with exact hours, roll-ups and flags: row by row, in the contract's columns and types.

    Columns that are none of the readings' pass as they are, first.
    """
    exact = [F.expr(f"cast({c} as decimal({_HOURS[0]},{_HOURS[1]}))").alias(c) for c in HOUR_COLUMNS]
    typed = read.select(*(c for c in read.columns if c not in HOUR_COLUMNS), *exact)
    add = {name: " + ".join(f"hrs_{g}" for g in groups) for name, groups in ROLLUPS.items()}
    add["contract_hours"] = " + ".join(f"hrs_{g}_ctr" for g in STAFF_GROUPS)
    off = " or ".join(f"abs(hrs_{g} - hrs_{g}_emp - hrs_{g}_ctr) > 0.01" for g in STAFF_GROUPS)
    flags = {
        "is_zero_census": "census = 0",
        "is_missing_hours": "census > 0 and total_hours = 0",
        "is_implausible_hours": "census > 0 and total_hours > 24 * census",
        "is_unbalanced": off,
    }
    summed = typed.select("*", *(F.expr(f"cast({sql} as decimal(11,2))").alias(name) for name, sql in add.items()))
    flagged = summed.select("*", *(F.expr(sql).alias(name) for name, sql in flags.items()))
    others = (c for c in read.columns if c not in FCT_STAFFING_LEVELS.columns)
    return flagged.select(*others, *FCT_STAFFING_LEVELS.columns)
