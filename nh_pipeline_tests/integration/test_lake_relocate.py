"""A lake that was moved, copied or restored: it says so, harms nobody, and is relocated."""

from __future__ import annotations

import gzip
import hashlib
import re
import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.typedef import Record
from typer.testing import CliRunner

from nh_pipeline.cli.main import app
from nh_pipeline.errors import LakeError, LakeMovedError
from nh_pipeline.lake import avro
from nh_pipeline.lake import relocate as relocating
from nh_pipeline.lake.lake import Lake
from nh_pipeline.lake.maintain import sweep
from nh_pipeline.lake.relocate import relocate
from nh_pipeline.lake.storage import Storage
from nh_pipeline.pipeline.build_state import record_inputs, recorded_inputs
from nh_pipeline.sample import Deliveries
from nh_pipeline_tests.support.local import Nh
from nh_pipeline_tests.support.publishers import APRIL, DAILY, MAY, put, read, stage

PLAN = Deliveries(6, ("2024Q1",), releases=1, days=2)
OF_PLAN = ("PBJ_", "NH_ProviderInfo_")
OTHER = replace(DAILY, name="gold.other", description="d")
BOTH = (DAILY, OTHER)
NOW = timedelta(0)


def filled(lake):
    """Two tables with four snapshots: adding, replacing, removing; a memory, a branch of properties, a short log."""
    for contract in BOTH:
        put(lake, APRIL, "2024-04", contract=contract)
        with lake.load(contract).transaction() as transaction:
            transaction.set_properties({"write.metadata.previous-versions-max": "3"})
        put(lake, MAY, "2024-05", contract=contract)
        done = put(lake, APRIL[:1], "2024-04", contract=contract)
        record_inputs(lake, contract, {"2024-04": "a b"}, done)
        put(lake, [], "2024-05", contract=contract)
    return lake


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A filled lake, packed; it is unpacked where it was made."""
    folder = tmp_path_factory.mktemp("lakes")
    filled(Lake(str(folder / "a")))
    return shutil.make_archive(str(tmp_path_factory.mktemp("packed") / "a"), "tar", folder), folder


@pytest.fixture
def tmp_path(template):
    _, folder = template
    shutil.rmtree(folder)
    folder.mkdir()
    return folder


@pytest.fixture
def a(template, tmp_path):
    shutil.unpack_archive(template[0], tmp_path)
    return Lake(str(tmp_path / "a"))


def moved(lake, name="b"):
    target = Path(lake.root).with_name(name)
    Path(lake.root).rename(target)
    return Lake(str(target))


def copied(lake, name="b"):
    target = Path(lake.root).with_name(name)
    shutil.copytree(lake.root, target)
    return Lake(str(target))


def data_of(paths):
    return [path for path in paths if "/data/" in path]


def fingerprint(root):
    """All files and folders below a root: contents and times."""
    return {
        p: (p.stat().st_mtime_ns, hashlib.sha256(p.read_bytes()).hexdigest() if p.is_file() else "")
        for p in sorted(Path(root).rglob("*"))
    }


def rows(lake):
    """The rows of every snapshot, as PyIceberg reads them."""
    found = {}
    for contract in BOTH:
        table = lake.load(contract)
        for s in table.snapshots():
            scanned = table.scan(snapshot_id=s.snapshot_id).to_arrow()
            found[contract.name, s.snapshot_id] = sorted(scanned.to_pylist(), key=lambda r: tuple(map(str, r.values())))
    return found


def entries(lake):
    """All that manifest lists and manifests hold, without addresses and lengths."""
    found = []
    for contract in BOTH:
        table = lake.load(contract)
        for snapshot in table.snapshots():
            for listed in avro.records(table.io, snapshot.manifest_list):
                manifest = listed[500]
                listed[500] = listed[501] = None
                found.append((snapshot.snapshot_id, plain(listed.record)))
                for entry in avro.records(table.io, manifest):
                    entry.within(2)[100] = None
                    found.append((snapshot.snapshot_id, plain(entry.record)))
    return found


def plain(value):
    if isinstance(value, Record):
        return [plain(value[i]) for i in range(len(value))]
    return {k: value[k] for k in value} if isinstance(value, Mapping) else value


def neutral(lake):
    """The tables' metadata, without addresses, and without the log of metadata files."""
    found = {}
    for contract in BOTH:
        metadata = lake.load(contract).metadata.model_dump(by_alias=True, mode="json")
        for name in ("location", "metadata-log"):
            metadata.pop(name)
        for snapshot in metadata["snapshots"]:
            snapshot.pop("manifest-list")
        found[contract.name] = metadata
    return found


