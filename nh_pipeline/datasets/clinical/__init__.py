"""A chain's own FHIR exports: which tables of bronze their resources become, a view each."""

from __future__ import annotations

from nh_pipeline.datasets.clinical import care, claims, export, observations, people
from nh_pipeline.model.view import Export

VIEWS = (
    people.PATIENT,
    people.PRACTITIONER,
    people.PRACTITIONER_ROLE,
    people.ORGANIZATION,
    people.LOCATION,
    care.ENCOUNTER,
    care.CONDITION,
    care.PROCEDURE,
    observations.OBSERVATION,
    observations.OBSERVATION_VALUE,
    claims.CLAIM,
    claims.CLAIM_ITEM,
    claims.EXPLANATION_OF_BENEFIT,
    claims.EOB_ITEM,
    claims.EOB_ADJUDICATION,
    claims.COVERAGE,
    export.IDENTIFIER,
)
"""Every view."""

FHIR_EXPORT = Export(
    name="fhir_export",
    title="FHIR export",
    tables=(export.RESOURCE, *(view.table for view in VIEWS), export.DELETION, export.REJECTS),
    caution="Every version of every delivery is here: for what holds now, take clinical_silver",
)
