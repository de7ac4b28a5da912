"""Days around an incident, each beside the home's own mean of the same weekday before it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import pandas as pd

from dashboard import words
from dashboard.page import Column
from dashboard.sections.facility_days import days
from dashboard.sections.facility_home import around, told
from dashboard.words import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from dashboard.asking import Ask
    from dashboard.page import Page
    from dashboard.sections.facility_home import Home

AROUND = 30
"""Days before and after."""

REMARKS = {
    "is_zero_census": "no residents",
    "is_missing_hours": "no hours",
    "is_implausible_hours": "over 24 h per resident",
    "is_incomplete": "cut off by CMS",
}
"""Flags of a day, as short as a column is narrow."""

_HOURS = tuple(f"{k}_hours" for k in ("total", *KINDS))


def window(page: Page, ask: Ask, home: Home, choose: Callable[[date, date], date | None]) -> None:
    """Census, hours and HPRD of each day within 30 days of the one that is chosen between two days."""
    if home.days is None:
        return
    page.section("Days around an incident", "The 30 days before and after a day, one by one, beside what is usual.")
    incident = choose(home.days[0] - timedelta(days=AROUND), home.days[1] + timedelta(days=AROUND))
    if incident is None:
        page.nothing("Choose the day of an incident to see the days around it.")
        return
    start, end = around(incident, AROUND)
    rows = days(ask, home.ccn, start, end)
    if rows.empty:
        page.nothing(f"No staffing of this home is in this lake for {words.period(start, end)}. Choose another day.")
        return
    shown = compared(rows, incident)
    columns = {
        "when": Column("Date", "date"),
        "weekday": Column("Day"),
        "since": Column("Days since", "count"),
        "census": Column("Census", "count"),
        "rn_hours": Column("RN hours", "hours"),
        "lpn_hours": Column("LPN hours", "hours"),
        "aide_hours": Column("Aide hours", "hours"),
        "total_hours": Column("All hours", "hours"),
        "usual_total_hours": Column("Usual hours", "hours"),
        "hprd_total": Column("HPRD", "hprd", "All nurse hours per resident day"),
        "usual_hprd": Column("Usual HPRD", "hprd"),
        "hprd_difference": Column("Difference", "hprd"),
        "marked": Column("Remarks"),
    }
    n = int(((shown["since"] < 0) & shown["is_counted"]).sum())
    page.table(
        shown,
        columns,
        name=f"incident-{home.ccn}-{incident:%Y-%m-%d}",
        source=f"Usual: the home's own mean of the same weekday in the 30 days before {words.day(incident)}, of "
        f"{words.count(n, 'day')} with residents (HPRD: hours and residents summed up first) · {told(start, end)}",
    )
    missing = 2 * AROUND + 1 - len(rows)
    if missing:
        page.text(
            f"{words.count(missing, 'day')} of the {2 * AROUND + 1} {'is' if missing == 1 else 'are'} not reported."
        )


def compared(rows: pd.DataFrame, incident: date) -> pd.DataFrame:
    """Days beside the mean of the same weekday in the 30 days before: ``usual_<kind>_hours``, ``usual_hprd``.

    Days without residents, and those that CMS cut off, are in no mean.
    """
    at = pd.Timestamp(incident)
    rows = rows.assign(
        when=rows["day"],
        since=(rows["day"] - at).dt.days,
        weekday=rows["day"].dt.day_name().str[:3],
        is_counted=(rows["census"] > 0) & ~rows["is_incomplete"].astype(bool),
        marked=[", ".join(told for f, told in REMARKS.items() if getattr(r, f)) for r in rows.itertuples()],
    )
    rows.loc[rows["since"] == 0, "marked"] = ("incident, " + rows["marked"]).str.strip(", ")
    past = rows[rows["is_counted"] & (rows["since"] < 0) & (rows["since"] >= -AROUND)].groupby("weekday")
    usual = past[list(_HOURS)].mean().add_prefix("usual_")
    usual["usual_hprd"] = past["total_hours"].sum() / past["census"].sum()
    shown = rows.join(usual, on="weekday")
    shown["hprd_difference"] = shown["hprd_total"] - shown["usual_hprd"]
    return shown
