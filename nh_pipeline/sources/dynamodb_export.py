"""A delivery of items, as AWS exports a table to S3: manifests, and files of one item in a line.

What belongs here: writing it, in one zip, with what an extraction says of itself. Not here: reading DynamoDB
(:mod:`.dynamodb`), and reading a delivery, whoever made it (:mod:`nh_pipeline.landing`).

    manifest-summary.json      the export; under ``nh``, how it was extracted, if we did
    manifest-files.json        in each line a data file, its number of items and its md5
    data/<name>.json.gz        in each line ``{"Item": {…}}``

See https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, BinaryIO
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import msgspec

from nh_pipeline.sources.protocol import CHUNK_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from typing_extensions import Self

SUMMARY, FILES = "manifest-summary.json", "manifest-files.json"
_LEVEL = 4
"""Of compression: a higher one takes longer than all the rest, for little."""


class Extraction(msgspec.Struct, frozen=True):
    """What an extraction of ours says of itself in the summary, under ``nh``.

    Attributes:
        table: Name of the table.
        started_at: When it was begun.
        since: Items that were modified since then were read; None if all were.
        greatest_modified_at: The last time of modification in it that is not after it was begun.
    """

    table: str
    started_at: datetime
    since: datetime | None = msgspec.field(default=None, name="from")
    greatest_modified_at: datetime | None = None


class _Summary(msgspec.Struct):
    nh: Extraction | None = None


def said_of_itself(delivery: BinaryIO) -> Extraction | None:
    """What an extraction says of itself; None if we did not make it, or it is no zip."""
    try:
        with ZipFile(delivery) as found:
            return msgspec.json.decode(found.read(SUMMARY), type=_Summary).nh
    except (BadZipFile, KeyError, msgspec.DecodeError):
        return None


class DataFile:
    """A file of items under way, on this machine: closed, it is a part of a delivery.

    Args:
        path: Where it is written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.items = 0
        self._file = path.open("wb")
        self._out = gzip.GzipFile(filename="", mode="wb", fileobj=self._file, compresslevel=_LEVEL, mtime=0)

    def write(self, items: Iterable[msgspec.Raw]) -> None:
        """Appends items."""
        lines = [b'{"Item":%b}\n' % bytes(item) for item in items]
        self._out.write(b"".join(lines))
        self.items += len(lines)

    def close(self) -> None:
        """Ends it."""
        self._out.close()
        self._file.close()


class ExportZip:
    """The zip of one delivery. The same entries at the same time are the same bytes.

    Args:
        out: Where it is written; it stays open.
        at: The time of all its entries.
    """

    def __init__(self, out: BinaryIO, at: datetime) -> None:
        self._zip = ZipFile(out, "w", ZIP_STORED)
        self._time = at.astimezone(timezone.utc).timetuple()[:6]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def add(self, name: str, content: BinaryIO) -> bytes:
        """Copies a file into it, in bounded memory; its md5."""
        md5 = hashlib.md5(usedforsecurity=False)
        with self._zip.open(ZipInfo(name, self._time), "w", force_zip64=True) as entry:
            while chunk := content.read(CHUNK_BYTES):
                md5.update(chunk)
                entry.write(chunk)
        return md5.digest()

    def write(self, name: str, content: bytes) -> None:
        """Writes a small file into it."""
        self._zip.writestr(ZipInfo(name, self._time), content)


def write_export(out: BinaryIO, parts: Iterable[DataFile], summary: dict[str, Any], at: datetime) -> None:
    """Writes a delivery of parts, and deletes them.

    Args:
        out: Where the zip is written.
        parts: Closed, named as their files are.
        summary: Of the export; the number of items is added.
        at: When it was begun.
    """
    lines, items = list[bytes](), 0
    with ExportZip(out, at) as export:
        for part in parts:
            name = f"data/{part.path.name}"
            with part.path.open("rb") as content:
                md5 = export.add(name, content)
            part.path.unlink()
            line = {
                "itemCount": part.items,
                "md5Checksum": base64.b64encode(md5).decode(),
                "etag": md5.hex(),
                "dataFileS3Key": name,
            }
            lines.append(msgspec.json.encode(line) + b"\n")
            items += part.items
        export.write(FILES, b"".join(lines))
        export.write(SUMMARY, msgspec.json.encode({**summary, "itemCount": items}))
