"""Dataset, layout, encoding and coverage from content alone."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import zipfile
from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nh_pipeline.datasets.cms.daily_nurse_staffing import JOBS
from nh_pipeline.landing import Coverage, Refused, Unrecognised
from nh_pipeline.landing.coverage import programme_year, release_covered
from nh_pipeline.landing.recognise import CutOff, recognise
from nh_pipeline.landing.selection import recognised
from nh_pipeline.landing.text import EncodingDetector
from nh_pipeline.sample.headers import is_lower_case, staffing_header
from nh_pipeline.sample.periods import Quarter
from nh_pipeline.sources import FolderSource
from nh_pipeline_tests.support.declared import DATASETS
from nh_pipeline_tests.unit.test_datasets_headers import CLAIMS_2021, STAFFING_2024, of_the_api

STAFFING = ",".join(STAFFING_2024)
CLAIMS = ",".join(CLAIMS_2021)


def staffing(*quarters, name="BURNS NURSING HOME", end="\n"):
    rows = [f'015009,"{name}, INC.",X,AL,Y,059,{quarter},20240401,51' + ",1" * 24 for quarter in quarters]
    return end.join([STAFFING, *rows, ""])


def claims(*dates):
    rows = [f"015009,N,A,C,AL,35653,521,D,Short Stay,1,1,1,,Y,P,L,{day}" for day in dates]
    return "\n".join([CLAIMS, *rows, ""]).encode()


def test_staffing():
    found = recognise(staffing("2024Q2", "2024Q2").encode(), "whatever.txt", complete=True)
    assert (found.dataset, found.header.layout, found.encoding) == ("daily_nurse_staffing", "pbj-2018", "utf-8")
    assert found.coverage == Coverage(kind="quarter", key="2024Q2", start=date(2024, 4, 1), end=date(2024, 6, 30))


@pytest.mark.parametrize(("quarter", "end"), [(1, date(2024, 3, 31)), (3, date(2024, 9, 30)), (4, date(2024, 12, 31))])
def test_quarters_end_on_their_last_day(quarter, end):
    assert Coverage.quarter(2024, quarter).end == end


@pytest.mark.parametrize(
    "text", ["2024-10-01", "20241001", "10/01/2024", "10/1/2024", "2024-10-01T00:00:00.000", "2024-10-01 00:00:00"]
)
def test_release_dates(text):
    found = recognise(claims(text, "", text), "x", complete=True)
    assert found.dataset == "medicare_claims"
    assert found.coverage == Coverage.release(date(2024, 10, 1))
    assert found.coverage.key == "2024-10-01"


@pytest.mark.parametrize("text", ["2024-13-01", "20240230", "13/01/2024", "2024", "1994-10-01", "October", "2024Q2"])
def test_unreadable_release_dates(text):
    assert release_covered(text) is None
    with pytest.raises(Unrecognised, match="unreadable release in line 3, column 'Processing Date'"):
        recognise(claims("2024-10-01", text), "x", complete=True)


def test_one_file_one_coverage():
    with pytest.raises(Unrecognised, match=r"several quarters.*2024Q1 from line 2, 2024Q2 from line 3"):
        recognise(staffing("2024Q1", "2024Q2").encode(), "x", complete=True)
    with pytest.raises(Unrecognised, match="only blanks"):
        recognise(claims("", ""), "x", complete=True)


def test_encodings():
    text = staffing("2024Q2", name="O\u2019Brien")
    assert recognise(text.encode(), "x", complete=True).encoding == "utf-8"
    assert recognise(text.encode("utf-8-sig"), "x", complete=True).encoding == "utf-8-sig"
    assert recognise(text.encode("cp1252"), "x", complete=True).encoding == "cp1252"
    with pytest.raises(Refused, match="UTF-16"):
        recognise(text.encode("utf-16"), "x")
    with pytest.raises(Refused, match="NUL byte in line 2, at offset 4"):
        recognise(b"abc\n\0", "x", complete=True)


@given(st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=("Cs",))), st.integers(1, 7))
def test_encoding_does_not_depend_on_chunks(text, size):
    content = text.encode()
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return
    detector = EncodingDetector(io.BytesIO(content), "x")
    while detector.read(size):
        pass
    detector.end()
    assert detector.encoding == ("utf-8-sig" if content.startswith(b"\xef\xbb\xbf") else "utf-8")
    assert detector.size == len(content)


def told(found):
    return found.dataset, found.header, found.coverage, found.encoding


def test_a_cut_off_end_does_not_matter():
    text = staffing("2024Q2", "2024Q2", name="O\u2019Brien")
    content = text.encode()
    least = len(staffing("2024Q2", name="O\u2019Brien").encode()) + 1
    whole = recognise(content, "x", complete=True)
    for end in range(least, len(content)):
        assert told(recognise(content[:end], "x")) == told(whole)
    for end in range(least - 2):
        with pytest.raises(Refused) as caught:
            recognise(content[:end], "x")
        assert isinstance(caught.value, CutOff) == (end > 0)


def test_a_last_line_without_newline_counts_if_the_file_is_complete():
    content = staffing("2024Q2").encode().rstrip(b"\n")
    assert recognise(content, "x", complete=True).coverage.key == "2024Q2"
    with pytest.raises(Refused, match="a header without rows"):
        recognise(content, "x")


def test_quoted_newlines_crlf_and_blank_lines():
    content = staffing("2024Q2", "2024Q2", name="two\r\nlines", end="\r\n") + "\r\n"
    assert recognise(content.encode(), "x", complete=True).coverage.key == "2024Q2"


def test_packed():
    content = staffing(*["2024Q2"] * 5000).encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("inner.csv", content)
    for delivery in (packed.getvalue(), gzip.compress(content)):
        assert recognise(delivery[:65536], "x", complete=len(delivery) <= 65536).dataset == "daily_nurse_staffing"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "an empty file"),
        (gzip.compress(b"", mtime=0), "an empty file"),
        (STAFFING.encode(), "a header without rows"),
        (STAFFING.encode() + b"\n\n", "a header without rows"),
        (b"\n\n", "no header"),
        (b"<!DOCTYPE html><html></html>", "not a known CMS file"),
    ],
)
def test_refused(content, reason):
    with pytest.raises(Refused, match=reason):
        recognise(content, "x", complete=True)


def test_an_unknown_layout_says_what_was_expected():
    cells = [cell.replace("Adjusted Score", "Risk Score") for cell in CLAIMS_2021]
    with pytest.raises(Unrecognised) as caught:
        recognise(",".join(cells).encode() + b"\n" + b"," * 16 + b"\n", "x", complete=True)
    assert "nearest is medicare_claims; it lacks adjusted_score; unknown to it: ['Risk Score']" in caught.value.found
    assert all(name in caught.value.expected for name in DATASETS)
    assert "nh_pipeline/datasets" in caught.value.what_to_do


def test_a_known_file_without_a_required_column():
    cells = [cell for cell in STAFFING_2024 if cell != "MDScensus"]
    with pytest.raises(Unrecognised, match=r"not a known layout of daily_nurse_staffing.*census \(as 'MDScensus'\)"):
        recognise(",".join(cells).encode() + b"\n1\n", "x", complete=True)


@pytest.mark.parametrize(("kind", "name"), [("Health", "health_citations"), ("Fire Safety", "fire_safety_citations")])
def test_citations_are_told_apart_by_their_rows(kind, name):
    text = (
        "CMS Certification Number (CCN),Survey Date,Survey Type,Deficiency Tag Number,Scope Severity Code,"
        "Processing Date\n"
        f"015009,2024-01-01,{kind},0565,F,2024-10-01\n"
    )
    assert recognise(text.encode(), "x", complete=True).dataset == name
    with pytest.raises(Unrecognised):
        recognise(text.replace(kind, "Other").encode(), "x", complete=True)


CITATIONS = (
    "CMS Certification Number (CCN),Survey Date,Survey Type,Deficiency Tag Number,Scope Severity Code,Processing Date"
)


def citations(*kinds):
    return "\n".join([CITATIONS, *(f"015009,2024-01-01,{kind},0565,F,2024-10-01" for kind in kinds), ""]).encode()


def test_the_value_that_tells_is_looked_at_in_every_row():
    assert recognise(citations("", " ", "Health", "", "HEALTH "), "x", complete=True).dataset == "health_citations"
    assert recognise(citations("", "fire  safety"), "x", complete=True).dataset == "fire_safety_citations"
    many = citations(*["Health"] * 100_000, "Fire Safety")
    assert len(many) > 4 << 20
    for content, line in ((citations("Health", "", *["Fire Safety"] * 3), 4), (many, 100_002)):
        with pytest.raises(Unrecognised, match="several values in column 'Survey Type'") as caught:
            recognise(content, "x", complete=True)
        assert caught.value.found == f"2: 'Health' from line 2, 'Fire Safety' from line {line:,}"
        assert caught.value.expected == "one of 'health', 'fire safety' in all rows"
    with pytest.raises(Unrecognised, match=r"several values in column 'Survey Type'.* 'Other' from line 3"):
        recognise(citations("Health", "Other"), "x", complete=True)
    with pytest.raises(Unrecognised, match=r"no value in column 'Survey Type'.*only blanks"):
        recognise(citations("", " "), "x", complete=True)
    with pytest.raises(CutOff, match="no value in column 'Survey Type'"):
        recognise(citations(*[""] * 2000, "Health")[:65536], "x")


@pytest.mark.parametrize("content", [staffing("", "2024Q1"), claims("", "", "2024-10-01").decode()])
def test_the_first_bytes_may_not_hold_the_coverage(content):
    with pytest.raises(CutOff, match="no value in column"):
        recognise(content.encode()[:-10], "x")


def test_programme_years():
    assert programme_year(["Performance Period: FY 2022 National Average", "FY 2024 Achievement Threshold"]) == 2024
    assert programme_year(["Baseline Period: FY 2019 Rate", "Performance Period: FY 2022 Rate"]) == 2024
    assert programme_year(["a"]) is None


_ANYTHING = st.binary(max_size=300) | st.text(max_size=100).map(lambda text: text.encode("utf-8", "replace"))
_BEGINNINGS = [b"", STAFFING.encode() + b"\n", CLAIMS.encode() + b"\r\n", b"PK\x03\x04", b"\x1f\x8b\x08\0"]


@given(_ANYTHING, st.sampled_from(_BEGINNINGS), st.booleans())
@example(b'"', STAFFING.encode() + b"\n", True)
@example(b"a,\rb", CLAIMS.encode() + b"\n", True)
def test_no_bytes_raise_anything_else(rest, prefix, complete):
    with contextlib.suppress(Refused):
        recognise(prefix + rest, "x", complete=complete)


OTHERS = {
    "FY_2024_SNF_VBP_Aggregate_Performance.csv": ("snf_vbp_aggregate", "cms", "FY2024"),
    "FY_2024_SNF_VBP_Facility_Performance.csv": ("snf_vbp_facility", "ccn", "FY2024"),
    "NH_CitationDescriptions_Oct2024.csv": ("citation_descriptions", "cms", "undated"),
    "NH_CovidVaxAverages_20241027.csv": ("covid_vax_averages", "cms", "2024-10-27"),
    "NH_CovidVaxProvider_20241027.csv": ("covid_vax_provider", "ccn", "2024-10-27"),
    "NH_DataCollectionIntervals_Oct2024.csv": ("data_collection_intervals", "cms", "2024-10-01"),
    "NH_HealthCitations_Mar2026.zip": ("health_citations", "ccn", "2026-03-01"),
    "NH_Penalties_Jun2021.csv": ("penalties", "federal-provider-number", "2021-06-01"),
    "NH_Penalties_Oct2024.csv": ("penalties", "ccn", "2024-10-01"),
    "NH_ProviderInfo_Aug2021.zip": ("providers", "federal-provider-number", "2021-08-01"),
    "NH_ProviderInfo_Dec2025.csv": ("providers", "ccn", "2025-12-01"),
    "NH_ProviderInfo_Jul2025.csv": ("providers", "ccn", "2025-07-01"),
    "NH_ProviderInfo_Nov2024.csv": ("providers", "ccn", "2024-11-01"),
    "NH_ProviderInfo_Nov2025.csv": ("providers", "ccn", "2025-11-01"),
    "NH_ProviderInfo_Oct2025.csv": ("providers", "ccn", "2025-10-01"),
    "NH_ProviderInfo_Sep2025.csv": ("providers", "ccn", "2025-09-01"),
    "NH_QualityMsr_Claims_Oct2024.zip": ("medicare_claims", "ccn", "2024-10-01"),
    "NH_StateUSAverages_Oct2024.csv": ("state_us_averages", "cms", "2024-10-01"),
    "NH_SurveySummary_Oct2024.csv": ("survey_summary", "ccn", "2024-10-01"),
}
ERAS = {"2017Q1": "pbj-2017q1", "2017Q2": "pbj-2017q2", "2017Q3": "pbj-2017q3", "2017Q4": "pbj-2017q3",
        "2021Q4": "pbj-2021q4"}  # fmt: skip


def expected(name):
    """Dataset, layout and coverage key of a real file."""
    if not name.startswith("PBJ_"):
        return OTHERS[name]
    *_, first, second = name.partition(".")[0].split("_")
    quarter = second if first == "CY" else f"{second}{first}"
    return "daily_nurse_staffing", ERAS.get(quarter, "pbj-2018"), quarter


@pytest.mark.golden
def test_every_real_file(real_data):
    source = FolderSource(real_data / "drop")
    files = source.changes(None).files
    assert len(files) == 43
    for file in files:
        if "2017Q2" in file.name:  # it bears a header that CMS's file never had
            with pytest.raises(Unrecognised, match="hrs_rndon more than once"):
                recognised(source, file)
            continue
        found = recognised(source, file)
        assert (found.dataset, found.header.layout, found.coverage.key) == expected(file.name)
        assert found.header.extras == ()


def cells_of_releases(real_data):
    """The header cells of each monthly file by release in which its header changed."""
    with (real_data / "headers" / "monthly_2021_2026.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    for file in sorted({row["file"] for row in rows}):
        mine = [row for row in rows if row["file"] == file]
        for release in sorted({row[end] for row in mine for end in ("first_release", "last_release")}):
            yield (
                file,
                release,
                [row["header_cell"] for row in mine if row["first_release"] <= release <= row["last_release"]],
            )


@pytest.mark.golden
def test_every_header_of_the_daily_files(real_data):
    with (real_data / "headers" / "pbj_2017_2026.csv").open() as stream:
        lines = list(csv.reader(stream))[1:]
    headers = {quarter: cells.split() for quarter, _, cells in lines}
    assert [is_lower_case(Quarter.parse(quarter)) for quarter, *_ in lines] == [
        lower == "True" for _, lower, _ in lines
    ]
    assert len(headers) == 37
    for quarter, cells in headers.items():
        row = ["015009", "N", "C", "AL", "Y", "059", quarter, quarter[:4] + "0101", "51", *["1"] * 25][: len(cells)]
        found = recognise(f"{','.join(cells)}\n{','.join(row)}\n".encode(), "x", complete=True)
        assert (found.dataset, found.coverage.key) == ("daily_nurse_staffing", quarter)
        assert found.header.extras == ()
        assert found.header.absent == (() if quarter == "2021Q4" else ("incomplete",))
        assert [cell.lower() for cell in staffing_header(Quarter.parse(quarter))] == cells


@pytest.mark.golden
def test_every_header_of_the_monthly_files(real_data):
    names = {"claims_quality_measures": "medicare_claims", "provider_information": "providers"}
    seen = 0
    for file, release, cells in cells_of_releases(real_data):
        values = {"Processing Date": f"{release}-01", "Survey Type": "Health"}
        row = ",".join(values.get(cell, "1") for cell in cells)
        for spelt in (cells, [of_the_api(cell) for cell in cells]):
            found = recognise(f"{','.join(spelt)}\n{row}\n".encode(), "x", complete=True)
            assert found.dataset == names.get(file, file)
            assert found.header.extras == ()
        seen += 1
    assert seen > 20


@pytest.mark.golden
def test_the_specimen_of_2017q2_is_the_real_header(real_data, field):
    (path,) = field.glob("*/PBJ_Daily_Nurse_Staffing_CY_2017Q2.csv")
    found = recognise(path.read_bytes(), path.name, complete=True)
    assert (found.header.layout, found.header.extras) == ("pbj-2017q2", ())
    header, *rows = csv.reader(path.read_text().splitlines())
    column = dict(zip(found.header.columns, range(len(header)), strict=True))
    for row in rows:
        for job in JOBS:
            total, employees, contract = (float(row[column[f"hrs_{job}{part}"]]) for part in ("", "_emp", "_ctr"))
            assert abs(total - employees - contract) < 0.01


@pytest.mark.golden
def test_files_of_other_kinds_are_refused(real_data):
    for name in ("synthea/synthea_r4_bundles.zip", "golden/state_2024Q2.csv"):
        with (real_data / name).open("rb") as stream, pytest.raises(Refused):
            recognise(stream.read(65536), name)
