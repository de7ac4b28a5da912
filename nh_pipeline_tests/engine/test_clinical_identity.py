"""Versions, deletions, ids that mean several things, and references by identifier: every case in one run each."""

from __future__ import annotations

from datetime import date, datetime, timezone
from itertools import permutations
from typing import Any

import pytest

from nh_pipeline.datasets.clinical.care import CONDITION, ENCOUNTER
from nh_pipeline.datasets.clinical.export import DELETION, IDENTIFIER, RESOURCE
from nh_pipeline.marts.clinical.directory import BY_ID, DIRECTORY, directory
from nh_pipeline.marts.clinical.id_conflicts import ID_CONFLICTS as CONFLICTS
from nh_pipeline.marts.clinical.id_conflicts import id_conflicts
from nh_pipeline.transforms.latest import elements, latest
from nh_pipeline.transforms.references import resolved
from nh_pipeline_tests.support.fhir_rows import EXPORTED, passed, rows

pytestmark = pytest.mark.integration


def at(day: str, time: str = "00:00:00") -> datetime:
    return datetime.fromisoformat(f"2024-{day}T{time}").replace(tzinfo=timezone.utc)


def exported(day: str, delivery: str, **more: Any) -> dict[str, Any]:
    """What a delivery of that day says of a resource without a time of its own."""
    when = at(day)
    return {"version_at": when, "dt": when.date(), "exported_at": when, "modified_at": when, "delivery_id": delivery,
            **more}  # fmt: skip


A = exported("06-01", "A", version_at=at("05-10"))
B = exported("07-01", "B", version_at=at("05-01"))
C = exported("06-15", "C")

VERSIONS: dict[str, tuple[list[dict[str, Any]], str | None]] = {
    # What is delivered of an encounter, and which class the one in silver has; None if it is not there.
    # [smart-on-fhir/cumulus-etl#356] some systems give no time: C is as old as its export.
    **{f"order{''.join(order)}": ([{"A": A, "B": B, "C": C}[one] | {"class_code": one} for one in order], "C")
       for order in permutations("ABC")},
    # 01:00+02:00 is before 23:30Z of the day before, though a greater text.
    "instants": ([A | {"version_at": at("05-09", "23:00:00"), "class_code": "text"},
                  B | {"version_at": at("05-09", "23:30:00"), "class_code": "late"}], "late"),
    # [smart-on-fhir/cumulus-etl#251] an old export, delivered again.
    "old again": ([exported("06-01", "A", class_code="new", version_at=at("05-10")),
                   exported("09-01", "B", class_code="old", version_at=at("05-01"))], "new"),
    # [smart-on-fhir/cumulus-etl#363] the same time, other content.
    "numbers": ([A | {"version_id": "9", "class_code": "9"}, B | {"version_at": at("05-10"), "version_id": "10",
                                                                  "class_code": "10"}], "10"),
    "no number": ([A | {"version_id": "1", "class_code": "1"}, A | {"class_code": "none"},
                   A | {"version_id": "x7", "class_code": "x7"}], "1"),
    "same time": ([A | {"class_code": "first"}, A | {"delivery_id": "D", "dt": date(2024, 6, 2), "class_code": "next"}],
                  "next"),
    # [smart-on-fhir/cumulus-etl#208] duplicates in one delivery: the last line counts.
    "in one": ([C | {"class_code": "line 1"}, C | {"class_code": "line 2"}], "line 2"),
    "members": ([C | {"member": "b", "source_line": 1, "class_code": "b"},
                 C | {"member": "a", "source_line": 1, "class_code": "a"}], "b"),
    "in error": ([A | {"class_code": "right"}, C | {"class_code": "wrong", "status": "entered-in-error"}], None),
    "error mended": ([A | {"class_code": "w", "status": "entered-in-error"}, C | {"class_code": "r"}], "r"),
    "cancelled": ([A | {"class_code": "c", "status": "cancelled"}], "c"),
    # [ohs-foundation/fhir-data-pipes#547, #543, #588]
    "deleted": ([A | {"class_code": "gone"}], None),
    "back": ([A | {"class_code": "before"}, C | {"class_code": "back"}], "back"),
    "other type deleted": ([A | {"class_code": "stays"}], "stays"),
}  # fmt: skip
DELETED = [
    exported("06-10", "X", resource_type="Encounter", resource_id="deleted"),
    exported("06-10", "X", resource_type="Encounter", resource_id="back"),
    exported("06-10", "X", resource_type="Condition", resource_id="other type deleted"),
]


