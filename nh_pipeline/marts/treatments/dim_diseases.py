"""``treatments_gold.dim_diseases``: what was treated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.marts.treatments.shared import UNKNOWN, dimension, key, latest
from nh_pipeline.marts.treatments.treatments import TREATMENTS
from nh_pipeline.model.columns import text
from nh_pipeline.model.mart import Mart

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_SQL = {
    "disease_sk": "disease_id",
    "name": "disease_name",
    "type": "disease_type",
    "severity": "disease_severity",
    "transmission_mode": "disease_transmission_mode",
    "mortality_rate": "disease_mortality_rate",
    "speciality_sk": f"coalesce(disease_speciality_id, {UNKNOWN})",
}


def dim_diseases(treatments: DataFrame) -> DataFrame:
    """Diseases, as the latest treatment shows them."""
    return dimension(latest(treatments, "disease_id"), DIM_DISEASES.columns, _SQL)


_OF = TREATMENTS.by_name

MART = Mart(
    "dim_diseases",
    database="treatments_gold",
    description="Diseases, one row each, as the treatment shows them that was changed last.",
    grain=("disease_sk",),
    columns=(
        key("disease_sk", "The disease: disease_id of the source"),
        text("name", "Name"),
        text("type", "Kind of disease"),
        text("severity", "How severe it is"),
        text("transmission_mode", "How it is transmitted"),
        _OF["disease_mortality_rate"].having(name="mortality_rate"),
        key("speciality_sk", "Its speciality"),
    ),
    reads=(TREATMENTS,),
    transform=dim_diseases,
    foreign_keys=(("speciality_sk", "treatments_gold.dim_specialities.speciality_sk"),),
)

DIM_DISEASES = MART.table
