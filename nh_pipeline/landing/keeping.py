"""What is kept of what came: deliveries, archives of several and refused files, each with its document.

What belongs here: writing and finding the documents, and moving the bytes beside them. Not here: fetching the bytes
(:mod:`nh_pipeline.landing.receiving`) and judging them (:mod:`nh_pipeline.landing.judging`).

The document is written last. A folder without one holds nothing; whatever is kept there next writes over it.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, BinaryIO, TypeVar, cast

from nh_pipeline.failpoints import Point, reached
from nh_pipeline.lake.documents import DocumentReader, parsed
from nh_pipeline.landing.manifest import Archive, Manifest, Quarantined, Received
from nh_pipeline.landing.receiving import Content, md5_of
from nh_pipeline.landing.refused import UndecidedDates
from nh_pipeline.sources.protocol import CHUNK_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nh_pipeline.lake.storage import Storage
    from nh_pipeline.landing.manifest import ArchivePart
    from nh_pipeline.landing.refused import Refused

Document = TypeVar("Document", bound=Received)

_ARCHIVES = "raw/.archives"
_READER = DocumentReader(Archive.model_validate_json)


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


def read(storage: Storage, path: str, kind: type[Document]) -> Document:
    """A document of a kind.

    Raises:
        LakeError: It is damaged.
    """
    return parsed(storage, path, storage.read(path), kind.model_validate_json)


def archives(storage: Storage) -> list[Archive]:
    """What became of each archive of several deliveries when it came, sorted by file id and md5."""
    return list(_READER.below(storage, _ARCHIVES, suffix="/archive.json").values())


class Kept:
    """Whatever has come, by its key: ``<file id>-<md5>``.

    It is listed once; what other processes keep meanwhile is found when it is about to be written.

    Args:
        storage: Of the lake.
    """

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self._listed: dict[str, str] | None = None

    def knows(self, file_id: str) -> bool:
        """Whether any version of a file has come."""
        return any(key.startswith(f"{file_id}-") for key in self._index())

    def landed(self, key: str) -> Landed | None:
        """The manifest of a content, or what became of an archive (without its parts); None if it has not landed."""
        path = self._index().get(key, "")
        if not path.startswith("raw/") or not self.storage.exists(path):
            return None
        self.storage.delete(f"quarantine/{key}")  # left there by a crash
        is_archive = path.endswith("/archive.json")
        document = read(self.storage, path, Archive) if is_archive else read(self.storage, path, Manifest)
        return Landed(document, _folder(path), created=False)

    def refused(self, key: str) -> Content | None:
        """The bytes of a refused file; None if there is no such file, or they are not the ones that came."""
        path = self._index().get(key, "")
        if not path.startswith("quarantine/") or not self.storage.exists(path):
            return None
        return self.quarantined(read(self.storage, path, Quarantined))

    def quarantined(self, entry: Quarantined) -> Content | None:
        """The bytes of an entry of the quarantine; see :meth:`refused`."""
        if not self.storage.exists(entry.file) or md5_of(lambda out: self._copy(entry.file, out)) != entry.md5:
            return None
        received = Received.model_validate({**dict(entry), "landed_at": datetime.now(tz=timezone.utc)})
        return Content(received, entry.file)

    def admit(self, content: Content, judged: Mapping[str, object]) -> Landed:
        """Keeps a delivery."""
        manifest = Manifest.model_validate({**dict(content.received), **judged})
        folder = f"raw/{manifest.dataset}/{manifest.coverage.key}/{manifest.key}"
        path, delivery = f"{folder}/manifest.json", f"{folder}/delivery.{manifest.compression}"
        if self.storage.exists(path):  # another process was faster, or another version of an archive
            return Landed(read(self.storage, path, Manifest), folder, created=False)
        if content.path.startswith("quarantine/"):  # a copy, so that a crash leaves the entry as it was
            with self.storage.create(delivery) as out:
                self._copy(content.path, cast("BinaryIO", out))
        else:
            self.storage.move(content.path, delivery)
        reached(Point.MOVED, manifest.name)
        self._write(path, manifest)
        reached(Point.LANDED, manifest.name)
        self.storage.delete(f"quarantine/{manifest.key}")
        return Landed(manifest, folder, created=True)

    def refuse(self, content: Content, refused: Refused) -> Landed:
        """Keeps a file in quarantine. The evidence of the first time stays; the reason is what is the case now."""
        why = {
            "reason": refused.reason,
            "expected": refused.expected,
            "found": refused.found,
            "what_to_do": refused.what_to_do,
            "overrulable": refused.overrulable,
            "undecided_dates": isinstance(refused, UndecidedDates),
        }
        path, first = f"quarantine/{content.received.key}/reason.json", None
        if self.storage.exists(path):
            first = read(self.storage, path, Quarantined)
        entry = Quarantined.model_validate({**dict(first or content.received), **why})
        if content.path != entry.file:
            self.storage.move(content.path, entry.file)
            reached(Point.MOVED, entry.name)
        if entry != first:
            self._write(path, entry)
        return Landed(entry, entry.path, created=first is None)

    def record(self, content: Content, parts: Sequence[ArchivePart], landed: Sequence[Landed]) -> Landed:
        """Keeps what became of the deliveries in an archive, once they are kept."""
        archive = Archive.model_validate({**dict(content.received), "parts": tuple(parts)})
        folder = f"{_ARCHIVES}/{archive.key}"
        self._write(f"{folder}/archive.json", archive)
        self.storage.delete(f"quarantine/{archive.key}")
        return Landed(archive, folder, created=True, parts=tuple(landed))

    def _write(self, path: str, document: Manifest | Quarantined | Archive) -> None:
        self.storage.write(path, document.model_dump_json(indent=1).encode())
        self._index()[document.key] = path

    def _copy(self, path: str, out: BinaryIO) -> None:
        with self.storage.open(path) as kept:
            shutil.copyfileobj(kept, out, CHUNK_BYTES)

    def _index(self) -> dict[str, str]:
        """Documents by key; of a content that was refused and has landed since, the manifest."""
        if self._listed is None:
            raw = (p for p in self.storage.files("raw") if p.endswith(("/manifest.json", "/archive.json")))
            paths = [*self.storage.files("quarantine", suffix="/reason.json"), *raw]
            self._listed = {_folder(path).rpartition("/")[2]: path for path in paths}
        return self._listed


def _folder(path: str) -> str:
    return path.rpartition("/")[0]
