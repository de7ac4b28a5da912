"""Files of averages: of states and the nation, of chains. All are unweighted means over the facilities of a release."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nh_pipeline.sample.inspections import cycles
from nh_pipeline.sample.layouts import AVERAGED_RATINGS, CHAIN_2025, MEASURES, PROCESSING_DATE, SUCCESSORS, era_of
from nh_pipeline.sample.more_layouts import CHAIN_MEASURES
from nh_pipeline.sample.periods import TWO_CYCLES_FROM
from nh_pipeline.sample.providers import RATED_BY_RELEASE, WEEKEND, WEEKEND_RN, penalty_sums
from nh_pipeline.sample.release import figures

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from nh_pipeline.sample.inspections import Inspections
    from nh_pipeline.sample.providers import Penalty
    from nh_pipeline.sample.release import Release

    Figures = Mapping[str, NDArray[np.float64]]

_HPRD = "Staffing Hours per Resident per Day"
_RN, _TOTAL = (f"Reported {skill} {_HPRD}" for skill in ("RN", "Total Nurse"))
_TURNOVER = ("Total nursing staff turnover", "Registered Nurse turnover")
_ADMINISTRATORS = "Number of administrators who have left the nursing home"
_RESIDENTS = "Average Number of Residents per Day"
_ONE_DIGIT = (_RESIDENTS, *_TURNOVER, _ADMINISTRATORS, *AVERAGED_RATINGS)
_TWO_DIGITS = (
    *(f"Reported {skill} {_HPRD}" for skill in ("Nurse Aide", "LPN", "Licensed")),
    *(WEEKEND_RN, "Reported Physical Therapist Staffing Hours per Resident Per Day"),
)
_FIVE_DIGITS = (
    *(_RN, _TOTAL, WEEKEND, "Nursing Case-Mix Index"),
    *(f"Case-Mix {skill} {_HPRD}" for skill in ("RN", "Total Nurse", "Weekend Total Nurse")),
)
_PER_1000 = ("551", "552")


def means(values: NDArray[np.float64], group: NDArray[np.int64], groups: int) -> NDArray[np.float64]:
    """Means of those values that are numbers, by group from 0; a group of -1 is none."""
    valid = ~np.isnan(values) & (group >= 0)
    counts = np.bincount(group[valid], minlength=groups)
    with np.errstate(invalid="ignore"):
        return np.bincount(group[valid], values[valid], minlength=groups) / counts


def _grouped(keys: Sequence[str], among: NDArray[np.bool_]) -> tuple[list[str], NDArray[np.int64]]:
    """The keys that occur, sorted, and the position of each facility's among them; -1 where there is none."""
    names = sorted({key for key, here in zip(keys, among.tolist(), strict=True) if here and key})
    position = {name: index for index, name in enumerate(names)}
    return names, np.where(among, np.array([position.get(key, -1) for key in keys]), -1)


def state_rows(
    release: Release, inspections: Inspections, penalties: Iterable[Penalty], measures: Figures
) -> Iterator[list[str]]:
    """Rows of the state averages, the nation first.

    Args:
        release: Which.
        inspections: Whose deficiencies are counted.
        penalties: As its penalties file has them.
        measures: Code to MDS averages and adjusted claims scores by facility.
    """
    columns: dict[str, tuple[NDArray[np.float64], int]] = {}
    for digits, names in ((1, _ONE_DIGIT), (2, _TWO_DIGITS), (5, _FIVE_DIGITS)):
        columns |= {name: (release.figures(name), digits) for name in names}
    for kind, citations in (("Health", inspections.health), ("Fire Safety", inspections.fire)):
        counts = np.where(inspections.done, citations.count(len(release.world)), np.nan)
        for cycle in cycles(release.day):
            columns[f"Cycle {cycle} Total Number of {kind} Deficiencies"] = (counts[cycle - 1], 1)
    if release.day >= TWO_CYCLES_FROM:  # Provider Information counts the second cycle and the third as one
        del columns["Cycle 2 Total Number of Health Deficiencies"]
    fines, dollars, _ = penalty_sums(len(release.world), penalties)
    columns |= {"Number of Fines": (fines, 1), "Fine Amount in Dollars": (dollars, 0)}
    columns |= {MEASURES[code]: (values, 6) for code, values in measures.items()}
    states, group = _grouped(release.world.state, release.present)
    nation = np.where(release.present, 0, -1)
    header = era_of(release.day).averages
    lines = [{header[0]: state, PROCESSING_DATE: release.day.isoformat()} for state in ("NATION", *states)]
    for name, (values, digits) in columns.items():
        averages = [*means(values, nation, 1).tolist(), *means(values, group, len(states)).tolist()]
        for line, average in zip(lines, averages, strict=True):
            line[name] = "" if np.isnan(average) else f"{average:.{digits}f}"
    return ([line.get(name, "") for name in header] for line in lines)


