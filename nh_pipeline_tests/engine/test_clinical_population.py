"""The summary of the population, of a few patients whose figures are counted by hand."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from nh_pipeline.marts.clinical import population_parts, population_summary
from nh_pipeline.marts.clinical.dim_patients import DIM_PATIENTS
from nh_pipeline.marts.clinical.ed_visits import ED_VISITS
from nh_pipeline.marts.clinical.fct_claims import FCT_CLAIMS
from nh_pipeline.marts.clinical.fct_encounters import FCT_ENCOUNTERS
from nh_pipeline.marts.clinical.fct_observations import FCT_OBSERVATIONS
from nh_pipeline.marts.clinical.horizon import HORIZON
from nh_pipeline.marts.clinical.population_parts import OF_EVENTS, OF_PATIENTS, SUMS
from nh_pipeline.marts.clinical.readmissions import READMISSIONS
from nh_pipeline.marts.clinical.snf_stays import SNF_STAYS
from nh_pipeline_tests.support.clinical import built, day, encounter
from nh_pipeline_tests.support.fhir_rows import rows

pytestmark = pytest.mark.integration


def of(patient, name, start, end, kind="ambulatory", **more):
    """An encounter of a patient."""
    return encounter(start, end, kind, patient_id=patient, encounter_id=name, **more)


@pytest.fixture(scope="module")
def population(engine):
    """Parts of each bucket, and the summary of them."""
    encounters = rows(
        engine,
        FCT_ENCOUNTERS,
        of("old", "o1", "01-03", "01-05", "acute_inpatient"),
        of("old", "o2", "01-20", "01-20"),
        of("young", "y1", "01-10", "01-10", "emergency"),
        of("young", "y2", "02-10", "02-10"),
        of("young", "y3", "02-11", "02-11", status="planned"),
        of("stranger", "s1", "02-10", "02-10"),
    )
    patients = rows(
        engine,
        DIM_PATIENTS,
        {"patient_id": "old", "birth_date": date(1939, 2, 20), "gender": "female", "race_code": "2106-3"},
        {"patient_id": "young", "birth_date": date(2006, 2, 29 - 1), "gender": "male"},
        {"patient_id": "dead", "birth_date": date(1950, 1, 1), "is_deceased": True, "deceased_date": day("02-15")},
        {"patient_id": "when", "birth_date": date(1950, 1, 1), "is_deceased": True},
        {"patient_id": "born", "birth_date": day("02-29"), "gender": "female"},
        {"patient_id": "back"},
    )
    acute = rows(engine, READMISSIONS, {"patient_id": "old", "encounter_id": "o1", "admit_date": day("01-03")})
    visits = rows(engine, ED_VISITS, {"patient_id": "young", "encounter_id": "y1", "arrival_date": day("01-10")})
    observed = rows(
        engine,
        FCT_OBSERVATIONS,
        *({"patient_id": "old", "encounter_id": "o1", "obs_date": day("01-04"), "obs_code": c} for c in "ab"),
        {"patient_id": "young", "obs_date": day("02-04"), "obs_code": "a"},
    )

    def claim(name, of, payer, billed, **more):
        rest = {"use": "claim", "status": "active", "currency": "USD", "billable_start_date": day("01-05")}
        told = {"claim_id": name, "patient_id": "old" if of == "o1" else "young", "encounter_id": of}
        return {**told, "payer_category": payer, "billed_amount": Decimal(billed), **rest, **more}

    claims = rows(
        engine,
        FCT_CLAIMS,
        claim("c1", "o1", "Medicare", "100.1250", paid_amount=Decimal("80.1250")),
        claim("c2", "o1", "Private", "20"),
        claim("c3", None, "Private", "5"),
        claim("c4", "y1", "Private", "7", currency="EUR"),
        claim("c5", "y1", "Private", "9", use="preauthorization"),
        claim("c6", "y1", "Private", "11", is_resubmitted=True),
    )
    made = population_parts.MART.transform(encounters, patients, acute, visits, observed, claims)
    parts = built(population_parts.MART, encounters, patients, acute, visits, observed, claims)
    horizons = rows(engine, HORIZON, {"last_export_date": day("03-10"), "horizon": day("03-05")})
    stays = rows(
        engine,
        SNF_STAYS,
        {"patient_id": "back", "encounter_id": "b1", "admit_date": day("01-10"), "discharge_date": day("01-20")},
        {"patient_id": "back", "encounter_id": "b2", "admit_date": day("02-28")},
    )
    return parts, built(population_summary.MART, made, patients, stays, horizons)


def values(summary, dimension, metric):
    return {(m[5:7], c): row["value"] for (m, d, c, k), row in summary.items() if (d, k) == (dimension, metric)}


def test_a_population_summed_up(population):
    _, summary = population
    everybody = {
        metric: {month: value for (month, _), value in values(summary, "all", metric).items()}
        for metric in population_parts.METRICS
    }
    assert everybody == {
        "patients_alive": {"01": 4, "02": 4},
        "patients_seen": {"01": 2, "02": 2},
        "encounters": {"01": 3, "02": 2},
        "ed_visits": {"01": 1},
        "acute_admissions": {"01": 1},
        "snf_resident_days": {"01": 10, "02": 2, "03": 10},
        "observations": {"01": 2, "02": 1},
        "billed_amount": {"01": Decimal("125.1250")},
        "paid_amount": {"01": Decimal("80.1250")},
    }


def test_what_a_population_is_told_apart_by(population):
    _, summary = population
    assert values(summary, "age_band", "encounters") == {
        ("01", "75-84"): 2, ("01", "0-17"): 1, ("02", "18-44"): 1, ("02", "unknown"): 1
    }  # fmt: skip
    assert values(summary, "age_band", "patients_alive") == {
        ("01", "75-84"): 1, ("01", "0-17"): 1, ("01", "65-74"): 1, ("01", "unknown"): 1,
        ("02", "85+"): 1, ("02", "18-44"): 1, ("02", "0-17"): 1, ("02", "unknown"): 1,
    }  # fmt: skip
    assert values(summary, "gender", "patients_seen") == {
        ("01", "female"): 1, ("01", "male"): 1, ("02", "male"): 1, ("02", "unknown"): 1
    }  # fmt: skip
    assert values(summary, "payer_category", "billed_amount") == {
        ("01", "Medicare"): Decimal("100.1250"),
        ("01", "Private"): Decimal(25),
    }
    assert values(summary, "payer_category", "encounters") == {
        ("01", "Medicare"): 1, ("01", "Private"): 1, ("01", "unknown"): 1, ("02", "unknown"): 2
    }  # fmt: skip
    assert values(summary, "encounter_kind", "observations") == {("01", "acute_inpatient"): 2, ("02", "unknown"): 1}


def test_categories_add_up_to_all_of_each_month(population):
    _, summary = population
    of_people = ("patients_alive", "patients_seen", "snf_resident_days")
    apart = [(metric, dimension) for metric in SUMS for dimension in (*OF_PATIENTS, *OF_EVENTS)]
    apart += [(metric, dimension) for metric in of_people for dimension in OF_PATIENTS]
    for metric, dimension in apart:
        months = {}
        for (month, _), value in values(summary, dimension, metric).items():
            months[month] = months.get(month, 0) + value
        assert months == {month: value for (month, _), value in values(summary, "all", metric).items()}, (
            metric,
            dimension,
        )


def test_buckets_add_up_to_the_population(population):
    parts, summary = population
    assert len({bucket for bucket, *_ in parts}) > 1
    for metric, there in {metric: values(summary, "all", metric) for metric in (*SUMS, "patients_seen")}.items():
        found = sum(row["value"] for row in parts.values() if (row["dimension"], row["metric"]) == ("all", metric))
        assert found == sum(there.values())
