"""Refused lines, in the columns of ``bronze.rejects``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from nh_pipeline.model.table import LINEAGE, REJECTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nh_pipeline.model.dataset import Dataset

_CORRECT = "Compare this value with what CMS publishes, correct it in the source and deliver the file again"
_REST = "; all other lines are in the tables"


def _advice(dataset: Dataset) -> dict[str, str]:
    """What to do about a refused line, by the column, or columns, that the reason is about."""
    told = {", ".join(dataset.key): "Find out which of the lines is right and deliver the file with that one alone"}
    if dataset.facility:
        told[dataset.facility] = (
            "Deliver the file as CMS publishes it: a CCN is text of six characters, and a spreadsheet drops its "
            "leading zeros"
        )
    if dataset.day:
        told[dataset.day] = "Deliver the line in the file of its own quarter, with the date as CMS writes it (20240401)"
    if dataset.released_by:
        told[dataset.released_by.name] = (
            "Deliver the line in the file of its own release, with the date as CMS writes it (2024-10-01)"
        )
    return told


def rejects(
    bronze: DataFrame, classified: DataFrame, *, dataset: Dataset, stage: str, file_names: Mapping[str, str]
) -> DataFrame:
    """Lines whose ``reason`` is not NULL, beside the text that they had; ``stage`` is the table that refuses them.

    ``classified`` has source_line, delivery_id and reason of the same lines.
    """
    refused = classified.where("reason is not null").select("delivery_id", "source_line", "reason")
    name = F.coalesce(*(F.when(F.col("delivery_id") == i, F.lit(n)) for i, n in file_names.items()))
    lineage = {c.name for c in LINEAGE}
    source = [c for c in bronze.columns if c not in lineage]
    line = F.substring(F.concat_ws(",", *(F.coalesce(F.col(c), F.lit("")) for c in source)), 1, 1000)
    found = bronze.select("delivery_id", "source_line", "coverage", line.alias("line")).join(
        refused, on=["delivery_id", "source_line"]
    )
    # A reason names its column first: "census: expected a whole number, found ...".
    column = F.substring_index("reason", ": expected ", 1)
    advice = F.coalesce(
        *(F.when(column == name, F.lit(told)) for name, told in _advice(dataset).items()), F.lit(_CORRECT)
    )
    return found.select(
        F.lit(dataset.name).alias("dataset"),
        F.lit(stage).alias("stage"),
        "coverage",
        "delivery_id",
        name.alias("file_name"),
        "source_line",
        "reason",
        "line",
        column.alias("column_name"),
        F.concat(advice, F.lit(_REST)).alias("what_to_do"),
    ).select(*REJECTS.names)
