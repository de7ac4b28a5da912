"""What happens to the providers over the releases: a plan, drawn before any file is written.

The plan is the ground truth of slowly changing dimensions: expected versions are counted from it, not from files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nh_pipeline.sample import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from nh_pipeline.sample.facilities import World

    Reach = Sequence[tuple[int, int]]

MIN_FOR_ABSENCE = 30
"""Facilities from which on providers vanish: below, one provider less is more than the 5 % that looks truncated."""

MIN_FOR_SPECIAL = 5
"""Facilities from which on one provider is new in the second release, and one changes to and fro."""

NAME, OWNERSHIP, RATING = "Provider Name", "Ownership Type", "Overall Rating"
_PER_RELEASE = {RATING: 1 / 60, OWNERSHIP: 1 / 250, NAME: 1 / 150}


@dataclass(frozen=True)
class Change:
    """From a release on, a provider's column has another value.

    Attributes:
        release: Number of the release, from 1.
        facility: Index into the world.
        column: Canonical Provider Information column.
        value: The new value, different from the one before by more than formatting.
    """

    release: int
    facility: int
    column: str
    value: str


@dataclass(frozen=True)
class History:
    """The plan.

    Attributes:
        start: Column to its values in release 0, by facility.
        changes: In order of release; at most one per release, facility and column.
        present: Which facilities are in which release's files (releases, facilities).
    """

    start: dict[str, Sequence[str]]
    changes: tuple[Change, ...]
    present: NDArray[np.bool_]

    def column(self, name: str, release: int) -> list[str]:
        """A column's values in a release, by facility."""
        values = list(self.start[name])
        for change in self.changes:
            if change.column == name and change.release <= release:
                values[change.facility] = change.value
        return values

    def versions(self, also: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
        """Versions that a slowly changing dimension of type 2 holds of each facility after all releases.

        Args:
            also: Further changes (releases, facilities), such as of measured columns if those are tracked, too.

        Returns:
            Counts by facility; 0 for those that are in no release.
        """
        changed = np.zeros_like(self.present) if also is None else also.copy()
        for change in self.changes:
            changed[change.release, change.facility] = True
        before = np.vstack([np.zeros_like(self.present[:1]), self.present[:-1]])
        opened: NDArray[np.bool_] = self.present & (changed | ~before)
        return np.asarray(opened.sum(axis=0), dtype=np.int64)


def plan_history(world: World, releases: int, reach: Sequence[Reach]) -> History:
    """Draws the plan.

    Args:
        world: The facilities.
        releases: How many.
        reach: Lowest and highest overall rating that each facility can have, by release; that of the first at least.

    In each release after the first some ratings, owners and letter cases of names change. One provider's rating goes
    A, B, A; one provider is new in release 1; one is absent in release 1 and back in release 2; one closes for good
    with release 2. The four do nothing else, and need three releases (the new one two) and a world large enough. Where
    the reach of a rating moves away from it, the rating follows.
    """
    rng = np.random.default_rng([world.seed, 3])
    count = len(world)
    start: dict[str, Sequence[str]] = {
        NAME: [name.lstrip("\u00a0") for name in world.name],
        OWNERSHIP: [
            words.OWNERSHIPS[index]
            for index in rng.choice(len(words.OWNERSHIPS), size=count, p=words.OWNERSHIP_WEIGHTS).tolist()
        ],
        RATING: [
            _within(stars, ends) if stars else "" for stars, ends in zip(ratings(world, rng), reach[0], strict=True)
        ],
    }
    present = np.ones((releases, count), dtype=np.bool_)
    present[:, world.roles.unknown] = False
    odd = np.concatenate([world.roles.unknown, world.roles.unrated, world.roles.special_focus, world.roles.suppressed])
    ordinary = rng.permutation(np.setdiff1d(np.arange(count), odd)).tolist()
    changes: list[Change] = []

    second, third = 1, 2
    if count >= MIN_FOR_SPECIAL and releases > second:
        present[0, ordinary.pop()] = False
    if count >= MIN_FOR_SPECIAL and releases > third:
        wavering = ordinary.pop()
        first = start[RATING][wavering]
        changes += [
            Change(1, wavering, RATING, _other_rating(first, reach[0][wavering])),
            Change(2, wavering, RATING, first),
        ]
    if count >= MIN_FOR_ABSENCE and releases > third:
        present[second, ordinary.pop()] = False
        present[third:, ordinary.pop()] = False
    changes += _everyday_changes(start, ordinary, reach, releases, rng)
    return History(start, tuple(sorted(changes, key=lambda change: change.release)), present)


def ratings(world: World, rng: np.random.Generator) -> list[str]:
    """Stars of 1 to 5, blank for new and special focus facilities."""
    stars = [str(number) for number in rng.integers(1, 6, len(world)).tolist()]
    for facility in np.concatenate([world.roles.unrated, world.roles.special_focus]).tolist():
        stars[facility] = ""
    return stars


def _everyday_changes(
    start: dict[str, Sequence[str]],
    ordinary: list[int],
    reach: Sequence[Reach],
    releases: int,
    rng: np.random.Generator,
) -> list[Change]:
    """Changes in each release, each relative to the value that the provider has by then."""
    current = {column: list(values) for column, values in start.items()}
    changes = []
    for release in range(1, releases):
        due = {
            (RATING, facility): _within(stars, ends)
            for facility, (stars, ends) in enumerate(zip(current[RATING], reach[release], strict=True))
            if stars and _within(stars, ends) != stars
        }
        for column, share in _PER_RELEASE.items():
            for facility in rng.permutation(ordinary)[: max(1, round(len(current[column]) * share))].tolist():
                due.setdefault((column, facility), _next(column, current[column][facility], reach[release][facility]))
        for (column, facility), value in due.items():
            current[column][facility] = value
            changes.append(Change(release, facility, column, value))
    return changes


def _within(stars: str, ends: tuple[int, int]) -> str:
    low, high = ends
    return str(min(max(int(stars), low), high))


def _next(column: str, value: str, ends: tuple[int, int]) -> str:
    """Another value of a column."""
    if column == RATING:
        return _other_rating(value, ends)
    if column == OWNERSHIP:
        return words.OWNERSHIPS[(words.OWNERSHIPS.index(value) + 1) % len(words.OWNERSHIPS)]
    return value.title() if value.isupper() else value.upper()


def _other_rating(stars: str, ends: tuple[int, int]) -> str:
    low, high = ends
    return str(low + (int(stars) - low + 1) % (high - low + 1))
