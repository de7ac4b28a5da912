"""Staffing and quality: how homes with more or less of a kind of staffing differ."""

from __future__ import annotations

import streamlit as st

from dashboard.filters import NO_DAYS, bounds
from dashboard.lake import ask
from dashboard.opening import controls, opened
from dashboard.sections import relations
from dashboard.sections.relations import QUALITY, SHAPES, STAFFING
from dashboard.sidebar import URL, panel

with opened() as page:
    days = bounds(ask)
    page.title("Staffing and quality", "Homes of one quarter, that of the last chosen day: their staffing and quality.")
    if days is None:
        page.nothing(NO_DAYS)
    else:
        filters = panel(ask, *days)
        with controls(page):
            of, to, how = st.columns(3)
            x = of.selectbox("Staffing", list(STAFFING), format_func=lambda n: STAFFING[n].label, key="x", **URL)
            y = to.selectbox("Quality", list(QUALITY), format_func=lambda n: QUALITY[n].measure.label, key="y", **URL)
            shape = how.selectbox("Shown as", list(SHAPES), format_func=SHAPES.__getitem__, key="shown", **URL)
        relations.relation(page, ask, filters, x, y, shape=shape)
