"""Silver and gold of the domain of treatments, a module each: declaration and pure transform, and a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.marts.treatments import (
    dim_dates,
    dim_diseases,
    dim_locations,
    dim_patients,
    dim_providers,
    dim_specialities,
    dim_times,
    dim_treatment_types_and_outcome_statuses,
    fact_treatments,
    geographical_treatment_distribution,
    monthly_treatment_trends,
    provider_success_rate_rank,
    provider_treatment_rank,
    summary_avg_treatment_cost,
    summary_provider_success_rates,
    summary_total_treatments_per_city,
    treatments,
)

if TYPE_CHECKING:
    from nh_pipeline.model.mart import Mart

MARTS: tuple[Mart, ...] = (
    treatments.MART,
    dim_dates.MART,
    dim_times.MART,
    dim_treatment_types_and_outcome_statuses.MART,
    dim_locations.MART,
    dim_specialities.MART,
    dim_providers.MART,
    dim_patients.MART,
    dim_diseases.MART,
    fact_treatments.MART,
    provider_treatment_rank.MART,
    summary_provider_success_rates.MART,
    provider_success_rate_rank.MART,
    monthly_treatment_trends.MART,
    summary_total_treatments_per_city.MART,
    geographical_treatment_distribution.MART,
    summary_avg_treatment_cost.MART,
)
"""In an order in which they can be built."""
