"""An archive of several deliveries: each lands as its own, nothing is lost, nothing lands twice."""

from __future__ import annotations

import gzip
import json
import os
import zipfile
from pathlib import Path

import pytest

from nh_pipeline import datasets
from nh_pipeline.failpoints import Point
from nh_pipeline.lake.storage import Storage
from nh_pipeline.landing import Archive, LandingError, Manifest, Quarantined, RawZone, archive, unpacking
from nh_pipeline.landing.source_state import SourceState
from nh_pipeline.landing.sync import land_changes
from nh_pipeline.sources import Changes, FolderSource, SourceFile, SourceUnavailable
from nh_pipeline_tests.support.landing import kill_at, land
from nh_pipeline_tests.support.local import Nh
from nh_pipeline_tests.support.memory_source import DAY, Memory, md5_of
from nh_pipeline_tests.unit.test_landing_archive import zipped, zipped_as_stream
from nh_pipeline_tests.unit.test_landing_recognise import claims, staffing

DATA = Path(__file__).parents[1] / "data"
A, B, C = claims("2024-10-01"), staffing("2024Q2").encode(), staffing("2024Q1").encode()
ODD = b"a,b\n1,2\n"
JUNK = [
    ("__MACOSX/._NH_Penalties.csv", b"junk"),
    (".DS_Store", b"junk"),
    ("Thumbs.db", b"junk"),
    ("docs/desktop.ini", b"[.ShellClassInfo]"),
    ("~$NH_ProviderInfo.xlsx", b"user"),
    ("docs/", b""),
]
NO_DELIVERIES = [
    ("docs/NH_Data_Dictionary.pdf", b"%PDF-1.7\n" + bytes(range(256)) * 9),
    ("readme.txt", b"Theme archive\n"),
    ("manifest.json", b'{"files": []}'),
]


def excerpts() -> dict[str, bytes]:
    """One file of each kind that CMS's monthly archive has, by name."""
    found = {}
    for dataset in datasets.declared():
        path = max((DATA / dataset.name).glob("*.csv"))
        found[f"{dataset.name}_Oct2024.csv"] = path.read_bytes()
    return found


def monthly(*more) -> bytes:
    return zipped(*JUNK, *NO_DELIVERIES, *excerpts().items(), *more)


def kept(zone):
    return sorted(zone.storage.files())


def test_all_files_of_a_monthly_archive_land_at_once(tmp_path):
    path = tmp_path / "in" / "nursing_homes_10_2024.zip"
    path.parent.mkdir()
    path.write_bytes(monthly())
    nh = Nh(tmp_path / "lake")
    told = " ".join(nh("ingest", path).stdout.split())
    count = len(datasets.declared())
    assert count >= 20
    assert f"{count} landed, 0 known already, 0 in quarantine" in told
    assert "docs/NH_Data_Dictionary.pdf, readme.txt, manifest.json" in told
    zone = RawZone(nh.lake.storage)
    by_name = {d.manifest.dataset: d.manifest for d in zone.deliveries()}
    assert by_name.keys() == {dataset.name for dataset in datasets.declared()}
    for dataset, manifest in by_name.items():
        member = f"{dataset}_Oct2024.csv"
        assert manifest.archive is not None
        assert manifest.archive.model_dump(exclude={"file_id"}) == {
            "name": path.name, "size": path.stat().st_size, "md5": md5_of(path.read_bytes()), "path": member,
        }  # fmt: skip
        assert (manifest.name, manifest.md5) == (f"{path.name}/{member}", md5_of(excerpts()[member]))
    (record,) = zone.storage.files("raw/.archives")
    outcomes = {p["path"]: p["outcome"] for p in json.loads(zone.storage.read(record))["parts"]}
    assert set(outcomes) == {name for name, _ in (*JUNK, *NO_DELIVERIES) if name != "docs/"} | set(excerpts())
    assert {outcomes[name] for name, _ in NO_DELIVERIES} == {"no delivery"}

    before = kept(zone), [zone.storage.read(path) for path in kept(zone)]
    told = nh("ingest", path).stdout
    assert f"0 landed, {count} known already, 0 in quarantine" in told
    assert (kept(zone), [zone.storage.read(path) for path in kept(zone)]) == before


