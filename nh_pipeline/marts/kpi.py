"""What all key figures have in common: their columns, and how those of months are rolled up.

A key figure is a mart with a row per level (facility, state, nation), entity, measure and period.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nh_pipeline.datasets.cms.shared import STATE
from nh_pipeline.model.columns import category, count, date, decimal, ratio, text
from nh_pipeline.model.kinds import RELEASE
from nh_pipeline.model.mart import Mart
from nh_pipeline.model.rules import Rule
from nh_pipeline.transforms.rollup import LEVELS, NATION, by_level, quotients

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import DataFrame

PERIOD = ("period_start", "period_end")
OF_RELEASE = ("release", *PERIOD)


def of_months(months: DataFrame, measures: Mapping[str, tuple[str, str, str]]) -> DataFrame:
    """Quotients of a table with a ``month``, for facilities, states and the nation."""
    rows = months.selectExpr("*", "month as period_start", "last_day(month) as period_end")
    return by_level(quotients(rows, PERIOD, measures), PERIOD)


def kpi(name: str, description: str, measures: Mapping[str, tuple[str, ...]], **more: Any) -> Mart:
    """The mart of a key figure; ``measures`` are by their names, with their meaning first.

    It is cut by the months of ``period_start``, by releases (``release="release"``), or not at all.
    """
    release = (RELEASE,) if "release" in more else ()
    told = "; ".join(f"`{measure}`: {meaning}" for measure, (meaning, *_) in measures.items())
    return Mart(
        name,
        description=f"{description}, per facility, state and nation, and {'release' if release else 'period'}.",
        grain=(*(c.name for c in release), "level", "entity", "measure", *(() if release else ("period_start",))),
        columns=(
            category("level", "Whose figure it is", tuple(LEVELS), nullable=False),
            text("entity", f"CCN of the facility, code of the state, or {NATION}", nullable=False),
            STATE.having(labels=(), description=f"{STATE.description}; NULL for the nation"),
            category("measure", f"What is measured. {told}", tuple(measures), nullable=False),
            *release,
            date(PERIOD[0], "First day that the figure is about; NULL where CMS does not say", nullable=bool(release)),
            date(PERIOD[1], "Last day that it is about", nullable=bool(release)),
            decimal(20, 3, "numerator", "What is divided; NULL where CMS gives quotients alone"),
            decimal(20, 3, "denominator", "What it is divided by"),
            ratio("pooled", "numerator / denominator: large facilities count more; NULL if that is empty", unit=""),
            ratio("facility_mean", "Mean of the facilities' values, each counting once, as CMS averages", unit="")
            .having(allowed=None),
            count("n", "Facilities that have a value", unit="facilities", nullable=False),
        ),
        rules=(
            Rule("mean_of_some", "(facility_mean is null) = (n = 0)", "a mean is of the facilities that n counts"),
            Rule("pooled_of_some", "(pooled is null) = (coalesce(denominator, 0) <= 0)",
                 "NULL is what has no denominator, and only that"),
        ),
        **{"conserves": (), "caution": "Sum up numerators and denominators: a mean of `pooled` is no figure", **more},
    )  # fmt: skip
