"""Silver and gold of the clinical domain, a module each: declaration and pure transform, and a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.marts.clinical import (
    claim_denials,
    cohort_encounters,
    dim_patients,
    dim_payers,
    dim_providers,
    directory,
    ed_visits,
    facilities,
    facility_crosswalk,
    facility_outcomes,
    fct_adjudications,
    fct_claim_lines,
    fct_claims,
    fct_conditions,
    fct_encounters,
    fct_observation_values,
    fct_observations,
    fct_procedures,
    horizon,
    id_conflicts,
    population_parts,
    population_summary,
    readmissions,
    snf_months,
    snf_stays,
    unresolved_references,
)

if TYPE_CHECKING:
    from nh_pipeline.model.mart import Mart

MARTS: tuple[Mart, ...] = (
    id_conflicts.MART,
    directory.MART,
    facility_crosswalk.MART,
    facilities.MART,
    dim_patients.MART,
    dim_providers.MART,
    fct_conditions.MART,
    fct_procedures.MART,
    fct_encounters.MART,
    fct_observation_values.MART,
    fct_observations.MART,
    dim_payers.MART,
    fct_adjudications.MART,
    fct_claims.MART,
    fct_claim_lines.MART,
    claim_denials.MART,
    unresolved_references.MART,
    readmissions.MART,
    ed_visits.MART,
    horizon.MART,
    cohort_encounters.MART,
    snf_stays.MART,
    snf_months.MART,
    facility_outcomes.MART,
    population_parts.MART,
    population_summary.MART,
)
"""In an order in which they can be built."""
