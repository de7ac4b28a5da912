"""Views of readmissions and cohorts, on a few rows in DuckDB; and as text for Athena."""

from __future__ import annotations

from datetime import date, timedelta

import duckdb
import pytest

from nh_pipeline.queries.outcome_views import COHORTS, READMISSION_RATES, VIEWS
from nh_pipeline.queries.views import SCHEMA, translated
from nh_pipeline_tests.support.made_rows import rows_of

HORIZON = date(2024, 12, 31)
LAST = HORIZON - timedelta(days=30)


@pytest.fixture(scope="module")
def ask():
    """Rows of a view, by its first column."""
    db = duckdb.connect()
    rows_of(
        db,
        "clinical_gold.horizon",
        [{"delivery_id": "d", "horizon": HORIZON}, {"delivery_id": "old", "horizon": date(2024, 3, 1)}],
    )

    def stay(name, discharged, diagnosis="Circulatory", *, back=False, index=True, planned=False, delivery="d"):
        return {
            "encounter_id": name,
            "diagnosis_category": diagnosis,
            "followed_up_on": discharged and discharged + timedelta(days=30),
            "is_index": discharged is not None,
            "is_unplanned_index": index and discharged is not None,
            "is_readmitted_30d": back,
            "is_unplanned_readmitted_30d": back and index and not planned,
            "delivery_id": delivery,
        }

    rows_of(
        db,
        "clinical_gold.readmissions",
        [
            stay("a", date(2024, 1, 5), back=True),
            stay("b", LAST, back=True, planned=True),
            stay("c", LAST + timedelta(days=1), back=True),
            stay("d", None),
            stay("e", date(2024, 1, 5), index=False),
            stay("f", date(2024, 2, 5), back=True, delivery="old"),
            stay("g", date(2024, 12, 10), "Respiratory"),
        ],
    )

    def visit(name, left, *, soon=False, later=False):
        return {
            "encounter_id": name,
            "followed_up_on": left + timedelta(days=30),
            "is_index": True,
            "is_revisited_72h": soon,
            "is_revisited_30d": soon or later,
        }

    visits = [visit("v", LAST, soon=True), visit("w", LAST, later=True), visit("x", HORIZON, soon=True)]
    rows_of(db, "clinical_gold.ed_visits", visits)

    def member(name, patient, cohort="COPD", kind="emergency", days=None):
        rest = {"encounter_kind": kind, "length_of_stay": days, "delivery_id": "d"}
        return {"cohort": cohort, "encounter_id": name, "patient_id": patient, **rest}

    lengths = {"a": 1, "b": 2, "c": 9, "d": None}
    rows_of(
        db,
        "clinical_gold.cohort_encounters",
        [
            *(member(name, "p", kind="acute_inpatient", days=days) for name, days in lengths.items()),
            *(member(name, "q") for name in ("v", "w", "x")),
            *(member(name, "p", "CHF", "acute_inpatient", days) for name, days in lengths.items() if name != "c"),
            member("y", "r", "CHF", "snf", 90),
        ],
    )
    db.execute(f"create schema {SCHEMA}")
    for view in VIEWS:
        db.execute(view.statement)

    def asked(view):
        found = db.execute(f"select * from {view.name}")
        names = [column[0] for column in found.description]
        return {row[0]: dict(zip(names, row, strict=True)) for row in found.fetchall()}

    return asked


def test_rates_are_of_what_is_followed_up(ask):
    """Until thirty days before the horizon of its source; and NULL, not 0, where nothing is."""
    found = ask(READMISSION_RATES)
    assert found["Circulatory"] == {
        "diagnosis_category": "Circulatory",
        "stays": 6,
        "index_admissions": 3,
        "readmissions": 2,
        "readmit_rate_pct": pytest.approx(200 / 3),
        "unplanned_index_admissions": 2,
        "unplanned_readmissions": 1,
        "unplanned_readmit_rate_pct": 50,
    }
    (late,) = (row for name, row in found.items() if name == "Respiratory")
    assert (late["stays"], late["index_admissions"], late["readmissions"]) == (1, 0, 0)
    assert late["readmit_rate_pct"] is late["unplanned_readmit_rate_pct"] is None


def test_cohorts_have_each_encounter_once(ask):
    found = ask(COHORTS)
    names = ("patients", "encounters", "acute_stays", "mean_length_of_stay", "median_length_of_stay")
    assert tuple(found["COPD"][name] for name in names) == (2, 7, 3, 4, 2)
    assert tuple(found["CHF"][name] for name in names) == (2, 4, 2, 1.5, 1.5)
    revisits = ("ed_index_visits", "ed_revisits_72h", "ed_revisits_30d", "index_admissions", "readmissions")
    assert tuple(found["COPD"][name] for name in revisits) == (2, 1, 2, 2, 2)
    assert found["CHF"]["readmit_rate_pct"] == 100


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_athena_can_be_told(view):
    assert "CREATE OR REPLACE VIEW" in translated(view.statement, "athena")
