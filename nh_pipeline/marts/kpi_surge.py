"""``gold.kpi_surge``: hours beyond what is usual, by month. A proxy: CMS publishes no overtime, and no shifts.

Usual for a day is the median of the hours on the same weekday of the eight weeks before. A day is left out if one of
these is not reported, or if nobody worked on most of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.cms.daily_nurse_staffing import FCT_STAFFING_LEVELS
from nh_pipeline.marts.kpi import kpi, of_months
from nh_pipeline.model.mart import Within

if TYPE_CHECKING:
    import datetime as dt

    from pyspark.sql import DataFrame

_WEEKS = "partition by provider_id, dayofweek(work_date) order by work_date rows between 8 preceding and 1 preceding"
_MEDIAN = "cast((_hours[3] + _hours[4]) * cast(0.5 as decimal(2,1)) as decimal(20,3))"

MEASURES = {
    "surge_index": ("hours / usual hours of the same days: 1 is as usual", "total_hours", "usual"),
    "surge_days": (
        "share of days with more than 1.25 times the usual hours",
        "case when total_hours > cast(1.25 as decimal(3,2)) * usual then 1 else 0 end",
        "1",
    ),
}


def kpi_surge(days: DataFrame, *, start: dt.date, end: dt.date) -> DataFrame:
    """Figures of the days from ``start`` to ``end``, beside the weeks before them."""
    beside = days.where("not is_incomplete").selectExpr(
        "provider_id",
        "state",
        "work_date",
        "total_hours",
        f"sort_array(collect_list(total_hours) over ({_WEEKS})) as _hours",
        f"min(work_date) over ({_WEEKS}) as _since",
    )
    complete = beside.where(
        f"work_date between date '{start}' and date '{end}' and size(_hours) = 8 and _since = date_sub(work_date, 56)"
    )
    month = "cast(date_format(work_date, 'yyyy-MM-01') as date) as month"
    usual = complete.selectExpr("provider_id", "state", month, "total_hours", f"{_MEDIAN} as usual")
    return of_months(usual.where("usual > 0"), MEASURES)


MART = kpi(
    "kpi_surge",
    "Hours of a day beside the usual ones of its weekday, a proxy of overtime",
    MEASURES,
    reads=(Within(FCT_STAFFING_LEVELS, before=2),),
    transform=kpi_surge,
    month="period_start",
    caution="A proxy: paid hours above the usual ones may be overtime, agency staff, or more residents",
)
