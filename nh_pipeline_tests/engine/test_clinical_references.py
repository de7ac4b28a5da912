"""References that lead nowhere, and why; and that it does not matter what comes first."""

from __future__ import annotations

from typing import Any

import pytest

from nh_pipeline.datasets.clinical.care import ENCOUNTER
from nh_pipeline.datasets.clinical.claims import CLAIM, CLAIM_ITEM, COVERAGE
from nh_pipeline.datasets.clinical.export import DELETION, IDENTIFIER, RESOURCE
from nh_pipeline.datasets.clinical.people import LOCATION, PATIENT
from nh_pipeline.marts.clinical.directory import DIRECTORY, directory
from nh_pipeline.marts.clinical.id_conflicts import ID_CONFLICTS
from nh_pipeline.marts.clinical.unresolved_references import MART, unresolved_references
from nh_pipeline.transforms.references import resolved
from nh_pipeline_tests.support.fhir_rows import passed, rows, utc

pytestmark = pytest.mark.integration

NPI = "http://hl7.org/fhir/sid/us-npi"


def written(name: str, ref: str | None, kind: str, of: str | None = None) -> dict[str, Any]:
    """A reference as bronze has it."""
    return {f"{name}_ref": ref, f"{name}_kind": kind, f"{name}_id": of}


# What an encounter of patient p says, and the reference of it that leads nowhere: path and reason; None if all do.
ENCOUNTERS: dict[str, tuple[dict[str, Any], tuple[str, str] | None]] = {
    "fine": (written("service_provider", "Organization/o", "relative", "o"), None),
    "version": (written("service_provider", "Organization/o/_history/2", "relative", "o"), None),
    "missing": (written("service_provider", "Organization/x", "relative", "x"), ("service_provider", "missing")),
    "other type": (written("service_provider", "Organization/d", "relative", "d"), ("service_provider", "missing")),
    "own base": (written("service_provider", "http://a/Organization/o", "absolute", "o"), None),
    "external": (written("service_provider", "http://b/Organization/o", "absolute"), ("service_provider", "external")),
    "urn": (written("participant", "urn:uuid:d", "urn", "d"), None),
    "lost urn": (written("participant", "urn:uuid:z", "urn"), ("participant", "missing")),
    "urn of a line": (written("participant", "urn:uuid:z", "urn", "z"), ("participant", "missing")),
    "by npi": (written("participant", f"Practitioner?identifier={NPI}|1", "conditional"), None),
    "by two": (written("participant", f"Practitioner?identifier={NPI}|2", "conditional"), ("participant", "ambiguous")),
    "by none": (written("participant", f"Practitioner?identifier={NPI}|9", "conditional"), ("participant", "missing")),
    "group": (written("subject", "Group/1", "unsupported"), ("subject", "unsupported")),
    "display": (written("service_provider", None, "display"), None),
    "none": (written("service_provider", None, "none"), None),
    "own encounter": (written("part_of", "Encounter/fine", "relative", "fine"), None),
    "no encounter": (written("part_of", "Encounter/x", "relative", "x"), ("part_of", "missing")),
}
SHARED = [("Organization", "o"), ("Practitioner", "d"), ("Practitioner", "d2"), ("Location", "l")]
IDENTIFIERS = [("d", 2, "1"), ("d", 2, "2"), ("d2", 3, "2")]


