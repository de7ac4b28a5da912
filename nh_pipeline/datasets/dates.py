"""The calendar, which no file holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.model.columns import date, flag, integer, text
from nh_pipeline.model.kinds import Calendar
from nh_pipeline.model.rules import Between
from nh_pipeline.model.table import Table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_SQL = {
    "date_id": "cast(date_format(date, 'yyyyMMdd') as int)",
    "date": "date",
    "year": "cast(year(date) as int)",
    "quarter": "cast(quarter(date) as int)",
    "cy_qtr": "concat(cast(year(date) as string), 'Q', cast(quarter(date) as string))",
    "month": "cast(month(date) as int)",
    "month_start": "cast(concat(date_format(date, 'yyyy-MM'), '-01') as date)",
    "iso_week": "cast(weekofyear(date) as int)",
    "day_of_week": "cast(dayofweek(date) as int)",
    "is_weekend": "dayofweek(date) in (1, 7)",
}


def calendar(days: DataFrame) -> DataFrame:
    """``silver.dim_date`` from one row per day in column ``date``."""
    return days.selectExpr(*(f"{sql} as {name}" for name, sql in _SQL.items()))


DIM_DATE = Table(
    name="silver.dim_date",
    description="Calendar, 2017-01-01 to 2035-12-31: one row per day.",
    columns=(
        integer("date_id", "The day as yyyymmdd", nullable=False),
        date("date", "The day", nullable=False),
        integer("year", "Calendar year", nullable=False),
        integer("quarter", "Quarter of the year", nullable=False, allowed=Between(1, 4)),
        text("cy_qtr", "Calendar quarter as CMS writes it (2024Q2)", nullable=False),
        integer("month", "Month of the year", nullable=False, allowed=Between(1, 12)),
        date("month_start", "First day of the month", nullable=False),
        integer("iso_week", "ISO week of the year", nullable=False, allowed=Between(1, 53)),
        integer("day_of_week", "1 = Sunday to 7 = Saturday", nullable=False, allowed=Between(1, 7)),
        flag("is_weekend", "Saturday or Sunday"),
    ),
    grain=("date_id",),
    kind=Calendar(first="2017-01-01", last="2035-12-31", transform=calendar),
)
