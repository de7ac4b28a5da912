"""What the raw zone writes beside each delivery.

What belongs here: the JSON documents of the raw zone, which outlive every version of the code: fields are added, never
renamed. Not here: where they are kept (:mod:`nh_pipeline.landing.zone`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from nh_pipeline.landing.archive import Compression
from nh_pipeline.landing.coverage import Coverage
from nh_pipeline.landing.dates import DateOrder
from nh_pipeline.landing.dialect import Dialect
from nh_pipeline.model.view import UNNAMED

if TYPE_CHECKING:
    from collections.abc import Mapping


class InArchive(BaseModel):
    """The archive of several deliveries that one came in.

    Attributes:
        file_id: The source's key of the archive, which is also that of the delivery.
        name: The archive's name.
        size: Its bytes.
        md5: Their digest.
        path: Where in it the delivery is.
    """

    model_config = ConfigDict(frozen=True)

    file_id: str
    name: str
    size: int
    md5: str
    path: str


class Received(BaseModel):
    """Where a delivery came from, and its bytes.

    Attributes:
        source: Name of the source.
        file_id: The source's key of the file.
        name: The name that people know it by; text only, never a path.
        size: Bytes as delivered.
        md5: Hexadecimal digest of the bytes as delivered.
        sha256: The same, for evidence.
        modified_at: The source's modified time when this content was first seen there.
        landed_at: When it was landed. Lineage only: no result depends on it.
        compression: How it is packed.
        archive: The archive of several deliveries that it came in first, None if it came by itself.
    """

    model_config = ConfigDict(frozen=True)

    source: str
    file_id: str
    name: str
    size: int
    md5: str
    sha256: str
    modified_at: AwareDatetime
    landed_at: AwareDatetime
    compression: Compression
    archive: InArchive | None = None

    @property
    def key(self) -> str:
        """The name of its folder: this content of this file."""
        return f"{self.file_id}-{self.md5}"


DtSource = Literal["folder", "transaction", "last_updated", "modified"]
DT_SOURCES: tuple[DtSource, ...] = ("folder", "transaction", "last_updated", "modified")
"""What tells the day of an export, the surest first."""


class ExtractionFacts(BaseModel):
    """How items of a table of DynamoDB were extracted.

    Attributes:
        mode: By a scan of the table, a query of an index, DynamoDB's own export; ``file`` if nobody says.
        table_name: The table; empty if nobody says.
        is_full: Whether it has all that the table held.
        from_at: Of a window: items changed since then.
        started_at: When it began, or to when DynamoDB exported.
        overlap_seconds: So much clocks may differ.
        newest_modified_at: The latest time at which an item in it was changed, by the source's own clock.
        ids: Of all that the table held, a sample of its treatments, as digests; those of refused items, too.
    """

    model_config = ConfigDict(frozen=True)

    mode: Literal["scan", "query", "export", "file"]
    table_name: str
    is_full: bool
    from_at: AwareDatetime | None
    started_at: AwareDatetime
    overlap_seconds: int
    newest_modified_at: AwareDatetime | None
    ids: tuple[int, ...] = ()


class ExportFacts(BaseModel):
    """What landing found in a delivery of many resources.

    Attributes:
        dt_source: What tells its day: ``folder`` (``dt=2024-08-06`` in its name), ``transaction`` (the export's own
            manifest or log), ``last_updated`` (the newest resource), or ``modified``.
        exported_at: When it was exported, by the same.
        records: Resources and deletions that can be read, further copies included.
        refused: Lines that cannot.
        duplicates: Resources that the delivery holds once more.
        resource_types: How many of each type.
        held: Why it is not to count until a person confirms it; empty if it may.
        bases: Addresses of the server that it is from, by which absolute references are its own.
        source: The system that it is from, by the folder that it lay in.
        local_time_zone: Zone of its facilities, if it writes times in UTC and a person has named it.
        full: Types of which it has all that the server had, so that what it lacks is deleted.
        patients: Of such an export, a sample of its patients, as digests.
        extraction: How it was extracted, if it is of items of a table.
    """

    model_config = ConfigDict(frozen=True)

    dt_source: DtSource
    exported_at: AwareDatetime
    records: int
    refused: int
    duplicates: int
    resource_types: dict[str, int]
    held: str = ""
    bases: tuple[str, ...] = ()
    source: str = UNNAMED
    local_time_zone: str = ""
    full: tuple[str, ...] = ()
    patients: tuple[int, ...] = ()
    extraction: ExtractionFacts | None = None


class Manifest(Received):
    """A delivery that has landed (``manifest.json``).

    Attributes:
        dataset: Name in :data:`nh_pipeline.datasets.DATASETS`.
        layout: Era of its header.
        encoding: ``utf-8``, ``utf-8-sig``, ``cp1252``, or ``utf-8/cp1252`` if only some bytes are Windows-1252; checked
            on every byte.
        member: Name of the CSV within a zip archive, else None.
        coverage: What it covers.
        csv_size: Bytes of the CSV, unpacked.
        extras: Header cells that the layout does not know; of items, attributes.
        absent: Canonical columns that the file does not have; of items, attributes that none of them has.
        records: Lines after the header, as landing counted them; None in manifests of older versions.
        overruled: Why a person took it although it was refused, else None.
        header: Cells of its header as the file writes them; None in manifests of older versions.
        date_order: The order of its dates with the year last (``01/08/2024``), whatever decided it; None if it has no
            such dates, or it does not matter, or in manifests of older versions: then month-first.
        dialect: How it is written; CMS's way in manifests of older versions.
        strays: Bytes of a file of UTF-8 that are read as Windows-1252.
        first_stray: Line of the first of them.
        export: What is in it, if it is a delivery of many resources.
        aside: Why nothing is made of it, though it is known; empty if something is, or may be.
    """

    dataset: str
    layout: str
    encoding: Literal["utf-8", "utf-8-sig", "cp1252", "utf-8/cp1252"]
    member: str | None
    coverage: Coverage
    csv_size: int
    extras: tuple[str, ...]
    absent: tuple[str, ...]
    records: int | None = None
    overruled: str | None = None
    header: tuple[str, ...] | None = None
    date_order: DateOrder | None = None
    dialect: Dialect = Dialect()
    strays: int = 0
    first_stray: int = 0
    export: ExportFacts | None = None
    aside: str = ""

    @property
    def told(self) -> str:
        """What of it is not as it should be written, and how it was read, or why it is not; empty if nothing is."""
        strays = (
            f"{self.strays:,} byte{'s' * (self.strays > 1)} not of UTF-8 read as Windows-1252, the first in line "
            f"{self.first_stray:,}"
        )
        undated = "nothing in it says when it was exported: its day is that of its modified time"
        is_undated = self.export is not None and self.export.dt_source == "modified"
        found = (self.dialect.told, strays * bool(self.strays), undated * is_undated, self.aside)
        return "; ".join(filter(None, found))


class Quarantined(Received):
    """A delivery that was refused (``reason.json``).

    Attributes:
        reason: What is wrong, in a few words.
        expected: What would have been taken.
        found: What is there instead.
        what_to_do: How whoever delivered it can put it right.
        overrulable: Whether a person may take it all the same.
        undecided_dates: Whether a person may take it by saying the order of its dates.
    """

    reason: str
    expected: str
    found: str
    what_to_do: str
    overrulable: bool = False
    undecided_dates: bool = False

    @property
    def path(self) -> str:
        """Its folder, relative to the storage."""
        return f"quarantine/{self.key}"

    @property
    def file(self) -> str:
        """Path of the delivered bytes, relative to the storage."""
        return f"{self.path}/delivery.{self.compression}"


class ArchivePart(BaseModel):
    """What became of one file of an archive.

    Attributes:
        path: Where in the archive it is.
        size: Its bytes, unpacked, as the archive says.
        outcome: ``landed``, ``quarantined``, ``no delivery`` (a readme, a dictionary), or ``litter`` of an operating
            system. The last two are not kept.
        md5: Of the content that was kept, else None.
        told: Dataset and coverage, or the reason.
    """

    model_config = ConfigDict(frozen=True)

    path: str
    size: int
    outcome: Literal["landed", "quarantined", "no delivery", "litter"]
    md5: str | None = None
    told: str = ""

    @classmethod
    def of(cls, path: str, size: int, document: Manifest | Quarantined) -> ArchivePart:
        """A file that was kept."""
        if isinstance(document, Manifest):
            told = f"{document.dataset} {document.coverage.key}"
            return cls(path=path, size=size, outcome="landed", md5=document.md5, told=told)
        return cls(path=path, size=size, outcome="quarantined", md5=document.md5, told=document.reason)


class Archive(Received):
    """An archive of several deliveries that has come (``archive.json``); it is written when all of them are kept.

    Attributes:
        parts: All files in it.
    """

    parts: tuple[ArchivePart, ...]

    @property
    def contents(self) -> frozenset[str]:
        """md5 of what was kept of it."""
        return frozenset(part.md5 for part in self.parts if part.md5)

    def now(self, landed: Mapping[str, Manifest]) -> Archive:
        """The same, where files that were refused have landed since.

        Args:
            landed: All manifests, by key.
        """
        kept = ((part, landed.get(f"{self.file_id}-{part.md5}")) for part in self.parts)
        parts = (ArchivePart.of(part.path, part.size, document) if document else part for part, document in kept)
        return self.model_copy(update={"parts": tuple(parts)})


class Delivery(BaseModel):
    """A landed content: what downstream reads.

    Attributes:
        manifest: Its manifest; of the same content under several file ids, the earliest by modified time.
        path: Its folder, relative to the storage.
        withdrawn: Whether its source no longer holds it: it is kept as evidence, and does not count.
    """

    model_config = ConfigDict(frozen=True)

    manifest: Manifest
    path: str
    withdrawn: bool = False

    @property
    def delivery_id(self) -> str:
        """The content's md5."""
        return self.manifest.md5

    @property
    def precedence(self) -> tuple[AwareDatetime, str]:
        """Orders the deliveries of one coverage in business time; the last one counts."""
        return self.manifest.modified_at, self.manifest.md5

    @property
    def file(self) -> str:
        """Path of the delivered bytes, relative to the storage."""
        return f"{self.path}/delivery.{self.manifest.compression}"
