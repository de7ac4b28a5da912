"""A delivery's CSV as record batches of text: streamed, with bounded memory, line by line accounted for.

This is the only CSV parser of the product. Values stay text; what they mean is the business of the transforms.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from nh_pipeline.landing.dialect import Dialect
from nh_pipeline.landing.text import MalformedCsv

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from nh_pipeline.landing.text import CsvStream

BLOCK_BYTES = 8 << 20
"""CSV bytes parsed at a time; no record may be longer."""

LINE_CHARACTERS = 1000
"""How much of a refused line is kept in the rejects; the whole line is in the raw zone."""

_PROBE = '\0"'
"""Begins a line that is added to every block, with a delimiter for each column, so that the parser always refuses it.
What is refused before it in the same breath is a record whose quote the block leaves open. No delivery holds a NUL."""


@dataclass(frozen=True)
class RejectedLine:
    """A line that is no record of the file: its number and why."""

    source_line: int
    reason: str
    line: str


@dataclass
class RecordReader:
    """Reads one delivery.

    Attributes:
        columns: canonical name per position, two at least; None for a cell that is no column.
        extras: header cell of each of those.
        only: canonical columns to give; None for all, and ``extra_columns``.
        block: bytes parsed at a time.
        dialect: how the file is written.
        numbers: columns, and header cells that are none, whose decimal commas become points, if it is written so.
        rows: records read.
        rejections: lines that do not have the header's number of cells.
        broken: whether one of those holds a line break.
        rejected: those lines; whoever reads millions takes them out as they come.
    """

    columns: Sequence[str | None]
    extras: Sequence[str] = ()
    only: Collection[str] | None = None
    block: int = BLOCK_BYTES
    dialect: Dialect = field(default_factory=Dialect)
    numbers: Collection[str] = ()
    rows: int = 0
    rejections: int = 0
    broken: bool = False
    rejected: list[RejectedLine] = field(default_factory=list)
    _first: int = 2
    _numbers_rejected: list[int] = field(default_factory=list)
    _open: bytes = b""

    @property
    def records(self) -> int:
        """Records and refused lines so far."""
        return self.rows + self.rejections

    @property
    def last_line(self) -> int:
        """Line of the last of them; of the header, if there is none yet."""
        return self.dialect.above + 1 + self.records

    def batches(self, text: CsvStream) -> Iterator[pa.RecordBatch]:
        """Streams the records after the header.

        Yields:
            The canonical columns in the file's order (all text, blank is NULL), ``extra_columns`` (JSON text or
            NULL) and ``source_line`` (int64: a line above the header counts, a blank one does not, and a record of
            several lines is one).

        Raises:
            MalformedCsv: a record is longer than a block, or a quote is never closed.
        """
        unknown = iter(range(len(self.columns)))
        names = [name or f"?{next(unknown)}" for name in self.columns]
        known = [name for name in self.columns if name and (self.only is None or name in self.only)]
        blank = [f"?blank {n}" for n in range(self.dialect.blank)]
        for parsed in self._parsed(text, names + blank, [] if self.only is None else [*(known or names[:1]), *blank]):
            batch, numbers = self._without_surplus(parsed, blank)
            extra = [self._extra(batch)] if self.only is None else []
            yield pa.RecordBatch.from_arrays(
                [*(self._pointed(batch.column(name), name) for name in known), *extra, pa.array(numbers)],
                names=[*known, *(["extra_columns"] if extra else []), "source_line"],
            )

    def _parsed(self, text: CsvStream, names: list[str], only: list[str]) -> Iterator[pa.RecordBatch]:
        """Parses block by block. A record that a block leaves open is parsed again, together with the next block."""
        begun, spans = b"", False
        with ThreadPoolExecutor(max_workers=1) as beside:  # a block is read while the one before it is parsed
            reading = beside.submit(text.read, self.block)
            while block := reading.result():
                reading = beside.submit(text.read, self.block)
                if spans:
                    raise MalformedCsv(
                        expected=f"records of at most {self.block:,} bytes, and every quote closed",
                        found=f"no end of a record that begins in line {self.last_line + 1:,} or after it",
                    )
                before = len(begun)
                end = 1 + max(block.rfind(b"\n"), block.rfind(b"\r"))
                if end:
                    yield self._parse((begun, memoryview(block)[:end]), names, only)
                    begun = self._open
                begun += block[end:]
                spans = 0 < before == len(begun) - len(block)
        yield self._parse((begun,), names, only)
        if self._open:
            raise MalformedCsv(
                expected="every quote closed",
                found=f"the quote of a cell of line {self.last_line + 1:,} open at the end of the file",
            )

    def _parse(self, lines: Sequence[bytes | memoryview], names: list[str], only: list[str]) -> pa.RecordBatch:
        """Parses whole lines, but for a record at their end whose quote is open: keeps its bytes."""
        self._first, self._numbers_rejected = self.last_line + 1, []
        # The line end before them keeps pyarrow from taking a byte order mark away.
        content = b"".join((b"\n", *lines, b"\n", _PROBE.encode(), self._delimiter * len(names), b"\n"))
        table = pacsv.read_csv(
            pa.BufferReader(content),
            # One thread: only then does pyarrow tell the number of a refused line (and it is no slower here).
            read_options=pacsv.ReadOptions(column_names=names, block_size=len(content) + 1, use_threads=False),
            parse_options=pacsv.ParseOptions(
                delimiter=self.dialect.delimiter, newlines_in_values=True, invalid_row_handler=self._reject
            ),
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=True,
                null_values=[""],
                include_columns=only,
            ),
        )
        self.rows += table.num_rows
        return pa.RecordBatch.from_arrays([column.chunk(0) for column in table.columns], schema=table.schema)

    def _reject(self, row: pacsv.InvalidRow) -> str:
        before, probe, _ = row.text.rpartition(_PROBE)
        if probe:
            self._open = before.removesuffix("\n").encode()
            return "skip"
        number = self._first + row.number - 1
        self._numbers_rejected.append(number)
        self._keep_rejected(number, row.actual_columns, row.text)
        return "skip"

    def _keep_rejected(self, number: int, cells: int, line: str) -> None:
        blank = f" and {self.dialect.blank} blank after them" if self.dialect.blank else ""
        reason = f"expected {len(self.columns)} cells as in the header{blank}, found {cells}"
        self.rejections += 1
        self.broken = self.broken or "\n" in line or "\r" in line
        self.rejected.append(RejectedLine(source_line=number, reason=reason, line=line[:LINE_CHARACTERS]))

    def _without_surplus(self, batch: pa.RecordBatch, blank: list[str]) -> tuple[pa.RecordBatch, np.ndarray]:
        """The records of a block and their numbers, without lines that hold something where all others are blank."""
        numbers = self._numbers(batch.num_rows)
        filled = [pc.is_valid(batch.column(name)) for name in blank]
        wrong = np.logical_or.reduce([column.to_numpy(zero_copy_only=False) for column in filled]) if filled else None
        if wrong is None or not wrong.any():
            return batch, numbers
        for number, cells in zip(numbers[wrong], batch.filter(pa.array(wrong)).to_pylist(), strict=True):
            line = self.dialect.delimiter.join(cell or "" for cell in cells.values())
            self._keep_rejected(int(number), len(self.columns) + self.dialect.blank, line)
        self.rejected.sort(key=lambda line: line.source_line)
        self.rows -= int(wrong.sum())
        return batch.filter(pa.array(~wrong)), numbers[~wrong]

    def _pointed(self, cells: pa.Array, name: str) -> pa.Array:
        if self.dialect.decimal == "," and name in self.numbers:
            return pc.replace_substring_regex(cells, r"^(\s*[-$]?[0-9]*),([0-9]+\s*)$", r"\1.\2")
        return cells

    @property
    def _delimiter(self) -> bytes:
        return self.dialect.delimiter.encode()

    def _numbers(self, rows: int) -> np.ndarray:
        """Record numbers of a block's rows: consecutive, but for the refused lines between."""
        taken = np.array(self._numbers_rejected, dtype=np.int64)
        numbers = np.arange(self._first, self._first + rows + len(taken), dtype=np.int64)
        return np.setdiff1d(numbers, taken, assume_unique=True)

    def _extra(self, batch: pa.RecordBatch) -> pa.Array:
        positions = [i for i, name in enumerate(self.columns) if name is None]
        if not positions:
            return pa.nulls(batch.num_rows, pa.string())
        cells, seen = [], set()
        for position, header in zip(positions, self.extras, strict=True):
            key = header if header not in seen else f"{header} (column {position + 1})"
            seen.add(key)
            value = _json(self._pointed(batch.column(position), header))
            cells.append(pc.binary_join_element_wise(json.dumps(key, ensure_ascii=False), value, ": "))
        return pc.binary_join_element_wise("{", pc.binary_join_element_wise(*cells, ", "), "}", "")


def _json(cells: pa.Array) -> pa.Array:
    """A column's cells as JSON texts."""
    value = pc.fill_null(cells, "")
    if pc.any(pc.match_substring_regex(value, r'["\\\x00-\x1f]')).as_py():  # few columns have any
        return pa.array([json.dumps(v, ensure_ascii=False) for v in value.to_pylist()], pa.string())
    return pc.binary_join_element_wise('"', value, '"', "")
