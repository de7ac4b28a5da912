"""``gold.series_breaks``: when CMS changed what a figure means, or which columns there are; for charts to annotate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.dates import DIM_DATE
from nh_pipeline.model.columns import category, date, text
from nh_pipeline.model.mart import Mart

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

KINDS = {
    "definition": "the same name means something else from then on",
    "column": "a column came, went or got another name",
    "coverage": "days, homes or releases that are missing or not comparable",
}

_GUIDE = "CMS, Five-Star Quality Rating System: Technical Users Guide"
_FILES = "monthly files"
_QSO = "CMS memorandum QSO-25-20-NH"

BREAKS = (
    ("2020-01-01", "coverage", "daily staffing", "2020Q1: reporting was waived; about 11,700 homes reported", "PBJ"),
    ("2021-10-01", "coverage", "daily staffing", "2021Q4: about 1 per cent of days are cut off (incomplete)", "PBJ"),
    ("2021-12-01", "coverage", "releases", "No release in December 2021, 2022 and 2023", _FILES),
    ("2022-01-01", "column", "weekend HPRD, turnover", "Weekend hours, turnover and administrators come", _FILES),
    ("2022-07-01", "definition", "staffing rating", "Weekend hours and turnover count in the staffing stars", _GUIDE),
    ("2022-07-01", "definition", "overall rating", "Staffing adds a star with five staffing stars only", _GUIDE),
    ("2022-07-01", "column", "RN staffing rating", "The RN staffing rating goes", _FILES),
    ("2022-08-01", "column", "adjusted weekend HPRD", "Adjusted weekend hours come", _FILES),
    ("2023-01-01", "column", "health citations", "Marks of informal dispute resolution (IDR, IIDR) come", _FILES),
    ("2023-06-01", "column", "all provider files", "Federal Provider Number becomes CCN", _FILES),
    ("2023-06-01", "column", "chains", "Affiliated entities come", _FILES),
    ("2023-07-01", "definition", "administrator turnover", "Homes with five administrators are left out", _GUIDE),
    ("2023-08-01", "column", "latitude, longitude", "Coordinates come", _FILES),
    ("2024-04-01", "coverage", "staffing rating, case-mix", "Frozen from April to June 2024", _GUIDE),
    ("2024-07-01", "definition", "case-mix and adjusted HPRD", "Case-mix by PDPM instead of RUG-IV", _GUIDE),
    ("2024-07-01", "definition", "turnover", "A gap of 90 days ends an employment, no longer of 60", _GUIDE),
    ("2024-07-01", "column", "case-mix index", "Case-mix index, its ratio and weekend case-mix hours come", _FILES),
    ("2024-10-01", "coverage", "MDS measures", "The measure period stays 2023Q3 to 2024Q2 to 2025-09", _FILES),
    ("2024-12-01", "coverage", "releases", "No release in December 2024 and January 2025", _FILES),
    ("2025-01-01", "definition", "MDS 451", "The ability to move becomes the ability to walk", _FILES),
    ("2025-02-01", "column", "MDS measures", "405 becomes 480, 453 becomes 479, 471 went in 2024-11", _FILES),
    ("2025-07-01", "definition", "health inspection score", "Two cycles, weighted three to one, not three", _QSO),
    ("2025-07-01", "column", "rating cycles", "Cycles 2 and 3 are counted together (Cycle 2/3)", _FILES),
    ("2025-07-01", "column", "chains", "Affiliated entity becomes chain, with its averages", _FILES),
    ("2025-08-01", "coverage", "releases", "No release in August 2025", _FILES),
    ("2025-09-01", "coverage", "citations, penalties, claims", "Copies of July 2025 under a new date", _FILES),
    ("2025-10-01", "definition", "fines", "Several fines of one survey become rows of their own", _FILES),
    ("2025-10-01", "column", "urban", "Urban comes", _FILES),
    ("2026-01-01", "coverage", "releases", "No release in January 2026", _FILES),
    ("2026-02-01", "column", "incidents, complaints", "Counts of incidents and substantiated complaints go", _FILES),
    ("2026-02-01", "column", "MDS measures", "Antipsychotics 419 becomes 481", _FILES),
    ("2026-06-01", "column", "penalties", "Fine ID comes", _FILES),
    ("2026-07-29", "coverage", "case-mix HPRD", "Wrong for some 14,250 homes; re-released on 6 August 2026", _FILES),
)  # fmt: skip
"""First day, kind, series, what happened, and who says so."""


def series_breaks(days: DataFrame) -> DataFrame:
    """The list, as a table."""
    told = ", ".join(
        f"named_struct('first_day', date '{day}', 'kind', '{kind}', 'series', '{series}', 'what', '{what}', "
        f"'source', '{source}')"
        for day, kind, series, what, source in BREAKS
    )
    return days.where("date = date '2017-01-01'").selectExpr(f"explode(array({told})) as _b").selectExpr("_b.*")


MART = Mart(
    "series_breaks",
    description="Breaks in CMS's series, and columns that came and went: one row per break.",
    grain=("first_day", "series", "what"),
    reads=(DIM_DATE,),
    transform=series_breaks,
    columns=(
        date("first_day", "First day, or first release, that is otherwise", nullable=False),
        category("kind", "; ".join(f"`{k}`: {v}" for k, v in KINDS.items()), tuple(KINDS), nullable=False),
        text("series", "Figures concerned", nullable=False),
        text("what", "What is otherwise from then on", nullable=False),
        text("source", "Where it is said or seen", nullable=False),
    ),
    caution="Breaks that are known; there may be more",
)
