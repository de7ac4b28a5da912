"""Hours per resident day of any days and homes, summed up first; the same of each home, averaged, beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboard.words import STAFF

if TYPE_CHECKING:
    import pandas as pd

    from dashboard.asking import Ask
    from dashboard.filters import Filters

_SUMS = f"""
    count(distinct m.provider_id) as homes, count(*) as days, sum(m.census) as resident_days,
    {", ".join(f"cast(sum(case when m.census > 0 then m.{s}_hours end) as double) as {s}_hours" for s in STAFF)},
    sum(case when m.census > 0 and not m.is_incomplete then 1 else 0 end) as days_counted,
    sum(case when m.census > 0 and not m.is_incomplete and m.rn_hours = 0 then 1 else 0 end) as days_no_rn,
    sum(case when m.census > 0 and not m.is_incomplete and m.rn_hours < 8 then 1 else 0 end) as days_rn_under_8h
"""
_RATIOS = ", ".join(
    [f"{s}_hours / nullif(resident_days, 0) as hprd_{s}" for s in STAFF if s != "contract"]
    + ["contract_hours / nullif(total_hours, 0) as contract_share"]
)


def pooled(ask: Ask, filters: Filters, by: str = "'all'") -> pd.DataFrame:
    """One row per value of ``by`` (SQL on ``gold.facility_measures as m``): hours over residents, both summed first.

    Columns: ``part``, ``homes``, ``days``, ``resident_days``, ``<kind>_hours`` of days with residents, ``hprd_<kind>``,
    ``contract_share``, and of ``days_counted`` (days with residents, none that CMS cut off) ``days_no_rn`` and
    ``days_rn_under_8h``.
    """
    where, values = filters.where
    sums = f"select {by} as part, {_SUMS} from gold.facility_measures as m where {where} group by 1"
    return ask(f"select *, {_RATIOS} from ({sums}) as s order by part", *values)


def facility_mean(ask: Ask, filters: Filters, by: str = "'all'") -> pd.DataFrame:
    """The same ratios of each home over the period, averaged with equal weight, as CMS averages: ``part``, ``n``."""
    where, values = filters.where
    kinds = [s for s in STAFF if s != "contract"]
    sums = (
        f"select {by} as part, m.provider_id, sum(m.census) as resident_days, "
        + ", ".join(f"cast(sum(case when m.census > 0 then m.{s}_hours end) as double) as {s}_hours" for s in STAFF)
        + f" from gold.facility_measures as m where {where} group by 1, 2"
    )
    means = ", ".join(f"avg({s}_hours / resident_days) as hprd_{s}" for s in kinds)
    return ask(
        f"select part, count(*) as n, {means}, avg(contract_hours / nullif(total_hours, 0)) as contract_share "
        f"from ({sums}) as s where resident_days > 0 group by part order by part",
        *values,
    )
