"""Provider Information: ratings and survey scores that follow from other columns of the same row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.cms.providers import FCT_PROVIDER_RELEASES
from nh_pipeline.marts.reconciliation.figure import Figure, Release, Subject

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_FIVE_EARNS = "2022-07-01"
"""First release in which only five stars for staffing earn a star more. Before, four did, if above the inspections'."""

_TWO_CYCLES = "2025-07-01"
"""First release whose survey score weighs two cycles (three quarters, one quarter), not three (1/2, 1/3, 1/6)."""

_CYCLES = ("cycle_1", "cycle_2", "cycle_3", "cycle_2_3")


def _stars(number: str) -> str:
    """SQL for a number within 1 and 5; NULL stays NULL."""
    return f"case when {number} < 1 then 1 when {number} > 5 then 5 else {number} end"


def rows(of: Release) -> DataFrame:
    """Homes, with the overall rating step by step: inspections, then staffing, then quality measures."""
    homes = of["fct_provider_releases"]
    earns = (
        "staffing_rating = 5"
        if of.date.isoformat() >= _FIVE_EARNS
        else "staffing_rating >= 4 and staffing_rating > health_inspection_rating"
    )
    staffing = f"case when {earns} then 1 when staffing_rating = 1 then -1 else 0 end"
    quality = "case qm_rating when 5 then 1 when 1 then -1 else 0 end"
    first = homes.selectExpr("*", f"health_inspection_rating + {staffing} as _first")
    second = first.selectExpr("*", f"{_stars('_first')} + {quality} as _second")
    total = [f"cast({cycle}_total_score as double)" for cycle in _CYCLES]
    score = (
        f"0.75D * {total[0]} + 0.25D * {total[3]}"
        if of.date.isoformat() >= _TWO_CYCLES
        else f"coalesce({total[0]} / 2 + {total[1]} / 3 + {total[2]} / 6, 0.6D * {total[0]} + 0.4D * {total[1]})"
    )
    scored = "partition by state, weighted_health_survey_score is null"
    return second.selectExpr(
        "'facility' as level",
        "provider_id as entity",
        "*",
        f"{_stars('_second')} as _third",
        f"{score} as _score",
        f"(rank() over ({scored} order by weighted_health_survey_score) - 0.5D) / count(*) over ({scored}) as _place",
        f"count(*) over ({scored}) as _homes",
        f"cast(cycle_1_survey_date < add_months(date_sub({of.sql}, 1), -24) as int) as _over_2_years",
    )


def _total(cycle: str) -> Figure:
    return Figure(
        f"{cycle}_total_score",
        FCT_PROVIDER_RELEASES,
        f"{cycle}_total_score",
        "points for deficiencies + points for revisits",
        f"{cycle}_deficiency_score + {cycle}_revisit_score",
    )


def _revisit(cycle: str) -> Figure:
    points, revisits = f"cast({cycle}_deficiency_score as double)", f"{cycle}_revisits"
    per_cent = f"case when {revisits} < 2 then 0 when {revisits} = 2 then 50 when {revisits} = 3 then 70 else 85 end"
    return Figure(
        f"{cycle}_revisit_score",
        FCT_PROVIDER_RELEASES,
        f"{cycle}_revisit_score",
        "points for deficiencies x 0.5, 0.7, 0.85 from the second, third, fourth revisit on, rounded",
        f"case when {revisits} is not null then floor(({points} * {per_cent} + 50) / 100) end",
    )


_FEW = 10
"""States with fewer homes have no tenth and no fifth."""

_PLACED = (
    f"case when weighted_health_survey_score is null or _homes < {_FEW} then null when _place <= 0.1D then 5 "
    "when _place <= 1 / 3D then 4 when _place <= 17 / 30D then 3 when _place <= 0.8D then 2 else 1 end"
)
_EARNED = f"case when abuse_icon = 'Y' and {_PLACED} > 2 then 2 else {_PLACED} end"

SUBJECT = Subject(
    rows,
    (
        Figure(
            "health_inspection_rating",
            FCT_PROVIDER_RELEASES,
            "health_inspection_rating",
            "place of the weighted score in the state: five stars for the best tenth, one for the worst fifth, four to "
            "two for a third each of the rest; at most two with the abuse icon. In states of ten homes and more",
            _EARNED,
            theirs=f"case when _homes >= {_FEW} then health_inspection_rating end",
            # CMS changes the rating of a home only when its own score changes, not when its place in the state does.
            otherwise=f"case when abs({_EARNED} - health_inspection_rating) = 1 then 'held' end",
            differs=0.001,
        ),
        Figure(
            "overall_rating",
            FCT_PROVIDER_RELEASES,
            "overall_rating",
            "inspection stars; +1 for five stars of staffing, -1 for one; +1 for five stars of quality, -1 for one; "
            "each within 1 to 5, and at most 2 with one star of inspections",
            "case when health_inspection_rating = 1 and _third > 2 then 2 else _third end",
        ),
        Figure(
            "health_inspection_rating_with_abuse_icon",
            FCT_PROVIDER_RELEASES,
            "health_inspection_rating",
            "at most 2 stars where the home bears the abuse icon",
            "case when abuse_icon = 'Y' and health_inspection_rating > 2 then 2 "
            "when abuse_icon = 'Y' then health_inspection_rating end",
            theirs="case when abuse_icon = 'Y' then health_inspection_rating end",
        ),
        Figure(
            "weighted_health_survey_score",
            FCT_PROVIDER_RELEASES,
            "weighted_health_survey_score",
            "1/2, 1/3 and 1/6 of the cycles' scores (0.6 and 0.4 without a third cycle); since July 2025 3/4 and 1/4",
            "_score",
            decimals=3,
            tolerance="case when weighted_health_survey_score >= 1000 then 0.005 else 0 end",  # six digits are printed
        ),
        *(_total(cycle) for cycle in _CYCLES),
        *(_revisit(cycle) for cycle in _CYCLES[:3]),
        Figure(
            "inspected_over_2_years_ago",
            FCT_PROVIDER_RELEASES,
            "inspected_over_2_years_ago",
            "1 where the last standard survey was before the day two years before the day before the release",
            "_over_2_years",
            theirs="case inspected_over_2_years_ago when 'Y' then 1 when 'N' then 0 end",
        ),
    ),
)
