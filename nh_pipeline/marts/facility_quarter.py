"""``gold.facility_quarter``: one row per nursing home and quarter, with what research on staffing needs side by side.

Staffing is recomputed from the days. Attributes are those of the last release within the quarter, or the first one
after it. What CMS reports of the quarter is of the release that says so (Data Collection Intervals). Citations and
penalties are those that inspections of the quarter led to, as the last release of the year after it shows them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.cms.citations import HEALTH_CITATIONS
from nh_pipeline.datasets.cms.daily_nurse_staffing import ROLLUPS
from nh_pipeline.datasets.cms.data_collection_intervals import DATA_COLLECTION_INTERVALS
from nh_pipeline.datasets.cms.penalties import PENALTIES
from nh_pipeline.datasets.cms.providers import FCT_PROVIDER_RELEASES
from nh_pipeline.marts.facility_month import FACILITY_MONTH
from nh_pipeline.model.columns import count, date, flag, money, ratio
from nh_pipeline.model.mart import Mart, Within
from nh_pipeline.transforms.spread import quotient

if TYPE_CHECKING:
    import datetime as dt

    from pyspark.sql import DataFrame

ATTRIBUTES = (
    "provider_name", "city", "county", "urban", "ownership_type", "certified_beds", "chain_id", "chain_name",
    "special_focus_status", "abuse_icon", "overall_rating", "health_inspection_rating", "staffing_rating", "qm_rating",
)  # fmt: skip
"""What a home was like, as one release shows it."""

REPORTED = (
    "reported_total_hprd", "reported_rn_hprd", "reported_lpn_hprd", "reported_aide_hprd", "weekend_total_hprd",
    "weekend_rn_hprd", "case_mix_index", "case_mix_total_hprd", "adjusted_total_hprd", "adjusted_rn_hprd",
    "total_nursing_turnover", "rn_turnover", "administrator_departures",
)  # fmt: skip
"""What CMS reports of the quarter: HPRD, case-mix, turnover."""

_DAYS = ("days", "days_with_residents", "days_no_rn", "days_rn_under_8h", "days_missing_hours",
         "days_implausible_hours", "days_incomplete", "resident_days", "weekend_resident_days")  # fmt: skip
_HOURS = tuple(f"{name}_with_residents" for name in ROLLUPS)
_WEEKEND = ("weekend_total_hours_with_residents", "weekend_rn_hours_with_residents")

_TOTAL, _RN = (f"{name}_hours_with_residents" for name in ("total", "rn"))
HPRD = {
    "hprd_total": (_TOTAL, "resident_days"),
    "hprd_rn": (_RN, "resident_days"),
    "hprd_lpn": ("lpn_hours_with_residents", "resident_days"),
    "hprd_aide": ("aide_hours_with_residents", "resident_days"),
    "hprd_direct_care": ("direct_care_hours_with_residents", "resident_days"),
    "hprd_weekend_total": (_WEEKEND[0], "weekend_resident_days"),
    "hprd_weekend_rn": (_WEEKEND[1], "weekend_resident_days"),
    "hprd_weekday_total": (f"{_TOTAL} - {_WEEKEND[0]}", "resident_days - weekend_resident_days"),
    "hprd_weekday_rn": (f"{_RN} - {_WEEKEND[1]}", "resident_days - weekend_resident_days"),
}
"""Hours per resident day: what is divided, and by what. Days without residents are left out."""

_RATIOS = {
    **HPRD,
    "contract_share": ("contract_hours_with_residents", _TOTAL),
    "average_census": ("resident_days", "days"),
    "occupancy_rate": ("resident_days", "certified_beds * days"),
}
_EVENTS = {
    "health_citations": ("Health deficiencies cited by inspections of the quarter", "1"),
    "harm_citations": ("Of them, with actual harm or worse (G to L)", "cast(scope_severity >= 'G' as int)"),
    "jeopardy_citations": ("Of them, with immediate jeopardy (J to L)", "cast(scope_severity >= 'J' as int)"),
}
_PENALTIES = {
    "fines": ("Fines that inspections of the quarter led to", "cast(penalty_type = 'Fine' as int)"),
    "payment_denials": ("Payment denials likewise", "cast(penalty_type = 'Payment Denial' as int)"),
}
_IMPLAUSIBLE = (
    "coalesce(hprd_total < 1.5D or hprd_total > 12D or hprd_aide > 5.25D, false) or coalesce(days_missing_hours, 0) > 3"
)


def _counted(rows: DataFrame, release: str, counts: dict[str, tuple[str, str]], day: str, days: str) -> DataFrame:
    """Events of the days, per home, as a release shows them."""
    from pyspark.sql import functions as F

    sums = [F.expr(f"cast(sum({sql}) as int) as {name}") for name, (_, sql) in counts.items()]
    if "fines" in counts:
        sums.append(F.expr("cast(sum(fine_amount) as decimal(14,2)) as fine_dollars"))
    return rows.where(f"{day} between {days}").groupBy("provider_id", F.col("release").alias(release)).agg(*sums)


def facility_quarter(
    months: DataFrame, releases: DataFrame, intervals: DataFrame, citations: DataFrame, penalties: DataFrame,
    *, start: dt.date, end: dt.date,
) -> DataFrame:  # fmt: skip
    """One row per home of the months of a quarter."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    days = f"date '{start}' and date '{end}'"
    mine = months.where(f"month between {days}").groupBy("provider_id").agg(
        F.expr("max(cy_qtr) as cy_qtr"), F.expr("max(state) as state"),
        *(F.expr(f"cast(sum({name}) as int) as {name}") for name in _DAYS),
        *(F.expr(f"cast(sum({name}) as decimal(13,2)) as {name}") for name in (*_HOURS, *_WEEKEND)),
    )  # fmt: skip
    # The last release until the end of the quarter, else the first one after it.
    late = F.col("release") > F.lit(end)
    by_time = Window.partitionBy("provider_id").orderBy(late, F.expr(f"abs(datediff(release, date '{end}'))"))
    nth = F.row_number().over(by_time).alias("_nth")
    shown = releases.select("provider_id", F.col("release").alias("attributes_release"), *ATTRIBUTES, nth)
    of_quarter = intervals.where(
        f"measure_code = 'STAFFING_LEVELS' and from_date = date '{start}' and through_date = date '{end}'"
    ).agg(F.min("release").alias("_reports"))
    reported = releases.join(of_quarter, F.expr("release = _reports")).select(
        "provider_id", F.col("release").alias("reported_release"), *REPORTED
    )
    joined = mine.join(shown.where("_nth = 1").drop("_nth"), "provider_id", "left").join(
        reported, "provider_id", "left"
    )
    for rows, counts, day in ((citations, _EVENTS, "survey_date"), (penalties, _PENALTIES, "penalty_date")):
        name = f"{day.removesuffix('_date')}_release"
        known = rows.agg(F.max("release").alias(name))
        found = _counted(rows, "_release", counts, day, days).drop("_release")
        joined = joined.join(found, "provider_id", "left").crossJoin(known)
    # What no release shows is unknown; what a release does not list has not happened.
    zero = {
        name: f"case when {release} is not null then coalesce({name}, 0) end"
        for release, names in (("survey_release", _EVENTS), ("penalty_release", (*_PENALTIES, "fine_dollars")))
        for name in names
    }
    with_ratios = joined.selectExpr("*", *(f"{quotient(*parts)} as {name}" for name, parts in _RATIOS.items()))
    sql = {"quarter_start": f"date '{start}'", "is_implausible": _IMPLAUSIBLE, **zero}
    return with_ratios.selectExpr(
        *(f"cast({sql.get(c.name, c.name)} as {c.type.sql}) as {c.name}" for c in MART.columns)
    )


