"""A delivery's CSV as record batches of text: streamed, with bounded memory, line by line accounted for.

This is the only CSV parser of the product. Values stay text; what they mean is the business of the transforms.
"""

from __future__ import annotations

import json
import time
import weakref
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from nh_pipeline.landing.text import END, CsvText, MalformedCsv

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

BLOCK_BYTES = 8 << 20
"""CSV bytes parsed at a time; no record may be longer."""

LINE_CHARACTERS = 1000
"""How much of a refused line is kept in the rejects; the whole line is in the raw zone."""


_PATIENCE = 2.0
"""Seconds to wait for pyarrow to let go of a file."""


class _Source:
    """A text as pyarrow's reading thread sees it: an error ends it, and is kept for whoever reads the batches."""

    def __init__(self, text: CsvText) -> None:
        self._text, self.closed = text, False
        self.error: Exception | None = None
        self.stopped = self.ended = False

    def read(self, size: int) -> bytes:
        data = b""
        if not (self.stopped or self.error):
            try:
                data = self._text.read(size)
            except Exception as error:  # noqa: BLE001 (raised again by _parsed, whatever it is)
                self.error = error
        self.ended = not data
        return data

    def close(self) -> None:
        self.closed = True


@dataclass(frozen=True)
class RefusedLine:
    """A line that is no record of the file: its number and why."""

    source_line: int
    reason: str
    line: str


@dataclass
class RecordReader:
    """Reads one delivery.

    Attributes:
        columns: canonical name per position, two at least; None for a column that the layout does not know.
        extras: header cell of each of those.
        only: canonical columns to give; None for all, and ``extra_columns``.
        block: bytes parsed at a time.
        rows: records read.
        refusals: lines that do not have the header's number of cells.
        broken: whether one of those holds a line break.
        refused: those lines; whoever reads millions takes them out as they come.
    """

    columns: Sequence[str | None]
    extras: Sequence[str] = ()
    only: Collection[str] | None = None
    block: int = BLOCK_BYTES
    rows: int = 0
    refusals: int = 0
    broken: bool = False
    refused: list[RefusedLine] = field(default_factory=list)
    _numbers_refused: list[int] = field(default_factory=list)
    _closed: bool = False

    @property
    def records(self) -> int:
        """Records and refused lines so far."""
        return self.rows + self.refusals

    def batches(self, text: CsvText) -> Iterator[pa.RecordBatch]:
        """Streams the records after the header.

        Yields:
            The canonical columns in the file's order (all text, blank is NULL), ``extra_columns`` (JSON text or
            NULL) and ``source_line`` (int64, the header being 1, blank lines not counted).

        Raises:
            MalformedCsv: a record is longer than a block, or a quote is never closed.
        """
        unknown = iter(range(len(self.columns)))
        names = [name or f"?{next(unknown)}" for name in self.columns]
        known = [name for name in self.columns if name and (self.only is None or name in self.only)]
        following = 2
        try:
            for batch in self._parsed(text, names, [] if self.only is None else known or names[:1]):
                numbers, following = self._numbers(following, batch.num_rows)
                self.rows += batch.num_rows
                extra = [self._extra(batch)] if self.only is None else []
                yield pa.RecordBatch.from_arrays(
                    [*(batch.column(name) for name in known), *extra, pa.array(numbers)],
                    names=[*known, *(["extra_columns"] if extra else []), "source_line"],
                )
        except pa.ArrowInvalid as error:
            raise MalformedCsv(
                expected=f"records of at most {self.block:,} bytes, and every quote closed",
                found=f"no end of a record that begins in line {self.records + 2:,} or after it ({error})",
            ) from error
        if not self._closed:
            raise MalformedCsv(
                expected="every quote closed",
                found=f"the quote of a cell of line {self.records + 1:,} open at the end of the file",
            )

    def _parsed(self, text: CsvText, names: list[str], only: list[str]) -> Iterator[pa.RecordBatch]:
        source, reader = _Source(text), None
        try:
            reader = pacsv.open_csv(
                pa.PythonFile(source, mode="r"),
                # One thread: only then does pyarrow tell the number of a refused line (and it is no slower here).
                read_options=pacsv.ReadOptions(
                    column_names=names, block_size=3 * self.block, use_threads=False, encoding="utf8"
                ),
                parse_options=pacsv.ParseOptions(newlines_in_values=True, invalid_row_handler=self._refuse),
                convert_options=pacsv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()),
                    strings_can_be_null=True,
                    null_values=[""],
                    include_columns=only,
                ),
            )
            yield from reader
        finally:
            # pyarrow reads ahead in a thread of its own. A reader that goes while that thread waits for Python
            # would never end, and a Python that ends while it runs aborts. So it is led to the end first.
            source.stopped = True
            end = time.monotonic() + _PATIENCE
            while reader is not None and not source.ended and time.monotonic() < end:
                with suppress(StopIteration, pa.ArrowInvalid):
                    reader.read_next_batch()
                time.sleep(0.001)
            time.sleep(0.002)
            error, held = source.error, weakref.ref(source)
            del source, reader
            while held() is not None and time.monotonic() < end:
                time.sleep(0.001)
            if error is not None:
                raise error

    def _refuse(self, row: pacsv.InvalidRow) -> str:
        if row.text == END:
            self._closed = True
            return "skip"
        number = row.number + 1
        self.refusals += 1
        self.broken = self.broken or "\n" in row.text or "\r" in row.text
        self._numbers_refused.append(number)
        self.refused.append(
            RefusedLine(
                source_line=number,
                reason=f"expected {row.expected_columns} cells as in the header, found {row.actual_columns}",
                line=row.text[:LINE_CHARACTERS],
            )
        )
        return "skip"

    def _numbers(self, following: int, rows: int) -> tuple[np.ndarray, int]:
        """Record numbers of a batch: consecutive, but for the refused lines between."""
        taken = np.array(self._numbers_refused, dtype=np.int64)
        numbers = np.arange(following, following + rows + len(taken), dtype=np.int64)
        numbers = np.setdiff1d(numbers, taken, assume_unique=True)[:rows]
        following = int(numbers[-1]) + 1 if rows else following
        self._numbers_refused = [n for n in self._numbers_refused if n >= following]
        return numbers, following

    def _extra(self, batch: pa.RecordBatch) -> pa.Array:
        positions = [i for i, name in enumerate(self.columns) if name is None]
        if not positions:
            return pa.nulls(batch.num_rows, pa.string())
        cells, seen = [], set()
        for position, header in zip(positions, self.extras, strict=True):
            key = header if header not in seen else f"{header} (column {position + 1})"
            seen.add(key)
            cells.append(pc.binary_join_element_wise(json.dumps(key, ensure_ascii=False), _json(batch, position), ": "))
        return pc.binary_join_element_wise("{", pc.binary_join_element_wise(*cells, ", "), "}", "")


def _json(batch: pa.RecordBatch, position: int) -> pa.Array:
    """A column's cells as JSON texts."""
    value = pc.fill_null(batch.column(position), "")
    if pc.any(pc.match_substring_regex(value, r'["\\\x00-\x1f]')).as_py():  # few columns have any
        return pa.array([json.dumps(v, ensure_ascii=False) for v in value.to_pylist()], pa.string())
    return pc.binary_join_element_wise('"', value, '"', "")
