"""The CSV inside a delivery: plain, zipped or gzipped.

What belongs here: telling the packing by its first bytes, opening the CSV as a stream in bounded memory, reading its
beginning from that of the delivery, and refusing what cannot or must not be unpacked. Not here: which member
of a zip archive is the CSV (:mod:`nh_pipeline.landing.members`), and what the CSV holds
(:mod:`nh_pipeline.landing.recognise`).
"""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Literal, cast

from nh_pipeline.landing.members import only_csv
from nh_pipeline.landing.refused import CutOff, Refused
from nh_pipeline.sources.protocol import PEEK_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

Compression = Literal["csv", "json", "zip", "gz"]

UNPACKED = ("csv", "json")

MAX_BYTES = 16 * 1024**3
"""Largest CSV, unpacked, in bytes. The largest that CMS publishes is the registry of NPIs: 10 GB."""

MAX_RATIO = 200
"""Largest ratio of unpacked to packed size; CMS's files have 4 to 30. Small files may have any."""

RATIO_FROM_BYTES = 64 * 1024**2
"""Unpacked size from which the ratio is looked at."""


class _OutOfBoundsError(OSError):
    """A seek to a place that the delivery does not have. zipfile tries some, and expects OSError."""


# What zipfile, gzip and zlib raise on damaged bytes; not OSError, which may be a failing disk or network.
_DAMAGE = (zipfile.BadZipFile, zlib.error, gzip.BadGzipFile, _OutOfBoundsError, EOFError, struct.error,
           NotImplementedError, ValueError)  # fmt: skip


@dataclass(frozen=True)
class Opened:
    """An unpacked delivery: the CSV's bytes, buffered (closing them closes the delivery too), and how it is packed."""

    stream: BinaryIO
    compression: Compression
    member: str | None


