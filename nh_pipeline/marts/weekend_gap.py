"""``gold.weekend_gap``: how much fewer hours residents get on Saturdays and Sundays than on weekdays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.cms.daily_nurse_staffing import ROLLUPS
from nh_pipeline.marts.facility_month import FACILITY_MONTH
from nh_pipeline.model.columns import category, count, date, hours, ratio
from nh_pipeline.model.mart import Mart
from nh_pipeline.transforms.spread import quotient

if TYPE_CHECKING:
    import datetime as dt

    from pyspark.sql import DataFrame

STAFF = {name.removesuffix("_hours"): title for name, (title, _) in ROLLUPS.items()}


def weekend_gap(months: DataFrame, *, start: dt.date, end: dt.date) -> DataFrame:
    """Weekdays beside weekends, one row per home and kind of staff; days without residents are left out."""
    from pyspark.sql import functions as F

    kinds = ", ".join(
        f"named_struct('staff', '{kind}', 'all_hours', {kind}_hours_with_residents, "
        f"'weekend_hours', weekend_{kind}_hours_with_residents)"
        for kind in STAFF
    )
    rows = months.where(f"month between date '{start}' and date '{end}'").selectExpr(
        "provider_id", "cy_qtr", "state", "resident_days", "weekend_resident_days", f"explode(array({kinds})) as k"
    )
    summed = rows.groupBy("provider_id", F.expr("k.staff as staff")).agg(
        F.expr("max(cy_qtr) as cy_qtr"), F.expr("max(state) as state"),
        F.expr("cast(sum(weekend_resident_days) as int) as weekend_resident_days"),
        F.expr("cast(sum(resident_days - weekend_resident_days) as int) as weekday_resident_days"),
        F.expr("cast(sum(k.weekend_hours) as decimal(13,2)) as weekend_hours"),
        F.expr("cast(sum(k.all_hours - k.weekend_hours) as decimal(13,2)) as weekday_hours"),
    )  # fmt: skip
    divided = summed.selectExpr(
        "*",
        *(f"{quotient(f'{at}_hours', f'{at}_resident_days')} as {at}_hprd" for at in ("weekday", "weekend")),
    )
    return divided.selectExpr(
        "provider_id", f"date '{start}' as quarter_start", "cy_qtr", "state", "staff", "weekday_hours",
        "weekday_resident_days", "weekend_hours", "weekend_resident_days", "weekday_hprd", "weekend_hprd",
        "weekday_hprd - weekend_hprd as gap",
        "case when weekday_hprd > 0 then (weekday_hprd - weekend_hprd) / weekday_hprd end as gap_share",
    )  # fmt: skip


_MONTH = FACILITY_MONTH.by_name

MART = Mart(
    "weekend_gap",
    description="Weekdays beside weekends: one row per nursing home, quarter and kind of staff.",
    grain=("provider_id", "quarter_start", "staff"),
    sort=("quarter_start", "provider_id", "staff"),
    quarter="quarter_start",
    reads=(FACILITY_MONTH,),
    transform=weekend_gap,
    columns=(
        _MONTH["provider_id"],
        date("quarter_start", "First day of the quarter", nullable=False),
        _MONTH["cy_qtr"],
        _MONTH["state"],
        category("staff", "Whose hours. " + "; ".join(f"`{k}`: {v}" for k, v in STAFF.items()), tuple(STAFF),
                 nullable=False),
        hours("weekday_hours", "Hours of Monday to Friday, of days with residents", precision=13),
        count("weekday_resident_days", "Residents of Monday to Friday, summed over the days", nullable=False),
        hours("weekend_hours", "Hours of Saturdays and Sundays, of days with residents", precision=13),
        count("weekend_resident_days", "Residents of Saturdays and Sundays, summed over the days", nullable=False),
        ratio("weekday_hprd", "weekday_hours / weekday_resident_days", unit="hours per resident day"),
        ratio("weekend_hprd", "weekend_hours / weekend_resident_days", unit="hours per resident day"),
        ratio("gap", "weekday_hprd - weekend_hprd; negative where weekends have more", unit="hours per resident day")
        .having(allowed=None),
        ratio("gap_share", "gap / weekday_hprd", unit="share").having(allowed=None),
    ),
    foreign_keys=(("provider_id", "silver.dim_providers.provider_id"),),
    caution="Homes with few residents at weekends have odd gaps: look at weekend_resident_days",
)  # fmt: skip
