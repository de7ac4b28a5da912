"""``clinical_gold.snf_months``: admissions, hospital visits and resident days of homes by month, as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.marts.clinical.horizon import HORIZON
from nh_pipeline.marts.clinical.snf_stays import SNF_STAYS
from nh_pipeline.model.columns import count, date, flag
from nh_pipeline.model.mart import Mart
from nh_pipeline.transforms.select import select

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def resident_days(stays: DataFrame, horizons: DataFrame) -> DataFrame:
    """A row per stay and month with the nights in it, ``resident_days``; of open stays until the source's last export.

    The day of discharge is no resident day, as in CMS's census.
    """
    out = "coalesce(discharge_date, date_add(last_export_date, 1))"
    last = f"greatest(admit_date, date_sub({out}, 1))"
    months = "explode(sequence(trunc(admit_date, 'MM'), trunc(_last, 'MM'), interval 1 month)) as month_start"
    nights = "datediff(least(_out, add_months(month_start, 1)), greatest(admit_date, month_start))"
    return (
        stays.join(horizons.select("delivery_id", "last_export_date", "horizon"), "delivery_id", "left")
        .selectExpr("*", f"{out} as _out", f"{last} as _last")
        .selectExpr("*", months)
        .selectExpr("*", f"greatest({nights}, 0) as resident_days")
    )


def snf_months(stays: DataFrame, horizons: DataFrame) -> DataFrame:
    """Stays summed up by home and month: of admission, or of the days."""
    from pyspark.sql import functions as F

    rows = resident_days(stays, horizons).selectExpr(
        "*", "cast(month_start = trunc(admit_date, 'MM') as int) as _admitted"
    )
    by_resident = rows.groupBy("provider_id", "month_start", "patient_id").agg(
        F.expr("sum(_admitted) as snf_admissions"),
        F.expr("sum(case when rehospitalized_on is not null then _admitted else 0 end) as rehospitalized_30d"),
        F.expr("sum(case when ed_visit_on is not null then _admitted else 0 end) as ed_30d"),
        F.expr("sum(case when followed_up_on <= horizon then 0 else _admitted end) as _unfollowed"),
        F.expr("sum(resident_days) as resident_days"),
    )
    sums = ("snf_admissions", "rehospitalized_30d", "ed_30d", "_unfollowed", "resident_days")
    found = by_resident.groupBy("provider_id", "month_start").agg(
        F.expr("sum(case when resident_days > 0 then 1 else 0 end) as residents"),
        *(F.sum(name).alias(name) for name in sums),
    )
    return found.selectExpr(*select(SNF_MONTHS.columns, {"is_followed_up": "_unfollowed = 0"}))


MART = Mart(
    "snf_months",
    database="clinical_gold",
    description="One row per nursing home and month: its own admissions, what became of them, and its resident days.",
    grain=("provider_id", "month_start"),
    reads=(SNF_STAYS, HORIZON),
    transform=snf_months,
    conserves=(
        ("sum(snf_admissions)", "count(1)"),
        ("sum(rehospitalized_30d)", "count(rehospitalized_on)"),
        ("sum(ed_30d)", "count(ed_visit_on)"),
    ),
    columns=(
        SNF_STAYS.by_name["provider_id"],
        date("month_start", "First day of the month", nullable=False),
        count("snf_admissions", "Stays that began in the month", nullable=False),
        count("rehospitalized_30d", "Those with an acute stay within 30 days after admission, so far", nullable=False),
        count("ed_30d", "Those with an ED visit without admission within 30 days after it, so far", nullable=False),
        flag("is_followed_up", "All admissions of the month are 30 days behind the horizon of their source"),
        count("residents", "Patients with a night in the home in the month", nullable=False),
        count("resident_days", "Their nights", nullable=False),
    ),
    caution="Small numbers of people: what may leave the protected domain is gold.facility_outcomes",
)

SNF_MONTHS = MART.table
