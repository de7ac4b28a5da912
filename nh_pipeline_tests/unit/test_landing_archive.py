"""The CSV in a delivery, however it is packed, and what is refused."""

from __future__ import annotations

import contextlib
import gzip
import io
import struct
import zipfile

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nh_pipeline.landing import CutOff, Refused, archive
from nh_pipeline.landing.archive import kind, open_csv, start_of_csv

CSV = b"a,b\n" + b"".join(b"%d,%d\n" % (n, n * n) for n in range(40_000))


def zipped(*members, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as target:
        for name, content in members:
            target.writestr(name, content)
    return out.getvalue()


class _Pipe(io.RawIOBase):
    """A stream that zipfile cannot seek in, so that it writes sizes after the members."""

    def __init__(self):
        self.content = b""

    def writable(self):
        return True

    def write(self, content):
        self.content += bytes(content)
        return len(content)


def zipped_as_stream(*members):
    out = _Pipe()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in members:
            target.writestr(name, content)
    return out.content


def read(content):
    opened = open_csv(io.BytesIO(content), "x")
    with opened.stream as stream:
        return stream.read(), opened.compression, opened.member


JUNK = [("__MACOSX/._a.csv", b"junk"), ("folder/", b""), (".DS_Store", b"junk"), ("folder/.x/y.csv", b"junk")]


@pytest.mark.parametrize(
    ("content", "compression", "member"),
    [
        (CSV, "csv", None),
        (gzip.compress(CSV), "gz", None),
        (gzip.compress(CSV[:1000]) + gzip.compress(CSV[1000:]), "gz", None),
        (zipped(("a.csv", CSV)), "zip", "a.csv"),
        (zipped(("a.csv", CSV), method=zipfile.ZIP_STORED), "zip", "a.csv"),
        (zipped(*JUNK, ("folder/é.CSV", CSV)), "zip", "folder/é.CSV"),
        (zipped(("a.csv", CSV), ("readme.pdf", b"x")), "zip", "a.csv"),
        (zipped(("data", CSV)), "zip", "data"),
        (zipped_as_stream(*JUNK, ("a.csv", CSV)), "zip", "a.csv"),
    ],
)
def test_every_packing(content, compression, member):
    assert read(content) == (CSV, compression, member)
    if compression == "zip":
        with pytest.raises(CutOff, match="its directory, which is at its end"):
            start_of_csv(content[:65536], "x")
    else:
        assert start_of_csv(content[:65536], "x") == CSV[:65536]
        assert start_of_csv(content[:1000], "x", size=100) == CSV[:100]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (zipped(), "no file in the archive"),
        (zipped(*JUNK), "no file in the archive"),
        (zipped(("a.csv", CSV), ("b.csv", CSV)), "several files in the archive"),
        (zipped(("a.zip", zipped(("a.csv", CSV)))), "an archive in an archive"),
        (zipped(("a.csv", gzip.compress(CSV))), "an archive in an archive"),
        (gzip.compress(gzip.compress(CSV)), "an archive in an archive"),
        (zipped(("a.csv", CSV), method=zipfile.ZIP_LZMA), "unknown compression"),
        (zipped(("a.csv", CSV))[:-30], "damaged archive"),
        (b"PK\x03\x04", "damaged archive"),
        (b"PK\x05\x06xyz", "damaged archive"),
        (gzip.compress(CSV)[:-5], "damaged archive"),
        (gzip.compress(CSV)[:-8] + b"12345678", "damaged archive"),
        (b"\x1f\x8b", "damaged archive"),
    ],
)
def test_refused(content, reason):
    with pytest.raises(Refused, match=reason) as caught:
        read(content)
    assert caught.value.expected
    assert caught.value.found
    assert caught.value.what_to_do


def test_encrypted():
    content = bytearray(zipped(("a.csv", CSV)))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(Refused, match="encrypted archive"):
        read(bytes(content))


def test_damage_within_a_member_is_found_at_the_end():
    content = bytearray(zipped(("a.csv", CSV), method=zipfile.ZIP_STORED))
    content[5000] ^= 1
    with pytest.raises(Refused, match="Bad CRC-32"):
        read(bytes(content))


def test_bombs(monkeypatch):
    monkeypatch.setattr(archive, "RATIO_FROM_BYTES", 1_000_000)
    zeros = b"0" * 5_000_000
    for content in (zipped(("a.csv", zeros)), gzip.compress(zeros)):
        with pytest.raises(Refused, match="unpacks to too much"):
            read(content)
    monkeypatch.setattr(archive, "MAX_BYTES", 1000)
    for content in (CSV, gzip.compress(CSV), zipped(("a.csv", CSV))):
        with pytest.raises(Refused, match="unpacks to too much"):
            read(content)


def test_a_bomb_that_declares_a_small_size():
    content = bytearray(zipped(("a.csv", b"0" * 1_000_000)))
    struct.pack_into("<I", content, content.index(b"PK\x01\x02") + 24, 10)
    with pytest.raises(Refused, match="damaged archive"):
        read(bytes(content))


def test_kind_is_told_by_content():
    assert kind(b"") == "csv"
    assert kind(zipped()) == "zip"


def test_closing_closes_the_delivery():
    for content in (CSV, gzip.compress(CSV), zipped(("a.csv", CSV))):
        delivery = io.BytesIO(content)
        open_csv(delivery, "x").stream.close()
        assert delivery.closed


@given(st.sampled_from([b"", b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b\x08\x00", zipped(("a.csv", CSV[:300]))]),
       st.binary(max_size=200), st.integers(0, 500))  # fmt: skip
def test_no_bytes_raise_anything_else(prefix, rest, cut):
    content = prefix[:cut] + rest
    for delivery in (io.BytesIO(content), pa.BufferReader(content)):
        with contextlib.suppress(Refused):
            open_csv(delivery, "x").stream.read()
    with contextlib.suppress(Refused):
        start_of_csv(content, "x")
