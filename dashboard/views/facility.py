"""Facility: one nursing home, found by name, city or CCN."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from dashboard.lake import ask
from dashboard.months import months
from dashboard.opening import controls, opened, printing
from dashboard.sections import facility_beside as beside
from dashboard.sections import facility_days as days
from dashboard.sections import facility_incident as incident
from dashboard.sections import facility_lines as lines
from dashboard.sections import facility_outcomes as outcomes
from dashboard.sections import facility_quality as quality
from dashboard.sections import facility_record as record
from dashboard.sections.facility_home import MOST_FOUND, Home, home, search
from dashboard.sidebar import URL

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from dashboard.page import Page

HELP = "Search for a nursing home by name, city or CCN, the six characters by which CMS knows it."


def chosen(page: Page) -> str:
    """The CCN in the address; else that of the home that is found, or chosen from several."""
    with controls(page, "search"):
        what = st.text_input(
            "Find a nursing home", key="find", placeholder="Name, city or CCN", on_change=_forget, **URL
        )
        if not what.strip():
            return st.query_params.get("ccn", "")
        found = search(ask, what)
        names = dict(zip(found["provider_id"], found["told"], strict=True))
        if len(names) == 1:
            return st.query_params.setdefault("ccn", next(iter(names)))
        more = len(names) > MOST_FOUND
        st.selectbox(
            f"More than {MOST_FOUND} homes found: add a word" if more else f"{len(names)} homes found",
            list(names)[:MOST_FOUND],
            index=None,
            format_func=names.__getitem__,
            placeholder="Choose one" if names else "None: try fewer words, or part of a name",
            disabled=not names,
            key=f"found {what}",
            on_change=_open,
            args=(f"found {what}",),
        )
    return st.query_params.get("ccn", "")


def day(page: Page, label: str, key: str) -> Callable[[date, date], date | None]:
    """Asks for a day of the calendar."""

    def asks(least: date, most: date) -> date | None:
        with controls(page, key):
            found: date | None = st.date_input(label, None, min_value=least, max_value=most, key=key, **URL)
        return found

    return asks


def line(page: Page) -> Callable[[list[str]], str]:
    """Asks for a line of the calendar."""

    def asks(known: list[str]) -> str:
        with controls(page, "line"):
            found: str = st.selectbox("Calendar of", known, key="line", **URL)
        return found

    return asks


def wanted(key: str) -> bool:
    """Whether a section that needs a day is shown: on paper only if there is one."""
    return not printing() or key in st.query_params


def show(page: Page, of: Home) -> None:
    """All of a home."""
    record.head(page, of)
    days.over_the_years(page, ask, of)
    if of.days and of.newest_quarter:
        start, end = months(page, of.days, of.newest_quarter, key="months")
        days.by_day(page, ask, of, start, end)
        lines.days_below(page, ask, of, start, end, choose=line(page))
        beside.weekend_gap(page, ask, of, end)
        beside.among_peers(page, ask, of, start, end)
    beside.beside_cms(page, ask, of)
    outcomes.by_month(page, ask, of.ccn)
    if wanted("on"):
        record.as_it_was(page, of, day(page, "As it was on", "on"))
    if wanted("incident"):
        incident.window(page, ask, of, day(page, "Day of the incident", "incident"))
    quality.measures(page, ask, of)
    quality.citations(page, ask, of)
    quality.penalties(page, ask, of)


def _forget() -> None:
    st.query_params.pop("ccn", None)


def _open(key: str) -> None:
    if st.session_state[key]:
        st.query_params["ccn"] = st.session_state[key]


with opened() as sheet:
    ccn = chosen(sheet)
    if not ccn:
        sheet.title("Facility", HELP)
    else:
        try:
            show(sheet, home(ask, ccn))
        except LookupError as unknown:
            sheet.title("Facility", HELP)
            sheet.nothing(str(unknown.args[0]))
