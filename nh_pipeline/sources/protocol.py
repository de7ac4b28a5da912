"""Where deliveries come from: what a source must offer, whatever it is (a folder, Google Drive, ...).

What belongs here: the protocol and its value types. Not here: any one source, and what the files mean (that is
:mod:`nh_pipeline.landing`). Nothing here imports Dagster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Protocol

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from nh_pipeline.errors import DeliveryError

if TYPE_CHECKING:
    from collections.abc import Collection

PEEK_BYTES = 65_536
"""How much of a file is enough to recognise it."""

CHUNK_BYTES = 1_048_576
"""How much of a file is in memory at once while it is copied."""


class SourceUnavailable(DeliveryError, RuntimeError):  # noqa: N818 - read as a statement about the source, in logs and in the UI
    """The source, or a file in it, cannot be reached or read. The message says what to do; nothing was changed."""


class SourceBusy(SourceUnavailable):
    """It may answer later, without anybody doing anything."""


class SourceMissing(SourceUnavailable):
    """The source is not there, so that nothing can have been delivered yet. Only that: an outage is none of these."""


class SourceFile(BaseModel):
    """One file of a source, in one version.

    Attributes:
        file_id: The source's own key of the file, stable over its versions, safe as one segment of a path.
        name: The name that people know it by. Text only: never a path to write to.
        size: Bytes, None if the source does not know it.
        modified_at: When the source says that its content was last changed.
        md5: Hexadecimal digest of its content, None if the source does not know it.
    """

    model_config = ConfigDict(frozen=True)

    file_id: str = Field(pattern=r"^[A-Za-z0-9_-]{1,128}$")
    name: str
    size: int | None = Field(ge=0)
    modified_at: AwareDatetime
    md5: str | None = Field(default=None, pattern=r"^[0-9a-f]{32}$")

    @property
    def version(self) -> str:
        """A key for this content: the md5 if it is known, else modified time and size. For run keys."""
        return self.md5 or f"{self.modified_at.timestamp():.6f}-{'?' if self.size is None else self.size}"


class Unusable(BaseModel):
    """A file of the source that cannot be delivered as it is.

    Attributes:
        file_id: The source's own key of it.
        name: The name that people know it by.
        reason: Why, and what to do.
    """

    model_config = ConfigDict(frozen=True)

    file_id: str
    name: str
    reason: str


class Changes(BaseModel):
    """What is new in a source.

    Attributes:
        files: Files that are new or changed since the cursor, sorted by name.
        removed: ``file_id`` of the files that are gone since the cursor.
        cursor: Where to go on from, opaque to everybody but the source. Store it when all files have landed.
        complete: Whether ``files`` is all that the source holds: what is not among them is gone.
        unusable: Of the files that are new or changed, those that cannot be delivered.
    """

    model_config = ConfigDict(frozen=True)

    files: list[SourceFile]
    removed: list[str]
    cursor: str
    complete: bool = False
    unusable: list[Unusable] = Field(default_factory=list)


class Source(Protocol):
    """A place that files are delivered to."""

    @property
    def name(self) -> str:
        """Short name of the source, for manifests and run keys."""

    @property
    def authoritative(self) -> bool:
        """Whether the source says what counts, so that a content that it no longer holds is withdrawn.

        What such a source holds is recorded_inputs in the lake (:mod:`nh_pipeline.landing.source_state`).
        """

    def changes(self, cursor: str | None) -> Changes:
        """What is new or gone since a cursor.

        Args:
            cursor: The cursor of an earlier call; None for everything.

        Returns:
            The changes, and the cursor to go on from.

        Raises:
            SourceMissing: If the source is not there (yet).
            SourceUnavailable: If it cannot be listed completely. An outage is never an empty listing.
        """

    def find(self, file_ids: Collection[str]) -> list[SourceFile]:
        """Those of the files that the source holds now, in their current version, sorted by name.

        Raises:
            SourceUnavailable: If the source cannot be asked.
        """

    def peek(self, file: SourceFile, size: int = PEEK_BYTES) -> bytes:
        """The first bytes of a file, all of it if it is shorter.

        Args:
            file: A file that ``changes`` returned, from this or another instance of the same source.
            size: Bytes wanted.

        Returns:
            At most ``size`` bytes.

        Raises:
            SourceUnavailable: If the file is gone or cannot be read.
        """

    def open(self, file: SourceFile) -> BinaryIO:
        """A file as a seekable stream, of which only what is read is fetched.

        Args:
            file: A file that ``changes`` returned, from this or another instance of the same source.

        Raises:
            SourceUnavailable: Here or on reading, if the file is gone or cannot be read.
        """

    def download(self, file: SourceFile, out: BinaryIO) -> None:
        """Copies a file in chunks, so that memory does not grow with its size.

        Args:
            file: A file that ``changes`` returned, from this or another instance of the same source.
            out: A stream to write to; it is not closed.

        Raises:
            SourceUnavailable: If the file is gone or cannot be read to its end.
        """
