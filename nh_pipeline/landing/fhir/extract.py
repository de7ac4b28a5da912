"""The tables of bronze that a delivery becomes, as batches of Arrow.

What belongs here: rows into batches of tables, in bounded memory. Not here: reading
(:mod:`nh_pipeline.landing.fhir.reading`), and what is a row (:mod:`nh_pipeline.landing.fhir.rows`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, BinaryIO
from zlib import crc32

import pyarrow as pa

from nh_pipeline.datasets.clinical import export
from nh_pipeline.landing.fhir.found import Deleted, Item, Rejected
from nh_pipeline.landing.fhir.local_time import localized
from nh_pipeline.landing.fhir.paths import parse, text
from nh_pipeline.landing.fhir.reading import Reading
from nh_pipeline.landing.fhir.rows import patient_of, rows_of
from nh_pipeline.model.view import BUCKETS, NO_PATIENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nh_pipeline.landing.about import About
    from nh_pipeline.model.table import Table

    Batch = tuple[Table, int, pa.RecordBatch]

BATCH_ROWS = 20_000
"""Rows of a batch at most."""

BATCH_BYTES = 4 * 1024**2
"""Bytes of JSON in a batch of resources; one more resource may be in it."""

HELD_ROWS = 60_000
"""Rows of all tables and buckets that wait for their batches; then the largest goes."""

_VERSION_ID, _PROFILE, _STATUS = (parse(path).first(text) for path in ("meta.versionId", "meta.profile", "status"))
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def bucket(patient_id: str | None) -> int:
    """The part of the tables that a patient's rows are in, as engines compute it: ``crc32(patient_id) % 16``."""
    return crc32(patient_id.encode()) % BUCKETS if patient_id is not None else NO_PATIENT


class _Pending:
    """Rows of a table and bucket that wait for their batch."""

    def __init__(self, table: Table, of: int, about: About) -> None:
        self.table, self.bucket = table, of
        self.rows: list[tuple[Any, ...]] = []
        self.bytes = 0
        self._same = {"patient_bucket": of, "file_name": about.name} | {
            name: getattr(about, name) for name in ("dt", "exported_at", "modified_at", "source", "delivery_id")
        }

    def batch(self) -> Batch:
        """The batch, and forgets them."""
        columns, schema = iter(zip(*self.rows, strict=True)), self.table.arrow
        arrays = [
            pa.repeat(pa.scalar(self._same[f.name], f.type), len(self.rows))
            if f.name in self._same
            else pa.array(next(columns), f.type)
            for f in schema
        ]
        self.rows, self.bytes = [], 0
        return self.table, self.bucket, pa.RecordBatch.from_arrays(arrays, schema=schema)


@dataclass
class Extraction:
    """Makes the rows of one delivery.

    Attributes:
        about: the delivery.
        resources: resources that were taken, by type; further copies do not count.
        duplicates: further copies of a resource, with the same content, by type: they are no rows.
        rows: rows by table.
    """

    about: About
    resources: Counter[str] = field(default_factory=Counter)
    duplicates: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)

    def batches(self, stream: BinaryIO) -> Iterator[Batch]:
        """Reads the delivery.

        Args:
            stream: of it; seekable, it stays open.

        Yields:
            A table, a bucket of patients (:data:`NO_PATIENT` of tables that are not cut by patients), and rows of
            both: at most :data:`BATCH_ROWS`, with the table's Arrow schema.

        Raises:
            Refused: As :class:`Reading`.
        """
        self._pending: dict[tuple[str, int], _Pending] = {}
        self._ready: list[Batch] = []
        self._held = 0
        copies = Copies()
        for found in self._read(stream):
            if isinstance(found, Rejected):
                self._add(export.REJECTS, NO_PATIENT, _rejected(found))
            elif isinstance(found, Deleted):
                at = _micros(found.at or self.about.exported_at)
                row = (found.resource_type, found.resource_id, at, found.member, found.line)
                self._add(export.DELETION, NO_PATIENT, row)
            elif copies.has(found, md5 := found.md5):
                self.duplicates[found.resource_type] += 1
            else:
                self.resources[found.resource_type] += 1
                self._resource(self._as_the_clock_shows(found), md5.hex())
            yield from self._ready
            self._ready.clear()
        yield from (pending.batch() for pending in self._pending.values() if pending.rows)

    def _read(self, stream: BinaryIO) -> Reading:
        about = self.about
        return Reading(stream, about.name, about.bases, about.source, limited=about.limited)

    def _as_the_clock_shows(self, item: Item) -> Item:
        zone = self.about.local_time_zone
        return replace(item, resource=localized(item.resource, zone)) if zone else item

    def _resource(self, item: Item, md5: str) -> None:
        resource, request, place = item.resource, item.entry.request, (item.member, item.line)
        patient, at = patient_of(item), _micros(item.last_updated or self.about.exported_at)
        version, cut = (_VERSION_ID(resource), at, md5), bucket(patient)
        row = (
            item.resource_id,
            *version,
            item.resource_type,
            _PROFILE(resource),
            _STATUS(resource),
            item.entry.fullUrl,
            item.bundle_type,
            *((request.method, request.url, request.ifNoneExist) if request else (None, None, None)),
            item.resource_type in self.about.full,
            item.content,
            patient,
            *place,
        )
        self._add(export.RESOURCE, cut, row, len(item.content))
        for table, resource_id, of, values in rows_of(item, patient):
            self._add(table, cut if of == patient else bucket(of), (resource_id, *version, *values, of, *place))

    def _add(self, table: Table, of: int, row: tuple[Any, ...], size: int = 0) -> None:
        pending = self._pending.get((table.name, of))
        if pending is None:
            pending = self._pending[table.name, of] = _Pending(table, of, self.about)
        pending.rows.append(row)
        pending.bytes += size
        self.rows[table.name] += 1
        self._held += 1
        if len(pending.rows) == BATCH_ROWS or pending.bytes >= BATCH_BYTES:
            self._flush(pending)
        elif self._held == HELD_ROWS:
            self._flush(max(self._pending.values(), key=lambda one: len(one.rows)))

    def _flush(self, pending: _Pending) -> None:
        self._held -= len(pending.rows)
        self._ready.append(pending.batch())


class Copies:
    """What resources were there before, by 16 bytes of each."""

    def __init__(self) -> None:
        self._seen: set[bytes] = set()

    def has(self, item: Item, md5: bytes) -> bool:
        """Whether it is a further copy: of the same type, id and content."""
        # What has no id of its own has that of its entry.
        known = md5 if "id" in item.resource else md5 + item.resource_id.encode()
        before = len(self._seen)
        self._seen.add(known)
        return len(self._seen) == before


def _rejected(found: Rejected) -> tuple[Any, ...]:
    return found.stage, found.member, found.line, found.position, found.reason, found.what_to_do


def _micros(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)
