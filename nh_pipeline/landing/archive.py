"""The CSV inside a delivery: plain, zipped or gzipped.

What belongs here: telling the packing by its first bytes, opening the CSV as a stream in bounded memory, reading its
beginning from the beginning of the delivery, and refusing what cannot or must not be unpacked. Not here: what the CSV
holds (:mod:`nh_pipeline.landing.recognise`).
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

from nh_pipeline.landing.refused import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

Compression = Literal["csv", "zip", "gz"]

MAX_BYTES = 4 * 1024**3
"""Largest CSV, unpacked, in bytes. The largest that CMS publishes is 0.3 GB."""

MAX_RATIO = 200
"""Largest ratio of unpacked to packed size; CMS's files have 4 to 30. Small files may have any."""

RATIO_FROM_BYTES = 64 * 1024**2
"""Unpacked size from which the ratio is looked at."""

_LOCAL_HEADER = struct.Struct("<4s5H3I2H")
_ENCRYPTED, _SIZES_FOLLOW, _UTF8_NAME = 0x1, 0x8, 0x800


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


@dataclass(frozen=True)
class Head:
    """The beginning of a CSV, unpacked; whether that is all of it; and how its delivery is packed."""

    content: bytes
    complete: bool
    compression: Compression
    member: str | None


def kind(content: bytes) -> Compression:
    """How a delivery is packed, by its first bytes; its name says nothing."""
    if content.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    return "gz" if content.startswith(b"\x1f\x8b") else "csv"


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
        if compression == "csv":
            return Opened(_buffered(delivery, None, name, packed if limited else None), "csv", None)
        if compression == "gz":
            inner = cast("BinaryIO", gzip.GzipFile(fileobj=delivery, mode="rb"))
            return Opened(_buffered(inner, delivery, name, packed if limited else None), "gz", None)
        with _damage_refused(name):
            archive = zipfile.ZipFile(cast("BinaryIO", _Within(delivery, packed)))
            member = _only_csv(archive, name)
            inner = cast("BinaryIO", archive.open(member))
            size = member.compress_size if limited else None
            if size is not None:
                _check_size(member.file_size, size, name)
            return Opened(_buffered(inner, delivery, name, size), "zip", member.filename)
    except Refused:
        delivery.close()
        raise


def head(content: bytes, name: str, *, complete: bool = False, size: int = 65_536) -> Head:
    """The beginning of the CSV, from the beginning of a delivery.

    Args:
        content: The delivery's first bytes, 64 KB or so.
        name: The delivery's name, for messages.
        complete: Whether that is all of it.
        size: Bytes of the CSV wanted at most.

    Returns:
        The CSV's first bytes.

    Raises:
        Refused: If the delivery cannot be unpacked.
    """
    compression = kind(content)
    if compression == "csv":
        return Head(content[:size], complete and len(content) <= size, "csv", None)
    if compression == "gz":
        text, ended = b"", False
        while len(text) < size and kind(content) == "gz":  # a gzip file may have several members
            more, ended, content = _inflate(content, 16 + zlib.MAX_WBITS, size - len(text), name)
            text += more
        return Head(_not_nested(text, name), complete and ended and not content, "gz", None)
    return _zip_head(content, name, size)


def _inflate(content: bytes, window: int, size: int, name: str) -> tuple[bytes, bool, bytes]:
    inflater = zlib.decompressobj(window)
    with _damage_refused(name):
        text = inflater.decompress(content, size)
    return text, inflater.eof, inflater.unused_data


