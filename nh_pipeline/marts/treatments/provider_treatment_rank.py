"""``treatments_gold.provider_treatment_rank``: providers by how many treatments they gave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.marts.treatments.dim_providers import DIM_PROVIDERS
from nh_pipeline.marts.treatments.fact_treatments import FACT_TREATMENTS
from nh_pipeline.marts.treatments.shared import PROVIDER, RANK, TOTAL, named, ranked
from nh_pipeline.model.mart import Mart
from nh_pipeline.transforms.select import select

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def provider_treatment_rank(fact: DataFrame, providers: DataFrame) -> DataFrame:
    """Providers with their treatments; the most first, those with as many share a rank."""
    from pyspark.sql import functions as F

    totals = named(fact, providers).groupBy("provider_id", "full_name").agg(F.expr("count(1) as total_treatments"))
    return ranked(totals, "total_treatments").selectExpr(*select(PROVIDER_TREATMENT_RANK.columns, {}))


MART = Mart(
    "provider_treatment_rank",
    database="treatments_gold",
    description="Providers by how many treatments they gave, one row each.",
    grain=("provider_id",),
    columns=(*PROVIDER, TOTAL, RANK),
    reads=(FACT_TREATMENTS, DIM_PROVIDERS),
    transform=provider_treatment_rank,
    conserves=(("sum(total_treatments)", "count(1)"),),
)

PROVIDER_TREATMENT_RANK = MART.table