def addresses(lake):
    """All addresses that the current metadata name, removed files too."""
    for contract in BOTH:
        table = lake.load(contract)
        yield from (table.metadata_location, table.location())
        yield from (entry.metadata_file for entry in table.metadata.metadata_log)
        for snapshot in table.snapshots():
            yield snapshot.manifest_list
            for manifest in snapshot.manifests(table.io):
                yield manifest.manifest_path
                yield from (e.data_file.file_path for e in manifest.fetch_manifest_entry(table.io, False))


def works(lake):
    """Everything is below the root and there, and publishing goes on, long enough for PyIceberg to delete its log."""
    found = set(addresses(lake))
    assert all(address.startswith(f"{lake.warehouse}/") for address in found)
    assert all(lake.storage.exists(lake.relative(address)) for address in found)
    for contract in BOTH:
        for census in range(3):
            put(lake, [("z", date(2024, 6, 1), census)], "2024-06", contract=contract)
        assert read(lake, lake.snapshot(contract, ["2024-06"]), contract) == [("z", date(2024, 6, 1), 2)]
    assert relocate(lake) == []


def attempts(lake):
    """Everything that goes through the catalog."""
    return (
        lambda: lake.load(DAILY),
        lambda: lake.table(DAILY),
        lambda: lake.snapshot(DAILY),
        lambda: lake.snapshot_at(DAILY, 1),
        lambda: lake.snapshot_ids([DAILY]),
    )


# What the lake says


@pytest.mark.parametrize("gone", [True, False], ids=["moved", "copied"])
def test_a_lake_elsewhere_than_its_catalog_says_so(a, gone):
    old = a.root
    b = moved(a) if gone else copied(a)
    for attempt in attempts(b):
        with pytest.raises(LakeMovedError) as told:
            attempt()
        assert all(word in str(told.value) for word in (f"is at {old},", f"opened at {b.root}:", "nh relocate"))
    assert Path(old).exists() is not gone


def test_a_place_whose_name_begins_alike_is_another_one(a):
    shutil.copytree(a.root, f"{a.root}b")
    with pytest.raises(LakeMovedError):
        Lake(f"{a.root}b").snapshot(DAILY)


def test_a_missing_metadata_file_is_named(a):
    path = a.relative(a.load(DAILY).metadata_location)
    a.storage.delete(path)
    for attempt in attempts(a):
        with pytest.raises(
            LakeError, match=re.escape(f"{a.root}/{path}, but that file is missing: restore it")
        ) as told:
            attempt()
        assert not isinstance(told.value, LakeMovedError)


