"""SNF Quality Reporting Program: measures of skilled nursing facilities, of the nation and of swing beds (undated).

Every number is a line: a rate, its confidence limits, its numerator, its verdict against the nation. The start and end
dates say which days are meant. A line can be printed twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nh_pipeline.datasets.cms.shared import ANY, BY_PROVIDER, CITY, MEASURE_CODE, NAME, PROVIDER_ID, STATE, ZIP
from nh_pipeline.model.columns import date, decimal, text
from nh_pipeline.model.dataset import Dataset
from nh_pipeline.model.kinds import PerRelease

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from nh_pipeline.model.columns import Column

_MEASURE = (
    MEASURE_CODE.having(description="Measure and part of it, as S_004_01_PPR_PD_RSRR", labels=("Measure Code",)),
    text("score", "Number or verdict as CMS writes it; NULL where it is not available", "Score", required=True),
    text("score_footnote", "Numbers of the footnotes that explain the score", "Footnote"),
    date("start_date", "First day that is counted", "Start Date", required=True),
    date("end_date", "Last day that is counted", "End Date", required=True),
    text("measure_date_range", "The days in words, where they are no interval", "Measure Date Range"),
)
_WHERE = (
    NAME,
    text("address", "Street address", "Address Line 1"),
    CITY,
    STATE,
    ZIP,
    text("county", "County or parish", "County/Parish"),
    text("phone", "Telephone number", "Telephone Number"),
    text("cms_region", "Region of CMS, 1 to 10", "CMS Region", required=True),
    text("location", "Address in one line", "LOCATION1"),
)
_ADDRESS_2 = text("address_line_2", "Rest of the street address", "Address Line 2", required=True)
_NATION = text("state_or_nation", "NATION: this file has nothing else", "CMS Certification Number (CCN)", required=True,
               nullable=False)  # fmt: skip
_TOLD_BY = ("measure_code", "score", "start_date", "end_date")


def read_scores(lines: DataFrame) -> DataFrame:
    """Reads the score as a number, where it is one."""
    number = r"'^-?[0-9]{1,9}([.][0-9]{1,6})?\\z'"
    return lines.selectExpr(
        "*", f"case when score rlike {number} then try_cast(score as decimal(15,6)) end as score_value"
    )


def _table(name: str, entity: Column, description: str, **more: Any) -> PerRelease:
    return PerRelease(
        name,
        description=description,
        columns=(entity.name, *(column.name for column in _MEASURE)),
        adds=(
            decimal(
                15, 6, "score_value", "The score where it is a number: per cent, a ratio or a count, as the code says"
            ),
        ),
        transform=read_scores,
        repeats=(entity.name, "measure_code"),
        caution="Codes end in what the number is: never average over codes. A line with nth over 1 was printed twice",
        **more,
    )


SNF_QRP_PROVIDER = Dataset(
    name="snf_qrp_provider",
    title="SNF QRP - Provider",
    eras=BY_PROVIDER,
    told_by=("provider_id", *_TOLD_BY, "cms_region"),
    columns=(PROVIDER_ID, *_MEASURE, *_WHERE),
    tables=(
        _table(
            "fct_snf_qrp",
            PROVIDER_ID,
            "Measures of the SNF Quality Reporting Program: one row per facility and measure code.",
            foreign_keys=(("provider_id", "silver.dim_providers.provider_id"),),
        ),
    ),
)

SWING_BED_SNF = Dataset(
    name="swing_bed_snf",
    title="SNF QRP Swing Beds - Provider",
    eras=BY_PROVIDER,
    told_by=("provider_id", *_TOLD_BY, "cms_region", "address_line_2"),
    columns=(PROVIDER_ID, *_MEASURE, *_WHERE[:2], _ADDRESS_2, *_WHERE[2:]),
    tables=(
        _table(
            "fct_swing_bed",
            PROVIDER_ID,
            "The same measures of hospitals that use beds for skilled nursing: one row per hospital and measure code.",
        ),
    ),
)

SNF_QRP_NATIONAL = Dataset(
    name="snf_qrp_national",
    title="SNF QRP - National",
    eras=ANY,
    told_by=("state_or_nation", *_TOLD_BY),
    columns=(_NATION, *_MEASURE),
    tables=(
        _table(
            "fct_snf_qrp_national",
            _NATION,
            "The same measures of the nation: one row per measure code. Not the mean of the facilities.",
        ),
    ),
)
