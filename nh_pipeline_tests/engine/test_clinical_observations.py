"""Observations: each of their values, and the one of a patient, time and code. A patient for every case."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from nh_pipeline.datasets.clinical.export import DELETION
from nh_pipeline.datasets.clinical.observations import LOINC, OBSERVATION, OBSERVATION_VALUE
from nh_pipeline.marts.clinical.directory import DIRECTORY
from nh_pipeline.marts.clinical.fct_observation_values import FCT_OBSERVATION_VALUES, fct_observation_values
from nh_pipeline.marts.clinical.fct_observations import FCT_OBSERVATIONS, fct_observations
from nh_pipeline.marts.clinical.id_conflicts import ID_CONFLICTS
from nh_pipeline_tests.support.fhir_rows import instant, passed, rows, utc

pytestmark = pytest.mark.integration

SYSTOLIC, DIASTOLIC, PANEL, WEIGHT = "8480-6", "8462-4", "85354-9", "29463-7"
TIME = "2024-03-05T08:00:00Z"


def number(said: str | None, code: str = WEIGHT, unit: str = "mm[Hg]", **more: Any) -> dict[str, Any]:
    """A leaf with a number."""
    return {"code": f"{LOINC}|{code}", "value_kind": said and "Quantity", "value_number": said,
            "value_unit_code": said and unit, **more}  # fmt: skip


def leaf(**more: Any) -> dict[str, Any]:
    return {"code": f"{LOINC}|{WEIGHT}", **more}


# A case: leaves of one or several observations, by the observation; what all of them become, and what is told at the
# grain of the seed: code, value, candidates, whether they conflict.
Leaves = dict[str, list[dict[str, Any]]]
PRESSURE = [number("120", SYSTOLIC, item_index=1), number("80", DIASTOLIC, item_index=2)]
AGAIN = [number("118", SYSTOLIC, item_index=1), number("80", DIASTOLIC, item_index=2)]
TOLD: dict[str, tuple[Leaves, set[tuple[Any, ...]]]] = {
    "pressure": ({"a": PRESSURE}, {(SYSTOLIC, "120", 1, False), (DIASTOLIC, "80", 1, False)}),
    "same instant": ({"a": PRESSURE, "b": AGAIN}, {(SYSTOLIC, "118", 2, True), (DIASTOLIC, "80", 2, False)}),
    "own and components": ({"a": [number("1"), *PRESSURE]},
                           {(WEIGHT, "1", 1, False), (SYSTOLIC, "120", 1, False), (DIASTOLIC, "80", 1, False)}),
    "final first": ({"a": [number("1", status="final")], "b": [number("2", status="amended")],
                     "c": [number("3", status="preliminary")]}, {(WEIGHT, "1", 3, True)}),
    "latest amended": ({"a": [number("1", status="amended", version_at=utc("2024-06-03"))],
                        "b": [number("2", status="corrected", version_at=utc("2024-06-02"))]},
                       {(WEIGHT, "1", 2, True)}),
    "other unit": ({"a": [number("1", unit="kg")], "b": [number("1", unit="g")]}, {(WEIGHT, "1", 2, True)}),
    "choices": ({"a": [leaf(value_kind="CodeableConcept", value_text=text, item_index=nth)
                       for nth, text in enumerate(("A", "B", "C"), 1)]}, {(WEIGHT, "C", 3, True)}),
    "other time": ({"a": [number("1")], "b": [number("2", effective="2024-03-05T08:00:01Z")]},
                   {(WEIGHT, "1", 1, False), (WEIGHT, "2", 1, False)}),
    "same instant elsewhere": ({"a": [number("1")], "b": [number("1", effective="2024-03-05T09:00:00+01:00")]},
                               {(WEIGHT, "1", 2, False)}),
    "nobody": ({"a": [number("1", subject=None)]}, set()),
    "never": ({"a": [number("1", effective=None)]}, set()),
    "nothing": ({"a": [leaf(code=None, value_kind="string", value_string="x")]}, set()),
    "in error": ({"a": [number("1", status="entered-in-error")]}, set()),
}  # fmt: skip

VALUES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    # [gotdan/flatquack#2, aehrc/pathling#2737, ohs-foundation/fhir-data-pipes#156] numbers keep their digits
    "small": (number("0.0006"), {"value_text": "0.0006", "value_number": 0.0006}),
    "long": (number("0.10000000894069672"), {"value_text": "0.10000000894069672"}),
    "zeros": (number("1.00"), {"value_text": "1.00", "value_number": 1.0, "value_kind": "quantity"}),
    "exponent": (number("1e2"), {"value_text": "1e2", "value_number": 100.0}),
    "limit": (number("5", value_comparator="<"), {"value_comparator": "<", "value_number": 5.0}),
    "unit in words": (leaf(value_kind="Quantity", value_number="1", value_unit="pounds"), {"value_unit": "pounds"}),
    "whole": (leaf(value_kind="integer", value_number="7"), {"value_kind": "integer", "value_number": 7.0}),
    "truth": (leaf(value_kind="boolean", value_string="true"), {"value_kind": "boolean", "value_text": "true",
                                                                "value_number": None}),
    "words": (leaf(value_kind="string", value_string="a b"), {"value_kind": "string", "value_text": "a b"}),
    "coded": (leaf(value_kind="CodeableConcept", value=f"{LOINC}|LA1", value_display="Never"),
              {"value_kind": "code", "value_code": "LA1", "value_system": LOINC, "value_text": "Never"}),
    "period": (leaf(value_kind="Period", value_start="2024-01", value_end="2024-02"),
               {"value_kind": "period", "value_text": "2024-01/2024-02"}),
    "range": (leaf(value_kind="Range", value_low="1", value_high="2.0"), {"value_text": "1..2.0"}),
    "ratio": (leaf(value_kind="Ratio", value_numerator="1", value_denominator="128"), {"value_text": "1:128"}),
    "sampled": (leaf(value_kind="SampledData"), {"value_kind": "sampled", "value_text": None}),
    "of a later release": (leaf(value_kind="Attachment"), {"value_kind": "other"}),
    "absent": (leaf(absent_reason="unknown"), {"value_kind": "absent", "absent_reason": "unknown",
                                               "value_text": None}),
    "day": (number("1", effective="2024-03-05"), {"obs_at": utc("2024-03-05"), "obs_at_source": "effective_day"}),
    "no zone": (number("1", effective="2024-03-05T23:00:00"), {"obs_at": utc("2024-03-05"),
                                                               "obs_date": date(2024, 3, 5)}),
    "written day": (number("1", effective="2024-03-05T23:00:00-05:00"),
                    {"obs_at": utc("2024-03-06T04:00"), "obs_date": date(2024, 3, 5), "obs_at_source": "effective"}),
    "issued": (number("1", effective=None, issued=TIME), {"obs_at": utc("2024-03-05T08:00"), "obs_at_source": "issued",
                                                          "obs_date": date(2024, 3, 5)}),
    "month": (number("1", effective="2024-03", issued=None), {"obs_at": None, "obs_date": date(2024, 3, 1)}),
    "only text": (leaf(code=None, code_text="  Blood\tPressure "), {"obs_code": "text:blood pressure",
                                                                    "obs_display": "  Blood\tPressure "}),
    "component": (number("1", item_index=1, panel=f"{LOINC}|{PANEL}"), {"panel_code": PANEL, "item_index": 1}),
    "no component": (number("1", panel=f"{LOINC}|{WEIGHT}"), {"panel_code": None, "item_index": 0}),
    "cancelled": (number("1", status="cancelled"), {"status": "cancelled"}),
    "strange": (number("1", status="odd"), {"status": "unknown"}),
    "told": (number("1", interpretation="x|H", category="y|vital-signs", encounter="Encounter/e"),
             {"interpretation_code": "H", "category_code": "vital-signs", "encounter_id": "e"}),
}  # fmt: skip


def observed(cases: dict[str, Leaves]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Observations and their leaves, of a patient for each case; what is said of a leaf holds for its observation."""
    whole, leaves = [], []
    for case, of in cases.items():
        for name, its in of.items():
            at = {"resource_id": f"{case} {name}", "source_line": len(whole) + 1}
            given = {"subject": f"Patient/{case}", "effective": TIME, "status": "final", "item_index": 0}
            leaves += [at | given | one for one in its]
            shared = {key: its[0][key] for key in ("status", "version_at", "subject") if key in its[0]}
            whole.append(at | given | shared)
    for one in whole:
        del one["item_index"]
    return whole, leaves


