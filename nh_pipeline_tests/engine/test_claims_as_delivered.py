"""From a claim as it is delivered to its rows: what counts of it."""

from __future__ import annotations

import io
from datetime import date
from decimal import Decimal

import pytest

from nh_pipeline.datasets.clinical.care import CPT, ICD_10, SNOMED
from nh_pipeline_tests.support import fhir
from nh_pipeline_tests.support.fhir_built import built

pytestmark = pytest.mark.integration

BUILT = ("id_conflicts", "directory", "fct_conditions", "dim_payers", "fct_adjudications", "fct_claims",
         "fct_claim_lines")  # fmt: skip
ADJUDICATION = "http://terminology.hl7.org/CodeSystem/adjudication"
CARIN = "http://hl7.org/fhir/us/carin-bb/CodeSystem/C4BBAdjudication"
CARC = "https://x12.org/codes/claim-adjustment-reason-codes"


def coded(system, code):
    return {"coding": [{"system": system, "code": code}]}


def dollars(value):
    return {"value": value, "currency": "USD"}


PATIENT = {"reference": "Patient/p"}
TYPE = coded("http://terminology.hl7.org/CodeSystem/claim-type", "professional")
CONDITIONS = [
    {"resourceType": "Condition", "id": name, "subject": PATIENT, "code": coded(system, code)}
    for name, system, code in (("first", SNOMED, "38341003"), ("main", ICD_10, "J44.1"))
]  # fmt: skip
CLAIM = {
    "resourceType": "Claim", "id": "c", "status": "active", "use": "claim", "type": TYPE, "patient": PATIENT,
    "created": "2024-01-10T23:30:00-06:00", "billablePeriod": {"start": "2024-01-09T23:30:00-06:00"},
    "provider": {"reference": "Practitioner/dr"}, "total": dollars(112.41600000000001),
    "diagnosis": [
        {"sequence": 1, "diagnosisReference": {"reference": "Condition/first"}},
        {"sequence": 2, "diagnosisReference": {"reference": "Condition/main"},
         "type": [coded("http://terminology.hl7.org/CodeSystem/ex-diagnosistype", "principal")]},
    ],
    "insurance": [
        {"sequence": 1, "focal": False, "coverage": {"display": "Medicare"}},
        {"sequence": 2, "focal": True, "coverage": {"display": "Aetna Better Health (Medicaid)"}},
    ],
    "item": [
        {"sequence": 1, "productOrService": coded(CPT, "99213"), "net": dollars(60)},
        {"sequence": 2, "productOrService": coded(CPT, "81002"), "net": dollars(52.416)},
    ],
}  # fmt: skip
DECISION = {
    "resourceType": "ExplanationOfBenefit", "id": "e", "status": "active", "use": "claim", "type": TYPE,
    "patient": PATIENT, "created": "2024-02-01", "outcome": "complete", "claim": {"reference": "Claim/c"},
    "contained": [{"resourceType": "Coverage", "id": "coverage", "status": "active", "type": {"text": "HMO"},
                   "beneficiary": PATIENT, "payor": [{"display": "never read"}]}],
    "insurance": [{"focal": True, "coverage": {"reference": "#coverage"}}],
    "item": [
        {"sequence": 1, "itemSequence": [2], "productOrService": coded(CPT, "81002"),
         "adjudication": [
             {"category": coded(ADJUDICATION, "submitted"), "amount": dollars(52.416)},
             {"category": coded(f"{CARIN}Discriminator", "denialreason"),
              "reason": coded(CARC, "97")},
         ]},
        {"sequence": 2, "itemSequence": [1], "productOrService": coded(CPT, "99213"),
         "adjudication": [
             {"category": coded(ADJUDICATION, "eligible"), "amount": dollars(50)},
             {"category": coded(ADJUDICATION, "benefit"), "amount": dollars(40)},
             {"category": coded(CARIN, "coinsurance"), "amount": dollars(10)},
         ]},
    ],
}  # fmt: skip
ALONE = {name: value for name, value in DECISION.items() if name != "claim"} | {"id": "alone", "outcome": "error"}


@pytest.fixture(scope="module")
def made(engine):
    """The rows of the marts, by their names."""
    delivered = fhir.ndjson([fhir.patient("p"), *CONDITIONS, CLAIM, DECISION, ALONE])
    return built(engine, [(date(2024, 6, 1), io.BytesIO(delivered))], BUILT)


def test_a_claim(made):
    claims = {row["claim_id"]: row for row in made["fct_claims"]}
    assert set(claims) == {"c", "eob:alone"}
    claim = claims["c"]
    told = {name: str(claim[name]) for name in (
        "payer", "payer_category", "primary_diagnosis_code", "diagnosis_category", "claim_type", "billed_amount",
        "line_net_amount", "is_header_unbalanced", "billable_start_date", "created_date", "adjudicated_date",
        "care_provider_id", "adjudication", "paid_amount", "allowed_amount", "patient_responsibility", "denied_amount",
        "denial_reason_code", "denial_category",
    )}  # fmt: skip
    assert told == {
        "payer": "Aetna Better Health (Medicaid)", "payer_category": "Medicaid",  # of two insurances the focal one
        "primary_diagnosis_code": "J44.1", "diagnosis_category": "Respiratory",  # the principal one, not the first
        "claim_type": "professional", "billed_amount": "112.4160", "line_net_amount": "112.4160",
        "is_header_unbalanced": "False", "billable_start_date": "2024-01-09", "created_date": "2024-01-10",
        "adjudicated_date": "2024-02-01", "care_provider_id": "dr", "adjudication": "partly_denied",
        "paid_amount": "40.0000", "allowed_amount": "50.0000", "patient_responsibility": "10.0000",
        "denied_amount": "52.4160", "denial_reason_code": "97", "denial_category": "coding",
    }  # fmt: skip


def test_a_decision_finds_the_line_that_it_is_on(made):
    lines = {row["line_number"]: row for row in made["fct_claim_lines"] if row["claim_id"] == "c"}
    assert {n: (row["service_code"], row["is_denied"], row["paid_amount"]) for n, row in lines.items()} == {
        1: ("99213", False, Decimal(40)),
        2: ("81002", True, None),
    }


def test_a_contained_insurance_tells_of_which_kind_it_is(made):
    alone = next(row for row in made["fct_claims"] if row["claim_id"] == "eob:alone")
    assert (alone["payer"], alone["adjudication"], alone["is_from_eob"]) == ("HMO", "partly_denied", True)
