"""``treatments_gold.dim_dates``: the days on which treatments began, were over, or had an outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.marts.treatments.shared import date_key, dimension, key
from nh_pipeline.marts.treatments.treatments import TREATMENTS
from nh_pipeline.model.columns import date, integer, yes_no
from nh_pipeline.model.mart import Mart
from nh_pipeline.model.types import INTEGER

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_SQL = {
    "date_sk": date_key("date"),
    "day_of_week": "dayofweek(date)",
    "month": "month(date)",
    "quarter": "quarter(date)",
    "year": "year(date)",
    "is_weekend": "dayofweek(date) in (1, 7)",
}


def dim_dates(treatments: DataFrame) -> DataFrame:
    """The days of all treatments."""
    at = ", ".join(f"cast(treatment_{of}_at as date)" for of in ("start", "completion", "outcome"))
    days = treatments.selectExpr(f"explode(array({at})) as date").where("date is not null").distinct()
    return dimension(days, DIM_DATES.columns, _SQL)


MART = Mart(
    "dim_dates",
    database="treatments_gold",
    description="Days of treatments (UTC), one row each.",
    grain=("date_sk",),
    columns=(
        key("date_sk", "The day, as yyyymmdd", type=INTEGER),
        date("date", "The day"),
        integer("day_of_week", "1 = Sunday to 7 = Saturday"),
        integer("month", "Month"),
        integer("quarter", "Quarter"),
        integer("year", "Year"),
        yes_no("is_weekend", "Saturday or Sunday"),
    ),
    reads=(TREATMENTS,),
    transform=dim_dates,
)

DIM_DATES = MART.table
