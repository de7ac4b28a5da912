"""Dagster partitions. Dates and periods as such are in :mod:`nh_pipeline.periods`.

All staffing assets share one daily partitions object: with different starts a backfill of a range would not be
one run.
"""

from __future__ import annotations

import warnings
from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

import dagster as dg
from dagster._core.definitions.partitions.subset import AllPartitionsSubset

from nh_pipeline import datasets
from nh_pipeline.model.kinds import Bronze, Daily, PerRelease
from nh_pipeline.model.mart import Mart
from nh_pipeline.model.view import Exported
from nh_pipeline.periods import FIRST_RELEASE, FIRST_WORK_DATE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from nh_pipeline.model.dataset import Dataset
    from nh_pipeline.model.table import Table
    from nh_pipeline.model.view import Export

LONGEST_QUARTER = 92
"""Days of the longest quarter."""

# Dagster's last partition is the one that is over. What is materialized beyond it is recorded without a partition: it
# stays grey for ever, and no condition sees it. So both reach as far as a delivery of today can.
WORK_DATES = dg.DailyPartitionsDefinition(start_date=FIRST_WORK_DATE.isoformat(), end_offset=LONGEST_QUARTER)
"""One partition per day of staffing, to the end of the quarter that runs today, or beyond."""

RELEASES = dg.MonthlyPartitionsDefinition(start_date=FIRST_RELEASE.isoformat(), end_offset=1)
"""One partition per month of CMS releases (two Processing Dates of a month are two releases of one partition).

The running month has one, too: a release carries its first day, and comes out within it.
"""

EXPORTS = dg.DailyPartitionsDefinition(start_date="2010-01-01", end_offset=1)
"""One partition per day of export (``dt``): of a chain's own deliveries, which are of any time."""

# Beta parameters, silenced one by one: the first is ours, the second Dagster passes on for every sensor with jobs.
warnings.filterwarnings("ignore", message="Parameter `backfill_policy`", category=dg.BetaWarning)
warnings.filterwarnings("ignore", message="Parameter `owners`", category=dg.BetaWarning)
SINGLE_RUN = dg.BackfillPolicy.single_run()
"""A range of partitions is one run."""

# A table without partitions that depends on one of days depends on all of them, and Dagster lists these for each of its
# steps and checks, only to see that there are too many to ask about one by one.
_listed = AllPartitionsSubset.get_partition_keys


@lru_cache(maxsize=8)
def _known(partitions: dg.PartitionsDefinition[str], _: date) -> Sequence[str]:
    return partitions.get_partition_keys()


def _keys(subset: AllPartitionsSubset, current_time: datetime | None = None) -> Sequence[str]:
    """Keys of all partitions, listed once a day."""
    definition, context = subset.partitions_def, subset._partition_loading_context  # noqa: SLF001
    if definition in (WORK_DATES, RELEASES, EXPORTS):
        with dg.partition_loading_context(new_ctx=context):
            return list(_known(definition, context.effective_dt.date()))
    return _listed(subset, current_time)


setattr(AllPartitionsSubset, "get_partition_keys", _keys)  # noqa: B010 (mypy takes no method for it)

RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


def range_tags(start: date, end: date) -> dict[str, str]:
    """Run tags that make one run of a range of partitions (days, or months by their first days)."""
    return {RANGE_START: start.isoformat(), RANGE_END: end.isoformat()}


def run_range(context: dg.AssetExecutionContext | dg.OpExecutionContext) -> tuple[date, date]:
    """First and last day of the partitions of this run; a month partition counts with all of its days."""
    window = context.partition_time_window
    return window.start.date(), window.end.date() - timedelta(days=1)


def partitions_of_file(dataset: Dataset | Export) -> dg.PartitionsDefinition[str] | None:
    """Partitions of a file: days, months of releases, days of export, or none."""
    return {"quarter": WORK_DATES, "release": RELEASES, "export": EXPORTS}.get(dataset.coverage)


def partitions_of(table: Table) -> dg.PartitionsDefinition[str] | None:
    """Partitions of a table: those of its file, if it is built part by part; of a mart, those of what it is cut by."""
    if isinstance(table.kind, Mart):
        return RELEASES if table.kind.release else WORK_DATES if table.kind.month or table.kind.quarter else None
    if isinstance(table.kind, Exported):
        return EXPORTS
    if isinstance(table.kind, (Bronze, Daily, PerRelease)):
        return partitions_of_file(datasets.dataset(table.dataset))
    return None


def range_of(context: dg.AssetExecutionContext) -> tuple[date, date] | None:
    """First and last day of the partitions of this run; None for an asset that has none."""
    return run_range(context) if context.has_partition_key or context.has_partition_key_range else None
