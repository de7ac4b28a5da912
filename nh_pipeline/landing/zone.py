"""The raw zone: immutable deliveries, each with its manifest.

What belongs here: landing a file of a source exactly once, and finding what has landed. Not here: what is read from
the deliveries (bronze), and when files are landed (assets and sensors). Nothing here imports Dagster.

Layout, relative to the storage::

    raw/<dataset>/<coverage key>/<file id>-<md5>/delivery.<csv|zip|gz>, manifest.json
    quarantine/<file id>-<md5>/delivery.<csv|zip|gz>, reason.json
    raw/.archives/<file id>-<md5>/archive.json
    raw/.incoming/<uuid>        a download under way; what a crash leaves is swept a day later

An archive of several deliveries is as many deliveries, under the archive's file id and their own md5; what became of
each file in it is in its ``archive.json``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO, cast

from nh_pipeline.errors import translate_infrastructure_errors
from nh_pipeline.lake.documents import DocumentReader
from nh_pipeline.landing.archive import open_csv
from nh_pipeline.landing.judging import NO_WORD, Word, export_reader, of_csv, of_export
from nh_pipeline.landing.keeping import Kept, Landed, archives, read
from nh_pipeline.landing.manifest import Archive, Delivery, Manifest, Quarantined
from nh_pipeline.landing.receiving import LandingError, md5_of, receiving
from nh_pipeline.landing.refused import Refused
from nh_pipeline.landing.several import land_parts
from nh_pipeline.landing.source_state import withdrawals
from nh_pipeline.landing.unpacking import is_several

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from nh_pipeline.lake.storage import Storage
    from nh_pipeline.landing.dates import DateOrder
    from nh_pipeline.landing.receiving import Content
    from nh_pipeline.sources.protocol import Source, SourceFile

__all__ = ["Landed", "LandingError", "RawZone"]

_MANIFESTS = DocumentReader(Manifest.model_validate_json)


class RawZone:
    """Deliveries of one lake.

    Args:
        storage: The lake's files.
    """

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self._kept = Kept(storage)

    @translate_infrastructure_errors()
    def land(self, source: Source, file: SourceFile) -> Landed:
        """Lands one file: downloads, verifies, recognises and keeps it.

        The same content of the same file again changes nothing and keeps the first manifest: it is read once, for its
        md5 if the source tells none, and not copied. A content that was refused before is judged again, since the
        layouts that are known may have grown: by the bytes that were kept. The files of an archive of several land one
        by one.

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

        def fetch(out: BinaryIO) -> None:
            source.download(file, out)

        md5 = file.md5 or (md5_of(fetch) if self._kept.knows(file.file_id) else None)
        known = self._known(f"{file.file_id}-{md5}") if md5 else None
        if known:
            return known
        with receiving(self.storage, source.name, file, fetch) as content:
            return self._known(content.received.key) or self._take(content)

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
        content = self._kept.quarantined(entry)
        if content is None:
            raise LandingError(
                f"{entry.name!r}: expected its bytes in {entry.file!r}, with the md5 {entry.md5} that they came with, "
                "found others or none. They were changed in the lake: land the file again from its source."
            )
        return self._take(content, Word(overruled, order))

    def _known(self, key: str) -> Landed | None:
        """What has become of a content that came before: what was refused then is judged again."""
        landed = self._kept.landed(key)
        if landed and isinstance(landed.document, Archive):
            file_id = landed.document.file_id
            contents = dict.fromkeys(part.md5 for part in landed.document.parts if part.md5)
            parts = tuple(part for md5 in contents if (part := self._known(f"{file_id}-{md5}")))
            return replace(landed, parts=parts) if len(parts) == len(contents) else None  # what is away comes again
        if landed:
            return landed
        refused = self._kept.refused(key)
        return self._take(refused) if refused else None

    def _take(self, content: Content, word: Word = NO_WORD) -> Landed:
        try:
            reader = export_reader(self.storage, content)
            if reader:
                about = of_export(self.storage, content, word, reader)
            elif self._is_several(content):
                return land_parts(self._kept, content, word)
            else:
                about = of_csv(self.storage, content, word)
        except Refused as refused:
            return self._kept.refuse(content, refused)
        return self._kept.admit(content, about)

    def _is_several(self, content: Content) -> bool:
        if content.received.archive:  # what is in it was looked at when it came
            return False
        with self.storage.open(content.path) as stream:
            return is_several(cast("BinaryIO", stream))

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
        return [read(self.storage, path, Quarantined) for path in files]

    def archives(self) -> list[Archive]:
        """Archives of several deliveries, sorted by name and time, with what has become of each file by now."""
        landed = {manifest.key: manifest for _, manifest in self._manifests("raw")}
        found = [archive.now(landed) for archive in archives(self.storage)]
        return sorted(found, key=lambda archive: (archive.name, archive.modified_at, archive.md5))

    def open(self, delivery: Delivery) -> BinaryIO:
        """The delivery's CSV, unpacked, as a stream in its own encoding.

        Raises:
            Refused: On reading, if the bytes were damaged after they landed.
        """
        manifest = delivery.manifest
        stream = cast("BinaryIO", self.storage.open(delivery.file))
        return open_csv(stream, manifest.name, limited=manifest.overruled is None).stream

    def _manifests(self, folder: str) -> Iterator[tuple[str, Manifest]]:
        for path, manifest in _MANIFESTS.below(self.storage, folder, suffix="/manifest.json").items():
            yield path.rpartition("/")[0], manifest


def _first_seen(delivery: Delivery) -> tuple[bool, datetime, str]:
    return delivery.withdrawn, delivery.manifest.modified_at, delivery.manifest.file_id
