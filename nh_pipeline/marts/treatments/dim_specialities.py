"""``treatments_gold.dim_specialities``: specialities of providers and of diseases, which share their numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.marts.treatments.shared import dimension, key
from nh_pipeline.marts.treatments.treatments import TREATMENTS
from nh_pipeline.model.columns import text
from nh_pipeline.model.mart import Mart

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_SQL = {"speciality_sk": "_id", "name": "_name"}


def dim_specialities(treatments: DataFrame) -> DataFrame:
    """Specialities, as the latest treatment names them; the provider's name for one comes before the disease's."""
    named = [
        treatments.selectExpr(
            f"{of}_speciality_id as _id",
            f"{of}_speciality_name as _name",
            f"{of}_speciality_name is null as _is_unnamed",
            f"'{of}' as _of",
            "metadata_modified_at",
            "treatment_id",
        )
        for of in ("provider", "disease")
    ]
    both = named[0].union(named[1]).where("_id is not null")
    order = "order by _is_unnamed, metadata_modified_at desc nulls last, treatment_id desc, _of desc"
    first = both.selectExpr("*", f"row_number() over (partition by _id {order}) as _nth").where("_nth = 1")
    return dimension(first, DIM_SPECIALITIES.columns, _SQL)


MART = Mart(
    "dim_specialities",
    database="treatments_gold",
    description="Specialities of providers and diseases, one row each, as the treatment names them that changed last.",
    grain=("speciality_sk",),
    columns=(key("speciality_sk", "The speciality: its number at the source"), text("name", "Name")),
    reads=(TREATMENTS,),
    transform=dim_specialities,
)

DIM_SPECIALITIES = MART.table
