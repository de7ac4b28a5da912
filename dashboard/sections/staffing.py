"""Staffing of any days and homes: summed up first, and, beside it, each home's own, averaged with equal weight."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboard.measures import Measure
from dashboard.words import STAFF

if TYPE_CHECKING:
    import pandas as pd

    from dashboard.asking import Ask
    from dashboard.filters import Filters

SOURCE = "CMS, Payroll-Based Journal, daily nurse staffing"
MOST_DAYS_BY_WEEK = 200

MEASURES = {
    **{f"hprd_{s}": Measure(f"{STAFF[s]}, hours per resident day") for s in ("total", "rn", "lpn", "aide")},
    "contract_share": Measure("Contract staff, share of hours", "share"),
    "no_rn_share": Measure("Days with no registered nurse", "share"),
    "rn_under_8h_share": Measure("Days below 8 hours of registered nurses", "share"),
    "weekend_ratio": Measure("Saturday and Sunday against Monday to Friday", "share"),
}
"""Columns of :func:`pooled` that homes and states are compared by."""

_RATIOS = {
    **{f"hprd_{s}": f"{s}_hours / nullif(resident_days, 0)" for s in STAFF if s != "contract"},
    "contract_share": "contract_hours / nullif(total_hours, 0)",
    "no_rn_share": "cast(days_no_rn as double) / nullif(days_counted, 0)",
    "rn_under_8h_share": "cast(days_rn_under_8h as double) / nullif(days_counted, 0)",
    "hprd_weekend": "weekend_hours / nullif(weekend_resident_days, 0)",
    "hprd_weekday": "(total_hours - weekend_hours) / nullif(resident_days - weekend_resident_days, 0)",
}
_RATIOS["weekend_ratio"] = f"({_RATIOS['hprd_weekend']}) / nullif({_RATIOS['hprd_weekday']}, 0)"

_COUNTED = "m.census > 0 and not m.is_incomplete"
_OF_DAYS = {
    "days": "1",
    "resident_days": "m.census",
    "weekend_resident_days": "case when d.is_weekend then m.census else 0 end",
    "days_counted": f"case when {_COUNTED} then 1 else 0 end",
    "days_no_rn": f"case when {_COUNTED} and m.rn_hours = 0 then 1 else 0 end",
    "days_rn_under_8h": f"case when {_COUNTED} and m.rn_hours < 8 then 1 else 0 end",
    **{f"{s}_hours": f"case when m.census > 0 then m.{s}_hours else 0 end" for s in STAFF},
    "weekend_hours": "case when m.census > 0 and d.is_weekend then m.total_hours else 0 end",
}
_OF_MONTHS = {
    **{name: f"m.{name}" for name in _OF_DAYS},
    "days_counted": "m.days_with_residents - m.days_incomplete",  # CMS cut off days with residents
    **{f"{s}_hours": f"m.{s}_hours_with_residents" for s in STAFF},
    "weekend_hours": "m.weekend_total_hours_with_residents",
}
_DAYS = 'gold.facility_measures as m left join silver.dim_date as d on d."date" = m.work_date'
_MONTHS = "(select f.*, f.month as work_date from gold.facility_month as f) as m"


def pooled(ask: Ask, filters: Filters, by: str = "'all'") -> pd.DataFrame:
    """One row per value of ``by`` (SQL on ``m``: a column of homes, or of ``m.work_date``).

    Columns: ``part``, ``homes``, ``days``, ``resident_days``, ``<kind>_hours`` of days with residents, ``hprd_<kind>``
    and the other measures as ratios of sums; of ``days_counted`` (days with residents, none that CMS cut off)
    ``days_no_rn`` and ``days_rn_under_8h``; and ``mean_<measure>``, the mean of the ``n`` homes that have residents,
    each counting once, as CMS averages.

    Months that are asked for as a whole are read from ``gold.facility_month``, which is the same, faster.
    """
    where, values = filters.where
    rows, sums = (_MONTHS, _OF_MONTHS) if filters.of_months and "week" not in by else (_DAYS, _OF_DAYS)
    each = ", ".join(f"cast(sum({sql}) as {_type(name)}) as {name}" for name, sql in sums.items())
    ratios = ", ".join(f"{sql} as {name}" for name, sql in _RATIOS.items())
    total = ", ".join(f"cast(sum({name}) as {_type(name)}) as {name}" for name in sums)
    means = ", ".join(f"avg({name}) as mean_{name}" for name in _RATIOS)
    return ask(
        f"with sums as (select {by} as part, m.provider_id, {each} from {rows} where {where} group by 1, 2), "
        f"homes as (select *, {ratios} from sums), "
        f"parts as (select part, count(*) as homes, count(hprd_total) as n, {total}, {means} from homes group by part) "
        f"select *, {ratios} from parts order by part",
        *values,
    )


def _type(name: str) -> str:
    return "double" if name.endswith("hours") else "bigint"


def step(filters: Filters) -> str:
    """How periods are cut for a line: into weeks, or months where they are long."""
    return "week" if (filters.end - filters.start).days < MOST_DAYS_BY_WEEK else "month"


def over_time(ask: Ask, filters: Filters) -> pd.DataFrame:
    """:func:`pooled` by week or month of the period (``part`` is its first day)."""
    return pooled(ask, filters, f"cast(date_trunc('{step(filters)}', m.work_date) as date)")


def comparable(rows: pd.DataFrame) -> pd.DataFrame:
    """Those parts that have at least a tenth of the homes of the fullest: a few homes are not the nation."""
    return rows[rows["homes"] * 10 >= rows["homes"].max()]
