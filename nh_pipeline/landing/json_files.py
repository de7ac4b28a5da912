"""Files of JSON, by themselves or in an archive, plain or gzipped: opening them. What they hold, each reader knows."""

from __future__ import annotations

import gzip
import io
from typing import TYPE_CHECKING, BinaryIO, cast

from nh_pipeline.landing import archive

if TYPE_CHECKING:
    from nh_pipeline.landing.unpacking import Part

START_BYTES = 1 << 16
"""So much of a file tells what it is."""

CUT_OFF = "Input data was truncated"
"""What msgspec says of a document that ends before it is complete."""


def opened(stream: BinaryIO, name: str, *, limited: bool = True) -> io.BufferedReader:
    """Opens a file that is plain or gzipped; closing the result leaves the stream open.

    Raises:
        Refused: On reading, if it is damaged or unpacks to too much.
    """
    packed = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    compression = archive.kind(stream.read(4))
    stream.seek(0)
    inner = gzip.GzipFile(fileobj=stream, mode="rb") if compression == "gz" else archive.Within(stream, packed)
    return archive.buffered(cast("BinaryIO", inner), None, name, packed if limited else None)


def member(part: Part, name: str, *, limited: bool = True) -> io.BufferedReader:
    """Opens a file in an archive, itself plain or gzipped.

    Raises:
        Refused: If it is encrypted, damaged, or unpacks to too much.
    """
    part.check(name, limited=limited)
    with archive.damage_refused(name):
        inner = cast("BinaryIO", part.within.open(part.info))
    file = archive.buffered(inner, None, name, part.info.compress_size if limited else None)
    if archive.kind(file.peek(4)) != "gz":
        return file
    unpacked = cast("BinaryIO", gzip.GzipFile(fileobj=file, mode="rb"))
    return archive.buffered(unpacked, None, name, part.info.compress_size if limited else None)
