"""Population: who is cared for, month by month, and how good the records are that say so."""

from __future__ import annotations

import streamlit as st

from dashboard.lake import ask
from dashboard.months import months
from dashboard.opening import controls, opened
from dashboard.sections import population, record_quality, records
from dashboard.sections.population import DIMENSIONS, METRICS
from dashboard.sidebar import URL

with opened() as page:
    page.title("Population", "Who is cared for, and what happens, month by month.")
    span = records.months(ask)
    if span is None:
        page.nothing(records.NONE)
    else:
        start, end = months(page, span, records.last_year(*span), key="record_months")
        population.at_a_glance(page, ask, end)
        with controls(page, "told_apart"):
            what, by = st.columns(2)
            metric = what.selectbox(
                "Shown", list(METRICS), format_func=lambda name: METRICS[name].label, key="metric", **URL
            )
            dimension = by.selectbox(
                "Told apart by", list(DIMENSIONS), format_func=DIMENSIONS.__getitem__, key="apart", **URL
            )
        population.by_dimension(page, ask, start, end, metric=metric, dimension=dimension)
    record_quality.deliveries(page, ask)
    record_quality.tables(page, ask)
