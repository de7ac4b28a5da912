"""The other monthly files: claims measures, collection intervals, penalties, state averages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nh_pipeline.sample.layouts import ADDRESS, KEY, PROCESSING_DATE, STATE_AVERAGES
from nh_pipeline.sample.periods import Quarter
from nh_pipeline.sample.providers import Penalty, rates

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from nh_pipeline.sample.facilities import World
    from nh_pipeline.sample.staffing import QuarterSums

    Columns = dict[str, list[str]]

SCORE_RELEASES = 3
"""Claims scores are computed anew in every third release."""

TOO_FEW_RESIDENTS = "9"
_BLANK_SHARE = 0.08
_CLAIMS = (
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
CLAIM_CODES = tuple(code for code, *_ in _CLAIMS)
_MDS = (
    ("404", "Percentage of long-stay residents who lose too much weight"),
    ("407", "Percentage of long-stay residents with a urinary tract infection"),
    ("410", "Percentage of long-stay residents experiencing one or more falls with major injury"),
)


def blank_scores(world: World, *, quirks: bool) -> list[list[bool]]:
    """Which facilities (inner) have too few residents for a score of a code (outer), in all releases."""
    rng = np.random.default_rng([world.seed, 7])
    blank = rng.random((len(_CLAIMS), len(world))) < _BLANK_SHARE
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


def claims_rows(
    world: World, columns: Columns, present: Sequence[bool], number: int, computed_for: date, *, quirks: bool
) -> Iterator[list[str]]:
    """Rows of the claims file: four per provider, by provider, then code.

    Args:
        world: The facilities.
        columns: Of the release's Provider Information.
        present: Which facilities the release knows.
        number: Of the release, from 0.
        computed_for: Processing Date of the release that the scores were computed for.
        quirks: Whether some scores are blank, with a footnote.
    """
    rng = np.random.default_rng([world.seed, 8, number // SCORE_RELEASES])
    national = np.array([rate for *_, rate in _CLAIMS])[:, None]
    expected = (national * rng.uniform(0.7, 1.3, (len(_CLAIMS), len(world)))).round(6)
    observed = (expected * rng.uniform(0.5, 1.5, expected.shape)).round(6)
    # Risk adjustment: the nation's rate times observed over expected.
    scores = np.stack([observed / expected * national, observed, expected], axis=-1).tolist()
    blank = blank_scores(world, quirks=quirks)
    first, last = claims_period(computed_for)
    period = f"{first:%Y%m%d}-{last:%Y%m%d}"
    leading = list(zip(*(columns[name] for name in (KEY, "Provider Name", *ADDRESS)), strict=True))
    for index, known in enumerate(present):
        if not known:
            continue
        trailing = [period, columns["Location"][index], columns[PROCESSING_DATE][index]]
        for measure, (code, description, stay, _) in enumerate(_CLAIMS):
            hidden = blank[measure][index]
            texts = ["", "", ""] if hidden else [f"{score:.6f}" for score in scores[measure][index]]
            note = TOO_FEW_RESIDENTS if hidden else ""
            yield [*leading[index], code, description, f"{stay} Stay", *texts, note, "Y", *trailing]


def interval_rows(release: date, reported: Quarter, computed_for: date) -> Iterator[list[str]]:
    """Rows of the collection intervals: which period each measure of the release covers."""

    def row(code: str, description: str, first: date, last: date) -> list[str]:
        return [code, description, f"{first:%m/%d/%Y}", f"{last:%m/%d/%Y}", "", f"{release:%Y%m%d}"]

    for code, description in _MDS:
        through = Quarter.of(release).shift(-2)
        yield row(code, description, through.shift(-3).first, through.last)
    first, last = claims_period(computed_for)
    for code, description, *_ in _CLAIMS:
        yield row(code, description, first, last)
    text = "Reporting Period for Nursing Home Staff"
    yield row("STAFFING_LEVELS", f"{text}ing Level Measures", reported.first, reported.last)
    year = reported.shift(-4).first, reported.shift(-1).last
    yield row("STAFFING_TURNOVER", f"{text} Turnover Measures", *year)


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


def penalty_rows(columns: Columns, present: Sequence[bool], penalties: Sequence[Penalty]) -> Iterator[list[str]]:
    """Rows of the penalties file."""
    for penalty in penalties:
        if not present[penalty.facility]:
            continue
        leading = [columns[name][penalty.facility] for name in (KEY, "Provider Name", *ADDRESS)]
        if penalty.dollars is not None:
            what = ["Fine", f"{penalty.dollars}.00", "", ""]
        else:
            what = ["Payment Denial", "", penalty.day, str(penalty.denied_days)]
        trailing = [columns[name][penalty.facility] for name in ("Location", PROCESSING_DATE)]
        yield [*leading, penalty.day, *what, *trailing]


def average_rows(world: World, present: Sequence[bool], sums: QuarterSums, release: date) -> Iterator[list[str]]:
    """Rows of the state averages: means over facilities, as CMS averages; columns that are not modelled are blank."""
    known = np.array(present)
    states = np.array(world.state)
    figures = {name: (values, 5) for name, values in rates(sums).items()}
    figures["Average Number of Residents per Day"] = (sums.all_residents / np.maximum(sums.rows, 1), 1)
    for state in ("NATION", *sorted(set(states[known].tolist()))):
        among = known if state == "NATION" else known & (states == state)
        texts = {STATE_AVERAGES[0]: state, PROCESSING_DATE: release.isoformat()}
        for name, (values, digits) in figures.items():
            valid = values[among & ~np.isnan(values)]
            texts[name] = f"{valid.mean():.{digits}f}" if valid.size else ""
        yield [texts.get(name, "") for name in STATE_AVERAGES]
