"""Treatments: who treats, where, with what outcome and at what cost, and whether the figures reconcile."""

from __future__ import annotations

import streamlit as st

from dashboard.lake import ask
from dashboard.months import months
from dashboard.opening import controls, opened
from dashboard.sections import treatment_places, treatment_providers, treatment_tracker, treatments
from dashboard.sections.records import last_year
from dashboard.sidebar import URL

with opened() as page:
    page.title("Treatments", "Who treats, where, with what outcome and at what cost, in the chain's treatment system.")
    if treatments.at_a_glance(page, ask):
        treatments.by_outcome(page, ask)
        span = treatments.months(ask)
        if span:
            treatments.by_month(page, ask, *months(page, span, last_year(*span), key="treatment_months"))
        with controls(page, "providers"):
            chosen, left_out = st.columns(2, vertical_alignment="bottom")
            speciality = chosen.selectbox(
                "Speciality of providers", treatment_providers.specialities(ask), key="speciality", **URL
            )
            few_too = not left_out.toggle("Without rates of few", key="without_few", **URL)
        treatment_providers.busiest(page, ask, speciality)
        treatment_providers.most_successful(page, ask, speciality, with_few=few_too)
        treatment_providers.costs(page, ask, speciality)
        known = treatment_places.places(ask)
        with controls(page, "places"):
            where, within = st.columns(2)
            every = treatment_places.EVERY
            country = where.selectbox("Country", [every, *known["country"].unique()], key="country", **URL)
            states = known if country == every else known[known["country"] == country]
            state = within.selectbox("State of the city", [every, *states["state"].unique()], key="place_state", **URL)
        treatment_places.cities(page, ask, country, state)
    treatment_tracker.steps(page, ask)
    treatment_tracker.runs(page, ask)
