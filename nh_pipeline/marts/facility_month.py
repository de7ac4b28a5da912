"""``gold.facility_month``: what each facility's days of a month sum to. Sums only: ratios follow from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.cms.daily_nurse_staffing import FCT_STAFFING_LEVELS, FLAGS, ROLLUPS
from nh_pipeline.model.columns import count, date, hours
from nh_pipeline.model.mart import Mart
from nh_pipeline.model.rules import Rule

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_WEEKEND, _COUNTED = "dayofweek(work_date) in (1, 7)", "census > 0 and not is_incomplete"

_COUNTS = {
    "days": ("Days reported", "1"),
    "resident_days": ("Residents, summed over the days: what HPRD divides by", "census"),
    "weekend_resident_days": ("The same of Saturdays and Sundays", f"case when {_WEEKEND} then census else 0 end"),
    "days_with_residents": ("Days with residents", "cast(census > 0 as int)"),
    "days_no_rn": (
        "Those without RN, RN admin or DON, cut off ones left out",
        f"cast({_COUNTED} and rn_hours = 0 as int)",
    ),
    "days_rn_under_8h": ("Those with less than eight hours of them", f"cast({_COUNTED} and rn_hours < 8 as int)"),
    **{
        f"days_{name.removeprefix('is_')}": (f"Days with: {told[0].lower()}{told[1:]}", f"cast({name} as int)")
        for name, (told, _) in FLAGS.items()
    },
}
_OF_DAYS = {
    "{}": ("{}", "true"),
    "{}_with_residents": ("{}, of days with residents", "census > 0"),
    "weekend_{}": ("{}, of Saturdays and Sundays", _WEEKEND),
    "weekend_{}_with_residents": ("{}, of Saturdays and Sundays with residents", f"census > 0 and {_WEEKEND}"),
}
_SUMS = {
    of.format(name): (told.format(title), f"case when {days} then {name} else 0 end")
    for of, (told, days) in _OF_DAYS.items()
    for name, (title, _) in ROLLUPS.items()
}


def facility_month(days: DataFrame) -> DataFrame:
    """Days of ``silver.fct_staffing_levels``, summed up by facility and month."""
    from pyspark.sql import functions as F

    rows = days.selectExpr("*", "cast(date_format(work_date, 'yyyy-MM-01') as date) as month")
    sums = [f"cast(sum({sql}) as int) as {name}" for name, (_, sql) in _COUNTS.items()]
    sums += [f"cast(sum({sql}) as decimal(13,2)) as {name}" for name, (_, sql) in _SUMS.items()]
    grouped = rows.groupBy("provider_id", "month")
    return grouped.agg(*map(F.expr, ("max(state) as state", "max(cy_qtr) as cy_qtr", *sums)))


_FACT = FCT_STAFFING_LEVELS.by_name

MART = Mart(
    "facility_month",
    description="One row per nursing home and month: days, residents and hours, summed up.",
    grain=("provider_id", "month"),
    sort=("month", "provider_id"),
    month="month",
    reads=(FCT_STAFFING_LEVELS,),
    transform=facility_month,
    conserves=(
        ("sum(days)", "count(1)"),
        ("sum(resident_days)", "sum(census)"),
        *((f"sum({name})", f"sum({name})") for name in ROLLUPS),
    ),
    columns=(
        _FACT["provider_id"],
        date("month", "First day of the month", nullable=False),
        _FACT["state"],
        _FACT["cy_qtr"],
        *(count(name, title, nullable=False) for name, (title, _) in _COUNTS.items()),
        *(hours(name, title, precision=13) for name, (title, _) in _SUMS.items()),
    ),
    rules=(
        Rule(
            "hours_add_up",
            "rn_hours + lpn_hours + aide_hours = total_hours",
            "RN + LPN + aide must be the total: look at the roll-ups of the days",
        ),
    ),
    foreign_keys=(("provider_id", "silver.dim_providers.provider_id"),),
    caution="HPRD is total_hours_with_residents / resident_days, summed up first: never a mean of monthly ratios",
)

FACILITY_MONTH = MART.table
