"""The raw zone: immutable deliveries, each with its manifest.

What belongs here: landing a file of a source exactly once, and finding what has landed. Not here: what is read from
the deliveries (bronze), and when files are landed (assets and sensors). Nothing here imports Dagster.

Layout, relative to the storage::

    raw/<dataset>/<coverage key>/<file id>-<md5>/delivery.<csv|zip|gz>, manifest.json
    quarantine/<file id>-<md5>/delivery.<csv|zip|gz>, reason.json
    raw/.archives/<file id>-<md5>/archive.json
    raw/.incoming/<uuid>        a download under way; what a crash leaves is swept a day later

An archive of several deliveries is as many deliveries, under the archive's file id and their own md5; what became of
each file in it is in its ``archive.json``. The JSON document is written last. A folder without one is no delivery; the
next landing writes over it.
"""

from __future__ import annotations

import shutil
import uuid
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, BinaryIO, cast

from nh_pipeline.errors import DeliveryError, translate_infrastructure_errors
from nh_pipeline.failpoints import Point, reached
from nh_pipeline.lake.documents import DocumentReader
from nh_pipeline.landing.archive import Opened, kind, open_csv
from nh_pipeline.landing.digesting import Digesting
from nh_pipeline.landing.manifest import Archive, ArchivePart, Delivery, InArchive, Manifest, Quarantined
from nh_pipeline.landing.recognise import inspect_file
from nh_pipeline.landing.refused import Refused, UndecidedDates
from nh_pipeline.landing.source_state import ARCHIVES, withdrawals
from nh_pipeline.landing.unpacking import is_several, parts
from nh_pipeline.sources.protocol import CHUNK_BYTES, SourceFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nh_pipeline.lake.storage import Storage
    from nh_pipeline.landing.dates import DateOrder
    from nh_pipeline.landing.unpacking import Part
    from nh_pipeline.sources.protocol import Source

_MANIFESTS = DocumentReader(Manifest.model_validate_json)


class LandingError(DeliveryError, RuntimeError):
    """A file arrived otherwise than its source describes it. Nothing was kept; landing it again is safe."""


@dataclass(frozen=True)
class Landed:
    """What became of a file.

    Attributes:
        document: Its manifest, or why it is in quarantine; of an archive of several deliveries, what became of them.
        path: Its folder, relative to the storage.
        created: Whether this landing wrote it; False if it had been there before.
        parts: What became of the deliveries in an archive of several.
    """

    document: Manifest | Quarantined | Archive
    path: str
    created: bool
    parts: tuple[Landed, ...] = ()

    @property
    def each(self) -> tuple[Landed, ...]:
        """The deliveries in an archive of several; else itself."""
        return self.parts if isinstance(self.document, Archive) else (self,)


@dataclass(frozen=True)
class _Received:
    """Bytes in the incoming folder, with their size and digests."""

    path: str
    size: int
    md5: str
    sha256: str


@dataclass(frozen=True)
class _Word:
    """A person's word about a file: why it is to be taken, and the order of its dates."""

    overruled: str | None = None
    order: DateOrder | None = None


_NO_WORD = _Word()


