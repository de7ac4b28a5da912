"""The tables of bronze that a delivery of items becomes, as batches of Arrow, in bounded memory."""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec
import pyarrow as pa

from nh_pipeline.datasets.treatments.tables import EXTRACTIONS, REJECTS, TREATMENT_ITEMS
from nh_pipeline.landing.dynamodb.reading import Item, Reading, Rejected
from nh_pipeline.model.view import NO_PATIENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nh_pipeline.landing.about import About
    from nh_pipeline.model.table import Table

BATCH_ROWS = 10_000
"""Lines of a batch at most."""


def batches(about: About, stream: BinaryIO) -> Iterator[tuple[Table, int, pa.RecordBatch]]:
    """The rows of a delivery: table, :data:`NO_PATIENT`, batch.

    Raises:
        Refused: It is damaged, or not complete.
    """
    reading = Reading(stream, about.name, about.modified_at, limited=about.limited)
    told, lines = reading.told, iter(reading)
    same = {"delivery_id": about.delivery_id, "dt": about.dt, "started_at": told.started_at,
            "table_name": told.table_name, "file_name": about.name}  # fmt: skip
    seen = {"items": 0, "deletions": 0, "refused": 0}
    newest: str | None = None
    while block := list(islice(lines, BATCH_ROWS)):
        items = [one for one in block if isinstance(one, Item)]
        rejects = [one for one in block if isinstance(one, Rejected)]
        puts = [one for one in items if one.op == "put"]
        seen = {"items": seen["items"] + len(puts), "deletions": seen["deletions"] + len(items) - len(puts),
                "refused": seen["refused"] + len(rejects)}  # fmt: skip
        newest = max((at for at in (newest, *(one.modified_at for one in puts)) if at), default=None)
        if items:
            yield _batch(TREATMENT_ITEMS, [_item(one) for one in items], same)
        if rejects:
            yield _batch(REJECTS, [_reject(one) for one in rejects], same)
    row = (told.mode, told.is_full, told.from_at, told.overlap_seconds, _instant(newest), *seen.values())
    yield _batch(EXTRACTIONS, [row], same)


def _batch(table: Table, rows: list[tuple[Any, ...]], same: dict[str, Any]) -> tuple[Table, int, pa.RecordBatch]:
    """Rows that have a value for each column but those that are the same in all of them."""
    columns = iter(zip(*rows, strict=True))
    arrays = [
        pa.repeat(pa.scalar(same[f.name], f.type), len(rows)) if f.name in same else pa.array(next(columns), f.type)
        for f in table.arrow
    ]
    return table, NO_PATIENT, pa.RecordBatch.from_arrays(arrays, schema=table.arrow)


def _item(one: Item) -> tuple[Any, ...]:
    extras = msgspec.json.encode(one.read.extras, order="sorted").decode() if one.read.extras else None
    coerced = ",".join(one.read.coerced) or None
    return (one.op, *one.read.values, extras, coerced, one.content.decode(), one.write_time, one.member, one.line)


def _reject(one: Rejected) -> tuple[Any, ...]:
    told = (one.path, one.expected, one.found, one.what_to_do)
    return (one.stage, one.treatment_id, *told, one.member, one.line)


def _instant(written: str | None) -> datetime | None:
    return msgspec.convert(written, datetime) if written else None
