"""One nursing home: how it is found, and what all sections about it take from the lake once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd

from dashboard import words
from dashboard.filters import newest_quarter
from dashboard.words import STAFF

if TYPE_CHECKING:
    from dashboard.asking import Ask

PBJ = "CMS, Payroll-Based Journal, daily nurse staffing"
MOST_FOUND = 50
FAR = date(2100, 1, 1)
_MOST_WORDS = 6

STARS = {
    "overall_rating": "Overall",
    "health_inspection_rating": "Health inspections",
    "staffing_rating": "Staffing",
    "qm_rating": "Quality measures",
}
RECORD = {
    "provider_name": "Name",
    **{column: f"Stars: {words_.lower()}" for column, words_ in STARS.items()},
    "ownership_type": "Ownership",
    "legal_business_name": "Legal business name",
    "chain_name": "Chain",
    "certified_beds": "Certified beds",
    "special_focus_status": "Special focus",
    "abuse_icon": "Cited for abuse (icon)",
}
"""What is known of a home over time (``silver.dim_providers``), in words."""

_LISTED = (
    *("release", "address", "city", "state", "zip_code", "county", "urban", "provider_type", "in_hospital"),
    *("changed_ownership", "chain_id", *RECORD, *(f"{column}_footnote" for column in STARS)),
)
_NEWEST = "(select provider_id, max(valid_from) as valid_from from silver.dim_providers group by provider_id)"
_TEXT = "lower(coalesce({0}provider_name, '') || ' ' || coalesce({0}city, '') || ' ' || {0}provider_id)"


@dataclass(frozen=True)
class Home:
    """A nursing home.

    Attributes:
        ccn: its number.
        listed: its row in the last release of Provider Information that lists it; None if none does.
        versions: its records over time (``silver.dim_providers``), the oldest first.
        months: days, residents, hours of days with residents, HPRD and flagged days of each month that it reports.
    """

    ccn: str
    listed: pd.Series | None
    versions: pd.DataFrame
    months: pd.DataFrame

    @property
    def name(self) -> str:
        """Its name; its CCN if that is not known."""
        return self.of("provider_name") or f"Nursing home {self.ccn}"

    @property
    def days(self) -> tuple[date, date] | None:
        """First and last day of the months that it reports."""
        if self.months.empty:
            return None
        last = self.months["month"].iloc[-1] + pd.offsets.MonthEnd(0)
        return self.months["month"].iloc[0].date(), last.date()

    @property
    def newest_quarter(self) -> tuple[date, date] | None:
        """Days of the newest quarter that it reports."""
        return newest_quarter(*self.days) if self.days else None

    @property
    def is_listed(self) -> bool:
        """Whether the newest release lists it."""
        return self.until == FAR

    @property
    def until(self) -> date:
        """The first release that does not list it any more; far away while all do."""
        return _until(self.versions)

    def of(self, column: str) -> str:
        """A value of Provider Information as text; empty if blank or not known."""
        return "" if self.listed is None else text(self.listed[column])


def text(value: Any) -> str:
    """A value as text, whole numbers without decimals; empty if there is none."""
    if value is None or value != value:  # noqa: PLR0124 (no number)
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value).strip()


def normal(ccn: str) -> str:
    """A CCN as it is meant: spreadsheets drop leading zeros."""
    return ccn.strip().upper().zfill(6)


def search(ask: Ask, what: str) -> pd.DataFrame:
    """Homes of which a name, present or former, city or CCN holds all the words: ``provider_id``, ``told``.

    Homes of which there is staffing but no Provider Information are found by their CCN.
    """
    sought = what.lower().split()[:_MOST_WORDS]
    held = " and ".join(f"strpos({_TEXT.format('v.')}, ?) > 0" for _ in sought)
    only = " and ".join("strpos(lower(m.provider_id), ?) > 0" for _ in sought)
    found = ask(
        f"select p.provider_id, p.provider_name, p.city, p.state from silver.dim_providers as p join {_NEWEST} as n "
        "on n.provider_id = p.provider_id and n.valid_from = p.valid_from "
        f"where p.provider_id in (select v.provider_id from silver.dim_providers as v where {held}) "
        "union all select m.provider_id, null, null, max(m.state) from gold.facility_month as m "
        f"where {only} and m.provider_id not in (select provider_id from silver.dim_providers) group by m.provider_id "
        f"order by 2, 1 limit {MOST_FOUND + 1}",
        *sought,
        *sought,
    )
    found["told"] = [
        " · ".join(filter(None, (text(h.provider_name), text(h.city), text(h.state), h.provider_id)))
        for h in found.itertuples()
    ]
    return found


def home(ask: Ask, ccn: str) -> Home:
    """The home of a CCN.

    Raises:
        LookupError: neither Provider Information nor staffing of this lake knows it; the message says what to do.
    """
    ccn = normal(ccn)
    versions = ask(
        f"select {', '.join(RECORD)}, valid_from, valid_to from silver.dim_providers where provider_id = ? "
        "order by valid_from",
        ccn,
    )
    months = _months(ask, ccn)
    if versions.empty and months.empty:
        raise LookupError(
            f"No nursing home with the CCN {ccn[:20]} is in this lake. Expected six characters, such as 015009; "
            "search by name or city instead."
        )
    return Home(ccn, None if versions.empty else _listed(ask, ccn, _until(versions)), versions, months)


def newest(ask: Ask, table: str, before: date = FAR) -> date | None:
    """The newest release of a table before a day; None if there is none."""
    found = ask(f"select max(release) as release from {table} where release < ?", before)["release"].iloc[0]
    return None if found is pd.NaT or found is None else found.date()


def told(start: date, end: date, source: str = PBJ) -> str:
    """Source and period of what is shown."""
    return f"{source} · {words.period(start, end)}"


def quarter(day: date) -> date:
    """First day of the quarter of a day."""
    return date(day.year, 3 * ((day.month - 1) // 3) + 1, 1)


def around(day: date, days: int) -> tuple[date, date]:
    """So many days before and after a day."""
    return day - timedelta(days=days), day + timedelta(days=days)


def _until(versions: pd.DataFrame) -> date:
    last = None if versions.empty else versions["valid_to"].iloc[-1]
    return FAR if last is None or last is pd.NaT else last.date()


def _listed(ask: Ask, ccn: str, before: date) -> pd.Series | None:
    release = newest(ask, "silver.fct_provider_releases", before)
    found = ask(
        f"select {', '.join(_LISTED)} from silver.fct_provider_releases where release = ? and provider_id = ?",
        release,
        ccn,
    )
    return None if found.empty else found.iloc[0]


def _months(ask: Ask, ccn: str) -> pd.DataFrame:
    kinds = [k for k in STAFF if k != "contract"]
    hours = ", ".join(f"cast({k}_hours_with_residents as double) as {k}_hours" for k in STAFF)
    hprd = ", ".join(f"cast({k}_hours_with_residents as double) / nullif(resident_days, 0) as hprd_{k}" for k in kinds)
    return ask(
        "select month, days, days_with_residents, resident_days, days_no_rn, days_rn_under_8h, days_zero_census, "
        f"days_missing_hours, days_implausible_hours, days_incomplete, {hours}, {hprd} "
        "from gold.facility_month where provider_id = ? order by month",
        ccn,
    )
