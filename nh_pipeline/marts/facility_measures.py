"""``gold.facility_measures``: staffing of each day beside the provider and its claims measures as of that day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.cms.daily_nurse_staffing import FCT_STAFFING_LEVELS, FLAGS, ROLLUPS
from nh_pipeline.datasets.cms.medicare_claims import DIM_CLAIMS, MEASURES
from nh_pipeline.datasets.cms.providers import DIM_PROVIDERS
from nh_pipeline.model.columns import category, date, decimal, ratio
from nh_pipeline.model.mart import MATCHES, AsOf, Mart
from nh_pipeline.model.rules import Rule

if TYPE_CHECKING:
    import datetime as dt

    from pyspark.sql import DataFrame

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
"""Attributes of the provider that gold carries as of the day (state is apart: the PBJ file knows it too)."""


def facility_measures(
    facts: DataFrame, providers: DataFrame, claims: DataFrame, *, start: dt.date, end: dt.date
) -> DataFrame:
    """The days from ``start`` to ``end`` (both included) of the facts, beside both dimensions, whole.

    One row per fact row, always: a provider or measure that is unknown gives NULLs and ``unknown``.
    """
    from pyspark.sql import functions as F

    from nh_pipeline.transforms import as_of

    days = facts.selectExpr("provider_id", "work_date", "cy_qtr", "state as _state", "census", *ROLLUPS, *FLAGS)
    provider = as_of.between(as_of.holding(providers, ["provider_id"]), start, end).selectExpr(
        "provider_id as _p_id",
        "_from as _p_from",
        "_to as _p_to",
        "valid_from as provider_valid_from",
        "state",
        *PROVIDER_COLUMNS,
    )
    timeline = as_of.side_by_side(claims, "provider_id", "measure_code", "adjusted_score", MEASURES)
    measures = as_of.between(timeline, start, end).selectExpr(
        "provider_id as _c_id", "_from as _c_from", "_to as _c_to", "valid_from as _claims_from", *MEASURES.values()
    )
    joined = days
    for versions, name in ((provider, "_p"), (measures, "_c")):
        holds = f"provider_id = {name}_id and work_date >= {name}_from and work_date < {name}_to"
        joined = joined.join(versions, F.expr(holds), "left")
    sql = {
        "state": "coalesce(state, _state)",
        **{name: f"case when census > 0 then cast({hours} as double) / census end" for name, hours in HPRD.items()},
        "contract_share": (
            "case when total_hours > 0 then cast(contract_hours as double) / cast(total_hours as double) end"
        ),
        "occupancy_rate": "case when certified_beds > 0 then cast(census as double) / certified_beds end",
        "provider_match": as_of.match_sql("_p_id", "provider_valid_from", "work_date"),
        "claims_match": as_of.match_sql("_c_id", "_claims_from", "work_date"),
    }
    return joined.selectExpr(*(f"{sql.get(name, name)} as {name}" for name in FACILITY_MEASURES.names))


_FACT, _PROVIDER = FCT_STAFFING_LEVELS.by_name, DIM_PROVIDERS.by_name

MART = Mart(
    "facility_measures",
    description=(
        "One row per nursing home and day: staffing, census and hours per resident day, beside the provider's "
        "attributes, ratings and claims measures as of that day."
    ),
    grain=("provider_id", "work_date"),
    sort=("provider_id", "work_date"),
    month="work_date",
    by_day=True,
    reads=(
        FCT_STAFFING_LEVELS,
        AsOf(DIM_PROVIDERS, uses=("state", *PROVIDER_COLUMNS)),
        AsOf(DIM_CLAIMS, uses=("adjusted_score",)),
    ),
    transform=facility_measures,
    conserves=(("count(1)", "count(1)"),),
    columns=(
        *(_FACT[name] for name in ("provider_id", "work_date", "cy_qtr")),
        _PROVIDER["state"],
        _FACT["census"],
        *(_FACT[name] for name in ROLLUPS),
        *(
            ratio(
                name,
                f"{hours} / census of the day. For a group or period: sum of hours / sum of census, never a mean",
                unit="hours per resident day",
            )
            for name, hours in HPRD.items()
        ),
        ratio("contract_share", "contract_hours / total_hours", unit="share"),
        ratio("occupancy_rate", "census / certified_beds", unit="share"),
        *(_PROVIDER[name].having(required=False) for name in PROVIDER_COLUMNS),
        *(
            decimal(12, 6, name, f"Adjusted score of claims measure {code} as of the day")
            for code, name in MEASURES.items()
        ),
        category(
            "provider_match",
            "Which provider version the row carries: the one valid that day, the earliest known (the day is before "
            "it), or none",
            MATCHES,
            nullable=False,
        ),
        category("claims_match", "The same for the claims measures", MATCHES, nullable=False),
        date("provider_valid_from", "Version of dim_providers that the row carries"),
        *(_FACT[name] for name in FLAGS),
    ),
    rules=(
        Rule(
            "hprd_when_census",
            "(hprd_total is null) = (census = 0)",
            "HPRD is NULL exactly on days without residents",
        ),
    ),
    foreign_keys=(("provider_id", "silver.dim_providers.provider_id"),),
    caution="HPRD of a group or period is sum of hours / sum of census, never a mean of daily ratios",
)

FACILITY_MEASURES = MART.table
