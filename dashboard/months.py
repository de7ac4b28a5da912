"""Which months a page, or what follows on it, is about: a slider over all that there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from dashboard.opening import controls
from dashboard.sidebar import URL

if TYPE_CHECKING:
    from datetime import date

    from dashboard.page import Page


def months(
    page: Page, span: tuple[date, date], default: tuple[date, date], *, key: str, label: str = "Months shown below"
) -> tuple[date, date]:
    """First and last day of the months that are chosen from those of ``span``."""
    every = pd.date_range(*(d.replace(day=1) for d in span), freq="MS")
    names = {f"{m:%b %Y}": m for m in every}
    if len(names) == 1:
        return default
    if any(name not in names for name in st.session_state.get(key, ())):  # of a page that was open before
        del st.session_state[key]
    with controls(page, key):
        first, last = st.select_slider(
            label,
            list(names),
            value=tuple(f"{d:%b %Y}" for d in default),
            key=key,
            **URL,
        )
    return names[first].date(), (names[last] + pd.offsets.MonthEnd(0)).date()
