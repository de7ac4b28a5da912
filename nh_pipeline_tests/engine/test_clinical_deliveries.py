"""The same patients come out the same, however and wherever they come: as a Bundle, in parts, again, backwards."""

from __future__ import annotations

import io
import time
from dataclasses import replace
from datetime import date, datetime, timezone
from typing import Any

import pyarrow as pa
import pytest

from nh_pipeline.datasets.clinical import FHIR_EXPORT
from nh_pipeline.landing.about import About
from nh_pipeline.landing.fhir import Extraction
from nh_pipeline.marts.clinical import (
    dim_patients,
    directory,
    facilities,
    facility_crosswalk,
    fct_conditions,
    fct_encounters,
    fct_observation_values,
    fct_procedures,
    id_conflicts,
    readmissions,
)
from nh_pipeline_tests.support import fhir
from nh_pipeline_tests.support.fhir_rows import instant
from nh_pipeline_tests.support.frames import frame_of

pytestmark = pytest.mark.integration

BUILT = (id_conflicts, directory, facility_crosswalk, facilities, dim_patients, fct_conditions, fct_encounters,
         fct_observation_values, fct_procedures, readmissions)  # fmt: skip
TOLD = ("patient_id", "encounter_id", "observation_id", "item_index", "care_provider_id", "organization_id", "end_date",
        "birth_date", "value_text", "version_at", "version_id", "is_index", "is_readmitted_30d")  # fmt: skip

PRESSURE = {
    "resourceType": "Observation", "id": "o", "status": "final", "subject": {"reference": "Patient/p1"},
    "encounter": {"reference": "Encounter/e1"}, "effectiveDateTime": "2024-01-02T08:00:00Z",
    "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9"}]},
    "component": [
        {"code": {"coding": [{"system": "http://loinc.org", "code": code}]}, "valueQuantity": {"value": value}}
        for code, value in (("8480-6", 120), ("8462-4", 80))
    ],
}  # fmt: skip
OLD = fhir.updated(fhir.encounter("e1", "p1", end=None, **fhir.performed_by("1")), "2024-02-01T00:00:00Z", "9")
NEW = fhir.updated(fhir.encounter("e1", "p1", **fhir.performed_by("1")), "2024-02-01T00:00:00Z", "10")
AGAIN = ("2024-02-04T08:00:00-06:00", "2024-02-06T10:00:00-06:00")
RESOURCES = [
    fhir.patient("p1"), fhir.patient("p2"), NEW, OLD, PRESSURE,
    fhir.encounter("e2", "p2", serviceProvider={"reference": "Organization/h"}),
    fhir.encounter("e3", "p2", status="entered-in-error"),
    fhir.organization("h"), fhir.practitioner("d", "1"),
    fhir.encounter("e4", "p1", *AGAIN), fhir.encounter("e5", "p1", *AGAIN, status="entered-in-error"),
]  # fmt: skip
BACKWARDS = RESOURCES[::-1]

DELIVERED = {
    "lines": [fhir.ndjson(RESOURCES)],
    "backwards, cut in two, and all again": [
        fhir.ndjson(BACKWARDS[:4]), fhir.ndjson(BACKWARDS[4:]), fhir.ndjson(RESOURCES)],
    "Bundle": [fhir.bundle(RESOURCES)],
    "archive": [fhir.zipped({"b.ndjson": fhir.ndjson(RESOURCES[:5]), "a.json": fhir.bundle(RESOURCES[3:])})],
}  # fmt: skip


def silver(engine, deliveries: list[bytes], sources: tuple[str, ...] = ()) -> dict[str, set[tuple[Any, ...]]]:
    """What deliveries become, but for where they were from: one after the other, of the named sources."""
    at, held = datetime(2024, 6, 1, tzinfo=timezone.utc), {table.name: [] for table in FHIR_EXPORT.tables}
    for number, content in enumerate(deliveries):
        about = About(delivery_id=f"d{number}", name="x", dt=at.date(), exported_at=at, modified_at=at)
        about = replace(about, source=sources[number]) if sources else about
        for table, _, batch in Extraction(about).batches(io.BytesIO(content)):
            held[table.name] += pa.Table.from_batches([batch]).to_pylist()
    frames = {table.name: frame_of(engine, table, held[table.name]) for table in FHIR_EXPORT.tables}
    made = {}
    for module in BUILT:
        table = module.MART.table
        for one in module.MART.inputs:  # of CMS's tables there are none
            frames.setdefault(one.name, frame_of(engine, one, []))
        found = module.MART.transform(*(frames[one.name] for one in module.MART.inputs)).collect()
        frames[table.name] = frame_of(engine, table, [row.asDict() for row in found])
        made[table.name] = {tuple(instant(row[name]) for name in TOLD if name in table.by_name) for row in found}
    return made


@pytest.fixture(scope="module")
def once(engine):
    return silver(engine, DELIVERED["lines"])


def test_what_they_become(once):
    assert {row[0] for row in once["clinical_silver.dim_patients"]} == {"p1", "p2"}
    encounters = {row[1]: row[2:5] for row in once["clinical_silver.fct_encounters"]}
    assert encounters == {
        "e1": ("d", None, date(2024, 1, 5)),
        "e2": (None, "h", date(2024, 1, 5)),
        "e4": (None, None, date(2024, 2, 6)),
    }
    stays = {row[1]: row[-2:] for row in once["clinical_gold.readmissions"]}
    assert stays == {"e1": (True, True), "e4": (True, False), "e2": (True, False)}
    values = {row[4] for row in once["clinical_silver.fct_observation_values"]}
    assert values == {"120", "80"}


@pytest.fixture
def clock(monkeypatch):
    """Sets the clock of the machine to that of a place."""

    def set_to(zone):
        monkeypatch.setenv("TZ", zone)
        time.tzset()

    yield set_to
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("form", "zone"),
    [("backwards, cut in two, and all again", "UTC"), ("Bundle", "Asia/Tokyo"), ("archive", "America/New_York")],
)
def test_however_and_wherever_they_come_they_are_the_same(engine, once, clock, form, zone):
    clock(zone)
    assert silver(engine, DELIVERED[form]) == once


def test_the_same_ids_of_two_systems_are_two_and_each_refers_to_its_own(engine, once):
    both = silver(engine, DELIVERED["lines"] * 2, ("east", "west"))
    for source in ("east:", "west:"):
        own = {
            table: {tuple(v.removeprefix(source) if isinstance(v, str) else v for v in row) for row in them
                    if any(str(v).startswith(source) for v in row)}
            for table, them in both.items()
        }  # fmt: skip
        assert own == {table: rows - {()} for table, rows in once.items()}
