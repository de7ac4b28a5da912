"""``gold.kpi_hours``: hours worked, by kind of staff and month."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.cms.daily_nurse_staffing import ROLLUPS
from nh_pipeline.marts.facility_month import FACILITY_MONTH
from nh_pipeline.marts.kpi import kpi, of_months

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

MEASURES = {
    f"hours_{name.removesuffix('_hours')}": (f"{title}, per day reported", name, "days")
    for name, (title, _) in ROLLUPS.items()
}


def kpi_hours(months: DataFrame) -> DataFrame:
    """Sums of ``gold.facility_month``; the numerator is the total."""
    return of_months(months, MEASURES)


MART = kpi(
    "kpi_hours",
    "Paid hours by kind of staff: the total (numerator), and per facility and day",
    MEASURES,
    reads=(FACILITY_MONTH,),
    transform=kpi_hours,
    month="period_start",
    conserves=tuple(
        (f"sum(case when level = 'nation' and measure = '{measure}' then numerator end)", f"sum({hours})")
        for measure, (_, hours, _) in MEASURES.items()
    ),
    caution="Total, direct care and contract hours overlap with the others: do not add them up",
)
