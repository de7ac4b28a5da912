"""The text of a CSV: its encoding, its header and its lines, read as a stream.

What belongs here: from bytes to characters, the same way for recognition and for bronze. Not here: what the header
means (:mod:`nh_pipeline.datasets.headers`), records (:mod:`nh_pipeline.landing.records`).
"""

from __future__ import annotations

import codecs
import csv
import re
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from nh_pipeline.landing.refused import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADER_BYTES = 1 << 20
"""Bytes within which the header must end."""

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")


def _undefined_in_cp1252(error: UnicodeError) -> tuple[str, int]:
    # Five bytes mean nothing in Windows-1252. Browsers read them as C1 controls; so nothing is lost.
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("latin-1"), error.end


codecs.register_error("nh-c1", _undefined_in_cp1252)


class MalformedCsv(ValueError):  # noqa: N818 - what is the case, as Refused
    """A text that cannot be cut into records.

    Attributes:
        expected: What every record must be.
        found: What is there instead, and in which line.
    """

    def __init__(self, *, expected: str, found: str) -> None:
        super().__init__(f"expected {expected}, found {found}")
        self.expected = expected
        self.found = found


class EncodingDetector:
    """Passes a stream's bytes on and learns their encoding; refuses what is no text.

    Attributes:
        size: Bytes so far.
        last: The last of them.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream, self._name = stream, name
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._is_utf8, self._begin, self._ends = True, b"", [0, 0]
        self.size, self.last = 0, b""

    @property
    def encoding(self) -> str:
        """``utf-8``, ``utf-8-sig`` with a byte order mark, or ``cp1252``, as far as the bytes so far show."""
        if not self._is_utf8:
            return "cp1252"
        return "utf-8-sig" if self._begin.startswith(codecs.BOM_UTF8) else "utf-8"

    def read(self, size: int) -> bytes:
        """The next bytes, at most ``size``.

        Raises:
            Refused: If they show UTF-16, or hold a NUL byte.
        """
        chunk = self._stream.read(size)
        if len(self._begin) < len(codecs.BOM_UTF8):
            self._begin += chunk[: len(codecs.BOM_UTF8)]
        if self._begin.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise _no_text(self._name, "a UTF-16 byte order mark")
        at = chunk.find(b"\0")
        if at >= 0:
            line = 1 + max(n + chunk.count(end, 0, at) for n, end in zip(self._ends, (b"\n", b"\r"), strict=True))
            raise _no_text(self._name, f"a NUL byte in line {line:,}, at offset {self.size + at:,} of the CSV")
        self._ends = [n + chunk.count(end) for n, end in zip(self._ends, (b"\n", b"\r"), strict=True)]
        self.size += len(chunk)
        self.last = chunk[-1:] or self.last
        self._decode(chunk)
        return chunk

    def end(self) -> None:
        """Says that the stream has been read to its end: a character that is cut off there is no UTF-8."""
        self._decode(b"", final=True)

    def _decode(self, chunk: bytes, *, final: bool = False) -> None:
        pending = self._utf8.getstate()[0]
        if self._is_utf8 and (pending or not chunk.isascii()):
            try:
                self._utf8.decode(chunk, final)
            except UnicodeDecodeError:
                self._is_utf8 = False


def _no_text(name: str, found: str) -> Refused:
    return Refused(
        f"{name}: not a text that can be read",
        expected="UTF-8 or Windows-1252",
        found=found,
        what_to_do="Deliver the CSV as CMS publishes it; from a spreadsheet, save it as 'CSV UTF-8'.",
    )


class CsvStream:
    r"""A CSV in UTF-8: the header apart, and a stream of what follows it.

    Args:
        source: The CSV's bytes; ``read(n)`` gives n bytes unless they end.
        encoding: Of the bytes. ``latin-1`` reads any bytes, for whoever is after structure alone.

    Attributes:
        lines: Lines after the header that are not blank, once all is read; ``\n``, ``\r\n`` and ``\r`` end one.

    Raises:
        MalformedCsv: There is no end of the header.
    """

    def __init__(self, source: BinaryIO | EncodingDetector, encoding: str) -> None:
        self._source, self._encoding = source, encoding
        start = source.read(HEADER_BYTES)
        self._all = len(start) < HEADER_BYTES
        start = start.removeprefix(codecs.BOM_UTF8)
        self._header, self._ahead = self._split(start)
        self._last = b"\n"
        self.lines = 0

    def header(self, encoding: str = "") -> list[str]:
        """The header's cells; empty if there is none."""
        return _first_row(_lines(self._header.decode((encoding or self._encoding).removesuffix("-sig"), "nh-c1")))

    def read(self, size: int) -> bytes:
        """The next bytes after the header, as UTF-8: of ``size`` bytes of the source; none once it has ended."""
        chunk, self._ahead = self._ahead[:size], self._ahead[size:]
        if len(chunk) < size:
            chunk += self._source.read(size - len(chunk))
        self._count(chunk)
        if chunk.isascii() or self._encoding.startswith("utf-8"):
            return chunk
        return chunk.decode(self._encoding, "nh-c1").encode()

    def _count(self, chunk: bytes) -> None:
        if not chunk:
            self.lines += self._last not in (b"\n", b"\r")  # one without a line end
            self._last = b"\n"
            return
        if self._last == b"\r" and chunk.startswith(b"\n"):  # the second half of a line end that is counted
            self._last, chunk = b"\n", chunk[1:]
        last = chunk[-1:] or self._last
        if b"\r" in chunk:
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        ends = np.frombuffer(self._last.replace(b"\r", b"\n") + chunk, np.uint8) == ord("\n")
        blank = ends[1:] & ends[:-1]
        self.lines += int(np.count_nonzero(ends[1:])) - int(np.count_nonzero(blank))
        self._last = last

    def _split(self, start: bytes) -> tuple[bytes, bytes]:
        # As Latin-1 a character is a byte, so the characters that the header took are its bytes.
        lines = _lines(start.decode("latin-1"))
        taken: list[str] = []
        _first_row(taken.append(line) or line for line in lines)  # type: ignore[func-returns-value]
        size = sum(map(len, taken))
        if size == len(start) and not self._all:
            raise MalformedCsv(
                expected=f"a header that ends within the first {HEADER_BYTES:,} bytes",
                found="no end of it: line 1 opens a quote that is not closed, or the file has no line ends",
            )
        return start[:size], start[size:]


def _lines(text: str) -> Iterator[str]:
    at = 0
    while at < len(text):
        match = _LINE.match(text, at)
        at = match.end() if match else len(text)
        yield match[0] if match else ""


def _first_row(lines: Iterator[str]) -> list[str]:
    try:
        return next((row for row in csv.reader(lines) if row), [])
    except csv.Error as error:
        raise MalformedCsv(expected="comma-separated names of columns in line 1", found=str(error)) from error
