"""Star ratings that follow CMS's rules: health inspections from cut points by state, the overall one from the three.

The history of a provider is planned in overall ratings; each is reached from the health inspection rating, which
stays as long as the survey score does, by a pair of a staffing and a quality measure rating.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from nh_pipeline.sample import words
from nh_pipeline.sample.facilities import quirk_count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from nh_pipeline.sample.facilities import World

ALL = range(1, 6)
INVALID_STAFFING = "6"
LATER_FOOTNOTES_FROM = date(2025, 1, 1)
"""From then on homes without registered nurses have a footnote of their own (24); before, they shared 12."""

_ABUSE_CAP = 2
_BEST, _UPPER, _MIDDLE, _LOWER = 0.1, 1 / 3, 17 / 30, 0.8  # the best tenth has five stars, the worst fifth one
_FEWEST_HOMES = 10  # of a state, for its best tenth to be anyone
_FEWEST_DAYS = 5  # of a quarter, for a home to have the four days without registered nurses that cost all stars


def overall_rating(inspection: int, staffing: int | None, quality: int | None) -> int:
    """The overall rating that follows from the three others, by the rule in force since July 2022."""
    stars = inspection + (staffing == 5) - (staffing == 1)  # noqa: PLR2004
    stars = min(max(stars, 1), 5)
    stars = min(max(stars + (quality == 5) - (quality == 1), 1), 5)  # noqa: PLR2004
    return min(stars, 2) if inspection == 1 else stars


def _pairs(inspection: int, staffings: Sequence[int | None]) -> dict[int, list[tuple[int | None, int]]]:
    """Overall rating to the pairs of staffing and quality that lead to it, under the rule before July 2022, too."""
    found: dict[int, list[tuple[int | None, int]]] = {}
    for staffing in staffings:
        # Four stars raised the overall rating then if the inspection had fewer.
        if staffing != 4 or inspection >= staffing:  # noqa: PLR2004
            for quality in ALL:
                found.setdefault(overall_rating(inspection, staffing, quality), []).append((staffing, quality))
    return found


_KINDS: tuple[Sequence[int | None], ...] = (ALL, (1,), (None,))
_RATED, _WITHOUT_RN, _INVALID = range(len(_KINDS))
_PAIRS = [{inspection: _pairs(inspection, staffings) for inspection in ALL} for staffings in _KINDS]


def cut_points(world: World, scores: NDArray[np.float64]) -> dict[str, list[float]]:
    """The highest weighted score that still has five, four, three, two stars, by state.

    A state's own homes decide on it; where they are few, the nation's do.
    """
    rng = np.random.default_rng([world.seed, 11])
    shares = np.array((_BEST, _UPPER, _MIDDLE, _LOWER))
    national = np.quantile(scores, shares) + np.arange(1, 5) / 100
    factors = rng.uniform(0.8, 1.25, len(words.STATES))
    states, found = np.array(world.state), {}
    for state, factor in zip(words.STATES, factors, strict=True):
        own = np.sort(scores[states == state].round(3))
        ends = national * factor
        if own.size >= _FEWEST_HOMES:
            steps = np.arange(4) / 1000  # by which they differ at least
            last = np.floor(shares * own.size + 0.5).astype(int) - 1
            ends = np.maximum.accumulate(own[last] - steps) + steps
        found[state] = np.round(ends, 3).tolist()
    return found


@dataclass(frozen=True)
class Stars:
    """What decides on the ratings.

    Attributes:
        cuts: From :func:`cut_points`.
        inspection: Health inspection rating by facility; 0 where there is none.
        kind: Index into the kinds of staffing ratings: any, one star for want of nurses, none for invalid data.
        pick: A random number per facility, which chooses among pairs.
    """

    cuts: dict[str, list[float]]
    inspection: NDArray[np.int64]
    kind: NDArray[np.int64]
    pick: NDArray[np.int64]

    @property
    def reach(self) -> list[tuple[int, int]]:
        """Lowest and highest overall rating by facility; all between are reached, too."""
        found = [_PAIRS[kind].get(stars) or {1: [], 5: []} for kind, stars in self._each]
        return [(min(pairs), max(pairs)) for pairs in found]

    @property
    def _each(self) -> list[tuple[int, int]]:
        return list(zip(self.kind.tolist(), self.inspection.tolist(), strict=True))

    def staffing_and_quality(self, overall: Sequence[str]) -> tuple[list[str], list[str]]:
        """Both ratings by facility, such that the overall ones follow."""
        staffing, quality = [], []
        for (kind, stars), text, pick in zip(self._each, overall, self.pick.tolist(), strict=True):
            pairs = _PAIRS[kind][stars][int(text)] if text else [(None, None)]
            pair = pairs[pick % len(pairs)]
            staffing.append("" if pair[0] is None else str(pair[0]))
            quality.append("" if pair[1] is None else str(pair[1]))
        return staffing, quality

    def staffing_footnotes(self, release: date) -> list[str]:
        """Footnotes of the staffing rating by facility, where the rating is there or not for a reason."""
        nurses = "24" if release >= LATER_FOOTNOTES_FROM else "12"
        texts = {_RATED: "", _WITHOUT_RN: nurses, _INVALID: INVALID_STAFFING}
        return [texts[kind] if stars else "" for kind, stars in self._each]


def draw_stars(world: World, scores: NDArray[np.float64], abuse: Sequence[str], days: int | None) -> Stars:
    """The ratings of a world, for as long as the scores stay.

    Args:
        world: The facilities.
        scores: Weighted health survey scores by facility.
        abuse: Abuse icons: homes with one have two stars at most for health inspections.
        days: Of each quarter, None for all.
    """
    rng = np.random.default_rng([world.seed, 12])
    count, cuts = len(world), cut_points(world, scores)
    rounded = scores.round(3)  # as published
    inspection = np.array([5 - np.searchsorted(cuts[state], s) for state, s in zip(world.state, rounded, strict=True)])
    capped = np.array([icon == "Y" for icon in abuse])
    # A few ratings are held: the state's cut points moved, and the home's own score did not.
    for facility in rng.permutation(np.flatnonzero(~capped))[: quirk_count(count, 1 / 60)].tolist():
        inspection[facility] += 1 if inspection[facility] < max(ALL) else -1
    inspection[capped] = np.minimum(inspection[capped], _ABUSE_CAP)
    inspection[world.roles.unrated] = inspection[world.roles.special_focus] = 0
    kind = np.full(count, _RATED)
    if days is None or days >= _FEWEST_DAYS:
        kind[world.roles.zero_hours] = _WITHOUT_RN
    kind[world.roles.suppressed] = _INVALID
    return Stars(cuts, inspection, kind, rng.integers(0, 60, count))


def cut_point_rows(cuts: dict[str, list[float]]) -> list[list[str]]:
    """Rows of the cut points: ranges of scores from five stars to one, by state."""
    rows = []
    for state in sorted(cuts):
        ends = cuts[state]
        starts = [0.0, *(end + 0.001 for end in ends[:-1])]
        ranges = [f"{low:.3f}-{high:.3f}" for low, high in zip(starts, ends, strict=True)]
        rows.append([state, *ranges, f">{ends[-1]:.3f}"])
    return rows
