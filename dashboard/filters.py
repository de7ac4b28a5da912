"""Which days and homes a page is about: as SQL with parameters, and in words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from dashboard import words
from nh_pipeline import domains
from nh_pipeline.marts.peers import GROUP

if TYPE_CHECKING:
    from dashboard.asking import Ask

DAYS = {"all": "All days", "weekdays": "Monday to Friday", "weekends": "Saturday and Sunday"}
URBAN = {"": "All places", "Y": "Urban", "N": "Rural"}
NO_DAYS = "There is no daily staffing in this lake yet. Land a PBJ file and run `nh run FOLDER`."


@dataclass(frozen=True)
class Filters:
    """Days and homes; what is empty leaves nothing out."""

    start: date
    end: date
    days: str = "all"
    states: tuple[str, ...] = ()
    ownership: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    chain: str = ""
    urban: str = ""

    @property
    def where(self) -> tuple[str, tuple[Any, ...]]:
        """A condition on ``gold.facility_measures as m``, and the values of its ``?``."""
        parts = ["m.work_date between ? and ?"]
        if self.days != "all":
            weekend = "" if self.days == "weekends" else "not "
            parts.append(f'm.work_date in (select "date" from silver.dim_date where {weekend}is_weekend)')
        homes, values = self.homes
        return " and ".join([*parts, homes]), (self.start, self.end, *values)

    @property
    def homes(self) -> tuple[str, tuple[Any, ...]]:
        """The part of it that is about homes, which holds for ``gold.facility_quarter as m``, too."""
        parts, values = ["true"], list[Any]()
        for column, chosen in (("m.state", self.states), (f"({GROUP['ownership']})", self.ownership),
                               (f"({GROUP['size']})", self.sizes)):  # fmt: skip
            if chosen:
                parts.append(f"{column} in ({', '.join('?' * len(chosen))})")
                values += chosen
        if self.chain:
            parts.append("m.chain_id = ?")
            values.append(self.chain)
        if self.urban:
            parts.append("m.provider_id in (select provider_id from gold.facility_quarter where urban = ?)")
            values.append(self.urban)
        return " and ".join(parts), tuple(values)

    @property
    def of_months(self) -> bool:
        """Whether ``gold.facility_month`` tells it: whole months, all their days, and homes of states, or all."""
        attributes = self.ownership or self.sizes or self.chain or self.urban
        return _whole_months(self.start, self.end) and self.days == "all" and not attributes

    @property
    def told(self) -> str:
        """What is shown, in words: period, days and homes."""
        told = [words.period(self.start, self.end)]
        told += [DAYS[self.days]] * (self.days != "all")
        told += [", ".join(map(words.state, self.states))] * bool(self.states)
        told += [", ".join(self.ownership)] * bool(self.ownership)
        told += [", ".join(words.SIZES[size] for size in self.sizes)] * bool(self.sizes)
        told += [URBAN[self.urban].lower()] * bool(self.urban)
        told += [f"chain {self.chain}"] * bool(self.chain)
        return " · ".join(told)


def is_quarter(found: Filters) -> bool:
    """Whether the period is one quarter of the calendar, with all its days."""
    start, end = found.start, found.end
    ends = start.year == end.year and end.month == start.month + 2
    return start.month % 3 == 1 and ends and _whole_months(start, end) and found.days == "all"


def bounds(ask: Ask) -> tuple[date, date] | None:
    """First and last day of staffing; None if there is none yet, or it is not of this process."""
    if domains.DOMAINS[0] not in domains.selected():
        return None
    found = ask("select min(month) as first, max(month) as last from gold.facility_month")
    if found.empty or found["first"].isna().all():
        return None
    last = found["last"].iloc[0].date()
    days = ask("select max(work_date) as last from gold.facility_measures where work_date >= ?", last)
    return found["first"].iloc[0].date(), days["last"].iloc[0].date()


def newest_quarter(first: date, last: date) -> tuple[date, date]:
    """The days of the newest quarter that are there: what a page shows before anybody chooses."""
    return max(first, date(last.year, 3 * ((last.month - 1) // 3) + 1, 1)), last


def before(found: Filters) -> Filters:
    """The same homes in the period right before: as many months if these are whole ones, else as many days."""
    if _whole_months(found.start, found.end):
        months = 12 * (found.end.year - found.start.year) + found.end.month - found.start.month + 1
        year, month = divmod(12 * found.start.year + found.start.month - 1 - months, 12)
        start = date(year, month + 1, 1)
    else:
        start = found.start - (found.end - found.start + timedelta(days=1))
    return replace(found, start=start, end=found.start - timedelta(days=1))


def _whole_months(start: date, end: date) -> bool:
    return start.day == 1 and (end + timedelta(days=1)).day == 1
