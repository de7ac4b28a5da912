"""The language of paths, and what columns make of what paths find."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nh_pipeline.datasets.clinical import VIEWS
from nh_pipeline.landing.fhir.fields import compiled
from nh_pipeline.landing.fhir.paths import parse, text
from nh_pipeline.landing.fhir.references import References
from nh_pipeline.model.view import Field, concept, value
from nh_pipeline_tests.support.fhir_deliveries import ndjson, observation, row, rows

ENCOUNTER = {
    "class": {"code": "IMP"},
    "type": [{"coding": [{"code": "a"}, {"code": "b"}]}, {"coding": [{"code": "c"}]}],
    "participant": [
        {"type": [{"coding": [{"code": "ATND"}, {"code": "X"}]}], "individual": {"reference": "Practitioner/1"}},
        {"type": [{"coding": [{"code": "PPRF"}]}], "individual": {"reference": "Practitioner/2"}},
    ],
    "diagnosis": [
        {"use": {"coding": [{"code": "AD"}]}, "rank": 1, "condition": {"reference": "Condition/ad"}},
        {"use": {"coding": [{"code": "DD"}]}, "rank": 2, "condition": {"reference": "Condition/dd2"}},
        {"use": {"coding": [{"code": "DD"}]}, "rank": 1, "condition": {"reference": "Condition/dd1"}},
    ],
    "insurance": [{"focal": False, "coverage": "no"}, {"focal": True, "coverage": "yes"}],
    "extension": [
        {
            "url": "race",
            "extension": [{"url": "omb", "valueCoding": {"code": "1"}}, {"url": "text", "valueString": "w"}],
        },
        {"url": "race", "extension": [{"url": "omb", "valueCoding": {"code": "2"}}]},
    ],
    "valueQuantity": {"value": "1.00"},
    "address": [{"use": "old", "line": ["x", "y"]}, {"use": "home", "line": ["z"]}],
    "given": [None, "second"],
    "active": False,
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("class.code", ["IMP"]),
        ("type.coding.code", ["a", "b", "c"]),
        ("type[0].coding.code", ["a", "b"]),
        ("type.coding[2].code", ["c"]),
        ("type[7].coding", []),
        ("participant.where(type.coding.code = 'PPRF').individual.reference", ["Practitioner/2"]),
        ("participant.where(type.coding.code = 'X').individual.reference", ["Practitioner/1"]),
        ("diagnosis.where(use.coding.code = 'DD').where(rank = '1').condition.reference", ["Condition/dd1"]),
        ("diagnosis.where(rank = '1')[1].condition.reference", ["Condition/dd1"]),
        ("insurance.where(focal = 'true').coverage", ["yes"]),
        ("extension('race').extension('omb').value.ofType(Coding).code", ["1", "2"]),
        ("extension('race').extension('omb')[1].value.ofType(Coding).code", ["2"]),
        ("extension('race').extension('text').value.ofType(string)", ["w"]),
        ("value.ofType(Quantity).value", ["1.00"]),
        ("value.ofType(string)", []),
        ("address.where(use = 'home').line[0]", ["z"]),
        ("address.line", ["x", "y", "z"]),
        ("given", ["second"]),
        ("active", [False]),
        # What has another shape than the path expects is passed over.
        ("class.code.deeper", []),
        ("active.where(code = 'x').y", []),
        ("type.coding.code.where(x = 'y')", []),
    ],
)
def test_a_path_finds_all_of_a_collection_and_the_first_of_it_counts(path, expected):
    read = parse(path)
    assert read.every(ENCOUNTER) == expected
    assert read.first(text)(ENCOUNTER) == (text(expected[0]) if expected else None)


SHAPES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["a", "b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abx"), inner, max_size=3),
    max_leaves=12,
)


@given(
    SHAPES, st.lists(st.sampled_from(["a", "b", "x", "[0]", "[1]", "where(a = 'a')", "where(a.b = '1')"]), max_size=4)
)
def test_the_fast_form_of_a_path_and_the_plain_one_agree(shape, steps):
    read = parse(".".join(["a", *steps]).replace(".[", "["))
    found = [told for one in read.every(shape) if (told := text(one)) is not None]
    if "[" not in read.written:  # [1] counts what is no text, too
        assert read.first(text)(shape) == (found[0] if found else None)
    assert read.first(lambda one: one)(shape) == next(iter(read.every(shape)), None)


@pytest.mark.parametrize("path", ["a..b", "a.where(b)", "a.first()", "ofType(x)", "a.where(b = 1)", "a b", "%other.x("])
def test_what_is_no_path_is_refused_when_the_views_are_compiled(path):
    with pytest.raises(ValueError, match=r"language of paths|ofType follows"):
        parse(path)


def test_every_path_of_every_view_is_of_the_language():
    paths = [path for view in VIEWS for field in view.fields for path in field.paths]
    assert len([parse(path) for path in paths]) > 200


def columns(element, *fields):
    return compiled(fields)((element, element, element), lambda reference, to: References().resolve(reference, to, "x"))


def test_the_first_of_several_paths_that_finds_something_counts():
    assert columns({"b": 0, "c": "x"}, value("v", "", "a", "b", "c"), value("w", "", "a")) == ["0", None]


# Preferred system, then the least system and code: not the order in which a server gives them.
SNOMED, LOCAL, OTHER = ({"system": s, "code": c, "display": c.upper()} for s, c in [("s", "z"), ("l", "y"), ("k", "x")])


@pytest.mark.parametrize(
    ("concepts", "expected"),
    [
        ([{"coding": [LOCAL, SNOMED], "text": "t"}], ("s", "z", "Z", "t")),
        ([{"coding": [SNOMED, LOCAL], "text": "t"}], ("s", "z", "Z", "t")),
        ([{"coding": [LOCAL, OTHER]}], ("k", "x", "X", None)),
        ([{"coding": [LOCAL], "text": "1"}, {"coding": [SNOMED], "text": "2"}], ("s", "z", "Z", "2")),
        ({"coding": [LOCAL]}, ("l", "y", "Y", None)),
        (LOCAL, ("l", "y", "Y", None)),
        ({"text": "only text"}, (None, None, None, "only text")),
        ({"coding": [{"display": "no code"}, LOCAL]}, ("l", "y", "Y", None)),
        ({"coding": ["no coding"], "text": 5}, (None, None, None, "5")),
        ("no concept", (None,) * 4),
        (None, (None,) * 4),
    ],
)
def test_of_a_concept_the_preferred_coding_counts_else_the_least(concepts, expected):
    assert tuple(columns({"c": concepts}, concept("c", "", "c", prefers=("s",)))[:4]) == expected


def test_all_codings_are_kept_where_there_are_several():
    concepts = [{"coding": [LOCAL]}, {"coding": [SNOMED]}]
    assert json.loads(columns({"c": concepts}, concept("c", "", "c"))[4]) == [LOCAL, SNOMED]
    assert columns({"c": concepts[:1]}, concept("c", "", "c"))[4] is None


def test_a_count_is_0_where_there_is_nothing_and_a_choice_tells_its_type():
    fields = (Field("n", "", ("component",), "count"), Field("k", "", ("value",), "choice"))
    assert columns({}, *fields) == [0, None]
    assert columns({"component": [{}, {}], "valueDateTime": "2019"}, *fields) == [2, "dateTime"]
    assert columns({"valueCodeableConcept": {}, "valueSet": "no type"}, *fields) == [0, "CodeableConcept"]


# [ohs-foundation/fhir-data-pipes#156, aehrc/pathling#2737, #39, gotdan/flatquack#2]: FHIR says 1.00 is not 1.0.
@pytest.mark.parametrize(
    "number",
    ["1.00", "0.0006", "1E+2", "-0.0", "12345678901234567890.123456789", "12345678901234567890123", "120", "1e999",
     "0.10000000894069672"],
)  # fmt: skip
def test_numbers_keep_their_text(number):
    line = f'{{"resourceType":"Observation","id":"o","valueQuantity":{{"value":{number}}}}}'
    assert row(ndjson(line), "observation_value")["value_number"] == number
    assert number in row(ndjson(line), "resource")["resource"]


def test_truths_are_text_and_nothing_is_made_of_what_is_absent():
    found = row(ndjson(observation(valueBoolean=True)), "observation_value")
    assert (found["value_kind"], found["value_string"], found["value_number"]) == ("boolean", "true", None)
    birth = {"resourceType": "Patient", "id": "p", "_birthDate": {"extension": [{"url": "absent"}]}}
    assert rows(ndjson(birth), "patient")[0]["birth_date"] is None
