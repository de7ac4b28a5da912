"""The raw zone: immutable deliveries, each with its manifest.

What belongs here: landing a file of a source exactly once, and finding what has landed. Not here: what is read from
the deliveries (bronze), and when files are landed (assets and sensors). Nothing here imports Dagster.

Layout, relative to the storage::

    raw/<dataset>/<coverage key>/<file id>-<md5>/delivery.<csv|zip|gz>, manifest.json
    quarantine/<file id>-<md5>/delivery.<csv|zip|gz>, reason.json
    raw/.incoming/<uuid>        a download under way; what a crash leaves is swept a day later

The JSON document is written last. A folder without one is no delivery; the next landing writes over it.
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
from nh_pipeline.landing.manifest import Delivery, Manifest, Quarantined
from nh_pipeline.landing.recognise import inspect_file
from nh_pipeline.landing.refused import Refused, UndecidedDates
from nh_pipeline.landing.source_state import withdrawals
from nh_pipeline.sources.protocol import CHUNK_BYTES, SourceFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nh_pipeline.lake.storage import Storage
    from nh_pipeline.landing.dates import DateOrder
    from nh_pipeline.sources.protocol import Source

_MANIFESTS = DocumentReader(Manifest.model_validate_json)


class LandingError(DeliveryError, RuntimeError):
    """A file arrived otherwise than its source describes it. Nothing was kept; landing it again is safe."""


@dataclass(frozen=True)
class Landed:
    """What became of a file.

    Attributes:
        document: Its manifest, or why it is in quarantine.
        path: Its folder, relative to the storage.
        created: Whether this landing wrote it; False if it had been there before.
    """

    document: Manifest | Quarantined
    path: str
    created: bool


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

    @translate_infrastructure_errors()
    def land(self, source: Source, file: SourceFile) -> Landed:
        """Lands one file: downloads, verifies, recognises and keeps it.

        The same content of the same file again changes nothing and keeps the first manifest. A content that was
        refused before is judged again, since the layouts that are known may have grown.

        Args:
            source: Where the file is.
            file: The file, as the source listed it.

        Returns:
            The manifest, or why the file is in quarantine.

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

        return self._land(entry.source, file, copy, _Word(overruled, order))

    def _land(self, source: str, file: SourceFile, fetch: Callable[[BinaryIO], None], word: _Word = _NO_WORD) -> Landed:
        known = self._landed(file.file_id, file.md5) if file.md5 else None
        if known:
            return known
        incoming = f"raw/.incoming/{uuid.uuid4().hex}"
        try:
            received = self._receive(source, file, incoming, fetch)
            reached(Point.RECEIVED, file.name)
            landed = self._landed(file.file_id, received.md5)
            return landed or self._keep(source, file, received, word)
        finally:
            self.storage.delete(incoming)

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

    def _keep(self, source: str, file: SourceFile, received: _Received, word: _Word) -> Landed:
        with self.storage.open(received.path) as stream:
            compression = kind(stream.read(4))
        common = {
            "source": source,
            "file_id": file.file_id,
            "name": file.name,
            "size": received.size,
            "md5": received.md5,
            "sha256": received.sha256,
            "modified_at": file.modified_at,
            "landed_at": datetime.now(tz=timezone.utc),
            "compression": compression,
        }
        refused_path = f"quarantine/{file.file_id}-{received.md5}"
        try:
            about = self._judged(received.path, file.name, word)
        except Refused as refused:
            return self._refuse(refused, common, received.path, refused_path)
        manifest = Manifest.model_validate({**common, **about})
        path = f"raw/{manifest.dataset}/{manifest.coverage.key}/{file.file_id}-{received.md5}"
        self.storage.move(received.path, f"{path}/delivery.{compression}")
        reached(Point.MOVED, file.name)
        self.storage.write(f"{path}/manifest.json", manifest.model_dump_json(indent=1).encode())
        reached(Point.LANDED, file.name)
        self.storage.delete(refused_path)
        return Landed(manifest, path, created=True)

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
        }

    def _open(self, path: str, name: str, *, limited: bool) -> Opened:
        return open_csv(cast("BinaryIO", self.storage.open(path)), name, limited=limited)

    def _quarantined(self, path: str) -> Quarantined:
        return Quarantined.model_validate_json(self.storage.read(path))

    def _manifests(self, folder: str) -> Iterator[tuple[str, Manifest]]:
        for path, manifest in _MANIFESTS.below(self.storage, folder, suffix="/manifest.json").items():
            yield path.rpartition("/")[0], manifest

    def _landed(self, file_id: str, md5: str) -> Landed | None:
        suffix = f"/{file_id}-{md5}/manifest.json"
        for path in self.storage.files("raw", suffix=suffix):
            self.storage.delete(f"quarantine/{file_id}-{md5}")  # left there by a crash
            return Landed(Manifest.model_validate_json(self.storage.read(path)), path.rpartition("/")[0], created=False)
        return None


def _first_seen(delivery: Delivery) -> tuple[bool, datetime, str]:
    return delivery.withdrawn, delivery.manifest.modified_at, delivery.manifest.file_id
