"""Collection intervals: which period each measure of a release covers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.sample.measures import CLAIMS, claims_period
from nh_pipeline.sample.periods import Quarter
from nh_pipeline.sample.quality import mds_descriptions, mds_period

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from nh_pipeline.sample.release import Release

_YEARS = {"C": "Most recent", "P1": "First prior", "P2": "Second prior"}
_SURVEYS = {
    "F_CMPL": "fire safety inspection complaint",
    "H_CMPL": "health inspection complaint",
    "IC_SRVY": "infection control",
}


def interval_rows(release: Release) -> Iterator[list[str]]:
    """Rows of the collection intervals: measures by code, surveys between the yearly ones, staffing."""

    def row(code: str, description: str, first: date, last: date) -> list[str]:
        return [code, description, f"{first:%m/%d/%Y}", f"{last:%m/%d/%Y}", "", f"{release.day:%Y%m%d}"]

    first_quarter, last_quarter = mds_period(release.day)
    for code, description in mds_descriptions(release.day).items():
        yield row(code, description, first_quarter.first, last_quarter.last)
    first, last = claims_period(release.computed_for)
    for code, description, *_ in CLAIMS:
        yield row(code, description, first, last)
    through = Quarter.of(release.day).shift(-1)
    for years, (prefix, which) in enumerate(_YEARS.items()):
        first, last = through.shift(-4 * years - 3).first, through.shift(-4 * years).last
        for suffix, surveys in _SURVEYS.items():
            text = f"{which} 12 month period for deficiencies cited on {surveys} surveys"
            yield row(f"{prefix}_{suffix}", text, first, last)
    text = "Reporting Period for Nursing Home Staff"
    reported = release.reported
    yield row("STAFFING_LEVELS", f"{text}ing Level Measures", reported.first, reported.last)
    yield row("STAFFING_TURNOVER", f"{text} Turnover Measures", reported.shift(-4).first, reported.shift(-1).last)
