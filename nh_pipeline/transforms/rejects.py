"""Refused lines, in the columns of ``bronze.rejects``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from nh_pipeline.contracts.bronze import LINEAGE, REJECTS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_ADVICE = {
    "provider_id, work_date": "Find out which of the lines is right and deliver the file with that one alone",
    "provider_id": "Deliver the file as CMS publishes it: a CCN is text of six characters, and a spreadsheet drops its "
    "leading zeros",
    "work_date": "Deliver the line in the file of its own quarter, with the date as CMS writes it (20240401)",
    "processing_date": "Deliver the line in the file of its own release, with the date as CMS writes it (2024-10-01)",
}
_CORRECT = "Compare this value with what CMS publishes, correct it in the source and deliver the file again"
_REST = "; all other lines are in the tables"

SLICE_OF_REJECT = "concat(delivery_id, '.', stage)"
"""SQL for the slice of a reject: what a step replaces."""


def rejects(bronze: DataFrame, classified: DataFrame, *, dataset: str, file_names: dict[str, str]) -> DataFrame:
    """Lines whose ``reason`` is not NULL, beside the text that they had.

    Args:
        bronze: the lines as text.
        classified: source_line, delivery_id, reason of the same lines.
        dataset: name of the CMS dataset.
        file_names: delivered file name per delivery_id, for people.
    """
    refused = classified.where("reason is not null").select("delivery_id", "source_line", "reason")
    name = F.coalesce(*(F.when(F.col("delivery_id") == i, F.lit(n)) for i, n in file_names.items()))
    source = [c for c in bronze.columns if c not in LINEAGE]
    line = F.substring(F.concat_ws(",", *(F.coalesce(F.col(c), F.lit("")) for c in source)), 1, 1000)
    found = bronze.select("delivery_id", "source_line", "coverage", line.alias("line")).join(
        refused, on=["delivery_id", "source_line"]
    )
    # A reason names its column first: "census: expected a whole number, found ...".
    column = F.substring_index("reason", ": expected ", 1)
    advice = F.coalesce(*(F.when(column == name, F.lit(told)) for name, told in _ADVICE.items()), F.lit(_CORRECT))
    return found.select(
        F.lit(dataset).alias("dataset"),
        F.lit("type").alias("stage"),
        "coverage",
        "delivery_id",
        name.alias("file_name"),
        "source_line",
        "reason",
        "line",
        column.alias("column_name"),
        F.concat(advice, F.lit(_REST)).alias("what_to_do"),
    ).select(*REJECTS.columns)