def test_a_lake_behind_a_link_is_where_it_is(a, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(a.root)
    before = fingerprint(a.root)
    assert rows(Lake(str(link))) == rows(a)
    assert relocate(Lake(str(link))) == []
    assert fingerprint(a.root) == before
    put(Lake(str(link)), MAY, "2024-05")
    assert read(a, a.snapshot(DAILY, ["2024-05"])) == MAY
    copied(a, "c")
    link.unlink()
    link.symlink_to(tmp_path / "c")  # to a copy: its addresses are the original's
    with pytest.raises(LakeMovedError):
        Lake(str(link)).snapshot(DAILY)


# Relocating


def test_a_moved_lake_is_relocated_with_all_its_history(a):
    before, history, state = rows(a), entries(a), neutral(a)
    logged = [e.metadata_file.rpartition("/")[2] for e in a.load(DAILY).metadata.metadata_log]
    current = a.load(DAILY).metadata_location.rpartition("/")[2]
    old, b = a.root, moved(a)
    done = relocate(b)
    assert [(t.table, t.snapshots, t.files) for t in done] == [("gold.other", 4, 3), ("silver.daily", 4, 3)]
    assert {t.was for t in done} == {f"file://{old}/warehouse/{c.name.replace('.', '/')}" for c in BOTH}
    assert (rows(b), entries(b), neutral(b)) == (before, history, state)
    assert recorded_inputs(b, DAILY) == {"2024-04": "a b"}
    log = [e.metadata_file.rpartition("/")[2] for e in b.load(DAILY).metadata.metadata_log]
    assert log == [*logged, current]
    assert b.load(DAILY).metadata_location.rpartition("/")[2].startswith(f"{int(current[:5]) + 1:05d}-")
    assert rows(Lake(b.root)) == before  # for another process
    works(b)
    assert not Path(old).exists()


def test_a_copy_never_touches_the_original(a):
    b, before = copied(a), fingerprint(a.root)
    with pytest.raises(LakeMovedError):
        stage(b, MAY, ["2024-05"])
    with pytest.raises(LakeMovedError):
        put(b, MAY, "2024-05")
    assert sweep(b, BOTH, older_than=NOW) == []
    relocate(b)
    works(b)
    assert sweep(b, BOTH, older_than=NOW)
    assert fingerprint(a.root) == before
    works(a)


def test_a_lake_restored_from_an_older_catalog_is_as_old_as_that(a, tmp_path):
    shutil.copy(Path(a.root, "catalog.db"), tmp_path / "old.db")
    before = rows(a)
    for census in range(3):
        put(a, [("n", date(2024, 4, 2), census)], "2024-04")
    b = moved(a)
    shutil.copy(tmp_path / "old.db", Path(b.root, "catalog.db"))
    files = fingerprint(b.root)
    assert len(relocate(b)) == 2
    assert rows(b) == before
    assert sweep(b, [DAILY], older_than=NOW) == []  # what is newer than the catalog may be all that is left of it
    kept = fingerprint(b.root)
    assert all(kept[p] == files[p] for p in files if p.is_file() and p.name != "catalog.db")
    works(b)


def test_a_lake_that_moved_twice_while_it_was_relocated(a, monkeypatch):
    before, b = rows(a), moved(a)
    broken(monkeypatch, "repoint", 2)
    with pytest.raises(KeyboardInterrupt):
        relocate(b)
    monkeypatch.undo()
    c = moved(b, "c")  # one table is at b by the catalog, one at a
    assert len(relocate(c)) == 2
    assert rows(c) == before
    works(c)


def test_back_in_the_old_place_and_forth(a):
    before, root = rows(a), Path(a.root)
    b = moved(a)
    relocate(b)
    Path(b.root).rename(root)
    a = Lake(str(root))
    with pytest.raises(LakeMovedError):
        a.snapshot(DAILY)
    assert len(relocate(a)) == 2
    assert rows(a) == before
    works(a)


def relocated(lake, contract):
    """Whether a table is as after, whole; else it is as before."""
    try:
        return len(lake.load(contract).snapshots()) == 4
    except LakeMovedError:
        return False


def broken(monkeypatch, step, nth, *, after=False):
    """Relocating dies when it comes to a step for the nth time, before or after it."""
    of = {"copy": avro, "write": Storage, "repoint": relocating}[step]
    real, calls = getattr(of, step), []

    def dying(*args, **kwargs):
        calls.append(step)
        if len(calls) == nth and not after:
            raise KeyboardInterrupt
        found = real(*args, **kwargs)
        if len(calls) == nth:
            raise KeyboardInterrupt
        return found

    monkeypatch.setattr(of, step, dying)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    "death", [("copy", 1, 0), ("copy", 12, 1), ("write", 1, 0), ("write", 2, 1), ("repoint", 1, 0), ("repoint", 2, 1)]
)
def test_killed_anywhere_it_is_done_again(a, monkeypatch, death, after):
    step, nth, done = death  # when it comes to the step for the nth time, so many tables are done
    before, b = rows(a), copied(a)
    original = fingerprint(a.root)
    broken(monkeypatch, step, nth, after=after)
    with pytest.raises(KeyboardInterrupt):
        relocate(b)
    monkeypatch.undo()
    assert sum(relocated(b, c) for c in BOTH) == done + (after and step == "repoint")
    relocate(b)
    assert rows(b) == before
    assert relocate(b) == []
    works(b)
    assert fingerprint(a.root) == original


