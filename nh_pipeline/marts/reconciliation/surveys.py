"""Deficiencies by rating cycle, from the citations of the same release; and the sums within Survey Summary.

A citation may bear several of the marks standard, complaint and infection control: it counts once. Survey Summary
counts the citations of the standard inspection alone, Provider Information those of complaints too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.cms.providers import FCT_PROVIDER_RELEASES
from nh_pipeline.datasets.cms.surveys import FCT_SURVEY_SUMMARY, FIRE_CATEGORIES, HEALTH_CATEGORIES
from nh_pipeline.marts.reconciliation.figure import Figure, Release, Subject

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_CYCLES = (1, 2, 3)
_POINTS = dict(zip("DEFGHIJKL", (4, 8, 16, 20, 35, 45, 50, 100, 150), strict=True))
_MORE = {"F": 4, "H": 5, "I": 5, "J": 25, "K": 25, "L": 25}
"""Points of a citation by scope and severity, and what is added if it is substandard quality of care."""

_PAST = "lower(deficiency_corrected) like 'past non%compliance%'"
_SERIOUS = "scope_severity in ('J', 'K', 'L')"
_DISPUTED = "coalesce(under_idr, false) or coalesce(under_iidr, false)"


def _scored(points: dict[str, int]) -> str:
    return f"case scope_severity {' '.join(f'''when '{scope}' then {n}''' for scope, n in points.items())} else 0 end"


_COUNTS = {
    "cited": "count(case when standard_deficiency or complaint_deficiency or infection_control_deficiency then 1 end)",
    "standard": "count(case when standard_deficiency then 1 end)",
    "complaint": "count(case when complaint_deficiency then 1 end)",
    "points": f"sum(case when {_DISPUTED} then 0 when {_PAST} and {_SERIOUS} then 20 else {_scored(_POINTS)} end)",
    "more": f"sum(case when {_DISPUTED} or ({_PAST} and {_SERIOUS}) then 0 else {_scored(_MORE)} end)",
}
"""SQL over the citations of a home and cycle."""


def _cited(of: Release) -> DataFrame:
    """Per home, counts and points of each cycle; ``_citations``: how many of the release say their cycle at all."""
    from pyspark.sql import functions as F

    citations = of["fct_health_citations"].where("inspection_cycle is not null")
    by_cycle = citations.groupBy("provider_id", "inspection_cycle").agg(
        *(F.expr(f"cast({sql} as bigint) as {name}") for name, sql in _COUNTS.items())
    )
    wide = (
        F.expr(f"max(case when inspection_cycle = {n} then {name} end) as {name}_{n}")
        for n in _CYCLES
        for name in _COUNTS
    )
    return by_cycle.groupBy("provider_id").agg(*wide)


def _beside(homes: DataFrame, of: Release) -> DataFrame:
    from pyspark.sql import functions as F

    lines = of["fct_health_citations"].where("inspection_cycle is not null")
    loaded = lines.groupBy().agg(F.count("*").alias("_citations"))
    joined = loaded.crossJoin(homes).join(_cited(of), "provider_id", "left")
    return joined.selectExpr("'facility' as level", "provider_id as entity", "*")


def rows(of: Release) -> DataFrame:
    """Homes of Provider Information beside their citations."""
    return _beside(of["fct_provider_releases"], of)


def summaries(of: Release) -> DataFrame:
    """Homes of Survey Summary, a column for each cycle, beside their citations."""
    from pyspark.sql import functions as F

    sums = {
        "health": "health_deficiencies",
        "fire": "fire_deficiencies",
        "health_categories": " + ".join(c.name for c in HEALTH_CATEGORIES),
        "fire_categories": " + ".join(c.name for c in FIRE_CATEGORIES),
    }
    wide = (
        F.expr(f"max(case when inspection_cycle = {n} then {sql} end) as {name}_{n}")
        for n in _CYCLES
        for name, sql in sums.items()
    )
    return _beside(of["fct_survey_summary"].groupBy("provider_id").agg(*wide), of)


def _of_cycle(n: int, column: str, count: str, formula: str, tolerance: str = "0") -> Figure:
    """A column of Provider Information. Without a survey date the cycle is not there."""
    name = f"cycle_{n}_{column}"
    return Figure(
        name,
        FCT_PROVIDER_RELEASES,
        name,
        formula,
        f"case when _citations > 0 and {name} is not null then coalesce({count}_{n}, 0) end",
        tolerance=tolerance,
        differs=0.05,
    )


HOMES = Subject(
    rows,
    tuple(
        figure
        for n in _CYCLES
        for figure in (
            _of_cycle(n, "health_deficiencies", "cited", "citations of the cycle, each once"),
            _of_cycle(n, "standard_deficiencies", "standard", "citations of the cycle marked standard"),
            _of_cycle(n, "complaint_deficiencies", "complaint", "citations of the cycle marked complaint"),
            _of_cycle(
                n,
                "deficiency_score",
                "points",
                "points of the citations by scope and severity, disputed ones left out, past non-compliance of J to L "
                "20; within what substandard quality of care would add",
                tolerance=f"coalesce(more_{n}, 0)",
            ),
        )
    ),
)

SUMMARY = Subject(
    summaries,
    tuple(
        figure
        for n in _CYCLES
        for figure in (
            Figure(
                f"summary_{n}_health_deficiencies",
                FCT_SURVEY_SUMMARY,
                "health_deficiencies",
                f"citations of cycle {n} marked standard",
                f"case when _citations > 0 and health_{n} is not null then coalesce(standard_{n}, 0) end",
                theirs=f"health_{n}",
                differs=0.05,
            ),
            *(
                Figure(
                    f"summary_{n}_{kind}_deficiencies_as_sum",
                    FCT_SURVEY_SUMMARY,
                    f"{kind}_deficiencies",
                    f"sum of its categories, as published, cycle {n}",
                    f"{kind}_categories_{n}",
                    theirs=f"case when {kind}_categories_{n} is not null then {kind}_{n} end",
                )
                for kind in ("health", "fire")
            ),
        )
    ),
)
