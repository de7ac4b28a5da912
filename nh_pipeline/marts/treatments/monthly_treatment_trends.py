"""``treatments_gold.monthly_treatment_trends``: treatments by the month in which they began, with their outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.marts.treatments.dim_dates import DIM_DATES
from nh_pipeline.marts.treatments.dim_treatment_types_and_outcome_statuses import DIM_TYPES
from nh_pipeline.marts.treatments.fact_treatments import FACT_TREATMENTS
from nh_pipeline.marts.treatments.shared import DECIDED, RATE, SUCCESS_RATE, SUCCESSES, TOTAL, counted, with_outcome
from nh_pipeline.model.columns import count, date, flag, integer
from nh_pipeline.model.mart import Mart
from nh_pipeline.transforms.select import select

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_MATURE = 0.01
"""Of the treatments of a month, this part may be undecided when it counts as mature."""


def monthly_treatment_trends(fact: DataFrame, dates: DataFrame, types: DataFrame) -> DataFrame:
    """Months with the treatments that began in them."""
    days = dates.selectExpr("date_sk as start_date_sk", "year", "month")
    months = counted(with_outcome(fact.join(days, "start_date_sk"), types), "year", "month")
    sql = {
        "month_start": "make_date(year, month, 1)",
        "success_rate": RATE,
        "is_mature": f"total_treatments - decided <= {_MATURE}D * total_treatments",
    }
    return months.selectExpr(*select(MONTHLY_TREATMENT_TRENDS.columns, sql))


MART = Mart(
    "monthly_treatment_trends",
    database="treatments_gold",
    description="Treatments by the month in which they began, one row each; those that do not say when are one more.",
    grain=("month_start",),
    columns=(
        integer("year", "Year"),
        integer("month", "Month"),
        date("month_start", "First day of the month; NULL of treatments that do not say when they began"),
        TOTAL,
        DECIDED,
        SUCCESSES,
        count("open", "Treatments that are not over", nullable=False),
        SUCCESS_RATE,
        flag("is_mature", f"All but {_MATURE:.0%} are decided: the rate will hardly change"),
    ),
    reads=(FACT_TREATMENTS, DIM_DATES, DIM_TYPES),
    transform=monthly_treatment_trends,
    conserves=(("sum(total_treatments)", "count(1)"),),
    caution="Of the last months, what ends soon is decided first: compare is_mature alone",
)

MONTHLY_TREATMENT_TRENDS = MART.table
