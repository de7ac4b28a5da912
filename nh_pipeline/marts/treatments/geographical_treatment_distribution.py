"""``treatments_gold.geographical_treatment_distribution``: treatments by place, and their share of all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.marts.treatments.summary_total_treatments_per_city import SUMMARY_TOTAL_TREATMENTS_PER_CITY
from nh_pipeline.model.columns import ratio
from nh_pipeline.model.mart import Mart
from nh_pipeline.transforms.select import select
from nh_pipeline.transforms.spread import quotient

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def geographical_treatment_distribution(cities: DataFrame) -> DataFrame:
    """Places with their treatments and their share."""
    sql = {"share": quotient("total_treatments", "sum(total_treatments) over ()")}
    return cities.selectExpr(*select(GEOGRAPHICAL_TREATMENT_DISTRIBUTION.columns, sql))


MART = Mart(
    "geographical_treatment_distribution",
    database="treatments_gold",
    description="Treatments by country, state and city, one row each, with their share of all.",
    grain=("country", "state", "city"),
    columns=(
        *SUMMARY_TOTAL_TREATMENTS_PER_CITY.columns,
        ratio("share", "total_treatments / all treatments", unit="ratio"),
    ),
    reads=(SUMMARY_TOTAL_TREATMENTS_PER_CITY,),
    transform=geographical_treatment_distribution,
    conserves=(("sum(total_treatments)", "sum(total_treatments)"),),
)

GEOGRAPHICAL_TREATMENT_DISTRIBUTION = MART.table
