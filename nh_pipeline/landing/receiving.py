"""Bytes on their way into the raw zone: counted, digested and compared with what their source says of them.

What belongs here: fetching and verifying. Not here: what becomes of the bytes (:mod:`nh_pipeline.landing.zone`).
"""

from __future__ import annotations

import hashlib
import io
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, BinaryIO, cast

from nh_pipeline.errors import DeliveryError
from nh_pipeline.failpoints import Point, reached
from nh_pipeline.landing.archive import kind
from nh_pipeline.landing.manifest import Received

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nh_pipeline.lake.storage import Storage
    from nh_pipeline.landing.manifest import InArchive
    from nh_pipeline.sources.protocol import SourceFile

    Fetch = Callable[[BinaryIO], None]


class LandingError(DeliveryError, RuntimeError):
    """A file arrived otherwise than its source describes it. Nothing was kept; landing it again is safe."""


@dataclass(frozen=True)
class Content:
    """Bytes that came.

    Attributes:
        received: What is to be told of them.
        path: Where they are, relative to the storage.
    """

    received: Received
    path: str


class Digesting(io.RawIOBase):
    """Passes bytes on to a stream, or to none, counting and digesting them.

    Attributes:
        begin: The first of them.
        size: How many so far.
        md5: Their digest, as sources publish it.
        sha256: The same, for evidence.
    """

    def __init__(self, out: BinaryIO | None = None) -> None:
        self._out = out
        self.begin = b""
        self.size = 0
        self.md5 = hashlib.md5(usedforsecurity=False)  # what sources publish; sha256 is the evidence
        self.sha256 = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, content: bytes) -> int:  # type: ignore[override]  # any buffer, as the callers pass it
        if self._out is not None:
            self._out.write(content)
        self.begin += bytes(content[: 4 - len(self.begin)])
        self.md5.update(content)
        self.sha256.update(content)
        self.size += len(content)
        return len(content)


def md5_of(fetch: Fetch) -> str:
    """The digest of what is fetched; nothing is kept."""
    digesting = Digesting()
    fetch(cast("BinaryIO", digesting))
    return digesting.md5.hexdigest()


@contextmanager
def receiving(
    storage: Storage, source: str, file: SourceFile, fetch: Fetch, archive: InArchive | None = None
) -> Iterator[Content]:
    """Fetches a file into the incoming folder; what is still there at the end is deleted.

    Args:
        storage: Of the lake.
        source: Name of the source.
        file: The file, as the source describes it.
        fetch: Writes its bytes.
        archive: The archive of several deliveries that it is in.

    Raises:
        LandingError: If size or md5 are not what the source says.
    """
    incoming = f"raw/.incoming/{uuid.uuid4().hex}"
    try:
        with storage.create(incoming) as out:
            digesting = Digesting(cast("BinaryIO", out))
            fetch(cast("BinaryIO", digesting))
        received = Received(
            source=source,
            file_id=file.file_id,
            name=file.name,
            size=digesting.size,
            md5=digesting.md5.hexdigest(),
            sha256=digesting.sha256.hexdigest(),
            modified_at=file.modified_at,
            landed_at=datetime.now(tz=timezone.utc),
            compression=kind(digesting.begin),
            archive=archive,
        )
        _verify(received, file)
        reached(Point.RECEIVED, file.name)
        yield Content(received, incoming)
    finally:
        storage.delete(incoming)


def _verify(received: Received, file: SourceFile) -> None:
    for what, expected, found in (("bytes", file.size, received.size), ("md5", file.md5, received.md5)):
        if expected is not None and expected != found:
            raise LandingError(
                f"{file.name!r} of {received.source}: expected {what} {expected} as the source says, found {found} "
                "after the download. It may have changed meanwhile or been cut off; nothing was kept, land it again."
            )
