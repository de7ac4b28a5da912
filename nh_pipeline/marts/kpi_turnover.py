"""``gold.kpi_turnover``: nurses and administrators who left, by release."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.cms.data_collection_intervals import DATA_COLLECTION_INTERVALS
from nh_pipeline.datasets.cms.providers import FCT_PROVIDER_RELEASES
from nh_pipeline.marts.kpi import OF_RELEASE, kpi
from nh_pipeline.transforms.rollup import by_level, values

if TYPE_CHECKING:
    import datetime as dt

    from pyspark.sql import DataFrame

MEASURES = {
    "total_nursing_turnover": ("nursing staff who left within a year, per cent", "total_nursing_turnover"),
    "rn_turnover": ("registered nurses who left within a year, per cent", "rn_turnover"),
    "administrator_departures": ("administrators who left within a year", "administrator_departures"),
}


def kpi_turnover(homes: DataFrame, intervals: DataFrame, *, start: dt.date, end: dt.date) -> DataFrame:  # noqa: ARG001
    """What each home reports in the release, and the days that it is about, if the release says them."""
    period = intervals.where("measure_code = 'STAFFING_TURNOVER'").selectExpr(
        "release", "from_date as period_start", "through_date as period_end"
    )
    return by_level(values(homes.join(period, "release", "left"), OF_RELEASE, MEASURES), OF_RELEASE)


MART = kpi(
    "kpi_turnover",
    "Staff who left",
    MEASURES,
    reads=(FCT_PROVIDER_RELEASES, DATA_COLLECTION_INTERVALS["fct_data_collection_intervals"]),
    transform=kpi_turnover,
    release="release",
    caution="Since July 2024 nurses count as gone after 90 days, before after 60: do not compare across that month",
)
