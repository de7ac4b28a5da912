"""``gold.kpi_throughput``: residents and the beds that they take, by month. Admissions are not known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.marts.facility_measures import FACILITY_MEASURES
from nh_pipeline.marts.kpi import kpi, of_months

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

MEASURES = {
    "residents": ("resident-days / days reported: residents on a day", "census", "1"),
    "occupancy": (
        "resident-days / certified beds of these days, as of the day; days whose beds are not known are left out",
        "census",
        "case when certified_beds > 0 then certified_beds end",
    ),
}


def kpi_throughput(days: DataFrame) -> DataFrame:
    """Sums of the days of ``gold.facility_measures``."""
    rows = days.selectExpr("*", "cast(date_format(work_date, 'yyyy-MM-01') as date) as month")
    return of_months(rows, MEASURES)


MART = kpi(
    "kpi_throughput",
    "Resident-days and occupancy",
    MEASURES,
    reads=(FACILITY_MEASURES,),
    transform=kpi_throughput,
    month="period_start",
    conserves=(("sum(case when level = 'nation' and measure = 'residents' then numerator end)", "sum(census)"),),
    caution="More residents than certified beds are legal data. Resident-days are a stock summed up, no admissions",
)
