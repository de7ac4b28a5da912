"""What changed: of homes with a release, and of CMS's own files."""

from __future__ import annotations

import streamlit as st

from dashboard.lake import ask
from dashboard.opening import controls, opened
from dashboard.sections import changes
from dashboard.sidebar import URL, state_choice

with opened() as page:
    page.title("What changed", "Each release of CMS against the one before it: homes, and CMS's own files.")
    releases = changes.releases(ask)
    if releases:
        with controls(page), st.container(horizontal=True):
            called = st.selectbox("Release", list(releases), key="release", **URL)
            kinds = st.multiselect("Kinds", list(changes.GROUPS), key="kind", placeholder="All kinds", **URL)
            states = state_choice(ask)
        release = releases[called]
        changes.counted(page, ask, release, kinds, states)
        changes.listed(page, ask, release, kinds, states)
        changes.breaks(page, ask, changes.previous(ask, release), release)
        changes.columns(page, ask, release)
    else:
        page.nothing(changes.NONE)
    changes.breaks(page, ask)
