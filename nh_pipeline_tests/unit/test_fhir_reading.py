"""Resources out of the bytes of deliveries: where they stand, their ids, and what is refused."""

from __future__ import annotations

import json

import pytest

from nh_pipeline.landing import Refused
from nh_pipeline.landing.fhir import documents
from nh_pipeline_tests.support.fhir_deliveries import (
    bundle,
    document,
    entry,
    extracted,
    gzipped,
    ndjson,
    observation,
    patient,
    resource,
    rows,
    zipped,
    zipped_as,
)

A, B, C = patient("a"), patient("b"), patient("c")
BOM = b"\xef\xbb\xbf"


def ids(content, table="resource"):
    return [(found["member"], found["source_line"], found["resource_id"]) for found in rows(content, table)]


def refused(content):
    """Line, position and reason of what is refused of a delivery."""
    return [(found["source_line"], found["position"], found["reason"]) for found in rows(content, "rejects")]


@pytest.mark.parametrize(
    "content",
    [
        ndjson(A, B),
        ndjson(A, B, end="\r\n"),
        ndjson(A, B)[:-1],
        BOM + ndjson(A, B),
        gzipped(ndjson(A, B)),
        gzipped(ndjson(A)) + gzipped(ndjson(B)),
        document(bundle(A, B)),
        BOM + document(bundle(A, B)),
        document(bundle(A, B), indent=None),
        gzipped(document(bundle(A, B))),
        document(bundle(A, B)).replace(b"\n", b"\r\n"),
        b"\n\n" + document(bundle(A, B)),
    ],
)
def test_the_same_resources_however_they_are_written(content):
    assert [(member, found) for member, _, found in ids(content)] == [("", "a"), ("", "b")]
    assert refused(content) == []


def test_a_line_is_numbered_with_the_blank_ones():
    assert ids(b"\n" + ndjson(A, "", "   ", B)) == [("", 2, "a"), ("", 5, "b")]


def test_several_types_may_be_in_one_file():
    assert set(extracted(ndjson(A, observation(), resource("Basic", "x")))[1].resources) == {
        "Patient", "Observation", "Basic",
    }  # fmt: skip


def test_a_resource_on_several_lines_is_one():
    assert ids(document(A)) == [("", 1, "a")]
    assert ids(document(A, indent=None)) == [("", 1, "a")]


def test_a_bundle_with_an_entry_on_each_line_is_one_document():
    entries = ",\n".join(json.dumps(entry(one)) for one in (A, B))
    content = f'{{"resourceType":"Bundle","type":"collection","entry":[\n{entries}\n]}}\n'.encode()
    assert ids(content) == [("", 1, "a"), ("", 2, "b")]


@pytest.mark.parametrize(
    "of_type", ["transaction", "batch", "collection", "searchset", "message", "document", "history", None]
)
def test_entries_of_every_kind_of_bundle_are_taken(of_type):
    (found,) = rows(document(bundle(A, of_type=of_type)), "resource")
    assert (found["bundle_type"], found["full_url"]) == (of_type, "urn:uuid:a")


def test_what_an_entry_asks_for_is_kept():
    asked = {"method": "PUT", "url": "Patient/a", "ifNoneExist": "identifier=x|1"}
    (found,) = rows(document(bundle(entry(A, request=asked))), "resource")
    assert [found[name] for name in ("request_method", "request_url", "if_none_exist")] == list(asked.values())


def test_entries_without_a_resource_are_no_error_and_have_their_place():
    outcome = {"search": {"mode": "outcome"}}
    made = bundle({**outcome}, {"response": {"status": "404"}}, {"resource": None}, entry(A), of_type="searchset")
    assert ids(document(made)) == [("", 4, "a")]
    assert refused(document(made)) == []


def test_a_history_has_a_version_in_each_entry():
    first, second = ({**A, "meta": {"versionId": str(n), "lastUpdated": f"2024-01-0{n}T00:00:00Z"}} for n in (1, 2))
    gone = entry(url="https://x/Patient/a", request={"method": "DELETE", "url": "Patient/a"},
                 response={"lastModified": "2024-01-03T00:00:00Z"})  # fmt: skip
    found, _ = extracted(document(bundle(gone, second, first, of_type="history")))
    assert [one["version_id"] for one in found["resource"]] == ["2", "1"]
    assert [(one["resource_id"], one["version_at"].day, one["source_line"]) for one in found["deletion"]] == [
        ("a", 3, 1)
    ]