def test_a_table_that_changed_meanwhile_is_left_as_it_is(a, monkeypatch):
    b = copied(a)

    def faster(*args, **kwargs):
        raise CommitFailedException

    monkeypatch.setattr(relocating, "repoint", faster)
    with pytest.raises(LakeError, match=r"gold\.other was changed while it was relocated.* run nh relocate again"):
        relocate(b)
    monkeypatch.undo()
    real = relocating.repoint

    def second(*args, **kwargs):
        real(*args, **kwargs)
        real(*args, **kwargs)

    monkeypatch.setattr(relocating, "repoint", second)
    with pytest.raises(LakeError, match="run nh relocate again"):
        relocate(b)


def lacking(lake, kind):
    """Takes one file out of what the current state of a table needs."""
    table = lake.load(DAILY)
    snapshot = table.snapshots()[1]
    (manifest, *_) = snapshot.manifests(table.io)
    return {
        "metadata": table.metadata_location,
        "list": snapshot.manifest_list,
        "manifest": manifest.manifest_path,
        "data": lake.snapshot_at(DAILY, snapshot.snapshot_id).paths[0],
    }[kind]


@pytest.mark.parametrize("kind", ["metadata", "list", "manifest", "data", "truncated"])
def test_a_partial_copy_is_refused(a, kind):
    path = a.relative(lacking(a, "data" if kind == "truncated" else kind))
    b = copied(a)
    if kind == "truncated":
        b.storage.write(path, b.storage.read(path)[:100])
    else:
        b.storage.delete(path)
    before = fingerprint(b.root), fingerprint(a.root)
    with pytest.raises(LakeError, match=rf"1 of \d files of silver\.daily are missing here.*{path}\. Copy or restore"):
        relocate(b)
    assert (fingerprint(b.root), fingerprint(a.root)) == before
    shutil.copy(Path(a.root, path), Path(b.root, path))
    assert len(relocate(b)) == 2
    works(b)


def test_a_catalog_that_an_original_needs_is_refused(tmp_path):
    shared = {"type": "sql", "uri": f"sqlite:///{tmp_path}/shared.db"}
    a = filled(Lake(str(tmp_path / "a"), shared))
    before, rows_before = fingerprint(a.root), rows(a)
    b = Lake(copied(a).root, shared)
    files = fingerprint(b.root)
    with pytest.raises(LakeError, match=r"the catalog is not in .*/b, and gold\.other is still in file://.*/a/"):
        relocate(b)
    assert (fingerprint(a.root), fingerprint(b.root)) == (before, files)
    assert rows(a) == rows_before
    shutil.copy(tmp_path / "shared.db", tmp_path / "b" / "mine.db")
    own = Lake(b.root, {**shared, "uri": f"sqlite:///{tmp_path}/b/mine.db"})
    relocate(own)
    works(own)
    assert fingerprint(a.root) == before
    shutil.rmtree(tmp_path / "b")
    gone = Lake(moved(a).root, shared)  # now it is the lake's, wherever that is
    assert len(relocate(gone)) == 2
    assert rows(gone) == rows_before
    works(gone)


