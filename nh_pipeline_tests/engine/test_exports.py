"""Exports from raw to bronze: what lands, counts, is held and taken away; nothing of it is shown but keys."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from datetime import datetime, timezone

import pytest

from nh_pipeline.datasets.clinical import FHIR_EXPORT
from nh_pipeline.datasets.clinical.care import ENCOUNTER
from nh_pipeline.datasets.clinical.export import DELETION, REJECTS, RESOURCE
from nh_pipeline.datasets.clinical.people import PATIENT
from nh_pipeline.landing.confirmations import confirm, readmit, withdraw
from nh_pipeline.landing.manifest import Quarantined
from nh_pipeline.marts.clinical.dim_patients import DIM_PATIENTS
from nh_pipeline.marts.clinical.id_conflicts import ID_CONFLICTS
from nh_pipeline.orchestration.runs import forget
from nh_pipeline.pipeline import mart
from nh_pipeline.pipeline.build_state import LANDED
from nh_pipeline.pipeline.exports import ParseExports, look
from nh_pipeline.pipeline.mart_staleness import Inputs
from nh_pipeline.pipeline.plan import plan
from nh_pipeline.settings import Settings
from nh_pipeline_tests.support import chain, fhir

pytestmark = [pytest.mark.integration, pytest.mark.every_mart]

AT = datetime(2024, 8, 6, 18, tzinfo=timezone.utc)
GOOD = [fhir.patient("p1"), fhir.patient("p2"), fhir.encounter("e1", "p1")]


@pytest.fixture
def nh(workspace):
    return workspace()


def delivered(nh, tmp_path, **files):
    """Lands files, all modified at one time; the names of the keyword arguments have no dots."""
    folder = tmp_path / f"drop{len(list(tmp_path.iterdir()))}"
    folder.mkdir()
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (AT.timestamp(), AT.timestamp()))
    return {landed.document.name: landed.document for landed in chain.land(nh, folder)}


def parsed(nh):
    """Builds all bronze that is stale."""
    builds = [ParseExports(export=FHIR_EXPORT.name, day=b.start) for b in plan(nh.lake, nh.zone).part(0) if b.start]
    return [result for build in builds for result in chain.published(build.run(nh).results)]


def ids(nh, table=RESOURCE):
    return sorted(row["resource_id"] for row in chain.rows(nh.lake, table))


def test_a_day_is_built_at_once_and_each_delivery_is_a_part_of_it(nh, tmp_path):
    documents = delivered(nh, tmp_path, a=fhir.ndjson(GOOD), b=fhir.bundle([fhir.patient("p3")]))
    assert {d.coverage.key for d in documents.values()} == {"2024-08-06"}
    (stale,) = plan(nh.lake, nh.zone).part(0)
    assert re.fullmatch(rf"2 deliveries, such as [ab] \(2024-08-06\) {LANDED}", stale.reason)
    parsed(nh)
    assert ids(nh) == ["e1", "p1", "p2", "p3"]
    assert ids(nh, PATIENT.table) == ["p1", "p2", "p3"]
    assert ids(nh, ENCOUNTER.table) == ["e1"]
    buckets = {row["resource_id"]: row["patient_bucket"] for row in chain.rows(nh.lake, RESOURCE)}
    assert buckets["e1"] == buckets["p1"] != -1
    assert not plan(nh.lake, nh.zone).part(0)
    assert chain.unsorted(nh.lake) == chain.without_ids(nh.lake) == []

    before = {t.name: nh.lake.snapshot(t).snapshot_id for t in FHIR_EXPORT.tables}
    delivered(nh, tmp_path, again=fhir.ndjson(GOOD), c=fhir.ndjson([fhir.patient("p4")]))
    parsed(nh)
    assert ids(nh) == ["e1", "p1", "p2", "p3", "p4"]  # the same bytes under another name are the same delivery
    after = {t.name: nh.lake.snapshot(t).snapshot_id for t in FHIR_EXPORT.tables}
    assert {name for name in before if before[name] != after[name]} == {RESOURCE.name, PATIENT.table.name}


def test_the_same_bytes_are_one_delivery_of_the_day_that_is_told_best(nh, tmp_path):
    content, days = fhir.ndjson(GOOD), []
    for name in ("a", "dt=2024-07-01/a", "dt=2024-07-03/b", "dt=2024-07-02/a", "c"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (AT.timestamp(), AT.timestamp()))
        chain.land(nh, tmp_path)
        days.append([str(stale.partition) for stale in plan(nh.lake, nh.zone).part(0)])
        parsed(nh)
        assert ids(nh) == ["e1", "p1", "p2"]
    assert days == [["2024-08-06"], ["2024-07-01"], ["2024-07-03"], [], []]  # a file that says no day is the least
    assert {row["dt"].isoformat() for row in chain.rows(nh.lake, ENCOUNTER.table)} == {"2024-07-03"}


def test_a_line_that_is_refused_says_where_and_why_and_never_what(nh, tmp_path):
    lines = [*(fhir.patient(f"p{i}") for i in range(30)), '{"resourceType":"Patient","id":"SECRET",']
    (document,) = delivered(nh, tmp_path, a=fhir.ndjson([lines[-1], *lines[:-1]])).values()
    assert (document.export.records, document.export.refused, document.export.held) == (30, 1, "")
    parsed(nh)
    (reject,) = chain.rows(nh.lake, REJECTS)
    assert (reject["source_line"], reject["file_name"], reject["stage"]) == (1, "a", "parse")
    assert "SECRET" not in str(reject)
    assert len(ids(nh)) == 30


def test_a_delivery_is_held_until_a_person_takes_it(nh, tmp_path):
    bad = ["{", *GOOD]
    (document,) = delivered(nh, tmp_path, a=fhir.ndjson(bad)).values()
    assert "1 of 4 lines are refused, more than 5%" in document.export.held
    (held,) = plan(nh.lake, nh.zone).not_counting
    assert held.state == "held"
    assert held.lines_refused == 1
    assert parsed(nh) == []
    (delivery,) = nh.zone.deliveries(FHIR_EXPORT.name)
    confirm(nh.lake.storage, delivery, reason="a test")
    parsed(nh)
    assert len(ids(nh)) == 3


def test_what_a_person_withdraws_is_taken_away_and_comes_back(nh, tmp_path):
    delivered(nh, tmp_path, a=fhir.ndjson(GOOD), b=fhir.ndjson([fhir.patient("p3")]))
    parsed(nh)
    one = next(d for d in nh.zone.deliveries(FHIR_EXPORT.name) if d.manifest.name == "a")
    withdraw(nh.lake.storage, one, reason="a test")
    parsed(nh)
    assert ids(nh) == ids(nh, PATIENT.table) == ["p3"]
    assert ids(nh, ENCOUNTER.table) == []
    assert not plan(nh.lake, nh.zone).part(0)
    assert Counter(s.state for s in look(nh.lake, nh.zone, FHIR_EXPORT).statuses) == {"withdrawn": 1, "effective": 1}
    assert readmit(nh.lake.storage, one)
    parsed(nh)
    assert ids(nh) == ["e1", "p1", "p2", "p3"]


def test_a_delivery_of_nothing_but_deletions_is_read_once_and_can_be_taken_away(nh, tmp_path):
    delivered(nh, tmp_path, gone=fhir.deleted("Patient/p7"))
    parsed(nh)
    assert [row["resource_id"] for row in chain.rows(nh.lake, DELETION)] == ["p7"]
    assert not plan(nh.lake, nh.zone).part(0)
    (one,) = nh.zone.deliveries(FHIR_EXPORT.name)
    withdraw(nh.lake.storage, one, reason="a test")
    parsed(nh)
    assert chain.rows(nh.lake, DELETION) == []


BOM = b"\xef\xbb\xbf"
PEOPLE = [fhir.patient(f"q{i}") for i in range(20)]
ODD_REFERENCES = [{"reference": "Group/1"}, {"reference": "Medication/1"}, {"reference": 5}, {"display": "X"}, "p1", []]
ENTRIES = [
    {"resource": GOOD[0]}, {"resource": GOOD[0]}, {"search": {"mode": "outcome"}}, {"resource": None},
    *({"resource": one} for one in PEOPLE), {"resource": {"resourceType": "Patient"}},
    {"request": {"method": "DELETE", "url": "Patient/p7"}},
]  # fmt: skip
HOLDING: dict[str, tuple[bytes, tuple[int, int, int, int]]] = {
    # What is delivered; rows, further copies, deletions and refused lines that it holds, counted by hand.
    "mark": (BOM + fhir.ndjson(GOOD), (3, 0, 0, 0)),
    "blank": (b"\n" + fhir.ndjson(GOOD).replace(b"\n", b"\r\n\r\n").rstrip(), (3, 0, 0, 0)),
    "copies": (fhir.ndjson([*GOOD, *GOOD, {**GOOD[0], "active": True}]), (4, 3, 0, 0)),
    "collides": (fhir.ndjson([fhir.encounter("x", "p1"), fhir.encounter("x", "p2")]), (2, 0, 0, 0)),
    "types": (fhir.ndjson({"resourceType": of, "id": "1"} for of in ("Goal", "Starship", "Bundles")), (3, 0, 0, 0)),
    "report": (fhir.ndjson([*GOOD, {"resourceType": "OperationOutcome", "issue": []}]), (4, 0, 0, 0)),
    "values": (fhir.ndjson([*PEOPLE, fhir.patient("z", deceasedBoolean=True, deceasedDateTime="2024")]), (20, 0, 0, 1)),
    "references": (
        fhir.ndjson({**GOOD[2], "id": f"r{n}", "subject": to} for n, to in enumerate(ODD_REFERENCES)), (6, 0, 0, 0)),
    "later": (fhir.ndjson([{**GOOD[2], "class": [{"coding": [{"code": "IMP"}]}], "reason": [{"value": []}]}]),
              (1, 0, 0, 0)),  # of R5
    "entries": (json.dumps({"resourceType": "Bundle", "entry": ENTRIES}).encode(), (21, 1, 1, 1)),
    "cut": (fhir.ndjson([*PEOPLE, fhir.patient("z")])[:-20], (20, 0, 0, 1)),
    "packed": (fhir.zipped({"a.ndjson": fhir.ndjson([*GOOD, *PEOPLE, "{"]), "b.json": fhir.bundle(GOOD)}),
               (23, 3, 0, 1)),
}  # fmt: skip


def test_of_whatever_comes_nothing_is_lost(nh, tmp_path):
    documents = delivered(nh, tmp_path, **{name: content for name, (content, _) in HOLDING.items()})
    held = {name: document.export.held for name, document in documents.items() if document.export.held}
    assert held == {"cut": "line 21, the last one, is cut off: the upload may not have been complete"}
    for delivery in nh.zone.deliveries(FHIR_EXPORT.name):
        if delivery.manifest.name == "cut":
            confirm(nh.lake.storage, delivery, reason="a test")
    parsed(nh)
    counted = {
        table: Counter(row["delivery_id"] for row in chain.rows(nh.lake, table))
        for table in (RESOURCE, DELETION, REJECTS)
    }
    found = {
        d.manifest.name: (
            counted[RESOURCE][d.delivery_id],
            d.manifest.export.duplicates,
            counted[DELETION][d.delivery_id],
            counted[REJECTS][d.delivery_id],
        )
        for d in nh.zone.deliveries(FHIR_EXPORT.name)
    }
    assert found == {name: holds for name, (_, holds) in HOLDING.items()}
    asked = {row["resource_id"]: row for row in chain.rows(nh.lake, ENCOUNTER.table)}
    told = [(asked[f"r{n}"]["subject_kind"], asked[f"r{n}"]["subject_id"]) for n in range(len(ODD_REFERENCES))]
    assert told == [*[("unsupported", None)] * 2, ("none", None), ("display", None), *[("none", None)] * 2]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (fhir.bundle(GOOD)[:-30], "Bundle"),
        (b"[" + fhir.ndjson(GOOD).replace(b"\n", b",") + b"{}]", "array"),
        (fhir.ndjson([{"resourceType": "Patient", "id": "1", "animal": {"species": {}}}]), "STU3"),
    ],
)
def test_what_is_no_delivery_goes_to_quarantine(nh, tmp_path, content, found):
    (document,) = delivered(nh, tmp_path, a=content).values()
    assert isinstance(document, Quarantined)
    assert nh.zone.storage.read(document.file) == content
    assert found in f"{document.reason} {document.expected} {document.found} {document.what_to_do}"
    assert parsed(nh) == []


def test_an_archive_is_one_delivery_and_its_log_says_when(nh, tmp_path):
    log = b'{"eventId":"status_complete","eventDetail":{"transactionTime":"2024-07-01T00:00:00Z"},"exportId":"x"}\n'
    files = {"Patient.ndjson": fhir.ndjson(GOOD[:2]), "Encounter.ndjson": fhir.ndjson(GOOD[2:]), "log.ndjson": log}
    gone = {"deleted/1.ndjson": fhir.deleted("Patient/p7")}
    (document,) = delivered(nh, tmp_path, a=fhir.zipped({**files, **gone})).values()
    assert (document.coverage.key, document.export.dt_source) == ("2024-07-01", "transaction")
    parsed(nh)
    assert ids(nh) == ["e1", "p1", "p2"]
    (deletion,) = chain.rows(nh.lake, DELETION)
    assert (deletion["resource_type"], deletion["resource_id"]) == ("Patient", "p7")
    assert {row["member"] for row in chain.rows(nh.lake, RESOURCE)} == {"Patient.ndjson", "Encounter.ndjson"}


def test_what_a_complete_export_lacks_is_gone_unless_it_is_too_much(nh, tmp_path):
    names = [f"p{n:02}" for n in range(40)]
    having = {"a": names, "b": names[2:], "c": names[8:], "d": names[6:]}  # -, 5%, 16% and 11% of the one before
    delivered(
        nh, tmp_path, **{name: fhir.full_export(f"2024-0{n}-01", of) for n, (name, of) in enumerate(having.items(), 1)}
    )

    def states():
        return {s.name: s.state for s in look(nh.lake, nh.zone, FHIR_EXPORT).statuses}

    def gone():
        """Whoever is left out of what counts, by reason."""
        parsed(nh)
        chain.published(mart.BuildMart(table=ID_CONFLICTS.name).run(nh).results)
        return {row["resource_id"] for row in chain.rows(nh.lake, ID_CONFLICTS) if row["reason"] == "left_out"}

    assert states() == {"a": "effective", "b": "effective", "c": "held", "d": "held"}
    delivered(nh, tmp_path, **{"source=west/w": fhir.full_export("2024-02-02", ["p00"])})  # another system's
    (told, _) = (s.reason for s in plan(nh.lake, nh.zone).not_counting)
    assert told.startswith("it lacks 15.8% of the patients of b, more than 5%. If it is complete: nh confirm ")
    assert gone() == set(names[:2])
    by_name = {d.manifest.name: d for d in nh.zone.deliveries(FHIR_EXPORT.name)}
    confirm(nh.lake.storage, by_name["c"], reason="a home was sold")
    assert set(states().values()) == {"effective"}
    assert gone() == set(names[:6])  # two are back
    withdraw(nh.lake.storage, by_name["a"], reason="a test")
    assert gone() == set(names[2:6])


def test_a_table_that_is_to_be_rebuilt_is_read_again_with_all_of_its_export(nh, tmp_path):
    delivered(nh, tmp_path, a=fhir.ndjson(GOOD))
    parsed(nh)
    forget(Settings(home=nh.lake.root), PATIENT.table, None, None)
    (stale,) = plan(nh.lake, nh.zone).part(0)
    assert (stale.table, stale.partition) == (FHIR_EXPORT.leading, "2024-08-06")


def test_buckets_are_made_together_as_far_as_they_are_small_and_all_the_same(nh, tmp_path, monkeypatch):
    delivered(nh, tmp_path, a=fhir.ndjson(fhir.patient(f"p{i}") for i in range(40)))
    parsed(nh)
    names = ("clinical_silver.id_conflicts", "clinical_silver.directory", DIM_PATIENTS.name)
    monkeypatch.setattr(mart, "ROWS_AT_ONCE", 5)
    inputs = Inputs.current(nh.lake, DIM_PATIENTS.kind)
    groups = mart._groups(inputs, sorted(inputs.parts))
    assert sorted(b for group in groups for b in group) == sorted(inputs.parts)
    assert len(groups) > 3
    assert max(map(len, groups)) > 1
    for name in names:
        chain.published(mart.BuildMart(table=name).run(nh).results)
    apart = chain.table(nh.lake, DIM_PATIENTS)
    assert apart.column("patient_id").to_pylist() == sorted(f"p{i}" for i in range(40))
    nh.lake.catalog.drop_table(DIM_PATIENTS.name)
    monkeypatch.undo()
    chain.published(mart.BuildMart(table=DIM_PATIENTS.name).run(nh).results)
    assert chain.table(nh.lake, DIM_PATIENTS).equals(apart)
