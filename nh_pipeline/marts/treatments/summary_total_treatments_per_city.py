"""``treatments_gold.summary_total_treatments_per_city``: treatments by city."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.marts.treatments.dim_locations import DIM_LOCATIONS
from nh_pipeline.marts.treatments.fact_treatments import FACT_TREATMENTS
from nh_pipeline.marts.treatments.shared import PLACE, TOTAL, placed
from nh_pipeline.model.mart import Mart
from nh_pipeline.transforms.select import select

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def total_treatments_per_city(fact: DataFrame, locations: DataFrame) -> DataFrame:
    """Cities with their treatments; cities of one name in two states are two."""
    return placed(fact, locations).selectExpr(*select(SUMMARY_TOTAL_TREATMENTS_PER_CITY.columns, {}))


MART = Mart(
    "summary_total_treatments_per_city",
    database="treatments_gold",
    description="Treatments by city, one row per country, state and city.",
    grain=("country", "state", "city"),
    columns=(*PLACE, TOTAL),
    reads=(FACT_TREATMENTS, DIM_LOCATIONS),
    transform=total_treatments_per_city,
    conserves=(("sum(total_treatments)", "count(1)"),),
)

SUMMARY_TOTAL_TREATMENTS_PER_CITY = MART.table
