"""Claims measures and penalties."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from nh_pipeline.sample.periods import Quarter
from nh_pipeline.sample.providers import Penalty

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from numpy.typing import NDArray

    from nh_pipeline.sample.facilities import World
    from nh_pipeline.sample.release import Release

SCORE_RELEASES = 3
"""Claims scores are computed anew in every third release."""

TOO_FEW_RESIDENTS = "9"
_BLANK_SHARE = 0.08
_REVISED_SHARE = 40
CLAIMS = (
    (
        "521",
        "Percentage of short-stay residents who were rehospitalized after a nursing home admission",
        "Short",
        23.15,
    ),
    ("522", "Percentage of short-stay residents who had an outpatient emergency department visit", "Short", 12.21),
    ("551", "Number of hospitalizations per 1000 long-stay resident days", "Long", 1.72),
    ("552", "Number of outpatient emergency department visits per 1000 long-stay resident days", "Long", 1.65),
)
CLAIM_CODES = tuple(code for code, *_ in CLAIMS)


def blank_scores(world: World, *, quirks: bool) -> list[list[bool]]:
    """Which facilities (inner) have too few residents for a score of a code (outer), in all releases."""
    rng = np.random.default_rng([world.seed, 7])
    blank = rng.random((len(CLAIMS), len(world))) < _BLANK_SHARE
    if not quirks:
        blank[:] = False
    elif not blank.any():
        blank[0, 0] = True
    rows: list[list[bool]] = blank.tolist()
    return rows


def claims_period(release: date) -> tuple[date, date]:
    """First and last day of the four quarters of claims that scores computed for a release stand on."""
    through = Quarter.of(release).shift(-3)
    return through.shift(-3).first, through.last


def claim_scores(world: World, number: int, *, quirks: bool) -> NDArray[np.float64]:
    """Adjusted, observed and expected scores (4, facilities, 3) in the release of a number; not a number: too few."""
    rng = np.random.default_rng([world.seed, 8, number // SCORE_RELEASES])
    national = np.array([rate for *_, rate in CLAIMS])[:, None]
    expected = (national * rng.uniform(0.7, 1.3, (len(CLAIMS), len(world)))).round(6)
    observed = (expected * rng.uniform(0.5, 1.5, expected.shape)).round(6)
    # Risk adjustment: the nation's rate times observed over expected.
    scores = np.stack([(observed / expected * national).round(6), observed, expected], axis=-1)
    scores[np.array(blank_scores(world, quirks=quirks))] = np.nan
    return scores


def claims_rows(release: Release, scores: NDArray[np.float64]) -> Iterator[list[str]]:
    """Rows of the claims file: four per provider, by provider, then code."""
    first, last = claims_period(release.computed_for)
    period = f"{first:%Y%m%d}-{last:%Y%m%d}"
    listed = scores.tolist()
    for facility in release.here:
        for measure, (code, description, stay, _) in enumerate(CLAIMS):
            texts = ["" if math.isnan(score) else f"{score:.6f}" for score in listed[measure][facility]]
            note = "" if texts[0] else TOO_FEW_RESIDENTS
            trailing = [period, *release.trailing[facility]]
            yield [*release.leading[facility], code, description, f"{stay} Stay", *texts, note, "Y", *trailing]


def draw_penalties(world: World, first_release: date) -> list[Penalty]:
    """Fines and payment denials of about half of the facilities, in the two years before the first release."""
    rng = np.random.default_rng([world.seed, 9])
    counts = rng.integers(0, 3, len(world)).tolist()
    penalties = []
    for facility, count in enumerate(counts):
        for _ in range(count):
            month, day, kind, dollars = rng.integers([1, 1, 0, 655], [13, 29, 8, 60_000]).tolist()
            year = first_release.year - 1 - day % 2
            fine = kind > 0
            when = f"{year}-{month:02d}-{day:02d}"
            penalties.append(Penalty(facility, when, dollars if fine else None, None if fine else dollars % 60 + 1))
    return penalties


def revised(penalties: Sequence[Penalty]) -> list[Penalty]:
    """The penalties after some fines were reduced by 35 %, as is done for homes that waive a hearing."""
    return [
        replace(penalty, dollars=penalty.dollars * 65 // 100)
        if penalty.dollars is not None and number % _REVISED_SHARE == 0
        else penalty
        for number, penalty in enumerate(penalties)
    ]


def penalty_rows(release: Release, penalties: Sequence[Penalty]) -> Iterator[list[str]]:
    """Rows of the penalties file."""
    for penalty in penalties:
        if release.present[penalty.facility]:
            if penalty.dollars is not None:
                what = ["Fine", f"{penalty.dollars}.00", "", ""]
            else:
                what = ["Payment Denial", "", penalty.day, str(penalty.denied_days)]
            yield [*release.leading[penalty.facility], penalty.day, *what, *release.trailing[penalty.facility]]
