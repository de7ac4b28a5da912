"""The catalogue of bad input: what becomes of each kind of fault, and what is told about it.

Every file ends whole in the tables, partly in the rejects, or in quarantine. All of it goes the real way: landing,
bronze, silver. Each case has a quarter of its own, so that they share one lake and one engine.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections import Counter
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from nh_pipeline.datasets.cms.daily_nurse_staffing import FCT_STAFFING_LEVELS
from nh_pipeline.lake.storage import Storage
from nh_pipeline.landing import Manifest, Quarantined, RawZone, archive
from nh_pipeline.landing.confirmations import confirm
from nh_pipeline.model.table import REJECTS
from nh_pipeline.periods import quarter_bounds
from nh_pipeline.pipeline.bronze import ParseDelivery
from nh_pipeline.pipeline.deliveries import NothingDelivered
from nh_pipeline_tests.support import chain
from nh_pipeline_tests.support.chain import STAFFING
from nh_pipeline_tests.support.declared import BRONZE, staffing_build
from nh_pipeline_tests.support.memory_source import Memory
from nh_pipeline_tests.unit.test_datasets_headers import STAFFING_2024
from nh_pipeline_tests.unit.test_landing_archive import zipped

pytestmark = pytest.mark.integration

FACILITIES = ("015009", "01A010", "015012")
_FREE = (f"{year}Q{quarter}" for year in range(2018, 2032) for quarter in (1, 2, 3, 4))


class Table:
    """The lines of a small file: three facilities, two days of a quarter. Line 2 is the first row."""

    def __init__(self) -> None:
        self.quarter = next(_FREE)
        start, _ = quarter_bounds(self.quarter)
        self.header = list(STAFFING_2024)
        self.rows = [
            dict.fromkeys(STAFFING_2024, "0")
            | {"PROVNUM": ccn, "PROVNAME": f"HOME {ccn}, INC.", "CITY": "X", "STATE": "AL", "COUNTY_NAME": "Y"}
            | {"COUNTY_FIPS": "59", "CY_Qtr": self.quarter, "WorkDate": f"{start.replace(day=day):%Y%m%d}"}
            | {"MDScensus": "50", "Hrs_CNA": "80.25", "Hrs_CNA_emp": "80.25"}
            for ccn in FACILITIES
            for day in (1, 2)
        ]

    def __getitem__(self, line: int) -> dict[str, str]:
        return self.rows[line - 2]

    def text(self, end: str = "\n") -> str:
        out = io.StringIO()
        writer = csv.writer(out, lineterminator=end)
        writer.writerow(self.header)
        writer.writerows([row[cell] for cell in self.header] for row in self.rows)
        return out.getvalue()

    def content(self) -> bytes:
        return self.text().encode()


@dataclass
class BuildResult:
    """What is in the tables of one file, and what the gates said."""

    manifest: Manifest
    bronze: list[dict[str, Any]]
    facts: list[dict[str, Any]]
    rejects: dict[int, dict[str, Any]]
    refused: list[str]

    def told(self, line: int) -> tuple[str, str]:
        """The column and the reason of a reject; everything else that must be told is looked at here."""
        found = self.rejects[line]
        assert (found["file_name"], found["dataset"]) == (self.manifest.name, STAFFING)
        assert " found " in found["reason"]
        assert len(found["what_to_do"]) > 20
        assert found["line"]
        return found["column_name"], found["reason"]


@pytest.fixture(scope="module")
def workspace(engine, tmp_path_factory):
    return chain.workspace_at(tmp_path_factory.mktemp("lake"), engine)


@pytest.fixture(scope="module")
def through(workspace):
    """Takes a file the whole way. ``lines``: of the file after its header, as a person counts them."""
    source, ids = Memory(), count()

    def through(table: Table, content: bytes | None = None, *, lines: int = 6) -> BuildResult:
        content = table.content() if content is None else content
        name = f"PBJ {table.quarter}.csv"
        manifest = workspace.zone.land(source, source.file(f"f{next(ids)}", content, name=name)).document
        assert isinstance(manifest, Manifest), manifest
        assert (manifest.coverage.key, manifest.records) == (table.quarter, lines)
        parsed = chain.published(ParseDelivery(dataset=STAFFING, delivery=manifest.md5).run(workspace).results)
        assert sum(r.rows for r in parsed) == lines, "rows in = rows out + rejects"
        (delivery,) = (d for d in workspace.zone.deliveries(STAFFING) if d.delivery_id == manifest.md5)
        confirm(workspace.lake.storage, delivery, reason="one line of six is a large share of so small a file")
        start, end = quarter_bounds(table.quarter)
        outcome = staffing_build(coverage=table.quarter, start=start, end=end).run(workspace)
        assert [s.state for s in outcome.deliveries] == ["effective"]
        built = outcome.results
        assert built[0].rows + built[1].rows == parsed[0].rows, "rows in = rows out + rejects"
        of_file = {
            contract.name: [r for r in chain.rows(workspace.lake, contract) if r["delivery_id"] == manifest.md5]
            for contract in (BRONZE[STAFFING], FCT_STAFFING_LEVELS, REJECTS)
        }
        bronze, facts, rejects = of_file.values()
        refused = [c.name for r in built for c in r.refused]
        assert refused or len(facts) == built[0].rows
        return BuildResult(manifest, bronze, facts, {r["source_line"]: r for r in rejects}, refused)

    return through


def whole(found: BuildResult) -> bool:
    """Whether every line of the small file is in the tables, as it is."""
    hours = Counter((r["provider_id"], str(r["hrs_cna"]), r["census"]) for r in found.facts)
    return not found.rejects and hours == {(ccn, "80.25", 50): 2 for ccn in FACILITIES}


# In the tables, whole.


def test_extra_column(through):
    table = Table()
    table.header.insert(3, 'N"ote')
    for row in table.rows:
        row['N"ote'] = ""
    table[3]['N"ote'] = 'a "b"\n\tc\x01'
    found = through(table)
    assert whole(found)
    assert found.manifest.extras == ('N"ote',)
    assert {r["source_line"]: r["extra_columns"] for r in found.bronze}[3] == '{"N\\"ote": "a \\"b\\"\\n\\tc\\u0001"}'


def test_swapped_columns_with_their_data(through):
    table = Table()
    table.header.reverse()
    assert whole(through(table))


def test_lower_case_letter_in_a_ccn(through):
    table = Table()
    for row in table.rows:
        row["PROVNUM"] = row["PROVNUM"].lower()
    assert whole(through(table))


def test_byte_order_mark(through):
    table = Table()
    found = through(table, table.text().encode("utf-8-sig"))
    assert whole(found)
    assert found.manifest.encoding == "utf-8-sig"


@pytest.mark.parametrize("end", ["\r", "\r\n"], ids=["cr_only", "crlf"])
def test_line_ends(through, end):
    table = Table()
    found = through(table, table.text(end).encode())
    assert whole(found)
    assert [r["source_line"] for r in found.bronze] == [2, 3, 4, 5, 6, 7]


def test_cr_only_line_numbers_of_rejects(through):
    table = Table()
    table[4]["MDScensus"] = "many"
    text = table.text("\r").replace("HOME 015012, INC.", "HOME\r015012", 1)
    found = through(table, text.encode())
    assert found.told(4)[0] == "census"
    assert sorted(r["source_line"] for r in found.bronze) == [2, 3, 4, 5, 6, 7]


def test_quoted_line_breaks(through):
    table = Table()
    table[2]["PROVNAME"], table[3]["CITY"] = "TWO\r\nLINES", "A\n\n\nB"
    found = through(table)
    assert whole(found)
    assert {r["provider_name"] for r in found.bronze if r["source_line"] == 2} == {"TWO\r\nLINES"}


def test_blank_lines(through):
    table = Table()
    text = "\n\n" + table.text().replace("\n", "\n\n\n\n")
    assert whole(through(table, text.encode()))


def test_a_cell_of_1_mb(through):
    table = Table()
    table[2]["PROVNAME"] = "N" * 1_000_000
    found = through(table)
    assert whole(found)
    assert len(found.bronze[0]["provider_name"]) == 1_000_000


def test_bytes_that_windows_1252_leaves_undefined(through):
    table = Table()
    table.header.append("Größe\x81")
    for row in table.rows:
        row["Größe\x81"] = ""
    table[3]["PROVNAME"] = "O\u2019BRIEN \x81\x8d\x8f\x90\x9d"
    mixed = {"\u2019": b"\x92", "ö": b"\xf6", "ß": b"\xdf"}
    content = b"".join(mixed.get(c) or c.encode("latin-1") for c in table.text())
    found = through(table, content)
    assert whole(found)
    assert (found.manifest.encoding, found.manifest.extras) == ("cp1252", ("Größe\x81",))
    assert found.bronze[1]["provider_name"] == table[3]["PROVNAME"]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_other_delimiters_and_decimal_commas(through, delimiter):
    table = Table()
    out = io.StringIO()
    rows = [[row[cell].replace("80.25", "80,25") for cell in table.header] for row in table.rows]
    csv.writer(out, delimiter=delimiter, lineterminator="\r\n").writerows([table.header, *rows])
    found = through(table, f"sep={delimiter}\r\n{out.getvalue()}".encode("utf-8-sig"))
    assert whole(found)
    dialect = found.manifest.dialect
    assert (dialect.delimiter, dialect.decimal, dialect.above) == (delimiter, ",", 1)
    assert found.manifest.told


@pytest.mark.parametrize("commas", [(1, 0), (0, 1), (2, 2)], ids=["header", "lines", "both"])
def test_commas_after_the_header_or_the_lines(through, commas):
    table = Table()
    first, *rest = table.text().splitlines()
    found = through(table, "\n".join([first + "," * commas[0], *(line + "," * commas[1] for line in rest)]).encode())
    assert whole(found)
    assert {row["extra_columns"] for row in found.bronze} == {None}


def test_titles_above_the_header_and_two_byte_order_marks(through):
    table = Table()
    assert whole(through(table, ("\ufeff\ufeffDaily Nurse Staffing, a copy\n\n" + table.text()).encode()))


def test_one_stray_byte(through):
    table = Table()
    table[2]["PROVNAME"] = table[4]["PROVNAME"] = "JOS\u00c9\u2019S"
    table[3]["PROVNAME"] = "O#BRIEN"
    found = through(table, table.content().replace(b"#", b"\x92"))
    assert whole(found)
    names = {row["source_line"]: row["provider_name"] for row in found.bronze}
    assert (names[2], names[3], names[4]) == ("JOS\u00c9\u2019S", "O\u2019BRIEN", "JOS\u00c9\u2019S")
    assert found.manifest.told == "1 byte not of UTF-8 read as Windows-1252, the first in line 3"


def test_names_of_the_api(through):
    table = Table()
    spelt = {cell: cell.lower().replace("_", "-") for cell in table.header}
    content = table.text().replace(",".join(table.header), ",".join(spelt[cell] for cell in table.header))
    found = through(table, content.encode())
    assert whole(found)
    assert found.manifest.extras == ()


def test_an_implausible_value_is_kept_and_flagged(through):
    table = Table()
    table[2].update(Hrs_CNA="1300.5", Hrs_CNA_emp="1300.5")
    found = through(table)
    assert found.rejects == {}
    assert {str(r["total_hours"]): r["is_implausible_hours"] for r in found.facts} == {"1300.50": True, "80.25": False}


# Partly in the rejects.


@pytest.mark.parametrize(
    ("cells", "column", "told"),
    [
        ({"Hrs_RN": "eight"}, "hrs_rn", 'hrs_rn: expected paid hours, at most two decimals, found "eight"'),
        ({"Hrs_RN": "-8"}, "hrs_rn", 'hrs_rn: expected paid hours, at most two decimals, found "-8"'),
        ({"MDScensus": "n/a"}, "census", 'census: expected a whole number of residents, found "n/a"'),
        (
            {"PROVNUM": "15012"},
            "provider_id",
            'provider_id: expected a CCN of six characters (12A456; a leading zero may be lost), found "15012"',
        ),
        ({"WorkDate": "20170101"}, "work_date", "work_date: expected a day of {quarter}, found 20170101 in {quarter}"),
        ({"WorkDate": "soon"}, "work_date", 'work_date: expected a date (yyyymmdd), found "soon"'),
    ],
    ids=["text_in_a_number", "negative_hours", "text_in_the_census", "ccn_without_its_leading_zero",
         "date_outside_the_quarter", "no_date"],
)  # fmt: skip
def test_a_bad_value(through, cells, column, told):
    table = Table()
    table[6].update(cells)
    found = through(table)
    assert found.told(6) == (column, told.format(quarter=table.quarter))
    assert list(found.rejects) == [6]
    assert len(found.facts) == 5


def test_ragged_lines(through):
    table = Table()
    lines = table.text().split("\n")
    lines[2:2] = ["too,few", lines[1] + ",too,many"]
    found = through(table, "\n".join(lines).encode(), lines=8)
    assert found.told(3) == (None, "expected 33 cells as in the header, found 2")
    assert found.told(4) == (None, "expected 33 cells as in the header, found 35")
    assert list(found.rejects) == [3, 4]
    assert whole(BuildResult(found.manifest, found.bronze, found.facts, {}, []))


def test_a_last_line_with_too_few_cells(through):
    table = Table()
    found = through(table, table.content()[:-80] + b"\n")
    assert found.told(7)[1].startswith("expected 33 cells as in the header, found ")
    assert len(found.facts) == 5


@pytest.mark.parametrize("change", [{}, {"MDScensus": "51"}], ids=["equal", "different"])
def test_a_doubled_key(through, change):
    table = Table()
    table.rows.append({**table[2], **change})
    found = through(table, lines=7)
    column, reason = found.told(8)
    assert column == "provider_id, work_date"
    assert "expected one line each, found it in line 2 too, which is kept" in reason
    assert list(found.rejects) == [8]
    assert len(found.facts) == 6


def test_data_swapped_under_the_header(through):
    table = Table()
    for row in table.rows:
        row["PROVNUM"], row["PROVNAME"] = row["PROVNAME"], row["PROVNUM"]
    with pytest.raises(NothingDelivered, match=r"every line of it was refused .provider_id 6; line 2: provider_id: "):
        through(table)


# In quarantine.


@pytest.fixture
def zone(tmp_path):
    return RawZone(Storage(str(tmp_path / "lake")))


@pytest.fixture
def quarantined(zone):
    """Lands a file that must be refused: its bytes are kept, and everything is told."""

    def quarantined(content: bytes, name: str = "PBJ.csv") -> Quarantined:
        source = Memory()
        document = zone.land(source, source.file("f1", content, name=name)).document
        assert isinstance(document, Quarantined), document
        assert document.reason.startswith(f"{name}: ")
        assert document.expected
        assert document.found
        assert len(document.what_to_do) > 20
        assert zone.deliveries() == []
        assert zone.storage.read(document.file) == content
        return document

    return quarantined


@pytest.fixture(scope="module")
def valid() -> Table:
    return Table()


def test_unknown_header(quarantined):
    found = quarantined(b"when,who\n2024-04-01,me\n")
    assert "not a known CMS file" in found.reason
    assert "'when', 'who'" in found.found
    assert "nh_pipeline/datasets" in found.what_to_do


def test_missing_required_column(quarantined, valid):
    found = quarantined(valid.text().replace("MDScensus", "Comment").encode())
    assert "not a known layout of daily_nurse_staffing" in found.reason
    assert "line 1 lacks required column census (as 'MDScensus')" in found.found


def test_quarter_and_state_swapped_under_the_header(quarantined, valid):
    swapped = valid.text().replace(f"AL,Y,59,{valid.quarter}", f"{valid.quarter},Y,59,AL")
    found = quarantined(swapped.encode())
    assert found.reason.endswith("unreadable quarter in line 2, column 'CY_Qtr'")
    assert (found.expected, found.found) == ("a quarter such as 2024Q2", "'AL'")


@pytest.mark.parametrize("rows", [3, 2000], ids=["early", "after_the_first_64_kb"])
def test_two_quarters(quarantined, valid, rows):
    header, line, *_ = valid.text().splitlines()
    other = line.replace(f",{valid.quarter},", ",2017Q4,")
    content = "\n".join([header, *[line] * rows, other, line]).encode()
    assert (len(content) > 65536) == (rows > 3)
    found = quarantined(content)
    assert found.reason.endswith("several quarters in column 'CY_Qtr'")
    assert found.found == f"2: {valid.quarter} from line 2, 2017Q4 from line {rows + 2:,}"
    assert "Deliver each quarter in a file of its own" in found.what_to_do


def test_an_unreadable_quarter_far_behind(quarantined, valid):
    header, line, *_ = valid.text().splitlines()
    content = "\n".join([header, *[line] * 2000, line.replace(valid.quarter, "???")]).encode()
    assert quarantined(content).reason.endswith("unreadable quarter in line 2,002, column 'CY_Qtr'")


def test_header_only(quarantined, valid):
    found = quarantined(valid.text().splitlines()[0].encode())
    assert "a header without rows" in found.reason
    assert found.found == "nothing after line 1"


def test_zero_bytes(quarantined):
    assert "an empty file" in quarantined(b"").reason


def test_utf_16(quarantined, valid):
    found = quarantined(valid.text().encode("utf-16"))
    assert (found.expected, found.found) == ("UTF-8 or Windows-1252", "a UTF-16 byte order mark")
    assert "CSV UTF-8" in found.what_to_do


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_nul_byte(quarantined, valid, end):
    found = quarantined(valid.text(end).encode().replace(b"HOME 015012", b"HOME\x00015012", 1))
    assert found.found.startswith("a NUL byte in line 6, at offset 8")


def test_an_unclosed_quote(quarantined, valid):
    lines = valid.text().replace('"', "").replace(", INC.", "").split("\n")
    lines[4] = f'"{lines[4]}'
    found = quarantined("\n".join(lines).encode())
    assert "not a CSV that can be cut into lines" in found.reason
    assert found.expected == "every quote closed"
    assert found.found == "the quote of a cell of line 5 open at the end of the file"


def test_a_record_without_end(quarantined, valid):
    header, line, *rest = valid.text().replace('"', "").replace(", INC.", "").splitlines()
    found = quarantined("\n".join([header, line, f'"{line}', *rest * 9000]).encode())
    assert found.expected == "records of at most 2,097,152 bytes, and every quote closed"
    assert found.found.startswith("no end of a record that begins in line 3 or after it")


def test_a_truncated_file(quarantined, valid):
    found = quarantined(valid.content()[:-80])
    assert found.reason.endswith("its end is cut off")
    assert found.found.startswith("line 7: expected 33 cells as in the header, found ")


def test_no_readable_row(quarantined, valid):
    header, *lines = valid.text().splitlines()
    found = quarantined("\n".join([header, *(f"{line},more" for line in lines)]).encode())
    assert "no readable row" in found.reason
    assert found.found == "6 lines, none with as many; in line 2: expected 33 cells as in the header, found 34"


def test_a_quote_in_the_header(quarantined, valid):
    header, *lines = valid.text().splitlines()
    found = quarantined("\n".join([f'{header},"More', *lines]).encode())
    assert "a line break in the header" in found.reason
    assert "line 1" in found.found


@pytest.mark.parametrize(
    ("pack", "reason"),
    [
        (lambda c: zipped(("a.pdf", c[:9]), ("b.txt", c[:9])), "no delivery in the archive"),
        (lambda c: zipped(("a/", b"")), "no file in the archive"),
        (lambda c: zipped(("a.csv", zipped(("a.csv", c)))), "an archive in an archive"),
        (lambda c: gzip.compress(c)[:-20], "damaged archive"),
        (lambda c: zipped(("a.csv", c))[:-20], "damaged archive"),
    ],
    ids=["zip_of_several", "zip_of_none", "nested", "truncated_gzip", "truncated_zip"],
)
def test_archive(quarantined, valid, pack, reason):
    assert reason in quarantined(pack(valid.content()), "PBJ.zip").reason


def test_encrypted_zip(quarantined, valid):
    content = bytearray(zipped(("a.csv", valid.content())))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    found = quarantined(bytes(content), "PBJ.zip")
    assert "encrypted archive" in found.reason
    assert found.found == "'a.csv' is encrypted"


@pytest.mark.parametrize("pack", [gzip.compress, lambda c: zipped(("a.csv", c))], ids=["gzip", "zip"])
def test_bomb(quarantined, valid, pack, monkeypatch):
    monkeypatch.setattr(archive, "RATIO_FROM_BYTES", 1_000_000)
    header, line, *_ = valid.text().splitlines(keepends=True)
    found = quarantined(pack((header + line * 50_000).encode()), "PBJ.zip")
    assert "unpacks to too much" in found.reason
    assert found.overrulable
    assert "nh quarantine admit" in found.what_to_do


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "a\nb\x00\x1b[31m[red]", "n" * 300], ids=["path", "control", "long"]
)
def test_names_are_only_text(zone, quarantined, valid, name):
    assert quarantined(b"a,b\n1,2\n", name).name == name
    source = Memory()
    landed = zone.land(source, source.file("f2", valid.content(), name=name))
    assert landed.document.name == name
    assert sorted(p.split("/")[0] for p in zone.storage.files()) == ["quarantine"] * 2 + ["raw"] * 2
    assert all(name not in p and ".." not in p for p in zone.storage.files())
