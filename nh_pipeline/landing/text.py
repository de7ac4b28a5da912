"""The text of a CSV: its encoding, its header and its lines, read as a stream.

What belongs here: from bytes to characters, the same way for recognition and for bronze. Not here: delimiters
(:mod:`nh_pipeline.landing.dialect`), what the header means (:mod:`nh_pipeline.datasets.headers`), records
(:mod:`nh_pipeline.landing.records`).
"""

from __future__ import annotations

import codecs
import csv
import re
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from nh_pipeline.landing.dialect import Dialect, header_of, lines
from nh_pipeline.landing.foreign import refuse_foreign
from nh_pipeline.landing.refused import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

HEADER_BYTES = 1 << 20
"""Bytes within which the header must end."""

MIXED = "utf-8/cp1252"
"""The encoding of a file that is UTF-8 but for some bytes, which are Windows-1252."""

_STRAY = re.compile("[\udc80-\udcff]")
"""What Python's ``surrogateescape`` makes of a byte that is no UTF-8."""

# Five bytes mean nothing in Windows-1252. Browsers read them as C1 controls; so nothing is lost.
_UNDEFINED = b"\x81\x8d\x8f\x90\x9d"
_AS_CP1252 = {0xDC00 + b: chr(b) if b in _UNDEFINED else bytes([b]).decode("cp1252") for b in range(0x80, 0x100)}


def _undefined_in_cp1252(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("latin-1"), error.end


codecs.register_error("nh-c1", _undefined_in_cp1252)


def decoded(content: bytes, encoding: str) -> str:
    """Text of bytes; whatever they are, they have one."""
    if encoding == MIXED:
        return content.decode("utf-8", "surrogateescape").translate(_AS_CP1252)
    return content.decode(encoding.removesuffix("-sig"), "nh-c1")


def without_marks(content: bytes) -> bytes:
    """Bytes without the byte order marks at their beginning: a file that was saved twice has two."""
    while content.startswith(codecs.BOM_UTF8):
        content = content.removeprefix(codecs.BOM_UTF8)
    return content


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
        strays: Bytes so far that are no UTF-8.
        first_stray: Line of the first of them.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream, self._name = stream, name
        self._utf8 = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._begin, self._ends = b"", [0, 0]
        self._continued = 0
        self.size = self.strays = self.first_stray = 0
        self.last = b""

    @property
    def encoding(self) -> str:
        """As far as the bytes so far show.

        ``utf-8``, ``utf-8-sig`` with a byte order mark, :data:`MIXED`, or ``cp1252``: that is a file in which more
        bytes than not, of those beyond ASCII, are no UTF-8.
        """
        if self.strays:
            return MIXED if self.strays <= self._continued else "cp1252"
        return "utf-8-sig" if self._begin.startswith(codecs.BOM_UTF8) else "utf-8"

    def read(self, size: int) -> bytes:
        """The next bytes, at most ``size``.

        Raises:
            Refused: If they are another format's, show UTF-16, or hold a NUL byte.
        """
        chunk = self._stream.read(size)
        if len(self._begin) < len(codecs.BOM_UTF8):
            self._begin += chunk[: len(codecs.BOM_UTF8)]
        if self._begin.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise _no_text(self._name, "a UTF-16 byte order mark")
        if not self.size:
            refuse_foreign(chunk, self._name)
        at = chunk.find(b"\0")
        if at >= 0:
            line = self._line(chunk, at)
            raise _no_text(self._name, f"a NUL byte in line {line:,}, at offset {self.size + at:,} of the CSV")
        self._decode(chunk)
        self._ends = [n + chunk.count(end) for n, end in zip(self._ends, (b"\n", b"\r"), strict=True)]
        self.size += len(chunk)
        self.last = chunk[-1:] or self.last
        return chunk

    def end(self) -> None:
        """Says that the stream has been read to its end: a character that is cut off there is no UTF-8."""
        self._decode(b"", final=True)

    def _line(self, chunk: bytes, at: int) -> int:
        return 1 + max(n + chunk.count(end, 0, at) for n, end in zip(self._ends, (b"\n", b"\r"), strict=True))

    def _decode(self, chunk: bytes, *, final: bool = False) -> None:
        pending = self._utf8.getstate()[0]
        if chunk.isascii() and not pending:
            return
        text = self._utf8.decode(chunk, final)
        self._continued += len(pending) + len(chunk) - len(self._utf8.getstate()[0]) - len(text)
        try:
            text.encode()  # the quickest way to see that there is none
        except UnicodeEncodeError as error:
            self.strays += len(_STRAY.findall(text))
            before = text[: error.start].encode()
            self.first_stray = self.first_stray or self._line(chunk, max(len(before) - len(pending), 0))


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
        dialect: How the CSV is written.
        begun: Bytes that were read from the source already.

    Attributes:
        dialect: How the CSV is written.
        lines: Lines after the header that are not blank, once all is read; ``\n``, ``\r\n`` and ``\r`` end one.

    Raises:
        MalformedCsv: There is no end of the header.
    """

    def __init__(
        self,
        source: BinaryIO | EncodingDetector,
        encoding: str,
        dialect: Dialect | None = None,
        begun: bytes = b"",
    ) -> None:
        self._source, self._encoding, self.dialect = source, encoding, dialect or Dialect()
        mixed = codecs.getincrementaldecoder("utf-8")("surrogateescape") if encoding == MIXED else None
        self._mixed = mixed
        start = begun + source.read(HEADER_BYTES - len(begun))
        self._all = len(start) < HEADER_BYTES
        self._header, self._ahead = self._split(without_marks(start))
        self._last = b"\n"
        self.lines = 0

    def header(self, encoding: str = "") -> list[str]:
        """The names of the columns; empty if there are none."""
        return self._row(lines(decoded(self._header, encoding or self._encoding)))[: self.dialect.named]

    def read(self, size: int) -> bytes:
        """The next bytes after the header, as UTF-8: of ``size`` bytes of the source; none once it has ended."""
        while True:
            chunk, self._ahead = self._ahead[:size], self._ahead[size:]
            if len(chunk) < size:
                chunk += self._source.read(size - len(chunk))
            self._count(chunk)
            text = self._utf8(chunk)
            if text or not chunk:  # all of a chunk may be the beginning of one character
                return text

    def _utf8(self, chunk: bytes) -> bytes:
        if self._mixed is not None:
            if chunk.isascii() and chunk and not self._mixed.getstate()[0]:
                return chunk
            return self._mixed.decode(chunk, not chunk).translate(_AS_CP1252).encode()
        if chunk.isascii() or self._encoding.startswith("utf-8"):
            return chunk
        return decoded(chunk, self._encoding).encode()

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
        begun = lines(start.decode("latin-1"))
        above = sum(len(next(begun, "")) for _ in range(self.dialect.above))
        taken: list[str] = []
        self._row(taken.append(line) or line for line in begun)  # type: ignore[func-returns-value]
        size = above + sum(map(len, taken))
        if size == len(start) and not self._all:
            raise MalformedCsv(
                expected=f"a header that ends within the first {HEADER_BYTES:,} bytes",
                found=f"no end of it: line {1 + self.dialect.above} opens a quote that is not closed, or the file has "
                "no line ends",
            )
        return start[above:size], start[size:]

    def _row(self, text: Iterable[str]) -> list[str]:
        try:
            return header_of(text, self.dialect.delimiter)
        except csv.Error as error:
            raise MalformedCsv(
                expected=f"names of columns in line {1 + self.dialect.above}", found=str(error)
            ) from error
