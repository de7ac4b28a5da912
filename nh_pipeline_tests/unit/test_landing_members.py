"""Which member of an archive is the CSV: looking at it where it is, and landing, say the same."""

from __future__ import annotations

import io
import random
import struct
import sys
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nh_pipeline.lake.storage import Storage
from nh_pipeline.landing import Manifest, RawZone, Refused
from nh_pipeline.landing.archive import open_csv
from nh_pipeline.landing.recognise import inspect_file, recognise
from nh_pipeline.landing.refused import SeveralDeliveries
from nh_pipeline.landing.selection import recognised
from nh_pipeline.sources.ranged import Ranged
from nh_pipeline_tests.support.memory_source import Memory
from nh_pipeline_tests.unit.test_landing_archive import JUNK, zipped, zipped_as_stream
from nh_pipeline_tests.unit.test_landing_recognise import citations, staffing

CSV = staffing(*["2024Q2"] * 20).encode()
LONG = staffing(*["2024Q2"] * 60_000).encode()
NOISE = random.Random(1).randbytes(100_000)  # noqa: S311 - what does not compress
PDF = b"%PDF-1.7\n" + NOISE
WORKBOOK = zipped(("[Content_Types].xml", b"<x/>"), ("xl/sheet.csv", CSV), ("xl/data.bin", NOISE))
BEFORE = [
    [("dictionary.pdf", PDF)],
    [("readme.txt", b"PBJ daily nurse staffing\n")],
    [("dictionary.xlsx", WORKBOOK)],
    [("docs/", b""), ("docs/dictionary.pdf", PDF[:3000]), ("docs/notes.docx", WORKBOOK)],
    [*JUNK, ("LICENSE", b"free")],
]


class Far(Memory):
    """A source of which only what is read is fetched."""

    def __init__(self):
        super().__init__()
        self.fetched = 0

    def open(self, file):
        content = self.contents[file.file_id]

        def fetch(start, size):
            self.fetched += size
            return content[start : start + size]

        return io.BufferedReader(Ranged(fetch, len(content)))


def looked_at(content, *, told=True):
    """What a file is without landing it; ``told``: its source knows how large it is."""
    source = Far()
    return recognised(source, source.file("f1", content, name="x", size=len(content) if told else None))


def landed(content):
    with open_csv(io.BytesIO(content), "x").stream as stream:
        return inspect_file(stream, "x")


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("pack", [zipped, zipped_as_stream, lambda *m: zipped(*m, method=zipfile.ZIP_STORED)])
@pytest.mark.parametrize("csv", [CSV, LONG], ids=["short", "long"])
def test_what_comes_before_the_csv_does_not_matter(before, pack, csv):
    content = pack(*before, ("PBJ.CSV", csv), ("after.pdf", PDF))
    assert open_csv(io.BytesIO(content), "x").member == "PBJ.CSV"
    assert recognise(content, "x", complete=True) == landed(content)
    for told in (True, False):
        found = looked_at(content, told=told)
        assert (found.dataset, found.coverage.key) == ("daily_nurse_staffing", "2024Q2")
        if csv is CSV:
            assert found == landed(content)


def test_only_what_is_read_is_fetched():
    content, source = zipped(("a.pdf", NOISE * 40), ("a.csv", LONG), ("b.pdf", NOISE * 40)), Far()
    assert recognised(source, source.file("f1", content, size=len(content))).coverage.key == "2024Q2"
    assert source.fetched < 1_000_000 < len(content)


@pytest.mark.parametrize("pack", [zipped, zipped_as_stream])
def test_several_csvs_are_not_read_as_one(pack):
    content = pack(("readme.txt", b"x"), ("a.csv", CSV), ("b.csv", CSV))
    for look in (landed, lambda c: recognise(c, "x", complete=True)):
        with pytest.raises(Refused, match=r"several files in the archive: .* found 2: 'a.csv', 'b.csv'"):
            look(content)
    for told in (True, False):
        with pytest.raises(SeveralDeliveries):
            looked_at(content, told=told)


