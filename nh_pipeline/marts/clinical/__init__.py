"""Silver and gold of the clinical domain, a module each: declaration and pure transform, and a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.marts.clinical import (
    dim_patients,
    dim_providers,
    facility_crosswalk,
    fct_conditions,
    fct_encounters,
    fct_observations,
    fct_procedures,
    identity,
    unresolved_references,
)

if TYPE_CHECKING:
    from nh_pipeline.model.mart import Mart

MARTS: tuple[Mart, ...] = (
    identity.CONFLICTS_MART,
    identity.DIRECTORY_MART,
    facility_crosswalk.MART,
    dim_patients.MART,
    dim_providers.MART,
    fct_conditions.MART,
    fct_procedures.MART,
    fct_encounters.MART,
    fct_observations.VALUES_MART,
    fct_observations.MART,
    unresolved_references.MART,
)
"""In an order in which they can be built."""
