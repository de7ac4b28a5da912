"""Hours of a nursing home by kind of staff, with its residents: by month since it reports, and by day."""

from __future__ import annotations

from typing import TYPE_CHECKING

import altair as alt
import pandas as pd

from dashboard import words
from dashboard.charts import STAFF_SCALE
from dashboard.page import Column
from dashboard.sections.facility_home import told
from dashboard.words import KINDS, STAFF
from nh_pipeline.datasets.cms.daily_nurse_staffing import FLAGS

if TYPE_CHECKING:
    from datetime import date

    from dashboard.asking import Ask
    from dashboard.page import Page
    from dashboard.sections.facility_home import Home

MOST_DAYS = 370
"""Days that are shown one by one; more are shown by week."""

MARKED = ("is_zero_census", "is_missing_hours", "is_implausible_hours", "is_incomplete")
"""Flags that say how far a day can be believed."""

CHANGED = {
    "ownership_type": "Kind of owner",
    "changed_ownership": "CMS's mark that the owner changed in the last 12 months",
    "legal_business_name": "Legal business name",
    "provider_name": "Name",
    "chain_name": "Chain",
}
_AXIS = alt.Axis(minExtent=44, maxExtent=44)  # charts one below the other begin at the same place
_EVENTS = alt.Scale(domain=[*(STAFF[k] for k in KINDS), "event"])  # a colour of the theme that no bar has
_YEAR = 12
_ROOM = 1.15  # for the numbers of events, above the bars
_LEGEND = alt.Legend(orient="top", labelLimit=300, columns=1)  # a phone is narrow
_SHAPES = alt.Scale(range=["triangle-down", "diamond", "square", "cross"])
_HOURS = ("total", *KINDS, "direct_care", "contract")
_CAST = ", ".join(f"cast({k}_hours as double) as {k}_hours" for k in _HOURS)
_SUMS = ", ".join(f"sum(cast({k}_hours as double)) / count(*) as {k}_hours" for k in _HOURS)
_WITH_RESIDENTS = ", ".join(
    f"sum(case when census > 0 then cast({k}_hours as double) end) / nullif(sum(census), 0) as hprd_{k}"
    for k in ("total", *KINDS)
)


def days(ask: Ask, ccn: str, start: date, end: date) -> pd.DataFrame:
    """Each day of a period: ``day``, ``census``, ``<kind>_hours``, ``hprd_<kind>``, and its flags."""
    return ask(
        f"select work_date as day, census, {_CAST}, {', '.join(f'hprd_{k}' for k in ('total', *KINDS))}, "
        f"{', '.join(MARKED)} from gold.facility_measures "
        "where provider_id = ? and work_date between ? and ? order by work_date",
        ccn,
        start,
        end,
    )


def weeks(ask: Ask, ccn: str, start: date, end: date) -> pd.DataFrame:
    """The same by week: hours and residents of a mean day that is reported, HPRD pooled, flags of any day."""
    flags = ", ".join(f"max(case when {flag} then 1 else 0 end) = 1 as {flag}" for flag in MARKED)
    return ask(
        f"select cast(date_trunc('week', work_date) as date) as day, cast(sum(census) as double) / count(*) as census, "
        f"{_SUMS}, {_WITH_RESIDENTS}, {flags} from gold.facility_measures "
        "where provider_id = ? and work_date between ? and ? group by 1 order by 1",
        ccn,
        start,
        end,
    )


def over_the_years(page: Page, ask: Ask, home: Home) -> None:
    """Hours per resident day of every month that the home reports, with what changed and where the series breaks."""
    rows = home.months
    if home.days is None:
        page.section("Staffing")
        page.nothing("No daily staffing of this home is in this lake: the pages of its days and hours are empty.")
        return
    page.section("Hours per resident day", "Month by month; hours and residents of a month are summed up first.")
    marks = events(ask, home.ccn, *home.days)
    end = rows["month"] + pd.offsets.MonthBegin(1)
    data = rows.assign(day=rows["month"], until=end, census=rows["resident_days"] / rows["days"])
    first, last = rows.iloc[0], rows.iloc[-1]
    page.chart(
        _layers(_bars(data, "hprd_{}", words.HPRD), *_rules(marks)),
        name=f"months-{home.ccn}",
        alt=f"From {words.number(first['hprd_total'])} nurse hours per resident day in {first['month']:%B %Y} to "
        f"{words.number(last['hprd_total'])} in {last['month']:%B %Y}.",
        source=f"{words.count(len(rows), 'month')}, {words.count(int(rows['resident_days'].sum()), 'resident-day')} · "
        f"{told(*home.days)}",
        data=rows,
    )
    if said := fewer_residents(rows):
        page.text(said)
    _listed(page, marks, home.ccn)


