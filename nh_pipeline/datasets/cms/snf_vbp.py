"""SNF Value-Based Purchasing: what Medicare pays a home more or less for its results (a file per programme year).

The header cells of measures carry fiscal years, and measures are added: one (SNFRM, readmissions) until FY 2025, four
in FY 2026. So these cells are no columns: bronze gathers them by their pattern, and each becomes rows of measure and
component. A measure of a later year does so, too, under the name that its cells give it.

Rates are shares of 1. Scores, thresholds and benchmarks are of the performance as the programme turns it, so that more
is better: 1 - rate for readmissions and infections.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.cms.shared import ANY, BY_PROVIDER, PROVIDER_ID, WHERE
from nh_pipeline.model.columns import Column, count, decimal, text
from nh_pipeline.model.dataset import Dataset
from nh_pipeline.model.kinds import PerRelease
from nh_pipeline.model.rules import Rule
from nh_pipeline.transforms import values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyspark.sql import DataFrame

# Of cells in words: small letters and digits with single blanks, "footnote snf hai measure score".
_PERIOD = "(baseline|performance) period fy [0-9]{4} "
_COMPONENT = "(achievement|improvement|measure) score|achievement threshold|benchmark"
MEASURE_CELLS = f"(footnote )?({_PERIOD}.+|(.+ )?({_COMPONENT}))"
"""The cells of measures, of both files."""

_PROGRAMME = "programme"
_NAMES = {
    "": "snfrm",
    "readmission": "snfrm",
    "healthcare associated infection": "snf hai",
    "total nursing staff hours per resident day": "total nurse staffing",
}
"""What the cells of a measure call its rate, where that is not the name of the measure; none until FY 2025."""


def gathered(lines: DataFrame, key: Sequence[str], fixed: Mapping[str, tuple[str, str]]) -> DataFrame:
    """The figures of each line as rows: ``key``, measure, component, period, ``as_published`` and footnote.

    They are the cells of measures that bronze has gathered, and the ``fixed`` columns: component to the columns of the
    figure and its footnote.
    """
    from pyspark.sql import functions as F

    same = (*key, "fiscal_year", "delivery_id")
    cells = lines.selectExpr(*same, "explode(from_json(extra_columns, 'map<string,string>')) as (_cell, _told)")
    worded = cells.selectExpr(
        *same,
        "lower(trim(regexp_replace(_cell, '[^A-Za-z0-9]+', ' '))) as _words",
        f"{values.text('_told')} as _told",
    ).where(rf"_words rlike '^{MEASURE_CELLS}\\z'")
    figures = (
        worded.selectExpr("*", "regexp_replace(_words, '^footnote ', '') as _figure")
        .groupBy(*same, "_figure")
        .agg(
            F.expr("max(case when _words = _figure then _told end) as as_published"),
            F.expr("max(case when _words <> _figure then _told end) as footnote"),
        )
    )
    measure = (
        "trim(regexp_replace(regexp_replace(_figure, "
        "'^((baseline|performance) period )?(fy [0-9]{4} )?((national average|risk standardized|adjusted) )*', ''), "
        rf"'(rate|{_COMPONENT})\\z', ''))"
    )
    named = " ".join(f"when '{found}' then '{name}'" for found, name in _NAMES.items())
    component = (
        f"case when _figure rlike '^{_PERIOD}' then substring_index(_figure, ' ', 1) "
        rf"else replace(regexp_extract(_figure, '({_COMPONENT})\\z', 1), ' ', '_') end"
    )
    period = (
        "case when _figure rlike 'fy [0-9]{4} ' then concat('FY', regexp_extract(_figure, 'fy ([0-9]{4}) ', 1)) end"
    )
    of_measures = figures.selectExpr(
        *same,
        f"case {measure} {named} else {measure} end as measure",
        f"{component} as component",
        f"{period} as period",
        "as_published",
        "footnote",
    )
    listed = ", ".join(f"'{name}', cast({figure} as string), {footnote}" for name, (figure, footnote) in fixed.items())
    of_programme = lines.selectExpr(
        *same, f"stack({len(fixed)}, {listed}) as (component, as_published, footnote)"
    ).selectExpr(
        *same, f"'{_PROGRAMME}' as measure", "component", "cast(null as string) as period", "as_published", "footnote"
    )
    return of_measures.unionByName(of_programme)


_NUMBER = "[$]?([0-9]{1,12}|[1-9][0-9]{0,2}(,[0-9]{3})+)([.][0-9]{1,10})?"


def number(told: str) -> str:
    """SQL for the number that a text is, perhaps dollars with commas at the thousands; NULL if it is none."""
    plain = f"regexp_replace({told}, '[$,]', '')"
    return rf"case when {told} rlike '^{_NUMBER}\\z' then try_cast({plain} as decimal(22,10)) end"


_FIXED = {
    "ranking": ("ranking", "ranking_footnote"),
    "performance_score": ("performance_score", "performance_score_footnote"),
    "multiplier": ("multiplier", "multiplier_footnote"),
}


def facility_figures(lines: DataFrame) -> DataFrame:
    """The figures of each home: one row per measure and component."""
    return gathered(lines, ("provider_id", "state"), _FIXED).selectExpr("*", f"{number('as_published')} as value")


_TOTALS = ("performance_scores", "facilities", "multipliers", "payments", "total_payments")


def national_figures(lines: DataFrame) -> DataFrame:
    """The figures of the nation: one row per measure and component; of a range, its ends."""
    found = gathered(lines, (), {name: (name, "cast(null as string)") for name in _TOTALS})
    ends = (f"regexp_extract(as_published, '^([$0-9.,]+) *- *([$0-9.,]+)', {nth})" for nth in (1, 2))
    low, high = map(number, ends)
    return found.selectExpr("*", f"{number('as_published')} as value", f"{low} as low", f"{high} as high")


_MEASURE = (
    text("measure", "Measure in the words of its header cells (snfrm: readmissions), or programme: of all together",
         nullable=False),
    text("component", "Which figure of it, such as baseline, performance, achievement_score, multiplier",
         nullable=False),
    text("period", "Fiscal year that the figure is of, as its header cell says: FY2022"),
)  # fmt: skip
_VALUE = decimal(22, 10, "value", "The figure; NULL if CMS gives none, or a text")
_PUBLISHED = text("as_published", "The figure as it is written; NULL if there is none")
_FOOTNOTE = text("footnote", "Why CMS gives no figure, or how it was found")


def _with_footnote(figure: Column) -> tuple[Column, Column]:
    return figure, text(f"{figure.name}_footnote", f"Footnote: {figure.description}", f"Footnote -- {figure.source}")


SNF_VBP_FACILITY = Dataset(
    name="snf_vbp_facility",
    title="SNF Value-Based Purchasing - Facility",
    eras=BY_PROVIDER,
    told_by=("provider_id", "ranking", "multiplier"),
    by_fiscal_year=True,
    key=("provider_id",),
    columns=(
        *_with_footnote(count("ranking", "Rank by performance score; equal scores share the best",
                              "SNF VBP Program Ranking", required=True)),
        PROVIDER_ID,
        *WHERE,
        *_with_footnote(decimal(9, 5, "performance_score", "0 to 100, of all measures", "Performance Score")),
        *_with_footnote(decimal(12, 10, "multiplier", "What Medicare's payments are multiplied by",
                                "Incentive Payment Multiplier", required=True)),
    ),
    gathers=MEASURE_CELLS,
    tables=(
        PerRelease(
            "fct_snf_vbp",
            description="Value-based purchasing: one row per fiscal year, home, measure and component.",
            columns=("provider_id", "state"),
            needs=tuple(column for pair in _FIXED.values() for column in pair),
            adds=(*_MEASURE, _VALUE, _PUBLISHED, _FOOTNOTE),
            transform=facility_figures,
            reshapes=True,
            grain=("provider_id", "measure", "component"),
            rules=(
                Rule(
                    "value_is_a_number",
                    "value is not null or as_published is null",
                    "CMS wrote a figure as text: see as_published",
                    blocking=False,
                ),
            ),
            foreign_keys=(("provider_id", "silver.dim_providers.provider_id"),),
            caution="The fiscal year is the programme's: its figures are of the periods two years before and earlier",
        ),
    ),
)  # fmt: skip

SNF_VBP_AGGREGATE = Dataset(
    name="snf_vbp_aggregate",
    title="SNF Value-Based Purchasing - Aggregate",
    eras=ANY,
    told_by=("multipliers", "facilities"),
    by_fiscal_year=True,
    columns=(
        text("performance_scores", "Range of the performance scores", "Range of Performance Scores"),
        text("facilities", "Homes with payments", "Total Number of SNFs Receiving Value-Based Incentive Payments",
             required=True),
        text("multipliers", "Range of the multipliers", "Range of Incentive Payment Multipliers", required=True),
        text("payments", "Range of the payments, US dollars", "Range of Value-Based Incentive Payments ($)"),
        text("total_payments", "All payments, US dollars", "Total Amount of Value-Based Incentive Payments ($)"),
    ),
    gathers=MEASURE_CELLS,
    tables=(
        PerRelease(
            "fct_snf_vbp_aggregate",
            description="Value-based purchasing in the nation: one row per fiscal year, measure and component.",
            columns=(),
            needs=_TOTALS,
            adds=(
                *_MEASURE,
                _VALUE,
                decimal(22, 10, "low", "Lower end of a range"),
                decimal(22, 10, "high", "Upper end of a range"),
                _PUBLISHED,
                _FOOTNOTE,
            ),
            transform=national_figures,
            reshapes=True,
            grain=("measure", "component"),
        ),
    ),
)  # fmt: skip

FCT_SNF_VBP = SNF_VBP_FACILITY["fct_snf_vbp"]
FCT_SNF_VBP_AGGREGATE = SNF_VBP_AGGREGATE["fct_snf_vbp_aggregate"]
