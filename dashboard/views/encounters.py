"""Encounters and claims: what is done for own residents, who pays for it, and what is denied."""

from __future__ import annotations

from dashboard.lake import ask
from dashboard.months import months
from dashboard.opening import opened
from dashboard.sections import claims, encounters, record_quality, records

with opened() as page:
    page.title("Encounters and claims", "What is done for own residents, who pays for it, and what is denied.")
    span = records.months(ask)
    if span is None:
        page.nothing(records.NONE)
    else:
        start, end = months(page, span, records.last_year(*span), key="record_months")
        encounters.by_kind(page, ask, start, end)
        encounters.revisits(page, ask, start, end)
        encounters.cohorts(page, ask, start, end)
        claims.by_payer(page, ask, start, end)
        claims.payer_mix(page, ask, start, end)
        claims.diagnoses(page, ask, start, end)
        claims.denials(page, ask, start, end)
        record_quality.unresolved(page, ask)
