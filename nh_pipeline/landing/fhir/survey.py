"""What a delivery of FHIR resources is, from its content as a whole: when it was exported, and whether it is sound.

What belongs here: decisions on a delivery. Not here: its resources (:mod:`nh_pipeline.landing.fhir.reading`), and what
becomes of what is refused or held (:mod:`nh_pipeline.landing`).
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, time, timezone
from typing import TYPE_CHECKING, BinaryIO, Literal

from nh_pipeline.landing import archive, unpacking
from nh_pipeline.landing.fhir import documents
from nh_pipeline.landing.fhir.extract import Copies
from nh_pipeline.landing.fhir.found import Deleted, Item
from nh_pipeline.landing.fhir.reading import Reading
from nh_pipeline.landing.fhir.releases import Older
from nh_pipeline.landing.fhir.rows import IDENTIFIED
from nh_pipeline.landing.json_files import START_BYTES, member
from nh_pipeline.landing.refused import Refused
from nh_pipeline.landing.sampled import digest, sample
from nh_pipeline.model.view import UNNAMED
from nh_pipeline.sources.time_zones import zones

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nh_pipeline.landing.archive import Compression
    from nh_pipeline.landing.fhir.found import Found, Rejected

DtSource = Literal["folder", "transaction", "last_updated", "modified"]

MOST_REFUSED = 0.05
"""Of its lines, a delivery may have this part refused; with more it is held."""

_DT = re.compile(r"(?:^|/)dt=([0-9]{4}-[0-9]{2}-[0-9]{2})(?=/|$)")
_SOURCE = re.compile(r"(?:^|/)source=([^/]*)(?=/)")
_NAME = re.compile(r"[A-Za-z0-9-]{1,32}")
_DATA = (".json", ".ndjson", ".jsonl", ".csv", ".xml", ".gz", ".zip")


@dataclass(frozen=True, kw_only=True)
class Surveyed:
    """What a delivery is.

    Attributes:
        dt: day of the export.
        dt_source: what says so: the folder that it lay in (``dt=2024-08-06``), the transactionTime of a manifest or
            log in it, the greatest Resource.meta.lastUpdated, or its modified time.
        exported_at: when it was exported: the same as an instant; of a folder, the transactionTime of that day, else
            when the day begins in UTC.
        records: resources in it, further copies included, and what it says is deleted.
        refused: lines and entries that are not taken.
        resource_types: resources by type, further copies included.
        duplicates: further copies of a resource in it.
        deleted: resources that it says are deleted.
        invalid_ids: resources whose id is one that FHIR does not allow; they are taken.
        size: bytes, unpacked.
        compression: how it is packed; ``json`` if it is not.
        formats: ``bundle``, ``ndjson`` or both.
        members: the files in the archive that resources are in.
        bases: addresses of the server that it is from, as its manifest or log says.
        source: the system that it is from, by the folder that it lay in (``source=east``).
        local_time_zone: zone of that system's facilities, if it writes times in UTC.
        full: types of which it has every resource that the server had: see :func:`_full`.
        patients: of such an export, a sample of its patients (:mod:`nh_pipeline.landing.sampled`).
        held: why a person is to look at it before it is taken; empty if it is sound.
    """

    dt: date
    dt_source: DtSource
    exported_at: datetime
    records: int
    refused: int
    resource_types: dict[str, int]
    duplicates: int
    deleted: int
    invalid_ids: int
    size: int
    compression: Compression
    formats: tuple[str, ...]
    members: tuple[str, ...]
    bases: tuple[str, ...]
    source: str
    local_time_zone: str
    full: tuple[str, ...]
    patients: tuple[int, ...]
    held: str = ""


def kind(start: bytes) -> documents.Kind:
    """What a file is, by its first bytes, plain or gzipped; an archive is none by itself."""
    try:
        if archive.kind(start) != "zip":
            return documents.kind(archive.start_of_csv(start, "", size=START_BYTES))
    except Refused:
        pass  # damaged, or an archive in gzip: nothing that can be told
    return "other"


def is_fhir(start: bytes) -> bool:
    """Whether a file is of FHIR resources, by its first bytes."""
    return kind(start) == "fhir"


def is_fhir_archive(stream: BinaryIO) -> bool:
    """Whether a delivery is a zip archive of FHIR resources alone.

    Manifests, logs, empty files, and what is no data by its name (a readme), may be in it too. One that is damaged,
    encrypted or unpacks to too much is none.
    """
    stream.seek(0)
    if archive.kind(stream.read(4)) != "zip":
        return False
    kinds = set[documents.Kind]()
    try:
        for part in unpacking.parts(stream, ""):
            if not part.litter:
                with member(part, part.path) as file:
                    found = documents.kind(file.peek(START_BYTES))
                if found != "other" or part.info.filename.lower().endswith(_DATA):
                    kinds.add(found)
    except Refused:
        return False
    return "fhir" in kinds and "other" not in kinds


def survey(stream: BinaryIO, name: str, *, modified_at: datetime, limited: bool = True) -> Surveyed:
    """Reads all of a delivery.

    Args:
        stream: of it; seekable, it stays open.
        name: of it, with the folders that it lay in; a folder ``dt=2024-08-06`` is the day of the export.
        modified_at: modified time at its source.
        limited: whether it may only unpack to so much.

    Raises:
        Refused: It is damaged, holds no resource, or an invalid Bundle, an array, an older release of FHIR, or the
            exports of several days.
    """
    reading, read = Reading(stream, name, limited=limited), _Read()
    for found in reading:
        read.look(found)
    read.check(name)
    folders = [f"{name}/{member}" for member in reading.members] or [name]
    transaction = max((told.transaction_time for told in reading.told if told.transaction_time), default=None)
    dt, dt_source, exported_at = _exported(_day(folders, name), transaction, read.updated, modified_at)
    source = _source(folders, name)
    full = _full(reading, read, exported_at)
    stream.seek(0)
    packed = archive.kind(stream.read(4))
    stream.seek(0)
    return Surveyed(
        dt=dt,
        dt_source=dt_source,
        exported_at=exported_at,
        records=read.records,
        refused=read.refused,
        resource_types=dict(sorted(read.types.items())),
        duplicates=read.duplicates,
        deleted=read.deleted,
        invalid_ids=read.invalid_ids,
        size=reading.size,
        compression="json" if packed in archive.UNPACKED else packed,
        formats=tuple(sorted(reading.formats)),
        members=tuple(reading.members),
        bases=tuple(sorted({base for told in reading.told for base in told.bases})),
        source=source,
        local_time_zone=zones().get(source, ""),
        full=full,
        patients=sample(read.patients) if full else (),
        held=read.held,
    )


class _Read:
    """What was read of a delivery."""

    def __init__(self) -> None:
        self.types = Counter[str]()
        self.refused = self.duplicates = self.deleted = self.invalid_ids = 0
        self.updated: datetime | None = None
        self.patients = set[int]()
        self._copies, self._older = Copies(), Older()
        self._first: Rejected | None = None
        self._cut_off: Rejected | None = None

    @property
    def records(self) -> int:
        return self.types.total() + self.deleted

    def look(self, found: Found) -> None:
        if isinstance(found, Item):
            self.types[found.resource_type] += 1
            self.duplicates += self._copies.has(found, found.md5)
            self.invalid_ids += not found.has_valid_id
            self._older.look(found.resource)
            if found.resource_type == "Patient":
                self.patients.add(digest(found.resource_id))
            if (at := found.last_updated) and (self.updated is None or at > self.updated):
                self.updated = at
        elif isinstance(found, Deleted):
            self.deleted += 1
        else:
            self.refused += 1
            self._first = self._first or found
            self._cut_off = found if found.is_cut_off else self._cut_off

    def check(self, name: str) -> None:
        """Refuses what holds no resource, or those of an older release."""
        if not self.records:
            raise Refused(
                f"{name}: no FHIR resource",
                expected="resources in NDJSON, or in the entries of a Bundle",
                found=f"in {_place(self._first)}: {self._first.reason}" if self._first else "none",
                what_to_do=self._first.what_to_do
                if self._first
                else "Export the resources of the patients themselves.",
            )
        if older := self._older.types:
            raise Refused(
                f"{name}: an older release of FHIR",
                expected="R4 (4.0.1)",
                found=f"{', '.join(older)} as of STU3 (3.0) or DSTU2 (1.0)",
                what_to_do="Export as FHIR R4: most servers that speak an older release offer both.",
            )

    @property
    def held(self) -> str:
        """Why a person is to look at it first."""
        if self._cut_off:
            return f"{_place(self._cut_off)}, the last one, is cut off: the upload may not have been complete"
        lines = self.records + self.refused
        if self._first and self.refused > MOST_REFUSED * lines:
            told = f"the first in {_place(self._first)}: {self._first.reason}"
            return f"{self.refused:,} of {lines:,} lines are refused, more than {MOST_REFUSED:.0%}; {told}"
        return ""


def _full(reading: Reading, read: _Read, exported_at: datetime) -> tuple[str, ...]:
    """The types of a complete export: what the server had of them and is not in it, is deleted.

    That takes a manifest in the archive by which the server was asked for all, of whatever types, patients among them,
    and that counts what came of each: neither more nor less, no line refused, and no Bundle. What belongs to no patient
    may be left out where what belongs to patients was asked for.
    """
    counts = [told.counts for told in reading.told if told.counts is not None]
    is_asked = not any(told.is_part for told in reading.told)
    is_at_once = all(told.transaction_time in (exported_at, None) for told in reading.told)
    has_come = counts == [read.types] and not read.refused and reading.formats == {"ndjson"}
    if not (is_asked and is_at_once and has_come and "Patient" in read.types):
        return ()
    shared = IDENTIFIED if any(told.of_patients for told in reading.told) else ()
    return tuple(sorted(read.types.keys() - shared))


def _place(rejected: Rejected) -> str:
    return f"{rejected.member + ', ' if rejected.member else ''}line {rejected.line:,}"


def _source(paths: Iterable[str], name: str) -> str:
    """The system that is named in the folders of a delivery, and of what is in it."""
    sources = {written for path in paths for written in _SOURCE.findall(path)}
    if len(sources) > 1 or any(not _NAME.fullmatch(source) for source in sources):
        raise Refused(
            f"{name}: a folder that names no source",
            expected="one name of letters, digits and hyphens, such as source=east",
            found=", ".join(f"source={source}" for source in sorted(sources)),
            what_to_do="Deliver each system's exports by themselves, in a folder of such a name.",
        )
    return sources.pop() if sources else UNNAMED


def _day(paths: Iterable[str], name: str) -> date | None:
    """The day in the folders of a delivery, and of what is in it."""
    days = {_parsed(written, name) for path in paths for written in _DT.findall(path)}
    if len(days) > 1:
        raise Refused(
            f"{name}: the exports of several days",
            expected="those of one day",
            found=", ".join(str(day) for day in sorted(days)),
            what_to_do="Deliver each day by itself.",
        )
    return days.pop() if days else None


def _parsed(written: str, name: str) -> date:
    try:
        return date.fromisoformat(written)
    except ValueError as error:
        raise Refused(
            f"{name}: a folder that names no day",
            expected="dt=2024-08-06 or another day of the calendar",
            found=f"dt={written}",
            what_to_do="Correct the folder's name, or leave the folder out.",
        ) from error


def _exported(
    day: date | None, transaction: datetime | None, updated: datetime | None, modified: datetime
) -> tuple[date, DtSource, datetime]:
    """The day of the export, what says so, and the instant."""
    if day:
        begins = datetime.combine(day, time(), timezone.utc)
        same = transaction if transaction and _utc(transaction).date() == day else None
        return day, "folder", _utc(same or begins)
    if transaction:
        return _utc(transaction).date(), "transaction", _utc(transaction)
    if updated:
        return _utc(updated).date(), "last_updated", _utc(updated)
    return _utc(modified).date(), "modified", _utc(modified)


def _utc(at: datetime) -> datetime:
    return at.astimezone(timezone.utc)