@pytest.mark.parametrize("pack", [zipped, zipped_as_stream, lambda *m: zipped(*m, method=zipfile.ZIP_STORED)])
def test_a_damaged_file_is_quarantined_and_the_others_land(zone, source, pack):
    content = bytearray(pack(("a.csv", A), ("b.csv", B), ("c.csv", C), ("odd.csv", ODD)))
    at = content.index(b"b.csv") + 5 + 20
    content[at : at + 4] = bytes(byte ^ 0xFF for byte in content[at : at + 4])
    file = source.file("f1", bytes(content), name="m.zip")
    landed = zone.land(source, file)
    assert isinstance(landed.document, Archive)
    assert [p.outcome for p in landed.document.parts] == ["landed", "quarantined", "landed", "quarantined"]
    assert [d.manifest.md5 for d in zone.deliveries()] == [md5_of(C), md5_of(A)]
    reasons = {q.archive.path: q.reason for q in zone.quarantined()}
    assert reasons["b.csv"] == "m.zip/b.csv: damaged archive"
    assert reasons["odd.csv"] == "m.zip/odd.csv: not a known CMS file: none of its columns is known"
    before = kept(zone)
    again = RawZone(zone.storage).land(source, file)
    assert not again.created
    assert not any(each.created for each in again.each)
    assert len(again.each) == 4
    assert kept(zone) == before
    for entry in zone.quarantined():  # judged again by what was kept: it is refused again
        assert isinstance(zone.readmit(entry).document, Quarantined)
    assert kept(zone) == before


@pytest.fixture
def unlearned(monkeypatch):
    """Until it ends, claims measures are known to nobody."""
    with monkeypatch.context() as patch:
        known = [dataset for dataset in datasets.declared() if dataset.name != "medicare_claims"]
        patch.setattr(datasets, "declared", lambda: tuple(known))
        yield patch


def test_what_is_learned_is_taken_out_of_quarantine(zone, source, unlearned):
    file = source.file("f1", zipped(("a.csv", A), ("b.csv", B)), name="m.zip")
    zone.land(source, file)
    assert [entry.archive.path for entry in zone.quarantined()] == ["a.csv"]
    assert [part.outcome for part in zone.archives()[0].parts] == ["quarantined", "landed"]
    unlearned.undo()
    landed = zone.land(source, file)
    assert [each.created for each in landed.each] == [True, False]
    assert all(isinstance(each.document, Manifest) for each in landed.each)
    assert zone.quarantined() == []
    (archive,) = zone.archives()
    assert [(part.outcome, part.told) for part in archive.parts] == [
        ("landed", "medicare_claims 2024-10-01"),
        ("landed", "daily_nurse_staffing 2024Q2"),
    ]
    assert not any(each.created for each in RawZone(zone.storage).land(source, file).each)


def test_archives_in_archives_and_packed_members(zone, source):
    inner = zipped(("x/b.csv", B), ("dictionary.pdf", b"%PDF"))
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED):
        content = zipped(("a.csv.gz", gzip.compress(A, mtime=0)), ("in/inner.zip", inner), ("c.txt", C), method=method)
        landed = zone.land(source, source.file(f"f{method}", content, name="m.zip"))
        assert [(p.path, p.outcome) for p in landed.document.parts] == [
            ("a.csv.gz", "landed"),
            ("in/inner.zip/x/b.csv", "landed"),
            ("in/inner.zip/dictionary.pdf", "no delivery"),
            ("c.txt", "landed"),  # by what it holds, not by its name
        ]
    by_key = {d.manifest.coverage.key: d for d in zone.deliveries()}
    for key, content in (("2024-10-01", A), ("2024Q2", B), ("2024Q1", C)):
        with zone.open(by_key[key]) as stream:
            assert stream.read() == content


def nested(depth: int) -> bytes:
    content = zipped(("b.csv", B))
    for _ in range(depth - 1):
        content = zipped(("a.csv", A), ("inner.zip", content))
    return content


