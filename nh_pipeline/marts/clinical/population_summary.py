"""``clinical_gold.population_summary``: who was cared for and what happened, by month, dimension and category."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.marts.clinical.dim_patients import DIM_PATIENTS
from nh_pipeline.marts.clinical.horizon import HORIZON
from nh_pipeline.marts.clinical.population_parts import (
    COLUMNS,
    GRAIN,
    OF_EVENTS,
    OF_PATIENTS,
    POPULATION_PARTS,
    SUMS,
    by_dimension,
)
from nh_pipeline.marts.clinical.snf_months import resident_days
from nh_pipeline.marts.clinical.snf_stays import SNF_STAYS
from nh_pipeline.model.mart import Mart
from nh_pipeline.transforms.select import select

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import DataFrame

_WHO = ("birth_date", "gender", "race_code")
_VALUE = "cast(value as decimal(18,4)) as value"


def population_summary(parts: DataFrame, patients: DataFrame, stays: DataFrame, horizons: DataFrame) -> DataFrame:
    """The sum over all buckets, and what depends on the calendar or on the last export: who lives, and resident days.

    Patients are counted in the months between the first and the last event of anybody. Who has died, nobody knows when,
    is counted in none.
    """
    from pyspark.sql import functions as F

    events = parts.groupBy(*GRAIN).agg(F.sum("value").alias("value")).selectExpr(*GRAIN, _VALUE)
    months = parts.agg(F.expr("min(month_start) as _first"), F.expr("max(month_start) as _last")).selectExpr(
        "explode(sequence(_first, _last, interval 1 month)) as month_start"
    )
    alive = (
        patients.where("not is_deceased or deceased_date is not null")
        .join(
            months,
            F.expr(
                "(birth_date is null or birth_date <= last_day(month_start)) "
                "and (deceased_date is null or deceased_date > last_day(month_start))"
            ),
        )
        .selectExpr("month_start", *_WHO, "'patients_alive' as metric", "1 as value")
    )
    nights = (
        resident_days(stays, horizons)
        .join(patients.select("patient_id", *_WHO), "patient_id", "left")
        .selectExpr("month_start", *_WHO, "'snf_resident_days' as metric", "resident_days as value")
        .where("value > 0")
    )
    counted, spent = _summed(alive, OF_PATIENTS), _summed(nights, {**OF_PATIENTS, "encounter_kind": "'snf'"})
    others = counted.unionByName(spent).groupBy(*GRAIN).agg(F.sum("value").alias("value")).selectExpr(*GRAIN, _VALUE)
    return events.unionByName(others).selectExpr(*select(POPULATION_SUMMARY.columns, {}))


def _summed(rows: DataFrame, dimensions: Mapping[str, str]) -> DataFrame:
    """Sums by the categories of all dimensions, and of these by each one: there are fewer of them than of patients."""
    from pyspark.sql import functions as F

    told = rows.selectExpr("month_start", "metric", "value", *(f"{sql} as _{name}" for name, sql in dimensions.items()))
    known = [f"_{name}" for name in dimensions]
    groups = told.groupBy("month_start", "metric", *known).agg(F.sum("value").alias("value"))
    return by_dimension(groups, {name: f"_{name}" for name in dimensions}).selectExpr(*GRAIN, _VALUE)


def _sum(metric: str, dimension: str) -> str:
    return f"sum(case when metric = '{metric}' and dimension = '{dimension}' then value else 0 end)"


MART = Mart(
    "population_summary",
    database="clinical_gold",
    description="Patients, encounters, resident days and money, one row per month, dimension, category and metric.",
    grain=GRAIN,
    reads=(POPULATION_PARTS, DIM_PATIENTS, SNF_STAYS, HORIZON),
    transform=population_summary,
    conserves=tuple(
        (_sum(metric, dimension), _sum(metric, "all")) for metric in SUMS for dimension in (*OF_PATIENTS, *OF_EVENTS)
    ),
    columns=COLUMNS,
    caution="Of one dimension at a time; patients_seen adds up over ages, genders and races, not over payers and kinds",
)

POPULATION_SUMMARY = MART.table
