"""Medicare Claims Quality Measures: four claims-based measures per facility (monthly; refreshed twice a year)."""

from __future__ import annotations

from nh_pipeline.datasets.cms.shared import (
    BY_PROVIDER,
    LOCATION,
    MEASURE_CODE,
    MEASURE_DESCRIPTION,
    MEASURE_PERIOD,
    PROCESSING_DATE,
    PROVIDER_ID,
    RESIDENT_TYPE,
    USED_IN_FIVE_STAR,
    WHERE,
)
from nh_pipeline.model.columns import decimal, text
from nh_pipeline.model.dataset import Dataset
from nh_pipeline.model.kinds import PerRelease, Scd2

MEASURES: dict[str, str] = {
    "521": "rehospitalization_521",
    "522": "outpatient_ed_522",
    "551": "hospitalizations_551",
    "552": "ed_visits_552",
}
"""The four measures and the columns of gold that hold them (521, 522: percent of short stays; 551, 552: per 1,000
long-stay resident days; lower is better)."""

_FACTS = (
    "adjusted_score",
    "observed_score",
    "expected_score",
    "footnote",
    "resident_type",
    "used_in_five_star",
    "measure_period",
)
_CAUTION = "The score of a period appears months after it: compare by measure_period, not by release"

MEDICARE_CLAIMS = Dataset(
    name="medicare_claims",
    title="Medicare Claims Quality Measures",
    eras=BY_PROVIDER,
    told_by=("measure_code", "adjusted_score", "observed_score"),
    released_by=PROCESSING_DATE,
    key=("provider_id", "measure_code"),
    columns=(
        PROVIDER_ID,
        *WHERE,
        MEASURE_CODE.having(description="521, 522, 551 or 552"),
        MEASURE_DESCRIPTION,
        RESIDENT_TYPE,
        decimal(
            12,
            6,
            "adjusted_score",
            "Risk-adjusted: per cent (521, 522) or per 1,000 long-stay resident days (551, 552)",
            "Adjusted Score",
            "SCORE_ADJUSTED",
            required=True,
        ),
        decimal(
            12,
            6,
            "observed_score",
            "Score before risk adjustment, same unit",
            "Observed Score",
            "SCORE_OBSERVED",
            required=True,
        ),
        decimal(
            12,
            6,
            "expected_score",
            "Score expected from the residents' risks, same unit",
            "Expected Score",
            "SCORE_EXPECTED",
            required=True,
        ),
        text("footnote", "Number of the footnote that explains a blank score", "Footnote for Score", "SCORE_FN"),
        USED_IN_FIVE_STAR,
        MEASURE_PERIOD,
        LOCATION,
        PROCESSING_DATE,
    ),
    tables=(
        Scd2(
            "dim_claims",
            description=(
                "Medicare claims-based quality measures over time (SCD2): one row per provider, measure, version."
            ),
            columns=_FACTS,
            caseless=frozenset({"resident_type"}),
            foreign_keys=(("provider_id", "silver.dim_providers.provider_id"),),
            caution=_CAUTION,
        ),
        PerRelease(
            "fct_claims_measures",
            description="Claims-based measures as each release shows them: one row per nursing home and measure.",
            columns=("provider_id", "state", "measure_code", *_FACTS),
            foreign_keys=(("provider_id", "silver.dim_providers.provider_id"),),
            caution=_CAUTION,
        ),
    ),
)

DIM_CLAIMS = MEDICARE_CLAIMS["dim_claims"]
FCT_CLAIMS_MEASURES = MEDICARE_CLAIMS["fct_claims_measures"]
