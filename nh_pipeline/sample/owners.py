"""Owners, managers and Medicare enrollments of the homes. All persons and companies are made up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nh_pipeline.sample.history import OWNERSHIP

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from nh_pipeline.sample.history import History
    from nh_pipeline.sample.release import Release

_OWNER, _INDIRECT = "5% OR GREATER DIRECT OWNERSHIP INTEREST", "5% OR GREATER INDIRECT OWNERSHIP INTEREST"
_MANAGER, _OFFICER = "OPERATIONAL/MANAGERIAL CONTROL", "CORPORATE OFFICER"
_COMPANIES = ("HOLDINGS LLC", "PARTNERS LP", "CAPITAL INC", "HEALTH TRUST")
_NOT_APPLICABLE, _NOT_PROVIDED = "NOT APPLICABLE", "NO PERCENTAGE PROVIDED"


def ownership_rows(release: Release, history: History, dates: Sequence[date]) -> Iterator[list[str]]:
    """Rows of the ownership file: two direct owners, an officer, some managers and indirect owners per home.

    A home that changed its kind of owner has other direct owners from that release on.

    Args:
        release: Which.
        history: The plan of changes.
        dates: Of all releases.
    """
    rng = np.random.default_rng([release.world.seed, 18])
    share, kind, year = rng.integers([5, 0, 1990], [96, 8, 2020], (len(release.world), 3)).T.tolist()
    sold: dict[int, list[int]] = {}
    for change in history.changes:
        if change.column == OWNERSHIP and change.release <= release.number:
            sold.setdefault(change.facility, []).append(change.release)
    names = release.columns["Legal Business Name"]
    for facility in release.here:
        company = names[facility].split()[0]
        sales = sold.get(facility, [])
        since = f"since {dates[sales[-1]]:%m/%d/%Y}" if sales else f"since 01/01/{year[facility]}"
        owner = f"{company} {_COMPANIES[(kind[facility] + len(sales)) % len(_COMPANIES)]}"
        person = f"PERSON {facility * 2 + 1}"
        lines = [
            (_OWNER, "Organization", owner, f"{share[facility]}%", since),
            (_OWNER, "Individual", person, f"{100 - share[facility]}%", since),
            (_OFFICER, "Individual", person, _NOT_APPLICABLE, since),
        ]
        if kind[facility] % 2:
            lines.append((_MANAGER, "Organization", f"{company} MANAGEMENT LLC", _NOT_APPLICABLE, since))
        if kind[facility] > len(_COMPANIES):
            lines.append((_INDIRECT, "Individual", f"PERSON {facility * 2 + 2}", _NOT_PROVIDED, since))
        for line in lines:
            yield [*release.leading[facility], *line, *release.trailing[facility]]


def enrollment_rows(release: Release) -> Iterator[list[str]]:
    """Rows of the enrollments: one per home."""
    columns = release.columns
    for facility in release.here:
        legal = columns["Legal Business Name"][facility]
        ccn, name, address, city, state, postal = release.leading[facility]
        profit = "P" if columns[OWNERSHIP][facility].casefold().startswith("for profit") else "N"
        yield [
            *(f"O20200101{facility:06d}", state, "00-18", "PART A PROVIDER - SKILLED NURSING FACILITY"),
            *(f"1{facility:09d}", "N", ccn, f"{facility:010d}", legal, name, "", state, "LLC", "", profit, name),
            *(columns[f"Affiliated Entity {what}"][facility] for what in ("Name", "ID")),
            *(address, "", city, state, f"{postal}0000"),
        ]
