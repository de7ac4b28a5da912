"""Files that are recognised and kept, without tables of them: the columns that tell each."""

from __future__ import annotations

import re

from nh_pipeline.datasets.cms.shared import ANY, BY_PROVIDER, PROCESSING_DATE, PROVIDER_ID
from nh_pipeline.model.columns import Column, text
from nh_pipeline.model.dataset import Dataset


def _kept(
    name: str,
    title: str,
    *columns: str | Column,
    released_by: Column | None = PROCESSING_DATE,
    by_fiscal_year: bool = False,
    value: tuple[str, str] | None = None,
) -> Dataset:
    """A dataset that is recognised and kept. Several spellings of a cell are separated by ``|``."""
    found = tuple(
        column
        if isinstance(column, Column)
        else text(re.sub(r"\W+", "_", column.split("|")[0].casefold()), column, *column.split("|"), required=True)
        for column in columns
    )
    found += (released_by,) if released_by else ()
    return Dataset(
        name=name,
        title=title,
        columns=found,
        eras=BY_PROVIDER if PROVIDER_ID in found else ANY,
        told_by=tuple(column.name for column in found),
        released_by=released_by,
        by_fiscal_year=by_fiscal_year,
        on_the_first=released_by is PROCESSING_DATE,
        value=value,
    )


RAW_ONLY = (
    _kept("snf_vbp_facility", "SNF Value-Based Purchasing - Facility", PROVIDER_ID, "SNF VBP Program Ranking",
          "Incentive Payment Multiplier", released_by=None, by_fiscal_year=True),
    _kept("snf_vbp_aggregate", "SNF Value-Based Purchasing - Aggregate", "Range of Incentive Payment Multipliers",
          "Total Number of SNFs Receiving Value-Based Incentive Payments", released_by=None, by_fiscal_year=True),
)  # fmt: skip
