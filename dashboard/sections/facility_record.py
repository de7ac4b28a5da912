"""What a nursing home is, by the newest release that lists it, and what it was on any day."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

from dashboard import words
from dashboard.footnotes import footnote
from dashboard.page import Column, Figure
from dashboard.sections.facility_home import RECORD, STARS, text

if TYPE_CHECKING:
    from collections.abc import Callable

    from dashboard.page import Page
    from dashboard.sections.facility_home import Home

SOURCE = "CMS, Provider Information"


def head(page: Page, home: Home) -> None:
    """Name, address, owner, chain, beds and stars."""
    if home.listed is None:
        page.title(home.name, f"CCN {home.ccn}")
        page.warning("No Provider Information of this home is in this lake: its name, owner and stars are not known.")
        return
    release = words.day(home.listed["release"])
    place = f"{home.of('city')}, {words.state(home.of('state'))} {home.of('zip_code')}"
    page.title(home.name, " · ".join(filter(None, (home.of("address"), place, f"CCN {home.ccn}"))))
    if not home.is_listed:
        page.warning(
            f"Last listed in the release of {release}: later ones do not show this home. It may have closed, or have "
            "another number by now."
        )
    for told in _cautions(home):
        page.warning(told)
    page.text(f"{_facts(home)}. As of the release of {release}.")
    page.figures([_stars(home, column, f"{SOURCE} of {release}") for column in STARS])


def as_it_was(page: Page, home: Home, choose: Callable[[date, date], date | None]) -> None:
    """Its record on the day that is chosen between two days, beside the newest one."""
    if home.versions.empty:
        return
    page.section("Its record as it was", "What Provider Information said on any day, beside what it said last.")
    first = home.versions["valid_from"].iloc[0]
    day = choose(first.date(), date.today())  # noqa: DTZ011 (a release is of a day without a zone)
    if day is None:
        page.nothing("Choose a day to see stars, owner, chain and beds as they were known then.")
        return
    at = pd.Timestamp(day)
    then = home.versions[(home.versions["valid_from"] <= at) & ~(home.versions["valid_to"] <= at)]
    if then.empty:
        page.nothing(
            f"No release in this lake listed the home on {words.day(day)}. "
            f"The first one that does is of {words.day(first)}; choose another day."
        )
        return
    was, now = then.iloc[-1], home.versions.iloc[-1]
    told = [(label, text(was[c]) or words.NOTHING, text(now[c]) or words.NOTHING) for c, label in RECORD.items()]
    rows = pd.DataFrame(told, columns=["what", "then", "now"])
    rows["same"] = ["differs" if a.casefold() != b.casefold() else "" for _, a, b in told]
    page.table(
        rows,
        {
            "what": Column("What"),
            "then": Column(f"On {words.day(day)}"),
            "now": Column("Last known"),
            "same": Column("Changed since"),
        },
        name=f"record-{home.ccn}",
        source=f"{SOURCE} · on that day the release of {words.day(was['valid_from'])} or a later equal one; last known "
        f"since {words.day(now['valid_from'])} · {words.count(len(home.versions), 'record')} since "
        f"{words.day(home.versions['valid_from'].iloc[0])}",
    )


def _facts(home: Home) -> str:
    chain = home.of("chain_name")
    number = f" (number {home.of('chain_id')})" if home.of("chain_id") else ""
    beds = home.of("certified_beds")
    facts = (
        home.of("ownership_type"),
        f"legally {home.of('legal_business_name')}" if home.of("legal_business_name") else "",
        f"chain {chain}{number}" if chain else "no chain known",
        f"{beds} certified beds" if beds else "",
        {"Y": "urban", "N": "rural"}.get(home.of("urban"), ""),
        home.of("provider_type"),
        "within a hospital" if home.of("in_hospital") == "Y" else "",
    )
    return " · ".join(filter(None, facts))


def _cautions(home: Home) -> list[str]:
    status = home.of("special_focus_status")
    said = {
        "SFF": "Special Focus Facility: CMS watches it more closely for a history of serious quality issues.",
        "Y": "Special Focus Facility: CMS watches it more closely for a history of serious quality issues.",
        "SFF CANDIDATE": "Candidate for the Special Focus programme, for a history of serious quality issues.",
    }
    return [
        *filter(None, [said.get(status.upper(), "")]),
        *["CMS shows the abuse icon: the home was cited for abuse."] * (home.of("abuse_icon") == "Y"),
        *["CMS says that the owner changed in the 12 months before."] * (home.of("changed_ownership") == "Y"),
    ]


def _stars(home: Home, column: str, source: str) -> Figure:
    stars, note = home.of(column), footnote(home.of(f"{column}_footnote"))
    within = "ranks homes within their state · " if column == "health_inspection_rating" else ""
    return Figure(
        f"Stars: {STARS[column].lower()}",
        f"{stars} of 5" if stars else "none",
        f"{note} · {within}{source}" if note else f"{within}{source}",
    )