def test_bundles_in_bundles_are_opened_once():
    inner = {**bundle(B, {**bundle(C), "id": "deep"}), "id": "inner"}
    assert ids(document(bundle(A, inner, observation()))) == [
        ("", 1, "a"), ("", 2, "b"), ("", 3, "deep"), ("", 4, "o1"),
    ]  # fmt: skip


# [ohs-foundation/fhir-data-pipes#547, #543, #588]
def test_deleted_resources_of_a_bulk_export_are_tombstones():
    deletes = [
        bundle(*({"request": {"method": "DELETE", "url": url}} for url in urls), meta={"lastUpdated": at})
        for urls, at in [
            (["Patient/1", "https://x/fhir/Observation/2/_history/3"], "2024-05-01T02:00:00+02:00"),
            (["Patient/4"], "unknown"),
        ]
    ]
    found = [tuple(one.values()) for one in rows(ndjson(*deletes), "deletion")]
    assert [(of, of_id, at.isoformat(), line) for of, of_id, at, *_, line, _ in found] == [
        ("Patient", "1", "2024-05-01T00:00:00+00:00", 1),
        ("Observation", "2", "2024-05-01T00:00:00+00:00", 2),
        ("Patient", "4", "2024-08-06T18:00:00+00:00", 3),
    ]


def test_what_is_deleted_by_a_search_is_refused():
    made = bundle(entry(A), {"request": {"method": "DELETE", "url": "Patient?name=secret"}})
    ((line, _, reason),) = refused(document(made))
    assert (line, "expected Type/id" in reason, "secret" in reason) == (2, True, False)


def test_lines_that_are_bundles_give_every_entry_a_place_of_its_own():
    content = ndjson(bundle(A, B), "{", bundle(C), observation())
    assert ids(content) == [("", 1, "a"), ("", 2, "b"), ("", 4, "c"), ("", 5, "o1")]
    assert [line for line, *_ in refused(content)] == [3]


def test_the_id_is_that_of_the_resource_else_the_uuid_of_its_entry():
    uuid = "0b9875ba-9310-313d-93d4-bf552585d527"
    made = bundle(entry(patient(None), url=f"urn:uuid:{uuid}"), entry(patient("own"), url="urn:uuid:x"))
    assert [found for *_, found in ids(document(made))] == [uuid, "own"]


@pytest.mark.parametrize("url", [None, "https://x/fhir/Patient/5"])
def test_without_either_a_resource_is_refused(url):
    made = bundle({"resource": patient(None), **({"fullUrl": url} if url else {})}, A)
    ((line, _, reason),) = refused(document(made))
    assert (line, reason) == (1, "expected an id, found none, nor a uuid as the entry's fullUrl")


def test_an_error_report_of_the_server_is_kept_though_it_has_no_id():
    (found,) = rows(ndjson({"resourceType": "OperationOutcome", "issue": []}), "resource")
    assert (found["resource_type"], found["resource_id"]) == ("OperationOutcome", found["content_md5"])


@pytest.mark.parametrize("of_id", ["a b", "x" * 65, "ä", 5])
def test_an_id_that_fhir_does_not_allow_loads(of_id):
    assert [found for *_, found in ids(ndjson({"resourceType": "Patient", "id": of_id}))] == [str(of_id)]


NAME = "Mary"


# [synthetichealth/synthea#1519]: a few invalid lines among millions are refused, the rest is loaded.
@pytest.mark.parametrize(
    ("line", "position", "found"),
    [
        (f'{{"resourceType":"Patient","name":"{NAME}', "38", "JSON is malformed: invalid character"),
        (f'{{"resourceType":"Patient","n":NaN,"name":"{NAME}"}}', "30", "JSON is malformed: invalid character"),
        (f'{{"resourceType":"Patient"}}{{"name":"{NAME}"}}', "27", "JSON is malformed: trailing characters"),
        (f'{{"name":"{NAME}"}}', None, "missing required field `resourceType`"),
        ('{"resourceType":""}', None, "`str` of length >= 1"),
        (f'"{NAME}"', None, "Expected `object`, got `str`"),
        ('{"resourceType":"Patient","id":"x","a":' + "1" * 5000 + "}", None, "Integer value out of range"),
        ('{"resourceType":"Patient","id":"x","a":' + "[" * 5000 + "]" * 5000 + "}", None, "nested too deeply"),
        ('{"resourceType":"Patient","id":"x","a":"\\ud800"}', None, ""),
    ],
)
def test_a_line_that_is_no_resource_is_refused_without_saying_what_it_holds(line, position, found):
    content = ndjson(A, line, B)
    ((number, at, reason),) = refused(content)
    assert (number, at) == (2, position)
    assert found in reason
    assert NAME not in str(rows(content, "rejects"))
    assert [of_id for *_, of_id in ids(content)] == ["a", "b"]


