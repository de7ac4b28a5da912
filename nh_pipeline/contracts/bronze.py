"""Bronze: one row per source line, every source column as text under its canonical name, plus lineage.

The source columns come from :mod:`nh_pipeline.contracts.raw`; here they become table contracts.
"""

from __future__ import annotations

import pandera.pyspark as pa
from pyspark.sql import types as T

from nh_pipeline.contracts.base import Contract, category, column, text
from nh_pipeline.contracts.raw import DATASETS, Dataset

LINEAGE: dict[str, pa.Column] = {
    "extra_columns": text("Columns that the layout does not know, as a JSON object of text", nullable=True),
    "source_line": column(
        T.LongType(),
        "Record number in the file, the header being 1 (the line number, where no cell holds a line break)",
    ),
    "layout": text("Layout era of the file"),
    "coverage": text("Quarter (2024Q2) or release (2024-10-01) of the delivery"),
    "delivery_id": text("md5 of the delivered file"),
}


def _bronze(dataset: Dataset) -> Contract:
    return Contract(
        schema=pa.DataFrameSchema(
            name=f"bronze.{dataset.name}_raw",
            description=f"{dataset.title}: the lines of every delivery, as text.",
            unique=["delivery_id", "source_line"],
            columns={
                **{name: text(title, nullable=True, source=title) for name, title in dataset.columns.items()},
                **LINEAGE,
            },
        ),
        layout="delivery",
        sort=("source_line",),
    )


BRONZE: dict[str, Contract] = {name: _bronze(d) for name, d in DATASETS.items() if d.modelled}
"""Contract of the bronze table per modelled dataset."""

REJECTS = Contract(
    schema=pa.DataFrameSchema(
        name="bronze.rejects",
        description="Every refused line of every delivery, with where it stands and why it was refused.",
        unique=["delivery_id", "stage", "source_line"],
        columns={
            "dataset": text("CMS dataset"),
            "stage": category("parse: no valid CSV record; type: a value or key is not valid", ["parse", "type"]),
            "coverage": text("Quarter or release of the delivery"),
            "delivery_id": text("md5 of the delivered file"),
            "file_name": text("Name of the delivered file"),
            "source_line": column(T.LongType(), "Record number in the file, the header being 1"),
            "reason": text("What was expected and what was found, with the column"),
            "line": text("The refused line (cut after 1,000 characters)", nullable=True),
            "column_name": text(
                "The column, or columns, that the reason is about; NULL if the line as a whole is no record",
                nullable=True,
            ),
            "what_to_do": text("How whoever delivered the file can put it right"),
        },
    ),
    layout="rejects",
    sort=("source_line",),
)