def by_day(page: Page, ask: Ask, home: Home, start: date, end: date) -> None:
    """Paid hours and residents of each day, or week; days that are flagged are marked and told."""
    by_week = (end - start).days >= MOST_DAYS
    rows = (weeks if by_week else days)(ask, home.ccn, start, end)
    step = "week" if by_week else "day"
    note = "A bar is the mean day of the week that is reported. " if by_week else ""
    page.section(f"Hours and residents by {step}", f"{note}{words.period(start, end)}.")
    if rows.empty:
        page.nothing(_none(home, start, end))
        return
    data = rows.assign(until=rows["day"] + pd.Timedelta(days=7 if by_week else 1))
    marks = events(ask, home.ccn, start, end)
    source = f"{words.count(len(rows), step)} · {told(start, end)}"
    page.chart(
        _layers(_bars(data, "{}_hours", "paid hours a day"), *_flag_marks(data), *_rules(marks)),
        name=f"{step}s-{home.ccn}",
        alt=f"Between {words.number(rows['total_hours'].min(), 0)} and {words.number(rows['total_hours'].max(), 0)} "
        "paid nurse hours a day.",
        source=source,
        data=rows,
    )
    page.chart(
        _residents(data),
        name=f"residents-{step}s-{home.ccn}",
        alt=f"Between {words.number(rows['census'].min(), 0)} and {words.number(rows['census'].max(), 0)} residents.",
        source=f"Residents by {step}: {source}",
        data=rows[["day", "census"]],
    )
    for flag, said in FLAGS.items():
        n = int(rows[flag].sum()) if flag in MARKED else 0
        if n:
            page.text(f"{words.count(n, step)} marked: {said[0][0].lower()}{said[0][1:]}.")
    _listed(page, marks, home.ccn, "days")


def events(ask: Ask, ccn: str, start: date, end: date) -> pd.DataFrame:
    """What changed of the home, and breaks of CMS's daily series, within a period: ``n``, ``day``, ``what``."""
    found = ask(
        "select release as day, what, before, after from gold.changes where provider_id = ? "
        f"and release between ? and ? and what in ({', '.join('?' * len(CHANGED))}) "
        "and lower(coalesce(before, '')) <> lower(coalesce(after, '')) "
        "union all select first_day, null, null, what from gold.series_breaks where series = 'daily staffing' "
        "and first_day between ? and ? order by 1, 2",
        ccn,
        start,
        end,
        *CHANGED,
        start,
        end,
    )
    told = [
        f"{CHANGED[c.what]}: {c.before or words.NOTHING} became {c.after or words.NOTHING}" if c.what else c.after
        for c in found.itertuples()
    ]
    return found[["day"]].assign(what=told, n=[str(i + 1) for i in range(len(found))])


def fewer_residents(months: pd.DataFrame) -> str:
    """Says so where HPRD rose in a year because residents were fewer, not because hours were more; else empty."""
    last = months["month"].iloc[-1]
    now = months[months["month"] > last - pd.DateOffset(years=1)]
    before = months[months["month"].between(*(day - pd.DateOffset(years=1) for day in (now["month"].iloc[0], last)))]
    if len(now) < _YEAR or len(before) < _YEAR:
        return ""
    hours, census, hprd = (
        [year[a].sum() / year[b].sum() if year[b].sum() else 0.0 for year in (before, now)]
        for a, b in (("total_hours", "days"), ("resident_days", "days"), ("total_hours", "resident_days"))
    )
    if not (hprd[1] > hprd[0] > 0 and hours[1] <= hours[0]):
        return ""
    return (
        f"In the last twelve months, hours per resident day rose from {words.number(hprd[0])} to "
        f"{words.number(hprd[1])} as residents became fewer: {words.number(census[0], 1)} to "
        f"{words.number(census[1], 1)} a day, while paid hours went from {words.number(hours[0], 0)} to "
        f"{words.number(hours[1], 0)} a day."
    )


def _none(home: Home, start: date, end: date) -> str:
    known = f" It reports {words.period(*home.days)}: choose months of these." if home.days else ""
    return f"No staffing of this home is in this lake for {words.period(start, end)}.{known}"