@pytest.fixture(scope="module")
def found(engine):
    cases = {case: leaves for case, (leaves, _) in TOLD.items()} | {
        case: {"a": [of]} for case, (of, _) in VALUES.items()
    }
    whole, leaves = observed(cases)
    made = fct_observation_values(
        rows(engine, OBSERVATION.table, *whole), rows(engine, OBSERVATION_VALUE.table, *leaves),
        rows(engine, DIRECTORY), rows(engine, DELETION), rows(engine, ID_CONFLICTS),
    )  # fmt: skip
    held = passed(engine, FCT_OBSERVATION_VALUES, made)
    assert len(held) == len(leaves) - 1  # but for the one in error
    values = engine.createDataFrame(held, made.schema)
    return held, passed(engine, FCT_OBSERVATIONS, fct_observations(values))


@pytest.mark.parametrize("case", TOLD)
def test_one_value_of_a_patient_time_and_code(found, case):
    _, told = found
    mine = [row for row in told if row["patient_id"] == case]
    shown = {(row["obs_code"], row["value_text"], row["n_candidates"], row["is_conflicting"]) for row in mine}
    assert shown == TOLD[case][1]


def test_all_values_are_kept_beside_it(found):
    values, _ = found
    both = [row for row in values if row["patient_id"] == "same instant" and row["obs_code"] == SYSTOLIC]
    assert {(row["value_text"], row["n_candidates"], row["is_conflicting"]) for row in both} == {
        ("120", 2, True), ("118", 2, True),
    }  # fmt: skip
    assert {row["n_candidates"] for row in values if row["observation_id"].split()[0] in {"nobody", "never"}} == {1}


@pytest.mark.parametrize("case", VALUES)
def test_a_value(found, case):
    (row,) = (row for row in found[0] if row["observation_id"] == f"{case} a")
    expected = VALUES[case][1]
    assert {name: instant(row[name]) for name in expected} == expected
