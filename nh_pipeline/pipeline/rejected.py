"""The part of ``bronze.rejects`` that the build of a silver table writes: the lines that its rules refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.model.table import REJECTS
from nh_pipeline.transforms.rejects import rejects

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyspark.sql import DataFrame

    from nh_pipeline.lake.lake import Lake, TableSnapshot
    from nh_pipeline.lake.publish import Staged
    from nh_pipeline.model.table import Table
    from nh_pipeline.pipeline.context import BuildContext
    from nh_pipeline.pipeline.deliveries import Deliveries

_FORMERLY = "type"
"""The stage of the lines that a first silver table refused, before a file could become several."""


def partitions_of(table: Table, ids: Iterable[str]) -> list[str]:
    """The partitions of ``bronze.rejects`` that a build of the table replaces for these deliveries."""
    return [f"{i}.{stage}" for i in ids for stage in (table.short, _FORMERLY)]


def current(lake: Lake, table: Table, found: Deliveries) -> TableSnapshot:
    """Their state.

    Those of all deliveries: one that was superseded loses its rejects, whatever the order in which they came.
    """
    return lake.snapshot(REJECTS, partitions_of(table, found.names))


def staged(
    context: BuildContext,
    table: Table,
    found: Deliveries,
    bronze: DataFrame,
    classified: DataFrame,
    *,
    any_refused: bool,
) -> Staged:
    """Stages the refused ones of the lines of the deliveries that count, ``classified`` by their reason.

    That takes a second pass over the lines, which is left out where there is nothing to find.
    """
    refused = (
        rejects(bronze, classified, dataset=found.dataset, stage=table.short, file_names=found.names)
        if any_refused
        else context.spark.createDataFrame([], REJECTS.spark)
    )
    return context.stage(REJECTS, refused, partitions_of(table, found.names))
