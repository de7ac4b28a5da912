"""Patients, clinicians, organizations, what ails patients and what was done: every case in one run each."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from nh_pipeline.datasets.clinical.care import CONDITION, ICD_10, PROCEDURE, SNOMED
from nh_pipeline.datasets.clinical.export import DELETION, IDENTIFIER
from nh_pipeline.datasets.clinical.people import CCN_SYSTEM, ORGANIZATION, PATIENT, PRACTITIONER, PRACTITIONER_ROLE
from nh_pipeline.datasets.cms.nppes import DIM_NPI
from nh_pipeline.datasets.cms.providers import DIM_PROVIDERS as CMS_PROVIDERS
from nh_pipeline.datasets.cms.snf_enrollments import DIM_SNF_ENROLLMENTS
from nh_pipeline.datasets.facility_map import DIM_FACILITY_MAP
from nh_pipeline.marts.clinical.dim_patients import DIM_PATIENTS, dim_patients
from nh_pipeline.marts.clinical.dim_providers import DIM_PROVIDERS, dim_providers
from nh_pipeline.marts.clinical.directory import DIRECTORY
from nh_pipeline.marts.clinical.facilities import FACILITIES, facilities
from nh_pipeline.marts.clinical.facility_crosswalk import FACILITY_CROSSWALK, facility_crosswalk
from nh_pipeline.marts.clinical.fct_conditions import FCT_CONDITIONS, fct_conditions
from nh_pipeline.marts.clinical.fct_procedures import FCT_PROCEDURES, fct_procedures
from nh_pipeline.marts.clinical.id_conflicts import ID_CONFLICTS
from nh_pipeline_tests.support.fhir_rows import instant, passed, rows, utc

pytestmark = pytest.mark.integration

NPI = "http://hl7.org/fhir/sid/us-npi"
KNOWN = [
    {"lookup": f"Organization?identifier={NPI}|1", "resource_id": "hospital", "n_candidates": 1},
    {"lookup": f"Practitioner?identifier={NPI}|2", "resource_id": "wise", "n_candidates": 1},
]

PATIENTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "whole": (
        {"gender": "female", "birth_date": "1940-02-29", "race_code": "2106-3", "race_text": "White",
         "ethnicity_code": "2186-5", "marital_status": "x|M", "address_city": "Emporia", "address_state": "KS",
         "address_postal_code": "66801-1234", "managing_organization": f"Organization?identifier={NPI}|1"},
        {"gender": "female", "birth_date": date(1940, 2, 29), "birth_date_precision": "day", "race_code": "2106-3",
         "ethnicity_code": "2186-5", "marital_status_code": "M", "city": "Emporia", "state": "KS", "zip_code": "66801",
         "managing_organization_id": "hospital", "is_deceased": False, "is_active": True},
    ),
    "bare": ({}, {"gender": None, "birth_date": None, "birth_date_precision": None, "zip_code": None,
                  "is_deceased": False, "deceased_date": None, "is_active": True, "managing_organization_id": None}),
    "month": ({"birth_date": "1940-02"}, {"birth_date": date(1940, 2, 1), "birth_date_precision": "month"}),
    "year": ({"birth_date": "1940"}, {"birth_date": date(1940, 1, 1), "birth_date_precision": "year"}),
    "died": ({"deceased_datetime": "2020-06-01T23:30:00-05:00"},
             {"is_deceased": True, "deceased_date": date(2020, 6, 1), "deceased_at": utc("2020-06-02T04:30")}),
    "died once": ({"deceased_boolean": "true"}, {"is_deceased": True, "deceased_date": None}),
    "lives": ({"deceased_boolean": "false", "active": "false"}, {"is_deceased": False, "is_active": False}),
    "races": ({"race_code": "2106-3", "race_second_code": "2054-5"}, {"race_code": "multiple"}),
    "in words": ({"race_text": "Other"}, {"race_code": "Other"}),
    "odd": ({"gender": "F", "address_postal_code": "668"}, {"gender": None, "zip_code": None}),
}  # fmt: skip


@pytest.fixture(scope="module")
def nothing(engine):
    return rows(engine, DIRECTORY, *KNOWN), rows(engine, DELETION), rows(engine, ID_CONFLICTS)


@pytest.fixture(scope="module")
def patients(engine, nothing):
    said = rows(engine, PATIENT.table, *({"resource_id": name, **of} for name, (of, _) in PATIENTS.items()))
    return {row["patient_id"]: row for row in passed(engine, DIM_PATIENTS, dim_patients(said, *nothing))}


@pytest.mark.parametrize("case", PATIENTS)
def test_a_patient(patients, case):
    expected = PATIENTS[case][1]
    assert {name: instant(patients[case][name]) for name in expected} == expected


def test_nobody_is_named():
    """Names, numbers and telephones stay in the resource as it was delivered."""
    assert not [name for name in DIM_PATIENTS.names if "name" in name or "phone" in name or "address" in name]


HOMES = [
    # CCN, name, legal name, street, ZIP code, state; the last is how a home was known before.
    ("175545", "HILLTOP MANOR", "HILLTOP LLC", "700 MAIN ST, PO BOX 8", "66801"),
    ("175373", "LIFE CARE CENTER", "SHARED OWNER INC", "601 CROSS ST", "66839"),
    ("175506", "ANDBE HOME", "SHARED OWNER INC", "201 WEST CRANE STREET", "67654"),
    ("175517", "FIRST AT ELM", None, "5 ELM AVENUE", "66210"),
    ("175561", "SECOND AT ELM", "MOUNT ST MARY, INC.", "5 ELM AVENUE", "66210"),
]
ORGANIZATIONS: dict[str, tuple[dict[str, Any], tuple[str | None, str, int]]] = {
    # What is said, with identifiers in ccn; CCN, method, candidates.
    "home": ({"ccn": ["175545"]}, ("175545", "identifier", 1)),
    "hospital": ({"ccn": [" 17a001 "]}, ("17A001", "identifier", 1)),
    "two": ({"ccn": ["175545", "175373"]}, (None, "none", 2)),
    "same twice": ({"ccn": ["175506", "175506"]}, ("175506", "identifier", 1)),
    "no ccn": ({"ccn": ["55"]}, (None, "none", 0)),
    "confirmed": ({}, ("175373", "confirmed", 1)),
    "enrolled": ({"npi": "2"}, ("175506", "npi", 1)),
    "enrolled twice": ({"npi": "3"}, ("175517", "npi", 1)),
    "enrolled as two": ({"npi": "4", "name": "Hilltop Manor"}, (None, "none", 2)),
    "enrolled as none": ({"npi": "5"}, (None, "none", 0)),
    "address": ({"address_line": "700 Main Street", "address_postal_code": "66801-1234"}, ("175545", "address", 1)),
    "elsewhere": ({"address_line": "700 Main Street", "address_postal_code": "66802"}, (None, "none", 0)),
    "two at an address": ({"address_line": "5 Elm Ave.", "address_postal_code": "66210"}, (None, "none", 2)),
    "name": ({"name": "Hilltop Manor, Inc."}, ("175545", "name", 1)),
    "legal name": ({"name": "Mount St. Mary", "address_state": " ks "}, ("175561", "name", 1)),
    "name of two": ({"name": "Shared Owner LLC"}, (None, "none", 2)),
    "name in Missouri": ({"name": "Hilltop Manor", "address_state": "MO"}, (None, "none", 0)),
    "former name": ({"name": "Prairie Rest"}, (None, "none", 0)),
    # The surest way decides, whatever the others say.
    "all say another": (
        {"ccn": ["175373"], "npi": "2", "address_line": "700 Main St", "name": "First at Elm"},
        ("175373", "identifier", 1)),
    "confirmed, though enrolled": ({"npi": "2", "address_line": "700 Main St"}, ("175561", "confirmed", 1)),
    "confirmed, though two": ({"address_line": "5 Elm Ave", "address_postal_code": "66210"},
                              ("175561", "confirmed", 1)),
    "enrolled elsewhere": ({"npi": "2", "address_line": "700 Main St"}, ("175506", "npi", 1)),
    "renamed": ({"address_line": "700 Main St", "name": "First at Elm"}, ("175545", "address", 1)),
}  # fmt: skip


@pytest.fixture(scope="module")
def crosswalk(engine, nothing):
    _, *rest = nothing
    said = [{"resource_id": name, "address_state": "KS", "address_postal_code": "66801", "source_line": line,
             "part_of": "Organization/home" if name == "two" else None,
             **{key: value for key, value in of.items() if key != "ccn"}}
            for line, (name, (of, _)) in enumerate(ORGANIZATIONS.items())]  # fmt: skip
    identifiers = [
        {"resource_type": "Organization", "resource_id": name, "system": system, "identifier_value": value,
         "source_line": line, "item_index": nth}
        for line, (name, (of, _)) in enumerate(ORGANIZATIONS.items())
        for nth, (system, value) in enumerate([(NPI, "175545"), *((CCN_SYSTEM, ccn) for ccn in of.get("ccn", ()))])
    ]  # fmt: skip
    confirmed = [("confirmed", "175373"), ("confirmed, though enrolled", "175561"),
                 ("confirmed, though two", "175561"), ("all say another", "175506"), ("nobody", "175373")]  # fmt: skip
    enrolled = [("2", "175506"), ("3", "175517"), ("3", "175517"), ("4", "175517"), ("4", "175561"), ("5", None),
                (None, "175545")]  # fmt: skip
    homes = [
        {"provider_id": ccn, "provider_name": name, "legal_business_name": legal, "address": street, "zip_code": zip5,
         "state": "KS", "is_current": True}
        for ccn, name, legal, street, zip5 in HOMES
    ]  # fmt: skip
    former = homes[0] | {"provider_name": "PRAIRIE REST", "is_current": False}
    organizations = rows(engine, ORGANIZATION.table, *said)
    made = facility_crosswalk(
        organizations, rows(engine, IDENTIFIER.table, *identifiers), *rest,
        rows(engine, DIM_FACILITY_MAP, *({"organization_id": of, "provider_id": ccn} for of, ccn in confirmed)),
        rows(engine, DIM_SNF_ENROLLMENTS, *({"npi": npi, "provider_id": ccn} for npi, ccn in enrolled)),
        rows(engine, CMS_PROVIDERS, *homes, former),
    )  # fmt: skip
    found = passed(engine, FACILITY_CROSSWALK, made)
    return organizations, facilities(engine.createDataFrame(found, made.schema)), found


@pytest.mark.parametrize("name", ORGANIZATIONS)
def test_which_facility_an_organization_is(crosswalk, name):
    (row,) = (row for row in crosswalk[-1] if row["organization_id"] == name)
    assert (row["ccn"], row["match_method"], row["n_candidates"]) == ORGANIZATIONS[name][1]


def test_facilities_are_the_organizations_with_a_ccn(engine, crosswalk):
    _, known, found = crosswalk
    assert len(found) == len(ORGANIZATIONS)
    (address,) = (row for row in found if row["organization_id"] == "address")
    assert (address["street"], address["zip5"]) == ("700 Main Street", "66801")
    told = {row["organization_id"]: row["ccn"] for row in passed(engine, FACILITIES, known)}
    assert told == {name: ccn for name, (_, (ccn, *_)) in ORGANIZATIONS.items() if ccn}


def test_providers(engine, nothing, crosswalk):
    directory, *rest = nothing
    organizations, known, _ = crosswalk
    clinicians = [
        # 1234567893 is CMS's own example of a right NPI.
        {"resource_id": "wise", "npi": "1234567893", "given_name": "Ada", "family_name": "Wise"},
        {"resource_id": "typo", "npi": "1234567894"},
        {"resource_id": "transposed", "npi": "1234567839"},
        {"resource_id": "made up", "npi": "9999974493"},
        {"resource_id": "short", "npi": "123456789"},
        {"resource_id": "line break", "npi": "1234567893\n"},
        {"resource_id": "none", "npi": None},
        {"resource_id": "home", "npi": None},  # an id of an organization, too
    ]
    # [OHDSI/ETL-Synthea#132, synthetichealth/synthea#608] a clinician of several specialties is one
    by_npi = f"Practitioner?identifier={NPI}|2"
    roles = [
        {"resource_id": "r2", "practitioner": by_npi, "specialty": "nucc|B", "organization": "Organization/hospital"},
        {"resource_id": "r1", "practitioner": "Practitioner/wise", "specialty": "nucc|A", "specialty_display": "Alpha",
         "organization": "Organization/home"},
        {"resource_id": "r0", "practitioner": "Practitioner/wise", "organization": "Organization/two"},
        {"resource_id": "r3", "practitioner": "Practitioner/elsewhere", "specialty": "nucc|C"},
    ]  # fmt: skip
    registry = [
        {"npi": "1234567893", "first_name": "ADA", "last_name": "WISE", "primary_taxonomy": "207Q00000X",
         "enumeration_date": date(2006, 5, 1), "is_active": True, "is_current": True},
        {"npi": "1234567893", "first_name": "ADA", "last_name": "YOUNG", "is_active": True, "is_current": False},
        {"npi": "1234567894", "first_name": "TY", "last_name": "PO", "primary_taxonomy": "363L00000X",
         "deactivation_date": date(2020, 1, 1), "is_active": False, "is_current": True},
        # Reactivated, and known under another name.
        {"npi": "4", "organization_name": "HILLTOP HOLDING, LLC", "deactivation_date": date(2020, 1, 1),
         "is_active": True, "is_current": True},
    ]  # fmt: skip
    made = dim_providers(
        rows(engine, PRACTITIONER.table, *clinicians), rows(engine, PRACTITIONER_ROLE.table, *roles), organizations,
        known, rows(engine, DIM_NPI, *registry), directory, *rest,
    )  # fmt: skip
    found = {(row["provider_kind"], row["care_provider_id"]): row for row in passed(engine, DIM_PROVIDERS, made)}
    assert len(found) == len(clinicians) + len(ORGANIZATIONS)
    right = {of: row["is_npi_valid"] for (kind, of), row in found.items() if kind == "practitioner"}
    assert right == {"wise": True, "typo": False, "transposed": False, "made up": luhn("9999974493"), "short": False,
                     "line break": False, "none": None, "home": None}  # fmt: skip
    wise = found["practitioner", "wise"]
    assert (wise["specialty_code"], wise["specialty_name"], wise["specialty_source"]) == ("A", "Alpha", "role")
    assert (wise["name"], wise["n_roles"], wise["organization_id"], wise["ccn"]) == ("Ada Wise", 3, "home", "175545")
    typo = found["practitioner", "typo"]
    assert (typo["name"], typo["n_roles"], typo["ccn"], typo["name_differs"]) == (None, 0, None, None)
    assert (typo["specialty_code"], typo["specialty_source"], typo["nppes_name"]) == ("363L00000X", "nppes", "TY PO")
    assert (typo["is_npi_active"], typo["nppes_deactivation_date"]) == (False, date(2020, 1, 1))
    assert (wise["nppes_name"], wise["name_differs"], wise["is_npi_active"]) == ("ADA WISE", False, True)
    assert (wise["nppes_enumeration_date"], wise["nppes_deactivation_date"]) == (date(2006, 5, 1), None)
    holding = found["organization", "enrolled as two"]
    assert (holding["nppes_name"], holding["name_differs"]) == ("HILLTOP HOLDING, LLC", True)
    assert (holding["is_npi_active"], holding["nppes_deactivation_date"]) == (True, None)
    unknown = found["practitioner", "made up"]
    assert (unknown["specialty_source"], unknown["is_npi_active"], unknown["nppes_name"]) == ("none", None, None)
    two = found["organization", "two"]
    assert (two["name"], two["organization_id"], two["ccn"]) == (None, "home", None)
    assert found["organization", "hospital"]["ccn"] == "17A001"


def luhn(npi: str) -> bool:
    digits = [int(d) for d in reversed("80840" + npi)]
    return sum(sum(divmod(d * (1 + nth % 2), 10)) for nth, d in enumerate(digits)) % 10 == 0


def test_conditions_and_procedures(engine, nothing):
    conditions = [
        {"resource_id": "flu", "subject": "Patient/p", "encounter": "Encounter/e", "code": f"{ICD_10}|J11",
         "code_text": "Flu", "onset_datetime": "2024-03", "recorded_date": "2024-03-05T23:00:00-05:00",
         "category": "x|encounter-diagnosis", "clinical_status": "active"},
        {"resource_id": "wrong", "subject": "Patient/p", "verification_status": "entered-in-error"},
    ]  # fmt: skip
    (flu,) = passed(engine, FCT_CONDITIONS, fct_conditions(rows(engine, CONDITION.table, *conditions), *nothing))
    assert (flu["code_system"], flu["code_code"], flu["code_display"]) == (ICD_10, "J11", "Flu")
    assert (flu["onset_date"], flu["onset_precision"]) == (date(2024, 3, 1), "month")
    assert (flu["recorded_date"], flu["encounter_id"]) == (date(2024, 3, 5), "e")
    procedures = [
        {"resource_id": "x", "subject": "Patient/p", "status": "completed", "code": f"{SNOMED}|70536003",
         "performed_start": "2024-03-05T23:00:00-05:00", "performed_end": "2024-03-06", "reason": "Condition/flu"},
        {"resource_id": "wrong", "subject": "Patient/p", "status": "entered-in-error"},
    ]  # fmt: skip
    (done,) = passed(engine, FCT_PROCEDURES, fct_procedures(rows(engine, PROCEDURE.table, *procedures), *nothing))
    assert instant(done["performed_at"]) == utc("2024-03-06T04:00")
    assert (done["performed_date"], done["performed_end_date"]) == (date(2024, 3, 5), date(2024, 3, 6))
    assert (done["reason_condition_id"], done["code_code"]) == ("flu", "70536003")
