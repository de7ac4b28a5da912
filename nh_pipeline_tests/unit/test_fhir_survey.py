"""What landing learns of a delivery of FHIR resources before it takes it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile

import pytest

from nh_pipeline.landing import Refused
from nh_pipeline.landing.fhir import is_fhir, is_fhir_archive
from nh_pipeline.landing.sampled import digest, sample, share_gone
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
    ("content", "name", "source"),
    [
        (ndjson(A), "in/source=East-2/dt=2024-08-06/a.ndjson", "East-2"),
        (zipped_as({"source=east/a.json": ndjson(A)}), "a.zip", "east"),
        (ndjson(A), "resource=x/source=a.ndjson", "default"),
    ],
)
def test_a_folder_names_the_system_that_it_is_from(content, name, source):
    assert survey(content, name).source == source


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
        (ndjson(A), "source=our EHR/a.ndjson", "a folder that names no source"),
        (ndjson(A), "source=/a.ndjson", "a folder that names no source"),
        (zipped_as({"source=a/a.json": ndjson(A), "source=b/a.json": ndjson(A)}), "a", "a folder that names no source"),
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


SERVER = "https://ours/fhir"
OBSERVED = [observation("o1"), observation("o2")]


def full_export(*more, lines=(A, B), manifest=None, **said):
    """An archive of two files of patients and one of observations, with the manifest of all that the server has."""
    told = {
        "transactionTime": "2024-08-06T18:12:57Z",
        "request": f"{SERVER}/$export?_outputFormat=ndjson&_type=Patient,Observation",
        "requiresAccessToken": False,
        "output": [
            {"type": "Patient", "url": "https://x/1", "count": 1},
            {"type": "Patient", "url": "https://x/2", "count": 1},
            {"type": "Observation", "url": "https://x/3", "count": 2},
            {"type": "Claim", "url": "https://x/4", "count": 0},
        ],
        "error": [],
        **said,
    }
    files = {f"{n}.ndjson": ndjson(line) for n, line in enumerate(lines)}
    manifest = document(told) if manifest is None else manifest
    return zipped_as({**files, "3.ndjson": ndjson(*OBSERVED), "manifest.json": manifest, **dict(more)})


ASKED = json.dumps({"exportId": "e", "eventDetail": {"exportUrl": f"{SERVER}/$export", "requestParameters": {}}})


@pytest.mark.parametrize(
    "content",
    [
        full_export(),
        full_export(request=f"{SERVER}/Patient/$export"),
        full_export(("log.ndjson", ASKED.encode())),
    ],
)
def test_an_archive_with_all_that_its_manifest_counts_is_a_complete_export(content):
    found = survey(content)
    assert found.full == ("Observation", "Patient")
    assert len(set(found.patients)) == 2


def test_an_export_of_patients_need_not_have_all_that_belongs_to_none():
    output = [{"type": of, "url": "https://x/1", "count": 1} for of in ("Patient", "Organization")]

    def export(of):
        told = {"transactionTime": "2024-08-06T18:12:57Z", "request": f"{SERVER}/{of}$export", "output": output}
        return zipped(a__ndjson=ndjson(A, resource("Organization", "o")), m__json=document(told))

    assert survey(export("")).full == ("Organization", "Patient")
    assert survey(export("Patient/")).full == ("Patient",)


@pytest.mark.parametrize(
    "content",
    [
        # What was asked for is a part, or may be.
        full_export(request=f"{SERVER}/$export?_since=2024-01-01T00:00:00Z"),
        full_export(request=f"{SERVER}/$export?_typeFilter=Patient%3Factive%3Dtrue"),
        full_export(request=f"{SERVER}/$export?_elements=id"),
        full_export(request=f"{SERVER}/Patient/$export?patient=Patient/a"),
        full_export(request=f"{SERVER}/Group/g/$export"),
        full_export(request=None),
        full_export(("log.ndjson", ASKED.replace("{}", '{"_since": "2024"}').encode())),
        # It has not all come, or not as it was.
        full_export(lines=(A,)),
        full_export(lines=(A, B, B)),
        full_export(lines=(A, "{")),
        full_export(("4.ndjson", ndjson(resource("Claim", "c")))),
        full_export(("error.ndjson", ndjson(resource("OperationOutcome", "x")))),
        full_export(("gone.ndjson", ndjson(bundle({"request": {"method": "DELETE", "url": "Patient/9"}})))),
        full_export(error=[{"type": "OperationOutcome", "url": "https://x/9"}]),
        full_export(link=[{"relation": "next", "url": "https://x/next"}]),
        full_export(output=[{"type": "Patient", "url": "https://x/1"}]),
        full_export(("second.json", document({"transactionTime": "2024-08-06T18:13:00Z"}))),
        full_export(manifest=MANIFEST),
        full_export(manifest=LOG),
        # It says nothing of patients.
        zipped(a__ndjson=ndjson(*OBSERVED), m__json=document({
            "transactionTime": "2024-08-06T18:12:57Z", "request": f"{SERVER}/$export",
            "output": [{"type": "Observation", "url": "https://x/3", "count": 2}],
        })),
        ndjson(A, B),
        document(bundle(A, B)),
    ],
)  # fmt: skip
def test_what_may_not_be_all_is_no_complete_export(content):
    found = survey(content)
    assert found.full == found.patients == ()


def test_a_complete_export_is_of_one_instant():
    assert survey(full_export(), "dt=2024-08-06/a.zip").full
    assert not survey(full_export(), "dt=2024-08-07/a.zip").full


def test_the_patients_of_two_exports_are_compared_by_samples():
    few, some, many = ([digest(f"p{n}") for n in range(count)] for count in (40, 3000, 30_000))
    assert share_gone(sample(few), sample(few[2:])) == 0.05
    assert share_gone(sample(few), sample(many)) == 0
    assert share_gone(sample(many), sample(few)) > 0.9
    assert share_gone((1 << 47,), sample(many)) == 0
    assert share_gone(sample(some), sample(many)) == share_gone(sample(many), sample(many)) == 0
    assert abs(share_gone(sample(many), sample(many[3000:])) - 0.1) < 0.02
    assert abs(share_gone(sample(some), sample(some[300:])) - 0.1) < 0.02
