"""``gold.reconciliation``: every figure of CMS that public files give again, beside ours; and its summary."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

from nh_pipeline.datasets.cms.citations import FCT_HEALTH_CITATIONS
from nh_pipeline.datasets.cms.covid_vaccination import FCT_COVID_VACCINATION, FCT_COVID_VACCINATION_AVERAGES
from nh_pipeline.datasets.cms.data_collection_intervals import FCT_DATA_COLLECTION_INTERVALS
from nh_pipeline.datasets.cms.mds_quality_measures import FCT_MDS_MEASURES
from nh_pipeline.datasets.cms.medicare_claims import FCT_CLAIMS_MEASURES
from nh_pipeline.datasets.cms.penalties import FCT_PENALTIES
from nh_pipeline.datasets.cms.providers import FCT_PROVIDER_RELEASES
from nh_pipeline.datasets.cms.snf_vbp import FCT_SNF_VBP, FCT_SNF_VBP_AGGREGATE
from nh_pipeline.datasets.cms.state_us_averages import FCT_STATE_AVERAGES
from nh_pipeline.datasets.cms.surveys import FCT_SURVEY_SUMMARY
from nh_pipeline.marts.facility_month import FACILITY_MONTH
from nh_pipeline.marts.reconciliation import (
    averages,
    case_mix,
    chains,
    claims,
    penalties,
    purchasing,
    ratings,
    staffing,
    surveys,
    vaccination,
)
from nh_pipeline.marts.reconciliation.constants import RECONCILIATION_CONSTANTS
from nh_pipeline.marts.reconciliation.figure import VERDICTS, Figure, Release
from nh_pipeline.model.columns import Column, category, count, flag, ratio, text
from nh_pipeline.model.kinds import RELEASE
from nh_pipeline.model.mart import Mart, Previous, Within
from nh_pipeline.model.rules import Rule, literal
from nh_pipeline.model.types import DOUBLE, TEXT

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import DataFrame

SUBJECTS = (
    staffing.SUBJECT,
    case_mix.HOMES,
    case_mix.NATION,
    averages.SUBJECT,
    claims.SUBJECT,
    ratings.SUBJECT,
    surveys.HOMES,
    surveys.SUMMARY,
    penalties.SUBJECT,
    chains.SUBJECT,
    vaccination.SUBJECT,
    purchasing.HOMES,
    purchasing.NATION,
)
FIGURES = {figure.name: figure for subject in SUBJECTS for figure in subject.figures}
"""Every rule by its name."""

READS = (
    FCT_PROVIDER_RELEASES,
    RECONCILIATION_CONSTANTS,
    FCT_STATE_AVERAGES,
    FCT_CLAIMS_MEASURES,
    FCT_MDS_MEASURES,
    FCT_HEALTH_CITATIONS,
    FCT_SURVEY_SUMMARY,
    FCT_COVID_VACCINATION,
    FCT_COVID_VACCINATION_AVERAGES,
    FCT_SNF_VBP,
    FCT_SNF_VBP_AGGREGATE,
    Previous(FCT_PENALTIES),
    Within(FCT_DATA_COLLECTION_INTERVALS, before=2, last=True),
    Within(FACILITY_MONTH, before=12),
)


def reconciliation(*frames: DataFrame, start: date, **_: date) -> DataFrame:
    """The figures of the release ``start``, of all subjects."""
    of = Release(start, {table.short: frame for table, frame in zip(MART.inputs, frames, strict=True)})
    compared = (subject.compared(of) for subject in SUBJECTS)
    return reduce(lambda a, b: a.unionByName(b), compared).selectExpr(f"{of.sql} as release", "*")


def _number(name: str, description: str) -> Column:
    return Column(name=name, type=DOUBLE, description=description)


_RULE = text("rule", "Which figure, and how it is recomputed: see docs/reconciliation.md", nullable=False)
_LEVEL = category("level", "What the figure is of", ("facility", "chain", "state", "nation"), nullable=False)

MART = Mart(
    "reconciliation",
    description="CMS's published figures beside the same ones recomputed: one row per release, rule and entity.",
    grain=("release", "rule", "entity"),
    release="release",
    reads=READS,
    transform=reconciliation,
    columns=(
        RELEASE,
        _RULE,
        _LEVEL,
        text("entity", "CCN, chain number, postal code, or the nation as the file calls it", nullable=False),
        _number("ours", "Recomputed; NULL if an input is missing"),
        _number("theirs", "As CMS publishes it; NULL where it is left blank"),
        _number("difference", "Ours - theirs"),
        _number("tolerance", "Difference that rounding explains"),
        category(
            "verdict", "; ".join(f"{name}: {told}" for name, told in VERDICTS.items()), tuple(VERDICTS), nullable=False
        ),
        text("note", "Short remark, where the two are not equal"),
    ),
    caution="A mismatch is a difference, not a mistake of CMS's: look at the rule and at what was loaded first",
)

RECONCILIATION = MART.table

_APART = ("input missing", "suppressed")


def _told(figure: Figure) -> str:
    """A rule as SQL values."""
    texts = ", ".join(literal(text, TEXT) for text in (figure.name, figure.published, figure.formula))
    return f"{texts}, {literal(figure.differs, DOUBLE)}"


def reconciliation_summary(compared: DataFrame, **_: date) -> DataFrame:
    """Counts of the verdicts for each rule of the release, beside what the rule is."""
    from pyspark.sql import functions as F

    counts = (
        F.expr(f"cast(count(case when verdict = '{name}' then 1 end) as int) as {_column(name)}") for name in VERDICTS
    )
    grouped = compared.groupBy("release", "rule", "level").agg(
        F.expr("cast(count(*) as int) as n"),
        *counts,
        F.expr("max(case when verdict = 'mismatch' then abs(difference) end) as worst"),
    )
    listed = (
        f"stack({len(FIGURES)}, {', '.join(map(_told, FIGURES.values()))}) as (rule, published, formula, may_differ)"
    )
    rules = compared.groupBy().agg(F.count("*")).selectExpr(listed)
    of = f"n - {' - '.join(map(_column, _APART))}"
    return grouped.join(rules, "rule").selectExpr(
        "release", "rule", "published", "formula", "level", "n", *map(_column, VERDICTS), "worst", "may_differ",
        f"mismatch <= may_differ * ({of}) as holds",
    )  # fmt: skip


def _column(verdict: str) -> str:
    return verdict.replace(" ", "_")


SUMMARY = Mart(
    "reconciliation_summary",
    description="How the rules of gold.reconciliation hold: one row per release, rule and level.",
    grain=("release", "rule", "level"),
    release="release",
    reads=(RECONCILIATION,),
    transform=reconciliation_summary,
    columns=(
        RELEASE,
        _RULE,
        text("published", "CMS's file and column", nullable=False),
        text("formula", "How it is recomputed", nullable=False),
        _LEVEL,
        count("n", "Entities of which CMS or we have the figure", nullable=False),
        *(count(_column(name), f"Of them: {told}", nullable=False) for name, told in VERDICTS.items()),
        _number("worst", "Greatest difference among the mismatches"),
        ratio("may_differ", "Share of the compared entities that may be mismatches", unit="share").having(
            nullable=False
        ),
        flag("holds", "No more mismatches than that"),
    ),
    rules=(
        Rule(
            "rules_hold",
            "holds",
            "figures of CMS that do not follow from its files: see their rows in gold.reconciliation",
            blocking=False,
        ),
    ),
)