@pytest.fixture(scope="module")
def winners(engine):
    said = [
        {"resource_id": name, "subject": "Patient/p", **one} for name, (them, _) in VERSIONS.items() for one in them
    ]
    encounters = rows(engine, ENCOUNTER.table, *said)
    made = latest(encounters, rows(engine, DELETION, *DELETED), rows(engine, CONFLICTS), ENCOUNTER.table)
    assert sorted(made.columns) == sorted([*encounters.columns, "n_versions"])
    return {row["resource_id"]: row for row in made.collect()}


@pytest.mark.parametrize("case", VERSIONS)
def test_the_latest_version_counts_in_whatever_order_they_come(winners, case):
    delivered, expected = VERSIONS[case]
    found = winners.get(case)
    assert (found and found["class_code"]) == expected
    assert not found or found["n_versions"] == len(delivered)


def test_a_condition_in_error_is_gone_and_elements_follow_their_resource(engine):
    said = [{"resource_id": "right", **A}, {"resource_id": "right", **C}, {"resource_id": "wrong", **A}]
    conditions = [
        one | {"verification_status": "entered-in-error"} if one["resource_id"] == "wrong" else one for one in said
    ]
    nothing = rows(engine, DELETION), rows(engine, CONFLICTS)
    made = latest(rows(engine, CONDITION.table, *conditions), *nothing, CONDITION.table)
    parts = rows(engine, IDENTIFIER.table, *(one | {"identifier_value": one["delivery_id"]} for one in said))
    found = elements(parts, made).collect()
    assert [(row["resource_id"], row["identifier_value"], row["n_versions"]) for row in found] == [("right", "C", 2)]


FULL = exported("06-20", "F1", is_of_full_export=True)
LATER_FULL = exported("07-20", "F2", is_of_full_export=True)
LOOSE = exported("08-01", "L")

RESOURCES = [
    # Another id for each case; what is delivered of it: patient and delivery.
    ("same", "p1", A), ("same", "p1", C),
    ("collides", "p1", A), ("collides", "p2", A),
    ("collided once", "p1", A), ("collided once", "p2", A), ("collided once", "p3", C),
    ("merged", "p1", A), ("merged", "p2", C),
    ("merged back", "p1", A), ("merged back", "p2", B), ("merged back", "p1", C),
    ("named late", None, A), ("named late", "p1", C),
    ("of deleted", "dead", A), ("of deleted", "dead", C),
    ("of returned", "back", A),
    ("in both", "p1", FULL), ("in both", "p1", LATER_FULL),
    ("left out", "p1", A), ("left out", "p1", FULL),
    ("of no patient", None, FULL),
    ("never in one", "p1", C),  # a complete export may be of another scope than what else came
    ("changed since", "p1", FULL | {"version_at": at("07-25")}),
    ("came again", "p1", FULL), ("came again", "p1", LOOSE | {"version_at": at("05-01")}),
    ("since then", "p1", LOOSE),
    ("of one left out", "left", LOOSE),
]  # fmt: skip
PATIENTS = [("dead", A), ("back", A), ("back", C), ("left", FULL), ("p1", FULL), ("p1", LATER_FULL)]
PATIENTS_DELETED = [
    exported("06-10", "X", resource_type="Patient", resource_id="dead"),
    exported("06-10", "X", resource_type="Patient", resource_id="back"),
]
TAKEN_OUT = {
    ("collides", "A", "p1", "collision"), ("collides", "A", "p2", "collision"),
    ("collided once", "A", "p1", "collision"), ("collided once", "A", "p2", "collision"),
    ("merged", "A", "p1", "subject_changed"),
    ("merged back", "B", "p2", "subject_changed"),
    ("named late", "A", "", "subject_changed"),
    ("of deleted", "A", "dead", "patient_deleted"), ("of deleted", "C", "dead", "patient_deleted"),
    ("left out", "A", "p1", "left_out"), ("left out", "F1", "p1", "left_out"),
    ("of no patient", "F1", "", "left_out"),
    ("left", "F1", "left", "left_out"),
    ("of one left out", "L", "left", "patient_deleted"),
}  # fmt: skip
SUBJECTS = {"same": "p1", "collided once": "p3", "merged": "p2", "merged back": "p1", "named late": "p1",
            "of returned": "back", **dict.fromkeys(
                ("in both", "never in one", "changed since", "came again", "since then"), "p1")}  # fmt: skip


