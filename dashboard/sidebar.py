"""The filters that pages share, as widgets in the sidebar; what is chosen is in the address of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard import words
from dashboard.filters import DAYS, URBAN, Filters, newest_quarter

if TYPE_CHECKING:
    from datetime import date

    from dashboard.asking import Ask

URL: dict[str, Any] = {"bind": "query-params"}
"""Of a widget whose value is in the address, so that a page can be sent to somebody."""


def panel(ask: Ask, first: date, last: date) -> Filters:
    """The widgets, in the sidebar."""
    with st.sidebar:
        st.subheader("Days and homes")
        start, end = _range("Days", newest_quarter(first, last), first, last)
        days = st.selectbox("Days of the week", list(DAYS), format_func=DAYS.__getitem__, key="days", **URL)
        states = state_choice(ask)
        owners = st.multiselect("Ownership", words.OWNERSHIP, key="ownership", placeholder="All owners", **URL)
        sizes = st.multiselect(
            "Size", list(words.SIZES), format_func=words.SIZES.__getitem__, key="size", placeholder="All", **URL
        )
        urban = st.selectbox("Place", list(URBAN), format_func=URBAN.__getitem__, key="urban", **URL)
        chain = chain_choice(ask)
    return Filters(start, end, days, tuple(states), tuple(owners), tuple(sizes), chain, urban)


def state_choice(ask: Ask) -> list[str]:
    """States by their postal codes; none for all of them."""
    known = ask("select distinct state from gold.facility_month where state is not null order by 1")
    return st.multiselect(
        "States", list(known["state"]), format_func=words.state, key="state", placeholder="All states", **URL
    )


def chain_choice(ask: Ask, everything: str = "All homes") -> str:
    """A chain by its number; empty for none."""
    chains = ask(
        "select chain_id, max(chain_name) as chain_name from gold.chain_quarter where chain_id is not null "
        "group by chain_id order by chain_name"
    )
    names = {"": everything, **{c.chain_id: f"{c.chain_name} ({c.chain_id})" for c in chains.itertuples()}}
    found: str = st.selectbox("Chain", list(names), format_func=names.__getitem__, key="chain", **URL)
    return found


def _range(label: str, default: tuple[date, date], first: date, last: date) -> tuple[date, date]:
    """Two days of a calendar; while only one of them is chosen, that day alone."""
    found = st.date_input(label, default, min_value=first, max_value=last, key="dates", **URL)
    chosen = found if isinstance(found, tuple) else (found,)
    if not chosen:
        return default
    return chosen[0], chosen[-1]
