"""Any CSV as text, of a known dataset or of none: for whoever looks into a file that need not land.

What belongs here: how landing's readers are put together for that. Not here: what a delivery must be
(:mod:`nh_pipeline.landing.recognise`), which refuses what is read here.
"""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, cast

from nh_pipeline.datasets.headers import candidates, names
from nh_pipeline.landing.archive import open_csv
from nh_pipeline.landing.dialect import DELIMITERS, Dialect, find, lines, rows
from nh_pipeline.landing.recognise import malformed
from nh_pipeline.landing.records import RecordReader
from nh_pipeline.landing.text import HEADER_BYTES, CsvStream, EncodingDetector, MalformedCsv, decoded, without_marks
from nh_pipeline.landing.unknown import unknown
from nh_pipeline.landing.unpacking import is_several, parts
from nh_pipeline.sources.protocol import CHUNK_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import BinaryIO

    import pyarrow as pa

    from nh_pipeline.model.dataset import Dataset

_BEGINNING = 200
"""Records by which the width of a file is told that nobody knows."""


@dataclass(frozen=True)
class AnyCsv:
    """A CSV on this machine, plain or packed.

    Attributes:
        name: for messages.
        cells: its header; empty ones stay empty.
        known: the datasets that it may be of: none, one, or some that only their values tell apart.
    """

    path: Path
    name: str
    encoding: str
    dialect: Dialect
    cells: tuple[str, ...]
    known: tuple[Dataset, ...]

    @classmethod
    def at(cls, path: Path, name: str) -> AnyCsv:
        """Looks at its header, and at every byte for the encoding.

        Raises:
            Refused: it is damaged, no text, or has less than two columns.
        """
        with _opened(path, name) as stream:
            detector = EncodingDetector(stream, name)
            begun = detector.read(HEADER_BYTES)
            while detector.read(CHUNK_BYTES):
                pass
            detector.end()
        start = decoded(without_marks(begun), detector.encoding)
        guessed = _header(start)
        dialect, _ = find(
            start, lambda cells: cells == guessed or bool(candidates(cells)), complete=len(begun) < HEADER_BYTES
        )
        with _opened(path, name) as stream:
            try:
                cells = CsvStream(stream, detector.encoding, dialect).header()
            except MalformedCsv as error:
                raise malformed(error, name) from error
        if len(cells) < 2:  # noqa: PLR2004 (as the reader of records wants it)
            raise unknown(cells or [""], name)
        return cls(path, name, detector.encoding, dialect, tuple(cells), tuple(candidates(cells)))

    @property
    def canonical(self) -> tuple[str, ...]:
        """The canonical name of each column; empty where no dataset knows it."""
        found = names(self.known[0], self.cells) if self.known else (None,) * len(self.cells)
        return tuple(name or "" for name in found)

    @property
    def reader(self) -> RecordReader:
        """A reader of its records, whose columns are called by their positions, from ``c0`` on."""
        columns = [f"c{i}" for i in range(len(self.cells))]
        return RecordReader(columns=columns, only=columns, dialect=self.dialect)

    def batches(self, reader: RecordReader) -> Iterator[pa.RecordBatch]:
        """Its records, all text, streamed. Lines that are none are counted by the reader, and not kept.

        Raises:
            Refused: it is damaged, or cannot be cut into records.
        """
        with _opened(self.path, self.name) as stream:
            try:
                for batch in reader.batches(CsvStream(stream, self.encoding, self.dialect)):
                    yield batch
                    reader.rejected.clear()
            except MalformedCsv as error:
                raise malformed(error, self.name) from error


def csvs(path: Path, scratch: Path) -> Iterator[tuple[Path, str]]:
    """A file and its name; or those of an archive of several, one after the other unpacked into a folder.

    Raises:
        Refused: it is damaged.
    """
    with path.open("rb") as delivery:
        if not is_several(delivery):
            yield path, path.name
            return
        for part in parts(delivery, path.name):
            if part.is_data and not part.litter:
                unpacked, name = scratch / "part", f"{path.name}/{part.path}"
                with unpacked.open("wb") as out:
                    part.unpack(cast("BinaryIO", out), name)
                yield unpacked, name


def _opened(path: Path, name: str) -> BinaryIO:
    return open_csv(cast("BinaryIO", path.open("rb")), name).stream


def _header(text: str) -> Sequence[str]:
    """The header of a file that nobody knows: the first record of which half as many cells are filled as most have."""
    likely: tuple[int, int, Sequence[str]] = (0, 0, ())
    for delimiter in DELIMITERS:
        try:
            found = list(islice(rows(lines(text), delimiter), _BEGINNING))
        except csv.Error:
            continue
        width, times = Counter(map(len, found)).most_common(1)[0] if found else (0, 0)
        header = next((row for row in found if 2 * sum(bool(cell.strip()) for cell in row) >= width), [])
        if width > 1:
            likely = max(likely, (times, width, header))
    return likely[2]
