"""Reading a table of DynamoDB, all parts at once, into data files: all of it or nothing, in bounded memory.

What belongs here: which items are of a window, and what is noted of them on the way. Not here: asking DynamoDB
(:mod:`.dynamodb`), and what is made of the files (:mod:`.dynamodb_export`).
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING

from nh_pipeline.failpoints import Point, reached
from nh_pipeline.sources.dynamodb_export import DataFile
from nh_pipeline.sources.dynamodb_items import modified_at

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    import msgspec

    from nh_pipeline.sources.dynamodb import Request, Table


class Part:
    """What one request gives, in a file."""

    def __init__(self, path: Path, since: datetime | None, started: datetime) -> None:
        self.file = DataFile(path)
        self.greatest: datetime | None = None
        self.digest = 0
        self._since, self._started = since, started

    def read(self, table: Table, request: Request, stop: Event) -> None:
        """Reads all pages, unless another part failed."""
        for page in table.pages(request):
            self.file.write(item for item in page if self._takes(item))
            reached(Point.PAGE, table.name)
            if stop.is_set():
                return

    def _takes(self, item: msgspec.Raw) -> bool:
        """Whether an item is of the window: one without a time that can be read is of none, but of everything."""
        at = modified_at(item)
        if self._since is not None:
            if at is None or at < self._since:
                return False
            self.digest += int.from_bytes(hashlib.md5(item, usedforsecurity=False).digest(), "big")
        if at is not None and at <= self._started:  # a time in the future says nothing of what is yet to be written
            self.greatest = max(at, self.greatest or at)
        return True


@dataclass(frozen=True)
class Found:
    """What an extraction has read.

    Attributes:
        parts: What each request gave.
    """

    parts: list[Part]

    @property
    def items(self) -> int:
        return sum(part.file.items for part in self.parts)

    @property
    def greatest(self) -> datetime | None:
        return max((part.greatest for part in self.parts if part.greatest), default=None)

    @property
    def digest(self) -> str:
        return f"{self.items}-{sum(part.digest for part in self.parts) % 2**128:032x}"


def read_all(table: Table, requests: list[Request], folder: Path, since: datetime | None, started: datetime) -> Found:
    """Reads all parts at once, to their ends: all or nothing.

    Args:
        table: What to read.
        requests: The parts.
        folder: Where files are written.
        since: Only items that were modified since then, that instant included.
        started: When the extraction began.

    Raises:
        SourceUnavailable: One of them failed.
    """
    stop, parts = Event(), [Part(folder / f"{n:04}.json.gz", since, started) for n in range(len(requests))]
    with ExitStack() as files, ThreadPoolExecutor(table.segments) as pool:
        for part in parts:
            files.callback(part.file.close)
        reading = [pool.submit(part.read, table, request, stop) for part, request in zip(parts, requests, strict=True)]
        try:
            for each in as_completed(reading):
                each.result()
        finally:
            stop.set()
            for each in reading:
                each.cancel()
    return Found(parts)
