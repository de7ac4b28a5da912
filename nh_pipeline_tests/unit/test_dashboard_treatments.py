"""Treatments on the dashboard, on made-up rows whose figures are computed by hand."""

from __future__ import annotations

import re
from datetime import date, datetime, timezone

import pytest

from dashboard.paper import Paper
from dashboard.sections import treatment_places, treatment_providers, treatment_tracker, treatments
from dashboard.words import NOTHING as DASH
from nh_pipeline.marts.treatments.shared import TYPE_SK
from nh_pipeline_tests.support.asking import asking
from nh_pipeline_tests.support.made_rows import every_table

JAN, FEB, MAR, APR = (date(2024, month, 1) for month in (1, 2, 3, 4))
YEAR = date(2024, 1, 1), date(2024, 12, 31)
OUTCOMES = ("success", "failure", "open", "unknown")
PATIENT = "Jane Q. Patient"
"""What patients are called: no page may show it."""


@pytest.fixture
def db():
    """All tables without rows, but for dimensions."""
    db = every_table()
    for n, outcome in enumerate(OUTCOMES):
        put(db, "dim_treatment_types_and_outcome_statuses", **{TYPE_SK: n}, outcome_class=outcome)
    for month in (JAN, FEB, MAR, APR):
        put(db, "dim_dates", date_sk=int(f"{month:%Y%m%d}"), date=month, year=month.year, month=month.month)
    for n, city in enumerate(("Springfield, Illinois", "Springfield, Missouri", "Toronto, Ontario")):
        name, state = city.split(", ")
        country = "Canada" if state == "Ontario" else "United States"
        put(db, "dim_locations", location_sk=n, country=country, state=state, city=name)
    put(db, "dim_specialities", speciality_sk=1, name="Neurology")
    put(db, "dim_specialities", speciality_sk=2, name="Cardiology")
    for n in range(1, 5):
        home = {"affiliated_hospital": "OAK HOME", "facility_ccn": "015009"} if n == 1 else {}
        put(db, "dim_providers", provider_sk=n, full_name=f"Dr. <b>{n}", speciality_sk=1 + n % 2, **home)
    put(db, "dim_providers", provider_sk=-1, full_name="(unknown)", speciality_sk=-1)
    return db


@pytest.fixture
def shown(db):
    """A section on paper. No page names a patient."""

    def _shown(section, *more, **words):
        page = Paper()
        section(page, asking(db), *more, **words)
        told = "".join(page.parts)
        assert PATIENT not in told
        return told

    return _shown


def put(db, table, **row):
    names, marks = ", ".join(row), ", ".join("?" * len(row))
    db.execute(f"insert into treatments_gold.{table} ({names}) values ({marks})", list(row.values()))


def treat(db, n, outcome="success", *, patients=None, provider=1, month=JAN, place=0, cost=100, days=10):
    """Adds treatments of as many patients, or of fewer."""
    for i in range(n):
        patient = i % (patients or n)
        put(db, "fact_treatments", **{TYPE_SK: OUTCOMES.index(outcome)}, patient_sk=patient, provider_sk=provider,
            location_sk=place, start_date_sk=int(f"{month:%Y%m%d}"), cost=cost, duration_in_days=days)  # fmt: skip
        put(db, "dim_patients", patient_sk=patient, full_name=PATIENT)


def figures(told):
    return re.findall(r"<b>(.*?)</b>", told)


def row(told, *cells):
    """The cells of the row of a table that begins with these."""
    found = [re.findall(r"<td[^>]*>(.*?)</td>", line) for line in told.split("<tr>")]
    (match,) = (line for line in found if line[: len(cells)] == list(cells))
    return match[len(cells) :]


def test_what_became_of_treatments(db, shown):
    treat(db, 60, cost=100)
    treat(db, 20, "failure", cost=300, days=None)
    treat(db, 15, "open", cost=None)
    treat(db, 12, "unknown")
    assert figures(shown(treatments.at_a_glance)) == ["107", "60", "75.0 %", "$143"]  # 60 / 80; 13,200 / 92
    told = shown(treatments.by_outcome)
    assert row(told, "Success") == ["60", "56.1 %", "60", "10.0", "$100"]
    assert row(told, "Failure") == ["20", "18.7 %", "20", DASH, "$300"]
    assert row(told, "Not over yet") == ["15", "14.0 %", "15", "10.0", DASH]
    assert row(told, "In words that are not known") == ["12", "11.2 %", "12", "10.0", "$100"]


