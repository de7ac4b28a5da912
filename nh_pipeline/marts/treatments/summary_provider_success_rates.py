"""``treatments_gold.summary_provider_success_rates``: how many of a provider's treatments succeeded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.marts.treatments.dim_providers import DIM_PROVIDERS
from nh_pipeline.marts.treatments.dim_treatment_types_and_outcome_statuses import DIM_TYPES
from nh_pipeline.marts.treatments.fact_treatments import FACT_TREATMENTS
from nh_pipeline.marts.treatments.shared import (
    DECIDED,
    PROVIDER,
    RATE,
    SUCCESS_RATE,
    SUCCESSES,
    TOTAL,
    counted,
    named,
    with_outcome,
)
from nh_pipeline.model.mart import Mart
from nh_pipeline.transforms.select import select

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def provider_success_rates(fact: DataFrame, providers: DataFrame, types: DataFrame) -> DataFrame:
    """Providers with what became of their treatments."""
    rates = counted(with_outcome(named(fact, providers), types), "provider_id", "full_name")
    return rates.selectExpr(*select(SUMMARY_PROVIDER_SUCCESS_RATES.columns, {"success_rate": RATE}))


MART = Mart(
    "summary_provider_success_rates",
    database="treatments_gold",
    description="Success rates of providers, one row each.",
    grain=("provider_id",),
    columns=(*PROVIDER, TOTAL, DECIDED, SUCCESSES, SUCCESS_RATE),
    reads=(FACT_TREATMENTS, DIM_PROVIDERS, DIM_TYPES),
    transform=provider_success_rates,
    conserves=(("sum(total_treatments)", "count(1)"),),
)

SUMMARY_PROVIDER_SUCCESS_RATES = MART.table
