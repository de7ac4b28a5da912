"""Quality measures besides claims: MDS measures, those of the quality reporting program, vaccination."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from nh_pipeline.sample import words
from nh_pipeline.sample.layouts import KEY, MEASURES, era_of
from nh_pipeline.sample.measures import TOO_FEW_RESIDENTS
from nh_pipeline.sample.periods import Quarter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from numpy.typing import NDArray

    from nh_pipeline.sample.facilities import World
    from nh_pipeline.sample.release import Release

MDS = {
    "401": (14.1, "Y"),
    "404": (5.8, "N"),
    "405": (48.5, "N"),
    "406": (1.3, "Y"),
    "407": (2.0, "Y"),
    "408": (9.1, "N"),
    "409": (0.1, "N"),
    "410": (3.3, "Y"),
    "415": (93.0, "N"),
    "419": (14.7, "Y"),
    "430": (81.1, "N"),
    "434": (1.7, "Y"),
    "451": (15.3, "Y"),
    "452": (19.8, "N"),
    "453": (7.8, "Y"),
    "454": (94.9, "N"),
    "471": (76.8, "Y"),
    "472": (77.3, "N"),
    "479": (5.3, "Y"),
    "480": (19.5, "N"),
}
"""Code to the nation's percentage, and whether it makes stars."""

_QUARTERS = 4
_BLANK_SHARE = 0.05
_QRP_CODES = {
    "S_004_01_PPR_PD_RSRR": (10.8, 1.0),
    "S_006_01_MSPB_SCORE": (1.03, 0.15),
    "S_007_02_OBS_RATE": (94.1, 4.0),
    "S_013_02_OBS_RATE": (0.8, 0.5),
    "S_024_05_OBS_RATE": (52.8, 12.0),
    "S_025_05_OBS_RATE": (50.5, 12.0),
    "S_038_02_ADJ_RATE": (2.4, 1.2),
    "S_042_01_OBS_RATE": (52.2, 12.0),
}
_READMISSION = "S_004_01_PPR_PD"
_COMPARED = {
    "N_BETTER_NAT": "Better than the National Rate",
    "N_NO_DIFF_NAT": "No Different than the National Rate",
    "N_WORSE_NAT": "Worse than the National Rate",
}
_NOTHING = "-"
_UNAVAILABLE, _TOO_FEW_STAYS = "Not Available", "9"
_HOSPITALS_FROM, _PER_HOSPITAL = 9000, 20


def mds_descriptions(day: date) -> dict[str, str]:
    """Code of each MDS measure of a release to what it counts, in the words of its averages."""
    era = era_of(day)
    labels = era.header(MEASURES[code] for code in era.mds)
    return dict(zip(era.mds, (label.replace(" stay", "-stay") for label in labels), strict=True))


def mds_scores(world: World, day: date) -> NDArray[np.float64]:
    """Percentages by measure, facility and quarter, with the four-quarter average last; not a number: too few."""
    rng = np.random.default_rng([world.seed, 14, Quarter.of(day).index])
    codes = era_of(day).mds
    shape = (len(codes), len(world))
    nation = np.array([MDS[code][0] for code in codes])[:, None]
    spread = np.minimum(nation, 100 - nation) * 0.4
    home = rng.normal(nation, spread, shape)[:, :, None]
    quarters = np.clip(home + rng.normal(0, 1, (*shape, _QUARTERS)) * spread[:, :, None] / 2, 0, 100).round(6)
    scores = np.concatenate([quarters, quarters.mean(axis=2, keepdims=True).round(6)], axis=2)
    scores[rng.random(shape) < _BLANK_SHARE] = np.nan
    # The average of some is published although a single quarter has too few residents.
    scores[:, :, :_QUARTERS][rng.random((*shape, _QUARTERS)) < _BLANK_SHARE] = np.nan
    return scores


def mds_period(day: date) -> tuple[Quarter, Quarter]:
    """First and last quarter of the MDS measures of a release."""
    last = Quarter.of(day).shift(-2)
    return last.shift(-3), last


def mds_rows(release: Release, scores: NDArray[np.float64]) -> Iterator[list[str]]:
    """Rows of the MDS measures, by provider, then code."""
    first, last = mds_period(release.day)
    described = mds_descriptions(release.day)
    listed = scores.tolist()
    for facility in release.here:
        for measure, (code, description) in enumerate(described.items()):
            stay = "Long Stay" if "long-stay" in description else "Short Stay"
            known = [
                ("", TOO_FEW_RESIDENTS) if math.isnan(score) else (f"{score:.6f}", "")
                for score in listed[measure][facility]
            ]
            yield [
                *(*release.leading[facility], code, description, stay),
                *(text for pair in known for text in pair),
                *(MDS[code][1], f"{first}-{last}", *release.trailing[facility]),
            ]


def qrp_scores(world: World) -> dict[str, NDArray[np.float64]]:
    """Scores of the quality reporting program by code and facility; not a number: too few stays."""
    rng = np.random.default_rng([world.seed, 15])
    scores = {
        code: np.maximum(rng.normal(mean, spread, len(world)), 0).round(2)
        for code, (mean, spread) in _QRP_CODES.items()
    }
    for values in scores.values():
        values[rng.random(len(world)) < _BLANK_SHARE] = np.nan
    return scores


