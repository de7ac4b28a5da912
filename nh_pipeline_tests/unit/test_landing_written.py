"""Files that are not written as CMS writes them: read where that is certain, else refused in words that help."""

from __future__ import annotations

import bz2
import csv
import io
import lzma
import tarfile
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.orc
import pyarrow.parquet
import pytest

from nh_pipeline.datasets import dataset as declared
from nh_pipeline.landing import Refused, Unrecognised
from nh_pipeline.landing.dialect import Dialect
from nh_pipeline.landing.recognise import Recognition, recognise
from nh_pipeline.landing.records import RecordReader
from nh_pipeline.landing.text import CsvStream
from nh_pipeline_tests.unit.test_datasets_headers import of_the_api

HEADER = ["CMS Certification Number (CCN)", "Provider Name", "Penalty Date", "Penalty Type", "Fine Amount",
          "Processing Date"]  # fmt: skip
ROWS = [
    ["015009", "BURNS, INC.", "2024-01-05", "Fine", "1250.50", "2024-10-01"],
    ["015010", "", "2024-02-06", "Fine", "655.00", "2024-10-01"],
    ["01A011", 'THE "OLD" ONE;|', "2024-03-07", "Payment Denial", "", "2024-10-01"],
]
COLUMNS = ["provider_id", "provider_name", "penalty_date", "penalty_type", "fine_amount", "processing_date"]
PLAIN = [dict(zip(COLUMNS, (cell or None for cell in row), strict=True)) for row in ROWS]


def written(rows: list[list[str]] = ROWS, header: list[str] = HEADER, delimiter: str = ",", end: str = "\n") -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator=end).writerows([header, *rows])
    return out.getvalue()


@dataclass
class Read:
    """A file as it is recognised, and as bronze parses it."""

    found: Recognition
    rows: list[dict[str, Any]]
    rejected: list[tuple[int, str]]


def read(content: bytes | str) -> Read:
    content = content.encode() if isinstance(content, str) else content
    found = recognise(content, "x.csv", complete=True)
    text = CsvStream(io.BytesIO(content), found.encoding, found.dialect)
    assert tuple(text.header()) == found.cells
    reader = RecordReader(
        found.header.columns, found.header.extras, dialect=found.dialect, numbers=declared(found.dataset).numbers
    )
    rows = [row for batch in reader.batches(text) for row in batch.to_pylist()]
    assert reader.records == found.records == text.lines or any("\n" in str(row) for row in rows)
    first = found.dialect.above + 2
    assert [row.pop("source_line") for row in rows] == [
        n for n in range(first, first + found.records) if n not in {r.source_line for r in reader.rejected}
    ]
    assert [row.pop("extra_columns") for row in rows] == [None] * len(rows)
    return Read(found, rows, [(r.source_line, r.reason) for r in reader.rejected])


def refused(content: bytes | str, kind: type[Refused] = Refused) -> Refused:
    with pytest.raises(kind) as caught:
        recognise(content.encode() if isinstance(content, str) else content, "x.csv", complete=True)
    assert caught.value.reason.startswith("x.csv: ")
    assert len(caught.value.what_to_do) > 20
    return caught.value


# Delimiters.


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_delimiter_is_told_by_the_header(delimiter, end):
    found = read(written(delimiter=delimiter, end=end))
    assert (found.rows, found.rejected) == (PLAIN, [])
    assert found.found.dialect == Dialect(delimiter=delimiter)
    assert found.found.header.extras == ()


def test_other_delimiters_work_wherever_a_block_ends():
    content = written(ROWS * 20, delimiter=";").encode()
    for block in range(150, 400, 7):
        dialect = Dialect(delimiter=";")
        reader = RecordReader(COLUMNS, block=block, dialect=dialect)
        batches = reader.batches(CsvStream(io.BytesIO(content), "utf-8", dialect))
        assert [row["provider_name"] for b in batches for row in b.to_pylist()] == [
            row["provider_name"] for row in PLAIN * 20
        ]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_decimal_commas(delimiter):
    rows = [[*row[:4], row[4].replace(".", ","), row[5]] for row in ROWS]
    found = read(written(rows, delimiter=delimiter))
    assert found.rows == PLAIN
    assert found.found.dialect.decimal == ","
    assert found.found.dialect.told.endswith("decimal commas")


