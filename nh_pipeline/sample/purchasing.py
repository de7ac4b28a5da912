"""SNF value-based purchasing of fiscal year 2024: readmission rates, the scores that follow, and the aggregate.

Source: the rule of 42 CFR 413.338 and the thresholds of the real aggregate file, by which all real scores follow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from nh_pipeline.sample.release import Release

THRESHOLD, BENCHMARK = 0.79271, 0.83033
"""Shares of stays without readmission that begin to earn, and that earn, all points for achievement."""

_NATIONAL = ("0.19788", "0.20223")
_WITHHELD, _STEEPNESS, _MIDDLE, _LARGEST = 0.02, 0.1, 50, 0.0379324  # of the curve from scores to multipliers
_NO_BASELINE = (
    "This facility had fewer than 25 eligible stays during the baseline period. Therefore, this facility did not have "
    "sufficient data to calculate a baseline period risk-standardized readmission rate or improvement score."
)
_LATER = "To be added after the end of FY 2024"


def achievement(rate: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points from 0 to 100 for a readmission rate."""
    p = (1 - rate).round(5)
    points = 10 * (9 * (p - THRESHOLD) / (BENCHMARK - THRESHOLD) + 0.5)
    return np.where(p < THRESHOLD, 0, np.where(p >= BENCHMARK, 100, points)).round(5)


def improvement(rate: NDArray[np.float64], baseline: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points from 0 to 90 for a rate better than the home's own some years ago; none without a baseline."""
    p, before = (1 - rate).round(5), (1 - baseline).round(5)
    with np.errstate(divide="ignore", invalid="ignore"):
        points = np.clip(10 * (10 * (p - before) / (BENCHMARK - before) - 0.5), 0, 90)
    points = np.where(p <= before, 0, np.where(p >= BENCHMARK, 90, points))
    return np.where(np.isnan(before), np.nan, points).round(5)


def purchasing(release: Release) -> tuple[Iterator[list[str]], list[str]]:
    """Rows of the facility file, and the row of the aggregate file."""
    rng = np.random.default_rng([release.world.seed, 13])
    count = len(release.world)
    rate, baseline = np.clip(rng.normal((0.2, 0.2), (0.02, 0.018), (count, 2)), 0.14, 0.28).T.round(5)
    baseline[rng.random(count) < 1 / 20] = np.nan
    # Homes with too few stays are not in the program.
    within = np.flatnonzero(release.present & (rng.random(count) < 3 / 4))
    achieved, improved = achievement(rate), improvement(rate, baseline)
    score = np.fmax(achieved, improved)
    curve = 1 / (1 + np.exp(-_STEEPNESS * (score - _MIDDLE)))
    multiplier = (1 - _WITHHELD + _LARGEST * curve).round(10)
    ordered = np.sort(score[within])
    rank = within.size - np.searchsorted(ordered, score, side="right") + 1

    def rows() -> Iterator[list[str]]:
        for facility in within.tolist():
            known = not np.isnan(baseline[facility])
            note = "" if known else _NO_BASELINE
            yield [
                *(str(rank[facility]), "", *release.leading[facility]),
                *(f"{baseline[facility]:.5f}" if known else "---", note, f"{rate[facility]:.5f}", ""),
                *(f"{achieved[facility]:.5f}", "", f"{improved[facility]:.5f}" if known else "---", note),
                *(f"{score[facility]:.5f}", "", f"{multiplier[facility]:.10f}", ""),
            ]

    ranges = [
        f"{figures[within].min():.{digits}f}-{figures[within].max():.{digits}f}" if within.size else ""
        for figures, digits in ((score, 5), (multiplier, 10))
    ]
    aggregate = [*_NATIONAL, f"{THRESHOLD}", f"{BENCHMARK}", ranges[0], str(within.size), ranges[1], _LATER, _LATER]
    return rows(), aggregate
