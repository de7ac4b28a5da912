"""Views of readmissions and cohorts, on rows that are known: with DuckDB, and once more by way of Athena's dialect."""

from __future__ import annotations

from datetime import date

from nh_pipeline.marts.clinical.cohort_encounters import COHORT_ENCOUNTERS
from nh_pipeline.marts.clinical.ed_visits import ED_VISITS
from nh_pipeline.marts.clinical.horizon import HORIZON
from nh_pipeline.marts.clinical.readmissions import READMISSIONS
from nh_pipeline.queries.outcome_views import COHORTS, READMISSION_RATES
from nh_pipeline_tests.support.viewed import asked

KNOWN_UNTIL = {HORIZON: [{"delivery_id": "d", "horizon": date(2024, 12, 31)}]}
IN_TIME, LATER = date(2024, 12, 31), date(2025, 1, 1)


def stay(encounter, category="Circulatory", *, followed=IN_TIME, index=True, again=False, unplanned=None):
    """A stay; a readmission after it is unplanned unless it says otherwise."""
    return {"encounter_id": encounter, "diagnosis_category": category, "n_legs": 1, "followed_up_on": followed,
            "is_index": index, "is_readmitted_30d": again, "is_unplanned_index": index,
            "is_unplanned_readmitted_30d": again if unplanned is None else unplanned, "delivery_id": "d"}  # fmt: skip


STAYS = [
    stay("a", again=True), stay("b"), stay("c", again=True, unplanned=False),
    stay("late", followed=LATER, again=True),
    stay("open", "Injury", followed=None, index=False),
    stay("unknown", "Injury") | {"delivery_id": "another"},
    {**stay("two"), "n_legs": 2},
]  # fmt: skip


def test_readmission_rates_are_of_what_has_been_followed_up():
    found = {r["diagnosis_category"]: r for r in asked(READMISSION_RATES, {READMISSIONS: STAYS, **KNOWN_UNTIL})}
    assert found == {
        "Circulatory": {
            "diagnosis_category": "Circulatory", "encounters": 6, "index_admissions": 4, "readmissions": 2,
            "readmit_rate_pct": 50, "unplanned_index_admissions": 4, "unplanned_readmissions": 1,
            "unplanned_readmit_rate_pct": 25,
        },
        "Injury": {
            "diagnosis_category": "Injury", "encounters": 2, "index_admissions": 0, "readmissions": 0,
            "readmit_rate_pct": None, "unplanned_index_admissions": 0, "unplanned_readmissions": 0,
            "unplanned_readmit_rate_pct": None,
        },
    }  # fmt: skip


def visit(encounter, *, index=True, hours=False, days=False, followed=IN_TIME):
    return {"encounter_id": encounter, "is_index": index, "is_revisited_72h": hours, "is_revisited_30d": days,
            "followed_up_on": followed, "delivery_id": "d"}  # fmt: skip


def member(cohort, encounter, patient, days=None, kind="acute_inpatient"):
    return {"cohort": cohort, "encounter_id": encounter, "patient_id": patient, "encounter_kind": kind,
            "length_of_stay": days}  # fmt: skip


def test_cohorts():
    members = [
        *(member("COPD", name, "p", days) for name, days in (("a", 1), ("b", 2), ("c", 9), ("late", 4))),
        member("CHF", "a", "p", 1),
        *(member("COPD", name, "q", 0, "emergency") for name in ("e1", "e2", "e3")),
        member("CHF", "e1", "q", 0, "emergency"),
        member("CHF", "none", "q", None),
    ]
    visits = [visit("e1", hours=True, days=True), visit("e2", days=True), visit("e3", followed=LATER, days=True)]
    tables = {COHORT_ENCOUNTERS: members, ED_VISITS: visits, READMISSIONS: STAYS, **KNOWN_UNTIL}
    found = {r.pop("cohort"): tuple(r.values()) for r in asked(COHORTS, tables)}
    # Patients, encounters; acute stays, mean and median length; ED visits, again in 72 hours, in 30 days; stays, rate.
    assert found == {
        "COPD": (2, 7, 4, 4.0, 3.0, 2, 1, 2, 3, 2, 200 / 3),
        "CHF": (2, 3, 1, 1.0, 1.0, 1, 1, 1, 1, 1, 100.0),
    }
