"""Ownership: who owns or manages each nursing home, in which role, since when (NH_Ownership, monthly).

"Owner" is wide: officers, directors, managers, lenders and accountants are listed, too. Look at the role first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.cms.shared import BY_PROVIDER, LOCATION, PROCESSING_DATE, PROVIDER_ID, WHERE
from nh_pipeline.model.columns import date, percent, text
from nh_pipeline.model.dataset import Dataset
from nh_pipeline.model.kinds import PerRelease
from nh_pipeline.transforms import values

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_FACTS = (
    PROVIDER_ID,
    text("role", "What the owner or manager is to the home", "Role played by Owner or Manager in Facility", "ROLE_DESC",
         required=True),
    text("owner_type", "Individual or Organization", "Owner Type", "OWNER_TYPE", required=True),
    text("owner_name", "Name of the person or organization", "Owner Name", "OWNER_NAME", required=True),
    text("ownership_percentage", "Share as CMS writes it: 5%, NOT APPLICABLE or NO PERCENTAGE PROVIDED",
         "Ownership Percentage", "OWNER_PERCENTAGE"),
    text("association_date", "Since when, as CMS writes it: since 01/25/2012 or NO DATE PROVIDED", "Association Date",
         "ASSOCIATION_DATE"),
)  # fmt: skip


def read_owners(lines: DataFrame) -> DataFrame:
    """Reads the share and the day out of CMS's words."""
    said = lines.selectExpr(
        "*",
        "replace(ownership_percentage, '%', '') as _share",
        "case when lower(association_date) like 'since %' then substr(association_date, 7) end as _since",
    )
    return said.selectExpr(
        "*",
        f"{values.decimal('_share', 8, 4)} as ownership_percent",
        f"{values.date('_since', day_first=False)} as associated_since",
    )


OWNERSHIP = Dataset(
    name="ownership",
    title="Ownership",
    eras=BY_PROVIDER,
    told_by=("provider_id", "role", "owner_type", "owner_name", "processing_date"),
    released_by=PROCESSING_DATE,
    columns=(*_FACTS, *WHERE, LOCATION, PROCESSING_DATE),
    tables=(
        PerRelease(
            "fct_ownership",
            description="Owners and managers as each release lists them: one row per home, role and owner.",
            columns=tuple(column.name for column in _FACTS),
            adds=(
                percent("ownership_percent", "Share, NULL where CMS gives no number", scale=4),
                date("associated_since", "First day in the role, NULL where CMS gives none"),
            ),
            transform=read_owners,
            repeats=tuple(column.name for column in _FACTS),
            foreign_keys=(("provider_id", "silver.dim_providers.provider_id"),),
            caution=(
                "Shares do not add up to 100: direct and indirect owners stand beside each other, and many have no "
                "number. A chain is told by the chain of the home, not by names of owners"
            ),
        ),
    ),
)
