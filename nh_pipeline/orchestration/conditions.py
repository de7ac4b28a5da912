"""Automation conditions."""

from __future__ import annotations

import dagster as dg

FOLLOW_RELEASES = (
    dg.AutomationCondition.any_deps_updated().since_last_handled()
    & ~dg.AutomationCondition.any_deps_in_progress()
    & ~dg.AutomationCondition.in_progress()
).with_label("follow_releases")
"""A dimension is rebuilt when any release came in. Not ``eager()``: that waits for every month since 2017."""
