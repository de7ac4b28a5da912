"""A state on paper: its newest quarter, its history beside the nation's, and each of its homes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboard import charts, words
from dashboard.filters import Filters, bounds, newest_quarter
from dashboard.page import Column
from dashboard.sections import overview
from dashboard.sections.staffing import SOURCE

if TYPE_CHECKING:
    from dashboard.asking import Ask
    from dashboard.page import Page

_HOMES = {
    "provider_id": Column("CCN"),
    "provider_name": Column("Home"),
    "city": Column("City"),
    "census": Column("Residents a day", "hours"),
    "hprd_total": Column("Hours per resident day", "hprd"),
    "hprd_rn": Column("RN", "hprd"),
    "contract_share": Column("Contract staff", "share"),
    "days_no_rn": Column("Days with no RN", "count"),
    "overall_rating": Column("Stars", "count"),
}


def report(page: Page, ask: Ask, state: str) -> None:
    """All that a report on a state has.

    Raises:
        LookupError: no home of the lake is there.
    """
    known = ask("select 1 as found from gold.facility_month where state = ? limit 1", state)
    days = bounds(ask)
    if known.empty or days is None:
        raise LookupError(f"{state}: this lake has no daily staffing of such a state or territory")
    filters = Filters(*newest_quarter(*days), states=(state,))
    page.title(words.state(state), "Staffing of nursing homes: hours from payroll, beside what CMS publishes.")
    overview.at_a_glance(page, ask, filters)
    overview.over_time(page, ask, filters)
    history(page, ask, state)
    homes(page, ask, state)


def history(page: Page, ask: Ask, state: str) -> None:
    """Hours per resident day of each quarter, of the state and of the nation, hours and residents summed up first."""
    rows = ask(
        "select quarter_start, "
        "cast(sum(case when state = ? then total_hours_with_residents end) as double) "
        "/ nullif(sum(case when state = ? then resident_days end), 0) as of_state, "
        "cast(sum(total_hours_with_residents) as double) / nullif(sum(resident_days), 0) as of_nation "
        "from gold.facility_quarter group by quarter_start order by quarter_start",
        state,
        state,
    )
    if len(rows) < 2:  # noqa: PLR2004 (one quarter is no history)
        return
    name, last = words.state(state), rows.iloc[-1]
    period = words.period(rows["quarter_start"].iloc[0], last["quarter_start"])
    page.section("Beside the nation", "By quarter; all homes of this lake count as the nation.")
    page.chart(
        charts.lines(rows, "quarter_start", {"of_state": name, "of_nation": "Nation"}, title=words.HPRD),
        name="beside-the-nation",
        alt=f"In the newest quarter {words.number(last['of_state'])} nurse hours per resident day in {name}, "
        f"{words.number(last['of_nation'])} in the nation.",
        source=f"{SOURCE} · quarters that begin {period}",
        data=rows,
    )


def homes(page: Page, ask: Ask, state: str) -> None:
    """Each home in the newest quarter, in the order of hours per resident day."""
    rows = ask(
        "select provider_id, provider_name, city, cast(resident_days as double) / nullif(days, 0) as census, "
        "hprd_total, hprd_rn, contract_share, days_no_rn, overall_rating, cy_qtr from gold.facility_quarter "
        "where state = ? and quarter_start = (select max(quarter_start) from gold.facility_quarter) "
        "order by hprd_total nulls last, provider_id",
        state,
    )
    if rows.empty:
        return
    quarter = rows["cy_qtr"].iloc[0]
    page.section("Homes", "The fewest nurse hours per resident day come first. Days with no RN are a screen.")
    source = f"{SOURCE} · {quarter} · {words.count(len(rows), 'home')} · stars of the last release in it"
    page.table(rows, _HOMES, name=f"homes-{state}", source=source)