@pytest.fixture(scope="module")
def nowhere(engine):
    shared = [
        {"resource_type": kind, "resource_id": of, "source_line": nth} for nth, (kind, of) in enumerate(SHARED, 1)
    ]
    identifiers = [
        {"resource_type": "Practitioner", "resource_id": of, "source_line": line, "item_index": nth, "system": NPI,
         "identifier_value": value} for nth, (of, line, value) in enumerate(IDENTIFIERS)
    ]  # fmt: skip
    encounters = [{"resource_id": name, "subject": "Patient/p", "patient_id": "p", "source_line": line, **of}
                  for line, (name, (of, _)) in enumerate(ENCOUNTERS.items(), 100)]  # fmt: skip
    claims = [
        {"resource_id": "c", "subject": "Patient/p", "provider": "Organization/o", "source_line": 7,
         **written("coverage", "c#1", "contained", "c#1")},
        # A later version is right: what an earlier one said does not count.
        {"resource_id": "mended", "subject": "Patient/p", "provider": "Organization/x", "source_line": 8},
        {"resource_id": "mended", "subject": "Patient/p", "provider": "Organization/o", "version_at": utc("2024-07-01"),
         "source_line": 9},
    ]  # fmt: skip
    lines = [
        {"resource_id": "c", "source_line": 7, "item_index": nth, "encounter": f"Encounter/{of}", "patient_id": "p"}
        for nth, of in enumerate(("fine", "x", "y"))
    ]
    of_types = {
        ENCOUNTER: encounters,
        CLAIM: claims,
        CLAIM_ITEM: lines,
        PATIENT: [{"resource_id": "p", "managing_organization": "Organization?identifier=tax|7", "source_line": 5}],
        LOCATION: [{"resource_id": "l", "managing_organization": "Organization/x", "source_line": 4}],
        COVERAGE: [
            {"resource_id": "own", "item_index": 0, "patient_id": "p", "source_line": 6,
             **written("beneficiary", "Patient?identifier=ssn|999-99-9999", "logical")},
            {"resource_id": "c#1", "item_index": 1, "patient_id": "p", "payor": "Organization/x", "source_line": 7},
        ],
    }  # fmt: skip
    own = [
        {
            "resource_type": view.resource,
            **{name: one[name] for name in one if name in RESOURCE.by_name},
            "patient_id": "p",
        }
        for view in (PATIENT, ENCOUNTER, CLAIM, COVERAGE)
        for one in of_types[view]
        if "#" not in one["resource_id"]
    ]
    resources, none = rows(engine, RESOURCE, *shared, *own), (rows(engine, DELETION), rows(engine, ID_CONFLICTS))
    known = directory(resources, rows(engine, IDENTIFIER.table, *identifiers), *none)
    views = (rows(engine, table, *of_types.get(table.kind.view, [])) for table in MART.inputs[:-4])
    return passed(engine, MART.table, unresolved_references(*views, resources, known, *none))


@pytest.mark.parametrize("case", ENCOUNTERS)
def test_a_reference_of_an_encounter(nowhere, case):
    found = [(row["path"], row["reason"]) for row in nowhere if row["resource_id"] == case]
    assert found == [told for told in [ENCOUNTERS[case][1]] if told]


def test_references_of_other_resources(nowhere):
    others = {
        (*tuple(row)[:3], row["reference"], row["reason"]) for row in nowhere if row["resource_type"] != "Encounter"
    }
    assert others == {
        ("Claim", "c", "item[1].encounter", "Encounter/x", "missing"),
        ("Claim", "c", "item[2].encounter", "Encounter/y", "missing"),
        ("Location", "l", "managing_organization", "Organization/x", "missing"),
        ("Patient", "p", "managing_organization", "Organization?identifier=tax|7", "missing"),
        ("Coverage", "own", "beneficiary", "Patient?identifier=ssn", "missing"),  # the number of a person is not told
    }


@pytest.mark.parametrize("first", ["encounters", "practitioners"])
def test_practitioners_may_come_before_or_after_what_refers_to_them(engine, first):
    early, late = ({"dt": utc(day).date(), "exported_at": utc(day), "version_at": utc(day), "delivery_id": day}
                   for day in ("2024-06-01", "2024-07-01"))  # fmt: skip
    of_encounters, of_practitioners = (early, late) if first == "encounters" else (late, early)
    who = {"resource_type": "Practitioner", "resource_id": "d", **of_practitioners}
    known = directory(
        rows(engine, RESOURCE, who), rows(engine, IDENTIFIER.table, who | {"system": NPI, "identifier_value": "1"}),
        rows(engine, DELETION), rows(engine, ID_CONFLICTS),
    )  # fmt: skip
    said = {"resource_id": "e", "participant": f"Practitioner?identifier={NPI}|1", **of_encounters}
    (row,) = resolved(rows(engine, ENCOUNTER.table, said), known, "participant").collect()
    assert row["participant_resolved"] == "d"


def test_the_directory_has_all_that_belongs_to_no_patient(engine):
    resources = rows(
        engine, RESOURCE, {"resource_type": "Organization", "resource_id": "o"},
        {"resource_type": "Patient", "resource_id": "p", "patient_id": "p"},
    )  # fmt: skip
    made = directory(resources, rows(engine, IDENTIFIER.table), rows(engine, DELETION), rows(engine, ID_CONFLICTS))
    assert [row["lookup"] for row in passed(engine, DIRECTORY, made)] == ["Organization/o"]
