"""``clinical_silver.fct_observations``: one value per patient, time and code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.marts.clinical.fct_observation_values import COLUMNS, FCT_OBSERVATION_VALUES, KEY, KEYED, REFERS
from nh_pipeline.model.mart import Mart
from nh_pipeline.transforms.select import select

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def fct_observations(values: DataFrame) -> DataFrame:
    """One value for each patient, time and code: a final one before an amended one, of these the latest."""
    rank = "case when status = 'final' then 0 when status in ('amended', 'corrected') then 1 else 2 end"
    nth = (
        f"row_number() over (partition by {KEY} "
        f"order by {rank}, version_at desc, observation_id desc, item_index desc) as _nth"
    )
    return values.where(KEYED).selectExpr("*", nth).where("_nth = 1").selectExpr(*select(FCT_OBSERVATIONS.columns, {}))


MART = Mart(
    "fct_observations",
    database="clinical_silver",
    description="Observations, one row per patient, time and code.",
    grain=("patient_id", "obs_at", "obs_code"),
    bucket="patient_bucket",
    columns=COLUMNS,
    reads=(FCT_OBSERVATION_VALUES,),
    transform=fct_observations,
    foreign_keys=REFERS,
    caution="Of several values at once one is here: is_conflicting, and all of them in fct_observation_values",
)

FCT_OBSERVATIONS = MART.table
