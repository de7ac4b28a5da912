"""Rows of bronze out of a delivery: which tables, which buckets, and once each."""

from __future__ import annotations

import hashlib
import io
import json
from datetime import datetime, timezone
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nh_pipeline.datasets.clinical import VIEWS
from nh_pipeline.landing.fhir import Extraction, extract
from nh_pipeline_tests.support.fhir_deliveries import (
    ABOUT,
    MODIFIED,
    bundle,
    document,
    entry,
    extracted,
    gzipped,
    having,
    ndjson,
    observation,
    patient,
    resource,
    row,
    rows,
    zipped,
    zipped_as,
)


def test_a_resource_is_a_row_of_its_own_table_and_of_all_resources():
    made = {**patient("p1", gender="female"), "meta": {"versionId": "3", "lastUpdated": "2024-05-10T01:00:00+02:00",
            "profile": ["one", "two"]}, "active": True}  # fmt: skip
    content = ndjson(made)
    compact = json.dumps(made, separators=(",", ":"))
    expected = {
        "resource_id": "p1",
        "version_id": "3",
        "version_at": datetime(2024, 5, 9, 23, tzinfo=timezone.utc),
        "content_md5": hashlib.md5(compact.encode()).hexdigest(),  # noqa: S324
        "patient_id": "p1",
        "patient_bucket": crc32(b"p1") % 16,
        "dt": ABOUT.dt,
        "exported_at": ABOUT.exported_at,
        "modified_at": MODIFIED,
        "source": "default",
        "member": "",
        "source_line": 1,
        "delivery_id": ABOUT.delivery_id,
    }
    of_type, of_all = row(content, "patient"), row(content, "resource")
    assert {name: of_type[name] for name in expected} == expected
    assert {name: of_all[name] for name in expected} == expected
    assert (of_type["gender"], of_type["active"]) == ("female", "true")
    assert (of_all["resource_type"], of_all["profile"], of_all["resource"]) == ("Patient", "one", compact)


@pytest.mark.parametrize("written", [None, "2024-05-10", "2024-05-10T01:00:00", "2024", 5, {}])
def test_a_version_without_an_instant_is_as_old_as_the_export(written):
    assert row(ndjson(patient(meta={"lastUpdated": written})), "patient")["version_at"] == ABOUT.exported_at


@pytest.mark.parametrize("meta", [None, "x", [], {"profile": "one"}])
def test_a_meta_of_another_shape_is_passed_over(meta):
    assert row(ndjson(patient(meta=meta)), "resource")["version_id"] is None


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (patient("x"), "x"),
        (resource("RelatedPerson", "r", patient={"reference": "Patient/x"}), "x"),
        (resource("DiagnosticReport", "r", subject={"reference": "Patient/x"}), "x"),
        (resource("Account", "r", subject=[{"reference": "Patient/x"}]), "x"),
        (resource("Coverage", "r", beneficiary={"reference": "Patient/x"}), "x"),
        (observation(of="Group/x"), None),
        (observation(of="Patient?identifier=a|b"), None),
        (resource("Observation", "r", subject={"display": "x"}), None),
        (resource("Organization", "r", subject={"reference": "Patient/x"}), None),
        (resource("Basic", "r"), None),
    ],
)
def test_rows_are_in_the_bucket_of_their_patient(made, expected):
    found = row(ndjson(made), "resource")
    assert found["patient_id"] == expected
    assert found["patient_bucket"] == (crc32(expected.encode()) % 16 if expected else -1)


def test_types_that_no_view_is_of_are_resources_alone():
    found, _ = extracted(ndjson(resource("Goal", "g"), resource("Made-up", "m")))
    assert {name: len(of) for name, of in found.items()} == {"resource": 2}


# [ohs-foundation/fhir-data-pipes#932]: names times identifiers are no rows.
def test_a_resource_with_several_names_and_identifiers_is_one_row():
    names = [{"family": f, "given": [f, "x"]} for f in "ab"]
    found, _ = extracted(ndjson(resource("Practitioner", "d", name=names, identifier=[{"value": "1"}, {"value": "2"}])))
    assert {name: len(of) for name, of in found.items()} == {"resource": 1, "practitioner": 1, "identifier": 2}
    assert found["practitioner"][0]["family_name"] == "a"