class RawZone:
    """Deliveries of one lake.

    Args:
        storage: The lake's files.
    """

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self._listed: dict[str, str] | None = None

    @translate_infrastructure_errors()
    def land(self, source: Source, file: SourceFile) -> Landed:
        """Lands one file: downloads, verifies, recognises and keeps it.

        The same content of the same file again changes nothing and keeps the first manifest: it is read once, for its
        md5 if the source tells none, and not copied. A content that was refused before is judged again, since the
        layouts that are known may have grown. The files of an archive of several land one by one.

        Args:
            source: Where the file is.
            file: The file, as the source listed it.

        Returns:
            The manifest, or why the file is in quarantine; of an archive of several, what became of each.

        Raises:
            LandingError: If size or md5 are not what the source says. Nothing is left behind.
            SourceUnavailable: If the source fails. Nothing is left behind.
            InfrastructureError: If there is no space or no permission. Nothing is left behind.
        """
        return self._land(source.name, file, lambda out: source.download(file, out))

    @translate_infrastructure_errors()
    def readmit(self, entry: Quarantined, *, overruled: str | None = None, order: DateOrder | None = None) -> Landed:
        """Judges a file in quarantine again, by the bytes that are kept there; its source is not asked.

        Args:
            entry: One of :meth:`quarantined`.
            overruled: Why it is to be taken although it unpacks to too much, or nothing in it tells the order of its
                dates. Kept in the manifest.
            order: That order, as a person says it. Kept in the manifest.

        Returns:
            The manifest, with the modified time that the file had, or why it stays in quarantine.

        Raises:
            LandingError: If the kept bytes are not the ones that came.
        """
        file = SourceFile(
            file_id=entry.file_id, name=entry.name, size=entry.size, modified_at=entry.modified_at, md5=entry.md5
        )

        def copy(out: BinaryIO) -> None:  # a copy, so that a crash leaves the entry as it was
            with self.storage.open(entry.file) as kept:
                shutil.copyfileobj(kept, out, CHUNK_BYTES)

        return self._land(entry.source, file, copy, _Word(overruled, order), entry.archive)

    def _land(
        self,
        source: str,
        file: SourceFile,
        fetch: Callable[[BinaryIO], None],
        word: _Word = _NO_WORD,
        archive: InArchive | None = None,
    ) -> Landed:
        md5 = file.md5 or self._digest(file, fetch)
        known = self._landed(file.file_id, md5) if md5 else None
        if known:
            return known
        incoming = f"raw/.incoming/{uuid.uuid4().hex}"
        try:
            received = self._receive(source, file, incoming, fetch)
            reached(Point.RECEIVED, file.name)
            landed = self._landed(file.file_id, received.md5)
            if landed:
                return landed
            if archive is None and self._is_several(received.path):
                return self._unpack(source, file, received, word)
            return self._keep(source, file, received, word, archive)
        finally:
            self.storage.delete(incoming)

    def _digest(self, file: SourceFile, fetch: Callable[[BinaryIO], None]) -> str | None:
        """md5 of a file whose source tells none, if any version of it has landed: else it is told on the way in."""
        if not any(key.startswith(f"{file.file_id}-") for key in self._index()):
            return None
        digesting = Digesting(None)
        fetch(cast("BinaryIO", digesting))
        return digesting.md5.hexdigest()

    def _is_several(self, path: str) -> bool:
        with self.storage.open(path) as stream:
            return is_several(cast("BinaryIO", stream))

    def _unpack(self, source: str, file: SourceFile, received: _Received, word: _Word) -> Landed:
        """Keeps the deliveries in an archive of several, one by one; then what became of all."""
        found: list[ArchivePart] = []
        landed: list[Landed] = []
        common = self._common(source, file, received, None)
        refused_path = f"quarantine/{file.file_id}-{received.md5}"
        try:
            with self.storage.open(received.path) as stream:
                for part in parts(cast("BinaryIO", stream), file.name, limited=word.overruled is None):
                    what, kept = self._keep_part(source, file, received, part, word)
                    found.append(what)
                    landed += [kept] if kept else []
            if not landed:
                raise _no_delivery(file.name, found)
        except Refused as refused:
            return self._refuse(refused, common, received.path, refused_path)
        record = Archive.model_validate({**common, "parts": found})
        path = f"{ARCHIVES}/{file.file_id}-{received.md5}"
        self._write(f"{path}/archive.json", record)
        self.storage.delete(refused_path)
        return Landed(record, path, created=True, parts=tuple(landed))

    def _keep_part(
        self, source: str, file: SourceFile, received: _Received, part: Part, word: _Word
    ) -> tuple[ArchivePart, Landed | None]:
        about = {"path": part.path, "size": part.info.file_size}
        if part.litter:
            return ArchivePart.model_validate({**about, "outcome": "litter"}), None
        name = f"{file.name}/{part.path}"
        member = SourceFile(file_id=file.file_id, name=name, size=None, modified_at=file.modified_at)
        within = InArchive(file_id=file.file_id, name=file.name, size=received.size, md5=received.md5, path=part.path)
        incoming, damage = f"raw/.incoming/{uuid.uuid4().hex}", None
        try:
            try:
                came = self._receive(
                    source, member, incoming, lambda out: part.unpack(out, name, limited=word.overruled is None)
                )
            except Refused as refused:
                damage = refused
                came = self._receive(source, member, incoming, part.as_packed)
            try:
                if damage:
                    raise damage
                judged = self._judged(came.path, name, word)
            except Refused as refused:
                if not part.is_data:
                    return ArchivePart.model_validate({**about, "outcome": "no delivery", "told": refused.reason}), None
                path = f"quarantine/{file.file_id}-{came.md5}"
                kept = self._refuse(refused, self._common(source, member, came, within), came.path, path)
            else:
                kept = self._admit(judged, self._common(source, member, came, within), came.path)
        finally:
            self.storage.delete(incoming)
        document = kept.document
        if isinstance(document, Manifest):
            told, outcome = f"{document.dataset} {document.coverage.key}", "landed"
        else:
            told, outcome = cast("Quarantined", document).reason, "quarantined"
        return ArchivePart.model_validate({**about, "outcome": outcome, "md5": came.md5, "told": told}), kept

    def deliveries(self, dataset: str | None = None) -> list[Delivery]:
        """What has landed, each content once.

        Args:
            dataset: Only of this dataset.

        Returns:
            One delivery for each dataset, coverage key and md5, sorted by dataset, coverage key and precedence. Of
            the same content under several file ids, the one that was modified first, of those that count if any does.
        """
        withdrawn = withdrawals(self.storage)
        found: dict[tuple[str, str, str], Delivery] = {}
        for path, manifest in self._manifests(f"raw/{dataset}" if dataset else "raw"):
            key = (manifest.dataset, manifest.coverage.key, manifest.md5)
            delivery = Delivery(manifest=manifest, path=path, withdrawn=withdrawn(manifest))
            if key not in found or _first_seen(delivery) < _first_seen(found[key]):
                found[key] = delivery
        return sorted(found.values(), key=lambda d: (d.manifest.dataset, d.manifest.coverage.key, d.precedence))

    def quarantined(self) -> list[Quarantined]:
        """What was refused, sorted by file id and md5."""
        files = self.storage.files("quarantine", suffix="/reason.json")
        return [self._quarantined(path) for path in files]

    def open(self, delivery: Delivery) -> BinaryIO:
        """The delivery's CSV, unpacked, as a stream in its own encoding.

        Raises:
            Refused: On reading, if the bytes were damaged after they landed.
        """
        manifest = delivery.manifest
        return self._open(delivery.file, manifest.name, limited=manifest.overruled is None).stream

    def _receive(self, source: str, file: SourceFile, incoming: str, fetch: Callable[[BinaryIO], None]) -> _Received:
        with self.storage.create(incoming) as out:
            digesting = Digesting(cast("BinaryIO", out))
            fetch(cast("BinaryIO", digesting))
        received = _Received(incoming, digesting.size, digesting.md5.hexdigest(), digesting.sha256.hexdigest())
        for what, expected, found in (("bytes", file.size, received.size), ("md5", file.md5, received.md5)):
            if expected is not None and expected != found:
                raise LandingError(
                    f"{file.name!r} of {source}: expected {what} {expected} as the source says, found {found} "
                    "after the download. It may have changed meanwhile or been cut off; nothing was kept, land it "
                    "again."
                )
        return received

    def _common(
        self, source: str, file: SourceFile, received: _Received, archive: InArchive | None
    ) -> dict[str, object]:
        with self.storage.open(received.path) as stream:
            compression = kind(stream.read(4))
        return {
            "source": source,
            "file_id": file.file_id,
            "name": file.name,
            "size": received.size,
            "md5": received.md5,
            "sha256": received.sha256,
            "modified_at": file.modified_at,
            "landed_at": datetime.now(tz=timezone.utc),
            "compression": compression,
            "archive": archive,
        }

    def _keep(
        self, source: str, file: SourceFile, received: _Received, word: _Word, archive: InArchive | None
    ) -> Landed:
        common = self._common(source, file, received, archive)
        try:
            about = self._judged(received.path, file.name, word)
        except Refused as refused:
            return self._refuse(refused, common, received.path, f"quarantine/{file.file_id}-{received.md5}")
        return self._admit(about, common, received.path)

    def _admit(self, about: dict[str, object], common: dict[str, object], incoming: str) -> Landed:
        manifest = Manifest.model_validate({**common, **about})
        key = f"{manifest.file_id}-{manifest.md5}"
        path = f"raw/{manifest.dataset}/{manifest.coverage.key}/{key}"
        if self.storage.exists(f"{path}/manifest.json"):  # another process was faster, or another version of an archive
            known = Manifest.model_validate_json(self.storage.read(f"{path}/manifest.json"))
            return Landed(known, path, created=False)
        self.storage.move(incoming, f"{path}/delivery.{manifest.compression}")
        reached(Point.MOVED, manifest.name)
        self._write(f"{path}/manifest.json", manifest)
        reached(Point.LANDED, manifest.name)
        self.storage.delete(f"quarantine/{key}")
        return Landed(manifest, path, created=True)

    def _write(self, path: str, document: Manifest | Archive) -> None:
        self.storage.write(path, document.model_dump_json(indent=1).encode())
        self._index()[f"{document.file_id}-{document.md5}"] = path

    def _refuse(self, refused: Refused, common: dict[str, object], incoming: str, path: str) -> Landed:
        why = {
            "reason": refused.reason,
            "expected": refused.expected,
            "found": refused.found,
            "what_to_do": refused.what_to_do,
            "overrulable": refused.overrulable,
            "undecided_dates": isinstance(refused, UndecidedDates),
        }
        first = self._quarantined(f"{path}/reason.json") if self.storage.exists(f"{path}/reason.json") else None
        if first:  # the evidence of the first landing stays; why it is refused is what is the case now
            reason = Quarantined.model_validate({**first.model_dump(), **why})
            if reason != first:
                self.storage.write(f"{path}/reason.json", reason.model_dump_json(indent=1).encode())
            return Landed(reason, path, created=False)
        reason = Quarantined.model_validate({**common, **why})
        self.storage.move(incoming, reason.file)
        self.storage.write(f"{path}/reason.json", reason.model_dump_json(indent=1).encode())
        return Landed(reason, path, created=True)

    def _judged(self, path: str, name: str, word: _Word) -> dict[str, object]:
        opened = self._open(path, name, limited=word.overruled is None)
        with opened.stream as stream:
            found = inspect_file(stream, name, order=word.order)
        return {
            "dataset": found.dataset,
            "layout": found.header.layout,
            "encoding": found.encoding,
            "member": opened.member,
            "coverage": found.coverage,
            "csv_size": found.size,
            "extras": found.header.extras,
            "absent": found.header.absent,
            "records": found.records,
            "overruled": word.overruled,
            "header": found.cells,
            "date_order": found.date_order,
            "dialect": found.dialect,
            "strays": found.strays,
            "first_stray": found.first_stray,
        }

    def _open(self, path: str, name: str, *, limited: bool) -> Opened:
        return open_csv(cast("BinaryIO", self.storage.open(path)), name, limited=limited)

    def _quarantined(self, path: str) -> Quarantined:
        return Quarantined.model_validate_json(self.storage.read(path))

    def _manifests(self, folder: str) -> Iterator[tuple[str, Manifest]]:
        for path, manifest in _MANIFESTS.below(self.storage, folder, suffix="/manifest.json").items():
            yield path.rpartition("/")[0], manifest

    def _landed(self, file_id: str, md5: str) -> Landed | None:
        path = self._index().get(f"{file_id}-{md5}")
        if path is None or not self.storage.exists(path):
            return None
        self.storage.delete(f"quarantine/{file_id}-{md5}")  # left there by a crash
        content, folder = self.storage.read(path), path.rpartition("/")[0]
        if not path.endswith("/archive.json"):
            return Landed(Manifest.model_validate_json(content), folder, created=False)
        record = Archive.model_validate_json(content)
        return Landed(record, folder, created=False, parts=tuple(self._parts_now(record)))

    def _parts_now(self, record: Archive) -> Iterator[Landed]:
        """What an archive's deliveries are by now: what was refused is judged again."""
        for md5 in dict.fromkeys(part.md5 for part in record.parts if part.md5):
            landed = self._landed(record.file_id, md5)
            reason = f"quarantine/{record.file_id}-{md5}/reason.json"
            if landed:
                yield landed
            elif self.storage.exists(reason):
                yield self.readmit(self._quarantined(reason))

    def _index(self) -> dict[str, str]:
        """Documents of the raw zone by ``<file id>-<md5>``, listed once; ``_admit`` finds what others land."""
        if self._listed is None:
            paths = [p for p in self.storage.files("raw") if p.endswith(("/manifest.json", "/archive.json"))]
            self._listed = {path.split("/")[-2]: path for path in paths}
        return self._listed


def _no_delivery(name: str, found: list[ArchivePart]) -> Refused:
    listed = ", ".join(repr(part.path) for part in found if part.outcome != "litter")
    return Refused(
        f"{name}: no delivery in the archive",
        expected="CSVs as CMS publishes them",
        found=f"{listed[:300]}{', ...' if len(listed) > 300 else ''}",  # noqa: PLR2004
        what_to_do="Deliver the CSVs that CMS publishes.",
    )


def _first_seen(delivery: Delivery) -> tuple[bool, datetime, str]:
    return delivery.withdrawn, delivery.manifest.modified_at, delivery.manifest.file_id
