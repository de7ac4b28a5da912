"""``treatments_gold.fact_treatments``: treatments, with keys of all that they are about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.marts.treatments.dim_dates import DIM_DATES
from nh_pipeline.marts.treatments.dim_diseases import DIM_DISEASES
from nh_pipeline.marts.treatments.dim_locations import DIM_LOCATIONS
from nh_pipeline.marts.treatments.dim_patients import DIM_PATIENTS
from nh_pipeline.marts.treatments.dim_providers import DIM_PROVIDERS
from nh_pipeline.marts.treatments.dim_specialities import DIM_SPECIALITIES
from nh_pipeline.marts.treatments.dim_times import DIM_TIMES
from nh_pipeline.marts.treatments.dim_treatment_types_and_outcome_statuses import DIM_TYPES
from nh_pipeline.marts.treatments.shared import TYPE_SK, UNKNOWN, date_key, time_key, type_key
from nh_pipeline.marts.treatments.treatments import TREATMENTS
from nh_pipeline.model.mart import Mart
from nh_pipeline.transforms.select import select

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_EVENTS = ("start", "completion", "outcome")
_KEYS = {
    TYPE_SK: (0, type_key()),
    "location_sk": (1, "location_id"),
    "speciality_sk": (2, "provider_speciality_id"),
    "provider_sk": (3, "provider_id"),
    "patient_sk": (4, "patient_id"),
    "disease_sk": (5, "disease_id"),
    **{f"{event}_date_sk": (6, date_key(f"treatment_{event}_at")) for event in _EVENTS},
    **{f"{event}_time_sk": (7, time_key(f"treatment_{event}_at")) for event in _EVENTS},
}
"""Each key: the number of its dimension among those that are read, and SQL for what it is."""

_SQL = {
    "fact_treatment_sk": "treatment_id",
    "duration_in_days": "treatment_duration_in_days",
    "cost": "treatment_cost",
}


def fact_treatments(treatments: DataFrame, *dimensions: DataFrame) -> DataFrame:
    """All treatments. Keys are taken from the dimensions: one that is in none is NULL, which the gate forbids."""
    wanted = (f"coalesce({sql}, {UNKNOWN}) as _{name}" for name, (_, sql) in _KEYS.items())
    rows = treatments.selectExpr("*", *wanted)
    for name, (number, _) in _KEYS.items():
        own = dimensions[number].columns[0]
        rows = rows.join(dimensions[number].selectExpr(f"{own} as _{name}", f"{own} as {name}"), f"_{name}", "left")
    return rows.selectExpr(*select(FACT_TREATMENTS.columns, _SQL))


_OF = TREATMENTS.by_name
_DIMENSIONS = (
    DIM_TYPES, DIM_LOCATIONS, DIM_SPECIALITIES, DIM_PROVIDERS, DIM_PATIENTS, DIM_DISEASES, DIM_DATES, DIM_TIMES,
)  # fmt: skip

MART = Mart(
    "fact_treatments",
    database="treatments_gold",
    description="Treatments, one row each, with keys of the eight dimensions.",
    grain=("fact_treatment_sk",),
    columns=(
        _OF["treatment_id"].having(name="fact_treatment_sk"),
        *(_DIMENSIONS[number].columns[0].having(name=name) for name, (number, _) in _KEYS.items()),
        _OF["treatment_duration_in_days"].having(name="duration_in_days"),
        _OF["treatment_cost"].having(name="cost"),
        _OF["patient_age"],
    ),
    reads=(TREATMENTS, *_DIMENSIONS),
    transform=fact_treatments,
    conserves=(("count(1)", "count(1)"), ("sum(cost)", "sum(treatment_cost)")),
    foreign_keys=tuple(
        (name, f"{_DIMENSIONS[number].name}.{_DIMENSIONS[number].columns[0].name}")
        for name, (number, _) in _KEYS.items()
    ),
)

FACT_TREATMENTS = MART.table
