"""Own records on the dashboard, on made-up rows whose figures are computed by hand: encounters, claims, population."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING

import duckdb
import pandas as pd
import pytest

from dashboard.paper import Paper
from dashboard.sections import claims, encounters, outcomes, population, readmissions, record_quality, records
from dashboard.words import NOTHING as DASH
from nh_pipeline_tests.support.asking import asking
from nh_pipeline_tests.support.made_rows import every_table, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


JAN, FEB, MAR = (date(2024, month, 1) for month in (1, 2, 3))
YEAR = date(2024, 1, 1), date(2024, 12, 31)
PATIENT = "patient-"
"""How the ids of made-up patients begin: no page may show one."""


@pytest.fixture
def db():
    """A DuckDB without tables."""
    return duckdb.connect()


@pytest.fixture
def shown(db) -> Callable[..., str]:
    """A section on paper. No page names a patient."""

    def _shown(section: Callable[..., None], *more, **words) -> str:
        page = Paper()
        section(page, asking(db), *more, **words)
        told = "".join(page.parts)
        assert PATIENT not in told
        return told

    return _shown


def fill(db, name, rows):
    db.execute(f"drop table if exists {name}")
    rows_of(db, name, rows)


def row(told, *cells):
    """The cells of the row of a table that begins with these."""
    found = [re.findall(r"<td[^>]*>(.*?)</td>", line) for line in told.split("<tr>")]
    (match,) = (line for line in found if line[: len(cells)] == list(cells))
    return match[len(cells) :]


def people(n, first=0) -> Iterator[str]:
    return (f"{PATIENT}{i}" for i in range(first, first + n))


def encounter(patient, kind="ambulatory", day=JAN, days=0, status="finished"):
    return {"encounter_id": f"{patient} {kind} {day}", "patient_id": patient, "encounter_kind": kind, "start_date": day,
            "length_of_stay": days, "status": status, "start_precision": "day"}  # fmt: skip


def horizon(db):
    fill(db, "clinical_gold.horizon", [{"delivery_id": "d", "source": "s", "horizon": date(2024, 6, 30)}])


def test_encounters_by_kind_are_those_that_took_place(db, shown):
    rows = [encounter(p, "snf", days=d) for p, d in zip(people(12), [1] * 6 + [2] * 5 + [21], strict=True)]
    rows += [encounter(p, "emergency") for p in people(30)]
    rows += [encounter(p, "emergency", status="planned") for p in people(30)]
    rows += [encounter(p, "hospice") for p in people(10)]
    fill(db, "clinical_silver.fct_encounters", rows)
    told = shown(encounters.by_kind, *YEAR)
    # Of hospice there are 10 patients; 12 in nursing homes are kept back, too, as the rest of 52 would tell them.
    assert row(told, "Emergency department") == ["30", "30", "0.0", "0.0"]
    assert row(told, "Hospice") == ["&lt;11", "&lt;11", DASH, DASH]
    assert row(told, "Nursing home") == [DASH, DASH, DASH, DASH]
    fill(db, "clinical_silver.fct_encounters", [r for r in rows if r["encounter_kind"] != "hospice"])
    assert row(shown(encounters.by_kind, *YEAR), "Nursing home") == ["12", "12", "3.1", "1.5"]
    assert "No encounter began in" in shown(encounters.by_kind, date(2023, 1, 1), date(2023, 1, 31))


@pytest.mark.parametrize(
    ("days", "mean", "median"),
    [
        ({}, None, None),
        ({3: 1}, 3, 3),
        ({1: 1, 2: 1}, 1.5, 1.5),
        ({1: 2, 9: 1}, 11 / 3, 1),
        ({5: 1, 1: 1, 2: 2}, 2.5, 2),
    ],
)
def test_averages_of_days(days, mean, median):
    assert records.average(pd.DataFrame({"days": list(days), "n": list(days.values())})) == (mean, median)


def visit(patient, *, day=JAN, index=True, soon=False, later=False, until=date(2024, 3, 1)):
    return {"encounter_id": f"{patient} emergency {day}", "patient_id": patient, "arrival_date": day,
            "followed_up_on": until, "is_index": index, "is_revisited_72h": soon, "is_revisited_30d": later,
            "delivery_id": "d"}  # fmt: skip


def test_revisits_are_of_visits_that_count_and_are_followed_up(db, shown):
    horizon(db)
    rows = [visit(p, soon=n < 11, later=n < 22) for n, p in enumerate(people(44))]
    rows += [visit(p, day=FEB, index=False) for p in people(20)]
    rows += [visit(p, day=MAR, soon=True, later=True, until=date(2024, 7, 1)) for p in people(20)]
    fill(db, "clinical_gold.ed_visits", rows)
    told = shown(encounters.revisits, *YEAR)
    assert re.findall(r"<b>(.*?)</b>", told) == ["44", "25.0 %", "50.0 %"]
    assert "of 64 visits" in told
    fill(db, "clinical_gold.ed_visits", rows[:40] + [visit("patient-1", soon=True, later=True, day=FEB)] * 40)
    fill(db, "clinical_gold.ed_visits", [visit("patient-1", soon=True, later=True)] * 40)  # one patient, many visits
    assert set(re.findall(r"<b>(.*?)</b>", shown(encounters.revisits, *YEAR))) == {"&lt;11", DASH}


def test_cohorts_count_encounters_revisits_and_readmissions(db, shown):
    horizon(db)
    of = [{"cohort": "COPD", **encounter(p, "emergency")} for p in people(20)]
    of += [{"cohort": "COPD", **encounter(p, "acute_inpatient", days=4)} for p in people(20)]
    of += [{"cohort": "CHF", **encounter(p)} for p in people(3)]
    fill(db, "clinical_gold.cohort_encounters",
         [{k: v for k, v in r.items() if k not in ("status", "start_precision")} for r in of])  # fmt: skip
    fill(db, "clinical_gold.ed_visits", [visit(p, later=n < 15) for n, p in enumerate(people(20))])
    fill(db, "clinical_gold.readmissions", [
        {"encounter_id": f"{p} acute_inpatient {JAN}", "patient_id": p, "is_index": True, "is_readmitted_30d": n < 11,
         "followed_up_on": MAR, "delivery_id": "d"} for n, p in enumerate(people(20))])  # fmt: skip
    told = shown(encounters.cohorts, *YEAR)
    assert row(told, "Chronic obstructive pulmonary disease") == [DASH] * 7, "23 in all, less 20, would tell 3"
    assert row(told, "Congestive heart failure")[0] == "&lt;11"
    db.execute("delete from clinical_gold.cohort_encounters where cohort = 'CHF'")
    copd = row(shown(encounters.cohorts, *YEAR), "Chronic obstructive pulmonary disease")
    assert copd == ["20", "40", "4.0", "4.0", DASH, "75.0 %", "55.0 %"]


def stay(patient, category, *, again=False, planned=False, index=True, day=JAN, until=MAR):
    return {"encounter_id": f"{patient} {category} {day}", "patient_id": patient, "diagnosis_category": category,
            "discharge_date": day, "followed_up_on": until, "is_index": True, "is_unplanned_index": index,
            "is_readmitted_30d": again, "is_unplanned_readmitted_30d": again and index and not planned,
            "delivery_id": "d"}  # fmt: skip


def test_readmissions_by_diagnosis(db, shown):
    horizon(db)
    rows = [stay(p, "Circulatory", again=n < 30, planned=n < 10) for n, p in enumerate(people(60))]
    rows += [stay(p, "Cancer", again=n < 20, index=False) for n, p in enumerate(people(40))]
    rows += [stay(p, "Injury", again=True, until=date(2024, 8, 1)) for p in people(40)]
    fill(db, "clinical_gold.readmissions", rows)
    told = shown(readmissions.readmissions, *YEAR)
    assert row(told, "Circulatory") == ["60", "60", "30", "50.0 %", "60", "20", "33.3 %"]
    # No stay is an index of the unplanned measure: no rate, not 0.
    assert row(told, "Cancer") == ["40", "40", "20", "50.0 %", "&lt;11", "&lt;11", DASH]
    assert "Injury" not in told
    assert "is followed up for 30 days" in shown(readmissions.readmissions, date(2023, 1, 1), date(2023, 1, 31))


def claim(patient, payer="Plan", category="Private", *, billed=100, paid=50, how="paid", code="I50", day=JAN, **more):
    return {"claim_id": f"{patient} {payer} {code} {day}", "patient_id": patient, "payer_id": payer, "payer": payer,
            "payer_category": category, "billed_amount": billed, "paid_amount": paid, "adjudication": how,
            "primary_diagnosis_system": "icd", "primary_diagnosis_code": code,
            "primary_diagnosis_display": code and f"Name of {code}", "billable_start_date": day, "use": "claim",
            "status": "active", "currency": "USD", "is_resubmitted": False, **more}  # fmt: skip


def test_what_is_paid_stands_beside_what_was_billed_of_decided_claims(db, shown):
    rows = [claim(p) for p in people(20)]
    rows += [claim(p, how="unadjudicated", paid=None, day=FEB) for p in people(20)]
    rows += [claim(p, code="X", is_resubmitted=True, how="denied", paid=0) for p in people(15)]
    rows += [claim(p, code="Y", currency="EUR") for p in people(20)] + [
        claim(p, use="preauthorization") for p in people(9)
    ]
    rows += [claim(p, "JANE DOE", "Self-Pay") for p in people(1)] + [
        claim(p, "J. ROE", "Self-Pay") for p in people(12, 3)
    ]
    fill(db, "clinical_silver.fct_claims", rows)
    told = shown(claims.by_payer, *YEAR)
    assert "JANE DOE" not in told, "who pays alone is perhaps a person"
    assert row(told, claims.OTHERS, "Self-Pay")[:3] == ["&lt;11", "&lt;11", DASH]
    fill(db, "clinical_silver.fct_claims", [r for r in rows if r["payer_category"] == "Private"])
    assert row(shown(claims.by_payer, *YEAR), "Plan", "Private") == [
        "55", "20", "$4,000", "35", "$2,000", "$1,000", "50.0 %"
    ]  # fmt: skip
    assert "Deliver Claim" in shown(claims.by_payer, date(2023, 1, 1), date(2023, 1, 31))


def test_claims_without_a_diagnosis_and_of_rare_ones_are_rows_of_their_own(db, shown):
    rows = [claim(p, code=None) for p in people(30)] + [claim(p, code="I50", billed=1000) for p in people(20)]
    rows += [claim(p, code=f"R{n}") for n, p in enumerate(people(15))]
    rows += [claim(p, code=f"A{n:02}", billed=10) for n in range(claims.TOP) for p in people(11)]
    fill(db, "clinical_silver.fct_claims", rows)
    told = shown(claims.diagnoses, *YEAR)
    assert row(told, "1", "Name of I50", "I50")[:3] == ["20", "20", "$20,000"]
    assert row(told, DASH, claims.NO_DIAGNOSIS, DASH)[:3] == ["30", "30", "$3,000"]
    assert row(told, DASH, "Diagnoses of few patients each", DASH)[:3] == ["15", "15", "$1,500"]
    assert row(told, DASH, "1 further diagnosis", DASH)[:3] == ["11", DASH, "$110"]
    assert "R3" not in told


def test_the_mix_of_payers_adds_up_in_each_month(db, shown):
    rows = [claim(p) for p in people(30)] + [claim(p, "M", "Medicare", billed=200) for p in people(15)]
    rows += [claim(p, day=FEB) for p in people(30)] + [claim(p, "M", "Medicare", day=FEB) for p in people(4)]
    fill(db, "clinical_silver.fct_claims", rows)
    told = shown(claims.payer_mix, *YEAR)
    assert row(told, "Jan 2024", "Medicare") == ["15", "33.3 %", "$3,000", "50.0 %"]
    assert row(told, "Feb 2024", "Private") == [DASH] * 4


def test_denials_and_how_many_were_overturned(db, shown):
    def denied(patient, category, overturned):
        return {"claim_id": patient, "patient_id": patient, "denial_category": category, "denied_amount": 100,
                "is_overturned": overturned, "billable_start_date": JAN, "currency": "USD"}  # fmt: skip

    rows = [denied(p, "coding", n < 11) for n, p in enumerate(people(22))]
    rows += [denied(p, "coding", None) for p in people(10, 100)] + [denied(p, None, None) for p in people(12, 200)]
    fill(db, "clinical_gold.claim_denials", rows)
    told = shown(claims.denials, *YEAR)
    assert row(told, "Coding") == ["32", "32", "$3,200", "22", "11", "50.0 %"]
    assert row(told, "No reason given") == ["12", "12", "$1,200", "&lt;11", "&lt;11", DASH]
    assert "was denied" in shown(claims.denials, date(2023, 1, 1), date(2023, 1, 31))


def summary(metric, value, category="all", dimension="all", month=JAN):
    return {"month_start": month, "dimension": dimension, "category": category, "metric": metric, "value": value}


def test_the_population_by_what_people_are(db, shown):
    rows = [summary("patients_seen", n, g, "gender") for g, n in (("male", 40), ("female", 30), ("unknown", 25))]
    rows += [summary("patients_seen", n, g, "gender", FEB) for g, n in (("male", 40), ("female", 30), ("unknown", 4))]
    rows += [summary("billed_amount", 1000, g, "gender", FEB) for g in ("male", "female", "unknown")]
    rows += [summary("snf_resident_days", 340, "male", "gender"), summary("snf_resident_days", 341, "female", "gender")]
    fill(db, "clinical_gold.population_summary", [*rows, summary("encounters", 95)])
    assert records.months(asking(db)) == (JAN, date(2024, 1, 31))
    seen = shown(population.by_dimension, *YEAR, metric="patients_seen", dimension="gender")
    assert row(seen, "Jan 2024") == ["30", "40", "25"]
    assert row(seen, "Feb 2024") == [DASH, "40", "&lt;11"]
    billed = shown(population.by_dimension, *YEAR, metric="billed_amount", dimension="gender")
    assert row(billed, "Feb 2024") == [DASH, "1,000", DASH]
    # 340 nights of January may be ten residents', 341 are of eleven at least: both together would tell the rest.
    nights = shown(population.by_dimension, *YEAR, metric="snf_resident_days", dimension="gender")
    assert row(nights, "Jan 2024") == [DASH, "&lt;11"]
    assert "not told apart" in shown(population.by_dimension, *YEAR, metric="ed_visits", dimension="race")


def test_the_population_at_a_glance(db, shown):
    fill(db, "clinical_gold.population_summary", [
        summary("patients_seen", 95), summary("ed_visits", 7), summary("paid_amount", 12345.6)])  # fmt: skip
    told = shown(population.at_a_glance, date(2024, 1, 31))
    assert re.findall(r"<b>(.*?)</b>", told) == ["95", "&lt;11", "12,346"]
    assert "Nothing is recorded in March 2024" in shown(population.at_a_glance, date(2024, 3, 31))


def test_the_quality_of_records_is_told_by_delivery_and_table(db, shown):
    of = {"run_id": "", "subject": "", "table_name": "clinical_bronze.resource", "part": "aa", "coverage": "2024-07-09"}
    fill(db, "clinical_gold.data_quality", [
        {**of, "measure": "counts", "passed": False, "told": "x.ndjson is held: cut off"},
        {**of, "measure": "rows_in", "found": 100},
        {**of, "measure": "rows_out", "found": 90},
        {**of, "measure": "refused", "subject": "(line)", "found": 7},
        {**of, "measure": "duplicates", "found": 3},
        {**of, "table_name": "clinical_silver.fct_claims", "measure": "rows_out", "part": "0", "found": 5},
        {**of, "table_name": "clinical_silver.fct_claims", "measure": "rows_out", "part": "1", "found": 6},
        {**of, "table_name": "clinical_silver.fct_claims", "measure": "check", "subject": "balance", "passed": False},
    ])  # fmt: skip
    told = shown(record_quality.deliveries)
    assert re.findall(r"<b>(.*?)</b>", told) == ["100", "7", "3", "1"]
    assert row(told, "2024-07-09", "x.ndjson is held: cut off") == ["100", "90", "7", "3", "aa"]
    assert row(shown(record_quality.tables), "clinical_silver.fct_claims") == ["11", "1", "1", "balance", "0"]
    fill(db, "clinical_silver.unresolved_references", [
        {"resource_type": "Encounter", "resource_id": str(n), "path": "subject", "reason": "missing",
         "patient_id": f"{PATIENT}{n}", "reference": f"Patient/{PATIENT}{n}"} for n in range(3)])  # fmt: skip
    assert row(shown(record_quality.unresolved), "Encounter", "subject", "missing") == ["&lt;11"]


def test_an_empty_lake_says_what_to_deliver():
    ask, page = asking(every_table()), Paper()
    assert records.months(ask) is None
    assert outcomes.months(ask) is None
    for section in (encounters.by_kind, encounters.revisits, encounters.cohorts, claims.by_payer, claims.diagnoses,
                    claims.denials, readmissions.readmissions, outcomes.homes):  # fmt: skip
        section(page, ask, *YEAR)
        assert page.parts[-1].startswith('<p class="note">No '), section
    record_quality.deliveries(page, ask)
    assert "No export is in the tables yet" in page.parts[-1]
