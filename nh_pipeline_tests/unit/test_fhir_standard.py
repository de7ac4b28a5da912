"""The views in the words of SQL on FHIR, run by another reader of FHIRPath: it finds what bronze has."""

from __future__ import annotations

import json
import re
from itertools import product

import pytest
from fhirpathpy import evaluate
from fhirpathpy.models import models
from typer.testing import CliRunner

from nh_pipeline.cli.main import app
from nh_pipeline.datasets.clinical import VIEWS
from nh_pipeline.landing.fhir import standard
from nh_pipeline_tests.support.fhir_deliveries import having, ndjson, rows

DEFINITIONS = {definition["name"]: definition for definition in standard.view_definitions()}
_KEYS = {
    "getResourceKey": {"fn": lambda found: [one["id"] for one in plain(found)], "arity": {0: []}},
    "getReferenceKey": {
        "fn": lambda found, of=None: [key for one in plain(found) if (key := reference_key(one, of))],
        "arity": {0: [], 1: ["TypeSpecifier"]},
    },
}


def plain(found):
    return [getattr(one, "data", one) for one in found]


def reference_key(reference, of):
    of_type, _, of_id = reference.get("reference", "").partition("/")
    return of_id if of_id and (of is None or of_type == of.name) else None


def find(element, path, of):
    """What a path finds in an element of a type (Claim.item)."""
    return evaluate(element, {"expression": path, "base": of}, {}, models["r4"], {"userInvocationTable": _KEYS})


def run(selects, element, of):
    """The rows of a ViewDefinition, as its standard says: selects are multiplied, unions are added."""
    return [
        {name: value for one in chosen for name, value in one.items()}
        for chosen in product(*(_select(select, element, of) for select in selects))
    ]


def _select(select, element, of):
    if "unionAll" in select:
        return [row for one in select["unionAll"] for row in _select(one, element, of)]
    path, found = select.get("forEach", ""), []
    inner = ".".join([of, *re.findall(r"\w+", path.partition("where")[0])])
    for one in find(element, path, of) if path else [element]:
        own = {column["name"]: text(find(one, column["path"], inner)) for column in select.get("column", [])}
        found += [{**own, **row} for row in run(select.get("select", []), one, inner)]
    return found


def text(found):
    assert len(found) <= 1, "a column has one value"
    return str(found[0]) if found and found[0] is not None else None


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_every_path_finds_what_bronze_has(view):
    of = view.resource or "Organization"
    definition = DEFINITIONS[view.name if view.resource else f"{view.name}_{of.lower()}"]
    asked = [(field, path) for field in view.fields for path in field.paths]
    made = [{**having(view, field, path), "resourceType": of, "id": str(n)} for n, (field, path) in enumerate(asked)]
    mine = {}
    for row in rows(ndjson(*made), view.name):
        mine.setdefault(row["resource_id"], row)
    for n, (field, path) in enumerate(asked):
        names = {column.name for column in field.columns} - {f"{field.name}_kind", f"{field.name}_codings"}
        (theirs, *_) = run(only(definition["select"], names), made[n], of)
        assert theirs == {name: text([mine[str(n)][name]]) for name in names}, path


def only(selects, names):
    """A ViewDefinition's selects with these columns alone: others take time."""
    kept = []
    for select in selects:
        one = {**select, "column": [column for column in select.get("column", []) if column["name"] in names]}
        for inner in ("select", "unionAll"):
            if inner in select:
                one[inner] = only(select[inner], names)
        kept.append(one)
    return kept


PANEL = {
    "resourceType": "Observation",
    "id": "bp",
    "meta": {"versionId": "2"},
    "status": "final",
    "subject": {"reference": "Patient/p1"},
    "code": {"coding": [{"system": "http://local", "code": "BP"}, {"system": "http://loinc.org", "code": "85354-9"}]},
    "component": [
        {"code": {"coding": [{"system": "http://loinc.org", "code": code}]}, "valueQuantity": {"value": value}}
        for code, value in (("8480-6", 120), ("8462-4", 80))
    ],
}


@pytest.mark.parametrize(
    ("view", "made"),
    [
        ("observation_value", PANEL),
        ("observation_value", {**PANEL, "valueString": "x"}),
        ("observation", PANEL),
        (
            "eob_adjudication",
            {
                "resourceType": "ExplanationOfBenefit",
                "id": "e",
                "patient": {"reference": "Patient/p1"},
                "item": [{"sequence": n, "adjudication": [{"amount": {"value": n}}] * n} for n in (1, 2)],
                "adjudication": [{"amount": {"value": 9}}],
            },
        ),
    ],
)
def test_a_view_has_the_rows_of_bronze(view, made):
    theirs = run(DEFINITIONS[view]["select"], made, made["resourceType"])
    mine = sorted(rows(ndjson(made), view), key=lambda row: row.get("item_index", 0))
    assert len(mine) > 0
    left = {"last_updated"}
    assert theirs == [
        {name: None if name in left else text([row[name]]) if row[name] is not None else None for name in theirs[0]}
        for row in mine
    ]


def test_definitions_are_json_with_names_that_tables_may_have():
    assert len(DEFINITIONS) == len(VIEWS) - 1 + 8
    for name, definition in DEFINITIONS.items():
        assert json.loads(json.dumps(definition)) == definition
        assert name.replace("_", "").isalnum()
        names = list(column_names(definition["select"]))
        assert len(names) == len(set(names))


def column_names(selects):
    for select in selects:
        yield from (column["name"] for column in select.get("column", []))
        yield from column_names(select.get("select", []))
        yield from column_names(select.get("unionAll", [])[:1])


def test_nh_prints_one_definition_per_line():
    printed = CliRunner().invoke(app, ["view-definitions"]).stdout.splitlines()
    assert [json.loads(line) for line in printed] == standard.view_definitions()
