"""Reported staffing of Provider Information, from the days of the quarter that the release reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.cms.providers import FCT_PROVIDER_RELEASES
from nh_pipeline.marts.reconciliation.figure import Figure, Release, Subject

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_SUMS = {
    "aide": ("aide_hours_with_residents", "resident_days"),
    "lpn": ("lpn_hours_with_residents", "resident_days"),
    "rn": ("rn_hours_with_residents", "resident_days"),
    "total": ("total_hours_with_residents", "resident_days"),
    "weekend_total": ("weekend_total_hours_with_residents", "weekend_resident_days"),
    "weekend_rn": ("weekend_rn_hours_with_residents", "weekend_resident_days"),
    "residents": ("resident_days", "days"),
}
"""What is summed over the quarter, and what divides it."""


def _quarters(months: DataFrame) -> DataFrame:
    """Rates of each home and quarter of which all three months are there."""
    from pyspark.sql import functions as F

    added = sorted({name for pair in _SUMS.values() for name in pair} | {"days_no_rn"})
    grouped = months.groupBy("provider_id", "cy_qtr").agg(
        F.count("month").alias("_months"), *(F.expr(f"sum({name}) as {name}") for name in added)
    )
    rates = (
        f"case when {n} > 0 then cast({x} as double) / cast({n} as double) end as {k}" for k, (x, n) in _SUMS.items()
    )
    return grouped.where("_months = 3").selectExpr("provider_id as _id", "cy_qtr", *rates, "days_no_rn as without_rn")


def _quarter(of: Release) -> DataFrame:
    """One row: the quarter of staffing that the release reports, NULL if that is not known.

    CMS renews staffing in January, April, July and October: where a release has no intervals, those of a release before
    it in the same calendar quarter say the same.
    """
    from pyspark.sql import functions as F

    same = f"date_trunc('quarter', release) = date_trunc('quarter', {of.sql})"
    found = of["fct_data_collection_intervals"].where(f"measure_code = 'STAFFING_LEVELS' and {same}")
    return found.groupBy().agg(F.expr("max(concat(year(from_date), 'Q', quarter(from_date))) as quarter"))


def rows(of: Release) -> DataFrame:
    """Homes as the release reports them, beside the rates of its quarter, and the quarter that fits otherwise."""
    from pyspark.sql import functions as F

    homes = of["fct_provider_releases"]
    quarter = _quarter(of)
    quarters = quarter.crossJoin(_quarters(of["facility_month"]))
    reported = homes.selectExpr("provider_id as _id", "reported_total_hprd as _reported")
    fits = "abs(total - cast(_reported as double)) <= 1e-5"
    rates = (
        quarters.join(reported, "_id")
        .groupBy("_id")
        .agg(
            *(F.expr(f"max(case when cy_qtr = quarter then {name} end) as {name}") for name in (*_SUMS, "without_rn")),
            F.expr(f"max(case when {fits} and (quarter is null or cy_qtr <> quarter) then cy_qtr end) as fits"),
        )
    )
    joined = quarter.crossJoin(homes).join(rates, F.expr("provider_id = _id"), "left")
    return joined.selectExpr(
        "'facility' as level",
        "provider_id as entity",
        "*",
        "rn + lpn as licensed",
        "count(staffing_rating_footnote) over () > 0 as _footnotes",
    )


def _of_days(name: str, formula: str, ours: str) -> Figure:
    return Figure(
        name,
        FCT_PROVIDER_RELEASES,
        name,
        formula,
        ours,
        decimals=1 if name == "average_residents_per_day" else 5,
        tolerance="0" if name == "average_residents_per_day" else _PARTS,
        otherwise="case when fits is not null then 'series of another quarter' end",
        note="case when quarter is null then concat('no interval', coalesce(concat(': fits ', fits), '')) "
        "when fits is not null then concat('fits ', fits) end",
        differs=0.01,
    )


_PARTS = "0.000015"
"""Licensed and total hours can be sums of rounded parts."""

_HOURS = "hours of the quarter's days with residents / residents summed over all of its days"
# Footnote 12 meant several things: of the homes that bear it, those without many such days are left out.
_FOOTNOTE = "coalesce(staffing_rating_footnote, '')"
_RATED = f"staffing_rating is not null and (without_rn >= 4 or {_FOOTNOTE} <> '12')"
_JOBS = ("aide", "lpn", "rn", "licensed", "total")

SUBJECT = Subject(
    rows,
    (
        *(_of_days(f"reported_{job}_hprd", f"{job} {_HOURS}", job) for job in _JOBS),
        *(
            _of_days(f"{name}_hprd", f"the same of Saturdays and Sundays, {name.partition('_')[2]} hours", name)
            for name in ("weekend_total", "weekend_rn")
        ),
        _of_days("average_residents_per_day", "residents summed over the quarter's days / days", "residents"),
        Figure(
            "reported_licensed_hprd_as_sum",
            FCT_PROVIDER_RELEASES,
            "reported_licensed_hprd",
            "RN + LPN, as published",
            "reported_rn_hprd + reported_lpn_hprd",
            decimals=5,
            tolerance=_PARTS,
        ),
        Figure(
            "reported_total_hprd_as_sum",
            FCT_PROVIDER_RELEASES,
            "reported_total_hprd",
            "nurse aides + licensed, as published",
            "reported_aide_hprd + reported_licensed_hprd",
            decimals=5,
            tolerance=_PARTS,
        ),
        Figure(
            "staffing_footnote_days_without_rn",
            FCT_PROVIDER_RELEASES,
            "staffing_rating_footnote",
            "1 (footnote 24; 12 until 2024) where 4 days or more of the quarter had residents and no RN",
            f"case when {_RATED} then cast(without_rn >= 4 as int) end",
            theirs=f"case when _footnotes and {_RATED} then cast({_FOOTNOTE} in ('12', '24') as int) end",
            differs=0.01,
        ),
        Figure(
            "staffing_rating_of_footnote",
            FCT_PROVIDER_RELEASES,
            "staffing_rating",
            "1 star where the footnote says: no data, none that can be verified, or many days without RN (12, 23-25)",
            "case when staffing_rating_footnote in ('12', '23', '24', '25') then 1 end",
            theirs="case when staffing_rating_footnote in ('12', '23', '24', '25') then staffing_rating end",
        ),
    ),
)
