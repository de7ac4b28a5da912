"""Landing exactly once, from any source, with nothing left behind when it fails."""

from __future__ import annotations

import gzip
import hashlib
import os
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import pytest

from nh_pipeline.lake.storage import Storage
from nh_pipeline.landing import LandingError, Manifest, Quarantined, RawZone
from nh_pipeline.sources import FolderSource, SourceUnavailable
from nh_pipeline_tests.support.memory_source import DAY, md5_of
from nh_pipeline_tests.unit.test_landing_recognise import claims, expected, staffing

Q2 = staffing("2024Q2", "2024Q2").encode()
Q2_CORRECTED = staffing("2024Q2").encode()
UNKNOWN = b"a,b\n1,2\n"


def everything(zone):
    return list(zone.storage.files())


def test_lands_with_a_manifest(zone, source):
    landed = zone.land(source, source.file("f1", Q2, name="PBJ.csv"))
    md5 = md5_of(Q2)
    assert landed.created
    assert landed.path == f"raw/daily_nurse_staffing/2024Q2/f1-{md5}"
    assert everything(zone) == [f"{landed.path}/delivery.csv", f"{landed.path}/manifest.json"]
    manifest = landed.document
    assert isinstance(manifest, Manifest)
    assert manifest.sha256 == hashlib.sha256(Q2).hexdigest()
    assert (manifest.source, manifest.name, manifest.size, manifest.csv_size) == ("memory", "PBJ.csv", len(Q2), len(Q2))
    assert (manifest.dataset, manifest.layout, manifest.encoding) == ("daily_nurse_staffing", "pbj-2018", "utf-8")
    assert (manifest.compression, manifest.member, manifest.extras) == ("csv", None, ())
    assert manifest.modified_at == DAY
    assert manifest.landed_at.tzinfo is not None
    (delivery,) = zone.deliveries()
    assert (delivery.manifest, delivery.path, delivery.delivery_id) == (manifest, landed.path, md5)
    with zone.open(delivery) as stream:
        assert stream.read() == Q2


def test_the_same_content_again_changes_nothing(zone, source):
    first = zone.land(source, source.file("f1", Q2))
    again = zone.land(source, source.file("f1", Q2, day=9, name="renamed.csv"))
    assert not again.created
    assert (again.document, again.path) == (first.document, first.path)
    assert len(everything(zone)) == 2
    downloads = source.downloads
    zone.land(source, source.file("f1", Q2, md5=md5_of(Q2)))
    assert source.downloads == downloads, "a content that is known by its md5 is not downloaded again"


def test_corrections_are_ordered_by_business_time_not_by_arrival(tmp_path, source):
    files = [source.file("f1", Q2, day=5), source.file("f2", Q2_CORRECTED, day=2), source.file("f3", Q2, day=1)]
    orders = []
    for turn, order in enumerate([(0, 1, 2), (2, 1, 0), (1, 2, 0)]):
        zone = RawZone(Storage(str(tmp_path / str(turn))))
        for index in order:
            zone.land(source, files[index])
        orders.append([(d.path, d.manifest.modified_at) for d in zone.deliveries("daily_nurse_staffing")])
        assert zone.deliveries("providers") == []
    assert orders[0] == orders[1] == orders[2]
    # f1 and f3 are one content, first seen on day 1: it precedes the correction of day 2.
    assert [path.rpartition("/")[2].partition("-")[0] for path, _ in orders[0]] == ["f3", "f2"]


def test_deliveries_are_sorted(zone, source):
    zone.land(source, source.file("c", claims("2024-10-01")))
    zone.land(source, source.file("b", staffing("2024Q3").encode()))
    zone.land(source, source.file("a", Q2))
    found = [(d.manifest.dataset, d.manifest.coverage.key) for d in zone.deliveries()]
    assert found == [("daily_nurse_staffing", "2024Q2"), ("daily_nurse_staffing", "2024Q3"),
                     ("medicare_claims", "2024-10-01")]  # fmt: skip
    assert len(zone.deliveries("medicare_claims")) == 1


def test_packed_deliveries_keep_their_bytes(zone, source):
    packed = gzip.compress(Q2)
    landed = zone.land(source, source.file("f1", packed))
    assert zone.storage.read(f"{landed.path}/delivery.gz") == packed
    with zone.open(zone.deliveries()[0]) as stream:
        assert stream.read() == Q2


def test_the_encoding_is_that_of_the_whole_file(zone, source):
    text = staffing(*["2024Q2"] * 2000) + staffing("2024Q2", name="O\u2019Brien").partition("\n")[2]
    content = text.encode("cp1252")
    assert content.index(b"\x92") > 65536
    assert zone.land(source, source.file("f1", content)).document.encoding == "cp1252"
    with_nul = content[:100_000] + b"\0" + content[100_000:]
    assert isinstance(zone.land(source, source.file("f2", with_nul)).document, Quarantined)


def test_a_refused_file_goes_to_quarantine_once(zone, source):
    first = zone.land(source, source.file("f1", UNKNOWN))
    assert first.created
    assert isinstance(first.document, Quarantined)
    assert first.path == f"quarantine/f1-{md5_of(UNKNOWN)}"
    assert everything(zone) == [f"{first.path}/delivery.csv", f"{first.path}/reason.json"]
    assert "not a known CMS file" in first.document.reason
    assert first.document.expected
    assert first.document.found
    assert first.document.what_to_do
    again = zone.land(source, source.file("f1", UNKNOWN, day=3))
    assert not again.created
    assert again.document == first.document
    assert zone.quarantined() == [first.document]
    assert zone.deliveries() == []
    assert len(everything(zone)) == 2


