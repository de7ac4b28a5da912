"""Whatever bytes come: rows, refused lines or a refusal, and never what a protected resource holds."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from nh_pipeline.landing import Refused
from nh_pipeline.landing.fhir import is_fhir
from nh_pipeline_tests.support.fhir_deliveries import (
    bundle,
    document,
    extracted,
    gzipped,
    ndjson,
    observation,
    patient,
    resource,
    survey,
    zipped,
)

NAME = "Maryanne"
RESOURCES = [
    patient("a", name=[{"family": NAME}], meta={"lastUpdated": "2024-01-01T00:00:00Z"}),
    observation(valueQuantity={"value": 1.5}, component=[{"valueString": NAME}]),
    resource("Coverage", "c", beneficiary={"reference": "Patient/a", "display": NAME}),
    resource("ExplanationOfBenefit", "e", contained=[resource("Coverage", "x")], item=[{"sequence": 1}]),
]
PLAIN = [ndjson(*RESOURCES), document(bundle(*RESOURCES)), document(bundle(*RESOURCES), indent=None)]
PACKED = [gzipped(PLAIN[0]), zipped(a__ndjson=PLAIN[0], b__json=PLAIN[1])]
PIECES = st.sampled_from(
    [b'"', b"{", b"}", b"[", b"]", b",", b"\n", b"null", b"1", b"true", b"[]", b"\\", b"\xff", b""]
)


def attempt(read, content):
    """What a reading makes of a delivery; else why it is refused."""
    try:
        return read(content), None
    except Refused as refused:
        return None, str(refused)


def taken(content):
    """Whether a delivery is taken, alike by both of its readings; what is told of it holds no name."""
    (held, refused), (found, why) = attempt(extracted, content), attempt(survey, content)
    assert NAME not in str((held and held[0].get("rejects"), refused, found, why))
    if found:
        assert counted(held) == (found.records, found.refused)
    is_fhir(content)


def counted(held):
    """Records, which are rows, further copies and deletions, and refused lines."""
    rows, extraction = held
    records = len(rows.get("resource", [])) + len(rows.get("deletion", [])) + extraction.duplicates.total()
    return records, len(rows.get("rejects", []))


@settings(max_examples=60)
@given(st.sampled_from(PLAIN), st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 12), PIECES), max_size=3))
def test_damaged_text(content, changes):
    for start, length, piece in changes:
        at = start % (len(content) + 1)
        content = content[:at] + piece + content[at + length :]
    taken(content)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 12), PIECES), max_size=4))
def test_every_line_is_a_record_or_refused(changes):
    first, content = ndjson(patient("first")), ndjson(*RESOURCES, *RESOURCES)
    for start, length, piece in changes:
        at = start % (len(content) + 1)
        content = content[:at] + piece + content[at + length :]
    lines = [line for line in content.split(b"\n") if line.strip()]
    assert sum(counted(extracted(first + content))) == 1 + len(lines)


@settings(max_examples=60)
@given(st.sampled_from(PACKED), st.integers(0, 3000), st.binary(max_size=4), st.booleans())
def test_damaged_archives(content, start, piece, cut):
    at = start % len(content)
    taken(content[:at] + piece + (b"" if cut else content[at + len(piece) :]))


ELEMENTS = (
    "meta", "subject", "patient", "class", "type", "participant", "period", "component",
    "code", "category", "item", "adjudication", "total", "insurance", "extension", "contained",
    "valueQuantity", "diagnosis", "identifier", "address", "status", "name", "payment", "hospitalization",
)  # fmt: skip
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["coding", "code", "system", "reference", "identifier", "value", "start", "url", "display"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@settings(max_examples=60)
@given(
    st.sampled_from(["Patient", "Encounter", "Observation", "Claim", "ExplanationOfBenefit", "Coverage", "Location"]),
    st.dictionaries(st.sampled_from(ELEMENTS), _VALUES, max_size=8),
)
def test_resources_of_any_shape_are_rows(of, elements):
    made = {"resourceType": of, "id": "x", **elements}
    found, _ = extracted(ndjson(made))
    assert len(found["resource"]) == 1
    assert json.loads(found["resource"][0]["resource"]) == made
    survey(ndjson(made))
