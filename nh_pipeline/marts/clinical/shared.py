"""What the tables of clinical silver have in common: whose a row is, and which version of its resource it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.clinical.export import RESOURCE
from nh_pipeline.model.columns import integer, text

if TYPE_CHECKING:
    from nh_pipeline.model.columns import Column

_OF = RESOURCE.by_name

PATIENT_ID = text("patient_id", "Whose it is", nullable=False)
PATIENT_BUCKET = _OF["patient_bucket"]

OF_PATIENT = ("patient_id", "clinical_silver.dim_patients.patient_id")
OF_ENCOUNTER = ("encounter_id", "clinical_silver.fct_encounters.encounter_id")
"""Foreign keys, as the tables of patients have them."""

CODE: tuple[Column, ...] = (
    text("code_system", "System of the code"),
    text("code_code", "What it is, in that system"),
    text("code_display", "What it is, in the source's words"),
)

VERSION: tuple[Column, ...] = (
    _OF["version_at"],
    _OF["version_id"],
    _OF["dt"],
    integer("n_versions", "How many times bronze has the resource; the latest counts", nullable=False),
    _OF["delivery_id"],
)
"""The last columns of every table of resources."""
