"""Days of a nursing home below a line, counted, and as a calendar. A screen: the journal has no times of shifts."""

from __future__ import annotations

from datetime import timedelta
from operator import itemgetter
from typing import TYPE_CHECKING, TypeAlias

import altair as alt
import pandas as pd

from dashboard import words
from dashboard.page import Column
from dashboard.sections.facility_days import MOST_DAYS, days
from dashboard.sections.facility_home import told
from nh_pipeline.datasets.staffing_lines import MEASURES
from nh_pipeline.marts.threshold_days import ALWAYS

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from dashboard.asking import Ask
    from dashboard.page import Page
    from dashboard.sections.facility_home import Home

Choose: TypeAlias = "Callable[[list[str]], str]"
NURSES = "Registered nurses: none, or below eight hours"
"""The calendar that needs no line of anybody's."""

SCREEN = (
    "A screen, no finding: the journal has paid hours of a day, no times of shifts, and rules allow waivers. Hours of "
    "directors of nursing and of administration count. Days without residents and days that CMS cut off are left out."
)
_SHAPES = {"fine": "circle", "less": "triangle-up", "below": "square", "not": "cross"}
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def lines(ask: Ask, home: Home, start: date, end: date) -> pd.DataFrame:
    """Lines of the months of a period, days counted and days below, with ``told`` to choose by."""
    found = ask(
        "select line, measure, cast(below as double) as below, max(source) as source, "
        "cast(sum(days) as bigint) as days, cast(sum(days_below) as bigint) as days_below "
        "from gold.threshold_days where provider_id = ? and month between ? and ? group by 1, 2, 3 order by 1, 2, 3",
        home.ccn,
        start.replace(day=1),
        end,
    )
    found["told"] = [f"{x.line}: {MEASURES[x.measure]} below {x.below:g}" for x in found.itertuples()]
    return found


def days_below(page: Page, ask: Ask, home: Home, start: date, end: date, *, choose: Choose = itemgetter(0)) -> None:
    """How many days of the period were below each line, and which ones.

    ``choose`` says which line the calendar is of: registered nurses, or one of those that a user has delivered.
    """
    found = lines(ask, home, start, end)
    if found.empty:
        return
    page.section("Days below", SCREEN)
    rows = found.assign(
        in_words=found["measure"].map(MEASURES),
        share=found["days_below"] / found["days"],
        of=[f"{b:,} of {n:,}" for b, n in zip(found["days_below"], found["days"], strict=True)],
    )
    page.table(
        rows,
        {
            "line": Column("Line"),
            "in_words": Column("Measured in"),
            "below": Column("Below", "number"),
            "of": Column("Days below, of days with residents"),
            "share": Column("Share", "share"),
        },
        name=f"days-below-{home.ccn}",
        source=f"Lines: {'; '.join(found['source'].dropna().unique())} · {told(start, end)}",
    )
    delivered = found[~found["line"].isin([line for line, *_ in ALWAYS])]
    chosen = delivered[delivered["told"] == choose([NURSES, *delivered["told"]])]
    first = max(start, end - timedelta(days=MOST_DAYS - 1))
    _calendar(page, days(ask, home.ccn, first, end), chosen.iloc[0] if len(chosen) else None, home.ccn)


def marked(rows: pd.DataFrame, line: pd.Series | None) -> pd.DataFrame:
    """Days with what is shown of them: ``state`` (a kind of :data:`_SHAPES`), their week and weekday."""
    counted = (rows["census"] > 0) & ~rows["is_incomplete"].astype(bool)
    state = pd.Series("fine", rows.index)
    if line is None:
        state[rows["rn_hours"] < float(ALWAYS[1][2])] = "less"
        state[rows["rn_hours"] < float(ALWAYS[0][2])] = "below"
    else:
        name = line["measure"]
        least = line["below"] if name == "rn_hours" else line["below"] * rows["census"]
        state[rows[f"{name.removeprefix('hprd_').removesuffix('_hours')}_hours"] < least - 1e-9] = "below"
    state[~counted] = "not"
    week = rows["day"] - pd.to_timedelta(rows["day"].dt.weekday, unit="D")
    return rows.assign(state=state, week=week, weekday=[_WEEKDAYS[d] for d in rows["day"].dt.weekday])


def _calendar(page: Page, rows: pd.DataFrame, line: pd.Series | None, ccn: str) -> None:
    if rows.empty:
        return
    labels = {
        "fine": "Eight hours of registered nurses, or more" if line is None else "Not below the line",
        **({"less": "Below eight hours"} if line is None else {}),
        "below": "No registered nurse" if line is None else "Below the line",
        "not": "Not counted",
    }
    data = marked(rows, line)
    data["shown"] = data["state"].map(labels)
    weeks = data["week"].nunique()
    largest = 200 if weeks <= 20 else 70  # noqa: PLR2004 (as many as a quarter has, with room)
    sizes = {"fine": largest // 5, "less": largest * 2 // 3, "below": largest, "not": largest // 3}
    kinds = list(labels)
    shown = list(labels.values())
    legend = alt.Legend(orient="top", labelLimit=320, columns=1)
    chart = (
        alt.Chart(data, height=alt.Step(20))
        .mark_point(filled=True, opacity=1)
        .encode(
            x=alt.X("yearmonthdate(week):O", title="week from", axis=alt.Axis(format="%b %d", labelOverlap=True)),
            y=alt.Y("weekday:O", sort=list(_WEEKDAYS), title=None),
            color=alt.Color("shown:N", title=None, scale=alt.Scale(domain=shown), legend=legend),
            shape=alt.Shape(
                "shown:N", title=None, scale=alt.Scale(domain=shown, range=[_SHAPES[k] for k in kinds]), legend=legend
            ),
            size=alt.Size(
                "shown:O", title=None, scale=alt.Scale(domain=shown, range=[sizes[k] for k in kinds]), legend=legend
            ),
            tooltip=[
                alt.Tooltip("day:T", title="Day"),
                alt.Tooltip("shown:N", title="Shown as"),
                alt.Tooltip("rn_hours:Q", format=",.2f", title="Hours of registered nurses"),
                alt.Tooltip("total_hours:Q", format=",.2f", title="Hours of all nursing staff"),
                alt.Tooltip("census:Q", title="Residents"),
            ],
        )
    )
    n = int((data["state"] != "not").sum())
    counts = [f"{int((data['state'] == k).sum()):,} {labels[k].lower()}" for k in kinds if k not in ("fine", "not")]
    counted = f"Of {words.count(n, 'day')} with residents: {'; '.join(counts)}"
    page.chart(
        chart,
        name=f"calendar-{ccn}",
        alt=f"{counted}.",
        source=f"{counted} · {told(rows['day'].iloc[0].date(), rows['day'].iloc[-1].date())}",
        data=data[["day", "shown", "census", "rn_hours", "total_hours"]],
    )
