"""``gold.peers``: where a home stands among homes like it: of its state, size, urban or rural place, and ownership."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.marts.facility_quarter import FACILITY_QUARTER
from nh_pipeline.model.columns import category, count, date, ratio, text
from nh_pipeline.model.mart import Mart
from nh_pipeline.transforms.spread import spread

if TYPE_CHECKING:
    import datetime as dt

    from pyspark.sql import DataFrame

MEASURES = {
    "hprd_total": "hours of all nursing staff per resident day",
    "hprd_rn": "hours of registered nurses per resident day",
    "hprd_aide": "hours of nurse aides per resident day",
    "hprd_weekend_total": "hours of all nursing staff per resident day on Saturdays and Sundays",
    "contract_share": "share of contract staff in all hours",
    "total_nursing_turnover": "nursing staff who left in a year, per cent",
}
"""What is compared, as in ``gold.facility_quarter``."""

SIZES = {"small": "below 60 beds", "medium": "60 to 119", "large": "120 or more"}
GROUP = {
    "size": "case when certified_beds < 60 then 'small' when certified_beds < 120 then 'medium' "
    "when certified_beds is not null then 'large' end",
    "urban": "urban",
    "ownership": "case when lower(ownership_type) like 'for profit%' then 'for profit' "
    "when lower(ownership_type) like 'non profit%' then 'non profit' "
    "when lower(ownership_type) like 'government%' then 'government' end",
}


def peers(homes: DataFrame, *, start: dt.date, end: dt.date) -> DataFrame:
    """Homes of a quarter, ranked within their group; one row per home and measure that it has a value of."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    lines = ", ".join(f"named_struct('measure', '{name}', 'value', cast({name} as double))" for name in MEASURES)
    group, made = ("state", *GROUP), [f"{sql} as {name}" for name, sql in GROUP.items()]
    rows = (
        homes.where(f"quarter_start between date '{start}' and date '{end}'")
        .selectExpr("provider_id", "quarter_start", "cy_qtr", "state", *made, f"explode(array({lines})) as _m")
        .selectExpr("provider_id", "quarter_start", "cy_qtr", *group, "_m.*")
        .where("value is not null")
    )  # fmt: skip
    of = Window.partitionBy("measure", *group)
    ranked = rows.select(
        "*",
        F.rank().over(of.orderBy("value")).alias("_lower"),
        F.count(F.lit(1)).over(of).alias("n"),
        F.count(F.lit(1)).over(Window.partitionBy("measure", *group, "value")).alias("_equal"),
    )
    key = ("measure", *group)
    medians = spread(rows, key, "value", {"group_median": 0.5}).selectExpr(
        *(f"{k} as _{k}" for k in key), "group_median"
    )
    same = " and ".join(f"{k} <=> _{k}" for k in key)
    return ranked.join(medians, F.expr(same), "left").selectExpr(
        "provider_id", "quarter_start", "cy_qtr", *group, "measure", "value", "cast(n as int) as n",
        "100D * (cast(_lower - 1 as double) + 0.5D * cast(_equal as double)) / cast(n as double) as percentile",
        "group_median",
    )  # fmt: skip


_OF = FACILITY_QUARTER.by_name

MART = Mart(
    "peers",
    description="Homes among their like: one row per nursing home, quarter and measure.",
    grain=("provider_id", "quarter_start", "measure"),
    sort=("quarter_start", "provider_id", "measure"),
    quarter="quarter_start",
    reads=(FACILITY_QUARTER,),
    transform=peers,
    columns=(
        _OF["provider_id"],
        date("quarter_start", "First day of the quarter", nullable=False),
        _OF["cy_qtr"],
        _OF["state"],
        category("size", "Certified beds: " + "; ".join(f"`{k}` {v}" for k, v in SIZES.items()), tuple(SIZES)),
        text("urban", "Y if in an urban area; NULL in releases that do not say (before October 2025)"),
        category("ownership", "Who owns the home, in three kinds", ("for profit", "non profit", "government")),
        category("measure", "What is compared. " + "; ".join(f"`{k}`: {v}" for k, v in MEASURES.items()),
                 tuple(MEASURES), nullable=False),
        ratio("value", "Of the home", unit=""),
        count("n", "Homes of the group with a value, itself included", unit="homes", nullable=False),
        ratio("percentile", "Share of the group below it, and half of those equal to it", unit="per cent"),
        ratio("group_median", "Median of the group (nearest rank)", unit=""),
    ),
    foreign_keys=(("provider_id", "silver.dim_providers.provider_id"),),
    caution="A percentile among few homes says little: look at n",
)  # fmt: skip
