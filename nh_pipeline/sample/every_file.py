"""The files of a release besides the five that every release has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.sample import averages, citations, owners, quality
from nh_pipeline.sample import more_layouts as layouts
from nh_pipeline.sample.periods import MONTHS, TWO_CYCLES_FROM
from nh_pipeline.sample.purchasing import purchasing
from nh_pipeline.sample.stars import cut_point_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import date
    from typing import TypeAlias

    import numpy as np
    from numpy.typing import NDArray

    from nh_pipeline.sample.history import History
    from nh_pipeline.sample.inspections import Inspections
    from nh_pipeline.sample.providers import Penalty
    from nh_pipeline.sample.release import Release

    Figures = Mapping[str, NDArray[np.float64]]
    File: TypeAlias = tuple[str, Sequence[str], Iterable[Sequence[str]]]

_DISPUTES_FROM = 2023
_QRP = "Skilled_Nursing_Facility_Quality_Reporting_Program"


def inspection_files(release: Release, inspections: Inspections, cuts: dict[str, list[float]]) -> Iterator[File]:
    """Name without suffix, header and rows of each file about inspections."""
    month = f"{MONTHS[release.day.month - 1]}{release.day.year}"
    disputes = release.day.year >= _DISPUTES_FROM
    for name, header, found, survey in (
        ("HealthCitations", layouts.HEALTH_CITATIONS, inspections.health, "Health"),
        ("FireSafetyCitations", layouts.FIRE_CITATIONS, inspections.fire, "Fire Safety"),
    ):
        kept = [at for at, column in enumerate(header) if disputes or column not in layouts.DISPUTES]
        rows = [[row[at] for at in kept] for row in citations.citation_rows(release, found, survey)]
        yield f"NH_{name}_{month}", [header[at] for at in kept], rows
    yield f"NH_CitationDescriptions_{month}", layouts.CITATION_DESCRIPTIONS, citations.description_rows()
    yield f"NH_SurveySummary_{month}", layouts.SURVEY_SUMMARY, citations.summary_rows(release, inspections)
    yield f"NH_SurveyDates_{month}", layouts.SURVEY_DATES, citations.survey_date_rows(release, inspections)
    yield f"NH_HlthInspecCutpointsState_{month}", layouts.CUT_POINTS, cut_point_rows(cuts)


def quality_files(
    release: Release, mds: NDArray[np.float64], scores: Figures, penalties: Sequence[Penalty]
) -> Iterator[File]:
    """Name without suffix, header and rows of each file about quality, and of that about chains.

    Args:
        release: Which.
        mds: MDS scores.
        scores: Code to MDS averages and adjusted claims scores by facility.
        penalties: As the release's penalties file has them.
    """
    day = release.day
    month = f"{MONTHS[day.month - 1]}{day.year}"
    qrp, vaccinated = quality.qrp_scores(release.world), quality.vaccination(release.world, release.number)
    until = f"{quality.vaccinated_on(day):%Y%m%d}"
    yield f"NH_QualityMsr_MDS_{month}", layouts.MDS_MEASURES, quality.mds_rows(release, mds)
    yield f"{_QRP}_Provider_Data_{month}", layouts.QRP_PROVIDER, quality.qrp_rows(release, qrp)
    yield f"{_QRP}_National_Data_{month}", layouts.QRP_NATIONAL, quality.qrp_national_rows(release, qrp)
    yield f"Swing_Bed_SNF_data_{month}", layouts.SWING_BEDS, quality.swing_bed_rows(release, qrp)
    yield f"NH_CovidVaxProvider_{until}", layouts.VACCINATION, quality.vaccination_rows(release, vaccinated)
    rows = quality.vaccination_average_rows(release, vaccinated)
    yield f"NH_CovidVaxAverages_{until}", layouts.VACCINATION_AVERAGES, rows
    month = f"{MONTHS[day.month - 1]}_{day.year}"
    if day >= TWO_CYCLES_FROM:
        rows = averages.chain_rows(release, penalties, {**scores, **qrp}, ())
        yield f"Nursing_Home_Chain_Performance_Measures_{month}", ("Chain", "Chain ID", *layouts.CHAIN), rows
    else:
        rows = averages.chain_rows(release, penalties, {**scores, **qrp}, tuple(vaccinated))
        header = ("Affiliated entity", "Affiliated entity ID", *layouts.CHAIN, *layouts.CHAIN_VACCINATION)
        yield f"Nursing_Home_Affiliated_Entity_Performance_Measures_{month}", header, rows


def owner_files(release: Release, history: History, dates: Sequence[date]) -> Iterator[File]:
    """Name without suffix, header and rows of the files about owners.

    Args:
        release: Which.
        history: The plan of changes.
        dates: Of all releases.
    """
    month = f"{MONTHS[release.day.month - 1]}{release.day.year}"
    yield f"NH_Ownership_{month}", layouts.OWNERSHIP, owners.ownership_rows(release, history, dates)
    yield f"SNF_Enrollments_{release.day:%Y.%m.%d}", layouts.ENROLLMENTS, owners.enrollment_rows(release)


def yearly_files(release: Release) -> Iterator[File]:
    """Name without suffix, header and rows of the files that come once a fiscal year: value-based purchasing."""
    rows, aggregate = purchasing(release)
    yield "FY_2024_SNF_VBP_Facility_Performance", layouts.PURCHASING, rows
    yield "FY_2024_SNF_VBP_Aggregate_Performance", layouts.PURCHASING_AGGREGATE, [aggregate]