def kind(content: bytes) -> Compression:
    """How a delivery is packed, or what it is unpacked, by its first bytes; its name says nothing."""
    if content.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    if content.startswith(b"\x1f\x8b"):
        return "gz"
    return "json" if content.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{") else "csv"


def open_csv(delivery: BinaryIO, name: str, *, limited: bool = True) -> Opened:
    """Opens the CSV of a delivery.

    Args:
        delivery: A seekable stream of the delivery; it is closed with the result, or when it is refused.
        name: The delivery's name, for messages.
        limited: Whether it may only unpack to so much.

    Returns:
        The CSV as a stream. Reading from it raises :class:`Refused` if the packing turns out to be damaged, to hold
        another archive, or to unpack to more than :data:`MAX_BYTES`.

    Raises:
        Refused: If the delivery is a damaged or encrypted archive, or does not hold exactly one CSV.
    """
    try:
        compression = kind(delivery.read(4))
        packed = delivery.seek(0, io.SEEK_END)
        delivery.seek(0)
        if compression in UNPACKED:
            return Opened(buffered(delivery, None, name, packed if limited else None), compression, None)
        if compression == "gz":
            inner = cast("BinaryIO", gzip.GzipFile(fileobj=delivery, mode="rb"))
            return Opened(buffered(inner, delivery, name, packed if limited else None), "gz", None)
        with damage_refused(name):
            archive = zipfile.ZipFile(cast("BinaryIO", Within(delivery, packed)))
            member = only_csv(archive.infolist(), name)
            inner = cast("BinaryIO", archive.open(member))
            size = member.compress_size if limited else None
            if size is not None:
                check_size(member.file_size, size, name)
            return Opened(buffered(inner, delivery, name, size), "zip", member.filename)
    except Refused:
        delivery.close()
        raise


def start_of_csv(content: bytes, name: str, *, size: int = PEEK_BYTES) -> bytes:
    """The beginning of the CSV, from that of a delivery. In a zip archive only the end tells where it is.

    Args:
        content: The first bytes of a delivery that is plain or gzipped.
        name: The delivery's name, for messages.
        size: Bytes of the CSV wanted at most.

    Raises:
        Refused: If it cannot be unpacked; :class:`CutOff` for a zip archive.
    """
    compression, text = kind(content), b""
    if compression in UNPACKED:
        return content[:size]
    if compression == "zip":
        raise CutOff(
            f"{name}: only the beginning of a zip archive",
            expected="its directory, which is at its end",
            found=f"{len(content):,} bytes",
            what_to_do="Look at the whole file.",
        )
    while len(text) < size and kind(content) == "gz":  # a gzip file may have several members
        inflater = zlib.decompressobj(16 + zlib.MAX_WBITS)
        with damage_refused(name):
            text += inflater.decompress(content, size - len(text))
        content = inflater.unused_data
    return _not_nested(text, name)


def check_size(unpacked: int, packed: int, name: str, *, most: int | None = None) -> None:
    """Refuses what unpacks to more than ``most`` (:data:`MAX_BYTES`), or to too much for its packed size."""
    most = MAX_BYTES if most is None else most
    if unpacked > most or (unpacked > RATIO_FROM_BYTES and unpacked > MAX_RATIO * max(packed, 1)):
        raise Refused(
            f"{name}: unpacks to too much",
            expected=f"at most {most:,} bytes and {MAX_RATIO} times the packed size",
            found=f"{unpacked:,} bytes or more from {packed:,}",
            what_to_do="Check where the file comes from; if it is genuine: nh quarantine admit ID --confirm "
            "--reason TEXT.",
            overrulable=True,
        )


def _not_nested(content: bytes, name: str) -> bytes:
    if kind(content) not in UNPACKED:
        raise Refused(
            f"{name}: an archive in an archive",
            expected="a CSV in it",
            found=f"a {kind(content)} file in it",
            what_to_do="Unpack it and deliver the CSV.",
        )
    return content


@contextmanager
def damage_refused(name: str) -> Iterator[None]:
    """Turns what libraries raise on damaged bytes into a refusal."""
    try:
        yield
    except Refused:
        raise
    except _DAMAGE as error:
        raise Refused(
            f"{name}: damaged archive",
            expected="an archive that unpacks to its end",
            found=str(error) or type(error).__name__,
            what_to_do="Deliver the file again; the upload may have been cut off.",
        ) from error


class Within(io.RawIOBase):
    """A delivery whose directory may be damaged: file systems differ in what a seek out of bounds raises."""

    def __init__(self, delivery: BinaryIO, size: int) -> None:
        self._delivery, self._size = delivery, size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._delivery.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._delivery.tell(), io.SEEK_END: self._size}[whence]
        if not 0 <= start + offset <= self._size:
            raise _OutOfBoundsError(f"its directory points to byte {start + offset:,} of {self._size:,}")
        return self._delivery.seek(start + offset)

    def read(self, size: int = -1) -> bytes:
        return self._delivery.read(self._size if size < 0 else size)


class _Unpacked(io.RawIOBase):
    """A CSV being unpacked, which refuses damage, too much of it, and archives within."""

    def __init__(self, inner: BinaryIO, delivery: BinaryIO | None, name: str, packed: int | None) -> None:
        self._inner, self._delivery, self._name, self._packed = inner, delivery, name, packed
        self._count = 0

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._count

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # narrower than Buffer, as BufferedReader calls it
        with damage_refused(self._name):
            content = self._inner.read(len(buffer))
        if not self._count and self._delivery is not None:
            _not_nested(content, self._name)
        self._count += len(content)
        if self._packed is not None:
            check_size(self._count, self._packed, self._name)
        buffer[: len(content)] = content
        return len(content)

    def close(self) -> None:
        if not self.closed:
            self._inner.close()
            if self._delivery is not None:
                self._delivery.close()
        super().close()


def buffered(inner: BinaryIO, delivery: BinaryIO | None, name: str, packed: int | None) -> io.BufferedReader:
    """What is being unpacked, in blocks; reading from it refuses damage, and too much for its packed size, if given."""
    return io.BufferedReader(_Unpacked(inner, delivery, name, packed), 1 << 20)
