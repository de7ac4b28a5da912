"""Staffing and quality."""

from __future__ import annotations

from dashboard.opening import opened

with opened() as page:
    page.title("Staffing and quality")
