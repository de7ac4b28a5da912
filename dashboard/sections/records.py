"""What the sections on a chain's own records share: their source, their months, and what counts as followed up."""

from __future__ import annotations

import math
from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

from dashboard import words

if TYPE_CHECKING:
    from dashboard.asking import Ask

SOURCE = "own records (FHIR)"

NONE = (
    "There are no records of residents in this lake yet. Deliver exports of your health record system (FHIR R4, as "
    "NDJSON or Bundles, best zipped) and run `nh run FOLDER`."
)

HORIZON = "clinical_gold.horizon as h on h.delivery_id = v.delivery_id and v.followed_up_on <= h.horizon"
"""To be joined to stays or visits ``v``: leaves those whose 30 days are within what their source knows."""

KINDS = {
    "acute_inpatient": "Acute hospital",
    "non_acute_inpatient": "Psychiatric or rehabilitation hospital",
    "snf": "Nursing home",
    "hospice": "Hospice",
    "home_health": "Home health",
    "observation": "Observation",
    "emergency": "Emergency department",
    "urgent_care": "Urgent care",
    "virtual": "Virtual",
    "ambulatory": "Ambulatory",
    "other": "Other",
}
"""Kinds of encounters, in words."""


def months(ask: Ask) -> tuple[date, date] | None:
    """First and last day of the months in which anything is recorded; None if nothing is."""
    found = ask(
        "select min(month_start) as first, max(month_start) as last from clinical_gold.population_summary "
        "where metric = 'encounters' and dimension = 'all'"
    ).iloc[0]
    return None if pd.isna(found["first"]) else (found["first"].date(), month_end(found["last"]))


def last_year(first: date, last: date) -> tuple[date, date]:
    """First and last day of the last twelve months, or of as many as there are."""
    year, month = divmod(12 * last.year + last.month - 12, 12)
    return max(first, date(year, month + 1, 1)), last


def month_end(month: pd.Timestamp) -> date:
    """Last day of a month."""
    found: date = (month + pd.offsets.MonthEnd(0)).date()
    return found


def told(start: date, end: date, more: str = "") -> str:
    """Source and period of what is shown."""
    return " · ".join(filter(None, (SOURCE, words.period(start, end), more)))


def average(days: pd.DataFrame) -> tuple[float | None, float | None]:
    """Mean and median of ``days``, each of which has been seen ``n`` times."""
    if days.empty:
        return None, None
    values = days.sort_values("days")
    middle, through = (values["n"].sum() + 1) / 2, values["n"].cumsum()
    low, high = (values["days"][through >= half].iloc[0] for half in (math.floor(middle), math.ceil(middle)))
    return float((values["days"] * values["n"]).sum() / values["n"].sum()), (low + high) / 2
