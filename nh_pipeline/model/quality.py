"""The table about all other tables of a domain: what came in, what came out, what was refused, what the gate found."""

from __future__ import annotations

from dataclasses import dataclass

from nh_pipeline.model.columns import category, date, flag, ratio, text
from nh_pipeline.model.table import Table
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
    """The kind of the table: built whole, from documents and metadata. An engine only runs its gate.

    Attributes:
        domain: it tells of the tables of this domain.
    """

    domain: str


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
QUALITIES = (DATA_QUALITY, CLINICAL_QUALITY, _about("treatments", "treatments_gold"))
"""One of each domain. They count, and show no values."""
