"""Data Collection Intervals: the days that each measure of a release covers (NH_DataCollectionIntervals, monthly).

The only file that says which quarter of staffing a release reports: measure ``STAFFING_LEVELS``.
"""

from __future__ import annotations

from nh_pipeline.datasets.cms.shared import ANY, MEASURE_CODE, MEASURE_DESCRIPTION, PROCESSING_DATE
from nh_pipeline.model.columns import date, text
from nh_pipeline.model.dataset import Dataset
from nh_pipeline.model.kinds import PerRelease
from nh_pipeline.model.rules import Rule

DATA_COLLECTION_INTERVALS = Dataset(
    name="data_collection_intervals",
    title="Data Collection Intervals",
    eras=ANY,
    told_by=("measure_code", "from_date", "through_date", "processing_date"),
    released_by=PROCESSING_DATE,
    key=("measure_code",),
    columns=(
        MEASURE_CODE,
        MEASURE_DESCRIPTION,
        date("from_date", "First day that is counted", "Data Collection Period From Date", required=True),
        date("through_date", "Last day that is counted", "Data Collection Period Through Date", required=True),
        text("measure_date_range", "The days in words, where they are no interval", "Measure Date Range"),
        PROCESSING_DATE,
    ),
    tables=(
        PerRelease(
            "fct_data_collection_intervals",
            description="Days that the figures of a release cover: one row per measure and release.",
            rules=(
                Rule(
                    "days_in_order",
                    "from_date <= through_date",
                    "a measure ends before it begins: compare the file with what CMS publishes",
                    blocking=False,
                ),
            ),
        ),
    ),
)

FCT_DATA_COLLECTION_INTERVALS = DATA_COLLECTION_INTERVALS["fct_data_collection_intervals"]
