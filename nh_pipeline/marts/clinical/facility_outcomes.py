"""``gold.facility_outcomes``: a home's own rates of hospital visits beside CMS's measures and its staffing, by month.

It may be shown to anybody: a count of fewer than 11 people or stays, and each rate of it, is NULL (CMS's cell size
policy). There is no complementary suppression: a hidden count is not guarded against what a reader could derive from
other figures, as no total of homes or months is published beside it. ``clinical_gold.snf_months`` has the counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.cms.medicare_claims import DIM_CLAIMS, MEASURES
from nh_pipeline.marts.clinical.snf_months import SNF_MONTHS
from nh_pipeline.marts.facility_measures import FACILITY_MEASURES
from nh_pipeline.marts.facility_month import FACILITY_MONTH
from nh_pipeline.model.columns import count, decimal, flag, integer, ratio, text
from nh_pipeline.model.mart import AsOf, Mart
from nh_pipeline.model.rules import Rule
from nh_pipeline.transforms.cms_periods import first_and_last_day
from nh_pipeline.transforms.select import select
from nh_pipeline.transforms.spread import quotient

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

FEWEST = 11
"""The least count that may be shown."""

_SHORT_STAY = ("521", "522")
_COUNTS = {
    "snf_admissions": "snf_admissions",
    "own_rehospitalized_30d": "rehospitalized_30d",
    "own_ed_30d": "ed_30d",
    "residents": "residents",
}
_RATES = {"own_rehospitalization_rate": "rehospitalized_30d", "own_ed_rate": "ed_30d"}


def _shown(value: str, *counts: str) -> str:
    """SQL for a value, if all the counts behind it may be shown."""
    return f"case when {' and '.join(f'{count} >= {FEWEST}' for count in counts)} then {value} end"


def facility_outcomes(months: DataFrame, staffing: DataFrame, claims: DataFrame) -> DataFrame:
    """Months of homes, with the staffing of the month and CMS's measures as of its last day."""
    from pyspark.sql import functions as F

    from nh_pipeline.transforms import as_of

    hours = staffing.selectExpr(
        "provider_id",
        "month as month_start",
        f"{quotient('total_hours_with_residents', 'resident_days')} as hprd_total",
    )
    found = months.join(hours, ["provider_id", "month_start"], "left").selectExpr("*", "last_day(month_start) as _day")
    for code in _SHORT_STAY:
        versions = as_of.holding(claims.where(F.col("measure_code") == code), ["provider_id"]).selectExpr(
            f"provider_id as _id_{code}",
            f"_from as _from_{code}",
            f"_to as _to_{code}",
            f"valid_from as _known_{code}",
            f"adjusted_score as {MEASURES[code]}",
            f"measure_period as measure_period_{code}",
        )
        holds = f"provider_id = _id_{code} and _day >= _from_{code} and _day < _to_{code}"
        found = found.join(versions, F.expr(holds), "left")
    _, last = first_and_last_day("measure_period_521")
    hidden = " or ".join(f"{name} < {FEWEST}" for name in _COUNTS.values())
    sql = {
        **{name: _shown(count, count) for name, count in _COUNTS.items()},
        **{
            name: _shown(
                f"case when is_followed_up then {quotient(count, 'snf_admissions')} end", count, "snf_admissions"
            )
            for name, count in _RATES.items()
        },
        "resident_days": _shown("resident_days", "residents"),
        "is_suppressed": hidden,
        "claims_match": as_of.match_sql("_id_521", "_known_521", "_day"),
        "months_behind": f"12 * (year(_day) - year({last})) + month(_day) - month({last})",
    }
    return found.selectExpr(*select(FACILITY_OUTCOMES.columns, sql))


_OF, _MEASURES = SNF_MONTHS.by_name, FACILITY_MEASURES.by_name
_HIDDEN = f"NULL if it is less than {FEWEST}"

MART = Mart(
    "facility_outcomes",
    description=(
        "One row per nursing home and month of its own records: admissions and hospital visits of its residents, "
        "beside its staffing and CMS's measures as of the end of the month. Small numbers are hidden."
    ),
    grain=("provider_id", "month_start"),
    reads=(SNF_MONTHS, FACILITY_MONTH, AsOf(DIM_CLAIMS, uses=("adjusted_score", "measure_period"))),
    transform=facility_outcomes,
    conserves=(("count(1)", "count(1)"),),
    columns=(
        _OF["provider_id"],
        _OF["month_start"],
        count("snf_admissions", f"Stays that began in the month; {_HIDDEN}"),
        count("own_rehospitalized_30d", f"Those with an acute stay within 30 days after admission; {_HIDDEN}"),
        ratio("own_rehospitalization_rate", "Their share, once all of the month are followed up", unit="share"),
        count("own_ed_30d", f"Those with an ED visit without admission within 30 days after it; {_HIDDEN}"),
        ratio("own_ed_rate", "Their share, once all of the month are followed up", unit="share"),
        count("residents", f"Patients with a night in the home in the month; {_HIDDEN}"),
        count("resident_days", "Their nights; NULL with them"),
        ratio("hprd_total", "Hours of nurses per resident day of the month, by PBJ", unit="hours per resident day"),
        *(
            decimal(
                12,
                6,
                MEASURES[code],
                f"Adjusted score of CMS's measure {code} as of the month's last day",
                unit="per cent",
            )
            for code in _SHORT_STAY
        ),
        _MEASURES["claims_match"].having(
            description="Which version of 521: the one valid that day, the earliest known (later than it), or none"
        ),
        text("measure_period_521", "What 521 is about, as CMS writes it"),
        integer("months_behind", "Months from the end of that period to this month", unit="months"),
        flag("is_followed_up", _OF["is_followed_up"].description),
        flag("is_suppressed", f"A count is hidden, as it is less than {FEWEST}"),
    ),
    rules=(
        *(
            Rule(f"{name}_not_small", f"{name} >= {FEWEST}", "a small count must be hidden: look at the transform")
            for name in _COUNTS
        ),
        *(
            Rule(
                f"{rate}_of_shown_counts",
                f"{rate} is null or ({_name} is not null and snf_admissions is not null)",
                "a rate tells the count that it is made of: hide both",
            )
            for rate, _name in zip(_RATES, ("own_rehospitalized_30d", "own_ed_30d"), strict=True)
        ),
    ),
    foreign_keys=(("provider_id", "silver.dim_providers.provider_id"),),
    caution="Own rates are observed, CMS's are risk-adjusted, of Medicare stays and of another period: compare trends",
)

FACILITY_OUTCOMES = MART.table
