"""``gold.citations``: every deficiency once, out of all releases, which overlap.

Lines of two releases are the same citation if home, day and kind of inspection, tag and edition of the code agree.
Lines of one release that agree so far are several citations, told apart by severity, the gravest first: of them there
are as many as in the release that shows most. What CMS changes later (severity after a dispute, correction, the cycle
that it counts in) is as the last release shows it.

A citation that no release shows any more has aged out of the inspections that releases cover, or was withdrawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.cms.citations import FCT_FIRE_SAFETY_CITATIONS, FCT_HEALTH_CITATIONS
from nh_pipeline.model.columns import category, count, date, flag
from nh_pipeline.model.mart import Mart

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_CITED = (*FCT_FIRE_SAFETY_CITATIONS.kind.repeats,)
_LATEST = tuple(c for c in FCT_HEALTH_CITATIONS.kind.columns if c not in _CITED)


def merged(health: DataFrame, fire: DataFrame) -> DataFrame:
    """Citations as each release shows them, as citations: each once, as the last release that has it shows it."""
    key = ("survey_type", *_CITED)
    shown = health.selectExpr(
        "'health' as survey_type", *_CITED[:-1], f"cast(null as string) as {_CITED[-1]}", *_LATEST, "release", "nth"
    ).unionByName(fire.selectExpr("'fire safety' as survey_type", *_CITED, *_LATEST, "release", "nth"))
    placed = shown.selectExpr(
        *key,
        *_LATEST,
        "release",
        f"cast(row_number() over (partition by release, {', '.join(key)} "
        "order by scope_severity desc, correction_date, nth) as int) as nth",
    )
    seen = f"over (partition by {', '.join(key)}, nth order by release)"
    once = placed.selectExpr(
        *key,
        "nth",
        *_LATEST,
        f"first(scope_severity) {seen} as first_scope_severity",
        f"first(release) {seen} as first_release",
        "release as last_release",
        f"lead(release) {seen} as _next",
    ).where("_next is null")
    newest = shown.groupBy("survey_type").agg({"release": "max"})
    return once.join(newest, "survey_type").selectExpr(
        *(c.name for c in MART.columns if c.name != "is_current"), "last_release = `max(release)` as is_current"
    )


_FACT = FCT_FIRE_SAFETY_CITATIONS.by_name

MART = Mart(
    "citations",
    description="Every health and fire safety deficiency that any release shows: one row per citation.",
    columns=(
        category("survey_type", "Kind of inspection", ("health", "fire safety"), nullable=False),
        *(_FACT[name] for name in _CITED),
        count("nth", "Nth of the citations that agree so far", nullable=False),
        *(_FACT[name] for name in _LATEST),
        _FACT["scope_severity"].having(
            name="first_scope_severity", description="Scope and severity in the first release that shows it"
        ),
        date("first_release", "First release that shows it", nullable=False),
        date("last_release", "Last release that shows it", nullable=False),
        flag("is_current", "In the latest release of its kind"),
    ),
    grain=("survey_type", *_CITED, "nth"),
    reads=(FCT_HEALTH_CITATIONS, FCT_FIRE_SAFETY_CITATIONS),
    transform=merged,
    foreign_keys=(("provider_id", "silver.dim_providers.provider_id"),),
    caution="Count rows, never standard plus complaint. Homes without a citation are not in it",
)

CITATIONS = MART.table
