"""Every file that is known, by declaration: a module each in the folder of its domain, and a line here.

What belongs here: what a file's columns mean, and the tables that it becomes. Not here: bytes, encodings and dates
(:mod:`nh_pipeline.landing`), how tables are built (:mod:`nh_pipeline.pipeline`). PySpark is imported only where a
transform runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline import domains
from nh_pipeline.datasets.clinical import FHIR_EXPORT
from nh_pipeline.datasets.cms.chain_performance import CHAIN_PERFORMANCE
from nh_pipeline.datasets.cms.citations import CITATION_DESCRIPTIONS, FIRE_SAFETY_CITATIONS, HEALTH_CITATIONS
from nh_pipeline.datasets.cms.covid_vaccination import COVID_VAX_AVERAGES, COVID_VAX_PROVIDER
from nh_pipeline.datasets.cms.daily_nurse_staffing import DAILY_NURSE_STAFFING
from nh_pipeline.datasets.cms.data_collection_intervals import DATA_COLLECTION_INTERVALS
from nh_pipeline.datasets.cms.health_inspection_cutpoints import HEALTH_INSPECTION_CUTPOINTS
from nh_pipeline.datasets.cms.mds_quality_measures import MDS_QUALITY_MEASURES
from nh_pipeline.datasets.cms.medicare_claims import MEDICARE_CLAIMS
from nh_pipeline.datasets.cms.nppes import NPPES
from nh_pipeline.datasets.cms.ownership import OWNERSHIP
from nh_pipeline.datasets.cms.penalties import PENALTIES
from nh_pipeline.datasets.cms.providers import PROVIDERS
from nh_pipeline.datasets.cms.snf_enrollments import SNF_ENROLLMENTS
from nh_pipeline.datasets.cms.snf_qrp import SNF_QRP_NATIONAL, SNF_QRP_PROVIDER, SWING_BED_SNF
from nh_pipeline.datasets.cms.snf_vbp import SNF_VBP_AGGREGATE, SNF_VBP_FACILITY
from nh_pipeline.datasets.cms.state_us_averages import STATE_US_AVERAGES
from nh_pipeline.datasets.cms.surveys import SURVEY_DATES, SURVEY_SUMMARY
from nh_pipeline.datasets.facility_map import FACILITY_MAP
from nh_pipeline.datasets.staffing_lines import STAFFING_LINES
from nh_pipeline.datasets.treatments import TREATMENTS

if TYPE_CHECKING:
    from nh_pipeline.model.dataset import Dataset
    from nh_pipeline.model.table import Table
    from nh_pipeline.model.view import Export

DATASETS: tuple[Dataset, ...] = (
    DAILY_NURSE_STAFFING,
    PROVIDERS,
    MEDICARE_CLAIMS,
    PENALTIES,
    STATE_US_AVERAGES,
    MDS_QUALITY_MEASURES,
    HEALTH_CITATIONS,
    FIRE_SAFETY_CITATIONS,
    CITATION_DESCRIPTIONS,
    SURVEY_SUMMARY,
    SURVEY_DATES,
    OWNERSHIP,
    COVID_VAX_PROVIDER,
    COVID_VAX_AVERAGES,
    DATA_COLLECTION_INTERVALS,
    HEALTH_INSPECTION_CUTPOINTS,
    SNF_QRP_PROVIDER,
    SNF_QRP_NATIONAL,
    SWING_BED_SNF,
    STAFFING_LINES,
    SNF_VBP_FACILITY,
    SNF_VBP_AGGREGATE,
    CHAIN_PERFORMANCE,
    SNF_ENROLLMENTS,
    NPPES,
    FACILITY_MAP,
)
"""Every file that is recognised. Programs ask :func:`declared`, so that a test can declare one more."""


def declared() -> tuple[Dataset, ...]:
    """Every file that is recognised."""
    return DATASETS


def with_tables() -> tuple[Dataset, ...]:
    """Those of the selected domains that become tables."""
    chosen = domains.selected()
    return tuple(dataset for dataset in DATASETS if dataset.has_tables and dataset.domain in chosen)


def exports() -> tuple[Export, ...]:
    """Deliveries of the selected domains that are many resources each."""
    return tuple(export for export in (FHIR_EXPORT, TREATMENTS) if export.domain in domains.selected())


def export_of(table: Table) -> Export | None:
    """The export that a table is one of; None if it is none of any."""
    return next((export for export in exports() if table in export.tables), None)


def delivered() -> tuple[Dataset | Export, ...]:
    """Everything of the selected domains that becomes tables."""
    return (*with_tables(), *exports())


def dataset(name: str) -> Dataset:
    """A dataset by its name.

    Raises:
        KeyError: there is none.
    """
    found = {d.name: d for d in DATASETS}
    return found[name]
