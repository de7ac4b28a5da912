"""Provider Information: one file per release, a row per provider.

Columns are made as lists over all facilities of the world, under canonical names (:mod:`nh_pipeline.sample.layouts`),
and each era's layout picks those that it has. Three kinds: fixed ones, those of the history's plan, and those measured
from the staffing of the quarter that the release reports.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nh_pipeline.sample import words
from nh_pipeline.sample.history import NAME, OWNERSHIP, RATING, ratings
from nh_pipeline.sample.layouts import ADDRESS, KEY, PROCESSING_DATE, RATINGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from numpy.typing import NDArray

    from nh_pipeline.sample.facilities import World
    from nh_pipeline.sample.history import History
    from nh_pipeline.sample.inspections import Inspections
    from nh_pipeline.sample.periods import Quarter
    from nh_pipeline.sample.staffing import QuarterSums
    from nh_pipeline.sample.stars import Stars

    Columns = dict[str, list[str]]

_RN, _LPN, _AIDE = slice(0, 3), slice(3, 5), slice(5, 8)
_HPRD = "Staffing Hours per Resident per Day"
_SKILLS = ("Nurse Aide", "LPN", "RN", "Weekend Total Nurse")
_NATIONAL_CASE_MIX = 1.36771  # mean nursing case-mix index of residents, by which that of a home is divided
WEEKEND, WEEKEND_RN = (
    "Total number of nurse staff hours per resident per day on the weekend",
    "Registered Nurse hours per resident per day on the weekend",
)
RATED_BY_RELEASE = ("Health Inspection Rating", "QM Rating", "Staffing Rating")
_NOISY_SHARE = 37  # every 37th facility's town is written with blanks around it in a release
_MEASURED_STARTS = ("Nursing Case-Mix Index", "Number of administrators")
_MEASURED_ENDS = ("per Resident per Day", "per Resident Per Day", "Residents per Day", "on the weekend", "turnover")
_NOISE_CYCLE = ("plain", "capitals", "decimals")
_DECIMAL_NOISE = ("Number of Certified Beds", *RATINGS)


@dataclass(frozen=True)
class Penalty:
    """A fine or a payment denial of a facility.

    Attributes:
        facility: Index into the world.
        day: ISO date.
        dollars: Amount of the fine; None for a payment denial.
        denied_days: Length of the payment denial; None for a fine.
    """

    facility: int
    day: str
    dollars: int | None
    denied_days: int | None


def fixed_columns(world: World) -> Columns:
    """Columns that are the same in all releases."""
    rng = np.random.default_rng([world.seed, 4])
    count = len(world)

    def numbers(low: int, high: int) -> list[int]:
        drawn: list[int] = rng.integers(low, high, count).tolist()
        return drawn

    def choice(options: Sequence[str], weights: Sequence[float]) -> list[str]:
        return [options[index] for index in rng.choice(len(options), size=count, p=weights).tolist()]

    chains = [index - 10 for index in numbers(0, 10 + len(words.CHAINS))]
    owner = [words.CHAINS[chain] if chain >= 0 else "" for chain in chains]
    street = [words.STREETS[index] for index in numbers(0, len(words.STREETS))]
    columns: Columns = {
        KEY: list(world.ccn),
        "Provider Address": [
            f"{number} {name} {words.STREET_KINDS[number % len(words.STREET_KINDS)]}"
            for number, name in zip(numbers(1, 9999), street, strict=True)
        ],
        "City/Town": list(world.city),
        "State": list(world.state),
        "ZIP Code": [f"{number:05d}" for number in numbers(501, 99951)],
        # 555-0100 to 555-0199 are kept for fiction.
        "Telephone Number": [
            f"{area}55501{line:02d}" for area, line in zip(numbers(201, 990), numbers(0, 100), strict=True)
        ],
        "Provider SSA County Code": [f"{int(code) * 10:03d}" for code in world.fips],
        "County/Parish": list(world.county),
        "Urban": choice(("Y", "N"), (0.7, 0.3)),
        "Number of Certified Beds": [str(beds) for beds in world.beds.tolist()],
        "Provider Type": choice(("Medicare and Medicaid", "Medicare", "Medicaid"), (0.94, 0.04, 0.02)),
        "Provider Resides in Hospital": choice(("N", "Y"), (0.96, 0.04)),
        "Legal Business Name": [f"{first} OPERATIONS LLC" for first in (name.split()[0] for name in world.name)],
        "Date First Approved to Provide Medicare and Medicaid Services": _dates(numbers(1967, 2016), numbers(1, 13)),
        "Affiliated Entity Name": owner,
        "Affiliated Entity ID": [str(100 + chain) if chain >= 0 else "" for chain in chains],
        "Continuing Care Retirement Community": choice(("N", "Y"), (0.89, 0.11)),
        "Special Focus Status": choice(("", "SFF Candidate"), (0.97, 0.03)),
        "Abuse Icon": choice(("N", "Y"), (0.94, 0.06)),
        "Provider Changed Ownership in Last 12 Months": choice(("N", "Y"), (0.96, 0.04)),
        "With a Resident and Family Council": choice(("Resident", "Both", "None"), (0.78, 0.17, 0.05)),
        "Automatic Sprinkler Systems in All Required Areas": choice(("Yes", "Partial"), (0.995, 0.005)),
        "Latitude": [f"{number / 10_000:.4f}" for number in numbers(260_000, 480_000)],
        "Longitude": [f"-{number / 10_000:.4f}" for number in numbers(700_000, 1_240_000)],
    }
    for name in ("Long-Stay QM Rating", "Short-Stay QM Rating", "RN Staffing Rating"):
        columns[name] = ratings(world, rng)
    for name in (*RATINGS, "RN Staffing Rating"):
        columns[f"{name} Footnote"] = _at({"1": world.roles.unrated, "18": world.roles.special_focus}, count)
    for facility in world.roles.special_focus.tolist():
        columns["Special Focus Status"][facility] = "SFF"
    for name in ("Number of Facility Reported Incidents", "Number of Substantiated Complaints"):
        columns[name] = [str(number) for number in numbers(0, 4)]
    address = zip(*(columns[name] for name in ADDRESS), strict=True)
    return columns | {"Location": [",".join(parts) for parts in address]}


def is_measured(column: str) -> bool:
    """Whether a column (canonical name) is measured anew in each quarter, rather than an attribute of the provider."""
    return column.endswith(_MEASURED_ENDS) or column.startswith(_MEASURED_STARTS)


def _at(texts: dict[str, NDArray[np.int64]], count: int) -> list[str]:
    """A column that holds each text at its indices and is blank elsewhere."""
    column = [""] * count
    for text, indices in texts.items():
        for index in indices.tolist():
            column[index] = text
    return column


def _dates(years: list[int], months: list[int]) -> list[str]:
    return [f"{year}-{month:02d}-01" for year, month in zip(years, months, strict=True)]


def penalty_sums(count: int, penalties: Iterable[Penalty]) -> NDArray[np.float64]:
    """Fines, their dollars and payment denials (3, facilities)."""
    sums = np.zeros((3, count))
    for penalty in penalties:
        fine = penalty.dollars is not None
        sums[:, penalty.facility] += (fine, penalty.dollars or 0, not fine)
    return sums


def penalty_totals(count: int, penalties: Iterable[Penalty]) -> Columns:
    """Sums of a penalties file by facility."""
    fines, dollars, denials = penalty_sums(count, penalties)
    return {
        "Number of Fines": [f"{number:.0f}" for number in fines.tolist()],
        "Total Amount of Fines in Dollars": [f"{amount:.2f}" for amount in dollars.tolist()],
        "Number of Payment Denials": [f"{number:.0f}" for number in denials.tolist()],
        "Total Number of Penalties": [f"{number:.0f}" for number in (fines + denials).tolist()],
    }


def rates(sums: QuarterSums) -> dict[str, NDArray[np.float64]]:
    """Hours per resident day by facility, as CMS computes them: Σ hours / Σ residents over days with residents.

    Returns:
        Canonical column name to values; NaN where there are no resident-days.
    """
    rn, lpn, aide = (sums.hours[part].sum(axis=0) for part in (_RN, _LPN, _AIDE))
    weekend = sums.weekend_hours
    cents = {
        f"Reported Nurse Aide {_HPRD}": (aide, sums.residents),
        f"Reported LPN {_HPRD}": (lpn, sums.residents),
        f"Reported RN {_HPRD}": (rn, sums.residents),
        f"Reported Licensed {_HPRD}": (rn + lpn, sums.residents),
        f"Reported Total Nurse {_HPRD}": (rn + lpn + aide, sums.residents),
        WEEKEND: (weekend.sum(axis=0), sums.weekend_residents),
        WEEKEND_RN: (weekend[_RN].sum(axis=0), sums.weekend_residents),
    }
    with np.errstate(divide="ignore", invalid="ignore"):
        return {name: hours / (100 * residents) for name, (hours, residents) in cents.items()}


def _case_mix(
    reported: dict[str, NDArray[np.float64]], ratio: NDArray[np.float64], among: NDArray[np.bool_]
) -> dict[str, NDArray[np.float64]]:
    """Case-mix hours (the nation's, times the home's ratio) and hours adjusted to them, as published to five decimals.

    Args:
        reported: From :func:`rates`.
        ratio: Case-mix index of each home over the nation's.
        among: The homes whose mean is the nation's.
    """

    def mean(rate: NDArray[np.float64]) -> float:
        return round(float(rate[among].mean()), 5) if among.any() else 1.0

    by_skill = {skill: reported.get(f"Reported {skill} {_HPRD}", reported[WEEKEND]) for skill in _SKILLS}
    national = {skill: mean(rate) for skill, rate in by_skill.items()}
    national["Total Nurse"] = national["Nurse Aide"] + national["LPN"] + national["RN"]
    by_skill["Total Nurse"] = reported[f"Reported Total Nurse {_HPRD}"]
    columns = {}
    for skill, hours in national.items():
        expected = columns[f"Case-Mix {skill} {_HPRD}"] = (ratio * hours).round(5)
        columns[f"Adjusted {skill} {_HPRD}"] = by_skill[skill].round(5) / expected * mean(expected)
    return columns


def measured_columns(world: World, quarter: Quarter, sums: QuarterSums, always: NDArray[np.bool_]) -> Columns:
    """Columns measured in the quarter that a release reports; blank, with footnotes, where CMS suppresses them.

    Args:
        world: The facilities.
        quarter: Which one.
        sums: Of it.
        always: The homes in all releases, whose mean is the nation's case mix. The others have that mean, which is
            thus the same in all releases of the quarter, and with it all adjusted hours.
    """
    rng = np.random.default_rng([world.seed, 6, quarter.index])
    count = len(world)
    suppressed = np.zeros(count, dtype=np.bool_)
    suppressed[world.roles.suppressed] = True
    reported = rates(sums)
    among = always & ~suppressed
    ratio = rng.uniform(0.85, 1.15, count)
    ratio = (ratio / ratio[among].mean()).round(5) if among.any() else ratio.round(5)
    ratio[~always] = 1
    values: dict[str, tuple[NDArray[np.float64], int]] = {
        name: (rate, 5) for name, rate in (reported | _case_mix(reported, ratio, among)).items()
    }
    values |= {
        "Average Number of Residents per Day": (sums.all_residents / np.maximum(sums.rows, 1), 1),
        "Reported Physical Therapist Staffing Hours per Resident Per Day": (rng.uniform(0, 0.15, count), 5),
        "Nursing Case-Mix Index": (_NATIONAL_CASE_MIX * ratio, 5),
        "Nursing Case-Mix Index Ratio": (ratio, 5),
        "Total nursing staff turnover": (rng.uniform(25, 75, count), 1),
        "Registered Nurse turnover": (rng.uniform(15, 80, count), 1),
        "Number of administrators who have left the nursing home": (np.floor(rng.uniform(0, 3, count)), 0),
    }
    hidden = {
        "Average Number of Residents per Day Footnote": "10",
        "Reported Staffing Footnote": "6",
        "Physical Therapist Staffing Footnote": "6",
        "Total nursing staff turnover footnote": "26",
        "Registered Nurse turnover footnote": "26",
        "Administrator turnover footnote": "26",
    }
    columns: Columns = {
        name: [
            "" if hide or math.isnan(value) else f"{value:.{digits}f}"
            for value, hide in zip(array.tolist(), suppressed.tolist(), strict=True)
        ]
        for name, (array, digits) in values.items()
    }
    return columns | {name: _at({code: world.roles.suppressed}, count) for name, code in hidden.items()}


def release_columns(
    columns: Columns, history: History, number: int, release: date, *, inspections: Inspections, stars: Stars
) -> Columns:
    """All columns of a release, for all facilities, present or not.

    Args:
        columns: From :func:`fixed_columns` and :func:`measured_columns`.
        history: The plan of changes.
        number: Of the release, from 0.
        release: Its Processing Date.
        inspections: What the health inspections found.
        stars: What decides on the ratings.
    """
    columns = columns | {name: history.column(name, number) for name in (NAME, OWNERSHIP, RATING)}
    columns |= inspections.provider_columns(release)
    staffing, quality = stars.staffing_and_quality(columns[RATING])
    inspection = [str(number) if number else "" for number in stars.inspection.tolist()]
    columns |= zip(RATED_BY_RELEASE, (inspection, quality, staffing), strict=True)
    footnotes = zip(columns["Staffing Rating Footnote"], stars.staffing_footnotes(release), strict=True)
    columns["Staffing Rating Footnote"] = [first or second for first, second in footnotes]
    columns[PROCESSING_DATE] = [release.isoformat()] * len(columns[KEY])
    return columns


def with_noise(columns: Columns, number: int) -> Columns:
    """The columns as the release of a number formats them, with the same values.

    Owners are in capitals in releases 1, 4, ..., stars and beds are decimals in releases 2, 5, ..., and there are
    blanks around some towns in each.
    """
    style = _NOISE_CYCLE[number % len(_NOISE_CYCLE)]
    columns = dict(columns)
    if style == "capitals":
        columns[OWNERSHIP] = [owner.upper() for owner in columns[OWNERSHIP]]
    elif style == "decimals":
        columns |= {name: [f"{text}.0" if text else "" for text in columns[name]] for name in _DECIMAL_NOISE}
    columns["City/Town"] = [
        f" {town}  " if index % _NOISY_SHARE == number else town for index, town in enumerate(columns["City/Town"])
    ]
    return columns