_MONTH, _RELEASE = FACILITY_MONTH.by_name, FCT_PROVIDER_RELEASES.by_name

MART = Mart(
    "facility_quarter",
    description="One row per nursing home and quarter: staffing, attributes, what CMS reports, citations, penalties.",
    grain=("provider_id", "quarter_start"),
    sort=("quarter_start", "provider_id"),
    quarter="quarter_start",
    reads=(
        FACILITY_MONTH,
        Within(FCT_PROVIDER_RELEASES, after=12),
        Within(DATA_COLLECTION_INTERVALS["fct_data_collection_intervals"], after=12),
        Within(HEALTH_CITATIONS["fct_health_citations"], after=12, last=True),
        Within(PENALTIES["fct_penalties"], after=12, last=True),
    ),
    transform=facility_quarter,
    conserves=(
        ("sum(days)", "sum(days)"),
        ("sum(resident_days)", "sum(resident_days)"),
        *((f"sum({name})", f"sum({name})") for name in _HOURS),
    ),
    columns=(
        _MONTH["provider_id"],
        date("quarter_start", "First day of the quarter", nullable=False),
        _MONTH["cy_qtr"],
        _MONTH["state"],
        date("attributes_release", "Release that the attributes are of: the last one in the quarter, or the next"),
        *(_RELEASE[name].having(required=False) for name in ATTRIBUTES),
        *(_MONTH[name] for name in (*_DAYS, *_HOURS, *_WEEKEND)),
        *(
            ratio(name, f"({above}) / ({below})", unit="hours per resident day" if name in HPRD else "share")
            for name, (above, below) in _RATIOS.items()
        ),
        flag("is_implausible", "CMS's rule for public use: total HPRD below 1.5 or above 12, aides above 5.25, or "
             "residents without nurse hours on more than three days; kept, not believed"),
        date("reported_release", "First release that reports the quarter, by Data Collection Intervals"),
        *(_RELEASE[name] for name in REPORTED),
        date("survey_release", "Release that the citations are of; NULL where none of the year after is known"),
        *(count(name, title) for name, (title, _) in _EVENTS.items()),
        date("penalty_release", "Release that the penalties are of; NULL where none of the year after is known"),
        *(count(name, title) for name, (title, _) in _PENALTIES.items()),
        money("fine_dollars", "Sum of these fines"),
    ),
    foreign_keys=(("provider_id", "silver.dim_providers.provider_id"),),
    caution="Sum up hours and resident days first, then divide: a mean of HPRD counts small homes like large ones",
)  # fmt: skip

FACILITY_QUARTER = MART.table