def test_a_shared_catalog_and_a_link_in_the_old_place(tmp_path):
    shared = {"type": "sql", "uri": f"sqlite:///{tmp_path}/shared.db"}
    b = Lake(moved(filled(Lake(str(tmp_path / "a"), shared))).root, shared)
    (tmp_path / "a").symlink_to(tmp_path / "b")
    assert len(relocate(b)) == 2  # the original is the lake itself
    works(b)


def test_tables_of_other_lakes_in_the_catalog_are_left_alone(tmp_path):
    shared = {"type": "sql", "uri": f"sqlite:///{tmp_path}/shared.db"}
    other = filled(Lake(str(tmp_path / "other"), {**shared, "database-prefix": "dev_"}))
    before = fingerprint(other.root)
    b = Lake(moved(filled(Lake(str(tmp_path / "a"), shared))).root, shared)
    assert [t.table for t in relocate(b)] == ["gold.other", "silver.daily"]
    works(b)
    works(other)
    assert fingerprint(other.root).items() >= {p: f for p, f in before.items() if p.suffix == ".avro"}.items()
    prefixed = Lake(moved(other, "c").root, {**shared, "database-prefix": "dev_"})
    assert [t.table for t in relocate(prefixed)] == ["dev_gold.other", "dev_silver.daily"]
    works(prefixed)
    works(b)


def test_a_catalog_with_hard_links_is_refused(a, tmp_path):
    b = copied(a)
    Path(b.root, "catalog.db").unlink()
    Path(b.root, "catalog.db").hardlink_to(Path(a.root, "catalog.db"))
    before = fingerprint(a.root)
    with pytest.raises(LakeError, match="has other names"):
        relocate(b)
    assert fingerprint(a.root) == before


def test_delete_files_are_refused(a):
    table = a.load(DAILY)
    address = table.snapshots()[0].manifest_list

    def deletes(row):
        row[517] = 1

    avro.copy(table.io, address, f"{address}.new", deletes)
    a.storage.move(f"{a.relative(address)}.new", a.relative(address))
    with pytest.raises(LakeError, match=r"silver\.daily has delete files"):
        relocate(moved(a))


def test_where_there_is_no_lake(tmp_path):
    with pytest.raises(LakeError, match=r"there is no lake in .*/nowhere: expected catalog\.db"):
        relocate(Lake(str(tmp_path / "nowhere")))
    assert not (tmp_path / "nowhere").exists()


def edited(lake, edit):
    """Somebody's own mending: a metadata file changed by hand, packed, and the catalog pointed to it."""
    with closing(sqlite3.connect(Path(lake.root, "catalog.db"))) as db, db:
        where = "where table_name = 'daily'"
        (pointer,) = db.execute(f"select metadata_location from iceberg_tables {where}").fetchone()
        old = Path(lake.root, "warehouse/silver/daily/metadata", Path(pointer).name)
        new = old.with_name(old.name.replace(".metadata.json", ".gz.metadata.json"))
        new.write_bytes(gzip.compress(edit(old.read_text()).encode()))
        db.execute(f"update iceberg_tables set metadata_location = ? {where}", (f"file://{new}",))


def test_one_address_of_another_place_is_enough(a):
    """A metadata file that somebody has edited: one old snapshot is still in the old place."""
    before, b = rows(a), copied(a)
    relocate(b)
    first = b.load(DAILY).snapshots()[0].manifest_list
    left = stage(b, MAY, ["2024-05"])
    edited(b, lambda text: text.replace(first, first.replace(b.root, a.root)))
    assert sweep(b, [DAILY], older_than=NOW) == []
    assert b.load(DAILY) is not None
    (done,) = relocate(b)
    assert done.table == "silver.daily"
    assert b.load(DAILY).metadata_location.endswith(".gz.metadata.json")
    assert rows(b) == before
    assert data_of(sweep(b, [DAILY], older_than=NOW)) == [b.relative(f.path) for f in left.files]
    works(b)


