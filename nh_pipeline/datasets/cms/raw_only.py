"""Files that are recognised and kept, without tables of them: the columns that tell each."""

from __future__ import annotations

import re

from nh_pipeline.datasets.cms.shared import ANY, BY_PROVIDER, PROCESSING_DATE, PROVIDER_ID
from nh_pipeline.model.columns import Column, date, text
from nh_pipeline.model.dataset import Dataset


def _kept(
    name: str,
    title: str,
    *columns: str | Column,
    released_by: Column | None = PROCESSING_DATE,
    by_fiscal_year: bool = False,
    value: tuple[str, str] | None = None,
) -> Dataset:
    """A dataset that is recognised and kept. Several spellings of a cell are separated by ``|``."""
    found = tuple(
        column
        if isinstance(column, Column)
        else text(re.sub(r"\W+", "_", column.split("|")[0].casefold()), column, *column.split("|"), required=True)
        for column in columns
    )
    found += (released_by,) if released_by else ()
    return Dataset(
        name=name,
        title=title,
        columns=found,
        eras=BY_PROVIDER if PROVIDER_ID in found else ANY,
        told_by=tuple(column.name for column in found),
        released_by=released_by,
        by_fiscal_year=by_fiscal_year,
        on_the_first=released_by is PROCESSING_DATE,
        value=value,
    )


_VACCINATED = date(
    "vaccination_date", "When the figures were updated", "Date vaccination data last updated", required=True
)
_CITATION = (PROVIDER_ID, "Survey Date", "Survey Type", "Deficiency Tag Number", "Scope Severity Code")
_QRP = (PROVIDER_ID, "Measure Code", "Score", "Start Date", "End Date")

RAW_ONLY = (
    _kept("mds_quality_measures", "MDS Quality Measures", PROVIDER_ID, "Measure Code|MSR_CD",
          "Four Quarter Average Score|MEASURE_SCORE_4QTR_AVG"),
    _kept("health_citations", "Health Deficiencies", *_CITATION, value=("survey_type", "health")),
    _kept("fire_safety_citations", "Fire Safety Deficiencies", *_CITATION, value=("survey_type", "fire safety")),
    _kept("survey_summary", "Survey Summary", PROVIDER_ID, "Inspection Cycle|CYCLE",
          "Health Survey Date|H_SURVEY_DATE", "Total Number of Health Deficiencies|H_TOT_DFCNCY"),
    _kept("survey_dates", "Inspection Dates", PROVIDER_ID, "Survey Date", "Type of Survey", "Survey Cycle"),
    _kept("citation_descriptions", "Citation Code Look-up", "Deficiency Prefix and Number", "Deficiency Description",
          released_by=None),
    _kept("covid_vax_provider", "COVID-19 Vaccination Rates - Provider", PROVIDER_ID, "State", released_by=_VACCINATED),
    _kept("covid_vax_averages", "COVID-19 Vaccination Rates - Averages", "State", released_by=_VACCINATED),
    _kept("snf_vbp_facility", "SNF Value-Based Purchasing - Facility", PROVIDER_ID, "SNF VBP Program Ranking",
          "Incentive Payment Multiplier", released_by=None, by_fiscal_year=True),
    _kept("snf_vbp_aggregate", "SNF Value-Based Purchasing - Aggregate", "Range of Incentive Payment Multipliers",
          "Total Number of SNFs Receiving Value-Based Incentive Payments", released_by=None, by_fiscal_year=True),
    _kept("data_collection_intervals", "Data Collection Intervals", "Measure Code", "Data Collection Period From Date",
          "Data Collection Period Through Date"),
    _kept("ownership", "Ownership", PROVIDER_ID, "Role played by Owner or Manager in Facility|ROLE_DESC",
          "Owner Type|OWNER_TYPE", "Owner Name|OWNER_NAME"),
    _kept("swing_bed_snf", "SNF QRP Swing Beds - Provider", *_QRP, "CMS Region", "Address Line 2", released_by=None),
    _kept("snf_qrp_provider", "SNF QRP - Provider", *_QRP, "CMS Region", released_by=None),
    _kept("snf_qrp_national", "SNF QRP - National", *_QRP, released_by=None),
    _kept("health_inspection_cutpoints", "State-Level Health Inspection Cut Points", "State", "5 Stars|X5 Stars",
          "2 Stars|X2 Stars", released_by=None),
)  # fmt: skip
