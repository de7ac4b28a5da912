"""The calendar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from nh_pipeline.contracts.silver import DIM_DATE

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

FIRST_DAY, LAST_DAY = "2017-01-01", "2035-12-31"


def calendar(days: DataFrame) -> DataFrame:
    """``silver.dim_date`` from a DataFrame with one row per day in column ``date``."""
    sql = {
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
    return days.select(*(F.expr(sql[name]).alias(name) for name in DIM_DATE.columns))
