"""``clinical_silver.fct_encounters``: stays and visits, with what kind of care each was, and its length."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.clinical.care import ENCOUNTER
from nh_pipeline.datasets.clinical.claims import CLAIM, CLAIM_ITEM, EXPLANATION_OF_BENEFIT
from nh_pipeline.datasets.clinical.export import DELETION
from nh_pipeline.datasets.clinical.reference.diagnosis_categories import CATEGORIES, diagnosis_category
from nh_pipeline.datasets.clinical.reference.encounter_kinds import (
    KINDS,
    NURSING_HOME_CCN,
    OVERNIGHT,
    encounter_kind,
)
from nh_pipeline.marts.clinical.dim_patients import DIM_PATIENTS
from nh_pipeline.marts.clinical.directory import LOOKUP
from nh_pipeline.marts.clinical.encounter_diagnoses import SOURCES, encounter_diagnoses
from nh_pipeline.marts.clinical.facilities import FACILITIES
from nh_pipeline.marts.clinical.fct_conditions import FCT_CONDITIONS
from nh_pipeline.marts.clinical.id_conflicts import ID_CONFLICTS
from nh_pipeline.marts.clinical.shared import OF_PATIENT, PATIENT_BUCKET, PATIENT_ID, VERSION
from nh_pipeline.model.columns import category, count, date, flag, instant, integer, text
from nh_pipeline.model.mart import Mart
from nh_pipeline.model.rules import CCN, Matches, Rule
from nh_pipeline.model.types import TEXT
from nh_pipeline.transforms import fhir_dates
from nh_pipeline.transforms.select import select

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

STATUSES = ("planned", "arrived", "triaged", "in-progress", "onleave", "finished", "cancelled", "unknown")
_DISPOSITIONS = {
    "home": "01", "snf": "03", "aama": "07", "exp": "20", "hosp": "50", "rehab": "62", "psy": "65"
}  # fmt: skip
"""HL7's codes of discharge dispositions, and NUBC's; the others of HL7 have none."""

_AT_HOME = f"coalesce({Matches(NURSING_HOME_CCN).sql('facility_ccn', TEXT)}, false)"
_WHOLE_DAYS = "start_precision in ('day', 'time') and end_precision in ('day', 'time') and end_date >= start_date"
_MIDNIGHTS = f"case when {_WHOLE_DAYS} then cast(datediff(end_date, start_date) as int) end"
_LENGTH = (
    f"case when end_date = start_date and encounter_kind in {OVERNIGHT} and {_WHOLE_DAYS} then 1 else {_MIDNIGHTS} end"
)


def fct_encounters(  # noqa: PLR0917 (it reads so many tables)
    encounters: DataFrame, patients: DataFrame, conditions: DataFrame, claims: DataFrame, items: DataFrame,
    benefits: DataFrame, facilities: DataFrame, directory: DataFrame, deletions: DataFrame, conflicts: DataFrame,
) -> DataFrame:  # fmt: skip
    """The latest version of each encounter."""
    from nh_pipeline.transforms.latest import elements, latest, winners
    from nh_pipeline.transforms.references import resolved

    references = ("service_provider", "participant", "location", "part_of", "episode_of_care", "diagnosis_condition")
    held = latest(encounters, deletions, conflicts, ENCOUNTER.table)
    asked = winners(claims, deletions, conflicts, CLAIM.table)
    answered = latest(benefits, deletions, conflicts, EXPLANATION_OF_BENEFIT.table)
    told = encounter_diagnoses(
        resolved(held, directory, *references),
        resolved(elements(claims, asked), directory, "diagnosis_condition"),
        resolved(elements(items, asked), directory, "encounter"),
        resolved(answered, directory, "claim", "diagnosis_condition"),
        conditions,
    )
    homes = facilities.selectExpr("organization_id as service_provider_resolved", "ccn as facility_ccn")
    lives = patients.selectExpr(
        "patient_id", "birth_date as _born", "deceased_date as _died", "deceased_at as _died_at"
    )
    disposition, hl7 = (
        "discharge_disposition_code",
        " ".join(f"when '{k}' then '{v}'" for k, v in _DISPOSITIONS.items()),
    )
    clinician = "participant_ref like 'PractitionerRole%' or participant_ref like 'RelatedPerson%'"
    read = {
        "encounter_id": "resource_id",
        "status": f"case when status in {STATUSES} then status else 'unknown' end",
        "type_display": "coalesce(type_display, type_text)",
        "start_at": fhir_dates.instant("period_start"),
        "end_at": fhir_dates.instant("period_end"),
        "start_date": fhir_dates.written("period_start"),
        "end_date": fhir_dates.written("period_end"),
        "utc_offset_minutes": fhir_dates.offset_minutes("period_start"),
        "start_precision": fhir_dates.precision("period_start"),
        "end_precision": fhir_dates.precision("period_end"),
        "is_open": "period_end is null",
        "organization_id": "service_provider_resolved",
        "care_provider_id": f"case when not ({clinician}) then participant_resolved end",
        "location_id": "location_resolved",
        "discharge_disposition_code": (
            f"case when {disposition} rlike '^[0-9]{{1,2}}\\\\z' then lpad({disposition}, 2, '0') "
            f"else case {disposition} {hl7} end end"
        ),
        "primary_diagnosis_system": "_diagnosis_system",
        "primary_diagnosis_code": "_diagnosis_code",
        "primary_diagnosis_display": "_diagnosis_display",
        "diagnosis_source": "coalesce(_diagnosis_source, 'none')",
        "diagnosis_category": diagnosis_category("_diagnosis_system", "_diagnosis_code"),
        "part_of_id": "part_of_resolved",
        "episode_of_care_id": "episode_of_care_resolved",
        "encounter_kind": encounter_kind(_AT_HOME),
    }
    concluded = {
        "length_of_stay": _LENGTH,
        "midnights": _MIDNIGHTS,
        "is_end_before_start": "coalesce(end_at < start_at, end_date < start_date, false)",
        "is_before_birth": "coalesce(start_date < _born, false)",
        "is_after_death": "coalesce(start_at > _died_at, start_date > _died, false)",
        "is_kind_doubtful": f"encounter_kind in ('acute_inpatient', 'emergency') and {_AT_HOME}",
    }
    columns = FCT_ENCOUNTERS.columns
    joined = (
        told.join(homes, "service_provider_resolved", "left")
        .join(lives, "patient_id", "left")
        .selectExpr(*select(tuple(c for c in columns if c.name not in concluded), read), "_born", "_died", "_died_at")
    )
    return joined.selectExpr(*select(columns, concluded))


MART = Mart(
    "fct_encounters",
    database="clinical_silver",
    description="Encounters: stays and visits of patients, one row each, as the latest delivery has them.",
    grain=("encounter_id",),
    sort=("patient_id", "start_at", "encounter_id"),
    bucket="patient_bucket",
    columns=(
        text("encounter_id", "Encounter.id", nullable=False),
        PATIENT_ID.having(nullable=True),
        PATIENT_BUCKET,
        category("status", "State; what was planned or cancelled counts nowhere", STATUSES, nullable=False),
        text("class_code", "Class of the encounter, by HL7"),
        text("class_system", "System of the class"),
        text("type_system", "System of the type"),
        text("type_code", "Type of the encounter"),
        text("type_display", "Type, in the source's words"),
        category("encounter_kind", "What kind of care it was, by type, class and place", KINDS, nullable=False),
        instant("start_at", "When it began, where the source gives time and zone"),
        instant("end_at", "When it ended, likewise"),
        date("start_date", "When it began, as written: by the facility's clock"),
        date("end_date", "When it ended, likewise"),
        integer("utc_offset_minutes", "Its zone when it began", unit="minutes"),
        category("start_precision", "How exactly the start is known", fhir_dates.PRECISIONS),
        category("end_precision", "How exactly the end is known", fhir_dates.PRECISIONS),
        count("length_of_stay", "Days as CMS counts them: of an inpatient at least 1; NULL if open", unit="days"),
        count("midnights", "Midnights between start and end, as written", unit="days"),
        flag("is_open", "It has no end"),
        text("organization_id", "Organization that was responsible"),
        text("care_provider_id", "Clinician who performed it"),
        text("location_id", "Where it was"),
        text("facility_ccn", "CMS Certification Number of the organization", allowed=CCN),
        text("admit_source_code", "Where the patient came from, as written"),
        text("discharge_disposition_code", "Where the patient went: NUBC's two digits"),
        text("primary_diagnosis_system", "System of the primary diagnosis"),
        text("primary_diagnosis_code", "The primary diagnosis"),
        text("primary_diagnosis_display", "The primary diagnosis, in the source's words"),
        category("diagnosis_source", f"Where the diagnosis is from: the first of {', '.join(SOURCES)}",
                 (*SOURCES, "none"), nullable=False),
        category("diagnosis_category", "What the diagnosis is about", CATEGORIES, nullable=False),
        text("part_of_id", "Encounter that it is part of"),
        text("episode_of_care_id", "Episode of care"),
        flag("is_end_before_start", "It ended before it began: as instants, else by its days"),
        flag("is_before_birth", "It began before the patient was born"),
        flag("is_after_death", "It began after the patient had died"),
        flag("is_kind_doubtful", "An acute or emergency kind, in a nursing home"),
        *VERSION,
    ),
    reads=(
        ENCOUNTER.table, DIM_PATIENTS, FCT_CONDITIONS, CLAIM.table, CLAIM_ITEM.table, EXPLANATION_OF_BENEFIT.table,
        FACILITIES, LOOKUP, DELETION, ID_CONFLICTS,
    ),
    transform=fct_encounters,
    rules=(
        Rule("end_not_before_start", "is_end_before_start = false", "Ask the source: its clock, or its entry, is wrong",
             blocking=False),
        Rule("los_matches_dates", "length_of_stay is null or length_of_stay = midnights or "
             "(midnights = 0 and length_of_stay = 1)", "Look at the transform: days are counted by dates as written"),
        Rule("kind_known", "encounter_kind <> 'other'", "Say in encounter_kinds.py what such encounters are",
             blocking=False),
    ),
    foreign_keys=(
        OF_PATIENT,
        ("care_provider_id", "clinical_silver.dim_providers.care_provider_id"),
        ("organization_id", "clinical_silver.dim_providers.care_provider_id"),
        ("facility_ccn", "silver.dim_providers.provider_id"),
    ),
    caution="Days and lengths are by the facility's clock: in UTC the same instants may fall on other days",
)  # fmt: skip

FCT_ENCOUNTERS = MART.table