def _bars(rows: pd.DataFrame, of: str, title: str) -> alt.Chart:
    """Bars from ``day`` to ``until``, one kind of staff on the other: of columns such as ``hprd_rn``."""
    parts, at = [], pd.Series(0.0, rows.index)
    for kind in KINDS:
        value = rows[of.format(kind)].fillna(0)
        parts.append(
            rows[["day", "until", "hprd_total", "census"]].assign(
                staff=STAFF[kind], least=at, value=value, most=at + value
            )
        )
        at = at + value
    most = float(at.max()) * _ROOM or 1.0
    chart: alt.Chart = (
        alt.Chart(pd.concat(parts))
        .mark_rect()
        .encode(
            x=alt.X("day:T", title=None),
            x2="until:T",
            y=alt.Y("least:Q", title=title, axis=_AXIS, scale=alt.Scale(domain=[0, most], nice=False)),
            y2="most:Q",
            color=alt.Color("staff:N", title=None, scale=STAFF_SCALE, legend=_LEGEND),
            tooltip=[
                alt.Tooltip("day:T", title="From"),
                alt.Tooltip("staff:N", title="Staff"),
                alt.Tooltip("value:Q", format=",.2f", title=title.capitalize()),
                alt.Tooltip("hprd_total:Q", format=".2f", title="All staff per resident day"),
                alt.Tooltip("census:Q", format=",.0f", title="Residents"),
            ],
        )
    )
    return chart


def _residents(rows: pd.DataFrame) -> alt.Chart:
    # A line would bridge days that are not reported: there it is broken by a blank.
    silent = rows.loc[rows["until"] < rows["day"].shift(-1), "until"]
    drawn = pd.Index(rows["day"]).union(pd.Index(silent))
    broken = rows.set_index("day")[["census"]].reindex(drawn).rename_axis("day").reset_index()
    chart: alt.Chart = (
        alt.Chart(broken, height=110)
        .mark_line(interpolate="step-after")
        .encode(
            x=alt.X("day:T", title=None),
            y=alt.Y("census:Q", title="residents", axis=_AXIS),
            tooltip=[alt.Tooltip("day:T", title="From"), alt.Tooltip("census:Q", format=",.0f", title="Residents")],
        )
    )
    return chart


def _flag_marks(rows: pd.DataFrame) -> list[alt.Chart]:
    """A point above each bar for each of its flags."""
    parts = [rows.loc[rows[f].astype(bool), ["day", "until", "total_hours"]].assign(flag=FLAGS[f][0]) for f in MARKED]
    flagged = pd.concat(parts)
    flagged["middle"] = flagged["day"] + (flagged["until"] - flagged["day"]) / 2
    if flagged.empty:
        return []
    mark = alt.Chart(flagged).mark_point(filled=True, size=90, yOffset=-8)
    return [
        mark.encode(
            x="middle:T",
            y="total_hours:Q",
            shape=alt.Shape(
                "flag:N", title=None, scale=_SHAPES, legend=alt.Legend(orient="bottom", labelLimit=340, columns=1)
            ),
            tooltip=["day:T", alt.Tooltip("flag:N", title="Marked")],
        )
    ]


def _layers(*charts: alt.Chart) -> alt.LayerChart:
    layered: alt.LayerChart = alt.layer(*charts).resolve_scale(color="independent").properties(height=290)
    return layered


def _rules(marks: pd.DataFrame) -> list[alt.Chart]:
    """A dashed line with its number for each event."""
    if marks.empty:
        return []
    base = alt.Chart(marks.assign(event="event")).encode(
        x="day:T",
        color=alt.Color("event:N", scale=_EVENTS, legend=None),
        tooltip=[alt.Tooltip("day:T", title="From"), alt.Tooltip("what:N", title="What")],
    )
    number = base.mark_text(dx=4, align="left").encode(y=alt.value(6), text="n:N")
    return [base.mark_rule(strokeDash=[4, 3], strokeWidth=1.5), number]


def _listed(page: Page, marks: pd.DataFrame, ccn: str, of: str = "months") -> None:
    if marks.empty:
        return
    page.table(
        marks,
        {"n": Column("Line"), "day": Column("From", "date"), "what": Column("What changed")},
        name=f"events-of-{of}-{ccn}",
        source="CMS, Provider Information: the first release that shows it; breaks of CMS's daily series",
    )
