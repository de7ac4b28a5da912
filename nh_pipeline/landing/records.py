"""A delivery's CSV as record batches of text: streamed, with bounded memory, line by line accounted for.

This is the only CSV parser of the product. Values stay text; what they mean is the business of the transforms.
"""

from __future__ import annotations

import codecs
import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BLOCK_BYTES = 8 << 20
"""CSV bytes parsed at a time; no record may be longer."""

LINE_CHARACTERS = 1000
"""How much of a refused line is kept in the rejects; the whole line is in the raw zone."""


def _undefined_in_cp1252(error: UnicodeError) -> tuple[str, int]:
    # Five bytes mean nothing in Windows-1252. Browsers read them as C1 controls; so nothing is lost.
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("latin-1"), error.end


codecs.register_error("nh-c1", _undefined_in_cp1252)


class _Utf8(io.RawIOBase):
    """Re-encodes a Windows-1252 stream; chunks of plain ASCII, nearly all, pass untouched."""

    def __init__(self, source: BinaryIO, encoding: str) -> None:
        self._source, self._cp1252 = source, encoding == "cp1252"
        self.lines = 0
        self._tail = b"\n"

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        chunk = self._source.read(max(len(view) // 3, 1))
        if not chunk:
            self.lines += not self._tail.endswith(b"\n")
            self._tail = b"\n"
            return 0
        seen = (self._tail + chunk).replace(b"\r\n", b"\n")
        self.lines += chunk.count(b"\n") - seen.count(b"\n\n")
        self._tail = seen[-1:]
        if self._cp1252 and not chunk.isascii():
            chunk = chunk.decode("cp1252", errors="nh-c1").encode()
        view[: len(chunk)] = chunk
        return len(chunk)


@dataclass
class Refused:
    """A line that is no record of the file: its number and why."""

    source_line: int
    reason: str
    line: str


@dataclass
class RecordReader:
    """Reads one delivery.

    Attributes:
        columns: canonical name per position; None for a column that the layout does not know.
        extras: header cell of each of those.
        lines: physical lines that are not blank, the header included; known after reading.
        rows: records read.
        refused: lines that do not have the header's number of cells.
    """

    columns: Sequence[str | None]
    extras: Sequence[str] = ()
    lines: int = 0
    rows: int = 0
    refused: list[Refused] = field(default_factory=list)

    def batches(self, stream: BinaryIO, encoding: str) -> Iterator[pa.RecordBatch]:
        """Streams the records after the header.

        Yields:
            The canonical columns in the file's order (all text, blank is NULL), ``extra_columns`` (JSON text or
            NULL) and ``source_line`` (int64, the header being 1, blank lines not counted).

        Raises:
            pyarrow.ArrowInvalid: a record is longer than :data:`BLOCK_BYTES`, or a quote is never closed.
        """
        unknown = iter(range(len(self.columns)))
        names = [name or f"?{next(unknown)}" for name in self.columns]
        source = _Utf8(stream, encoding)
        reader = pacsv.open_csv(
            pa.PythonFile(io.BufferedReader(source, BLOCK_BYTES), mode="r"),
            # One thread: only then does pyarrow tell the number of a refused line (and it is no slower here).
            read_options=pacsv.ReadOptions(
                column_names=names, skip_rows=1, block_size=BLOCK_BYTES, use_threads=False, encoding="utf8"
            ),
            parse_options=pacsv.ParseOptions(newlines_in_values=True, invalid_row_handler=self._refuse),
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True, null_values=[""]
            ),
        )
        following = 2
        for batch in reader:
            numbers, following = self._numbers(following, batch.num_rows)
            self.rows += batch.num_rows
            known = [i for i, name in enumerate(self.columns) if name]
            yield pa.RecordBatch.from_arrays(
                [*(batch.column(i) for i in known), self._extra(batch), pa.array(numbers)],
                names=[*(names[i] for i in known), "extra_columns", "source_line"],
            )
        self.lines = source.lines

    def _refuse(self, row: pacsv.InvalidRow) -> str:
        self.refused.append(
            Refused(
                source_line=row.number,
                reason=f"expected {row.expected_columns} cells as in the header, found {row.actual_columns}",
                line=row.text[:LINE_CHARACTERS],
            )
        )
        return "skip"

    def _numbers(self, following: int, rows: int) -> tuple[np.ndarray, int]:
        """Record numbers of a batch: consecutive, but for the refused lines between."""
        taken = np.array([r.source_line for r in self.refused if r.source_line >= following], dtype=np.int64)
        numbers = np.arange(following, following + rows + len(taken), dtype=np.int64)
        numbers = np.setdiff1d(numbers, taken)[:rows]
        return numbers, int(numbers[-1]) + 1 if rows else following

    def _extra(self, batch: pa.RecordBatch) -> pa.Array:
        positions = [i for i, name in enumerate(self.columns) if name is None]
        if not positions:
            return pa.nulls(batch.num_rows, pa.string())
        cells = []
        for position, header in zip(positions, self.extras, strict=True):
            value = pc.fill_null(batch.column(position), "")
            for raw, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
                value = pc.replace_substring(value, raw, escaped)
                header = header.replace(raw, escaped)  # noqa: PLW2901
            cells.append(pc.binary_join_element_wise(f'"{header}": "', value, '"', ""))
        return pc.binary_join_element_wise("{", pc.binary_join_element_wise(*cells, ", "), "}", "")
