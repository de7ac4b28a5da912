"""The datasets that CMS publishes: one :class:`Dataset` for each file, its layouts and how it is told from the others.

What belongs here: the registry. Not here: the tables of columns (:mod:`nh_pipeline.contracts.raw_columns`) and how a
header is read (:mod:`nh_pipeline.contracts.raw`, which is what the other packages import).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from nh_pipeline.contracts.raw_columns import CLAIMS, PROCESSING_DATE, PROVIDER_ID, PROVIDERS, STAFFING, Column

CoverageKind = Literal["quarter", "release", "undated"]


def fold(cell: str) -> str:
    """A header cell as it is compared: no byte order mark, blanks folded and trimmed, lower case."""
    return re.sub(r"\s+", " ", cell.replace("\ufeff", " ")).strip().casefold()


@dataclass(frozen=True)
class Layout:
    """An era of a dataset's header.

    Attributes:
        name: Short name, after the era's key column.
        markers: Header cells that all are there in this era. The first layout whose markers are there is the file's.
    """

    name: str
    markers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Misprint:
    """A cell that CMS printed wrongly: ``label`` right after the column ``after`` stands for the column ``means``."""

    label: str
    after: str
    means: str


@dataclass(frozen=True)
class Dataset:
    """A file that CMS publishes again and again.

    Attributes:
        name: The dataset's name in paths, assets and tables.
        title: CMS's title of it.
        coverage: What one file covers: a quarter, a release, or nothing that the file says.
        table: Columns. All of them if modelled; else those that recognise the file.
        layouts: Eras of the header, in the order in which they are tried.
        signature: Canonical names of the columns that tell this dataset from the others.
        modelled: Whether bronze and silver exist for it. If not, its files are kept in raw.
        dated_by: Canonical name of the column that says which quarter or release the file is.
        daily_by: Canonical name of the column that holds a day of the quarter in each row.
        value: A column and the value that it has in every row, where two datasets have the same header.
        misprints: Cells that CMS printed wrongly.
    """

    name: str
    title: str
    coverage: CoverageKind
    table: tuple[Column, ...]
    layouts: tuple[Layout, ...]
    signature: tuple[str, ...]
    modelled: bool = False
    dated_by: str | None = None
    daily_by: str | None = None
    value: tuple[str, str] | None = None
    misprints: tuple[Misprint, ...] = ()

    @property
    def is_monthly(self) -> bool:
        """Whether it is dated by CMS's releases, which are of the first of a month; vaccinations are of any day."""
        return self.dated_by == PROCESSING_DATE.name

    @property
    def columns(self) -> dict[str, str]:
        """Canonical name to description, in canonical order."""
        return {column.name: column.description for column in self.table}

    @property
    def required(self) -> tuple[str, ...]:
        """Canonical names without which a file is refused."""
        return tuple(column.name for column in self.table if column.required)


# Eras of the files that have a row for each provider: CMS renamed the key column in 2020 and in 2023.
_CCN = Layout("ccn", ("cms certification number (ccn)",))
_FEDERAL = Layout("federal-provider-number", ("federal provider number",))
_FEDERAL_2017 = Layout(
    "federal-provider-number-2017", ("federal provider number", "number of residents in certified beds")
)
_PROVNUM = Layout("provnum-2019", ("provnum",))
_BY_PROVIDER = (_CCN, _FEDERAL, _PROVNUM)
_ANY = (Layout("cms"),)


def _kept(
    name: str,
    title: str,
    *columns: str | Column,
    coverage: CoverageKind = "release",
    dated_by: Column | None = PROCESSING_DATE,
    value: tuple[str, str] | None = None,
) -> Dataset:
    """A dataset that is recognised and kept, not modelled. Several spellings of a cell are separated by ``|``."""
    table = tuple(
        column
        if isinstance(column, Column)
        else Column(re.sub(r"\W+", "_", fold(column.split("|")[0])), column, tuple(column.split("|")), required=True)
        for column in columns
    )
    if dated_by:
        table += (dated_by,)
    return Dataset(
        name=name,
        title=title,
        coverage=coverage if dated_by else "undated",
        table=table,
        layouts=_BY_PROVIDER if PROVIDER_ID in table else _ANY,
        signature=tuple(column.name for column in table),
        dated_by=dated_by.name if dated_by else None,
        value=value,
    )


_VACCINATED = Column(
    "vaccination_date", "when the figures were updated", ("Date vaccination data last updated",), required=True
)
_CITATION = (PROVIDER_ID, "Survey Date", "Survey Type", "Deficiency Tag Number", "Scope Severity Code")
_QRP = (PROVIDER_ID, "Measure Code", "Score", "Start Date", "End Date")

