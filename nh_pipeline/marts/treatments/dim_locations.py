"""``treatments_gold.dim_locations``: where treatments took place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.marts.treatments.shared import dimension, key, latest
from nh_pipeline.marts.treatments.treatments import TREATMENTS
from nh_pipeline.model.columns import text
from nh_pipeline.model.mart import Mart

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_SQL = {
    "location_sk": "location_id",
    "country": "location_country",
    "state": "location_state",
    "city": "location_city",
}


def dim_locations(treatments: DataFrame) -> DataFrame:
    """Places, as the latest treatment shows them."""
    return dimension(latest(treatments, "location_id"), DIM_LOCATIONS.columns, _SQL)


MART = Mart(
    "dim_locations",
    database="treatments_gold",
    description="Places of treatments, one row each, as the treatment shows them that was changed last.",
    grain=("location_sk",),
    columns=(
        key("location_sk", "The place: location_id of the source"),
        text("country", "Country"),
        text("state", "State"),
        text("city", "City: there is more than one Springfield"),
    ),
    reads=(TREATMENTS,),
    transform=dim_locations,
)

DIM_LOCATIONS = MART.table
