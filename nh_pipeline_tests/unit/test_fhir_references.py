"""What references mean, as far as the file itself tells."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from nh_pipeline.landing.fhir.references import References
from nh_pipeline_tests.support.fhir_deliveries import (
    ABOUT,
    bundle,
    document,
    entry,
    ndjson,
    observation,
    patient,
    resource,
    row,
    rows,
)

NPI = "http://hl7.org/fhir/sid/us-npi"
UUID = "0b9875ba-9310-313d-93d4-bf552585d527"
TO = ("Practitioner",)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Practitioner/1", ("Practitioner/1", "relative", "1")),
        # [pysof]: a generic runner takes "1/_history/2" for the key.
        ("Practitioner/1/_history/2", ("Practitioner/1/_history/2", "relative", "1")),
        ("https://ours/fhir/Practitioner/1", ("https://ours/fhir/Practitioner/1", "absolute", "1")),
        ("https://ours/fhir/Practitioner/1/_history/2", (None, "absolute", "1")),
        ("https://theirs/fhir/Practitioner/1", ("https://theirs/fhir/Practitioner/1", "absolute", None)),
        ("https://ours/fhir/more/Practitioner/1", (None, "absolute", None)),
        (f"Practitioner?identifier={NPI}|99", (f"Practitioner?identifier={NPI}|99", "conditional", None)),
        (
            "Practitioner?identifier=http%3A%2F%2Fx%7C9%209",
            ("Practitioner?identifier=http://x|9 9", "conditional", None),
        ),
        ("#who", ("#who", "contained", "owner#who")),
        # [synthetichealth/synthea#513, smart-on-fhir/fhir-bulk-data-docs#69]
        # In NDJSON a uuid is itself an id; whether there is such a resource, silver sees.
        (f"urn:uuid:{UUID}", (f"urn:uuid:{UUID}", "urn", UUID)),
        ("Group/1", ("Group/1", "unsupported", None)),
        ("https://ours/fhir/Group/1", (None, "unsupported", None)),
        ("Group?identifier=a|b", (None, "unsupported", None)),
        ("whatever", ("whatever", "unsupported", None)),
        ("Practitioner/", ("Practitioner/", "unsupported", None)),
    ],
)
def test_a_reference_by_its_text(written, expected):
    found = References(bases=["https://ours/fhir/"]).resolve({"reference": written, "display": "Dr"}, TO, "owner")
    assert found == (expected[0] or written, *expected[1:], "Dr")


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ({"reference": "Practitioner/1/_history/2"}, ("Practitioner/east:1", "relative", "east:1")),
        ({"reference": "https://ours/fhir/Practitioner/1"}, ("https://ours/fhir/Practitioner/1", "absolute", "east:1")),
        ({"reference": f"urn:uuid:{UUID}"}, (f"urn:uuid:{UUID}", "urn", f"east:{UUID}")),
        (
            {"reference": "Practitioner?identifier=s|9"},
            ("Practitioner?identifier=s|9&_source=east", "conditional", None),
        ),
        (
            {"identifier": {"system": "s", "value": "9"}},
            ("Practitioner?identifier=s|9&_source=east", "logical", None),
        ),
        ({"reference": "#who"}, ("#who", "contained", "east:e#who")),
        ({"reference": "https://theirs/fhir/Practitioner/1"}, ("https://theirs/fhir/Practitioner/1", "absolute", None)),
    ],
)
def test_a_reference_leads_to_what_its_own_source_has(reference, expected):
    references = References(bases=["https://ours/fhir/"], source="east")
    assert references.resolve(reference, TO, references.own("e")) == (*expected, None)


def test_ids_of_a_named_source_begin_with_its_name():
    about = replace(ABOUT, source="east")
    made = document(bundle(
        encounter_of(diagnosis=[{"condition": {"reference": "Condition/c"}}]),
        entry(patient("p"), url=f"urn:uuid:{UUID}"),
        {"request": {"method": "DELETE", "url": "Patient/9"}},
    ))  # fmt: skip
    found = row(made, "encounter", about)
    assert (found["resource_id"], found["patient_id"], found["source"]) == ("east:e", "east:p", "east")
    assert [one["resource_id"] for one in rows(made, "patient", about)] == ["east:p"]
    assert row(made, "deletion", about)["resource_id"] == "east:9"
    assert json.loads(rows(made, "resource", about)[1]["resource"])["id"] == "p"


@pytest.mark.parametrize(
    ("reference", "to", "expected"),
    [
        (None, TO, (None, "none", None, None)),
        ({}, TO, (None, "none", None, None)),
        ({"display": "Dr. X"}, TO, (None, "display", None, "Dr. X")),
        ({"reference": "", "display": "Dr. X"}, TO, (None, "display", None, "Dr. X")),
        ({"reference": 5}, TO, (None, "none", None, None)),
        (
            {"identifier": {"system": NPI, "value": "9"}},
            TO,
            (f"Practitioner?identifier={NPI}|9", "logical", None, None),
        ),
        ({"identifier": {"value": "9"}}, TO, ("Practitioner?identifier=|9", "logical", None, None)),
        (
            {"type": "Organization", "identifier": {"system": "s", "value": "9"}},
            ("Practitioner", "Organization"),
            ("Organization?identifier=s|9", "logical", None, None),
        ),
        ({"identifier": {"value": "9"}}, ("A", "B"), ("?identifier=|9", "logical", None, None)),
        ({"type": "Group", "identifier": {"value": "9"}}, TO, ("Group?identifier=|9", "unsupported", None, None)),
        ({"identifier": {"system": NPI}}, TO, (None, "none", None, None)),
        ({"reference": "Group/1"}, (), ("Group/1", "relative", "1", None)),
    ],
)
def test_a_reference_without_a_text_or_a_type(reference, to, expected):
    assert References().resolve(reference, to, "owner") == expected


def encounter_of(**elements):
    return resource("Encounter", "e", subject={"reference": f"urn:uuid:{UUID}"}, **elements)


def test_in_a_bundle_a_uuid_means_the_id_of_the_resource_of_its_entry():
    found = row(document(bundle(encounter_of(), entry(patient("other"), url=f"urn:uuid:{UUID}"))), "encounter")
    assert (found["subject_kind"], found["subject_id"], found["patient_id"]) == ("urn", "other", "other")


def test_a_uuid_without_an_entry_in_its_bundle_is_no_id():
    found = row(document(bundle(encounter_of(), patient("p"))), "encounter")
    assert (found["subject_kind"], found["subject_id"], found["patient_bucket"]) == ("urn", None, -1)


def test_each_bundle_has_its_own_uuids():
    one, two = (bundle(encounter_of(), entry(patient(of), url=f"urn:uuid:{UUID}")) for of in ("a", "b"))
    two["entry"][0]["resource"]["id"] = "e2"
    assert [found["subject_id"] for found in rows(ndjson(one, two), "encounter")] == ["a", "b"]


def test_a_uuid_of_another_type_is_unsupported():
    found = row(document(bundle(encounter_of(), entry(resource("Group", "g"), url=f"urn:uuid:{UUID}"))), "encounter")
    assert (found["subject_kind"], found["subject_id"]) == ("unsupported", None)


def test_a_bundle_s_own_addresses_are_the_server_s():
    ours = observation(of="https://ours/fhir/Patient/p7")
    theirs = observation("o2", of="https://theirs/fhir/Patient/p7")
    made = bundle(entry(ours, url="https://ours/fhir/Observation/o1"), entry(theirs), of_type="searchset")
    assert [found["subject_id"] for found in rows(document(made), "observation")] == ["p7", None]
