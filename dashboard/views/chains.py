"""Chains and ownership: a ranking of chains, or one chain, or owners."""

from __future__ import annotations

import streamlit as st

from dashboard.lake import ask
from dashboard.opening import controls, opened
from dashboard.sections import chains, ownership
from dashboard.sidebar import URL, chain_choice, state_choice

LEAST = (1, 2, 5, 10, 25, 50)
"""Homes that a ranked chain has at least."""

with opened() as page:
    page.title("Chains and ownership", "Who runs the homes, and how their staffing compares.")
    quarters, owned = chains.quarters(ask), ownership.quarters(ask)
    chain = ""
    with controls(page):
        shown = st.segmented_control(
            "Show", ("Chains", "Ownership"), default="Chains", required=True, key="show", **URL
        )
        row = st.container(horizontal=True)
    if shown == "Chains" and quarters:
        with row:
            chain = chain_choice(ask, "All chains")
            if not chain:
                called = st.selectbox("Quarter", list(quarters), key="quarter", **URL)
                order = st.selectbox("Ranked by", list(chains.ORDERS), key="order", **URL)
                least = st.selectbox("Homes at least", LEAST, LEAST.index(5), key="least", **URL)
                search = st.text_input("Search", key="search", placeholder="Name or number", max_chars=80, **URL)
        if chain:
            chains.one(page, ask, chain)
        else:
            chains.ranking(page, ask, quarters[called], order=order, least=least, search=(search or "").strip())
    elif shown == "Chains":
        page.nothing(chains.NONE)
    elif owned:
        with row:
            called = st.selectbox("Quarter", list(owned), key="owned", **URL)
            event = st.selectbox("Change of owner", ownership.events(ask), key="event", **URL)
            measure = st.selectbox("Staff", list(ownership.MEASURES), key="measure", **URL)
            states = state_choice(ask)
        ownership.compared(page, ask, called, owned[called])
        ownership.around(page, ask, event, measure)
        ownership.homes(page, ask, event, tuple(states))
    else:
        page.nothing(ownership.NONE)
