"""``treatments_gold.summary_avg_treatment_cost``: what a provider's treatments cost on average."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.marts.treatments.dim_providers import DIM_PROVIDERS
from nh_pipeline.marts.treatments.fact_treatments import FACT_TREATMENTS
from nh_pipeline.marts.treatments.shared import PROVIDER, TOTAL, named
from nh_pipeline.model.columns import Column, count, decimal
from nh_pipeline.model.mart import Mart
from nh_pipeline.model.types import DOUBLE
from nh_pipeline.transforms.select import select
from nh_pipeline.transforms.spread import quotient

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def avg_treatment_cost(fact: DataFrame, providers: DataFrame) -> DataFrame:
    """Providers with what their treatments cost; one without a cost is in no sum, one that cost nothing is."""
    from pyspark.sql import functions as F

    costs = (
        named(fact, providers)
        .groupBy("provider_id", "full_name")
        .agg(
            F.expr("count(1) as total_treatments"),
            F.expr("count(cost) as n_with_cost"),
            F.expr("sum(cost) as total_cost"),
        )
    )
    sql = {"avg_treatment_cost": quotient("total_cost", "n_with_cost")}
    return costs.selectExpr(*select(SUMMARY_AVG_TREATMENT_COST.columns, sql))


MART = Mart(
    "summary_avg_treatment_cost",
    database="treatments_gold",
    description="Average cost of the treatments of providers, one row each.",
    grain=("provider_id",),
    columns=(
        *PROVIDER,
        TOTAL,
        count("n_with_cost", "Of these, whose cost is known", nullable=False),
        decimal(28, 2, "total_cost", "Cost of these; NULL if none is known", unit="US dollars"),
        Column(
            name="avg_treatment_cost",
            type=DOUBLE,
            description="total_cost / n_with_cost; NULL if none is known",
            unit="US dollars",
        ),
    ),
    reads=(FACT_TREATMENTS, DIM_PROVIDERS),
    transform=avg_treatment_cost,
    conserves=(("sum(total_treatments)", "count(1)"), ("sum(total_cost)", "sum(cost)")),
)

SUMMARY_AVG_TREATMENT_COST = MART.table
