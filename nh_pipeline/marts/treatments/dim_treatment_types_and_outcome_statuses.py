"""``treatments_gold.dim_treatment_types_and_outcome_statuses``: kinds of treatments with their outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.marts.treatments.shared import TYPE_SK, dimension, key, latest, type_key
from nh_pipeline.marts.treatments.treatments import TREATMENTS
from nh_pipeline.model.columns import text
from nh_pipeline.model.mart import Mart

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_SQL = {TYPE_SK: "_key", "type": "treatment_type", "status": "treatment_outcome_status"}


def dim_types(treatments: DataFrame) -> DataFrame:
    """Combinations of kind and outcome, spelt as in the latest treatment."""
    keyed = treatments.selectExpr("*", f"{type_key()} as _key")
    return dimension(latest(keyed, "_key"), DIM_TYPES.columns, _SQL)


MART = Mart(
    "dim_treatment_types_and_outcome_statuses",
    database="treatments_gold",
    description="Kinds of treatments with their outcomes, one row per combination, whatever case they are written in.",
    grain=(TYPE_SK,),
    columns=(
        key(TYPE_SK, "The combination: 60 bits of the md5 of both"),
        text("type", "Kind of treatment"),
        text("status", "Outcome, as written"),
        TREATMENTS.by_name["outcome_class"],
    ),
    reads=(TREATMENTS,),
    transform=dim_types,
)

DIM_TYPES = MART.table
