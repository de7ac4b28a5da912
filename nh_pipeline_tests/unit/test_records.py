"""Any bytes: landing takes or refuses them, and what it has taken is parsed to its last line. No engine."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import re
import tempfile
import threading
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from nh_pipeline.datasets.headers import canonical_header
from nh_pipeline.lake.storage import Storage
from nh_pipeline.landing import Manifest, Quarantined, RawZone, records
from nh_pipeline.landing.records import RecordReader
from nh_pipeline.landing.text import CsvStream, MalformedCsv
from nh_pipeline.pipeline.bronze import lines_in
from nh_pipeline_tests.support.memory_source import Memory
from nh_pipeline_tests.unit.test_datasets_headers import STAFFING_2024
from nh_pipeline_tests.unit.test_landing_archive import zipped

HEADER = ",".join([*STAFFING_2024, "Note"])
ROWS = [
    f'{ccn},"{name}",X,AL,Y,059,2024Q2,2024040{day},51' + ",1.25" * 24 + f",{note}"
    for ccn, name, note in (("015009", "BURNS, INC.", ""), ("01A010", 'THE ""OLD"" ONE', "a\\b"), ("015012", "É", "n"))
    for day in (1, 2)
]
VALID = "\n".join([HEADER, *ROWS, ""])
SEMICOLONS = VALID.replace("BURNS, INC.", "BURNS; INC.").replace(",", ";").replace(";1.25", ";1,25")
TRAILING = VALID.replace("\n", ",,\n").replace(",,\n", "\n", 1)
TITLED = "Payroll Based Journal,2024Q2\n\n" + VALID

PACKED = {"csv": bytes, "gz": gzip.compress, "zip": lambda content: zipped(("a.csv", content))}
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


def land(content: bytes) -> tuple[RawZone, Manifest | Quarantined]:
    with tempfile.TemporaryDirectory() as folder:
        zone, source = RawZone(Storage(folder)), Memory()
        document = zone.land(source, source.file("f1", content)).document
        if isinstance(document, Manifest):
            assert_parsed(zone, document, content)
        else:
            assert all((document.reason, document.expected, document.found, document.what_to_do))
            assert zone.storage.read(document.file) == content
            assert zone.readmit(document).document == document
        return zone, document


def assert_parsed(zone: RawZone, manifest: Manifest, content: bytes) -> None:
    """Every line is a row or refused, and every cell is what another parser reads."""
    (delivery,) = zone.deliveries()
    dialect = manifest.dialect
    with zone.open(delivery) as stream:
        raw = stream.read()
    below = _LINE.findall(decoded(raw, manifest.encoding))[dialect.above :]
    lines = [row for row in csv.reader(below, delimiter=dialect.delimiter) if row]
    with zone.open(delivery) as stream:
        text = CsvStream(stream, manifest.encoding, dialect)
        header = canonical_header(manifest.dataset, text.header())
        reader = RecordReader(header.columns, header.extras, dialect=dialect)
        batches = list(reader.batches(text))
    named = next(csv.reader(lines[0], delimiter=dialect.delimiter)) if len(lines[0]) == 1 else lines[0]
    assert text.header() == named[: dialect.named]
    assert (header.extras, header.absent) == (manifest.extras, manifest.absent)
    assert reader.rows == sum(b.num_rows for b in batches)
    assert reader.rejections == len(reader.rejected)
    rows_in = lines_in(text, reader, manifest, (c for b in batches for c in b.columns[:-1]))
    assert rows_in == reader.rows + reader.rejections == len(lines) - 1
    width = len(text.header())
    first = dialect.above + 2
    ragged = {n for n, line in enumerate(lines[1:], first) if len(line) != width + dialect.blank or any(line[width:])}
    assert {r.source_line for r in reader.rejected} == ragged
    parsed = {row["source_line"]: row for b in batches for row in b.to_pylist()}
    assert parsed == {
        n: expected(line[:width], header.columns, header.extras, n)
        for n, line in enumerate(lines[1:], first)
        if n not in ragged
    }


def decoded(raw: bytes, encoding: str) -> str:
    """Without the tables of the product: byte by byte."""
    while raw.startswith(codecs.BOM_UTF8):
        raw = raw.removeprefix(codecs.BOM_UTF8)
    if encoding in ("utf-8", "utf-8-sig"):
        return raw.decode()
    undefined = {0x81, 0x8D, 0x8F, 0x90, 0x9D}
    found = ""
    while raw:
        for size in (2, 3, 4) if encoding == "utf-8/cp1252" and raw[0] >= 0x80 else ():
            try:
                found, raw = found + raw[:size].decode(), raw[size:]
                break
            except UnicodeDecodeError:
                pass
        else:
            found, raw = found + (chr(raw[0]) if raw[0] in undefined else raw[:1].decode("cp1252")), raw[1:]
    return found


def expected(line: list[str], columns: Any, extras: Any, number: int) -> dict[str, Any]:
    known = {name: cell or None for name, cell in zip(columns, line, strict=True) if name}
    unknown = [(i, cell) for i, (name, cell) in enumerate(zip(columns, line, strict=True), 1) if not name]
    taken: dict[str, str] = {}
    for header, (position, cell) in zip(extras, unknown, strict=True):
        taken[header if header not in taken else f"{header} (column {position})"] = cell
    return {**known, "extra_columns": json_text(taken), "source_line": number}


def json_text(cells: dict[str, str]) -> str | None:
    return json.dumps(cells, ensure_ascii=False) if cells else None


def test_the_valid_file_lands():
    for pack in PACKED.values():
        _, document = land(pack(VALID.encode()))
        assert isinstance(document, Manifest)
        assert (document.records, document.extras) == (6, ("Note",))


_CHUNK = st.one_of(
    st.binary(max_size=8),
    st.sampled_from(
        [b'"', b'""', b",", b"\r", b"\n", b"\r\n", b"\n\n\n", b"\0", b"\x81", b"\xe9", b"\xc3\xa9", b"\xef\xbb\xbf",
         b"\xff\xfe", b"\x1a", b";", b"|", b",\n", b",,\n", b"sep=;\n", b"\xe2\x80",
         b"\xe2\x80\x99", b"2024Q3", b"2024Q2", b"\xc2\x85", b"\x0b", b"\\", b"\t", b" ", b"\xc3"]
    ),
    st.sampled_from([*ROWS, HEADER]).map(lambda row: row.encode() + b"\n"),
)  # fmt: skip
_PLACE = st.floats(0, 1)
_MUTATION = st.tuples(
    st.sampled_from(["insert", "delete", "replace", "cut", "double", "line ends"]), _PLACE, _PLACE, _CHUNK
)


def mutated(content: bytes, mutations: list[tuple[str, float, float, bytes]]) -> bytes:
    for what, a, b, chunk in mutations:
        at, length = int(a * len(content)), int(b * b * 200)
        before, middle, after = content[:at], content[at : at + length], content[at + length :]
        if what == "insert":
            content = before + chunk + middle + after
        elif what == "delete":
            content = before + after
        elif what == "replace":
            content = before + chunk + after
        elif what == "cut":
            content = content[: max(at, len(content) // 2)]
        elif what == "double":
            content = before + middle * 2 + after
        else:
            content = content.replace(b"\n", b"\r" if b < 0.5 else b"\r\n")
    return content


_FEW = settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))


@_FEW
@given(st.lists(_MUTATION, min_size=1, max_size=6), st.sampled_from(["utf-8", "cp1252", "utf-8-sig"]),
       st.sampled_from([*PACKED]), st.sampled_from([VALID, SEMICOLONS, TRAILING, TITLED]))  # fmt: skip
def test_mutated_files(mutations, encoding, packing, valid):
    land(PACKED[packing](mutated(valid.encode(encoding), mutations)))


@_FEW
@given(st.lists(_MUTATION, min_size=1, max_size=4), st.sampled_from(["gz", "zip"]))
def test_mutated_archives(mutations, packing):
    land(mutated(PACKED[packing](VALID.encode()), mutations))


@_FEW
@given(st.one_of(st.binary(max_size=300), st.text(max_size=200).map(lambda t: t.encode("utf-8", "replace"))),
       st.sampled_from([b"", HEADER.encode() + b"\n", (HEADER + "\n" + ROWS[0]).encode(), VALID.encode()]))  # fmt: skip
@example(b'"', VALID.encode())
@example(b"\xc3", VALID.encode())
@example(b"\xef\xbb\xbf", HEADER.encode() + b"\n")
def test_any_bytes_behind_a_valid_beginning(rest, prefix):
    land(prefix + rest)


_CELL = st.text(st.sampled_from('ab,"\r\n é\t'), max_size=6)


@_FEW
@given(st.lists(st.lists(_CELL, min_size=3, max_size=3) | st.lists(_CELL, min_size=1, max_size=5), max_size=30),
       st.sampled_from(["\n", "\r", "\r\n"]), st.integers(100, 400))  # fmt: skip
def test_numbers_and_cells_do_not_depend_on_blocks(rows, end, block):
    out = io.StringIO()
    csv.writer(out, lineterminator=end, quoting=csv.QUOTE_ALL).writerows([["a", "b", "c"], *rows])
    content = out.getvalue().encode()
    found = []
    for size in (block, records.BLOCK_BYTES):
        text, reader = CsvStream(io.BytesIO(content), "utf-8"), RecordReader(["a", None, "c"], ["b"], block=size)
        parsed = [row for batch in reader.batches(text) for row in batch.to_pylist()]
        found.append((parsed, reader.rejected, text.lines))
    assert found[0] == found[1]
    kept = [(n, r) for n, r in enumerate(rows, 2) if len(r) == 3]
    assert [(r["source_line"], [r["a"], r["c"]]) for r in found[0][0]] == [
        (n, [r[0] or None, r[2] or None]) for n, r in kept
    ]
    assert [json.loads(r["extra_columns"])["b"] for r in found[0][0]] == [r[1] for _, r in kept]


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
@pytest.mark.parametrize("closed", [True, False])
def test_the_last_line_wherever_a_block_ends(end, closed):
    lines = ["a,b,c", *(f"{n},{'x' * (n % 7)},y" for n in range(40))]
    for more in range(0, 23, 2):
        content = (end.join(lines) + "q" * more + end * closed).encode()
        for block in range(60, 160, 9):
            text, reader = CsvStream(io.BytesIO(content), "utf-8"), RecordReader(["a", "b", "c"], block=block)
            assert sum(batch.num_rows for batch in reader.batches(text)) == text.lines == 40


def test_refused_lines_can_be_taken_out_as_they_come():
    content = b"a,b\n" + b"1,2\n3\n" * 20_000
    reader, seen = RecordReader(["a", "b"], block=4096), 0
    for _ in reader.batches(CsvStream(io.BytesIO(content), "utf-8")):
        assert len(reader.rejected) < 3000
        seen += len(reader.rejected)
        reader.rejected.clear()
    assert (reader.rows, reader.rejections, seen + len(reader.rejected)) == (20_000, 20_000, 20_000)


def test_a_record_longer_than_a_block():
    content = b'a,b\n1,2\n3,"' + b"x" * 5000 + b'"\n'
    with pytest.raises(MalformedCsv, match=r"records of at most 1,000 bytes.*begins in line 3"):
        list(RecordReader(["a", "b"], block=1000).batches(CsvStream(io.BytesIO(content), "utf-8")))


def rows_of(content: bytes, block: int) -> list[dict[str, Any]]:
    reader = RecordReader(["a", "b"], block=block)
    return [row for batch in reader.batches(CsvStream(io.BytesIO(content), "utf-8")) for row in batch.to_pylist()]


@pytest.mark.parametrize("last", ['3,"', '3,"\n', '3,"x""', '"3,4\r\n', '3,4\n"', '"'])
def test_a_quote_left_open_is_found_wherever_a_block_ends(last):
    content = b"a,b\n" + b'1,"2\r\n"\n' * 5 + last.encode()
    for block in range(12, 80):
        with pytest.raises(MalformedCsv, match=f"the quote of a cell of line {7 + last.startswith('3,4')} open"):
            rows_of(content, block)


def test_a_record_may_lie_in_two_blocks_and_in_no_third_one():
    long = b'"' + b"x\n" * 49 + b'",\n'
    for before in range(1, 140, 3):
        content = b"a,b\n" + b"y" * before + b",\n" + long + b"1,2\n"
        assert [row["source_line"] for row in rows_of(content, 110)] == [2, 3, 4]
        with pytest.raises(MalformedCsv, match=r"of at most 34 bytes.*begins in line [23] or"):
            rows_of(content, 34)


def test_a_byte_order_mark_at_the_beginning_of_a_block_is_a_cell():
    content = ("a,b\n" + "\ufeff1,2\n" * 9).encode()
    for block in range(8, 40):
        assert [row["a"] for row in rows_of(content, block)] == ["\ufeff1"] * 9


def test_errors_of_the_source_come_through_and_whoever_stops_reading_leaves_no_thread():
    class Failing(io.BytesIO):
        def read(self, size=-1):
            if self.tell() > 2 << 20:
                raise OSError("cut off")
            return super().read(size)

    before = threading.active_count()
    content = b"a,b\n" + b"1,2\n" * 1_000_000
    with pytest.raises(OSError, match="cut off"):
        list(RecordReader(["a", "b"], block=100_000).batches(CsvStream(Failing(content), "utf-8")))
    reading = RecordReader(["a", "b"], block=1000).batches(CsvStream(io.BytesIO(content), "utf-8"))
    assert next(reading).num_rows == 250
    reading.close()
    assert threading.active_count() == before