@pytest.mark.parametrize(
    "content",
    [
        zipped(("a.pdf", PDF)),
        zipped(("a.pdf", PDF), ("b.txt", b"x")),
        zipped(),
        zipped(*JUNK),
        zipped(("a.csv", zipped(("b.csv", CSV)))),
        zipped(("a.zip", zipped(("b.csv", CSV)))),
        zipped(("a.csv", b"")),
        zipped(("a.csv", b"a,b\n1,2\n")),
        zipped(("a.csv", CSV))[:-30],
        zipped(("a.csv", CSV), method=zipfile.ZIP_LZMA),
        zipped(("a.csv", citations("Health", "Fire Safety"))),
        zipped(("a.pdf", PDF), ("a.csv", CSV[:-1] + b"\0\n")),
    ],
)
def test_the_whole_file_is_refused_alike(content):
    told = []
    for look in (landed, lambda c: recognise(c, "x", complete=True)):
        with pytest.raises(Refused) as caught:
            look(content)
        told.append((type(caught.value), str(caught.value)))
    assert told[0] == told[1]


def test_a_damage_behind_the_first_rows_is_seen_if_all_is_there():
    content = bytearray(zipped(("a.csv", LONG[:200_000]), method=zipfile.ZIP_STORED))
    content[150_000] ^= 1
    with pytest.raises(Refused, match="damaged archive"):
        recognise(bytes(content), "x", complete=True)


def test_the_only_member_needs_no_name_of_a_csv():
    for content in (zipped(("data", LONG)), zipped(*JUNK, ("data", LONG)), zipped_as_stream(("data", LONG))):
        assert looked_at(content).dataset == landed(content).dataset
    for first in (("data", NOISE), ("data", zipped(("x", NOISE))), ("data", b"a,b\n1,2\n" * 100_000)):
        content = zipped(first, ("a.csv", CSV))  # not the only one
        assert looked_at(content) == landed(content)


def test_sizes_of_eight_bytes():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, member in (("a.pdf", PDF), ("a.csv", CSV)):
            with archive.open(name, "w", force_zip64=True) as stream:
                stream.write(member)
    content = out.getvalue()
    if sys.version_info >= (3, 11):  # before, zipfile wrote the sizes of four bytes as well
        assert struct.pack("<I", 0xFFFFFFFF) in content[:100]
    assert looked_at(content) == landed(content)


MEMBERS = st.lists(
    st.tuples(st.sampled_from(["a.csv", "b.CSV", "c.pdf", "d", "e/", ".f", "__MACOSX/a.csv"]),
              st.sampled_from([CSV, b"", PDF[:500], WORKBOOK[:5000], b"a,b\n1,2\n"])),
    max_size=4, unique_by=lambda member: member[0],
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(MEMBERS, st.booleans())
def test_no_archive_is_judged_in_two_ways(members, as_stream):
    members = [(name, b"" if name.endswith("/") else content) for name, content in members]
    content = (zipped_as_stream if as_stream else zipped)(*members)

    def outcome(look, *arguments, **options):
        try:
            return look(*arguments, **options)
        except SeveralDeliveries:
            return SeveralDeliveries
        except Refused as refused:
            return type(refused), str(refused)

    found = outcome(landed, content)
    assert outcome(recognise, content, "x", complete=True) == found
    for told in (True, False):
        assert outcome(looked_at, content, told=told) in (found, SeveralDeliveries)
    if not isinstance(found, tuple):  # one CSV, and no other file that may hold one
        assert outcome(looked_at, content) == found


def test_specimen_of_a_pdf_before_the_csv(field, tmp_path):
    (path,) = (field / "13-pdf-before-the-csv").glob("*.zip")
    content = path.read_bytes()
    assert looked_at(content).coverage.key == "2024Q1"
    zone, source = RawZone(Storage(str(tmp_path / "lake"))), Memory()
    document = zone.land(source, source.file("f1", content)).document
    assert isinstance(document, Manifest)
    assert document.member == "PBJ_Daily_Nurse_Staffing_Q1_2024.csv"
