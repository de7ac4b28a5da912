"""Trust: whether the figures hold, what they are made of, and what is missing."""

from __future__ import annotations

from datetime import datetime, timezone

import streamlit as st

from dashboard.lake import ask
from dashboard.opening import controls, opened
from dashboard.sections import changes, reconciliation, trust
from dashboard.sidebar import URL

with opened() as page:
    page.title("Trust", "Can these figures be relied on? What was checked, what was found, and what is missing.")
    releases = reconciliation.releases(ask)
    with controls(page):
        called = st.selectbox("Release", list(releases), key="checked", width=300, **URL)
    release = releases[called]
    reconciliation.reconciled(page, ask, release)
    reconciliation.rules(page, ask, release)
    reconciliation.different(page, ask, release)
    trust.quality(page, ask)
    trust.deliveries(page, ask)
    trust.freshness(page, ask, datetime.now(timezone.utc).date())
    trust.rejects(page, ask)
    changes.breaks(page, ask)
