"""What is declared, by name, as tests use it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nh_pipeline import datasets
from nh_pipeline.datasets.cms.daily_nurse_staffing import FCT_STAFFING_LEVELS, HOURS, JOBS
from nh_pipeline.datasets.cms.medicare_claims import DIM_CLAIMS
from nh_pipeline.datasets.cms.providers import DIM_PROVIDERS
from nh_pipeline.marts.facility_measures import FACILITY_MEASURES
from nh_pipeline.pipeline.daily import BuildDays
from nh_pipeline.pipeline.mart import BuildMart

if TYPE_CHECKING:
    from datetime import date

    from nh_pipeline.model.dataset import Dataset

DATASETS = {dataset.name: dataset for dataset in datasets.declared()}
BRONZE = {dataset.name: dataset.bronze for dataset in datasets.with_tables()}
HOUR_COLUMNS = tuple(column.name for column in HOURS)
STAFF_GROUPS = tuple(JOBS)
STAFFING = "daily_nurse_staffing"
DIMENSIONS = {"providers": DIM_PROVIDERS, "medicare_claims": DIM_CLAIMS}
SILVER = {dataset.name: dataset.silver[0] for dataset in datasets.with_tables()}


def staffing_build(coverage: str, start: date, end: date) -> BuildDays:
    """The build of days of ``silver.fct_staffing_levels``."""
    return BuildDays(table=FCT_STAFFING_LEVELS.name, coverage=coverage, start=start, end=end)


def measures_build(start: date, end: date) -> BuildMart:
    """The build of days of ``gold.facility_measures``."""
    return BuildMart(table=FACILITY_MEASURES.name, start=start, end=end)


def with_dataset(name: str, **changes: Any) -> tuple[Dataset, ...]:
    """All datasets, one of them with other facts: what ``datasets.DATASETS`` is set to by a test."""
    return tuple(replace(d, **changes) if d.name == name else d for d in datasets.DATASETS)
