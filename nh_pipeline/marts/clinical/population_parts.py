"""``clinical_gold.population_parts``: what happened to the patients of each bucket by month, by who and what they are.

Patients are in one bucket each, so that counts of patients, too, add up over the buckets to those of the whole
population: a delivery makes the buckets of its own patients anew.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

from nh_pipeline.marts.clinical.dim_patients import DIM_PATIENTS
from nh_pipeline.marts.clinical.ed_visits import ED_VISITS
from nh_pipeline.marts.clinical.fct_claims import FCT_CLAIMS
from nh_pipeline.marts.clinical.fct_encounters import FCT_ENCOUNTERS
from nh_pipeline.marts.clinical.fct_observations import FCT_OBSERVATIONS
from nh_pipeline.marts.clinical.readmissions import READMISSIONS
from nh_pipeline.marts.clinical.shared import PATIENT_BUCKET
from nh_pipeline.model.columns import category, date, decimal, text
from nh_pipeline.model.mart import Mart
from nh_pipeline.transforms.select import select
from nh_pipeline.transforms.stays import TOOK_PLACE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import DataFrame

METRICS = {
    "patients_alive": "patients alive on the last day of the month",
    "patients_seen": "patients with an encounter that began in the month",
    "encounters": "encounters that took place and began in the month",
    "ed_visits": "visits of emergency departments that began in the month",
    "acute_admissions": "acute stays that began in the month",
    "snf_resident_days": "nights in nursing homes",
    "observations": "observations made in the month",
    "billed_amount": "US dollars billed for services that began in the month",
    "paid_amount": "US dollars paid for them, so far",
}
SUMS = ("encounters", "ed_visits", "acute_admissions", "observations", "billed_amount", "paid_amount")
"""Metrics of events, which add up over all categories of a dimension."""

UNKNOWN = "unknown"
_AGE = "year(month_start) - year(birth_date) - cast(month(month_start) < month(birth_date) as int)"
_BANDS = ((18, "0-17"), (45, "18-44"), (65, "45-64"), (75, "65-74"), (85, "75-84"))
OF_PATIENTS = {
    "all": "'all'",
    "age_band": f"case when birth_date is null then '{UNKNOWN}' "
    + " ".join(f"when {_AGE} < {age} then '{band}'" for age, band in _BANDS)
    + " else '85+' end",
    "gender": f"coalesce(gender, '{UNKNOWN}')",
    "race": f"coalesce(race_code, '{UNKNOWN}')",
}
"""What patients are told apart by, as SQL over a patient and ``month_start``: their age is that of the month's end."""

OF_EVENTS = {
    "payer_category": f"coalesce(payer_category, '{UNKNOWN}')",
    "encounter_kind": f"coalesce(encounter_kind, '{UNKNOWN}')",
}
"""What events are told apart by: who pays for the encounter (of a claim: for the claim), and what the encounter is."""


def by_dimension(rows: DataFrame, dimensions: Mapping[str, str]) -> DataFrame:
    """Each row once for each dimension, with ``dimension`` and ``category``."""
    each = ", ".join(f"named_struct('dimension', '{name}', 'category', {sql})" for name, sql in dimensions.items())
    return rows.selectExpr("*", f"explode(array({each})) as _of").selectExpr("*", "_of.dimension", "_of.category")


def population_parts(  # noqa: PLR0917 (a frame per kind of event)
    encounters: DataFrame,
    patients: DataFrame,
    stays: DataFrame,
    visits: DataFrame,
    observed: DataFrame,
    claims: DataFrame,
) -> DataFrame:
    """Events of a bucket's patients, summed up by month, dimension and category."""
    from pyspark.sql import functions as F

    billed = claims.where("use = 'claim' and status = 'active' and currency = 'USD'")
    payers = billed.groupBy("encounter_id").agg(F.expr("min_by(payer_category, claim_id) as _payer"))

    def lines(rows: DataFrame, metric: str, day: str, value: str = "1", own: str = "cast(null as string)") -> DataFrame:
        return rows.selectExpr(
            "patient_id",
            "patient_bucket",
            "encounter_id",
            f"cast(trunc({day}, 'MM') as date) as month_start",
            f"'{metric}' as metric",
            f"cast({value} as decimal(18,4)) as value",
            f"{own} as _own",
        ).where("month_start is not null and value is not null")

    anew = "case when not is_resubmitted then billed_amount end"
    events = reduce(
        lambda a, b: a.unionByName(b),
        (
            lines(encounters.where(TOOK_PLACE), "encounters", "start_date"),
            lines(visits, "ed_visits", "arrival_date"),
            lines(stays, "acute_admissions", "admit_date"),
            lines(observed, "observations", "obs_date"),
            lines(billed, "billed_amount", "billable_start_date", anew, "payer_category"),
            lines(billed, "paid_amount", "billable_start_date", "paid_amount", "payer_category"),
        ),
    )
    key = ("patient_bucket", "patient_id", "month_start", "metric")
    summed = (
        events.join(encounters.select("encounter_id", "encounter_kind"), "encounter_id", "left")
        .join(payers, "encounter_id", "left")
        .selectExpr(*key, "encounter_kind", "coalesce(_own, _payer) as payer_category", "value")
        .groupBy(*key, "encounter_kind", "payer_category")
        .agg(F.expr("cast(sum(value) as decimal(18,4)) as value"))
        .join(patients.select("patient_id", "birth_date", "gender", "race_code"), "patient_id", "left")
    )
    of = ("patient_bucket", "month_start", "dimension", "category", "metric")
    each = (
        by_dimension(summed, {**OF_PATIENTS, **OF_EVENTS}).groupBy(*of, "patient_id").agg(F.sum("value").alias("value"))
    )
    seen = each.where("metric = 'encounters'").selectExpr(*of[:-1], "'patients_seen' as metric", "1 as value")
    found = each.selectExpr(*of, "cast(value as decimal(18,4)) as value").unionByName(
        seen.selectExpr(*of, "cast(value as decimal(18,4)) as value")
    )
    return found.groupBy(*of).agg(F.sum("value").alias("value")).selectExpr(*select(POPULATION_PARTS.columns, {}))


GRAIN = ("month_start", "dimension", "category", "metric")
COLUMNS = (
    date("month_start", "First day of the month", nullable=False),
    category("dimension", "What is told apart", (*OF_PATIENTS, *OF_EVENTS), nullable=False),
    text("category", f"The category of it; `{UNKNOWN}` where the record does not say", nullable=False),
    category("metric", "; ".join(f"`{k}`: {told}" for k, told in METRICS.items()), tuple(METRICS), nullable=False),
    decimal(18, 4, "value", "Its value", nullable=False),
)

MART = Mart(
    "population_parts",
    database="clinical_gold",
    description="What happened to the patients of each bucket, by month, dimension and category.",
    grain=("patient_bucket", *GRAIN),
    bucket="patient_bucket",
    reads=(FCT_ENCOUNTERS, DIM_PATIENTS, READMISSIONS, ED_VISITS, FCT_OBSERVATIONS, FCT_CLAIMS),
    transform=population_parts,
    conserves=(
        (
            "sum(case when dimension = 'all' and metric = 'encounters' then value else 0 end)",
            f"sum(case when {TOOK_PLACE} then 1 else 0 end)",
        ),
    ),
    columns=(PATIENT_BUCKET, *COLUMNS),
    caution="A bucket is no group of people: sum over buckets (clinical_gold.population_summary)",
)

POPULATION_PARTS = MART.table
