"""Encounters: kinds, days, lengths, flags, and whose word on the diagnosis counts. A patient for every case."""

from __future__ import annotations

from datetime import date, datetime, timezone
from typing import Any

import pytest

from nh_pipeline.datasets.clinical.care import ENCOUNTER, ICD_10, SNOMED
from nh_pipeline.datasets.clinical.claims import CLAIM, CLAIM_ITEM, EXPLANATION_OF_BENEFIT
from nh_pipeline.datasets.clinical.export import DELETION
from nh_pipeline.marts.clinical import fct_encounters as mart
from nh_pipeline.marts.clinical.dim_patients import DIM_PATIENTS
from nh_pipeline.marts.clinical.directory import DIRECTORY
from nh_pipeline.marts.clinical.facilities import FACILITIES
from nh_pipeline.marts.clinical.fct_conditions import FCT_CONDITIONS
from nh_pipeline.marts.clinical.id_conflicts import ID_CONFLICTS
from nh_pipeline_tests.support.fhir_rows import bucket, instant, passed, rows, utc

pytestmark = pytest.mark.integration

HOME, MEDICAID_HOME, HOSPITAL = "Organization/home", "Organization/medicaid home", "Organization/hospital"


def stay(start: str | None, end: str | None, **more: Any) -> dict[str, Any]:
    return {"class_code": "IMP", "status": "finished", "period_start": start, "period_end": end, **more}


def kind(class_code: str | None, type_code: str | None = None, at: str = HOSPITAL) -> dict[str, Any]:
    return {"class_code": class_code, "type": type_code and f"{SNOMED}|{type_code}", "service_provider": at,
            "period_start": "2024-03-01", "period_end": "2024-03-02"}  # fmt: skip


CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    # Length of stay.
    "three days": (stay("2024-03-01", "2024-03-04"), {"length_of_stay": 3, "midnights": 3, "is_open": False}),
    # [tuva-health/tuva-core#923] a stay of one day is one day
    "same day": (stay("2024-03-01T08:00:00Z", "2024-03-01T20:00:00Z"), {"length_of_stay": 1, "midnights": 0}),
    "over midnight": (stay("2024-03-01T23:50:00-05:00", "2024-03-02T00:10:00-05:00"),
                      {"length_of_stay": 1, "midnights": 1}),
    "visit": (stay("2024-03-01T08:00:00Z", "2024-03-01T08:20:00Z", class_code="AMB"),
              {"length_of_stay": 0, "midnights": 0}),
    "leap day": (stay("2024-02-28", "2024-03-01"), {"length_of_stay": 2}),
    "open": (stay("2024-03-01", None, status="in-progress"),
             {"length_of_stay": None, "midnights": None, "is_open": True, "end_date": None}),
    # By the facility's clock, whatever the day in UTC.
    "written": (stay("2024-01-01T23:58:00-05:00", "2024-01-02T23:58:00-05:00"),
                {"start_date": date(2024, 1, 1), "end_date": date(2024, 1, 2), "utc_offset_minutes": -300,
                 "start_at": utc("2024-01-02T04:58"), "end_at": utc("2024-01-03T04:58"), "length_of_stay": 1}),
    # [hapifhir/hapi-fhir#873, synthetichealth/synthea#300, #537]
    # The clock goes back: later as text, earlier as an instant.
    "clock back": (stay("2010-11-07T01:59:26-04:00", "2010-11-07T01:57:26-05:00"),
                   {"is_end_before_start": False, "length_of_stay": 1, "midnights": 0, "utc_offset_minutes": -240}),
    # [kind-lab/mimic-fhir#124] the clock goes forward: no hour is added to what no clock has shown
    "clock forward": (stay("2024-03-10T02:30:00-05:00", "2024-03-10T03:40:00-04:00"),
                      {"start_at": utc("2024-03-10T07:30"), "end_at": utc("2024-03-10T07:40"), "midnights": 0}),
    "no clock": (stay("2024-03-10T02:30:00", None), {"start_date": date(2024, 3, 10), "start_at": None}),
    "reversed": (stay("2024-03-04T10:00:00Z", "2024-03-01T10:00:00Z"),
                 {"is_end_before_start": True, "length_of_stay": None, "midnights": None}),
    "reversed days": (stay("2024-03-04", "2024-03-01"), {"is_end_before_start": True, "length_of_stay": None}),
    "reversed within a day": (stay("2024-03-04T10:00:00Z", "2024-03-04T09:00:00Z"),
                              {"is_end_before_start": True, "length_of_stay": 1}),
    "year": (stay("2019", "2020"), {"start_date": date(2019, 1, 1), "start_precision": "year", "length_of_stay": None,
                                    "start_at": None, "utc_offset_minutes": None}),
    "month": (stay("2019-03", "2019-03-05"), {"start_date": date(2019, 3, 1), "start_precision": "month",
                                              "end_precision": "day", "midnights": None}),
    "no zone": (stay("2019-03-04T23:00:00", "2019-03-05T01:00:00"),
                {"start_date": date(2019, 3, 4), "start_precision": "time", "start_at": None, "length_of_stay": 1}),
    "no dates": (stay(None, None), {"start_date": None, "start_precision": None, "length_of_stay": None}),
    # Kinds. A stay in a nursing home is of class IMP.
    "snf": (kind("IMP", "449411000124106"), {"encounter_kind": "snf", "length_of_stay": 1}),
    "hospice": (kind("HH", "305336008"), {"encounter_kind": "hospice"}),
    "hospice care": (kind("AMB", "385765002"), {"encounter_kind": "hospice"}),
    "home health": (kind("HH", "439708006"), {"encounter_kind": "home_health"}),
    "short stay": (kind("SS"), {"encounter_kind": "observation"}),
    "observed": (kind("OBSENC"), {"encounter_kind": "observation"}),
    "emergency": (kind("EMER", "50849002"), {"encounter_kind": "emergency", "is_kind_doubtful": False}),
    "emergency at home": (kind("EMER", at=HOME), {"encounter_kind": "emergency", "is_kind_doubtful": True}),
    "addiction": (kind("IMP", "56876005"), {"encounter_kind": "non_acute_inpatient"}),
    "psychiatry": (kind("ACUTE", "305400006"), {"encounter_kind": "non_acute_inpatient"}),
    "rehabilitation": (kind("NONAC", "449431000124100"), {"encounter_kind": "non_acute_inpatient"}),
    "not acute": (kind("NONAC"), {"encounter_kind": "non_acute_inpatient"}),
    "admission": (kind("IMP", "32485007"), {"encounter_kind": "acute_inpatient", "facility_ccn": "170001"}),
    "admission at home": (kind("IMP", "32485007", HOME), {"encounter_kind": "acute_inpatient", "is_kind_doubtful": True,
                                                          "facility_ccn": "175545"}),
    "inpatient at home": (kind("IMP", "185347001", HOME), {"encounter_kind": "snf", "is_kind_doubtful": False}),
    "inpatient at a Medicaid home": (kind("IMP", at=MEDICAID_HOME), {"encounter_kind": "snf"}),
    "inpatient": (kind("IMP", "185347001"), {"encounter_kind": "acute_inpatient", "is_kind_doubtful": False}),
    "nowhere": (kind("IMP", at="Organization/unknown"), {"encounter_kind": "acute_inpatient", "facility_ccn": None,
                                                         "organization_id": "unknown"}),
    "virtual": (kind("VR"), {"encounter_kind": "virtual"}),
    "urgent": (kind("AMB", "702927004"), {"encounter_kind": "urgent_care"}),
    "ambulatory": (kind("AMB", "185349003"), {"encounter_kind": "ambulatory", "type_code": "185349003"}),
    "unknown class": (kind("XYZ"), {"encounter_kind": "other"}),
    "no class": (kind(None), {"encounter_kind": "other"}),
    # [synthetichealth/synthea#948; codes 1 and 01 both occur]
    "home 1": ({"discharge_disposition_code": "1"}, {"discharge_disposition_code": "01"}),
    "home 01": ({"discharge_disposition_code": "01"}, {"discharge_disposition_code": "01"}),
    "died": ({"discharge_disposition_code": "exp"}, {"discharge_disposition_code": "20"}),
    "to a home": ({"discharge_disposition_code": "snf"}, {"discharge_disposition_code": "03"}),
    "elsewhere": ({"discharge_disposition_code": "oth"}, {"discharge_disposition_code": None}),
    "unsaid": ({}, {"discharge_disposition_code": None, "status": "unknown"}),
    # States: what is planned or cancelled stays.
    "cancelled": ({"status": "cancelled"}, {"status": "cancelled"}),
    "odd": ({"status": "beamed"}, {"status": "unknown"}),
    # [synthetichealth/synthea#673] born on 1990-05-05, died on 2020-06-01 at 12:00 UTC.
    "before birth": (stay("1990-05-04T23:00:00Z", None), {"is_before_birth": True, "is_after_death": False}),
    "at birth": (stay("1990-05-05", None), {"is_before_birth": False}),
    "certificate": (stay("2020-06-01T12:00:01Z", None), {"is_after_death": True, "is_before_birth": False}),
    "in time": (stay("2020-06-01T12:00:00Z", None), {"is_after_death": False}),
    "on the day": (stay("2020-06-01", None), {"is_after_death": False}),
    "day after": (stay("2020-06-02", None), {"is_after_death": True}),
    # Who performed it: a role is no clinician.
    "by npi": ({"participant": "Practitioner?identifier=npi|1"}, {"care_provider_id": "doctor"}),
    "by two": ({"participant": "Practitioner?identifier=npi|2"}, {"care_provider_id": None}),
    "by role": ({"participant": "PractitionerRole/r"}, {"care_provider_id": None}),
    # Diagnoses.
    "own": ({"diagnosis_condition": "Condition/flu", "reason": f"{SNOMED}|73595000"},
            {"diagnosis_source": "encounter", "primary_diagnosis_code": "J11", "diagnosis_category": "Respiratory"}),
    "own unknown": ({"diagnosis_condition": "Condition/nowhere", "reason": f"{SNOMED}|73595000"},
                    {"diagnosis_source": "reason", "primary_diagnosis_code": "73595000",
                     "diagnosis_category": "Mental health"}),
    "answered": ({"reason": f"{SNOMED}|73595000"}, {"diagnosis_source": "eob", "primary_diagnosis_code": "I50.9",
                                                    "diagnosis_category": "Circulatory"}),
    "claimed": ({}, {"diagnosis_source": "claim", "primary_diagnosis_code": "J11"}),
    "claimed twice": ({}, {"diagnosis_source": "claim", "primary_diagnosis_code": "E11"}),
    "only reason": ({"reason": "other|1"}, {"diagnosis_source": "reason", "diagnosis_category": "Unmapped"}),
    "noted": ({}, {"diagnosis_source": "condition", "primary_diagnosis_code": "early"}),
    "nothing": ({}, {"diagnosis_source": "none", "primary_diagnosis_code": None,
                     "diagnosis_category": "No diagnosis"}),
}  # fmt: skip

