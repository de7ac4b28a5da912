"""``clinical_gold.cohort_encounters``: encounters of patients with a chronic condition, once it was known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.clinical.reference.cohorts import COHORTS
from nh_pipeline.marts.clinical.fct_conditions import FCT_CONDITIONS
from nh_pipeline.marts.clinical.fct_encounters import FCT_ENCOUNTERS
from nh_pipeline.marts.clinical.shared import OF_ENCOUNTER
from nh_pipeline.model.columns import category, date
from nh_pipeline.model.mart import Mart
from nh_pipeline.transforms.select import select
from nh_pipeline.transforms.stays import KNOWN_END, TOOK_PLACE

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_COHORTS = ", ".join(f"case when {codes.sql('code')} then '{name}' end" for name, codes in COHORTS.items())


def cohort_encounters(encounters: DataFrame, conditions: DataFrame) -> DataFrame:
    """Encounters that took place, of each cohort that their patient belonged to by their end."""
    from pyspark.sql import functions as F

    members = (
        conditions.where("verification_status = 'confirmed' and patient_id is not null")
        .selectExpr(
            "patient_id", "coalesce(recorded_date, onset_date) as _since", f"explode(array({_COHORTS})) as cohort"
        )
        .where("cohort is not null and _since is not null")
        .groupBy("patient_id", "cohort")
        .agg(F.min("_since").alias("member_since"))
    )
    found = encounters.where(TOOK_PLACE).join(members, "patient_id")
    known = found.where(f"member_since <= coalesce({KNOWN_END}, date '9999-12-31')")
    return known.selectExpr(*select(COHORT_ENCOUNTERS.columns, {}))


_OF = FCT_ENCOUNTERS.by_name

MART = Mart(
    "cohort_encounters",
    database="clinical_gold",
    description="Encounters of patients of a cohort, one row per cohort and encounter.",
    grain=("cohort", "encounter_id"),
    sort=("patient_id", "encounter_id", "cohort"),
    bucket="patient_bucket",
    reads=(FCT_ENCOUNTERS, FCT_CONDITIONS),
    transform=cohort_encounters,
    columns=(
        category("cohort", "The patient has a confirmed condition of it", tuple(COHORTS), nullable=False),
        _OF["encounter_id"],
        _OF["patient_id"].having(nullable=False),
        _OF["patient_bucket"],
        date("member_since", "When the condition was first recorded, else began", nullable=False),
        *(
            _OF[name]
            for name in (
                "encounter_kind",
                "start_date",
                "end_date",
                "length_of_stay",
                "organization_id",
                "facility_ccn",
                "diagnosis_category",
                "delivery_id",
            )
        ),
    ),
    foreign_keys=(OF_ENCOUNTER,),
    caution="A patient may belong to several cohorts: never sum over them",
)

COHORT_ENCOUNTERS = MART.table
