"""Deliveries that this process makes itself, on their way into the raw zone.

What belongs here: a place to make them, and landing them like any file of a folder. Not here: what is in them
(:mod:`.extraction`, :mod:`.native_exports`).
"""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from nh_pipeline.sources.folder import FolderSource

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from nh_pipeline.lake.storage import Storage
    from nh_pipeline.landing.keeping import Landed
    from nh_pipeline.landing.zone import RawZone

SOURCE = "dynamodb"
"""The source's name in manifests."""


@contextmanager
def workplace(storage: Storage) -> Iterator[Path]:
    """A folder for this user alone, gone at the end; in the lake, where what a crash leaves is swept a day later.

    A lake on S3 has none: then it is where this machine has its temporary files.
    """
    incoming = Path(storage.path("raw/.incoming")) if storage.local else None
    if incoming:
        incoming.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="extraction-", dir=incoming) as folder:
        yield Path(folder)


def hand_over(zone: RawZone, path: Path, at: datetime) -> Landed:
    """Lands a file that was made here, as one that was last modified then."""
    os.utime(path, (at.timestamp(), at.timestamp()))
    source = FolderSource(path, name=SOURCE)
    (file,) = source.changes().files
    return zone.land(source, file)