@pytest.mark.parametrize(
    "amounts", [("1,250", "22,633", ""), ("1,5", "2.5", ""), ("1.250,50", "7,5", ""), ("1,250", "3.5", "")]
)
def test_a_comma_in_a_number_that_may_be_something_else_stays(amounts):
    rows = [[*row[:4], amount, row[5]] for row, amount in zip(ROWS, amounts, strict=True)]
    found = read(written(rows, delimiter=";"))
    assert found.found.dialect.decimal == "."
    assert [row["fine_amount"] or "" for row in found.rows] == list(amounts)


def test_a_comma_is_no_decimal_comma_between_commas():
    rows = [[*row[:4], row[4].replace(".", ","), row[5]] for row in ROWS]
    assert read(written(rows)).rows[0]["fine_amount"] == "1250,50"


def test_only_numbers_have_decimal_commas():
    rows = [[row[0], "12,5", *row[2:4], "7,5", row[5]] for row in ROWS]
    found = read(written(rows, delimiter=";")).rows[0]
    assert (found["provider_name"], found["fine_amount"]) == ("12,5", "7.5")


# Above the header.


@pytest.mark.parametrize(
    ("above", "delimiter"),
    [
        ("sep=;\n", ";"),
        ("sep=,\r\n", ","),
        ("\ufeffPenalties, October 2024\n\n", ","),
        ("Penalties;;;;;\nas of;2024-10-01;;;;\n;;;;;\n", ";"),
        ('"A title\tof one cell"\n' + "\n" * 5, "\t"),
        ("Downloaded from data.cms.gov\nby a person\n\n# no comment\n", "|"),
    ],
)
def test_titles_above_the_header(above, delimiter):
    found = read(above + written(delimiter=delimiter))
    assert (found.rows, found.rejected) == (PLAIN, [])
    assert found.found.dialect.above == above.count("\n")
    assert "above its header" in found.found.dialect.told


def test_lines_below_titles_are_told_as_the_file_has_them():
    """As any editor numbers them."""
    title = '"Penalties, October"\n\n'
    header, *rows = written().splitlines()
    found = read(title + "\n".join([header, rows[0], "few,cells", *rows[1:], ""]))
    assert [line for line, _ in found.rejected] == [5]
    assert refused(title + "\n".join([header, *rows, "cut,of"])).found.startswith("line 7: ")
    assert "nothing after line 3" in refused(title + header).found
    doubled = written([[*row, "x"] for row in ROWS], [*HEADER, "Fine Amount"])
    assert "line 3 has column fine_amount more than once" in refused(title + doubled, Unrecognised).found
    unreadable = [[*row[:5], day] for row, day in zip(ROWS, ("2024-10-01", "?", "?"), strict=True)]
    assert "in line 5, column 'Processing Date'" in refused(title + written(unreadable)).reason
    assert "line 7" in refused(f'{title}{written()}a,"open').found


def test_blank_lines_above_the_header_do_not_count():
    assert read("\n\r\n \n"[:3] + written()).found.dialect == Dialect()


def test_rows_above_the_header_belong_to_no_column():
    header, *rows = written().splitlines()
    found = refused("\n".join([rows[0], header, *rows]), Unrecognised)
    assert found.reason.endswith("rows above the header")
    assert found.found.startswith("the header in line 2, and above it '015009,")


def test_no_header_at_all():
    found = refused("\n".join(written().splitlines()[1:]), Unrecognised)
    assert found.reason.endswith("no line with the names of the columns")
    assert "line 1" in found.what_to_do


# Blank cells after the lines.


@pytest.mark.parametrize(("header", "lines"), [(1, 0), (0, 1), (1, 1), (3, 0), (0, 3), (3, 1), (1, 3)])
@pytest.mark.parametrize("delimiter", [",", ";"])
def test_delimiters_after_the_header_or_the_lines(header, lines, delimiter):
    first, *rest = written(delimiter=delimiter).splitlines()
    text = "\n".join([first + delimiter * header, *(line + delimiter * lines for line in rest)])
    found = read(text)
    assert (found.rows, found.rejected) == (PLAIN, [])
    assert found.found.header.extras == ()
    assert found.found.dialect.blank == lines