def test_limits(zone, source, monkeypatch):
    assert isinstance(zone.land(source, source.file("f1", nested(3))).document, Archive)
    assert zone.quarantined() == []
    zone.land(source, source.file("f2", nested(4)))
    (entry,) = zone.quarantined()
    assert "archives in archives" in entry.reason
    with monkeypatch.context() as patch:
        patch.setattr(unpacking, "MAX_MEMBERS", 2)
        found = zone.land(source, source.file("f3", zipped(("a.csv", A), ("b.csv", B), ("c.csv", C)))).document
        assert "too many files in the archive" in found.reason
    with monkeypatch.context() as patch:
        patch.setattr(archive, "RATIO_FROM_BYTES", 1_000_000)
        bomb = zipped(("a.csv", A), ("zeros.csv", b"0" * 5_000_000))
        found = zone.land(source, source.file("f4", bomb)).document
        assert "unpacks to too much" in found.reason
        assert found.overrulable
        many = zipped(*((f"{n}.csv", b"0" * 900_000) for n in range(9)))  # each by itself is small enough
        assert "unpacks to too much" in zone.land(source, source.file("f5", many)).document.reason
        hidden = zipped(("a.csv", A), ("i.zip", zipped(("zeros.csv", b"0" * 5_000_000), ("b.csv", B))))
        landed = zone.land(source, source.file("f6", hidden, name="m.zip"))
        assert [p.outcome for p in landed.document.parts] == ["landed", "quarantined"]
        admitted = zone.readmit(next(q for q in zone.quarantined() if q.file_id == "f4"), overruled="it is genuine")
        assert [type(each.document) for each in admitted.each] == [Manifest, Quarantined]


def test_an_archive_without_deliveries_is_refused_as_a_whole(zone, source):
    for n, members in enumerate((NO_DELIVERIES, [*JUNK, *NO_DELIVERIES])):
        found = zone.land(source, source.file(f"f{n}", zipped(*members), name="docs.zip"))
        assert isinstance(found.document, Quarantined)
        assert "no delivery in the archive" in found.document.reason
        assert "readme.txt" in found.document.found
    workbook = zipped(("[Content_Types].xml", b"<x/>"), ("xl/workbook.xml", b"<x/>"), ("xl/worksheets/s.xml", b"<x/>"))
    assert "a workbook" in zone.land(source, source.file("f9", workbook, name="NH.xlsx")).document.reason
    assert not [path for path in kept(zone) if path.startswith("raw/")]


KILLS = [
    (Point.RECEIVED, "m.zip"),
    (Point.RECEIVED, "m.zip/a.csv"),
    (Point.MOVED, "m.zip/a.csv"),
    (Point.LANDED, "m.zip/a.csv"),
    (Point.RECEIVED, "m.zip/odd.csv"),
    (Point.MOVED, "m.zip/odd.csv"),
    (Point.RECEIVED, "m.zip/in.zip/b.csv"),
    (Point.MOVED, "m.zip/in.zip/b.csv"),
    (Point.LANDED, "m.zip/in.zip/b.csv"),  # all are kept, and nothing says so
]


def test_a_landing_that_is_killed_is_finished_by_the_next(tmp_path):
    path = tmp_path / "m.zip"
    path.write_bytes(zipped(("a.csv", A), ("odd.csv", ODD), ("readme.txt", b"x"), ("in.zip", zipped(("b.csv", B)))))

    def state(zone):
        """All that is kept, but for the time."""
        found = {p: zone.storage.read(p) for p in kept(zone) if not p.startswith("raw/.incoming/")}
        return {p: {**json.loads(c), "landed_at": 0} if p.endswith(".json") else c for p, c in found.items()}

    undisturbed = RawZone(Storage(str(tmp_path / "undisturbed")))
    assert land(undisturbed, path).created
    kills = {tmp_path / f"lake {n}": kill for n, kill in enumerate(KILLS)}
    kill_at(path, kills)
    for root, told in kills.items():
        left = RawZone(Storage(str(root)))
        assert left.archives() == [], told
        for delivery in left.deliveries():
            assert md5_of(left.storage.read(delivery.file)) == delivery.delivery_id, told
        before = {d.manifest.md5 for d in left.deliveries()}
        landed = land(RawZone(left.storage), path)
        assert landed.created, told
        manifests = [each for each in landed.each if isinstance(each.document, Manifest)]
        assert {each.document.md5 for each in manifests if not each.created} == before, told
        assert state(left) == state(undisturbed), told
        again = land(RawZone(left.storage), path)
        assert not any(each.created for each in (again, *again.each)), told