def _zip_head(content: bytes, name: str, size: int) -> Head:
    at = 0
    while content[at : at + 4] == b"PK\x03\x04" and len(content) >= at + _LOCAL_HEADER.size:
        _, _, flags, method, _, _, _, packed, _, name_length, extra_length = _LOCAL_HEADER.unpack_from(content, at)
        start = at + _LOCAL_HEADER.size
        raw_name = content[start : start + name_length]
        member = raw_name.decode("utf-8" if flags & _UTF8_NAME else "cp437", "replace")
        start += name_length + extra_length
        streamed = bool(flags & _SIZES_FOLLOW)
        if not _ignored(member):
            _check_readable(member, flags, method, name)
            stored = method == zipfile.ZIP_STORED
            if not (stored and streamed):
                data = content[start:] if streamed else content[start : start + packed]
                if stored:
                    text, ended = data[:size], len(data) == packed <= size
                else:
                    text, ended, _ = _inflate(data, -zlib.MAX_WBITS, size, name)
                return Head(_not_nested(text, name), ended, "zip", member)
        # The sizes of a member that was written as a stream come after it: look for what follows.
        at = content.find(b"PK\x03\x04", start) if streamed else start + packed
        if at < 0:
            break
    raise Refused(
        f"{name}: no CSV at the beginning of the zip archive",
        expected=f"one CSV within its first {len(content):,} bytes",
        found="none",
        what_to_do="Put the CSV first in the archive, or deliver it without an archive.",
    )


def _ignored(member: str) -> bool:
    parts = member.split("/")
    return member.endswith("/") or "__MACOSX" in parts or any(part.startswith(".") for part in parts if part)


def _check_readable(member: str, flags: int, method: int, name: str) -> None:
    if flags & _ENCRYPTED:
        raise Refused(
            f"{name}: encrypted archive",
            expected="an archive without password",
            found=f"{member!r} is encrypted",
            what_to_do="Unpack it and deliver the CSV.",
        )
    if method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Refused(
            f"{name}: unknown compression in the archive",
            expected="stored or deflated members",
            found=f"{member!r} with method {method}",
            what_to_do="Unpack it and deliver the CSV, or zip it with ordinary (deflate) compression.",
        )


def _only_csv(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    members = [member for member in archive.infolist() if not _ignored(member.filename)]
    chosen = [member for member in members if member.filename.lower().endswith(".csv")] or members
    if len(chosen) != 1:
        listed = ", ".join(repr(member.filename) for member in chosen[:5]) or "none"
        raise Refused(
            f"{name}: {'several files' if chosen else 'no file'} in the archive",
            expected="exactly one CSV",
            found=f"{len(chosen)}: {listed}{', ...' if len(chosen) > 5 else ''}",  # noqa: PLR2004
            what_to_do="Deliver each CSV by itself.",
        )
    member = chosen[0]
    _check_readable(member.filename, member.flag_bits, member.compress_type, name)
    return member


def _check_size(unpacked: int, packed: int, name: str) -> None:
    if unpacked > MAX_BYTES or (unpacked > RATIO_FROM_BYTES and unpacked > MAX_RATIO * max(packed, 1)):
        raise Refused(
            f"{name}: unpacks to too much",
            expected=f"at most {MAX_BYTES:,} bytes and {MAX_RATIO} times the packed size",
            found=f"{unpacked:,} bytes or more from {packed:,}",
            what_to_do="Check where the file comes from; if it is genuine: nh quarantine admit ID --confirm "
            "--reason TEXT.",
            overrulable=True,
        )


def _not_nested(content: bytes, name: str) -> bytes:
    if kind(content) != "csv":
        raise Refused(
            f"{name}: an archive in an archive",
            expected="a CSV in it",
            found=f"a {kind(content)} file in it",
            what_to_do="Unpack it and deliver the CSV.",
        )
    return content


@contextmanager
def _damage_refused(name: str) -> Iterator[None]:
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


class _Within(io.RawIOBase):
    """A delivery whose directory may be damaged: file systems differ in what a seek out of bounds raises."""

    def __init__(self, delivery: BinaryIO, size: int) -> None:
        self._delivery, self._size = delivery, size

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
        with _damage_refused(self._name):
            content = self._inner.read(len(buffer))
        if not self._count and self._delivery is not None:
            _not_nested(content, self._name)
        self._count += len(content)
        if self._packed is not None:
            _check_size(self._count, self._packed, self._name)
        buffer[: len(content)] = content
        return len(content)

    def close(self) -> None:
        if not self.closed:
            self._inner.close()
            if self._delivery is not None:
                self._delivery.close()
        super().close()


def _buffered(inner: BinaryIO, delivery: BinaryIO | None, name: str, packed: int | None) -> BinaryIO:
    return io.BufferedReader(_Unpacked(inner, delivery, name, packed), 1 << 20)
