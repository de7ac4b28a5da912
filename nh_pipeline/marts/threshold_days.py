"""``gold.threshold_days``: days on which a home's staffing was below a line, of those with residents.

Two lines are always there, those of registered nurses. More come from the file of staffing lines, which users edit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.cms.daily_nurse_staffing import FCT_STAFFING_LEVELS
from nh_pipeline.datasets.staffing_lines import MEASURES, STAFFING_LINES
from nh_pipeline.model.columns import category, count, date, decimal, text
from nh_pipeline.model.mart import Mart
from nh_pipeline.model.rules import Rule

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_RULE = "42 CFR 483.35(b)(1): a registered nurse for at least eight consecutive hours a day, seven days a week"
ALWAYS = (
    ("No registered nurse", "rn_hours", "0.01", _RULE, "2016-11-28"),
    ("Registered nurses below eight hours", "rn_hours", "8", _RULE, "2016-11-28"),
)
"""Lines that need no file: name, measure, below, source, since. Hours of directors and administration count."""

_COLUMNS = ("line", "measure", "below", "source", "since")
_BELOW = " ".join(
    f"when '{name}' then {name.removeprefix('hprd_')}_hours < below * census"
    if name.startswith("hprd_")
    else f"when '{name}' then {name} < below"
    for name in MEASURES
)


def threshold_days(days: DataFrame, lines: DataFrame) -> DataFrame:
    """Days with residents, and those below each line, per home and month; days that CMS cut off are left out."""
    from pyspark.sql import functions as F

    always = ", ".join(
        f"named_struct('line', '{line}', 'measure', '{measure}', 'below', cast({below} as decimal(9,4)), "
        f"'source', '{source}', 'since', date '{since}')"
        for line, measure, below, source, since in ALWAYS
    )
    rows = days.where("census > 0 and not is_incomplete").selectExpr(
        "provider_id", "state", "cy_qtr", "cast(date_format(work_date, 'yyyy-MM-01') as date) as month", "census",
        *(f"{name.removeprefix('hprd_')}_hours" for name in MEASURES if name.startswith("hprd_")),
    )  # fmt: skip
    built_in = rows.selectExpr("*", f"explode(array({always})) as _line").selectExpr("*", "_line.*").drop("_line")
    taken = ", ".join(f"'{line}'" for line, *_ in ALWAYS)
    delivered = rows.crossJoin(lines.where(f"line not in ({taken})").select(*_COLUMNS))
    each = built_in.unionByName(delivered)
    summed = each.groupBy("provider_id", "month", *_COLUMNS).agg(
        F.expr("max(state) as state"), F.expr("max(cy_qtr) as cy_qtr"), F.expr("cast(count(1) as int) as days"),
        F.expr(f"cast(sum(case when case measure {_BELOW} end then 1 else 0 end) as int) as days_below"),
    )  # fmt: skip
    return summed.selectExpr(*(f"cast({c.name} as {c.type.sql}) as {c.name}" for c in MART.columns))


_FACT = FCT_STAFFING_LEVELS.by_name

MART = Mart(
    "threshold_days",
    description="Days below a line: one row per nursing home, month, line and measure.",
    grain=("provider_id", "month", "line", "measure"),
    sort=("month", "provider_id", "line", "measure"),
    month="month",
    reads=(FCT_STAFFING_LEVELS, STAFFING_LINES["dim_staffing_lines"]),
    transform=threshold_days,
    columns=(
        _FACT["provider_id"],
        date("month", "First day of the month", nullable=False),
        text("line", "Name of the line", nullable=False),
        category("measure", "What is compared. " + "; ".join(f"`{k}`: {v}" for k, v in MEASURES.items()),
                 tuple(MEASURES), nullable=False),
        decimal(9, 4, "below", "A day below this value counts", nullable=False, unit="hours or HPRD"),
        text("source", "Law, rule or study that the value is from"),
        date("since", "Day from which the source speaks; days before it count, too"),
        _FACT["state"],
        _FACT["cy_qtr"],
        count("days", "Days with residents, those left out that CMS cut off", nullable=False),
        count("days_below", "Of them, days below the line", nullable=False),
    ),
    rules=(Rule("no_more_than_days", "days_below <= days", "days below a line are some of the days"),),
    foreign_keys=(("provider_id", "silver.dim_providers.provider_id"),),
    caution=(
        "Days below a line are no violations: paid hours of a day say nothing of shifts, and rules allow waivers"
    ),
)  # fmt: skip
