"""Overview: the nation, or the homes and days that are chosen."""

from __future__ import annotations

from dashboard.filters import NO_DAYS, bounds
from dashboard.lake import ask
from dashboard.opening import opened
from dashboard.sections import overview
from dashboard.sidebar import panel

with opened() as page:
    days = bounds(ask)
    page.title("Staffing of nursing homes", "Hours that homes report from payroll, beside what CMS publishes.")
    if days is None:
        page.nothing(NO_DAYS)
    else:
        filters = panel(ask, *days)
        overview.at_a_glance(page, ask, filters)
        overview.over_time(page, ask, filters)
        overview.changed(page, ask, filters.states)
        overview.freshness(page, ask, days[1])
        overview.reconciled(page, ask)
