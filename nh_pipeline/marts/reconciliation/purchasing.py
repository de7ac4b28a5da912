"""SNF Value-Based Purchasing, while readmissions (SNFRM) are its one measure: scores, ranks and ranges.

A rate p of the performance period, b of the baseline period, both as 1 - readmissions; threshold T and benchmark B.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.cms.snf_vbp import FCT_SNF_VBP, FCT_SNF_VBP_AGGREGATE
from nh_pipeline.marts.reconciliation.figure import Figure, Release, Subject

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_OF_MEASURE = ("baseline", "performance", "achievement_score", "improvement_score")
_OF_PROGRAMME = ("ranking", "performance_score", "multiplier")
_FIRST_OF_FOUR = "2025-10-01"
"""First day of FY 2026, whose score is of four measures."""


def _side_by_side(long: DataFrame, key: tuple[str, ...], columns: dict[str, tuple[str, str, str]]) -> DataFrame:
    """Rows of measure and component as columns: name to measure, component and the column of the figure."""
    from pyspark.sql import functions as F

    picked = (
        F.expr(
            f"cast(max(case when measure = '{measure}' and component = '{component}' then {value} end) as double) "
            f"as {name}"
        )
        for name, (measure, component, value) in columns.items()
    )
    return long.groupBy(*key).agg(*picked)


def _homes(of: Release) -> DataFrame:
    lines = of["fct_snf_vbp"].where("true" if of.date.isoformat() < _FIRST_OF_FOUR else "false")
    columns = {name: ("snfrm", name, "value") for name in _OF_MEASURE}
    return _side_by_side(
        lines, ("provider_id",), {**columns, **{name: ("programme", name, "value") for name in _OF_PROGRAMME}}
    )


def rows(of: Release) -> DataFrame:
    """Homes, with their rates turned so that more is better, beside threshold and benchmark."""
    nation = _side_by_side(
        of["fct_snf_vbp_aggregate"],
        (),
        {"t": ("snfrm", "achievement_threshold", "value"), "b": ("snfrm", "benchmark", "value")},
    )
    return nation.crossJoin(_homes(of)).selectExpr(
        "'facility' as level",
        "provider_id as entity",
        "*",
        "1 - performance as p",
        "1 - baseline as base",
        "rank() over (order by performance_score desc) as ranked",
    )  # fmt: skip


def national(of: Release) -> DataFrame:
    """The nation: CMS's ranges and count beside the homes'."""
    homes = _homes(of).selectExpr(
        *(
            f"{end}({name}) as our_{end}_{name}"
            for name in ("performance_score", "multiplier")
            for end in ("min", "max")
        ),
        "count(ranking) as our_homes",
    )
    ends = {"min": "low", "max": "high"}
    published = {
        f"{end}_{name}": ("programme", f"{name}s", ends[end])
        for name in ("performance_score", "multiplier")
        for end in ends
    }
    nation = _side_by_side(
        of["fct_snf_vbp_aggregate"], (), {**published, "homes": ("programme", "facilities", "value")}
    )
    return nation.crossJoin(homes).where("our_homes > 0").selectExpr("'nation' as level", "'NATION' as entity", "*")


_EDGE = 0.000000001

HOMES = Subject(
    rows,
    (
        Figure(
            "vbp_achievement_score",
            FCT_SNF_VBP,
            "value",
            "0 below T, 100 from B on, else 10 x (9 x (p - T) / (B - T) + 0.5)",
            f"case when p < t - {_EDGE} then 0 when p >= b - {_EDGE} then 100 "
            "else 10 * (9 * (p - t) / (b - t) + 0.5) end",
            theirs="achievement_score",
            label="Achievement Score",
            decimals=5,
            tolerance="0.00001",
        ),
        Figure(
            "vbp_improvement_score",
            FCT_SNF_VBP,
            "value",
            "0 if p is no better than b, 90 from B on, else 10 x (10 x (p - b) / (B - b) - 0.5) within 0 and 90",
            "case when improvement_score is null then null "
            f"when p <= base + {_EDGE} then 0 when p >= b - {_EDGE} then 90 "
            "else greatest(0D, least(90D, 10 * (10 * (p - base) / (b - base) - 0.5))) end",
            theirs="improvement_score",
            label="Improvement Score",
            decimals=5,
            tolerance="0.00001",
        ),
        Figure(
            "vbp_performance_score",
            FCT_SNF_VBP,
            "value",
            "the better of achievement and improvement",
            "greatest(achievement_score, coalesce(improvement_score, 0D))",
            theirs="performance_score",
            label="Performance Score",
            decimals=5,
        ),
        Figure(
            "vbp_ranking",
            FCT_SNF_VBP,
            "value",
            "rank of the performance score; equal scores share the best rank",
            "case when performance_score is not null then ranked end",
            theirs="ranking",
            label="SNF VBP Program Ranking",
        ),
    ),
)

NATION = Subject(
    national,
    (
        *(
            Figure(
                f"vbp_{end}_{name}",
                FCT_SNF_VBP_AGGREGATE,
                component,
                f"{end}imum over the homes",
                f"our_{end}_{name}",
                theirs=f"{end}_{name}",
                label=label,
                decimals=decimals,
            )
            for name, label, decimals in (
                ("performance_score", "Range of Performance Scores", 5),
                ("multiplier", "Range of Incentive Payment Multipliers", 10),
            )
            for end, component in (("min", "low"), ("max", "high"))
        ),
        Figure(
            "vbp_facilities",
            FCT_SNF_VBP_AGGREGATE,
            "value",
            "homes with a rank",
            "our_homes",
            theirs="homes",
            label="Total Number of SNFs Receiving Value-Based Incentive Payments",
        ),
    ),
)
