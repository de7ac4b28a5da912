"""``gold.kpi_hprd``: hours per resident day, by month.

As CMS does it, a day without residents counts neither in the hours nor in the residents. Others keep its hours:
``…_all_days`` are these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.marts.facility_measures import HPRD
from nh_pipeline.marts.facility_month import FACILITY_MONTH
from nh_pipeline.marts.kpi import kpi, of_months

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

MEASURES = {
    **{
        name: (f"{hours} of days with residents per resident day", f"{hours}_with_residents", "resident_days")
        for name, hours in HPRD.items()
    },
    **{
        f"{name}_weekend": (
            f"the same of {hours} on Saturdays and Sundays",
            f"weekend_{hours}_with_residents",
            "weekend_resident_days",
        )
        for name, hours in HPRD.items()
        if name in ("hprd_total", "hprd_rn")
    },
    **{
        f"{name}_all_days": (f"{hours}, of days without residents too, per resident day", hours, "resident_days")
        for name, hours in HPRD.items()
    },
}


def kpi_hprd(months: DataFrame) -> DataFrame:
    """Quotients of the sums of ``gold.facility_month``."""
    return of_months(months, MEASURES)


MART = kpi(
    "kpi_hprd",
    "Hours per resident day",
    MEASURES,
    reads=(FACILITY_MONTH,),
    transform=kpi_hprd,
    month="period_start",
    conserves=tuple(
        (f"sum(case when level = 'nation' and measure = '{measure}' then {part} end)", f"sum({column})")
        for measure, (_, *made) in MEASURES.items()
        for part, column in zip(("numerator", "denominator"), made, strict=True)
    ),
    caution="CMS's figures of states and the nation are means of facilities, each of a whole quarter: sum up first",
)
