"""Files of inspections: health and fire safety citations, their code look-up, summaries by cycle, survey dates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nh_pipeline.sample.inspections import SEVERITIES, cycles
from nh_pipeline.sample.layouts import KEY, PROCESSING_DATE
from nh_pipeline.sample.more_layouts import FIRE_CATEGORIES, HEALTH_CATEGORIES
from nh_pipeline.sample.tags import FIRE_TAGS, HEALTH_TAGS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from nh_pipeline.sample.inspections import Citations, Inspections
    from nh_pipeline.sample.release import Release

_TO_CORRECT = np.timedelta64(180, "D")  # days within which some homes still have only a plan


def citation_rows(release: Release, citations: Citations, survey: str) -> Iterator[list[str]]:
    """Rows of a citations file; ``survey`` is "Health" or "Fire Safety"."""
    known = release.present[citations.facility] & (citations.cycle <= cycles(release.day)[-1])
    recent = (np.datetime64(release.day) - citations.day < _TO_CORRECT) & ~citations.past
    status = np.where(
        recent, "Deficient, Provider has plan of correction", "Deficient, Provider has date of correction"
    )
    status = np.where(citations.past, "Past Non-Compliance", status)
    corrected = citations.day + np.where(citations.past, -20, 35).astype("timedelta64[D]")
    flags = (citations.standard, citations.complaint, citations.infection, citations.disputed)
    columns = (
        *(citations.facility.tolist(), citations.tag.tolist(), citations.severity.tolist()),
        *(citations.day.astype(str).tolist(), citations.cycle.astype(str).tolist(), status.tolist()),
        np.where(recent, "", corrected.astype(str)).tolist(),
        *(np.where(flag, "Y", "N").tolist() for flag in flags),
    )
    rows = zip(*columns, strict=True)
    for (facility, of, severity, day, cycle, state, end, *found), here in zip(rows, known.tolist(), strict=True):
        if here:
            tag = citations.tags[of]
            version = ["New"] if citations.tags is FIRE_TAGS else []
            yield [
                *(*release.leading[facility], day, survey, tag.prefix, f"{tag.category} Deficiencies", tag.number),
                *(*version, tag.description, SEVERITIES[severity], state, end, cycle, *found, "N"),
                *release.trailing[facility],
            ]


def description_rows() -> list[list[str]]:
    """Rows of the citation code look-up."""
    return [
        [tag.prefix, tag.number, f"{tag.prefix}-{tag.number}", tag.description, f"{tag.category} Deficiencies"]
        for tag in sorted((*HEALTH_TAGS, *FIRE_TAGS))
    ]


def summary_rows(release: Release, inspections: Inspections) -> Iterator[list[str]]:
    """Rows of the survey summary: citations of standard surveys by category, per provider and cycle."""
    count = len(release.world)
    counts = np.concatenate(
        [
            _by_category(inspections.health, HEALTH_CATEGORIES, count, inspections.health.standard),
            _by_category(inspections.fire, FIRE_CATEGORIES, count),
        ]
    )
    kinds = len(HEALTH_CATEGORIES)
    totals = np.stack([counts[:kinds].sum(axis=0), counts[kinds:].sum(axis=0)])
    texts = np.concatenate([totals, counts]).astype(str)
    for facility in release.here:
        for cycle in cycles(release.day):
            if inspections.done[cycle - 1, facility]:
                days = (inspections.health_day, inspections.fire_day)
                yield [
                    *(*release.leading[facility], str(cycle), *(str(day[cycle - 1, facility]) for day in days)),
                    *(*texts[:, cycle - 1, facility].tolist(), *release.trailing[facility]),
                ]


def _by_category(
    citations: Citations, categories: tuple[str, ...], facilities: int, which: NDArray[np.bool_] | bool = True
) -> NDArray[np.int64]:
    """Citations (some of them) by category, cycle and facility."""
    of = np.array([categories.index(tag.category) for tag in citations.tags])[citations.tag]
    return np.stack([citations.count(facilities, (of == index) & which) for index in range(len(categories))])


def survey_date_rows(release: Release, inspections: Inspections) -> Iterator[list[str]]:
    """Rows of the survey dates: the yearly surveys, and those others in which something was cited."""
    surveys: set[tuple[int, str, str, int]] = set()
    for cycle in cycles(release.day):
        held = np.flatnonzero(inspections.done[cycle - 1] & release.present).tolist()
        for kind, days in (("Health", inspections.health_day), ("Fire Safety", inspections.fire_day)):
            texts = days[cycle - 1].astype(str).tolist()
            surveys |= {(facility, texts[facility], f"{kind} Standard", cycle) for facility in held}
    health = inspections.health
    cited = zip(health.facility.tolist(), health.day.astype(str).tolist(), health.cycle.tolist(), strict=True)
    for (facility, day, cycle), complaint, infection in zip(
        cited, health.complaint.tolist(), health.infection.tolist(), strict=True
    ):
        if (complaint or infection) and release.present[facility] and cycle in cycles(release.day):
            surveys.add((facility, day, "Infection Control" if infection else "Health Complaint", cycle))
    for facility, day, kind, cycle in sorted(surveys, key=lambda survey: (survey[0], survey[3], survey[1:3])):
        yield [release.columns[KEY][facility], day, kind, str(cycle), release.columns[PROCESSING_DATE][facility]]
