"""``clinical_gold.horizon``: until when the records of a source are taken to be complete.

The least of its last export and its last acute discharge: what an export of July says of patients until March is no
follow-up of April. The figures of a source are about days until then, so all of its deliveries have the same one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.clinical.care import ENCOUNTER
from nh_pipeline.marts.clinical.acute_care import ACUTE_LEG
from nh_pipeline.marts.clinical.fct_encounters import FCT_ENCOUNTERS
from nh_pipeline.model.columns import date
from nh_pipeline.model.mart import Mart
from nh_pipeline.transforms.select import select
from nh_pipeline.transforms.stays import KNOWN_END

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def horizon(encounters: DataFrame, delivered: DataFrame) -> DataFrame:
    """Of each delivery with encounters: what is known of its source. ``delivered`` are the encounters of bronze."""
    from pyspark.sql import functions as F

    deliveries = delivered.groupBy("delivery_id").agg(F.max("source").alias("source"), F.max("dt").alias("_dt"))
    acute = encounters.where(ACUTE_LEG).selectExpr("delivery_id", f"{KNOWN_END} as _end")
    last = acute.groupBy("delivery_id").agg(F.max("_end").alias("_end"))
    found = deliveries.join(last, "delivery_id", "left").selectExpr(
        "*",
        "max(_dt) over (partition by source) as last_export_date",
        "max(_end) over (partition by source) as last_discharge_date",
    )
    sql = {"horizon": "least(last_export_date, last_discharge_date)"}
    return found.selectExpr(*select(HORIZON.columns, sql))


_OF = ENCOUNTER.table.by_name

MART = Mart(
    "horizon",
    database="clinical_gold",
    description="Until when the records of its source are taken to be complete, one row per delivery of encounters.",
    grain=("delivery_id",),
    reads=(FCT_ENCOUNTERS, ENCOUNTER.table),
    transform=horizon,
    columns=(
        _OF["delivery_id"],
        _OF["source"],
        date("last_export_date", "Last day of an export of the source", nullable=False),
        date("last_discharge_date", "Last known discharge from an acute hospital; NULL if there is none"),
        date("horizon", "The earlier of the two", nullable=False),
    ),
)

HORIZON = MART.table