# [synthetichealth/synthea#1685]: such numbers are not unique, and no keys.
def test_identifiers_of_patients_and_of_what_is_theirs_stay_where_they_are():
    ssn = [{"system": "http://hl7.org/fhir/sid/us-ssn", "value": "999"}]
    types = ("Patient", "RelatedPerson", "Person", "Encounter", "Device", "Claim")
    assert rows(ndjson(*(resource(of, of.lower(), identifier=ssn) for of in types)), "identifier") == []
    found = rows(ndjson(resource("Location", "l", identifier=[*ssn, {"value": "2"}])), "identifier")
    assert [(one["item_index"], one["resource_type"], one["identifier_value"]) for one in found] == [
        (1, "Location", "999"), (2, "Location", "2"),
    ]  # fmt: skip


BP = observation(
    "bp",
    status="final",
    code={"coding": [{"system": "http://loinc.org", "code": "85354-9"}]},
    component=[
        {
            "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
            "valueQuantity": {"value": v, "unit": "mm"},
        }
        for code, v in (("8480-6", 120), ("8462-4", 80))
    ],
)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (BP, [(1, "8480-6", "120", "85354-9"), (2, "8462-4", "80", "85354-9")]),
        (
            {**BP, "valueQuantity": {"value": 9}},
            [(0, "85354-9", "9", "85354-9"), (1, "8480-6", "120", "85354-9"), (2, "8462-4", "80", "85354-9")],
        ),
        ({**BP, "component": [{}], "dataAbsentReason": {"text": "?"}}, [(0, "85354-9", None, "85354-9")]),
        (observation(component=[{"dataAbsentReason": {"coding": [{"code": "x"}]}}]), [(1, None, None, None)]),
        (observation(component="none", valueString="x"), [(0, None, None, None)]),
        (observation(), []),
    ],
)
def test_values_are_rows_that_know_their_observation(made, expected):
    found = rows(ndjson(made), "observation_value")
    assert [(one["item_index"], one["code_code"], one["value_number"], one["panel_code"]) for one in found] == expected
    assert {one["status"] for one in found} <= {made.get("status")}


def test_lines_and_their_amounts_are_rows():
    def amounts(*values):
        return [{"amount": {"value": value, "currency": "USD"}} for value in values]

    eob = resource(
        "ExplanationOfBenefit",
        "e",
        patient={"reference": "Patient/p1"},
        item=[{"sequence": 1, "adjudication": amounts(1.5, 2)}, {"sequence": 7, "adjudication": amounts(3)}],
        adjudication=amounts(4),
    )
    found, _ = extracted(ndjson(eob))
    assert [(one["item_index"], one["sequence"]) for one in found["eob_item"]] == [(1, "1"), (2, "7")]
    assert [(one["item_index"], one["sequence"], one["amount"]) for one in found["eob_adjudication"]] == [
        (1, "1", "1.5"), (2, "1", "2"), (3, "7", "3"), (4, None, "4"),
    ]  # fmt: skip
    assert {one["patient_id"] for of in found.values() for one in of} == {"p1"}


def test_insurances_within_resources_are_rows_that_references_find():
    eob = resource(
        "ExplanationOfBenefit",
        "e",
        patient={"reference": "Patient/p1"},
        contained=[resource("ServiceRequest", "s"), resource("Coverage", "c", type={"text": "Medicare"})],
        insurance=[{"focal": False, "coverage": {"reference": "#x"}}, {"focal": True, "coverage": {"reference": "#c"}}],
    )
    own = resource("Coverage", "own", beneficiary={"reference": "Patient/p2"})
    found, _ = extracted(ndjson(eob, own))
    told = [(one["resource_id"], one["item_index"], one["type_text"], one["patient_id"]) for one in found["coverage"]]
    assert sorted(told) == [("e#c", 2, "Medicare", "p1"), ("own", 0, None, "p2")]
    assert found["explanation_of_benefit"][0]["coverage_id"] == "e#c"