def chain_columns(columns: dict[str, list[str]], present: NDArray[np.bool_]) -> dict[str, list[str]]:
    """What Provider Information tells of a home's chain since July 2025: its size and mean ratings."""
    chains, group = _grouped(columns["Affiliated Entity ID"], present)
    sizes = np.bincount(group[group >= 0], minlength=len(chains)).astype(str).tolist()
    found = {CHAIN_2025[0]: [sizes[at] if at >= 0 else "" for at in group.tolist()]}
    inspection, quality, staffing = RATED_BY_RELEASE
    for name, rating in zip(CHAIN_2025[1:], ("Overall Rating", inspection, staffing, quality), strict=True):
        stars = means(figures(columns[rating]), group, len(chains)).tolist()
        found[name] = [f"{stars[at]:.1f}" if at >= 0 and stars[at] > 0 else "" for at in group.tolist()]
    return found


def chain_rows(
    release: Release, penalties: Iterable[Penalty], measures: Figures, vaccination: Sequence[NDArray[np.float64]]
) -> Iterator[list[str]]:
    """Rows of the chain performance file, the nation first.

    Args:
        release: Which.
        penalties: As its penalties file has them.
        measures: Code to scores by facility.
        vaccination: Of residents and staff, by facility; none when the file has no such columns.
    """
    columns = release.columns

    def scores(code: str) -> NDArray[np.float64]:
        return measures[code if code in measures else SUCCESSORS[code]]

    def share(name: str, start: str) -> NDArray[np.float64]:
        return np.array([100.0 * text.casefold().startswith(start) for text in columns[name]])

    fines, dollars, denials = penalty_sums(len(release.world), penalties)
    inspection, quality, staffing = RATED_BY_RELEASE
    status = np.array(columns["Special Focus Status"])
    sums = [status == "SFF", status == "SFF Candidate", share("Abuse Icon", "y") / 100]
    averages = [
        share("Abuse Icon", "y"),
        *(share("Ownership Type", kind) for kind in ("for profit", "non profit", "government")),
        *(release.figures(name) for name in ("Overall Rating", inspection, staffing, quality)),
        *(release.figures(name) for name in (_TOTAL, WEEKEND, _RN, *_TURNOVER, _ADMINISTRATORS)),
    ]

    def line(among: NDArray[np.bool_]) -> list[str]:
        def mean(values: NDArray[np.float64], digits: int = 1) -> str:
            valid = values[among & ~np.isnan(values)]
            return f"{valid.mean():.{digits}f}" if valid.size else ""

        def total(values: NDArray[np.generic], digits: int = 0) -> str:
            return f"{values[among].sum():.{digits}f}"

        states = {release.world.state[facility] for facility in np.flatnonzero(among).tolist()}
        return [
            *(total(among), str(len(states)), *(total(values) for values in sums), mean(averages[0], 2)),
            *(mean(values) for values in averages[1:]),
            *(total(fines), mean(fines), total(dollars, 2), mean(dollars, 2), total(denials), mean(denials)),
            *(mean(scores(code), 2 if code in _PER_1000 else 1) for code in CHAIN_MEASURES.values()),
            *(mean(values) for values in vaccination),
        ]

    yield ["National", "", *line(release.present)]
    names = dict(zip(columns["Affiliated Entity ID"], columns["Affiliated Entity Name"], strict=True))
    chains, group = _grouped(columns["Affiliated Entity ID"], release.present)
    for index, chain in enumerate(chains):
        yield [names[chain], chain, *line(group == index)]