def test_an_empty_file_and_a_cut_off_archive(zone, source):
    assert "empty" in zone.land(source, source.file("f1", b"")).document.reason
    assert "damaged" in zone.land(source, source.file("f2", gzip.compress(Q2)[:-9])).document.reason


LOG = (
    b'{"exportId":"e","eventId":"kickoff"}\n{"exportId":"e","eventDetail":{"transactionTime":"2024-08-06T18:12:57Z"}}\n'
)


@pytest.mark.parametrize(
    ("content", "day"),
    [
        (LOG, "2024-08-06"),
        (gzip.compress(LOG), "2024-08-06"),
        (b'{"transactionTime":"2024-08-06T23:30:00-04:00",\n"output":[]}', "2024-08-07"),
        (b'{"exportId":"e","eventId":"kickoff"}', f"{DAY:%Y-%m-%d}"),
    ],
)
def test_what_an_export_says_of_itself_is_kept_beside_its_files_and_has_no_rows(zone, source, content, day):
    landed = zone.land(source, source.file("f1", content))
    assert landed.path == f"raw/fhir_export_log/{day}/f1-{md5_of(content)}"
    assert "has no rows" in landed.document.told
    assert landed.document.csv_size == len(gzip.decompress(content) if content[:1] == b"\x1f" else content)
    assert zone.land(source, source.file("f1", content)).document == landed.document


def test_a_quarantined_content_that_is_understood_now_is_landed(zone, source, monkeypatch):
    file = source.file("f1", Q2)
    with monkeypatch.context() as older:
        older.setattr(sys.modules["nh_pipeline.landing.recognise"], "candidates", lambda _: [])
        assert isinstance(zone.land(source, file).document, Quarantined)
    assert isinstance(zone.land(source, file).document, Manifest)
    assert zone.quarantined() == []
    assert not any(path.startswith("quarantine") for path in everything(zone))


@pytest.mark.parametrize(("field", "value"), [("size", 5), ("md5", "0" * 32)])
def test_a_mismatch_leaves_nothing(zone, source, field, value):
    with pytest.raises(LandingError, match=f"expected {'bytes' if field == 'size' else 'md5'} {value}"):
        zone.land(source, source.file("f1", Q2, **{field: value}))
    assert everything(zone) == []


def test_a_failing_source_leaves_nothing(zone, source, monkeypatch):
    def fail(file, out):
        out.write(b"half")
        raise SourceUnavailable("gone")

    monkeypatch.setattr(source, "download", fail)
    with pytest.raises(SourceUnavailable):
        zone.land(source, source.file("f1", Q2))
    assert everything(zone) == []


def test_a_folder_without_a_manifest_is_no_delivery(zone, source, monkeypatch):
    file = source.file("f1", Q2)
    with monkeypatch.context() as crash:
        crash.setattr(Storage, "write", lambda *_: (_ for _ in ()).throw(OSError("power cut")))
        with pytest.raises(OSError, match="power cut"):
            zone.land(source, file)
    assert zone.deliveries() == []
    (left,) = everything(zone)
    zone.storage.write(left, b"rubbish")
    assert zone.land(source, file).created
    with zone.open(zone.deliveries()[0]) as stream:
        assert stream.read() == Q2


@pytest.mark.parametrize("name", ["../../etc/passwd", "a\nb\x00\x1b[31m", "n" * 300, "con.csv", "ü/😀"])
def test_names_are_only_text(zone, source, name):
    landed = zone.land(source, source.file("f1", Q2, name=name))
    assert landed.document.name == name
    assert zone.deliveries()[0].manifest.name == name
    assert landed.path.count("/") == 3
    assert len(everything(zone)) == 2


def test_from_a_folder(zone, tmp_path):
    (tmp_path / "drop").mkdir()
    (tmp_path / "drop" / "x.csv").write_bytes(Q2)
    os.utime(tmp_path / "drop" / "x.csv", (0, 0))
    source = FolderSource(tmp_path / "drop")
    (file,) = source.changes().files
    assert zone.land(source, file).document.modified_at == datetime(1970, 1, 1, tzinfo=timezone.utc)


def test_no_dagster():
    code = "import sys, nh_pipeline.landing, nh_pipeline.sources; assert 'dagster' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).resolve().parents[2])


@pytest.mark.golden
def test_every_real_file_lands(zone, real_data):
    source = FolderSource(real_data / "drop")
    files = source.changes().files
    for file in files:
        if "2017Q2" in file.name:  # it bears a header that CMS's file never had
            continue
        manifest = zone.land(source, file).document
        assert isinstance(manifest, Manifest)
        assert (manifest.dataset, manifest.layout, manifest.coverage.key) == expected(file.name)
    assert len(zone.deliveries()) + 1 == len(files) == 43
    assert zone.quarantined() == []
    encodings = {delivery.manifest.name: delivery.manifest.encoding for delivery in zone.deliveries()}
    # Its five bytes beyond ASCII are far behind the first 64 KB.
    assert encodings["PBJ_Daily_Nurse_Staffing_Q2_2024.zip"] == "cp1252"
    assert not any(zone.land(source, file).created for file in files[:3])
