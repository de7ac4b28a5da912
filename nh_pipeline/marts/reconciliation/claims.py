"""Claims-based measures: the adjusted score is observed / expected, times a national number of the measure (k)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.cms.medicare_claims import FCT_CLAIMS_MEASURES, MEASURES
from nh_pipeline.marts.reconciliation.constants import side_by_side
from nh_pipeline.marts.reconciliation.figure import Figure, Release, Subject

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_SCORES = ("adjusted", "observed", "expected")
_HALF = 0.0000005


def rows(of: Release) -> DataFrame:
    """Homes with the scores of each measure, beside the release's constants."""
    from pyspark.sql import functions as F

    scores = [
        F.expr(f"cast(max(case when measure_code = '{code}' then {score}_score end) as double) as {score}_{code}")
        for code in MEASURES
        for score in _SCORES
    ]
    homes = of["fct_claims_measures"].groupBy("provider_id").agg(*scores)
    joined = side_by_side(of["reconciliation_constants"]).crossJoin(homes)
    return joined.selectExpr("'facility' as level", "provider_id as entity", "*")


def _adjusted(code: str) -> Figure:
    observed, expected, k = f"observed_{code}", f"expected_{code}", f"k_{code}"
    times, rate = f"{k} / {expected}", f"{observed} / {expected}"
    return Figure(
        f"adjusted_score_{code}",
        FCT_CLAIMS_MEASURES,
        "adjusted_score",
        f"observed / expected x k of measure {code}",
        f"case when {expected} > 0 then {rate} * {k} end",
        theirs=f"case when {observed} is not null and {expected} is not null then adjusted_{code} end",
        decimals=6,
        tolerance=f"case when {expected} > 0 then {_HALF} * (1 + {times} + {rate} * {times} + {rate}) end",
        differs=0.001,
    )


SUBJECT = Subject(rows, tuple(_adjusted(code) for code in MEASURES))