def test_something_where_all_other_lines_are_blank_is_a_refused_line():
    first, *rest = written().splitlines()
    lines = [*(f"{line}," for line in rest), f"{rest[0]},more", rest[1], f"{rest[1]},,", f"{rest[2]},"]
    found = read("\n".join([first, *lines]))
    told = "expected 6 cells as in the header and 1 blank after them, found "
    assert found.rejected == [(5, f"{told}7"), (6, f"{told}6"), (7, f"{told}8")]
    assert found.rows == [*PLAIN, PLAIN[2]]


def test_a_comma_too_much_in_every_line_is_no_blank_cell():
    header, *rows = written().splitlines()
    found = refused("\n".join([header, *(row.replace(",", ",,", 1) for row in rows)]))
    assert "no readable row" in found.reason
    assert found.found.startswith("3 lines, none with as many; in line 2: expected 6 cells as in the header, found 7")


def test_each_line_in_one_cell():
    quoted = "\n".join('"' + line.replace('"', '""') + '"' for line in written().splitlines())
    found = refused(quoted)
    assert "one quoted cell" in found.what_to_do
    header, *rows = written().splitlines()
    assert read("\n".join([f'"{header}"', *rows])).rows == PLAIN


# Bytes.


@pytest.mark.parametrize("marks", [1, 2, 3])
def test_byte_order_marks_before_a_quoted_header(marks):
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([HEADER, *ROWS])
    found = read(b"\xef\xbb\xbf" * marks + out.getvalue().encode())
    assert (found.rows, found.found.encoding) == (PLAIN, "utf-8-sig")
    again = read("\ufeff".encode().decode("cp1252").encode() * marks + out.getvalue().encode())
    assert again.rows == PLAIN


def names_of(content: bytes) -> tuple[Recognition, list[str]]:
    found = read(content)
    return found.found, [row["provider_name"] for row in found.rows]


def named(*names: bytes) -> bytes:
    row = b"015009,%s,2024-01-05,Fine,1,2024-10-01\n"
    return ",".join(HEADER).encode() + b"\n" + b"".join(row % name for name in names)


def test_one_stray_byte_leaves_the_other_names_as_they_are():
    utf8 = "JOSÉ\u2019S PLACE \u2013 ÑANDÚ"
    found, names = names_of(named(utf8.encode(), b"O\x92BRIEN", utf8.encode(), b"A\xa0B\x81", utf8.encode()))
    assert names == [utf8, "O\u2019BRIEN", utf8, "A\u00a0B\u0081", utf8]
    assert (found.encoding, found.strays, found.first_stray) == ("utf-8/cp1252", 3, 3)
    # The same within one line.
    assert names_of(named("É\u2019".encode() + b"\x92"))[1] == ["É\u2019\u2019"]


@pytest.mark.parametrize("last", [b"\xe9", b"\xc3", b"\xe2\x80", b"\xf0\x9f\x98"])
def test_a_character_that_is_cut_off(last):
    content = named("ÉÉÉÉ".encode()) + b"015009,A,2024-01-05,Fine,1,2024-10-01"
    header = content.replace(b"Processing Date", b"Processing Date,Location").replace(b"10-01", b"10-01,")
    found = recognise(header + last, "x", complete=True)
    text = CsvStream(io.BytesIO(header + last), found.encoding, found.dialect)
    rows = [r for b in RecordReader(found.header.columns, found.header.extras).batches(text) for r in b.to_pylist()]
    assert rows[1]["location"] == last.decode("cp1252")


def test_a_file_of_windows_1252_stays_one():
    found, names = names_of(named(b"CAF\xc9", b"O\x92BRIEN", "Ã©".encode("cp1252"), b"\x96"))
    assert (found.encoding, found.strays) == ("cp1252", 0)
    assert names == ["CAFÉ", "O\u2019BRIEN", "Ã©", "\u2013"]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 64])
def test_strays_do_not_depend_on_chunks(size):
    content = named("É\u2019 \u2013 😀".encode() * 3, b"\x92\xe2\x80", "É".encode())
    text = CsvStream(io.BytesIO(content), "utf-8/cp1252")
    found = b""
    while chunk := text.read(size):
        found += chunk
    assert (
        found
        == "".join(
            f"015009,{name},2024-01-05,Fine,1,2024-10-01\n" for name in ("É\u2019 \u2013 😀" * 3, "\u2019â€", "É")
        ).encode()
    )


