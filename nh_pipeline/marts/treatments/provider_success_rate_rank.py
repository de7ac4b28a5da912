"""``treatments_gold.provider_success_rate_rank``: providers by how many of their treatments succeeded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.marts.treatments.shared import RANK, SMALL, ranked
from nh_pipeline.marts.treatments.summary_provider_success_rates import SUMMARY_PROVIDER_SUCCESS_RATES
from nh_pipeline.model.columns import flag
from nh_pipeline.model.mart import Mart
from nh_pipeline.transforms.select import select

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def provider_success_rate_rank(rates: DataFrame) -> DataFrame:
    """Providers with their rates; the highest first, equal ones share a rank, and what is not decided has none."""
    sql = {"is_small_n": f"decided < {SMALL}"}
    return ranked(rates, "success_rate").selectExpr(*select(PROVIDER_SUCCESS_RATE_RANK.columns, sql))


MART = Mart(
    "provider_success_rate_rank",
    database="treatments_gold",
    description="Providers by their success rates, one row each.",
    grain=("provider_id",),
    columns=(
        *SUMMARY_PROVIDER_SUCCESS_RATES.columns,
        RANK,
        flag("is_small_n", f"Fewer than {SMALL} are decided: the rate says little"),
    ),
    reads=(SUMMARY_PROVIDER_SUCCESS_RATES,),
    transform=provider_success_rate_rank,
    conserves=(("count(1)", "count(1)"), ("sum(total_treatments)", "sum(total_treatments)")),
    caution="A rate of few treatments is high or low by chance: leave out is_small_n",
)

PROVIDER_SUCCESS_RATE_RANK = MART.table
