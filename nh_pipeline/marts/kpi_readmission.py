"""``gold.kpi_readmission``: residents who came back to a hospital, by release and by fiscal year.

Two sources count differently: Medicare's claims measures of each release, and the readmission measure of value-based
purchasing (SNFRM), whose ``release`` is the first day of the programme's fiscal year.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.cms.medicare_claims import FCT_CLAIMS_MEASURES
from nh_pipeline.datasets.cms.medicare_claims import MEASURES as CLAIMS
from nh_pipeline.datasets.cms.snf_vbp import FCT_SNF_VBP
from nh_pipeline.marts.kpi import OF_RELEASE, kpi
from nh_pipeline.transforms.cms_periods import first_and_last_day
from nh_pipeline.transforms.rollup import by_level, listed

if TYPE_CHECKING:
    import datetime as dt

    from pyspark.sql import DataFrame

_MEANING = {
    "521": "short stays that were rehospitalized, adjusted, per cent",
    "522": "short stays with an outpatient emergency visit, adjusted, per cent",
    "551": "hospitalizations per 1,000 long-stay resident days, adjusted",
    "552": "outpatient emergency visits per 1,000 long-stay resident days, adjusted",
}
MEASURES = {
    **{name: (_MEANING[code],) for code, name in CLAIMS.items()},
    "snfrm_performance": ("risk-standardized share of stays with a readmission within 30 days, performance period",),
    "snfrm_baseline": ("the same in the baseline period",),
}
_NAMED = " ".join(f"when '{code}' then '{name}'" for code, name in CLAIMS.items())


def kpi_readmission(claims: DataFrame, purchasing: DataFrame, *, start: dt.date, end: dt.date) -> DataFrame:  # noqa: ARG001
    """The claims measures of the release, and the rates of the fiscal year that begins on its day."""
    first, last = first_and_last_day("measure_period")
    scores = claims.selectExpr("*", f"{first} as period_start", f"{last} as period_end")
    first, last = first_and_last_day("period")
    rates = purchasing.where("measure = 'snfrm' and component in ('performance', 'baseline')").selectExpr(
        "*", f"date '{start}' as release", f"{first} as period_start", f"{last} as period_end"
    )
    lines = listed(scores, OF_RELEASE, f"case measure_code {_NAMED} end", "adjusted_score").unionByName(
        listed(rates, OF_RELEASE, "concat('snfrm_', component)", "value")
    )
    return by_level(lines.where("measure is not null"), OF_RELEASE)


MART = kpi(
    "kpi_readmission",
    "Hospital visits of residents",
    MEASURES,
    reads=(FCT_CLAIMS_MEASURES, FCT_SNF_VBP),
    transform=kpi_readmission,
    release="release",
    caution="The measures differ in whom, when and how they count: compare one measure of one period at a time",
)