# No CSV.


def packed_as(what: str) -> bytes:
    content, out = written().encode(), io.BytesIO()
    table = pa.table({"a": [1]})
    if what == "a tar archive":
        with tarfile.open(fileobj=out, mode="w") as tar:
            info = tarfile.TarInfo("a.csv")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    elif what == "a Parquet file":
        pyarrow.parquet.write_table(table, out)
    elif what == "an Arrow (Feather) file":
        pyarrow.feather.write_feather(table, out)
    elif what == "an ORC file":
        pyarrow.orc.write_table(table, out)
    elif what == "packed by xz":
        return lzma.compress(content)
    elif what == "packed by bzip2":
        return bz2.compress(content)
    return out.getvalue()


@pytest.mark.parametrize(
    "what", ["a tar archive", "a Parquet file", "an Arrow (Feather) file", "an ORC file", "packed by xz",
             "packed by bzip2"],
)  # fmt: skip
def test_other_formats_as_programs_write_them(what):
    assert refused(packed_as(what)).reason == f"x.csv: not a known CMS file, but {what}"


@pytest.mark.parametrize(
    ("content", "what", "to_do"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "an old workbook (xls)", "save it as CSV"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "a PDF", "Deliver the CSV"),
        (b"\r\n<!DOCTYPE HTML PUBLIC>\n<title>Sign in</title>", "a web page", "login page"),
        (b"<html lang='en'><body>404", "a web page", "login page"),
        (b'\xef\xbb\xbf<?xml version="1.0"?><a/>', "XML", "CSV"),
        (b'[{"provnum": "015009"}]', "JSON", "CSV"),
        (b'{\n "results": []}', "JSON", "CSV"),
        (b"7z\xbc\xaf\x27\x1c\0\4", "a 7z archive", "Unpack it"),
        (b"Rar!\x1a\x07\x01\0", "a RAR archive", "Unpack it"),
        (b"\x28\xb5\x2f\xfd\x24", "packed by Zstandard", "Unpack it"),
        (b"SQLite format 3\0", "a database", "save it as CSV"),
        (b"Obj\x01\x02", "an Avro file", "CSV"),
        (b"\x89PNG\r\n\x1a\n", "a picture", "CSV"),
        (b"{\\rtf1\\ansi", "a text document", "CSV"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.startswith("a") else "",
)
def test_other_formats(content, what, to_do):
    found = refused(content)
    assert found.reason.startswith(f"x.csv: not a known CMS file, but {what}")
    assert to_do in found.what_to_do
    assert not isinstance(found, Unrecognised)
    with pytest.raises(Refused, match="not a known CMS file, but"):  # by the first bytes alone, too
        recognise(content + b"\n" * 70_000, "x.csv")


# Other files.

_DAY = ["PROVNUM", "PROVNAME", "CITY", "STATE", "CY_Qtr", "WorkDate", "MDScensus"]


@pytest.mark.parametrize("spelt", [str, of_the_api, str.upper])
@pytest.mark.parametrize(
    ("cells", "title"),
    [
        ([*_DAY, "Hrs_Admin", "Hrs_Admin_emp", "Hrs_MedDir"], "Payroll Based Journal Daily Non-Nurse Staffing"),
        ([*_DAY, "SYS_EMPLEE_ID", "JOB_TITLE"], "Payroll Based Journal Employee Detail Nursing Home Staffing"),
    ],
)
def test_a_file_that_is_known_and_not_taken(spelt, cells, title):
    found = refused(",".join(map(spelt, cells)) + "\n" + ",".join("1" * len(cells)) + "\n", Unrecognised)
    assert title in found.reason
    assert "Nothing is wrong with it" in found.what_to_do
    assert "labels" not in found.what_to_do


def test_a_readme_is_not_taken_for_a_new_header_of_cms():
    found = refused("Files of July, as they came, with thanks\nand so on\n", Unrecognised)
    assert found.reason == "x.csv: not a known CMS file: none of its columns is known"
    assert found.what_to_do.startswith("It may be a readme")


def test_a_text_is_no_file_of_columns():
    found = refused("[.ShellClassInfo]\r\nIconFile=a.ico\r\n", Unrecognised)
    assert "its first line has one cell" in found.reason
    assert "semicolons, tabs" in found.expected
