"""``treatments_gold.dim_times``: the seconds of a day. A treatment of which only the day is known is at midnight."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.marts.treatments.shared import dimension, key
from nh_pipeline.marts.treatments.treatments import TREATMENTS
from nh_pipeline.model.columns import integer
from nh_pipeline.model.mart import Mart
from nh_pipeline.model.types import INTEGER

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_SQL = {
    "hours": "floor(time_sk / 3600)",
    "minutes": "floor(time_sk / 60) % 60",
    "seconds": "time_sk % 60",
}


def dim_times(treatments: DataFrame) -> DataFrame:
    """All seconds of a day, whatever treatments there are."""
    once = treatments.selectExpr("count(1) as _rows")
    return dimension(once.selectExpr("explode(sequence(0, 86399)) as time_sk"), DIM_TIMES.columns, _SQL)


MART = Mart(
    "dim_times",
    database="treatments_gold",
    description="Seconds of a day, one row each.",
    grain=("time_sk",),
    columns=(
        key("time_sk", "Seconds since midnight (UTC)", type=INTEGER),
        integer("hours", "Hour"),
        integer("minutes", "Minute"),
        integer("seconds", "Second"),
    ),
    reads=(TREATMENTS,),
    transform=dim_times,
)

DIM_TIMES = MART.table
