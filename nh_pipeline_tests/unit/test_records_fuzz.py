"""Whatever way a file is written: each of its records is read as it is, told as a refused line, or the file is refused.

The files are made from a model, so that it is known what they hold; none is read by the product to learn that.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
from dataclasses import dataclass

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from nh_pipeline.datasets import dataset
from nh_pipeline.landing.recognise import recognise
from nh_pipeline.landing.records import RecordReader
from nh_pipeline.landing.refused import Refused
from nh_pipeline.landing.text import CsvStream

NAMES = ["PROVNUM", "Provider Name", "Penalty Date", "Penalty Type", "Fine Amount", "Processing Date", "Note"]
COLUMNS = ["provider_id", "provider_name", "penalty_date", "penalty_type", "fine_amount", "processing_date"]
_QUICK = settings(max_examples=120, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))


@dataclass(frozen=True)
class Way:
    """A way to write a file."""

    delimiter: str
    end: str
    quoting: int
    marks: int
    above: tuple[str, ...]
    after_header: int
    after_lines: int
    decimal: str
    blank_lines: int
    last_end: bool


WAYS = st.builds(
    Way,
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    marks=st.integers(0, 2),
    above=st.lists(st.sampled_from(["", "sep=;", "A title", "a, b", "Penalties;2024", '"one, cell"']), max_size=3).map(
        tuple
    ),
    after_header=st.integers(0, 2),
    after_lines=st.integers(0, 2),
    decimal=st.sampled_from([".", ","]),
    blank_lines=st.integers(0, 2),
    last_end=st.booleans(),
)
_TEXT = st.text(st.sampled_from('ab,;|\t"\r\n \u00c9\u2019\U0001f600\\\u0085\ufeff'), max_size=8)
_ROW = st.tuples(_TEXT, st.sampled_from(["12.5", "7.25", "", "1000.0"]), _TEXT)
_ROWS = st.lists(_ROW, min_size=1, max_size=12)
CMS = Way(",", "\n", csv.QUOTE_MINIMAL, 0, (), 0, 0, ".", 0, last_end=True)


def cells_of(row: tuple[str, str, str], number: int) -> list[str]:
    name, amount, note = row
    return [f"{number:06}", name, "2024-01-05", "Fine", amount, "2024-10-01", note]


def written(rows: list[list[str]], way: Way) -> bytes:
    def line(cells: list[str], after: int) -> str:
        out = io.StringIO()
        csv.writer(out, delimiter=way.delimiter, quoting=way.quoting, lineterminator="\r\n").writerow(cells)
        return out.getvalue()[:-2] + way.delimiter * after

    lines = [*way.above, line(NAMES, way.after_header), *(line(row, way.after_lines) for row in rows)]
    text = (way.end * (1 + way.blank_lines)).join(lines) + way.end * way.last_end
    return b"\xef\xbb\xbf" * way.marks + text.encode()


def filled(cells: list[str]) -> list[str]:
    """Without the blank cells at the end."""
    return cells[: max((n for n, cell in enumerate(cells, 1) if cell), default=0)]


def read(content: bytes, block: int = 8 << 20) -> tuple[dict[int, list[str]], set[int], int] | None:
    """Cells by line below the header, refused lines as well, and how many records there are; None if refused."""
    try:
        found = recognise(content, "x", complete=True)
    except Refused:
        return None
    text = CsvStream(io.BytesIO(content), found.encoding, found.dialect)
    reader = RecordReader(
        found.header.columns,
        found.header.extras,
        block=block,
        dialect=found.dialect,
        numbers=dataset("penalties").numbers,
    )
    rows = [row for batch in reader.batches(text) for row in batch.to_pylist()]
    assert len({row["source_line"] for row in rows}) == len(rows) == reader.rows
    above = found.dialect.above
    refused = {line.source_line - above for line in reader.rejected}
    assert len(refused) == reader.rejections
    parsed = {
        row["source_line"] - above: filled(
            [*((row[column] or "") for column in COLUMNS), *json.loads(row["extra_columns"] or "{}").values()]
        )
        for row in rows
    }
    assert not set(parsed) & refused
    return parsed, refused, reader.records


@_QUICK
@given(_ROWS, WAYS, st.integers(400, 700))
@example([("", "12.5", "")], CMS, 400)
@example([("a", "", '"')] * 3, Way(";", "\r", csv.QUOTE_ALL, 2, ("sep=;",), 1, 2, ",", 1, last_end=False), 400)
def test_every_cell_is_there_in_whatever_way_it_is_written(rows, way, block):
    model = [cells_of(row, n) for n, row in enumerate(rows, 2)]
    comma = way.decimal == "," and way.delimiter != ","
    told = [[*row[:4], row[4].replace(".", ","), *row[5:]] for row in model] if comma else model
    content = written(told, way)
    for size in (block, 8 << 20):
        found = read(content, size)
        assert found is not None, recognise(content, "x", complete=True)
        parsed, refused, records = found
        assert (refused, records) == (set(), len(model))
        assert parsed == {n: filled(row) for n, row in enumerate(model, 2)}


@_QUICK
@given(st.lists(st.tuples(_ROW, st.integers(-2, 2), st.sampled_from(["", "x", " "])), min_size=1, max_size=12), WAYS)
def test_lines_with_other_cells_are_told(rows, way):
    """Some lines have cells too few or too many; none of them becomes a record of other values."""
    model = []
    for number, (row, more, cell) in enumerate(rows, 2):
        cells = cells_of(row, number)
        model.append(cells[:more] if more < 0 else cells + [cell] * more)
    found = read(written(model, way))
    if found is None:
        return
    parsed, refused, records = found
    assert records == len(model)
    assert set(parsed) | refused == set(range(2, records + 2))
    for number, row in parsed.items():
        assert row == filled(model[number - 2])


_STRAY = {"\u00c9": b"\xc9", "\u2019": b"\x92", "\u0081": b"\x81", "\u00ad": b"\xad"}


@_QUICK
@given(st.lists(st.lists(st.sampled_from("ab \u00c9\u2019\U0001f600\u20ac"), max_size=6), min_size=1, max_size=9),
       st.lists(st.tuples(st.integers(0, 8), st.sampled_from([*_STRAY])), max_size=4), st.integers(1, 7))  # fmt: skip
def test_stray_bytes_change_no_other_character(names, strays, size):
    """Each name is UTF-8, and some have a byte of Windows-1252 at their end."""
    names = ["\u00c9" * 5, *("".join(name) for name in names)]
    ends = {at + 1: char for at, char in strays if at + 1 < len(names)}
    lines = [
        ",".join([f"{n:06}", "{}", "2024-01-05", "Fine", "1", "2024-10-01", "n"]).encode() for n in range(len(names))
    ]
    content = ",".join(NAMES).encode() + b"\n"
    for n, (line, name) in enumerate(zip(lines, names, strict=True)):
        content += line.replace(b"{}", name.encode() + _STRAY.get(ends.get(n, ""), b"")) + b"\n"
    found = recognise(content, "x", complete=True)
    assert (found.encoding, found.strays) == ("utf-8/cp1252" if ends else "utf-8", len(ends))
    assert found.first_stray == (min(ends) + 2 if ends else 0)
    parsed = read(content)
    assert parsed is not None
    assert [row[1] for row in parsed[0].values()] == [name + ends.get(n, "") for n, name in enumerate(names)]
    text, pieces = CsvStream(io.BytesIO(content), found.encoding), b""
    while piece := text.read(size):
        pieces += piece
    assert pieces.decode().splitlines(keepends=False)[0].split(",")[1] == names[0]
    assert pieces == b"".join(
        line.replace(b"{}", (name + ends.get(n, "")).encode()) + b"\n"
        for n, (line, name) in enumerate(zip(lines, names, strict=True))
    )


_PIECES = st.sampled_from(
    [b",", b";", b"\t", b"|", b'"', b'""', b"\n", b"\r", b"\r\n", b"\n\n", b" ", b"\xef\xbb\xbf", b"\xff\xfe", b"\xc9",
     b"\xc3", b"\x81", b"\0", b"a", b"1,5", b"sep=;", b"015009", b"2024-10-01", b"PROVNUM", b"{", b"<html>"]
)  # fmt: skip


@_QUICK
@given(st.lists(_PIECES, max_size=12), st.lists(_PIECES, max_size=30), WAYS, st.booleans())
def test_nothing_but_a_refusal_is_raised(before, after, way, complete):
    content = b"".join(before) + written([cells_of(("A", "12.5", ""), 2)] * 2, way) + b"".join(after)
    if complete:
        read(content)
    with contextlib.suppress(Refused):
        recognise(content, "x")
