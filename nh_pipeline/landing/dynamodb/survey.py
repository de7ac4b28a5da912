"""What a delivery of items is, from its content as a whole: how it was extracted, and whether it is sound."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, BinaryIO, Literal

import msgspec

from nh_pipeline.datasets.treatments.attributes import ATTRIBUTES
from nh_pipeline.landing.dynamodb.reading import Reading, Rejected
from nh_pipeline.landing.manifest import ExtractionFacts
from nh_pipeline.landing.refused import Refused
from nh_pipeline.landing.sampled import digest, sample

if TYPE_CHECKING:
    from nh_pipeline.landing.dynamodb.reading import Item

_MOST_NAMED = 50
"""Of attributes that nobody knows, so many are told."""

MOST_REFUSED = 0.05
"""Of its lines, a delivery may have this part refused; with more it is held. One line may always be."""


@dataclass(frozen=True, kw_only=True)
class Surveyed:
    """What a delivery is; see :class:`~nh_pipeline.landing.manifest.ExportFacts`.

    Attributes:
        extras: attributes that nobody knows, by path.
        absent: names of known ones that no item has; of a window, which has few items, none.
    """

    dt: date
    dt_source: Literal["transaction", "modified"]
    exported_at: datetime
    records: int
    refused: int
    duplicates: int
    resource_types: dict[str, int]
    size: int
    held: str
    extraction: ExtractionFacts
    extras: tuple[str, ...]
    absent: tuple[str, ...]


def survey(stream: BinaryIO, name: str, *, modified_at: datetime, limited: bool = True) -> Surveyed:
    """Reads all of a delivery, and compares it with what its manifests say.

    Args:
        stream: Of it; seekable, it stays open.
        name: Of it, for messages.
        modified_at: Modified time at its source.
        limited: Whether it may only unpack to so much.

    Raises:
        Refused: It is damaged, not complete, or holds no item where one was expected. A window may be of items whose
            values are all refused: it has few, and the next one waits for it.
    """
    reading = Reading(stream, name, modified_at, limited=limited)
    if reading.layout:
        reading.layout.verify()
    told, ops, refused, newest = reading.told, {"put": 0, "delete": 0}, list[Rejected](), ""
    n_refused, n_read, extras, seen = 0, 0, set[str](), set[int]()
    ids = set[int]()
    for found in reading:
        if told.is_full and found.treatment_id is not None:
            ids.add(digest(str(found.treatment_id)))
        if isinstance(found, Rejected):
            n_refused += 1
            n_read += found.stage == "value"
            refused = [*refused[:1], found]
        else:
            ops[found.op] += 1
            newest = max(newest, found.modified_at or "")
            extras.update(found.read.extras)
            if len(seen) < len(ATTRIBUTES):
                seen.update(at for at, value in enumerate(found.read.values) if value is not None)
    records = ops["put"] + ops["delete"]
    is_window = reading.layout is not None and not told.is_full
    if n_refused and not records and not (is_window and n_read):
        raise Refused(
            f"{name}: no item that can be taken",
            expected=refused[0].expected,
            found=f"{refused[0].found}, in {_place(refused[0])}",
            what_to_do=refused[0].what_to_do,
        )
    return Surveyed(
        dt=told.started_at.astimezone(timezone.utc).date(),
        dt_source="transaction" if reading.layout else "modified",
        exported_at=told.started_at,
        records=records,
        refused=n_refused,
        duplicates=0,
        resource_types={op: count for op, count in ops.items() if count},
        size=reading.size,
        held=_held(refused, n_refused, records),
        extras=tuple(sorted(extras)[:_MOST_NAMED]),
        absent=tuple(a.name for at, a in enumerate(ATTRIBUTES) if at not in seen) if told.is_full and records else (),
        extraction=ExtractionFacts(
            mode=told.mode,
            table_name=told.table_name,
            is_full=told.is_full,
            from_at=told.from_at,
            started_at=told.started_at,
            overlap_seconds=told.overlap_seconds,
            newest_modified_at=msgspec.convert(newest, datetime) if newest else None,
            ids=sample(ids),
        ),
    )


def _held(refused: list[Rejected], n_refused: int, records: int) -> str:
    """Why a person is to look at it first; ``refused`` are the first and the last of the refused lines."""
    if refused and refused[-1].is_cut_off:
        return f"{_place(refused[-1])}, the last one, is cut off: the upload may not have been complete"
    lines = records + n_refused
    if n_refused > max(1, MOST_REFUSED * lines):
        first = refused[0]
        told = f"the first in {_place(first)}: expected {first.expected}, found {first.found}"
        return f"{n_refused:,} of {lines:,} lines are refused, more than {MOST_REFUSED:.0%}; {told}"
    return ""


def _place(found: Item | Rejected) -> str:
    return f"{found.member + ', ' if found.member else ''}line {found.line:,}"