# [smart-on-fhir/cumulus-etl#208]: copies in one delivery.
def test_a_further_copy_of_a_resource_is_no_row_and_counts():
    organization = resource("Organization", "o", name="x")
    found, extraction = extracted(
        zipped_as(
            {
                "a.json": document(bundle(organization, patient("a"))),
                "b.json": document(bundle(organization, patient("b")), indent=None),
                "c.ndjson": ndjson(organization, {**organization, "name": "y"}, patient("a")),
            }
        )
    )
    assert sorted(one["name"] for one in found["organization"]) == ["x", "y"]
    assert extraction.resources == {"Organization": 2, "Patient": 2}
    assert extraction.duplicates == {"Organization": 2, "Patient": 1}
    assert extraction.rows["clinical_bronze.resource"] == len(found["resource"]) == 4


def test_the_same_content_under_other_ids_is_other_resources():
    made = bundle(*(entry(patient(None), url=f"urn:uuid:{of_id}") for of_id in "ab"))
    assert [one["resource_id"] for one in rows(document(made), "patient")] == ["a", "b"]


def test_refused_lines_are_rows_without_what_they_hold():
    found = row(zipped(a__ndjson=ndjson(patient(), '{"resourceType":"Patient","name":"Mary"')), "rejects")
    assert (found["stage"], found["member"], found["source_line"], found["file_name"]) == (
        "parse", "a.ndjson", 2, "export.ndjson",
    )  # fmt: skip
    assert "Mary" not in str(found)


def test_batches_are_bounded(monkeypatch):
    monkeypatch.setattr(extract, "BATCH_ROWS", 10)
    monkeypatch.setattr(extract, "BATCH_BYTES", 1000)
    monkeypatch.setattr(extract, "HELD_ROWS", 25)
    content = ndjson(*(observation(f"o{n}", of=f"Patient/{n % 3}", valueInteger=n) for n in range(200)))
    batches = list(Extraction(ABOUT).batches(io.BytesIO(content)))
    assert max(batch.num_rows for *_, batch in batches) <= 10
    for name in ("resource", "observation", "observation_value"):
        assert sum(batch.num_rows for table, _, batch in batches if table.short == name) == 200


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_every_path_of_every_view_fills_its_columns(view):
    of = view.resource or "Organization"
    asked = [(field, path) for field in view.fields for path in field.paths]
    made = [{**having(view, field, path), "resourceType": of, "id": str(n)} for n, (field, path) in enumerate(asked)]
    found = {(one["resource_id"], one[view.index] if view.index else 0): one for one in rows(ndjson(*made), view.name)}
    first = 1 if view.for_each and view.for_each[0] != "$this" else 0
    for n, (field, path) in enumerate(asked):
        column = field.columns[1 if field.form == "concept" else 0].name
        assert found[str(n), first][column], (column, path)


_RESOURCES = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from("123"), st.sampled_from(["1.0", "1.00", "7"])), max_size=12
)


@settings(max_examples=30)
@given(_RESOURCES, st.randoms())
def test_the_same_resources_in_any_form_and_order_are_the_same_rows(made, shuffled):
    """As Bundles, as NDJSON, split, in another order, repeated, zipped: apart from where they stood."""
    lines = sorted(
        {
            f'{{"resourceType": "Observation", "id": "{patient}{of_id}",'
            f' "subject": {{"reference": "Patient/{patient}"}}, "valueQuantity": {{"value": {number}}}}}'
            for patient, of_id, number in made
        }
    )
    lines.append('{"resourceType": "Organization", "id": "o", "identifier": [{"system": "s", "value": "1"}]}')
    entries = [f'{{"resource": {line}}}' for line in lines]
    bundles = [
        f'{{"resourceType": "Bundle",\n "entry": [{",".join(some)}]}}'
        for some in (entries, entries[::2], entries[1::2])
    ]
    again = [*lines, *lines[:3]]
    shuffled.shuffle(again)
    plain, whole, even, odd = "\n".join(lines).encode(), *(one.encode() for one in bundles)
    forms = [plain, whole, "\n".join(again).encode(), gzipped(whole), zipped(a__json=even, b__json=odd),
             zipped(a__ndjson="\n".join(again[::2]).encode(), b__json=whole)]  # fmt: skip
    first, *others = [_apart_from_places(form) for form in forms]
    assert len(first) >= 2
    assert all(other == first for other in others)


PLACES = {"member", "source_line", "full_url", "bundle_type"}


def _apart_from_places(content):
    found, _ = extracted(content)
    told = [(table, tuple((name, value) for name, value in one.items() if name not in PLACES))
            for table, of in found.items() for one in of]  # fmt: skip
    assert len(told) == len(set(told))
    return set(told)
