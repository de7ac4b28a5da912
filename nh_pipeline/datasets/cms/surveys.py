"""Inspections: deficiencies by cycle and category (NH_SurveySummary) and all dates (NH_SurveyDates), monthly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.cms.shared import BY_PROVIDER, LOCATION, PROCESSING_DATE, PROVIDER_ID, WHERE
from nh_pipeline.model.columns import count, date, text
from nh_pipeline.model.dataset import Dataset
from nh_pipeline.model.kinds import PerRelease

if TYPE_CHECKING:
    from nh_pipeline.model.columns import Column

_HEALTH = (
    ("abuse_neglect_exploitation", "Freedom from Abuse and Neglect and Exploitation", "H_ABS_NEG_EXP_N"),
    ("quality_of_life_and_care", "Quality of Life and Care", "H_QOC_QOL_N"),
    ("assessment_and_care_planning", "Resident Assessment and Care Planning", "H_CARE_PLAN_N"),
    ("nursing_and_physician_services", "Nursing and Physician Services", "H_NRS_MD_SVC_N"),
    ("resident_rights", "Resident Rights", "H_RES_RIGHTS_N"),
    ("nutrition_and_dietary", "Nutrition and Dietary", "H_NUTRITION_N"),
    ("pharmacy_service", "Pharmacy Service", "H_PHARMACY_N"),
    ("environmental", "Environmental", "H_ENVIRONMENTAL_N"),
    ("administration", "Administration", "H_ADMINISTRATION_N"),
    ("infection_control", "Infection Control", ""),
)
_FIRE = (
    ("emergency_preparedness", "Emergency Preparedness", "F_EMRGNCY_PREP_N"),
    ("sprinklers", "Automatic Sprinkler Systems", "F_SPRINKLER_N"),
    ("construction", "Construction", "F_CONSTRUCTION_N"),
    ("services", "Services", "F_SERVICES_N"),
    ("corridor_walls_and_doors", "Corridor Walls and Doors", "F_CORRIDOR_DOORS_N"),
    ("egress", "Egress", "F_EGRESS_N"),
    ("electrical", "Electrical", "F_ELECTRICAL_N"),
    ("emergency_plans_and_drills", "Emergency Plans and Fire Drills", "F_EMERGENCY_PLAN_N"),
    ("fire_alarms", "Fire Alarm Systems", "F_FIRE_ALARM_N"),
    ("smoke", "Smoke", "F_SMOKE_N"),
    ("interior", "Interior", "F_INTERIOR_N"),
    ("gas_vacuum_electrical_systems", "Gas and Vacuum and Electrical Systems", "F_GAS_VAC_ELEC_N"),
    ("hazardous_areas", "Hazardous Area", "F_HAZARD_AREA_N"),
    ("illumination_and_power", "Illumination and Emergency Power", "F_ILLUMINATION_N"),
    ("laboratories", "Laboratories", "F_LABORATORIES_N"),
    ("medical_gases", "Medical Gases and Anaesthetizing Areas", "F_MEDICAL_GAS_N"),
    ("smoking_regulations", "Smoking Regulations", "F_SMOKING_REG_N"),
    ("miscellaneous", "Miscellaneous", "F_MISCELLANEOUS_N"),
)
_OLDER = {  # in CMS's dictionary of 2019
    "Freedom from Abuse and Neglect and Exploitation": "Freedom from Abuse, Neglect, and Exploitation Deficiencies",
    "Gas and Vacuum and Electrical Systems": "Gas, Vacuum, and Electrical Systems",
    "Medical Gases and Anaesthetizing Areas": "Medical Gases and Anesthetizing Areas Deficiencies",
}


def _counts(kind: str, prefix: str, categories: tuple[tuple[str, str, str], ...]) -> tuple[Column, ...]:
    return tuple(
        count(
            f"{prefix}_{name}",
            f"{kind} deficiencies of the category {title}",
            f"Count of {title} Deficiencies",
            *((f"Count of {_OLDER[title]}",) if title in _OLDER else ()),
            *((older,) if older else ()),
        )
        for name, title, older in categories
    )


HEALTH_CATEGORIES = _counts("Health", "health", _HEALTH)
"""Counts that add up to the total of health deficiencies."""

FIRE_CATEGORIES = _counts("Fire safety", "fire", _FIRE)
"""Counts that add up to the total of fire safety deficiencies."""

_FACTS = (
    PROVIDER_ID,
    count("inspection_cycle", "Inspection cycle, 1 the latest", "Inspection Cycle", "CYCLE", required=True,
          nullable=False),
    date("health_survey_date", "Last day of the standard health inspection", "Health Survey Date", "H_SURVEY_DATE",
         required=True),
    date("fire_survey_date", "Last day of the fire safety inspection", "Fire Safety Survey Date", "F_SURVEY_DATE"),
    count("health_deficiencies", "All health deficiencies of the cycle", "Total Number of Health Deficiencies",
          "H_TOT_DFCNCY", required=True),
    count("fire_deficiencies", "All fire safety deficiencies of the cycle", "Total Number of Fire Safety Deficiencies",
          "F_TOT_DFCNCY"),
    *HEALTH_CATEGORIES,
    *FIRE_CATEGORIES,
)  # fmt: skip

SURVEY_SUMMARY = Dataset(
    name="survey_summary",
    title="Survey Summary",
    eras=BY_PROVIDER,
    told_by=("provider_id", "inspection_cycle", "health_survey_date", "health_deficiencies", "processing_date"),
    released_by=PROCESSING_DATE,
    every_facility=False,  # all are there, but a cycle that goes takes a third of the lines with it
    key=("provider_id", "inspection_cycle"),
    columns=(*_FACTS, *WHERE, LOCATION, PROCESSING_DATE),
    tables=(
        PerRelease(
            "fct_survey_summary",
            description="Deficiencies by inspection cycle and category: one row per nursing home, cycle and release.",
            columns=tuple(column.name for column in _FACTS),
            foreign_keys=(("provider_id", "silver.dim_providers.provider_id"),),
            caution="A blank count is NULL: it was not told, and is no zero",
        ),
    ),
)

SURVEY_DATES = Dataset(
    name="survey_dates",
    title="Inspection Dates",
    eras=BY_PROVIDER,
    told_by=("provider_id", "survey_date", "survey_type", "survey_cycle", "processing_date"),
    released_by=PROCESSING_DATE,
    every_facility=False,
    columns=(
        PROVIDER_ID,
        date("survey_date", "Last day of the inspection", "Survey Date", required=True),
        text("survey_type", "Standard or complaint, of health or fire safety, or infection control", "Type of Survey",
             required=True),
        count("survey_cycle", "Cycle that it belongs to, 1 the latest", "Survey Cycle", required=True),
        PROCESSING_DATE,
    ),
    tables=(
        PerRelease(
            "fct_survey_dates",
            description="Inspections as each release lists them: one row per nursing home, day and type.",
            columns=("provider_id", "survey_date", "survey_type", "survey_cycle"),
            repeats=("provider_id", "survey_date", "survey_type"),
            foreign_keys=(("provider_id", "silver.dim_providers.provider_id"),),
            caution="Complaint inspections are listed only if they cited something: no share of clean ones follows",
        ),
    ),
)  # fmt: skip

FCT_SURVEY_SUMMARY = SURVEY_SUMMARY["fct_survey_summary"]
