"""The nation, or whatever is chosen, at a glance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboard import charts, words
from dashboard.filters import before
from dashboard.page import Figure, Proof
from dashboard.sections import staffing

if TYPE_CHECKING:
    import pandas as pd

    from dashboard.asking import Ask
    from dashboard.filters import Filters
    from dashboard.page import Page

MOST_DAYS_BY_WEEK = 200
SOURCE = "CMS, Payroll-Based Journal, daily nurse staffing"


def at_a_glance(page: Page, ask: Ask, filters: Filters) -> None:
    """Hours per resident day, pooled and as mean of homes, contract staff, days without a registered nurse."""
    now = staffing.pooled(ask, filters)
    if now.empty or not now["resident_days"].iloc[0]:
        page.nothing(f"No staffing in this lake for {filters.told}. Choose other days or fewer filters.")
        return
    row, mean = now.iloc[0], staffing.facility_mean(ask, filters).iloc[0]
    earlier = staffing.pooled(ask, before(filters))
    of = f"{words.count(row['homes'], 'home')}, {words.count(row['resident_days'], 'resident-day')} · {filters.told}"
    page.figures(
        [
            Figure(
                f"Nurse hours per resident day, pooled: {words.STAFF['total'].lower()}",
                words.number(row["hprd_total"]),
                f"{of} · {SOURCE}",
                _change(row, earlier, "hprd_total"),
            ),
            Figure(
                "The same, mean of homes",
                words.number(mean["hprd_total"]),
                f"{words.count(mean['n'], 'home')}, each counting once · {filters.told} · {SOURCE}",
            ),
            Figure(
                "Registered nurses, pooled",
                words.number(row["hprd_rn"]),
                f"hours per resident day · {of} · {SOURCE}",
                _change(row, earlier, "hprd_rn"),
            ),
            Figure(
                "Hours of contract staff",
                words.share(row["contract_share"]),
                f"of {words.count(round(row['total_hours']), 'hour')} · {filters.told} · {SOURCE}",
            ),
            Figure(
                "Days with no registered nurse",
                words.share(row["days_no_rn"] / row["days_counted"]),
                f"{row['days_no_rn']:,} of {row['days_counted']:,} days with residents · {filters.told} · {SOURCE}",
            ),
        ]
    )


def over_time(page: Page, ask: Ask, filters: Filters) -> None:
    """Hours per resident day of each week or month of the period."""
    step = "week" if (filters.end - filters.start).days < MOST_DAYS_BY_WEEK else "month"
    rows = staffing.pooled(ask, filters, f"cast(date_trunc('{step}', m.work_date) as date)")
    if rows.empty:
        return
    page.section("Hours per resident day", f"By {step}, hours and residents summed up first. {filters.told}")
    told = f"From {words.number(rows['hprd_total'].iloc[0])} to {words.number(rows['hprd_total'].iloc[-1])}"
    page.chart(
        charts.stacked(rows, "part", title=words.HPRD),
        name="hours-per-resident-day",
        alt=f"{told} nurse hours per resident day between the first and the last {step}.",
        source=f"{SOURCE} · {filters.told}",
        data=rows,
    )


def reconciled(page: Page, ask: Ask) -> None:
    """How many figures of CMS were computed again from its own files, and how many came out equal."""
    found = ask(
        "select cast(sum(n) as bigint) as n, cast(sum(equal + rounding) as bigint) as same, "
        "cast(sum(mismatch) as bigint) as other from gold.reconciliation_summary"
    )
    n, same, other = (int(v) if v == v else 0 for v in found.iloc[0])  # noqa: PLR0124
    if not n:
        return
    page.section("Can these figures be trusted?", "CMS publishes figures that its own files give again.")
    proof = Proof(f"{same:,} of {n:,} equal" + (f", {other:,} differ" if other else ""), agrees=not other)
    page.figures(
        [
            Figure(
                "CMS's figures computed again", f"{n:,}", "all releases of this lake · see the page Trust", proof=proof
            )
        ]
    )


def _change(row: pd.Series, earlier: pd.DataFrame, column: str) -> str:
    """Against the period before, if it is there."""
    if earlier.empty or not earlier["resident_days"].iloc[0] or earlier["days"].iloc[0] < row["days"] * 0.8:
        return ""
    return f"{row[column] - earlier[column].iloc[0]:+.2f} to the period of equal length before"
