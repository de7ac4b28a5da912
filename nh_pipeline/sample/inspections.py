"""Inspections of the three rating cycles: what was cited, and the scores that CMS derives from it.

Drawn once, the same in all releases. Dates lie so that a citation stays in its cycle for half a year of releases.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from nh_pipeline.sample.facilities import quirk_count
from nh_pipeline.sample.periods import TWO_CYCLES_FROM
from nh_pipeline.sample.tags import FIRE_TAGS, HEALTH_TAGS, RIGHTS, SUBSTANDARD_CARE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from numpy.typing import NDArray

    from nh_pipeline.sample.facilities import World
    from nh_pipeline.sample.tags import Tag

    Columns = dict[str, list[str]]

CYCLES = (1, 2, 3)
TWO_YEARS = 732
"""Days after which the last health inspection is more than two years ago."""

SEVERITIES = "BCDEFGHIJKL"
"""Scope and severity, from potential for minimal harm (B, C) to immediate jeopardy (J, K, L)."""

_POINTS = np.array([0, 0, 4, 8, 16, 20, 35, 45, 50, 100, 150])
_POINTS_SUBSTANDARD = np.array([0, 0, 4, 8, 20, 20, 40, 50, 75, 125, 175])
_POINTS_PAST = 20  # immediate jeopardy that the home had ended itself before the survey
_SHARES = np.array([0.02, 0.02, 0.60, 0.22, 0.06, 0.04, 0.005, 0.005, 0.015, 0.01, 0.005])
_WIDESPREAD, _JEOPARDY, _PATTERN = SEVERITIES.index("F"), SEVERITIES.index("J"), SEVERITIES.index("E")
_COMPLAINT_TOO, _DISPUTED = 0.15, 0.3
_ONE_REVISIT, _INFECTION_SURVEY = 0.9, 0.1
_STANDARD, _COMPLAINT, _INFECTION = range(3)
_REVISIT_SHARES = np.array([0.0, 0.0, 0.5, 0.7, 0.85])


def cycles(release: date) -> tuple[int, ...]:
    """The rating cycles that the files of a release tell of."""
    return CYCLES[:2] if release >= TWO_CYCLES_FROM else CYCLES


@dataclass(frozen=True)
class Citations:
    """Deficiencies found; arrays of equal length, by facility, then cycle.

    Attributes:
        tags: What ``tag`` counts in.
        facility: Index into the world.
        cycle: 1 (latest) to 3.
        day: Of the survey.
        tag: Index into the tags.
        severity: Index into :data:`SEVERITIES`.
        standard: Whether found in the yearly survey.
        complaint: Whether found while following a complaint, which may be at the yearly survey.
        infection: Whether found in an infection control survey.
        past: Whether it was past non-compliance, ended before the survey.
        disputed: Whether an informal dispute resolution is going on (only of those without points here).
    """

    tags: Sequence[Tag]
    facility: NDArray[np.int64]
    cycle: NDArray[np.int64]
    day: NDArray[np.datetime64]
    tag: NDArray[np.int64]
    severity: NDArray[np.int64]
    standard: NDArray[np.bool_]
    complaint: NDArray[np.bool_]
    infection: NDArray[np.bool_]
    past: NDArray[np.bool_]
    disputed: NDArray[np.bool_]

    def count(self, facilities: int, among: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
        """Citations by cycle and facility (3, facilities)."""
        return self._sum(facilities, np.ones(len(self.tag)) if among is None else among)

    def points(self, facilities: int) -> NDArray[np.int64]:
        """Points by cycle and facility (3, facilities): by severity, more for substandard quality of care."""
        substandard = np.array([tag.category in SUBSTANDARD_CARE for tag in self.tags])[self.tag]
        points = np.where(substandard, _POINTS_SUBSTANDARD[self.severity], _POINTS[self.severity])
        points = np.where(self.past & (self.severity >= _JEOPARDY), _POINTS_PAST, points)
        return self._sum(facilities, points)

    def _sum(self, facilities: int, weights: NDArray[np.generic]) -> NDArray[np.int64]:
        at = (self.cycle - 1) * facilities + self.facility
        sums = np.bincount(at, weights, minlength=len(CYCLES) * facilities)
        return np.asarray(np.rint(sums).astype(np.int64).reshape(len(CYCLES), facilities))


@dataclass(frozen=True)
class Inspections:
    """What was inspected, when and with which result; arrays are by cycle and facility (3, facilities).

    Attributes:
        done: Whether the cycle took place; young homes have no third one yet.
        health_day: Of the standard health survey.
        fire_day: Of the fire safety survey.
        revisits: Health revisits until all was corrected.
        health: Health citations.
        fire: Fire safety citations.
    """

    done: NDArray[np.bool_]
    health_day: NDArray[np.datetime64]
    fire_day: NDArray[np.datetime64]
    revisits: NDArray[np.int64]
    health: Citations
    fire: Citations

    @cached_property
    def deficiency_score(self) -> NDArray[np.int64]:
        """Points of the citations."""
        return self.health.points(self.done.shape[1])

    @cached_property
    def revisit_score(self) -> NDArray[np.int64]:
        """Points of the revisits after the first: 50, 70, 85 % of the deficiency score."""
        scores = np.floor(self.deficiency_score * _REVISIT_SHARES[self.revisits] + 0.5)
        return np.asarray(scores, dtype=np.int64)

    @cached_property
    def total_score(self) -> NDArray[np.int64]:
        """Points in all."""
        return self.deficiency_score + self.revisit_score

    def weighted_score(self, release: date) -> NDArray[np.float64]:
        """Total weighted score by facility: of three cycles (two in young homes), from July 2025 on of two."""
        first, second, third = self.total_score
        if release >= TWO_CYCLES_FROM:
            score = 0.75 * first + 0.25 * second
        else:
            score = np.where(self.done[2], first / 2 + second / 3 + third / 6, 0.6 * first + 0.4 * second)
        return np.asarray(score)

    def provider_columns(self, release: date) -> Columns:
        """What Provider Information tells of the inspections."""
        facilities = self.done.shape[1]
        figures = {
            "Total Number of Health Deficiencies": self.health.count(facilities),
            "Number of Standard Health Deficiencies": self.health.count(facilities, self.health.standard),
            "Number of Complaint Health Deficiencies": self.health.count(facilities, self.health.complaint),
            "Health Deficiency Score": self.deficiency_score,
            "Number of Health Revisits": self.revisits,
            "Health Revisit Score": self.revisit_score,
            "Total Health Score": self.total_score,
        }
        columns: Columns = {}
        for cycle in cycles(release):
            survey = "Standard Survey Health Date" if cycle == 1 else "Standard Health Survey Date"
            done = self.done[cycle - 1]
            for name, array in {survey: self.health_day, **figures}.items():
                texts = np.where(done, array[cycle - 1].astype(str), "")
                columns[f"Rating Cycle {cycle} {name}"] = texts.tolist()
        overdue = np.datetime64(release) - self.health_day[0] > np.timedelta64(TWO_YEARS, "D")
        infections = self.health.count(facilities, self.health.infection)[: len(cycles(release))].sum(axis=0)
        return columns | {
            "Most Recent Health Inspection More Than 2 Years Ago": np.where(overdue, "Y", "N").tolist(),
            "Total Weighted Health Survey Score": [f"{score:.3f}" for score in self.weighted_score(release).tolist()],
            "Number of Citations from Infection Control Inspections": infections.astype(str).tolist(),
        }


def draw_inspections(world: World, first_release: date) -> Inspections:
    """Draws the inspections of the three cycles before the first release."""
    rng = np.random.default_rng([world.seed, 10])
    count = len(world)
    shape = (len(CYCLES), count)
    done = np.ones(shape, dtype=np.bool_)
    done[2, rng.permutation(count)[: quirk_count(count, 1 / 40)]] = False
    # A tenth was inspected last more than two years ago.
    since = np.where(rng.random(count) < 1 / 10, rng.integers(760, 1200, count), rng.integers(30, 200, count))
    ago = since + np.cumsum(np.vstack([np.zeros(count, dtype=np.int64), rng.integers(340, 460, (2, count))]), axis=0)
    health_day = np.datetime64(first_release) - ago.astype("timedelta64[D]")
    fire_day = health_day - rng.integers(0, 15, shape).astype("timedelta64[D]")
    revisits = np.where(rng.random(shape) < _ONE_REVISIT, 1, rng.integers(0, 5, shape))
    standard, complaint = rng.integers(0, 8, shape) * done, rng.integers(0, 3, shape) * done
    infection = (rng.random(shape) < _INFECTION_SURVEY) * done
    # Surveys between the yearly ones belong to the year before the release, the year before that, and so on.
    year = np.datetime64(first_release) - (365 * np.arange(3))[:, None].astype("timedelta64[D]")
    between = year - rng.integers(20, 180, (2, *shape)).astype("timedelta64[D]")
    return Inspections(
        done=done,
        health_day=health_day,
        fire_day=fire_day,
        revisits=revisits,
        health=_cite(HEALTH_TAGS, [standard, complaint, infection], [health_day, *between], rng),
        fire=_cite(FIRE_TAGS, [rng.integers(0, 7, shape) * done], [fire_day], rng),
    )


def _cite(
    tags: Sequence[Tag], counts: list[NDArray[np.generic]], days: list[NDArray[np.datetime64]], rng: np.random.Generator
) -> Citations:
    """Draws citations, so many by kind of survey (standard, complaint, infection), cycle and facility."""
    by_kind = np.stack([array.T for array in counts], axis=-1)  # (facility, cycle, kind)
    each = by_kind.reshape(-1)
    group = np.repeat(np.arange(each.size) // len(counts), each)
    kind = np.repeat(np.arange(each.size) % len(counts), each)
    day = np.repeat(np.stack([array.T for array in days], axis=-1).reshape(-1), each)
    # Within a cycle of a facility no tag occurs twice: both numbers of tags are primes.
    nth = np.arange(group.size) - np.searchsorted(group, group)
    start, step = rng.integers(0, len(tags), by_kind.shape[:2]), rng.integers(1, len(tags), by_kind.shape[:2])
    tag = (start.reshape(-1)[group] + nth * step.reshape(-1)[group]) % len(tags)
    severity = rng.choice(len(SEVERITIES), group.size, p=_SHARES / _SHARES.sum())
    # Some residents' rights make substandard quality of care, some do not: here none is cited so severely.
    also_complaint = _COMPLAINT_TOO if len(counts) > 1 else 0
    rights = np.array([of.category == RIGHTS for of in tags])[tag]
    severity[rights & (severity >= _WIDESPREAD)] = _PATTERN
    return Citations(
        tags=tags,
        facility=group // len(CYCLES),
        cycle=group % len(CYCLES) + 1,
        day=day,
        tag=tag,
        severity=severity,
        standard=kind == _STANDARD,
        complaint=(kind == _COMPLAINT) | ((kind == _STANDARD) & (rng.random(group.size) < also_complaint)),
        infection=kind == _INFECTION,
        past=rng.random(group.size) < np.where(severity >= _JEOPARDY, 0.3, 0.01),
        disputed=(severity < SEVERITIES.index("D")) & (rng.random(group.size) < _DISPUTED),
    )