def _qrp_texts(scores: dict[str, NDArray[np.float64]], facility: int) -> Iterator[tuple[str, str, str]]:
    """Code, score and footnote, and how the rate of readmissions compares with the nation's."""
    for code, values in scores.items():
        score = values[facility]
        if np.isnan(score):
            yield code, _UNAVAILABLE, _TOO_FEW_STAYS
        else:
            yield code, f"{score:g}", _NOTHING
    yield f"{_READMISSION}_COMP_PERF", *_compared(scores[f"{_READMISSION}_RSRR"][facility])


def _compared(rate: float) -> tuple[str, str]:
    if np.isnan(rate):
        return _UNAVAILABLE, _TOO_FEW_STAYS
    mean, spread = _QRP_CODES[f"{_READMISSION}_RSRR"]
    better, same, worse = _COMPARED.values()
    return (better if rate < mean - 2 * spread else worse if rate > mean + 2 * spread else same), _NOTHING


def _qrp_dates(day: date) -> list[str]:
    through = Quarter.of(day).shift(-4)
    return [f"{when:%m/%d/%Y}" for when in (through.shift(-7).first, through.last)]


def qrp_rows(release: Release, scores: dict[str, NDArray[np.float64]]) -> Iterator[list[str]]:
    """Rows of the quality reporting program, by provider, then measure."""
    columns, dates = release.columns, _qrp_dates(release.day)
    for facility in release.here:
        phone = columns["Telephone Number"][facility]
        location = columns["Location"][facility].replace(",", ", ")
        place = [columns["County/Parish"][facility], f"({phone[:3]}){phone[3:6]}-{phone[6:]}", "4"]
        for code, score, note in _qrp_texts(scores, facility):
            yield [*release.leading[facility], *place, code, score, note, *dates, _NOTHING, location]


def qrp_national_rows(release: Release, scores: dict[str, NDArray[np.float64]]) -> Iterator[list[str]]:
    """Rows of the nation: its own rates, and how many homes compare how."""
    compared = [_compared(rate)[0] for rate in scores[f"{_READMISSION}_RSRR"][release.here].tolist()]
    counts = {f"{_READMISSION}_{code}": str(compared.count(text)) for code, text in _COMPARED.items()}
    counts[f"{_READMISSION}_N_TOO_SMALL"] = str(compared.count(_UNAVAILABLE))
    rates = {code.replace("RSRR", "NAT_RATE"): f"{mean:g}" for code, (mean, _) in _QRP_CODES.items()}
    for code, score in (rates | counts).items():
        yield ["NATION", code, score, _NOTHING, *_qrp_dates(release.day), _NOTHING]


def swing_bed_rows(release: Release, scores: dict[str, NDArray[np.float64]]) -> Iterator[list[str]]:
    """Rows of hospitals with swing beds, one in the town of every twentieth home: fictional as all else."""
    world = release.world
    for number, at in enumerate(range(0, len(world), _PER_HOSPITAL), 1):
        state, town = world.state[at], world.city[at]
        ccn = f"{words.STATES[state][0]}{_HOSPITALS_FROM + number}"
        who = [ccn, f"{town} COMMUNITY HOSPITAL", f"{number} HOSPITAL ROAD", _NOTHING, town, state]
        place = [release.columns["ZIP Code"][at], world.county[at].upper(), f"(555) 555-01{number % 100:02d}", "4"]
        for code, score, note in _qrp_texts(scores, at):
            yield [*who, *place, code, score, note, *_qrp_dates(release.day), _NOTHING]


def vaccination(world: World, number: int) -> NDArray[np.float64]:
    """Percentages up to date against COVID-19, of residents and of staff (2, facilities), in a release."""
    rng = np.random.default_rng([world.seed, 17])
    first = rng.beta((2, 0.8), (5, 8), (len(world), 2)).T * 100
    return np.clip(first * (1 + 0.03 * number), 0, 100).round(1)


def vaccinated_on(release: date) -> date:
    """The Sunday before a release: until then the vaccinations are counted."""
    return release - timedelta(days=release.weekday() + 1)


def vaccination_rows(release: Release, percentages: NDArray[np.float64]) -> Iterator[list[str]]:
    """Rows of vaccination by provider."""
    day = f"{vaccinated_on(release.day):%m/%d/%Y}"
    for facility in release.here:
        shares = [f"{share:.1f}" for share in percentages[:, facility].tolist()]
        yield [release.columns[KEY][facility], release.world.state[facility], *shares, day]


def vaccination_average_rows(release: Release, percentages: NDArray[np.float64]) -> Iterator[list[str]]:
    """Rows of vaccination averages: unweighted means over the providers of the nation and of each state."""
    day = f"{vaccinated_on(release.day):%m/%d/%Y}"
    states = np.array(release.world.state)
    for state in ("US", *sorted(set(states[release.here].tolist()))):
        among = release.present if state == "US" else release.present & (states == state)
        yield [state, *(f"{mean:.1f}" for mean in percentages[:, among].mean(axis=1).tolist()), day]