_ALL = (
    Dataset(
        name="daily_nurse_staffing",
        title="Payroll Based Journal Daily Nurse Staffing",
        coverage="quarter",
        table=STAFFING,
        layouts=(
            Layout("pbj-2021q4", ("incomplete",)),
            Layout("pbj-2017q1", ("hrs_rn_donadmin", "hrs_medaide_ctr")),
            Layout("pbj-2017q3", ("hrs_lpn_admin", "hrs_medaide_ctr")),
            Layout("pbj-2018", ("hrs_medaide_ctr",)),
            Layout("pbj-2017q2"),
        ),
        signature=("work_date", "hrs_cna", "hrs_lpn", "hrs_rn"),
        modelled=True,
        dated_by="cy_qtr",
        daily_by="work_date",
        # The last column of 2017Q2 holds the contract hours of medication aides.
        misprints=(Misprint("hrs_rndon", after="hrs_medaide_emp", means="hrs_medaide_ctr"),),
    ),
    Dataset(
        name="providers",
        title="Provider Information",
        coverage="release",
        table=PROVIDERS,
        layouts=(_CCN, _FEDERAL_2017, _FEDERAL, _PROVNUM),
        signature=("certified_beds", "overall_rating", "health_inspection_rating", "staffing_rating"),
        modelled=True,
        dated_by="processing_date",
    ),
    Dataset(
        name="medicare_claims",
        title="Medicare Claims Quality Measures",
        coverage="release",
        table=CLAIMS,
        layouts=_BY_PROVIDER,
        signature=("measure_code", "adjusted_score", "observed_score"),
        modelled=True,
        dated_by="processing_date",
    ),
    _kept("mds_quality_measures", "MDS Quality Measures", PROVIDER_ID, "Measure Code|MSR_CD",
          "Four Quarter Average Score|MEASURE_SCORE_4QTR_AVG"),
    _kept("penalties", "Penalties", PROVIDER_ID, "Penalty Date|PNLTY_DATE", "Penalty Type|PNLTY_TYPE",
          "Fine Amount|FINE_AMT"),
    _kept("health_citations", "Health Deficiencies", *_CITATION, value=("survey_type", "health")),
    _kept("fire_safety_citations", "Fire Safety Deficiencies", *_CITATION, value=("survey_type", "fire safety")),
    _kept("survey_summary", "Survey Summary", PROVIDER_ID, "Inspection Cycle|CYCLE",
          "Health Survey Date|H_SURVEY_DATE", "Total Number of Health Deficiencies|H_TOT_DFCNCY"),
    _kept("survey_dates", "Inspection Dates", PROVIDER_ID, "Survey Date", "Type of Survey", "Survey Cycle"),
    _kept("citation_descriptions", "Citation Code Look-up", "Deficiency Prefix and Number", "Deficiency Description",
          dated_by=None),
    _kept("covid_vax_provider", "COVID-19 Vaccination Rates - Provider", PROVIDER_ID, "State", dated_by=_VACCINATED),
    _kept("covid_vax_averages", "COVID-19 Vaccination Rates - Averages", "State", dated_by=_VACCINATED),
    _kept("snf_vbp_facility", "SNF Value-Based Purchasing - Facility", PROVIDER_ID, "SNF VBP Program Ranking",
          "Incentive Payment Multiplier", dated_by=None),
    _kept("snf_vbp_aggregate", "SNF Value-Based Purchasing - Aggregate", "Range of Incentive Payment Multipliers",
          "Total Number of SNFs Receiving Value-Based Incentive Payments", dated_by=None),
    _kept("state_us_averages", "State US Averages", "State or Nation", "Cycle 1 Total Number of Health Deficiencies"),
    _kept("data_collection_intervals", "Data Collection Intervals", "Measure Code", "Data Collection Period From Date",
          "Data Collection Period Through Date"),
    _kept("ownership", "Ownership", PROVIDER_ID, "Role played by Owner or Manager in Facility|ROLE_DESC",
          "Owner Type|OWNER_TYPE", "Owner Name|OWNER_NAME"),
    _kept("swing_bed_snf", "SNF QRP Swing Beds - Provider", *_QRP, "CMS Region", "Address Line 2", dated_by=None),
    _kept("snf_qrp_provider", "SNF QRP - Provider", *_QRP, "CMS Region", dated_by=None),
    _kept("snf_qrp_national", "SNF QRP - National", *_QRP, dated_by=None),
    _kept("health_inspection_cutpoints", "State-Level Health Inspection Cut Points", "State", "5 Stars", "2 Stars",
          dated_by=None),
)  # fmt: skip

DATASETS: dict[str, Dataset] = {dataset.name: dataset for dataset in _ALL}