def test_an_id_is_one_patients(engine):
    """At a million patients, unrelated ones share ids [synthetichealth/synthea#1545, #1601; OHDSI/dbt-synthea#120]."""
    said = [{"resource_id": name, "patient_id": patient, **of} for name, patient, of in RESOURCES]
    everything = [
        *({"resource_type": "Encounter", **one} for one in said),
        *({"resource_type": "Patient", "resource_id": name, "patient_id": name, **of} for name, of in PATIENTS),
        # Of another type, the id is another one.
        {"resource_type": "Condition", "resource_id": "same", "patient_id": "p9", **A},
    ]
    deletions = rows(engine, DELETION, *PATIENTS_DELETED)
    made = id_conflicts(rows(engine, RESOURCE, *everything), deletions)
    found = passed(engine, CONFLICTS, made)
    assert {tuple(row)[1:] for row in found} == TAKEN_OUT
    assert {row["resource_type"] for row in found if row["resource_id"] != "left"} == {"Encounter"}
    known = [{name: value for name, value in one.items() if name != "is_of_full_export"} for one in said]
    encounters = rows(engine, ENCOUNTER.table, *known)
    held = latest(encounters, deletions, made, ENCOUNTER.table).collect()
    assert {row["resource_id"]: row["patient_id"] for row in held} == SUBJECTS
    assert len(held) == len(SUBJECTS)


NPI = "http://hl7.org/fhir/sid/us-npi"
IDENTIFIERS = [
    # Practitioner, delivery, system, value.
    ("one", A, NPI, "1"), ("one", C, NPI, "1"),
    ("twin", A, NPI, "2"), ("twin too", A, NPI, "2"),
    ("moved", A, NPI, "3"),  # its later version has another one
    ("moved", C, NPI, "4"),
    ("gone", A, NPI, "5"),
    ("bare", A, None, "6"),
]  # fmt: skip
REFERENCES = {
    "Practitioner/one": "one",
    "Practitioner/unknown": "unknown",  # an id is an id, whether or not it is there
    f"Practitioner?identifier={NPI}|1": "one",
    f"Practitioner?identifier={NPI}|2": None,  # ambiguous
    f"Practitioner?identifier={NPI}|3": None,
    f"Practitioner?identifier={NPI}|4": "moved",
    f"Practitioner?identifier={NPI}|5": None,
    "Practitioner?identifier=|6": "bare",
    f"Practitioner?identifier={NPI}|9": None,
    f"Organization?identifier={NPI}|1": None,
}


def test_references_by_identifier_lead_to_the_one_resource_that_has_it(engine):
    held = [{"resource_type": "Practitioner", "resource_id": name, **of} for name, of in
            {(name, of["delivery_id"]): (name, of) for name, of, *_ in IDENTIFIERS}.values()]  # fmt: skip
    lines = {(one["resource_id"], one["delivery_id"]): nth for nth, one in enumerate(held, 1)}
    said = [
        {"resource_type": "Practitioner", "resource_id": name, "system": system, "identifier_value": value,
         "source_line": lines[name, of["delivery_id"]], **of}
        for name, of, system, value in IDENTIFIERS
    ]  # fmt: skip
    gone = exported("06-10", "X", resource_type="Practitioner", resource_id="gone")
    made = directory(
        rows(engine, RESOURCE, *held), rows(engine, IDENTIFIER.table, *said), rows(engine, DELETION, gone),
        rows(engine, CONFLICTS),
    )  # fmt: skip
    known = passed(engine, DIRECTORY, made)
    assert {row["value"] for row in known if row["system"] == BY_ID} == {"one", "twin", "twin too", "moved", "bare"}
    found = {
        (row["system"], row["value"]): (row["resource_id"], row["n_candidates"])
        for row in known
        if row["system"] != BY_ID
    }
    assert found == {(NPI, "1"): ("one", 1), (NPI, "2"): (None, 2), (NPI, "4"): ("moved", 1), ("", "6"): ("bare", 1)}
    encounters = [{"resource_id": f"e{nth}", "participant": ref, "service_provider": None}
                  for nth, ref in enumerate(REFERENCES)]  # fmt: skip
    joined = resolved(rows(engine, ENCOUNTER.table, *encounters), made, "participant", "service_provider").collect()
    assert {row["participant_ref"]: row["participant_resolved"] for row in joined} == REFERENCES
    assert len(joined) == len(REFERENCES)
    assert {row["service_provider_resolved"] for row in joined} == {None}
    assert DIRECTORY.sensitive


def test_defaults_of_the_frames(engine):
    (row,) = rows(engine, ENCOUNTER.table, {"resource_id": "e", "subject": "Patient/p1"}).collect()
    assert row["patient_id"] == "p1"
    assert row["version_at"].astimezone(timezone.utc) == EXPORTED