def test_treatments_of_few_patients_are_not_told(db, shown):
    treat(db, 50, patients=10)
    treat(db, 1, patients=1)
    db.execute("update treatments_gold.fact_treatments set patient_sk = -1 where patient_sk = 9")  # nobody is nobody
    assert figures(shown(treatments.at_a_glance)) == ["&lt;11", "&lt;11", DASH, DASH]
    assert row(shown(treatments.by_outcome), "Success") == [DASH, DASH, "&lt;11", DASH, DASH]


def month(db, day, total, decided, successes, *, mature, patients=None):
    treat(db, total, month=day, patients=patients)
    put(db, "monthly_treatment_trends", year=day.year, month=day.month, month_start=day, total_treatments=total,
        decided=decided, successes=successes, open=total - decided, success_rate=successes / decided,
        is_mature=mature)  # fmt: skip


def test_months_that_are_not_decided_are_marked(db, shown):
    month(db, JAN, 40, 40, 30, mature=True)
    month(db, FEB, 30, 20, 15, mature=False)
    month(db, MAR, 30, 30, 20, mature=True, patients=5)
    month(db, APR, 30, 30, 20, mature=True, patients=6)
    put(db, "monthly_treatment_trends", total_treatments=7, decided=7, successes=7, is_mature=True)  # it says no month
    assert treatments.months(asking(db)) == (JAN, date(2024, 4, 30))
    told = shown(treatments.by_month, *YEAR)
    assert row(told, "Jan 2024") == ["40", "40", "30", "75.0 %", "&lt;11", "All but 1 % decided"]
    assert row(told, "Feb 2024")[:4] == ["30", "20", "15", "75.0 %"]
    assert row(told, "Feb 2024")[-1] == "Not yet decided"
    assert row(told, "Mar 2024")[:4] == [DASH] * 4
    assert "Treatments by month; 1 of 4 months not yet decided." in told
    assert "Jan 2024" not in shown(treatments.by_month, FEB, APR)
    assert "No treatment began in Jan 1 to Dec 31, 2023" in shown(
        treatments.by_month, date(2023, 1, 1), date(2023, 12, 31)
    )


def test_providers_by_treatments(db, shown):
    for n, total in ((1, 40), (2, 40), (3, 30), (4, 8), (-1, 5)):
        treat(db, total, provider=n)
        name = "(unknown)" if n < 0 else f"Dr. <b>{n}"
        rank = {1: 1, 2: 1, 3: 3, 4: 4}.get(n)
        put(db, "provider_treatment_rank", provider_id=n, full_name=name, total_treatments=total, rank=rank)
    told = shown(treatment_providers.busiest)
    assert row(told, "1", "Dr. &lt;b&gt;1 (1)") == ["Cardiology", "OAK HOME", "015009", "40", "40"]
    assert row(told, "3", "Dr. &lt;b&gt;3 (3)")[-2:] == ["30", "30"]
    assert row(told, DASH, "Dr. &lt;b&gt;4 (4)")[-2:] == ["&lt;11", "&lt;11"]
    assert row(told, DASH, "Not told")[-2:] == ["&lt;11", "&lt;11"]
    chosen = shown(treatment_providers.busiest, "Neurology")
    assert row(chosen, "1", "Dr. &lt;b&gt;2 (2)")[-2:] == ["40", "40"]
    assert "Dr. &lt;b&gt;1" not in chosen
    assert "No provider is left" in shown(treatment_providers.busiest, "Alchemy")
    assert treatment_providers.specialities(asking(db)) == [treatment_providers.EVERY, "Cardiology", "Neurology"]


def test_success_rates_of_few_are_marked_and_can_be_left_out(db, shown):
    for n, decided, successes, rank in ((1, 60, 45, 2), (2, 25, 24, 1), (3, 40, 20, 3), (4, 40, 5, 4)):
        treat(db, 70, provider=n)
        put(db, "provider_success_rate_rank", provider_id=n, full_name="Dr.", total_treatments=70, decided=decided,
            successes=successes, success_rate=successes / decided, rank=rank, is_small_n=decided < 30)  # fmt: skip
    told = shown(treatment_providers.most_successful)
    assert row(told, "1", "Dr. (2)") == ["Neurology", "70", "25", "24", "96.0 %", "Fewer than 30 decided"]
    assert row(told, "2", "Dr. (1)") == ["Cardiology", "70", "60", "45", "75.0 %", "30 or more decided"]
    # 5 successes are few; 20 more are kept back with them.
    assert row(told, DASH, "Dr. (4)")[1:5] == ["70", "40", "&lt;11", DASH]
    assert row(told, DASH, "Dr. (3)")[1:5] == ["70", "40", DASH, DASH]
    assert told.index("Dr. (2)") < told.index("Dr. (1)") < told.index("Dr. (3)")
    without = shown(treatment_providers.most_successful, with_few=False)
    assert "Dr. (2)" not in without
    assert "Dr. (1)" in without


