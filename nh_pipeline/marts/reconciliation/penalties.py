"""Fines and payment denials of Provider Information, from the lines of Penalties of the same release."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.cms.providers import FCT_PROVIDER_RELEASES
from nh_pipeline.marts.reconciliation.figure import Figure, Release, Subject

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_SUMS = {
    "fines": ("fines in Penalties", "count(case when penalty_type = 'Fine' then 1 end)"),
    "total_fine_dollars": ("sum of the fines in Penalties", "sum(fine_amount)"),
    "payment_denials": ("payment denials in Penalties", "count(case when penalty_type = 'Payment Denial' then 1 end)"),
    "total_penalties": ("lines in Penalties", "count(1)"),
}
"""Columns of Provider Information: what they are, and SQL over the lines of a home."""


def rows(of: Release) -> DataFrame:
    """Homes, beside what the penalties of the release (``now_…``) and of the one before (``then_…``) add up to."""
    from pyspark.sql import functions as F

    penalties, homes = of["fct_penalties"], of["fct_provider_releases"]
    for prefix, which in (("now", "="), ("then", "<")):
        lines = penalties.where(f"release {which} {of.sql}")
        loaded = lines.groupBy().agg(F.count("*").alias(f"_{prefix}"))
        sums = lines.groupBy("provider_id").agg(
            *(F.expr(f"{sql} as {prefix}_{name}") for name, (_, sql) in _SUMS.items())
        )
        homes = loaded.crossJoin(homes).join(sums, "provider_id", "left")
    return homes.selectExpr("'facility' as level", "provider_id as entity", "*")


def _counted(name: str) -> Figure:
    now, then = (f"case when _{when} > 0 then coalesce({when}_{name}, 0) end" for when in ("now", "then"))
    dollars = name == "total_fine_dollars"
    return Figure(
        name,
        FCT_PROVIDER_RELEASES,
        name,
        _SUMS[name][0],
        now,
        decimals=2 if dollars else 0,
        tolerance="0.5 * fines" if dollars else "0",  # Penalties have been printed in whole dollars
        otherwise=f"case when {name} = {then} then 'revised release' end",
        differs=0.01,
    )


SUBJECT = Subject(
    rows,
    (
        *(_counted(name) for name in _SUMS),
        Figure(
            "total_penalties_as_sum",
            FCT_PROVIDER_RELEASES,
            "total_penalties",
            "fines + payment denials, as published",
            "fines + payment_denials",
        ),
    ),
)
