"""NPPES, the registry of National Provider Identifiers: the whole of it each month, what changed each week.

Nothing in a file says which of both it is, and nothing need: an NPI never leaves the registry but is deactivated, by a
line of its own. So each file tells of the NPIs that it names, as of its latest change, and nothing of all others.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nh_pipeline.datasets.cms.nppes_columns import COLUMNS, LAST_UPDATE_DATE, TAXONOMIES
from nh_pipeline.datasets.cms.shared import ANY
from nh_pipeline.model.columns import text, yes_no
from nh_pipeline.model.dataset import Dataset
from nh_pipeline.model.kinds import Scd2
from nh_pipeline.transforms import values

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

NURSING_HOMES = ("314000000X", "313M00000X", "3140N1450X")
"""Taxonomies of nursing homes: skilled nursing facility, nursing facility, pediatric skilled nursing facility."""

_STATED = (
    "entity_type", "replacement_npi", "organization_name", "other_name", "other_name_type_code", "last_name",
    "first_name", "practice_street", "practice_city", "practice_state", "practice_country", "practice_phone",
    "enumeration_date", "last_update_date", "parent_name",
)  # fmt: skip
_STATUS = ("deactivation_date", "deactivation_reason_code", "reactivation_date")

_CODES = [f"taxonomy_{n}" for n in TAXONOMIES]
_PRIMARY = [f"case when taxonomy_switch_{n} = 'Y' then taxonomy_{n} end" for n in TAXONOMIES]
_MADE = {
    "ein": "nullif(ein, '<UNAVAIL>')",
    "practice_zip5": r"case when practice_zip rlike '^[0-9]{5}(-?[0-9]{4})?\\z' then substr(practice_zip, 1, 5) end",
    "primary_taxonomy": f"coalesce({', '.join((*_PRIMARY, *_CODES))})",
    "taxonomies": f"nullif(concat_ws(';', array_sort(array_distinct(array({', '.join(_CODES)})))), '')",
    "is_sole_proprietor": values.boolean("sole_proprietor"),
    "is_subpart": values.boolean("subpart"),
}
_IS_ACTIVE = "deactivation_date is null or coalesce(reactivation_date > deactivation_date, false)"


def scope() -> str:
    """The lines whose NPIs are kept, by the setting, which a job elsewhere has in its environment alone."""
    if os.environ.get("NH_NPPES_SCOPE") == "all":
        return ""
    wanted = ", ".join(f"'{code}'" for code in NURSING_HOMES)
    return f"entity_type = '2' and ({' or '.join(f'{code} in ({wanted})' for code in _CODES)})"


def states(lines: DataFrame) -> DataFrame:
    """What the registry says of an NPI in each release; a deactivated one has nothing left but what it had before."""
    from nh_pipeline.transforms.scd2 import with_last_said

    key = ("npi", "release", "delivery_id", "reason")
    made = [f"{sql} as {name}" for name, sql in _MADE.items()]
    known = lines.selectExpr(*key, *_STATUS, f"{_IS_ACTIVE} as is_active", *_STATED, *made)
    kept = with_last_said(known, ["npi"], (*_STATED, *_MADE), "reason is null and entity_type is not null")
    return kept.drop("_source")


NPPES = Dataset(
    name="nppes",
    title="NPPES (National Provider Identifiers)",
    eras=ANY,
    told_by=("npi", "entity_type", "replacement_npi", "last_update_date"),
    changed_by=LAST_UPDATE_DATE,
    key=("npi",),
    columns=COLUMNS,
    tables=(
        Scd2(
            "dim_npi",
            description="Providers of the NPI registry over time (SCD2): one row per NPI and version.",
            columns=(*_STATED, *_STATUS),
            needs=(
                "ein", "practice_zip", "sole_proprietor", "subpart", *_CODES,
                *(f"taxonomy_switch_{n}" for n in TAXONOMIES),
            ),
            adds=(
                text("ein", "Employer Identification Number, if it is not withheld"),
                text("practice_zip5", "First five digits of the ZIP code of the practice; none abroad"),
                text("primary_taxonomy", "Taxonomy that is marked as the primary one; if none is, the first"),
                text("taxonomies", "All its taxonomies, sorted, with a semicolon between them"),
                yes_no("is_sole_proprietor", "Whether the person is a sole proprietor; none if not answered"),
                yes_no("is_subpart", "Whether the organisation is part of another one; none if not answered"),
                yes_no("is_active", "Whether it was never deactivated, or activated again later"),
            ),
            transform=states,
            untracked=("last_update_date",),
            scope=scope,
            caution=(
                "By default of organisations that have ever had a taxonomy of nursing homes (NH_NPPES_SCOPE). What is "
                "deactivated keeps the attributes that it had last: ask is_active"
            ),
        ),
    ),
)  # fmt: skip

DIM_NPI = NPPES["dim_npi"]