def test_costs_by_provider(db, shown):
    for n, known, total in ((1, 30, 3000), (2, 20, 9000), (3, 0, None)):
        treat(db, 40, provider=n)
        put(db, "summary_avg_treatment_cost", provider_id=n, full_name="Dr.", total_treatments=40, n_with_cost=known,
            total_cost=total, avg_treatment_cost=total and total / known)  # fmt: skip
    told = shown(treatment_providers.costs)
    assert row(told, "Dr. (1)") == ["Cardiology", "40", "30", "$3,000", "$100"]
    assert row(told, "Dr. (3)") == ["Cardiology", "40", "&lt;11", DASH, DASH]
    assert "highest: Dr. (2), $450" in told


def test_cities_of_one_name_are_told_apart(db, shown):
    places = (("United States", "Illinois", "Springfield"), ("United States", "Missouri", "Springfield"),
              ("Canada", "Ontario", "Toronto"))  # fmt: skip
    for n, (place, total, patients) in enumerate(zip(places, (50, 30, 20), (50, 30, 11), strict=True)):
        treat(db, total, place=n, patients=patients)
        named = dict(zip(("country", "state", "city"), place, strict=True))
        put(db, "geographical_treatment_distribution", **named, total_treatments=total, share=total / 100)
        put(db, "summary_total_treatments_per_city", **named, total_treatments=total)
    told = shown(treatment_places.cities)
    assert row(told, *places[0]) == ["50", "50.0 %", "50"]
    assert row(told, *places[1]) == ["30", "30.0 %", "30"]
    assert row(shown(treatment_places.cities, "Canada"), *places[2]) == ["20", "20.0 %", "11"]
    assert "Illinois" not in shown(treatment_places.cities, "United States", "Missouri")
    assert "No treatment took place there" in shown(treatment_places.cities, "Canada", "Missouri")
    assert [*treatment_places.places(asking(db))["state"]] == ["Ontario", "Illinois", "Missouri"]
    db.execute("update treatments_gold.fact_treatments set patient_sk = 1 where location_sk = 2")
    assert row(shown(treatment_places.cities), *places[2]) == [DASH, DASH, "&lt;11"]


def step(db, run, destination, source, made, *, explained=0, status="SUCCESS"):
    same = "MATCH" if source == made + explained else "MISMATCH"
    put(db, "etl_tracker", id=f"{run}:{destination}", run_id=f"run {run}", source_table="x", told="what is counted",
        destination_table=f"treatments_{destination}", status=status, source_count=source, destination_count=made,
        explained_count=explained, reconciliation_status=same,
        created_at=datetime(2024, 7, run, 3, 30, tzinfo=timezone.utc))  # fmt: skip


def test_steps_of_the_last_run_that_do_not_match_come_first(db, shown):
    step(db, 1, "gold.fact_treatments", 100, 100)
    step(db, 2, "bronze.treatment_items", 100, 94, explained=6)
    step(db, 2, "gold.dim_diseases", 5, 6, explained=-1, status="UNCHANGED")
    step(db, 2, "gold.fact_treatments", 100, 97, status="FAILED")
    told = shown(treatment_tracker.steps)
    assert figures(told) == ["2", "1", "1", "1"]
    assert "3 steps · run of Jul 2, 2024, 03:30 UTC" in told
    assert row(told, "Mismatch")[:5] == ["treatments_gold.fact_treatments", "100", "97", "0", "3"]
    assert row(told, "Match", "treatments_bronze.treatment_items")[:5] == ["100", "94", "6", "0", "Built anew"]
    assert row(told, "Match", "treatments_gold.dim_diseases")[:3] == ["&lt;11", "&lt;11", "-1"]
    assert told.index("Mismatch</td>") < told.index("Match</td>")
    runs = shown(treatment_tracker.runs)
    assert row(runs, "Jul 2, 2024, 03:30 UTC") == ["run 2", "3", "2", "1", "1", "1"]
    assert row(runs, "Jul 1, 2024, 03:30 UTC") == ["run 1", "1", "1", "0", "1", "0"]


def test_an_empty_lake_says_what_to_do(shown):
    ask = asking(every_table())
    page = Paper()
    assert not treatments.at_a_glance(page, ask)
    assert "nh treatments extract" in page.parts[-1]
    assert treatments.months(ask) is None
    for section in (treatment_providers.busiest, treatment_providers.most_successful, treatment_providers.costs,
                    treatment_places.cities, treatment_tracker.steps):  # fmt: skip
        section(page, ask)
        assert page.parts[-1].startswith('<p class="note">No '), section
    assert shown(treatment_tracker.runs) == ""
