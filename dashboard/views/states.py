"""States: map, ranking, and one state against the nation."""

from __future__ import annotations

import streamlit as st

from dashboard import words
from dashboard.filters import NO_DAYS, bounds
from dashboard.lake import ask
from dashboard.opening import controls, opened
from dashboard.sections import states
from dashboard.sections.staffing import MEASURES
from dashboard.sidebar import URL, panel

with opened() as page:
    days = bounds(ask)
    page.title("States", "States beside each other and against the nation, in any days and kinds of homes.")
    if days is None:
        page.nothing(NO_DAYS)
    else:
        filters = panel(ask, *days)
        with controls(page):
            what, how, who = st.columns(3)
            name = what.selectbox(
                "Measure", list(MEASURES), format_func=lambda n: MEASURES[n].label, key="measure", **URL
            )
            drawn = how.selectbox("Drawn as", list(states.MAPS), format_func=states.MAPS.__getitem__, key="map", **URL)
            codes = sorted(states.of_all(ask, filters, name)["code"], key=words.state)
            first = next((i for i, code in enumerate(codes) if code in filters.states), 0)
            chosen = who.selectbox(
                "State against the nation", codes, first, format_func=words.state, key="against", **URL
            )
        states.on_a_map(page, ask, filters, name, drawn)
        if chosen:
            states.ranking(page, ask, filters, name)
            states.against_the_nation(page, ask, filters, chosen, name)