def test_what_was_taken_out_of_the_lake_comes_again(zone, source):
    content = zipped(("a.csv", A), ("odd.csv", ODD), ("b.csv", B))
    file = source.file("f1", content, name="m.zip", md5=md5_of(content))
    first = zone.land(source, file)
    before = kept(zone)
    for lost in first.each:
        zone.storage.delete(lost.path)
        again = RawZone(zone.storage).land(source, file)
        assert [each.path for each in again.each if each.created] == [lost.path]
        assert kept(zone) == before


def test_a_crash_while_a_refused_file_is_taken_leaves_it_refused(zone, source, unlearned, monkeypatch):
    file = source.file("f1", A)
    entry = zone.land(source, file).document
    unlearned.undo()
    with monkeypatch.context() as crash:
        crash.setattr(Storage, "write", lambda *_: (_ for _ in ()).throw(OSError("power cut")))
        with pytest.raises(OSError, match="power cut"):
            zone.readmit(entry)
    assert zone.quarantined() == [entry]
    assert zone.deliveries() == []
    assert isinstance(RawZone(zone.storage).readmit(entry).document, Manifest)
    assert zone.quarantined() == []


class Held(Memory):
    """An authoritative source."""

    authoritative = True

    def __init__(self):
        super().__init__()
        self.files = {}

    def put(self, file_id, content, *, day=0):
        self.files[file_id] = self.file(file_id, content, day=day, name="m.zip", size=len(content), md5=md5_of(content))

    def changes(self, cursor):
        return Changes(files=list(self.files.values()), removed=[], cursor="1", complete=True)


def test_what_counts_of_an_archive_follows_its_source(zone):
    source = Held()

    def counting():
        land_changes(source, zone, SourceState(zone.storage, source.name))
        return {d.manifest.md5 for d in zone.deliveries() if not d.withdrawn}

    source.put("f1", zipped(("a.csv", A), ("b.csv", B), ("readme.txt", b"x")))
    assert counting() == {md5_of(A), md5_of(B)}
    assert SourceState(zone.storage, source.name).pending() == []
    source.put("f1", zipped(("a.csv", A), ("c.csv", C)), day=1)  # one stays, one is gone, one is new
    assert counting() == {md5_of(A), md5_of(C)}
    source.put("f1", A, day=2)
    assert counting() == {md5_of(A)}
    source.put("f1", zipped(("a.csv", A), ("b.csv", B), ("readme.txt", b"x")), day=3)
    assert counting() == {md5_of(A), md5_of(B)}
    source.files.clear()
    assert counting() == set()


def test_a_known_file_is_read_once_and_not_copied(tmp_path, zone, monkeypatch):
    folder = tmp_path / "in"
    folder.mkdir()
    for name, content in (("a.csv", A), ("b.csv", B), ("m.zip", zipped(("a.csv", A), ("c.csv", C)))):
        (folder / name).write_bytes(content)
    source = FolderSource(folder)
    for file in source.changes().files:
        zone.land(source, file)
    again, listings, reads = RawZone(zone.storage), [], []
    files, chunks = Storage.files, FolderSource._chunks
    monkeypatch.setattr(Storage, "create", lambda *_: pytest.fail("copied"))
    monkeypatch.setattr(Storage, "files", lambda *args, **more: listings.append(args) or files(*args, **more))
    monkeypatch.setattr(FolderSource, "_chunks", lambda self, file: reads.append(file.name) or chunks(self, file))
    outcomes = [again.land(source, file) for file in source.changes().files]
    assert [landed.created for landed in outcomes] == [False] * 3
    assert [listing[1] for listing in listings] == ["raw", "quarantine"]
    assert reads == ["a.csv", "b.csv", "m.zip"]


