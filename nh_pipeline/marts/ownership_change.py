"""``gold.ownership_change``: staffing of homes around a change of owner, beside homes of their state without one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.marts.changes import CHANGES
from nh_pipeline.marts.facility_quarter import FACILITY_QUARTER, HPRD
from nh_pipeline.model.columns import category, count, date, integer, ratio
from nh_pipeline.model.mart import Mart, Within
from nh_pipeline.model.rules import Between
from nh_pipeline.transforms.spread import mean, quotient

if TYPE_CHECKING:
    import datetime as dt

    from pyspark.sql import DataFrame

QUARTERS = 8
"""Before and after the change."""

_MEASURES = ("hprd_total", "hprd_rn", "hprd_aide", "hprd_weekend_total")
_MONTHS = 3 * QUARTERS
EVENTS = {
    "changed_owner": "CMS's mark that the owner changed in the last 12 months came up",
    "ownership_type": "the kind of owner became another one",
}


def ownership_change(homes: DataFrame, changes: DataFrame, *, start: dt.date, end: dt.date) -> DataFrame:
    """The homes of one quarter with a change of owner within eight quarters of it; of several, one row each."""
    from pyspark.sql import functions as F

    since = f"cast(({start.year} - year(release)) * 4 + {(start.month + 2) // 3} - quarter(release) as int)"
    events = changes.where(
        "(what = 'changed_ownership' and after = 'Y') or what = 'ownership_type'"
    ).selectExpr(
        "provider_id", "release as change_release", f"{since} as quarters_since",
        "case what when 'changed_ownership' then 'changed_owner' else what end as event",
    ).where(f"quarters_since between -{QUARTERS} and {QUARTERS}")  # fmt: skip
    mine = homes.where(f"quarter_start between date '{start}' and date '{end}'")
    changed = events.selectExpr("provider_id as _changed").distinct()
    others = mine.join(changed, F.expr("provider_id = _changed"), "left").where("_changed is null")
    beside = others.groupBy(F.col("state").alias("_state")).agg(
        F.expr("cast(count(hprd_total) as int) as n_unchanged"),
        *(F.expr(f"{mean(name)} as {name}_unchanged_mean") for name in _MEASURES),
        *(F.expr(f"{quotient(*(f'sum({part})' for part in HPRD[name]))} as {name}_unchanged_pooled")
          for name in _MEASURES),
    )  # fmt: skip
    joined = events.join(mine, "provider_id").join(beside, F.expr("state <=> _state"), "left")
    sql = {"n_unchanged": "coalesce(n_unchanged, 0)"}
    return joined.selectExpr(*(f"cast({sql.get(c.name, c.name)} as {c.type.sql}) as {c.name}" for c in MART.columns))


_OF = FACILITY_QUARTER.by_name

MART = Mart(
    "ownership_change",
    description="Quarters around a change of owner: one row per nursing home, change and quarter.",
    grain=("provider_id", "event", "change_release", "quarter_start"),
    sort=("quarter_start", "provider_id", "change_release"),
    quarter="quarter_start",
    reads=(FACILITY_QUARTER, Within(CHANGES, before=_MONTHS, after=_MONTHS)),
    transform=ownership_change,
    columns=(
        _OF["provider_id"],
        category("event", "How the change shows. " + "; ".join(f"`{k}`: {v}" for k, v in EVENTS.items()),
                 tuple(EVENTS), nullable=False),
        date("change_release", "Release that first shows the change; the change is up to some months older",
             nullable=False),
        date("quarter_start", "First day of the quarter", nullable=False),
        integer("quarters_since", "Quarters from that of the release to this one; negative before it", nullable=False,
                allowed=Between(-QUARTERS, QUARTERS)),
        _OF["state"],
        _OF["ownership_type"],
        _OF["chain_id"],
        _OF["resident_days"],
        *(_OF[name] for name in (*_MEASURES, "contract_share")),
        count("n_unchanged", "Homes of the state without a change within eight quarters", nullable=False),
        *(ratio(f"{name}_unchanged_mean", f"Mean of their {name}, each counting once", unit="hours per resident day")
          for name in _MEASURES),
        *(ratio(f"{name}_unchanged_pooled", f"{name} of all of them pooled", unit="hours per resident day")
          for name in _MEASURES),
    ),
    foreign_keys=(("provider_id", "silver.dim_providers.provider_id"),),
    caution="Homes that are sold differ from others before they are: a difference is not the sale's effect",
)  # fmt: skip
