"""Gold: denormalized tables for analysts and the dashboard."""

from __future__ import annotations

import pandera.pyspark as pa
from pyspark.sql import types as T

from nh_pipeline.contracts.base import Contract, Rule, category, column, date, ratio
from nh_pipeline.contracts.silver import (
    CLAIMS_MEASURES,
    DIM_PROVIDERS,
    FCT_STAFFING_LEVELS,
    ROLLUP_TITLES,
)

HPRD: dict[str, str] = {
    "hprd_total": "total_hours",
    "hprd_rn": "rn_hours",
    "hprd_lpn": "lpn_hours",
    "hprd_aide": "aide_hours",
    "hprd_direct_care": "direct_care_hours",
}
"""Hours per resident day and the hours that each divides by census."""

PROVIDER_COLUMNS: tuple[str, ...] = (
    "provider_name",
    "city",
    "county",
    "ownership_type",
    "certified_beds",
    "chain_name",
    "chain_id",
    "special_focus_status",
    "overall_rating",
    "health_inspection_rating",
    "qm_rating",
    "staffing_rating",
)
"""Attributes of dim_providers that gold carries as of the day (state is apart: the PBJ file knows it too)."""

FLAGS: tuple[str, ...] = ("is_zero_census", "is_missing_hours", "is_implausible_hours", "is_unbalanced")

_MATCH = ["as_of", "earliest", "unknown"]
_FACT = FCT_STAFFING_LEVELS.schema.columns
_PROVIDER = DIM_PROVIDERS.schema.columns

FACILITY_MEASURES = Contract(
    schema=pa.DataFrameSchema(
        name="gold.facility_measures",
        description=(
            "One row per nursing home and day: staffing, census and hours per resident day, beside the provider's "
            "attributes, ratings and claims measures as of that day."
        ),
        unique=["provider_id", "work_date"],
        columns={
            "provider_id": _FACT["provider_id"],
            "work_date": _FACT["work_date"],
            "cy_qtr": _FACT["cy_qtr"],
            "state": _PROVIDER["state"],
            "census": _FACT["census"],
            **{name: _FACT[name] for name in ROLLUP_TITLES},
            **{
                name: ratio(
                    f"{hours} / census of the day. For a group or period: sum of hours / sum of census, never a mean",
                    unit="hours per resident day",
                )
                for name, hours in HPRD.items()
            },
            "contract_share": ratio("contract_hours / total_hours", unit="share"),
            "occupancy_rate": ratio("census / certified_beds", unit="share"),
            **{name: _PROVIDER[name] for name in PROVIDER_COLUMNS},
            **{
                name: column(
                    T.DecimalType(12, 6), f"Adjusted score of claims measure {code} as of the day", nullable=True
                )
                for code, name in CLAIMS_MEASURES.items()
            },
            "provider_match": category(
                "Which provider version the row carries: the one valid that day, the earliest known (the day is "
                "before it), or none",
                _MATCH,
            ),
            "claims_match": category("The same for the claims measures", _MATCH),
            "provider_valid_from": date("Version of dim_providers that the row carries", nullable=True),
            **{name: _FACT[name] for name in FLAGS},
        },
    ),
    layout="month",
    sort=("work_date", "provider_id"),
    rules=(
        Rule(
            "hprd_when_census",
            "(hprd_total is null) = (census = 0)",
            "HPRD is NULL exactly on days without residents",
        ),
    ),
    foreign_keys=(("provider_id", "silver.dim_providers.provider_id"),),
)
