"""Cohorts, stays in nursing homes, and the outcomes of homes, counted by hand."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from nh_pipeline.datasets.cms.medicare_claims import DIM_CLAIMS
from nh_pipeline.marts.clinical import (
    cohort_encounters,
    facility_outcomes,
    snf_months,
    snf_stays,
)
from nh_pipeline.marts.clinical.ed_visits import ED_VISITS
from nh_pipeline.marts.clinical.fct_conditions import FCT_CONDITIONS
from nh_pipeline.marts.clinical.fct_encounters import FCT_ENCOUNTERS
from nh_pipeline.marts.clinical.horizon import HORIZON
from nh_pipeline.marts.clinical.readmissions import READMISSIONS
from nh_pipeline.marts.clinical.snf_months import SNF_MONTHS
from nh_pipeline.marts.facility_month import FACILITY_MONTH
from nh_pipeline_tests.support.clinical import built, day, encounter
from nh_pipeline_tests.support.fhir_rows import rows
from nh_pipeline_tests.support.frames import frame_of

pytestmark = pytest.mark.integration

HOME, OTHER = "015001", "015002"


def of(patient, name, start, end, kind="ambulatory", **more):
    """An encounter of a patient."""
    return encounter(start, end, kind, patient_id=patient, encounter_id=name, **more)


def test_a_cohort_has_the_encounters_from_its_first_confirmed_condition_on(engine):
    systems = {"snomed": "http://snomed.info/sct", "icd": "http://hl7.org/fhir/sid/icd-10-cm"}

    def condition(name, patient, code, recorded, status="confirmed"):
        system, _, code = code.partition(" ")
        return {
            "condition_id": name,
            "patient_id": patient,
            "code_system": systems[system],
            "code_code": code,
            "recorded_date": day(recorded),
            "verification_status": status,
        }

    encounters = rows(
        engine,
        FCT_ENCOUNTERS,
        of("both", "b1", "01-01", "01-02"),
        of("both", "b2", "02-01", "02-03"),
        of("both", "b3", "03-01", None, status="in-progress"),
        of("both", "b4", "04-01", "04-01", status="cancelled"),
        of("refuted", "r1", "02-01", "02-01"),
        of("neither", "n1", "02-01", "02-01"),
    )
    conditions = rows(
        engine,
        FCT_CONDITIONS,
        condition("1", "both", "snomed 13645005", "01-02"),
        condition("2", "both", "icd J44.1", "01-20"),
        condition("3", "both", "icd I11.0", "02-04"),
        condition("4", "refuted", "snomed 13645005", "01-01", "refuted"),
        condition("5", "neither", "icd I11.9", "01-01"),
        condition("6", "neither", "snomed J44.1", "01-01"),
    )
    found = built(cohort_encounters.MART, encounters, conditions)
    assert set(found) == {("COPD", "b1"), ("COPD", "b2"), ("COPD", "b3"), ("CHF", "b3")}
    assert {row["member_since"] for (cohort, _), row in found.items() if cohort == "COPD"} == {day("01-02")}


def snf(patient, name, start, end, home=HOME, **more):
    return of(patient, name, start, end, "snf", facility_ccn=home, **more)


@pytest.fixture(scope="module")
def homes(engine):
    """Stays in homes, with acute stays and visits of emergency departments after some of them; and their months."""
    said = rows(
        engine,
        FCT_ENCOUNTERS,
        snf("back", "back", "01-10", "01-20"),
        snf("late", "late", "01-10", "01-20"),
        snf("before", "before", "01-10", "01-20"),
        snf("monthly", "monthly-1", "01-30", "01-31"),
        snf("monthly", "monthly-2", "02-01", "02-29"),
        snf("twice", "twice-1", "01-01", "01-05"),
        snf("twice", "twice-2", "01-08", "01-12"),
        snf("there", "there", "02-28", None),
        snf("moved", "moved-1", "01-01", None),
        snf("moved", "moved-2", "01-04", "01-06", OTHER),
        snf("same", "same", "02-01", "02-01"),
        of("nowhere", "nowhere", "01-01", "01-05", "snf"),
    )
    acute = rows(
        engine,
        READMISSIONS,
        *(
            {"patient_id": patient, "encounter_id": f"{patient}-{on}", "admit_date": day(on), "first_encounter_id": ""}
            for patient, on in (("back", "02-09"), ("late", "02-10"), ("before", "01-10"), ("twice", "01-06"))
        ),
    )
    visits = rows(
        engine,
        ED_VISITS,
        *(
            {"patient_id": p, "encounter_id": f"{p}-{on}", "arrival_date": day(on), "is_admitted": admitted}
            for p, on, admitted in (("late", "01-12", True), ("monthly", "02-05", False))
        ),
    )
    stays = snf_stays.MART.transform(said, acute, visits)
    horizons = rows(engine, HORIZON, {"last_export_date": day("03-10"), "horizon": day("03-05")})
    return built(snf_stays.MART, said, acute, visits), stays, horizons


def test_stays_in_homes_and_what_followed(homes):
    found = {
        key: (row["admit_date"], row["discharge_date"], row["rehospitalized_on"]) for (key,), row in homes[0].items()
    }
    assert found == {
        "back": (day("01-10"), day("01-20"), day("02-09")),
        "late": (day("01-10"), day("01-20"), None),
        "before": (day("01-10"), day("01-20"), None),
        "monthly-2": (day("01-30"), day("02-29"), None),
        "twice-1": (day("01-01"), day("01-05"), day("01-06")),
        "twice-2": (day("01-08"), day("01-12"), None),
        "there": (day("02-28"), None, None),
        "moved-1": (day("01-01"), day("01-04"), None),
        "moved-2": (day("01-04"), day("01-06"), None),
        "same": (day("02-01"), day("02-01"), None),
    }
    assert [key for (key,), row in homes[0].items() if row["ed_visit_on"]] == ["monthly-2"]


def test_months_of_homes(homes):
    """Nights, without the day of discharge; an open stay until the last export."""
    _, stays, horizons = homes
    found = built(snf_months.MART, stays, horizons)
    counts = ("snf_admissions", "rehospitalized_30d", "ed_30d", "residents", "resident_days", "is_followed_up")
    assert {key: tuple(row[name] for name in counts) for key, row in found.items()} == {
        (HOME, "2024-01-01"): (7, 2, 1, 6, 10 + 10 + 10 + 2 + 4 + 4 + 3, True),
        (HOME, "2024-02-01"): (2, 0, 0, 2, 28 + 2, False),
        (HOME, "2024-03-01"): (0, 0, 0, 1, 10, True),
        (OTHER, "2024-01-01"): (1, 0, 0, 1, 2, True),
    }


def test_outcomes_hide_small_counts(engine):
    """Shown from 11 on; a rate is hidden with its count, and NULL while its admissions are not followed up."""

    def month(start, **counts):
        rest = {"rehospitalized_30d": 11, "ed_30d": 11, "residents": 11, "resident_days": 300, "is_followed_up": True}
        return {"provider_id": HOME, "month_start": day(start), "snf_admissions": 22, **rest, **counts}

    def score(code, since, value, until=None, period="20220701-20230630"):
        return {
            "provider_id": HOME,
            "measure_code": code,
            "valid_from": date.fromisoformat(since),
            "valid_to": until and date.fromisoformat(until),
            "adjusted_score": Decimal(value),
            "measure_period": period,
        }

    months = frame_of(
        engine,
        SNF_MONTHS,
        [
            month("01-01"),
            month("02-01", rehospitalized_30d=10, is_followed_up=True),
            month("03-01", is_followed_up=False),
            month("04-01", snf_admissions=0, rehospitalized_30d=0, ed_30d=0, residents=10),
        ],
    )
    staffing = frame_of(
        engine,
        FACILITY_MONTH,
        [
            {
                "provider_id": HOME,
                "month": day(f"0{n}-01"),
                "resident_days": days,
                "total_hours_with_residents": Decimal(700),
            }
            for n, days in ((1, 200), (2, 0))
        ],
    )
    claims = frame_of(
        engine,
        DIM_CLAIMS,
        [
            score("521", "2024-01-15", "20.5", "2024-02-29"),
            score("521", "2024-02-29", "21.5", period="20230101-20231231"),
            score("522", "2024-03-15", "9.5"),
        ],
    )
    seen = claims.select(*facility_outcomes.MART.reads[2].columns)
    found = {row["month_start"].month: row for row in built(facility_outcomes.MART, months, staffing, seen).values()}
    shown = ("snf_admissions", "own_rehospitalized_30d", "own_rehospitalization_rate", "own_ed_30d", "own_ed_rate")
    assert {n: tuple(row[name] for name in shown) for n, row in found.items()} == {
        1: (22, 11, 0.5, 11, 0.5),
        2: (22, None, None, 11, 0.5),
        3: (22, 11, None, 11, None),
        4: (None, None, None, None, None),
    }
    assert {n: (row["residents"], row["resident_days"], row["is_suppressed"]) for n, row in found.items()} == {
        1: (11, 300, False),
        2: (11, 300, True),
        3: (11, 300, False),
        4: (None, None, True),
    }
    assert [found[n]["hprd_total"] for n in (1, 2, 3)] == [3.5, None, None]
    measures = ("rehospitalization_521", "claims_match", "months_behind", "outpatient_ed_522")
    assert {n: tuple(row[name] for name in measures) for n, row in found.items()} == {
        1: (Decimal("20.5"), "as_of", 7, Decimal("9.5")),
        2: (Decimal("21.5"), "as_of", 2, Decimal("9.5")),
        3: (Decimal("21.5"), "as_of", 3, Decimal("9.5")),
        4: (Decimal("21.5"), "as_of", 4, Decimal("9.5")),
    }