HOMES = [
    {"organization_id": "home", "ccn": "175545"},
    {"organization_id": "medicaid home", "ccn": "17A001"},
    {"organization_id": "hospital", "ccn": "170001"},
]
CONDITIONS = [
    {"condition_id": "flu", "code": f"{ICD_10}|J11"},
    *({"condition_id": code, "encounter_id": "noted", "category_code": category, "recorded_date": day,
       "code_code": code}
      for code, category, day in (
          ("late", "encounter-diagnosis", date(2024, 3, 2)), ("early", "encounter-diagnosis", date(2024, 3, 1)),
          ("problem", "problem-list-item", date(2024, 2, 1)), ("undated", "encounter-diagnosis", None),
      )),
]  # fmt: skip
CLAIMS = [
    {"resource_id": "c1", "subject": "Patient/answered", "diagnosis": f"{ICD_10}|E11"},
    {"resource_id": "c2", "subject": "Patient/claimed", "diagnosis_condition": "Condition/flu"},
    {
        "resource_id": "c3",
        "subject": "Patient/claimed twice",
        "diagnosis": f"{ICD_10}|J11",
        "billable_start": "2024-02",
    },
    {
        "resource_id": "c4",
        "subject": "Patient/claimed twice",
        "diagnosis": f"{ICD_10}|E11",
        "billable_start": "2024-01",
    },
]
ITEMS = [
    {"resource_id": claim, "encounter": f"Encounter/{encounter}", "source_line": line}
    for line, claim, encounter in (
        (1, "c1", "answered"), (1, "c1", "answered"), (2, "c2", "claimed"), (3, "c3", "claimed twice"),
        (4, "c4", "claimed twice"),
    )
]  # fmt: skip
BENEFITS = [{"resource_id": "b1", "claim": "Claim/c1", "diagnosis": f"{ICD_10}|I50.9"}]
CLINICIANS = [
    {"lookup": "Practitioner?identifier=npi|1", "resource_id": "doctor", "n_candidates": 1},
    {"lookup": "Practitioner?identifier=npi|2", "resource_id": None, "n_candidates": 2},
]


@pytest.fixture(scope="module")
def found(engine):
    encounters = [{"resource_id": name, "subject": f"Patient/{name}", **said} for name, (said, _) in CASES.items()]
    lives = [
        {"patient_id": name, "birth_date": date(1990, 5, 5), "deceased_date": date(2020, 6, 1),
         "deceased_at": datetime(2020, 6, 1, 12, tzinfo=timezone.utc)}
        for name in ("before birth", "at birth", "certificate", "in time", "on the day", "day after")
    ]  # fmt: skip
    conditions = [one | {"patient_bucket": bucket("p")} for one in CONDITIONS]
    made = mart.fct_encounters(
        rows(engine, ENCOUNTER.table, *encounters),
        rows(engine, DIM_PATIENTS, *lives),
        rows(engine, FCT_CONDITIONS, *conditions),
        rows(engine, CLAIM.table, *CLAIMS),
        rows(engine, CLAIM_ITEM.table, *ITEMS),
        rows(engine, EXPLANATION_OF_BENEFIT.table, *BENEFITS),
        rows(engine, FACILITIES, *HOMES),
        rows(engine, DIRECTORY, *CLINICIANS),
        rows(engine, DELETION),
        rows(engine, ID_CONFLICTS),
    )
    held = passed(engine, mart.FCT_ENCOUNTERS, made, warned=["end_not_before_start", "kind_known"])
    # [OHDSI/ETL-Synthea#132] nothing that is joined doubles an encounter
    assert len(held) == len(CASES)
    return {row["encounter_id"]: row.asDict() for row in held}


@pytest.mark.parametrize("case", CASES)
def test_an_encounter(found, case):
    _, expected = CASES[case]
    assert {name: instant(found[case][name]) for name in expected} == expected