def test_data_files_of_another_place_are_not_read(a):
    b = copied(a)
    edited(b, lambda text: text.replace(a.root, b.root))  # all but the manifests, which are no text
    b.load(DAILY)
    with pytest.raises(LakeMovedError):
        b.snapshot(DAILY)
    relocate(b)
    works(b)


@pytest.mark.parametrize("name", ["v3.metadata.json", "00002.metadata.json", "version.metadata.json"])
def test_sweeping_leaves_tables_alone_that_another_tool_writes_to(a, name):
    left = stage(a, MAY, ["2024-05"])
    path = f"warehouse/silver/daily/metadata/{name}"
    a.storage.write(path, b"{}")
    assert sweep(a, [DAILY], older_than=NOW) == []
    a.storage.delete(path)
    assert data_of(sweep(a, [DAILY], older_than=NOW)) == [a.relative(f.path) for f in left.files]


def test_sweeping_leaves_a_table_alone_whose_history_is_damaged(a):
    stage(a, MAY, ["2024-05"])
    for path in [a.relative(lacking(a, kind)) for kind in ("manifest", "metadata")]:
        a.storage.delete(path)
        assert sweep(a, [DAILY], older_than=NOW) == []


@pytest.mark.integration
def test_on_s3_with_glue(aws):
    a = filled(Lake(f"{aws.home}/a"))
    before = rows(a)
    for path in list(a.storage.files()):
        with Storage(f"{aws.home}/b").create(path) as out:
            out.write(a.storage.read(path))
    b = Lake(f"{aws.home}/b")
    with pytest.raises(LakeMovedError):
        b.snapshot(DAILY)
    with pytest.raises(LakeError, match=r"the catalog is not in s3://.*/b, and .* is still in s3://.*/a/"):
        relocate(b)
    assert rows(a) == before
    a.storage.delete("")
    with pytest.raises(LakeMovedError):
        b.snapshot(DAILY)
    assert [t.table for t in relocate(b)] == ["gold.other", "silver.daily"]
    assert rows(b) == before
    told = aws.client("glue").get_table(DatabaseName="silver", Name="daily")["Table"]
    assert told["StorageDescriptor"]["Location"] == b.load(DAILY).location()
    assert told["StorageDescriptor"]["Columns"]
    works(b)


# The command line


def names(root, text):
    """Files below a root that hold a text."""
    return [str(p) for p in Path(root).rglob("*") if p.is_file() and text.encode() in p.read_bytes()]


@pytest.mark.at_length
@pytest.mark.integration
def test_a_lake_is_moved_and_goes_on(drop, tmp_path):
    a, b = Nh(tmp_path / "first"), Nh(tmp_path / "second")
    a("run", drop)
    count = "select count(*) as n, sum(census) as c from gold.facility_measures"
    before = a.rows(count)
    assert b("relocate", exits=1).stderr.startswith("there is no lake in")
    a.home.rename(b.home)
    for command in (["status"], ["query", count], ["materialize"]):
        environment = {"NH_HOME": str(b.home), "NH_ENGINE": "sail"}
        found = CliRunner().invoke(app, command, env=environment)
        assert found.exit_code == 1
        assert "nh relocate" in f"{found.stderr} {found.exception}"
    assert not a.home.exists()
    told = " ".join(b("relocate").stdout.split())
    assert "gold.facility_measures: snapshots: 1, data files: 1, was file://" in told
    assert re.search(r"[0-9]+ tables relocated to", told)
    assert b("relocate").stdout == "nothing to do: the lake is where its catalog says\n"
    assert b.rows(count) == before
    assert "nothing to do" in b("materialize").stdout  # nothing counts as built from files of another place
    b("status")
    b("materialize", "--select", "gold/*", "--from", "2024-01-01", "--to", "2024-01-02")
    assert not a.home.exists()
    # What events and logs of earlier runs say is history.
    held = [p for p in names(b.home / "dagster", str(a.home)) if not re.search(r"/history/runs/|/storage/", p)]
    assert held == []