def test_invalid_utf_8_is_refused():
    assert len(refused(ndjson(A, B).replace(b'"b"', b'"\xff"'))) == 1


@pytest.mark.parametrize("first", ['{"resourceType":"Patient"', "no JSON", "[1", "{"])
def test_a_bad_first_line_is_but_one_line(first):
    content = ndjson(A, B)
    bad = f"{first}\n".encode() + content
    if first.startswith("["):
        with pytest.raises(Refused, match="array"):
            extracted(bad)
    else:
        assert ids(bad) == [("", 2, "a"), ("", 3, "b")]
        assert [line for line, *_ in refused(bad)] == [1]


def test_nothing_is_lost_behind_several_bad_lines():
    content = b'{"resourceType":"Patient"\n\n{"name":\n' + ndjson(A, "{", B)
    assert ids(content) == [("", 4, "a"), ("", 6, "b")]
    assert [line for line, *_ in refused(content)] == [1, 3, 5]


@pytest.mark.parametrize(
    ("two", "named"),
    [
        (observation(valueQuantity={}, valueString="x"), "valueQuantity, valueString"),
        (observation(effectiveDateTime="2019", effectivePeriod={}), "effectiveDateTime, effectivePeriod"),
        (observation(component=[{}, {"valueInteger": 1, "valueBoolean": True}]), "valueBoolean, valueInteger"),
        (patient("x", deceasedBoolean=True, deceasedDateTime="2019"), "deceasedBoolean, deceasedDateTime"),
        (resource("Condition", "x", onsetAge={}, onsetString=""), "onsetAge, onsetString"),
        (resource("Claim", "x", item=[{"servicedDate": "", "servicedPeriod": {}}]), "servicedDate, servicedPeriod"),
        (
            resource("Claim", "x", diagnosis=[{"diagnosisReference": {}, "diagnosisCodeableConcept": {}}]),
            "diagnosisCodeableConcept, diagnosisReference",
        ),
    ],
)
def test_two_values_of_a_choice_are_refused(two, named):
    ((_, _, reason),) = refused(ndjson(A, two))
    assert reason == f"several values: expected one of a choice of types, found {named}"


def test_of_doubled_keys_the_last_counts():
    line = '{"resourceType":"Patient","id":"x","gender":"male","gender":"female","id":"y"}'
    (found,) = rows(ndjson(line), "patient")
    assert (found["resource_id"], found["gender"]) == ("y", "female")


def test_an_entry_without_a_type_is_refused_and_the_others_are_taken():
    content = document(bundle({"resource": {"id": "x"}}, {"resource": [1]}, entry(A)))
    assert [line for line, *_ in refused(content)] == [1, 2]
    assert ids(content) == [("", 3, "a")]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize(
    "broken",
    [
        lambda content: content[:-30],
        lambda content: content.replace(b'"b"', b"NaN"),
        lambda content: content.replace(b'"b"', b'"\xff"'),
        lambda content: content + b"}",
    ],
)
def test_of_an_invalid_bundle_nothing_is_taken(broken, indent):
    content = broken(document(bundle(A, B), indent=indent))
    for delivery in (content, zipped(a__json=content), gzipped(content)):
        with pytest.raises(Refused, match="an invalid Bundle") as refusal:
            extracted(delivery)
        assert "Deliver it again" in refusal.value.what_to_do


def test_the_members_of_an_archive_are_one_delivery():
    content = zipped_as(
        {
            "out/Patient.ndjson": ndjson(A),
            "out/b.json": document(bundle(B)),
            "out/c.ndjson.gz": gzipped(ndjson(C)),
            "inner.zip": zipped(d__ndjson=ndjson(observation())),
            "__MACOSX/._x": b"x",
            "empty.ndjson": b"",
            "README.md": b"What this is",
            "log.ndjson": b'{"exportId":"x","eventDetail":{"resourceType":"Patient"}}\n',
        }
    )
    assert [(member, of_id) for member, _, of_id in ids(content)] == [
        ("inner.zip/d.ndjson", "o1"), ("out/Patient.ndjson", "a"), ("out/b.json", "b"), ("out/c.ndjson.gz", "c"),
    ]  # fmt: skip


def test_too_long_a_document_is_refused(monkeypatch):
    monkeypatch.setattr(documents, "MAX_DOCUMENT", 200)
    long = patient("x", name="y" * 200)
    for content in (ndjson(A, long), document(bundle(long)), document(bundle(*[A] * 9), indent=None)):
        with pytest.raises(Refused, match="too long a document"):
            extracted(content)
