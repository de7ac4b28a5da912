"""What an authoritative source holds, as it was last seen: which landed contents count, and where to go on from.

What belongs here: the document ``state/<source>/startPageToken.json`` of the lake, and what follows from it. Not
here: asking the source and landing (:mod:`nh_pipeline.landing.sync`). Nothing here imports Dagster.

One document holds both the source's cursor and its files, so that they are of one moment: whoever writes an older one
over a newer one (two processes may look at once) has only gone back in time, and the next look catches up. The cursor
never moves past a file that is neither in the raw zone nor in quarantine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from nh_pipeline.landing.keeping import archives
from nh_pipeline.sources.protocol import SourceFile, Unusable

if TYPE_CHECKING:
    from collections.abc import Callable

    from nh_pipeline.lake.storage import Storage
    from nh_pipeline.landing.manifest import Manifest
    from nh_pipeline.sources.protocol import Changes

_DOCUMENT = "startPageToken.json"


class KnownFile(BaseModel):
    """One file.

    Attributes:
        file: The version that the source holds.
        previous_md5: md5 of its content before that one; it counts until that one has landed.
    """

    model_config = ConfigDict(frozen=True)

    file: SourceFile
    # The second name is that of older lakes.
    previous_md5: str | None = Field(default=None, validation_alias=AliasChoices("previous_md5", "before"))


class _Document(BaseModel):
    cursor: str | None = None
    files: dict[str, KnownFile] = Field(default_factory=dict)
    unusable: dict[str, Unusable] = Field(default_factory=dict)


class SourceState:
    """What one source holds.

    Args:
        storage: Files of the lake.
        source: Name of the source, which must tell the md5 of every file.
    """

    def __init__(self, storage: Storage, source: str) -> None:
        self._storage = storage
        self.path = f"state/{source}/{_DOCUMENT}"
        self._read = self._stored()
        try:
            self._document = _Document.model_validate_json(self._read) if self._read else _Document()
        except ValidationError:  # damaged: as if lost, so that everything is listed anew
            self._document = _Document()

    @property
    def cursor(self) -> str | None:
        """Where to go on from; None before the first complete load."""
        return self._document.cursor

    @property
    def files(self) -> list[SourceFile]:
        """What the source holds, sorted by name."""
        return sorted((held.file for held in self._document.files.values()), key=lambda f: (f.name, f.file_id))

    @property
    def unusable(self) -> list[Unusable]:
        """What it holds that cannot be delivered."""
        return list(self._document.unusable.values())

    def see(self, changes: Changes) -> None:
        """Takes changes over. The same ones again change nothing."""
        files, unusable = dict(self._document.files), dict(self._document.unusable)
        here = arrived(self._storage)
        seen = {file.file_id for file in changes.files}
        gone = {*changes.removed, *(u.file_id for u in changes.unusable)}
        if changes.complete:
            gone |= (files.keys() | unusable.keys()) - seen
        for file_id in gone:
            files.pop(file_id, None)
        for file_id in gone | seen:
            unusable.pop(file_id, None)
        unusable |= {u.file_id: u for u in changes.unusable}
        for file in changes.files:
            last = files.get(file.file_id)
            if last is None or last.file.md5 != file.md5:
                files[file.file_id] = KnownFile(file=file, previous_md5=_counting(last, here) if last else None)
            else:  # renamed or touched
                files[file.file_id] = last.model_copy(update={"file": file})
        self._document = _Document(cursor=self._document.cursor, files=files, unusable=unusable)

    def pending(self) -> list[SourceFile]:
        """Files whose content is neither in the raw zone nor in quarantine."""
        here = arrived(self._storage)
        return [file for file in self.files if f"{file.file_id}-{file.md5}" not in here]

    def save(self, cursor: str | None = None) -> bool:
        """Stores what was seen.

        Args:
            cursor: Where to go on from. It is taken only if nothing is pending.

        Returns:
            Whether it was stored: not if somebody else has stored something meanwhile.
        """
        if self._stored() != self._read:
            return False
        if cursor is not None and not self.pending():
            self._document.cursor = cursor
        content = self._document.model_dump_json(indent=1).encode()
        if content != self._read:
            self._storage.write(self.path, content)
            self._read = content
        return True

    def counting(self, file_id: str, here: frozenset[str]) -> str | None:
        """md5 of the content of a file that counts, None if the source holds none; ``here`` is :func:`arrived`."""
        held = self._document.files.get(file_id)
        return _counting(held, here) if held else None

    def _stored(self) -> bytes | None:
        return self._storage.read(self.path) if self._storage.exists(self.path) else None


def _counting(held: KnownFile, here: frozenset[str]) -> str | None:
    """md5 of the content of a file that counts: its current one if that has landed, else the one before."""
    return held.file.md5 if f"{held.file.file_id}-{held.file.md5}" in here else held.previous_md5


def arrived(storage: Storage) -> frozenset[str]:
    """``<file id>-<md5>`` of everything in the raw zone and in quarantine."""
    paths = [*storage.files("raw", suffix=".json"), *storage.files("quarantine", suffix="/reason.json")]
    return frozenset(path.split("/")[-2] for path in paths)


def withdrawals(storage: Storage) -> Callable[[Manifest], bool]:
    """Tells of a landed content whether its source says that it no longer counts.

    What came from a source that is not authoritative, or by ``nh ingest``, counts for ever.
    """
    sources = [path.split("/")[1] for path in storage.files("state", suffix=f"/{_DOCUMENT}")]
    holdings = {source: SourceState(storage, source) for source in sources}
    here = arrived(storage) if holdings else frozenset()
    contents = {archive.key: archive.contents for archive in archives(storage)} if holdings else {}

    def withdrawn(manifest: Manifest) -> bool:
        found = holdings.get(manifest.source)
        if found is None:
            return False
        counting = found.counting(manifest.file_id, here)  # the delivery itself, or an archive that it is in
        return manifest.md5 != counting and manifest.md5 not in contents.get(f"{manifest.file_id}-{counting}", ())

    return withdrawn
