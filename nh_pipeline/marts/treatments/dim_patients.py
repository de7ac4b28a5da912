"""``treatments_gold.dim_patients``: who was treated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.marts.treatments.shared import dimension, key, latest
from nh_pipeline.marts.treatments.treatments import TREATMENTS
from nh_pipeline.model.columns import text
from nh_pipeline.model.mart import Mart

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_SQL = {"patient_sk": "patient_id", "full_name": "patient_full_name", "gender": "patient_gender"}


def dim_patients(treatments: DataFrame) -> DataFrame:
    """Patients, as the latest treatment shows them."""
    return dimension(latest(treatments, "patient_id"), DIM_PATIENTS.columns, _SQL)


MART = Mart(
    "dim_patients",
    database="treatments_gold",
    description="Patients, one row each, as the treatment shows them that was changed last. Their age is in the fact.",
    grain=("patient_sk",),
    columns=(
        key("patient_sk", "The patient: patient_id of the source"),
        text("full_name", "Name"),
        text("gender", "Gender, as written"),
    ),
    reads=(TREATMENTS,),
    transform=dim_patients,
    caution="Names of people: protected",
)

DIM_PATIENTS = MART.table
