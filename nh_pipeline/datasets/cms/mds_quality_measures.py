"""MDS Quality Measures: shares of residents, from the assessments of four quarters (NH_QualityMsr_MDS, monthly).

A code may go (471, 2024), be replaced (405 by 480, 419 by 481) or change its meaning (451, 2025): the description in
the same release says what was counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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
from nh_pipeline.model.columns import percent, text
from nh_pipeline.model.dataset import Dataset
from nh_pipeline.model.kinds import PerRelease

if TYPE_CHECKING:
    from nh_pipeline.model.columns import Column


def _score(name: str, title: str, label: str, *older: str, required: bool = False) -> tuple[Column, Column]:
    footnote = f"Number of the footnote that explains a blank {title} (9 too few residents, 28 a measure of a year)"
    told = f"Residents counted by the measure, {title}"
    return (
        percent(name, told, label, older[0], scale=6, required=required),
        text(f"{name}_footnote", footnote, f"Footnote for {label}", older[1]),
    )


_FACTS = (
    PROVIDER_ID,
    MEASURE_CODE,
    MEASURE_DESCRIPTION,
    RESIDENT_TYPE,
    *_score("q1_score", "first quarter", "Q1 Measure Score", "Q1_MEASURE_SCORE", "Q1_MEASURE_FN"),
    *_score("q2_score", "second quarter", "Q2 Measure Score", "Q2_MEASURE_SCORE", "Q2_MEASURE_FN"),
    *_score("q3_score", "third quarter", "Q3 Measure Score", "Q3_MEASURE_SCORE", "Q3_MEASURE_FN"),
    *_score("q4_score", "fourth quarter", "Q4 Measure Score", "Q4_MEASURE_SCORE", "Q4_MEASURE_FN"),
    *_score(
        "four_quarter_average",
        "four-quarter average",
        "Four Quarter Average Score",
        "MEASURE_SCORE_4QTR_AVG",
        "SCORE4QTR_FN",
        required=True,
    ),
    USED_IN_FIVE_STAR,
    MEASURE_PERIOD,
)

MDS_QUALITY_MEASURES = Dataset(
    name="mds_quality_measures",
    title="MDS Quality Measures",
    eras=BY_PROVIDER,
    told_by=("provider_id", "measure_code", "four_quarter_average", "processing_date"),
    released_by=PROCESSING_DATE,
    every_facility=False,  # all are there, but a measure that goes takes a twentieth of the lines with it
    key=("provider_id", "measure_code"),
    columns=(*_FACTS, *WHERE, LOCATION, PROCESSING_DATE),
    tables=(
        PerRelease(
            "fct_mds_measures",
            description="MDS quality measures as each release shows them: one row per nursing home and measure.",
            columns=tuple(column.name for column in _FACTS),
            foreign_keys=(("provider_id", "silver.dim_providers.provider_id"),),
            caution=(
                "The four-quarter average is weighted by residents: the mean of the quarters is another number. "
                "Whether less is better depends on the measure. The scores of 2023Q3-2024Q2 stand in all releases from "
                "October 2024 to September 2025"
            ),
        ),
    ),
)

FCT_MDS_MEASURES = MDS_QUALITY_MEASURES["fct_mds_measures"]
