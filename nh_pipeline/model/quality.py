"""The table about all other tables of a domain: what came in, what came out, what was refused, what the gate found."""

from __future__ import annotations

from dataclasses import dataclass

from nh_pipeline.model.columns import category, date, flag, instant, ratio, text
from nh_pipeline.model.table import Partitioning, Table
from nh_pipeline.model.types import LONG

MEASURES = {
    "rows_in": "lines of the delivery, or of those that the part is built from",
    "rows_out": "rows of the part",
    "refused": "lines that are not in it, by the column that the reason is about; of all lines",
    "duplicates": "keys that more than one line of a delivery has; of its lines whose key can be read",
    "nulls": "rows without a value in a column; of all rows. A column without a row here has a value in each",
    "check": "what breaks a rule of the gate, in the build that the part is of; of the rows that it looked at",
    "withheld": "a build that the gate refused: the part is as it was before; the rule, and what was found",
    "counts": "whether the delivery counts, or was superseded by a better one; else why not",
    "late_from": "the day from which the next delivery is late",
    "unchanged_since": "the first of the releases up to this one that have the same content but for their date",
}
"""What is measured, and of what it is a part."""


@dataclass(frozen=True)
class Quality:
    """The kind of the table: built from documents, metadata and counts. An engine only runs its gate.

    Attributes:
        domain: it tells of the tables of this domain.
        appends: whether each run adds a part (``run_id``) that tells of its steps, in place of replacing all.
    """

    domain: str
    appends: bool = False


_COLUMNS = (
    text("table_name", "The table, with its layer", nullable=False),
    text(
        "part",
        "What of it: a delivery (bronze, its md5), a quarter, a release, a month, several of them (first..last), "
        "or `all`",
        nullable=False,
    ),
    text("run_id", "Run of Dagster that built it like this first; empty if that is not known", nullable=False),
    category("measure", "What is measured: see the documentation", tuple(MEASURES), nullable=False),
    text("subject", "The column or the rule that it is about; empty if it is all of them", nullable=False),
    text("coverage", "Quarter or release of the delivery that the row is about"),
    text("found", "How many").having(type=LONG),
    text("of_rows", "Of how many").having(type=LONG),
    ratio("rate", "found / of_rows", unit="ratio"),
    flag("passed", "Whether it is as it should be; NULL where that cannot be said").having(nullable=True),
    date("day", "The day, of measures that are one"),
    text("told", "The same in words"),
)


def _about(domain: str, database: str) -> Table:
    return Table(
        name=f"{database}.data_quality",
        description="What is known of the quality of every table: one row per table, part of it, run, measure and "
        "subject.",
        columns=_COLUMNS,
        grain=("table_name", "part", "run_id", "measure", "subject"),
        caution="Lines are counted for each table apart: do not sum up over tables. What is late depends on the day of "
        "asking: compare `day` with it",
        kind=Quality(domain),
    )


DATA_QUALITY, CLINICAL_QUALITY = _about("cms", "gold"), _about("clinical", "clinical_gold")

STATUSES = ("SUCCESS", "UNCHANGED", "FAILED")
RECONCILIATIONS = ("MATCH", "MISMATCH")

ETL_TRACKER = Table(
    name="treatments_gold.etl_tracker",
    description="Steps from the treatment system to its tables, one row per run and step, with an identity of counts.",
    columns=(
        text("id", "run_id, source and destination", nullable=False),
        text("run_id", "Run of Dagster that looked", nullable=False),
        category("source_layer", "Where the rows were", ("raw", "bronze", "silver", "gold"), nullable=False),
        category("destination_layer", "Where they are now", ("bronze", "silver", "gold"), nullable=False),
        text("source_table", "The table, or deliveries, that they come from", nullable=False),
        text("destination_table", "The table that they are in", nullable=False),
        category(
            "status",
            "The table is another one than in the run before, or the same; or its last build was withheld by the gate",
            STATUSES,
            nullable=False,
        ),
        text("source_count", "What is counted at the source: see `told`", nullable=False).having(type=LONG),
        text("destination_count", "What is counted of it at the destination", nullable=False).having(type=LONG),
        text(
            "explained_count", "What has another place: refused, superseded, deleted; below 0 for what is added"
        ).having(type=LONG, nullable=False),
        category("reconciliation_status", "source = destination + explained", RECONCILIATIONS, nullable=False),
        text("told", "What is counted, in words", nullable=False),
        text("snapshot_id", "Snapshot of the destination").having(type=LONG),
        instant("completion_timestamp", "When that was published; NULL if nothing is"),
        instant("created_at", "When the run looked", nullable=False),
    ),
    grain=("id",),
    partitioning=Partitioning(("run_id",)),
    kind=Quality("treatments", appends=True),
    caution="Each run adds its rows: take those of the last created_at",
)

QUALITIES = (DATA_QUALITY, CLINICAL_QUALITY, _about("treatments", "treatments_gold"), ETL_TRACKER)
"""Of each domain. They count, and show no values."""