def test_a_refused_file_is_read_once_and_not_copied(tmp_path, zone, source, unlearned, monkeypatch):
    (path := tmp_path / "a.csv").write_bytes(A)
    folder = FolderSource(path)
    (listed,) = folder.changes().files
    told = source.file("f1", ODD, md5=md5_of(ODD))  # its source tells the md5
    before = [zone.land(folder, listed).document, zone.land(source, told).document]
    again, downloads = RawZone(zone.storage), source.downloads
    with monkeypatch.context() as patch:
        patch.setattr(Storage, "create", lambda *_: pytest.fail("copied"))
        patch.setattr(Storage, "move", lambda *_: pytest.fail("moved"))
        outcomes = [again.land(folder, listed), again.land(source, told)]
    assert [outcome.document for outcome in outcomes] == before
    assert not any(outcome.created for outcome in outcomes)
    assert source.downloads == downloads
    unlearned.undo()
    assert isinstance(again.land(folder, listed).document, Manifest)
    assert [entry.file_id for entry in zone.quarantined()] == ["f1"]


@pytest.mark.parametrize("change", [b"other bytes", None])
def test_kept_bytes_that_were_changed_are_not_judged(zone, source, unlearned, change):
    file = source.file("f1", A, name="a.csv", md5=md5_of(A))
    entry = zone.land(source, file).document
    zone.storage.write(entry.file, change) if change else zone.storage.delete(entry.file)
    with pytest.raises(LandingError, match="land the file again"):
        zone.readmit(entry)
    assert zone.land(source, file).document == entry  # from the source: the evidence is whole again
    assert zone.storage.read(entry.file) == A
    zone.storage.delete(entry.file)
    unlearned.undo()
    assert isinstance(zone.land(source, file).document, Manifest)
    assert zone.quarantined() == []


def test_a_changed_file_is_not_taken_for_the_one_that_landed(tmp_path, zone):
    path = tmp_path / "PBJ.csv"
    path.write_bytes(B)
    source = FolderSource(path)
    zone.land(source, source.changes().files[0])
    path.write_bytes(C)
    os.utime(path, (DAY.timestamp(), DAY.timestamp()))
    landed = zone.land(source, source.changes().files[0])
    assert landed.created
    assert landed.document.coverage.key == "2024Q1"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_file_whose_end_is_cut_off_is_not_taken(zone, source, end):
    content = staffing(*["2024Q2"] * 50, end=end).encode()
    for n, pack in enumerate((bytes, gzip.compress, lambda c: zipped(("a.csv", c)))):
        entry = zone.land(source, source.file(f"f{n}", pack(content[:-30]), name="PBJ.csv")).document
        assert isinstance(entry, Quarantined)
        assert entry.reason == "PBJ.csv: its end is cut off"
        assert "line 51: expected 33 cells" in entry.found
    whole = content.removesuffix(end.encode())  # no line end, but all cells
    assert isinstance(zone.land(source, source.file("f8", whole)).document, Manifest)
    ragged = content + b"a remark" + end.encode()  # a line with too few cells is refused by itself
    assert isinstance(zone.land(source, source.file("f9", ragged)).document, Manifest)


def test_a_file_that_grows_while_it_lands_is_not_taken(tmp_path, zone):
    path = tmp_path / "PBJ.csv"
    path.write_bytes(B)
    source = FolderSource(path)
    (file,) = source.changes().files
    with path.open("ab") as stream:
        stream.write(B.splitlines(keepends=True)[1])
    with pytest.raises(SourceUnavailable, match="still being written"):
        zone.land(source, file)
    assert kept(zone) == []
    assert zone.land(source, source.changes().files[0]).created


@pytest.mark.parametrize("ending", ["part", "opdownload", "filepart"])
def test_specimen_of_a_partial_download(field, tmp_path, zone, source, ending):
    (path,) = (field / "15-partial-download").glob(f"*.{ending}")
    nh = Nh(tmp_path / "lake")
    told = " ".join(nh("ingest", path).stdout.split())
    assert f"left out {path.name}: it is still being written" in told
    assert "0 landed" in told
    renamed = zone.land(source, source.file("f1", path.read_bytes(), name="PBJ_Q1.csv")).document
    assert renamed.reason == "PBJ_Q1.csv: its end is cut off"


def test_specimen_of_a_monthly_archive(field, zone):
    (path,) = (field / "11-monthly-zip").glob("*.zip")
    source = FolderSource(path)
    (file,) = source.changes().files
    assert isinstance(file, SourceFile)
    landed = zone.land(source, file)
    assert [p.outcome for p in landed.document.parts].count("landed") == 5
    assert zone.quarantined() == []
