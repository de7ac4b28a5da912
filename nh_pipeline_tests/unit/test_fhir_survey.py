"""What landing learns of a delivery of FHIR resources before it takes it."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile

import pytest

from nh_pipeline.landing import Refused
from nh_pipeline.landing.fhir import is_fhir, is_fhir_archive
from nh_pipeline_tests.support.fhir_deliveries import (
    bundle,
    document,
    gzipped,
    ndjson,
    observation,
    patient,
    resource,
    survey,
    zipped,
    zipped_as,
)

A, B = patient("a"), patient("b")
MANIFEST = (
    b'{\n "transactionTime": "2024-08-06T23:30:00-04:00",\n "output": [{"type": "Patient", "url": "https://x"}]\n}'
)
LOG = (
    b'{"exportId":"e","eventId":"kickoff"}\nno JSON\n'
    b'{"exportId":"e","eventDetail":{"transactionTime":"2024-08-06T18:12:57Z"}}\n'
)


def test_no_engine_and_no_orchestrator_is_loaded():
    heavy = ("pyspark", "pandera", "dagster", "pyiceberg", "sqlalchemy", "duckdb")
    program = f"import sys, nh_pipeline.landing.fhir; print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (ndjson(A), True),
        (b"\xef\xbb\xbf\n" + document(bundle(A)), True),
        (document(bundle(A))[:40], True),
        (gzipped(ndjson(*[A] * 999))[:100], True),
        (b"[\n" + document(A) + b"]", True),  # told, to be refused in words that help
        (b"not JSON\n" + ndjson(A), False),
        (b'{"resourceType":\n' + ndjson(A), True),
        (LOG, False),
        (b'{"exportId":"e","eventDetail":{"resourceType":"Patient"}}\n', False),
        (MANIFEST, False),
        (b'{"Item":{"id":{"S":"1"}}}\n', False),
        (b'"resourceType",b\n1,2\n', False),
        (b"", False),
        (zipped(a__ndjson=ndjson(A)), False),
        (gzipped(zipped(a__ndjson=ndjson(A))), False),
        (gzipped(ndjson(A))[:12] + b"damaged", False),
    ],
)
def test_resources_are_told_by_their_first_bytes(content, expected):
    assert is_fhir(content) is expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"a.json": document(bundle(A))}, True),
        ({"a.txt": ndjson(A), "x/b.ndjson.gz": gzipped(ndjson(B))}, True),
        (
            {"a.ndjson": ndjson(A), "log.ndjson": LOG, "manifest.json": MANIFEST, "README": b"x", ".DS_Store": b"x"},
            True,
        ),
        ({"a.ndjson": ndjson(A), "deleted/b.ndjson": b""}, True),
        ({"a.ndjson": ndjson(A), "b.csv": b"x,y\n1,2\n"}, False),
        ({"a.ndjson": ndjson(A), "b.json": b'{"x":1}'}, False),
        ({"log.ndjson": LOG, "manifest.json": MANIFEST}, False),
        ({"inner.zip": zipped(a__ndjson=ndjson(A))}, True),
        ({"a.ndjson": ndjson(A), "inner.zip": zipped(b__csv=b"x,y\n")}, False),
        ({}, False),
    ],
)
def test_archives_of_resources_alone_are_told(files, expected):
    assert is_fhir_archive(io.BytesIO(zipped_as(files))) is expected


@pytest.mark.parametrize("content", [ndjson(A), gzipped(ndjson(A)), b"PK\x03\x04 damaged", b""])
def test_what_is_no_archive_or_a_damaged_one_is_none(content):
    assert not is_fhir_archive(io.BytesIO(content))


def test_what_a_delivery_is():
    content = zipped_as({
        "b.json": document(bundle(A, observation(), {"request": {"method": "DELETE", "url": "Patient/9"}})),
        "a.ndjson": ndjson(A, B, "{", *(observation(f"o {n}") for n in range(40))),
    })  # fmt: skip
    found = survey(content)
    assert (found.records, found.refused, found.duplicates, found.deleted, found.invalid_ids) == (45, 1, 1, 1, 40)
    assert found.resource_types == {"Observation": 41, "Patient": 3}
    assert (found.compression, found.formats, found.held) == ("zip", ("bundle", "ndjson"), "")
    assert (found.members, found.size) == (
        ("b.json", "a.ndjson"),
        sum(info.file_size for info in zipfile.ZipFile(io.BytesIO(content)).infolist()),
    )


@pytest.mark.parametrize(
    ("content", "compression"),
    [(b"\n\n\n\n" + ndjson(A), "json"), (gzipped(ndjson(A)), "gz"), (zipped(a__ndjson=ndjson(A)), "zip")],
)
def test_how_a_delivery_is_packed(content, compression):
    found = survey(content)
    assert (found.compression, found.size) == (compression, len(ndjson(A)))


UPDATED = [
    {**A, "meta": {"lastUpdated": at}} for at in ("2024-05-09T23:30:00Z", "2024-05-10T01:00:00+02:00", "2024-06")
]
AT_NIGHT = "2024-08-07T03:30:00"


@pytest.mark.parametrize(
    ("content", "name", "expected"),
    [
        (ndjson(A), "in/dt=2024-08-06/a.ndjson", ("folder", "2024-08-06T00:00:00")),
        (zipped_as({"dt=2024-08-06/a.json": ndjson(A)}), "a", ("folder", "2024-08-06T00:00:00")),
        (
            zipped_as({"dt=2024-08-07/a.json": ndjson(*UPDATED), "m.json": MANIFEST}),
            "dt=2024-08-07/a.zip",
            ("folder", AT_NIGHT),
        ),
        (
            zipped_as({"dt=2024-08-06/a.json": ndjson(*UPDATED), "m.json": MANIFEST}),
            "a.zip",
            ("folder", "2024-08-06T00:00:00"),
        ),
        (zipped(a__json=ndjson(*UPDATED), m__json=MANIFEST), "a", ("transaction", AT_NIGHT)),
        (
            zipped(a__json=ndjson(A), log__ndjson=LOG),
            "a",
            ("transaction", "2024-08-06T18:12:57"),
        ),
        # As instants: the second is text that is greater, and half an hour earlier. [fhir-data-pipes ParquetMerger]
        (ndjson(*UPDATED), "a", ("last_updated", "2024-05-09T23:30:00")),
        (ndjson(A), "adt=2024-08-06/dt=2024-08/dt=2024-08-06.ndjson", ("modified", "2024-08-07T01:02:03")),
    ],
)
def test_when_it_was_exported_and_what_says_so(content, name, expected):
    found = survey(content, name)
    assert (found.dt_source, found.exported_at.isoformat()) == (expected[0], f"{expected[1]}+00:00")
    assert found.dt == found.exported_at.date()


@pytest.mark.parametrize(
    ("content", "name", "reason"),
    [
        (document(bundle(A))[:-20], "a", "an invalid Bundle"),
        (document(bundle(A), indent=None)[:-20], "a", "an invalid Bundle"),
        (b"[\n" + document(A) + b"\n]", "a", "an array of resources"),
        (document(bundle()), "a", "no FHIR resource"),
        (b"{}\n{}\n", "a", "no FHIR resource"),
        (b"", "a", "no FHIR resource"),
        (ndjson(A), "dt=2024-02-30/a.ndjson", "a folder that names no day"),
        (zipped_as({"dt=2024-08-06/a.json": ndjson(A), "dt=2024-08-07/a.json": ndjson(A)}), "a", "several days"),
        (gzipped(ndjson(A))[:-9], "a", "damaged archive"),
        (zipped(a__ndjson=ndjson(A)).replace(b"a.ndjson\x00", b"a.ndjson\x01")[:-9], "a", "damaged archive"),
        (zipped(a__gz=gzipped(ndjson(A))[:-9]), "a", "damaged archive"),
        (gzipped(b" " * (70 << 20)), "a", "unpacks to too much"),
    ],
)
def test_what_is_quarantined(content, name, reason):
    with pytest.raises(Refused) as refusal:
        survey(content, name)
    assert reason in refusal.value.reason


def test_an_encrypted_archive_is_refused():
    content = bytearray(zipped(a__ndjson=ndjson(A)))
    for at in (6, content.index(b"PK\x01\x02") + 8):
        content[at] |= 1
    with pytest.raises(Refused, match="encrypted"):
        survey(bytes(content))


# [WorldVistA/VistA-FHIR-Data-Loader#37]
@pytest.mark.parametrize(
    "older",
    [
        patient("x", animal={}),
        resource("Encounter", "x", reason=[{"coding": [{"code": "1"}]}]),
        resource("Condition", "x", clinicalStatus="active"),
        resource("ProcedureRequest", "x"),
        resource("CapabilityStatement", "x", fhirVersion="3.0.1"),
        resource("Goal", "x", meta={"profile": ["http://hl7.org/fhir/STU3/StructureDefinition/Goal"]}),
    ],
)
def test_older_releases_are_refused_where_it_is_sure(older):
    with pytest.raises(Refused, match="an older release of FHIR") as refusal:
        survey(ndjson(A, B, older)) if older["resourceType"] != "Patient" else survey(ndjson(older))
    assert older["resourceType"] in refusal.value.found


@pytest.mark.parametrize(
    "made",
    [
        [A, B, patient("x", animal={})],  # one alone may be a mistake of its own
        [resource("Encounter", "x", reasonCode=[{"coding": [{"code": "1"}]}])],
        [resource("Encounter", "x", reason=[{"value": [{"concept": {"coding": []}}]}])],  # R5
        [resource("Condition", "x", clinicalStatus={"coding": [{"code": "active"}]})],
        [resource("Goal", "x", meta={"profile": ["http://hl7.org/fhir/us/core/STU3.1.1/StructureDefinition/x"]})],
        [resource("CapabilityStatement", "x", fhirVersion="4.0.1")],
        [resource("Goal", "x", meta={"profile": "no list"})],
    ],
)
def test_what_may_be_r4_is_taken(made):
    assert survey(ndjson(*made)).records == len(made)


@pytest.mark.parametrize(
    ("content", "held"),
    [
        (ndjson(*[A] * 19, "{"), ""),
        (ndjson(*[A] * 18, "{"), "1 of 19 lines are refused, more than 5%; the first in line 19: expected a FHIR"),
        (ndjson(*[A] * 99)[:-8], "line 99, the last one, is cut off"),
        (zipped(a__ndjson=ndjson(*[A] * 99)[:-8], b__ndjson=ndjson(B)), "a.ndjson, line 99, the last one, is cut off"),
        (ndjson(*[A] * 99) + b'{"resourceType"}', ""),
    ],
)
def test_what_is_held_for_a_person(content, held):
    found = survey(content).held
    assert found.startswith(held)
    assert bool(found) is bool(held)


@pytest.mark.parametrize(
    "asked", ["$export?_type=Patient", "Patient/$export", "Group/g-1/$export", "Group/g-1/$export?_since=2024"]
)
def test_a_manifest_tells_the_server_that_it_is_from(asked):
    manifest = {"transactionTime": "2024-08-06T18:12:57Z", "request": f"https://ours/fhir/r4/{asked}", "output": []}
    log = {"exportId": "e", "eventDetail": {"exportUrl": f"https://ours/fhir/r4/{asked}"}}
    for told in (manifest, log):
        assert survey(zipped(a__ndjson=ndjson(A), m__json=document(told, indent=None))).bases == (
            "https://ours/fhir/r4",
        )
    assert survey(zipped(a__ndjson=ndjson(A), m__json=MANIFEST)).bases == ()
