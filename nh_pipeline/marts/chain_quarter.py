"""``gold.chain_quarter``: staffing of each chain, pooled over its homes, and how far its homes differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.marts.facility_quarter import FACILITY_QUARTER, HPRD
from nh_pipeline.model.columns import count, date, hours, money, ratio
from nh_pipeline.model.mart import Mart
from nh_pipeline.transforms.spread import mean, quotient, spread

if TYPE_CHECKING:
    import datetime as dt

    from pyspark.sql import DataFrame

_POOLED = ("hprd_total", "hprd_rn", "hprd_aide", "hprd_weekend_total")
_SPREAD = ("low", "quarter", "median", "three_quarters", "high")


def chain_quarter(homes: DataFrame, *, start: dt.date, end: dt.date) -> DataFrame:
    """Homes of a quarter by their chain; a home without one is in none."""
    from pyspark.sql import functions as F

    mine = homes.where(f"chain_id is not null and quarter_start between date '{start}' and date '{end}'")
    columns = {part for name in _POOLED for part in HPRD[name]} - {"resident_days", "weekend_resident_days"}
    summed = mine.groupBy("chain_id", "quarter_start").agg(
        F.expr("max(chain_name) as chain_name"), F.expr("max(cy_qtr) as cy_qtr"),
        F.expr("cast(count(1) as int) as homes"),
        F.expr("cast(count(case when resident_days > 0 then 1 end) as int) as n"),
        F.expr("cast(count(distinct state) as int) as states"),
        *(F.expr(f"cast(sum({name}) as bigint) as {name}") for name in ("resident_days", "weekend_resident_days")),
        *(F.expr(f"cast(sum({name}) as decimal(15,2)) as {name}") for name in sorted(columns)),
        F.expr("cast(sum(contract_hours_with_residents) as decimal(15,2)) as contract_hours_with_residents"),
        F.expr("cast(sum(days_no_rn) as int) as days_no_rn"),
        F.expr("cast(sum(fines) as int) as fines"), F.expr("cast(sum(fine_dollars) as decimal(14,2)) as fine_dollars"),
        F.expr(f"{mean('hprd_total')} as hprd_total_facility_mean"),
    )  # fmt: skip
    spreads = spread(mine, ("chain_id",), "hprd_total", dict(zip(_SPREAD, (0.0, 0.25, 0.5, 0.75, 1.0), strict=True)))
    sql = {f"{name}_pooled": quotient(*HPRD[name]) for name in _POOLED}
    sql["contract_share_pooled"] = quotient("contract_hours_with_residents", "total_hours_with_residents")
    sql |= {f"hprd_total_{name}": name for name in _SPREAD}
    joined = summed.join(spreads, "chain_id", "left")
    return joined.selectExpr(*(f"cast({sql.get(c.name, c.name)} as {c.type.sql}) as {c.name}" for c in MART.columns))


_OF = FACILITY_QUARTER.by_name

MART = Mart(
    "chain_quarter",
    description="Chains: one row per chain and quarter, its homes pooled, and how far they differ.",
    grain=("chain_id", "quarter_start"),
    sort=("quarter_start", "chain_id"),
    quarter="quarter_start",
    reads=(FACILITY_QUARTER,),
    transform=chain_quarter,
    columns=(
        _OF["chain_id"].having(nullable=False),
        date("quarter_start", "First day of the quarter", nullable=False),
        _OF["chain_name"],
        _OF["cy_qtr"],
        count("homes", "Homes of the chain with staffing in the quarter", nullable=False),
        count("n", "Of them, those with residents: what means and spread are of", nullable=False),
        count("states", "States in which they are", nullable=False),
        _OF["resident_days"].having(description="Residents, summed over days and homes"),
        hours("total_hours_with_residents", "Hours of all nursing staff, of days with residents", precision=15),
        *(ratio(f"{name}_pooled", f"{' / '.join(HPRD[name])}, summed over the homes first",
                unit="hours per resident day") for name in _POOLED),
        ratio("contract_share_pooled", "Hours of contract staff / all hours, summed over the homes", unit="share"),
        ratio("hprd_total_facility_mean", "Mean of the homes' hprd_total, each counting once",
              unit="hours per resident day"),
        *(ratio(f"hprd_total_{name}", f"{told} of the homes' hprd_total", unit="hours per resident day")
          for name, told in zip(_SPREAD, ("Lowest", "Quarter (nearest rank)", "Median (nearest rank)",
                                          "Three quarters (nearest rank)", "Highest"), strict=True)),
        count("days_no_rn", "Days with residents and no registered nurse, summed over the homes"),
        count("fines", "Fines that inspections of the quarter led to; NULL where unknown"),
        money("fine_dollars", "Sum of these fines"),
    ),
    caution="A home counts for the chain that it has in the quarter's last release; chains change",
)  # fmt: skip

CHAIN_QUARTER = MART.table
