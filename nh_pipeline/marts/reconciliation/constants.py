"""``gold.reconciliation_constants``: national numbers that CMS's formulas take, solved from all homes of a release.

Most are printed nowhere. Each home gives a value of the constant; the constant is their median. A value further from it
than rounding explains is apart: a constant with values apart is none, which is how a wrong column of CMS shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from nh_pipeline.datasets.cms.medicare_claims import FCT_CLAIMS_MEASURES, MEASURES
from nh_pipeline.datasets.cms.providers import FCT_PROVIDER_RELEASES
from nh_pipeline.datasets.cms.snf_vbp import FCT_SNF_VBP_AGGREGATE
from nh_pipeline.model.columns import Column, category, count, flag
from nh_pipeline.model.kinds import RELEASE
from nh_pipeline.model.mart import Mart
from nh_pipeline.model.rules import Rule
from nh_pipeline.model.types import DOUBLE

if TYPE_CHECKING:
    import datetime as dt

    from pyspark.sql import DataFrame

STAFF = {
    "aide": "reported_aide_hprd",
    "lpn": "reported_lpn_hprd",
    "rn": "reported_rn_hprd",
    "total": "reported_total_hprd",
    "weekend_total": "weekend_total_hprd",
}
"""Staff whose hours CMS adjusts for case-mix, and the column of the reported ones."""

_ONE_INDEX = "2024-07-01"
"""First release whose case-mix hours are one index of the home times national figures."""


@dataclass(frozen=True)
class Constant:
    """A national number.

    Attributes:
        name: of it.
        meaning: what a row's value of it is.
        value: SQL for that value.
        slack: SQL for how far the value may be off, because what it is made of is rounded.
        since: first release that has it.
    """

    name: str
    meaning: str
    value: str
    slack: str = "0"
    since: str = ""


def _over(top: str, bottom: str) -> tuple[str, str]:
    """SQL for a quotient of two columns of five decimals, and its slack."""
    t, b = f"cast({top} as double)", f"cast({bottom} as double)"
    return f"case when {bottom} > 0 then {t} / {b} end", f"0.000005D * (1 + {t} / {b}) / {b}"


def _scale(result: str, by: str, of: str, half: str) -> tuple[str, str]:
    """SQL for k of ``result = of / by * k``, all three rounded by ``half`` at most, and its slack."""
    r, b, o = (f"cast({column} as double)" for column in (result, by, of))
    k = f"{r} * {b} / {o}"
    return (
        f"case when {result} > 0 and {by} > 0 and {of} > 0 then {k} end",
        f"{half} * {k} * (1 / {r} + 1 / {b} + 1 / {o})",
    )


OF_HOMES = (
    Constant("national_index", "Nursing case-mix index of a home / its ratio to the national one",
             *_over("case_mix_index", "case_mix_index_ratio")),
    *(
        Constant(f"n_{staff}", f"Case-mix hours ({staff}) of a home / its case-mix index ratio",
                 *_over(f"case_mix_{staff}_hprd", "case_mix_index_ratio"))
        for staff in STAFF
    ),
    *(
        Constant(f"share_{staff}", f"Case-mix hours ({staff}) of a home / its case-mix total hours",
                 *_over(f"case_mix_{staff}_hprd", "case_mix_total_hprd"), since=_ONE_INDEX)
        for staff in STAFF if staff != "total"
    ),
    *(
        Constant(f"c_{staff}", f"Adjusted hours ({staff}) of a home x case-mix / reported",
                 *_scale(f"adjusted_{staff}_hprd", f"case_mix_{staff}_hprd", reported, "0.000005D"))
        for staff, reported in STAFF.items()
    ),
)  # fmt: skip
OF_CLAIMS = tuple(
    Constant(f"k_{code}", f"Adjusted score of a home x expected / observed, measure {code}",
             *_scale("adjusted_score", "expected_score", f"case measure_code when '{code}' then observed_score end",
                     "0.0000005D"))
    for code in MEASURES
)  # fmt: skip
OF_PURCHASING = tuple(
    Constant(f"vbp_{component}", f"{title} of the readmission measure, as published",
             f"case when measure = 'snfrm' and component = '{component}' then value end")
    for component, title in (("achievement_threshold", "Achievement threshold"), ("benchmark", "Benchmark"))
)  # fmt: skip
CONSTANTS = (*OF_HOMES, *OF_CLAIMS, *OF_PURCHASING)


def _solved(lines: DataFrame, constants: tuple[Constant, ...], release: dt.date) -> DataFrame:
    """The constants of a release: their medians over the rows, and how many values are apart."""
    from pyspark.sql import functions as F

    listed = [
        f"'{c.name}', cast({c.value} as double), cast({c.slack} as double)"
        for c in constants
        if c.since <= release.isoformat()
    ]
    stacked = lines.selectExpr(f"stack({len(listed)}, {', '.join(listed)}) as (constant, _value, _slack)")
    values = stacked.where("_value is not null")
    middle = values.groupBy("constant").agg(F.expr("percentile(_value, 0.5)").alias("value"))
    apart = "abs(_value - value) > 1.5D * _slack"  # half as much again: the median is of rounded values, too
    return (
        values.join(middle, "constant")
        .groupBy("constant", "value")
        .agg(
            F.expr("cast(count(*) as int) as n"),
            F.expr("min(_value) as lowest"),
            F.expr("max(_value) as highest"),
            F.expr(f"cast(count(case when {apart} then 1 end) as int) as apart"),
        )
    )


def reconciliation_constants(
    homes: DataFrame, claims: DataFrame, purchasing: DataFrame, *, start: dt.date, **_: dt.date
) -> DataFrame:
    """The constants of the release ``start``."""
    inputs = ((homes, OF_HOMES), (claims, OF_CLAIMS), (purchasing, OF_PURCHASING))
    solved = reduce(lambda a, b: a.unionByName(b), (_solved(lines, found, start) for lines, found in inputs))
    return solved.selectExpr(
        f"date '{start.isoformat()}' as release", "constant", "value", "n", "lowest", "highest", "apart",
        "apart = 0 as is_constant",
    )  # fmt: skip


def side_by_side(constants: DataFrame) -> DataFrame:
    """One row with a column for each constant, NULL where the release has none."""
    from pyspark.sql import functions as F

    return constants.groupBy().agg(
        *(F.expr(f"max(case when constant = '{c.name}' then value end) as {c.name}") for c in CONSTANTS)
    )


def _number(name: str, description: str) -> Column:
    return Column(name=name, type=DOUBLE, description=description, nullable=False)


MART = Mart(
    "reconciliation_constants",
    description="National numbers in CMS's formulas, solved from each release: one row per constant and release.",
    grain=("release", "constant"),
    release="release",
    reads=(FCT_PROVIDER_RELEASES, FCT_CLAIMS_MEASURES, FCT_SNF_VBP_AGGREGATE),
    transform=reconciliation_constants,
    columns=(
        RELEASE,
        category("constant", f"Which number. {'; '.join(f'{c.name}: {c.meaning}' for c in CONSTANTS)}",
                 tuple(c.name for c in CONSTANTS), nullable=False),
        _number("value", "Median of the values that the homes give"),
        count("n", "Homes that give a value", nullable=False),
        _number("lowest", "Least of the values"),
        _number("highest", "Greatest of the values"),
        count("apart", "Values further from the median than rounding explains", nullable=False),
        flag("is_constant", "No value is apart"),
    ),
    rules=(
        Rule("constant", "is_constant", "a national number that differs between homes: a column of CMS is wrong, or "
             "its formula has changed", blocking=False),
    ),
    caution="The values of homes with few hours spread more, as they are rounded: look at apart, not at the range",
)  # fmt: skip

RECONCILIATION_CONSTANTS = MART.table
