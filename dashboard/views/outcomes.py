"""Outcomes: hospital visits of own residents, home by home, beside CMS's measures and the staffing."""

from __future__ import annotations

import streamlit as st

from dashboard.lake import ask
from dashboard.months import months
from dashboard.opening import controls, opened
from dashboard.sections import facility_outcomes, outcomes, readmissions
from dashboard.sections.records import last_year
from dashboard.sidebar import URL

with opened() as page:
    page.title(
        "Outcomes", "Own residents who came to a hospital, beside what CMS publishes and the staffing of the time."
    )
    span = outcomes.months(ask)
    if span is None:
        page.nothing(outcomes.NONE)
    else:
        start, end = months(page, span, last_year(*span), key="outcome_months")
        outcomes.homes(page, ask, start, end)
        names = outcomes.names(ask)
        with controls(page, "home"):
            home = st.selectbox("Home by month", list(names), format_func=names.__getitem__, key="home", **URL)
        facility_outcomes.by_month(page, ask, home, names[home])
        readmissions.readmissions(page, ask, start, end)
