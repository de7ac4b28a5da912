"""The fictional world: who the facilities are, and the parameters from which their staffing is drawn.

Everything is drawn once from the seed, in certification number order, and does not change; what changes from release
to release is the business of :mod:`nh_pipeline.sample.history`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nh_pipeline.sample import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MIN_FOR_QUIRKS = 20
"""Facilities from which on each quirk of single facilities occurs at least once; below, only letters in numbers do."""

_OUTSIDE_REAL_SERIES = 8000  # real nursing homes are numbered 5000 to 6999: no generated one can be mistaken for one
_LETTER = "X"  # real ones have A, E or F in the third position
_LETTER_SHARE = 0.02
_NO_LETTER_FROM = 1000
_MAX_FACILITIES = 16_000  # what the number series of the largest state holds
_CONTRACT_USERS = 1 / 3


@dataclass(frozen=True)
class Roles:
    """Which facilities (by index) show which oddity; empty without quirks.

    Attributes:
        unknown: In the staffing files, never in Provider Information.
        unrated: New: no ratings, footnote 1.
        suppressed: No staffing figures in Provider Information, footnote 6, nor turnover and residents.
        special_focus: Special focus facility: no overall rating, footnote 18.
        zero_census: Three days per quarter without residents, but with hours.
        zero_hours: Five days per quarter with residents, but without any hours.
        outlier: The one facility with one absurd cell (13,946.25 LPN hours) per quarter.
    """

    unknown: NDArray[np.int64]
    unrated: NDArray[np.int64]
    suppressed: NDArray[np.int64]
    special_focus: NDArray[np.int64]
    zero_census: NDArray[np.int64]
    zero_hours: NDArray[np.int64]
    outlier: NDArray[np.int64]


@dataclass(frozen=True)
class World:
    """All facilities, sorted by certification number; sequences and arrays are of equal length.

    Attributes:
        seed: Of all random numbers of this world.
        ccn: Six-character certification numbers, unique, ascending.
        name: Upper-case names, as in the staffing files.
        city: Upper-case towns.
        state: Two-letter codes.
        county: County names.
        fips: Three-digit county codes.
        hidden: Staffing columns CITY, COUNTY_NAME, COUNTY_FIPS that are blank: column to facility index.
        census: Typical residents.
        beds: Certified beds, never below any day's residents.
        level: Paid hours per resident and day relative to the nation, by category (8, facilities).
        contract: Contract share of direct-care hours; 0 for two thirds.
        quarter_hours: Whether hours are booked in quarters of an hour.
        roles: Which facilities are odd.
    """

    seed: int
    ccn: Sequence[str]
    name: Sequence[str]
    city: Sequence[str]
    state: Sequence[str]
    county: Sequence[str]
    fips: Sequence[str]
    hidden: dict[str, int]
    census: NDArray[np.int64]
    beds: NDArray[np.int64]
    level: NDArray[np.float64]
    contract: NDArray[np.float64]
    quarter_hours: NDArray[np.bool_]
    roles: Roles

    def __len__(self) -> int:
        return len(self.ccn)


def _certification_numbers(count: int, rng: np.random.Generator, *, letters: bool) -> list[tuple[str, str]]:
    """(number, state) pairs, ascending; about 2 % with a letter in the third position, one at least."""
    names = list(words.STATES)
    weights = np.array([weight for _, weight in words.STATES.values()], dtype=float)
    drawn = np.sort(rng.choice(len(names), size=count, p=weights / weights.sum()))
    lettered = rng.random(count) < _LETTER_SHARE
    lettered[int(rng.integers(count))] = True
    serial: dict[str, int] = {}
    pairs = []
    for index, with_letter in zip(drawn.tolist(), lettered.tolist(), strict=True):
        state = names[index]
        number = serial[state] = serial.get(state, 0) + 1
        # A run of numbers per state; a letter takes the place of the first thousand only, so that all stay unique.
        lettered_number = letters and with_letter and number < _NO_LETTER_FROM
        text = f"{_LETTER}{number:03d}" if lettered_number else f"{_OUTSIDE_REAL_SERIES + number}"
        pairs.append((words.STATES[state][0] + text, state))
    return sorted(pairs)


def _names(count: int, rng: np.random.Generator) -> list[str]:
    parts = zip(
        *(
            rng.integers(len(pool), size=count).tolist()
            for pool in (words.FIRST_WORDS, words.SECOND_WORDS, words.KINDS)
        ),
        strict=True,
    )
    return [f"{words.FIRST_WORDS[a]} {words.SECOND_WORDS[b]} {words.KINDS[c]}" for a, b, c in parts]


def _odd_names(names: list[str], rng: np.random.Generator) -> None:
    """Gives a few facilities the characters that only Windows-1252 bytes or CSV quoting can carry."""
    each = quirk_count(len(names), 1 / 3000)
    picked = iter(rng.permutation(len(names)).tolist())
    for style in ("{a}\u2019S {b}", "{a} \u2013 {b}", "\u00a0{a} {b}", '"{a}" {b}', "{a}, {b}, INC."):
        for _ in range(each):
            index = next(picked)
            first, _, rest = names[index].partition(" ")
            names[index] = style.format(a=first, b=rest)


def quirk_count(facilities: int, share: float) -> int:
    """How many facilities show a quirk: the share, one at least in a world large enough for quirks."""
    return max(1, round(facilities * share)) if facilities >= MIN_FOR_QUIRKS else 0


def _roles(count: int, rng: np.random.Generator, *, quirks: bool) -> Roles:
    shares = {"unknown": 1 / 900, "unrated": 1 / 100, "suppressed": 1 / 60, "special_focus": 1 / 170}
    staffing = {"zero_census": 1 / 130, "zero_hours": 1 / 24, "outlier": 0.0}
    picked: dict[str, NDArray[np.int64]] = {}
    for group in (shares, staffing):
        # Within a group the roles exclude each other, so that each shows by itself.
        order = rng.permutation(count)
        for role, share in group.items():
            size = quirk_count(count, share) if quirks else 0
            picked[role], order = np.sort(order[:size]), order[size:]
    return Roles(**picked)


def build_world(facilities: int, seed: int, *, quirks: bool) -> World:
    """Draws the world.

    Args:
        facilities: How many, at least 1.
        seed: Of the random numbers; equal seeds give equal worlds.
        quirks: Whether odd names, numbers, blanks and values occur.

    Raises:
        ValueError: If there are to be no facilities, or more than the number series hold.
    """
    if not 1 <= facilities <= _MAX_FACILITIES:
        raise ValueError(f"facilities must be 1 to {_MAX_FACILITIES}, not {facilities}")
    rng = np.random.default_rng([seed, 1])
    pairs = _certification_numbers(facilities, rng, letters=quirks)
    names = _names(facilities, rng)
    if quirks and facilities >= MIN_FOR_QUIRKS:
        _odd_names(names, rng)
    starts, ends = (rng.integers(len(pool), size=facilities) for pool in (words.TOWN_STARTS, words.TOWN_ENDS))
    counties = rng.integers(len(words.COUNTIES), size=facilities).tolist()
    census = np.clip(np.round(np.exp(rng.normal(4.3, 0.4, facilities))), 28, 165).astype(np.int64)
    spare = rng.uniform(1.08, 1.5, facilities)
    users = rng.random(facilities) < _CONTRACT_USERS
    blanks = rng.permutation(facilities)[:3].tolist() if quirks and facilities >= MIN_FOR_QUIRKS else []
    return World(
        seed=seed,
        ccn=[number for number, _ in pairs],
        name=names,
        city=[words.TOWN_STARTS[a] + words.TOWN_ENDS[b] for a, b in zip(starts.tolist(), ends.tolist(), strict=True)],
        state=[state for _, state in pairs],
        county=[words.COUNTIES[index] for index in counties],
        fips=[f"{2 * index + 1:03d}" for index in counties],
        hidden=dict(zip(("CITY", "COUNTY_NAME", "COUNTY_FIPS"), blanks, strict=False)),
        census=census,
        beds=np.ceil(census * spare + 5).astype(np.int64),
        level=_levels(facilities, rng),
        contract=np.where(users, rng.uniform(0.08, 0.39, facilities), 0.0),
        quarter_hours=rng.random(facilities) < 1 / 2,
        roles=_roles(facilities, rng, quirks=quirks),
    )


def _levels(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Relative staffing by category, of mean 1: lognormal, and two categories that only some facilities employ."""
    spread = 0.22
    level: NDArray[np.float64] = np.exp(rng.normal(0.0, spread, (8, count)) - spread**2 / 2)
    for category, employing in ((6, 0.2), (7, 0.35)):
        level[category] *= (rng.random(count) < employing) / employing
    return level
