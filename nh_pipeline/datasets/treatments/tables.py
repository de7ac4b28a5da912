"""Bronze of the treatment system: items as they were delivered, what each delivery was, and what was refused."""

from __future__ import annotations

from nh_pipeline.datasets.treatments.attributes import ATTRIBUTES
from nh_pipeline.model.columns import category, count, date, flag, instant, text
from nh_pipeline.model.table import LINEAGE, Partitioning, Table
from nh_pipeline.model.types import LONG
from nh_pipeline.model.view import Exported

_DATABASE = "treatments_bronze"

MODES = ("scan", "query", "export", "file")
"""How items were extracted: a scan of the table, a query of an index, DynamoDB's own export, or nobody says how."""

_ID = ATTRIBUTES[0].raw
_DT = date("dt", "Day (UTC) of the extraction", nullable=False)
_STARTED_AT = instant("started_at", "When the extraction began, or to when DynamoDB exported", nullable=False)
_TABLE_NAME = text("table_name", "The table in DynamoDB; empty if nobody says which", nullable=False)
_MEMBER = text("member", "File in the delivered archive; empty if it is none", nullable=False)
_LINE = LINEAGE[1].having(description="Line of the file, from 1")
_DELIVERY = text("delivery_id", "md5 of the delivered file", nullable=False)
_AT = ("delivery_id", "member", "source_line")

TREATMENT_ITEMS = Table(
    name=f"{_DATABASE}.treatment_items",
    description="Every item of every delivery as it was then, and every deletion, a row each.",
    columns=(
        category("op", "An item, or the deletion of one", ("put", "delete"), nullable=False),
        _ID.having(nullable=False),
        *(attribute.raw for attribute in ATTRIBUTES[1:]),
        text("extra_attributes", "What else the item has, by path, as JSON: numbers are text, sets sorted"),
        text("coerced", "Attributes that had another type, or only the day of a time, with commas between them"),
        text("item", "The item, of a deletion its key, in DynamoDB's JSON as delivered", nullable=False),
        instant("write_time", "When DynamoDB wrote it; only incremental exports tell"),
        _STARTED_AT,
        _TABLE_NAME,
        _DT,
        _MEMBER,
        _LINE,
        _DELIVERY,
    ),
    grain=_AT,
    partitioning=Partitioning(("delivery_id",)),
    sensitive=True,
    caution="Numbers are plain and times in UTC: item has both as written. For what holds now, take treatments_silver",
    kind=Exported(leads=True, counts="records"),
)

EXTRACTIONS = Table(
    name=f"{_DATABASE}.extractions",
    description="What each delivery of treatments was, one row each.",
    columns=(
        _DELIVERY,
        category("mode", "How it was extracted: see the documentation", MODES, nullable=False),
        flag("is_full", "All that the table held: what is not in it was deleted before"),
        instant("from_at", "Of a window: items changed since then"),
        _STARTED_AT,
        count("overlap_seconds", "How much a window begins before what was known; so much clocks may differ",
              nullable=False, unit="seconds"),
        instant("newest_modified_at", "Latest metadata_modified_at in it"),
        _TABLE_NAME,
        count("items", "Items in it", nullable=False),
        count("deletions", "Deletions in it", nullable=False),
        count("refused", "Lines in it that were refused", nullable=False),
        _DT,
    ),
    grain=("delivery_id",),
    partitioning=Partitioning(("delivery_id",)),
    sensitive=True,
    kind=Exported(),
)  # fmt: skip

REJECTS = Table(
    name=f"{_DATABASE}.rejects",
    description="Every refused line of every delivery, with where it stands and why: never what it holds.",
    columns=(
        category("stage", "parse: it is no item; else the value of an attribute", ("parse", "value"), nullable=False),
        _ID.having(type=LONG, description="The treatment, where that can be read"),
        text("path", "The attribute; empty if it is the line"),
        text("expected", "What it was expected to be", nullable=False),
        text("found", "What kind of value is there", nullable=False),
        text("what_to_do", "How whoever delivered it can put it right", nullable=False),
        text("file_name", "Name of the delivered file", nullable=False),
        _MEMBER,
        _LINE,
        _DELIVERY,
    ),
    grain=_AT,
    partitioning=Partitioning(("delivery_id",)),
    sensitive=True,
    kind=Exported(counts="refused"),
)
