"""One commit or nothing: what a publish replaces, what it leaves, and what happens when two publish at once."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.io.pyarrow import parquet_files_to_data_files
from pyiceberg.manifest import DataFileContent
from pyiceberg.table import Table
from pyiceberg.table.update.snapshot import _SnapshotProducer

from nh_pipeline.errors import LakeError
from nh_pipeline.lake import avro
from nh_pipeline.lake.entries import entries
from nh_pipeline.lake.lake import Lake
from nh_pipeline.lake.maintain import expire, sweep
from nh_pipeline.lake.publish import Conflict, _commit, publish
from nh_pipeline.lake.snapshots import data_files
from nh_pipeline.model.columns import text
from nh_pipeline.pipeline.build_state import record_inputs, recorded_inputs
from nh_pipeline_tests.support.chain import workspace_at
from nh_pipeline_tests.support.publishers import APRIL, DAILY, MAY, in_order, put, read, stage

OTHER = replace(DAILY, name="silver.other", description="o")


@pytest.fixture
def lake(tmp_path):
    return Lake(str(tmp_path / "lake"))


def snapshots(lake):
    return lake.catalog.load_table(DAILY.name).snapshots()


def test_entries_are_those_of_pyiceberg(lake):
    put(lake, [*APRIL, *MAY], "2024-04", "2024-05")
    table, paths = lake.table(DAILY), lake.snapshot(DAILY).paths
    theirs = list(parquet_files_to_data_files(table.io, table.metadata, iter(paths)))
    assert [list(entry) for entry in entries(table, paths)] == [list(entry) for entry in theirs]
    assert [entry.record_count for entry in theirs] == [3, 1]


def test_a_file_of_other_types_than_the_table_has_no_entry(lake):
    put(lake, APRIL, "2024-04")
    table, (path,) = lake.table(DAILY), lake.snapshot(DAILY).paths
    other = f"{path}.other.parquet"
    with lake.open(path) as source, lake.storage.create(lake.relative(other)) as sink:
        rows = pq.read_table(source)
        pq.write_table(rows.set_column(2, rows.field(2).with_type(pa.string()), rows["census"].cast(pa.string())), sink)
    with pytest.raises(ValueError, match="census"):
        list(entries(table, [path, other]))


def test_publish_and_publish_again(lake):
    first = put(lake, [*APRIL, *MAY], "2024-04", "2024-05", "2024-06", **{"run-id": "r1", "asset": "silver/daily"})
    assert (first.changed, first.rows) == ({"2024-04", "2024-05"}, 4)
    assert read(lake) == in_order([*APRIL, *MAY])
    snapshot = lake.snapshot(DAILY)
    assert (snapshot.rows, snapshot.present, snapshot.snapshot_id) == (4, {"2024-04", "2024-05"}, first.snapshot_id)
    files = list(lake.storage.files("warehouse", suffix=".parquet"))
    again = put(lake, [*APRIL, *MAY], "2024-04", "2024-05", "2024-06", **{"run-id": "r2"})
    assert (again.changed, again.rows, again.snapshot_id) == (frozenset(), 0, first.snapshot_id)
    assert again.content_hash == first.content_hash
    assert len(snapshots(lake)) == 1
    assert list(lake.storage.files("warehouse", suffix=".parquet")) == files


def test_snapshot_says_who_and_from_what(lake):
    put(lake, APRIL, "2024-04", contract=OTHER)
    source = lake.snapshot(OTHER)
    done = put(lake, APRIL, "2024-04", inputs=[(OTHER, source)], **{"run-id": "r1", "asset": "x", "range": "all"})
    (only,) = snapshots(lake)
    told = only.summary.additional_properties
    assert {k: v for k, v in told.items() if k.startswith("nh.")} == {
        "nh.run-id": "r1",
        "nh.asset": "x",
        "nh.range": "all",
        "nh.partitions": "2024-04",
        "nh.input.silver.other": str(source.snapshot_id),
        "nh.content-sha256": done.content_hash,
    }


def test_replacing_a_month_keeps_the_others(lake):
    put(lake, [*APRIL, *MAY], "2024-04", "2024-05")
    may = lake.snapshot(DAILY, ["2024-05"]).paths
    changed = [("a", date(2024, 4, 2), 9)]
    done = put(lake, [*changed, *MAY], "2024-04", "2024-05")
    assert done.changed == {"2024-04"}
    assert read(lake) == in_order([*changed, *MAY])
    assert lake.snapshot(DAILY, ["2024-05"]).paths == may
    assert [s.summary["total-records"] for s in snapshots(lake)] == ["4", "2"]
    assert len(snapshots(lake)) == 2
    assert len(list(lake.storage.files("warehouse/silver/daily/data", suffix=".parquet"))) == 3


def test_a_slice_without_rows_is_removed(lake):
    put(lake, [*APRIL, *MAY], "2024-04", "2024-05")
    done = put(lake, [], "2024-04")
    assert (done.changed, read(lake)) == ({"2024-04"}, MAY)
    assert put(lake, [], "2024-04").changed == frozenset()
    assert len(snapshots(lake)) == 2
    assert put(lake, [], "2024-05").changed == {"2024-05"}
    assert (read(lake), lake.snapshot(DAILY).present) == ([], frozenset())


def test_nothing_at_all_makes_no_snapshot(lake):
    done = put(lake, [], "2024-04")
    assert (done.snapshot_id, done.changed) == (None, frozenset())
    assert not lake.catalog.table_exists(DAILY.name)


def test_an_older_snapshot_can_be_pinned(lake):
    first = put(lake, APRIL, "2024-04")
    put(lake, MAY, "2024-05")
    assert read(lake, lake.snapshot_at(DAILY, first.snapshot_id)) == in_order(APRIL)
    assert lake.snapshot_at(DAILY, 42) is None


def test_a_lake_as_another_process_saw_it(lake):
    empty, contracts = lake.snapshot_ids([DAILY, OTHER]), (DAILY, OTHER)
    assert empty == {DAILY.name: None, OTHER.name: None}
    first = put(lake, APRIL, "2024-04")
    seen = lake.snapshot_ids(contracts)
    put(lake, MAY, "2024-05")
    before, then = (replace(lake, pinned_snapshots=pinned) for pinned in (empty, seen))
    assert before.snapshot(DAILY, ["2024-04"]).files == ()
    assert (then.snapshot(DAILY).snapshot_id, then.snapshot(DAILY).present) == (first.snapshot_id, {"2024-04"})
    assert then.current.snapshot(DAILY).present == lake.snapshot(DAILY).present == {"2024-04", "2024-05"}
    # What is published depends on what is there: another month is no conflict, the same one is.
    put(then, [("c", date(2024, 4, 2), 5)], "2024-04")
    assert len(read(lake)) == 2
    with pytest.raises(Conflict):
        put(then, APRIL, "2024-04")
    with pytest.raises(LakeError, match=f"has no snapshot {first.snapshot_id} in .*another catalog"):
        replace(lake, pinned_snapshots={OTHER.name: first.snapshot_id}).snapshot(OTHER)


def test_conflict_when_the_slice_changed(lake):
    put(lake, APRIL, "2024-04")
    mine = lake.snapshot(DAILY, ["2024-04"])
    put(lake, APRIL[:1], "2024-04")
    with pytest.raises(Conflict, match=r"silver\.daily changed since snapshot"):
        put(lake, APRIL[1:], "2024-04", base=mine)
    assert read(lake) == APRIL[:1]


def test_conflict_on_the_first_load(lake):
    mine = lake.snapshot(DAILY, ["2024-04"])
    put(lake, APRIL, "2024-04")
    with pytest.raises(Conflict):
        put(lake, APRIL[1:], "2024-04", base=mine)
    assert read(lake) == in_order(APRIL)


def test_rows_that_equal_what_was_pinned_may_not_equal_what_is_there(lake):
    put(lake, APRIL, "2024-04")
    mine = lake.snapshot(DAILY, ["2024-04"])
    put(lake, APRIL[:1], "2024-04")
    with pytest.raises(Conflict):
        put(lake, APRIL, "2024-04", base=mine)
    assert (
        len(list(lake.storage.files("warehouse/silver/daily/data", suffix=".parquet"))) == 2
    )  # what was staged is gone


def test_a_table_that_is_always_contended_is_a_clear_error(lake, monkeypatch):
    monkeypatch.setattr(_commit.retry, "sleep", lambda _: None)
    monkeypatch.setattr(Table, "_do_commit", lambda *_, **__: (_ for _ in ()).throw(CommitFailedException("lost")))
    with pytest.raises(LakeError, match=r"silver\.daily: gave up after 12 attempts to commit"):
        put(lake, APRIL, "2024-04")
    monkeypatch.undo()
    assert read(lake) == []
    put(lake, APRIL, "2024-04")
    assert read(lake) == in_order(APRIL)


def test_a_file_that_pyiceberg_overlooks_is_looked_for_again(lake, monkeypatch):
    """Its threads share an evaluator, so that one may take a manifest for another one, whose months do not match."""
    put(lake, APRIL, "2024-04")
    put(lake, MAY, "2024-05")
    build, built = _SnapshotProducer._build_manifest_evaluator, []

    def overlooking(self, spec_id):
        built.append(spec_id)
        return build(self, spec_id) if len(built) > 2 else lambda _: False

    monkeypatch.setattr(_SnapshotProducer, "_build_manifest_evaluator", overlooking)
    monkeypatch.setattr(_commit.retry, "sleep", lambda _: None)
    put(lake, [("a", date(2024, 5, 1), 9)], "2024-05")
    assert read(lake) == in_order([*APRIL, ("a", date(2024, 5, 1), 9)])
    assert len(snapshots(lake)) == 3
    # What is overlooked for ever is not passed over.
    monkeypatch.setattr(_SnapshotProducer, "_build_manifest_evaluator", lambda *_: lambda _: False)
    with pytest.raises(LakeError, match=r"silver\.daily: .*Missing required files.* nothing was published"):
        put(lake, MAY, "2024-05")
    assert len(snapshots(lake)) == 3


def test_what_a_slice_was_built_from_is_noted_only_while_it_is_there(lake):
    first = put(lake, [*APRIL, *MAY], "2024-04", "2024-05")
    april = put(lake, APRIL[:1], "2024-04")
    may = put(lake, [], "2024-05")
    record_inputs(lake, DAILY, {"2024-04": "first", "2024-05": "first"}, first)
    assert recorded_inputs(lake, DAILY) == {}
    record_inputs(lake, DAILY, {"2024-04": "second"}, april)
    record_inputs(lake, DAILY, {"2024-05": "third"}, may)
    assert recorded_inputs(lake, DAILY) == {"2024-04": "second", "2024-05": "third"}
    assert len(snapshots(lake)) == 3


def test_no_conflict_when_another_slice_changed(lake):
    put(lake, APRIL, "2024-04")
    mine = lake.snapshot(DAILY, ["2024-04"])
    put(lake, MAY, "2024-05")
    put(lake, APRIL[:1], "2024-04", base=mine)
    assert read(lake) == [*APRIL[:1], *MAY]


def test_conflict_when_an_input_changed(lake):
    put(lake, [*APRIL, *MAY], "2024-04", "2024-05", contract=OTHER)
    april, whole = lake.snapshot(OTHER, ["2024-04"]), lake.snapshot(OTHER)
    put(lake, [], "2024-05", contract=OTHER)
    with pytest.raises(Conflict, match=r"silver\.other"):
        put(lake, APRIL, "2024-04", inputs=[(OTHER, whole)])
    put(lake, APRIL, "2024-04", inputs=[(OTHER, april)])  # another part of it
    put(lake, [], "2024-04", contract=OTHER)
    with pytest.raises(Conflict, match=r"silver\.other"):
        put(lake, APRIL[:1], "2024-04", inputs=[(OTHER, april)])
    assert read(lake) == in_order(APRIL)


def test_orphans_are_never_read(lake):
    put(lake, APRIL, "2024-04")
    stage(lake, MAY, ["2024-05"])  # a run that died before its commit
    stage(lake, [("z", date(2024, 4, 1), 9)], ["2024-04"])
    assert read(lake) == in_order(APRIL)
    staged = stage(lake, MAY, ["2024-05"])
    assert staged.rows == 1
    publish(lake, DAILY, staged, base=lake.snapshot(DAILY, ["2024-05"]), inputs=[], properties={})
    assert read(lake) == in_order([*APRIL, *MAY])


def test_sweeping_takes_only_what_no_snapshot_names(lake, tmp_path):
    now = timedelta(0)
    put(lake, APRIL, "2024-04")
    put(lake, [*APRIL, *MAY], "2024-04", "2024-05")
    put(lake, APRIL[:1], "2024-04")
    first, *_ = snapshots(lake)
    left = stage(lake, MAY, ["2024-05"])
    lake.storage.write("raw/.incoming/x", b"half a download")
    assert sweep(lake, [DAILY]) == []  # it may be at work
    gone = sweep(lake, [DAILY, OTHER], older_than=now)
    assert sorted(gone) == sorted(["raw/.incoming/x", *(lake.relative(f.path) for f in left.files)])
    assert not any(lake.storage.exists(path) for path in gone)
    assert read(lake, lake.snapshot_at(DAILY, first.snapshot_id)) == in_order(APRIL)
    assert read(lake) == [*APRIL[:1], *MAY]
    # Without its catalog, or with an old copy of it, a lake looks as if all of it were left over.
    shutil.copy(tmp_path / "lake" / "catalog.db", tmp_path / "old.db")
    for census in (7, 8, 9):
        put(lake, [("a", date(2024, 4, 1), census)], "2024-04")
    stage(lake, MAY, ["2024-05"])
    for other in ("old.db", "empty.db"):
        assert (
            sweep(Lake(lake.root, {"type": "sql", "uri": f"sqlite:///{tmp_path}/{other}"}), [DAILY], older_than=now)
            == []
        )
    assert len(sweep(lake, [DAILY], older_than=now)) == 1


def test_old_snapshots_expire_and_sweeping_takes_what_only_they_named(lake):
    now = timedelta(0)
    for census in range(6):
        put(lake, [("a", date(2024, 4, 1), census)], "2024-04")
    ids = [s.snapshot_id for s in snapshots(lake)]
    table = lake.load(DAILY)
    table.manage_snapshots().create_tag(ids[1], "audit").commit()
    assert expire(lake, [DAILY], {}) == {}  # all are young
    assert expire(lake, [DAILY], {}, kept_for=now) == {}  # and few
    before = read(lake)
    assert expire(lake, [DAILY, OTHER], {DAILY.name: {ids[2]}}, kept_for=now, kept=2) == {DAILY.name: 2}
    assert sorted(s.snapshot_id for s in snapshots(lake)) == sorted([ids[1], ids[2], *ids[4:]])
    assert lake.snapshot_at(DAILY, ids[0]) is lake.snapshot_at(DAILY, ids[3]) is None
    for kept in (ids[1], ids[2], ids[4]):
        assert len(read(lake, lake.snapshot_at(DAILY, kept))) == 1
    assert sweep(lake, [DAILY]) == []  # somebody may still read what has just expired
    gone = sweep(lake, [DAILY], older_than=now)
    assert Counter(path.rpartition(".")[2] for path in gone) == {"parquet": 2, "avro": 5}
    assert read(lake) == before
    for kept in (ids[1], ids[2], ids[4]):
        assert len(read(lake, lake.snapshot_at(DAILY, kept))) == 1
    put(lake, APRIL, "2024-04")
    assert read(lake) == in_order(APRIL)
    assert expire(lake, [DAILY], {DAILY.name: {ids[2]}}, kept_for=now, kept=2) == {}  # so nothing more expires yet
    spared = {DAILY.name: {ids[2]}}
    assert expire(lake, [DAILY], spared, kept_for=now, kept=2, left_alone=now) == {DAILY.name: 1}


def test_nothing_expires_that_another_process_counts_on(lake, tmp_path):
    now = timedelta(0)
    for census in range(4):
        put(lake, [("a", date(2024, 4, 1), census)], "2024-04")
    shutil.copy(tmp_path / "lake" / "catalog.db", tmp_path / "old.db")
    for census in range(4, 8):
        put(lake, [("a", date(2024, 4, 1), census)], "2024-04")
    stale = Lake(lake.root, {"type": "sql", "uri": f"sqlite:///{tmp_path}/old.db"})
    assert expire(stale, [DAILY], {}, kept_for=now, kept=1) == {}  # an old copy of the catalog
    folder = lake.relative(lake.load(DAILY).metadata_location).rpartition("/")[0]
    foreign = lake.storage.path(f"{folder}/v3.metadata.json")  # another tool's
    Path(foreign).write_text("{}")
    assert expire(lake, [DAILY], {}, kept_for=now, kept=1) == {}
    assert sweep(lake, [DAILY], older_than=now) == []
    Path(foreign).unlink()
    assert expire(lake, [DAILY], {}, kept_for=now, kept=1) == {DAILY.name: 7}


def test_staged_rows_outside_of_the_range_are_an_error(lake):
    with pytest.raises(ValueError, match=r"outside of what is replaced: \['2024-05'\]"):
        stage(lake, [*APRIL, *MAY], ["2024-04"])


def test_a_new_column_is_added_to_the_table(lake):
    put(lake, APRIL, "2024-04")
    lake.table(replace(DAILY, columns=(*DAILY.columns, text("more", "more"))))
    stored = lake.catalog.load_table(DAILY.name)
    assert stored.schema().column_names == ["provider_id", "work_date", "census", "more"]
    assert "more" in stored.properties["schema.name-mapping.default"]
    assert stored.scan().to_arrow()["more"].null_count == 3
    assert len(snapshots(lake)) == 1


@pytest.mark.integration
def test_a_missing_data_file_is_noticed(engine, tmp_path):
    workspace = workspace_at(tmp_path / "lake", engine)
    lake = workspace.lake
    put(lake, [*APRIL, *MAY], "2024-04", "2024-05")
    snapshot = lake.snapshot(DAILY)
    assert int(workspace.read(DAILY, snapshot).count()) == 4
    lake.storage.delete(lake.relative(snapshot.paths[0]))
    with pytest.raises(LakeError, match=r"silver\.daily, snapshot .*: 4 rows by its metadata, 1 by its files"):
        workspace.read(DAILY, snapshot)
    lake.storage.delete(lake.relative(snapshot.paths[1]))
    with pytest.raises(LakeError, match="a data file is missing or damaged"):
        workspace.read(DAILY, snapshot)


@pytest.mark.integration
def test_a_read_has_the_columns_of_the_contract(engine, tmp_path):
    workspace = workspace_at(tmp_path / "lake", engine)
    empty = workspace.read(DAILY, workspace.lake.snapshot(DAILY))
    assert (empty.schema, int(empty.count())) == (DAILY.spark, 0)


def test_delete_files_are_refused(lake):
    put(lake, APRIL, "2024-04")
    table = lake.catalog.load_table(DAILY.name)
    (manifest,) = table.current_snapshot().manifests(table.io)

    def deletes(row):  # PyIceberg 0.12 writes none, other tools do
        row.within(avro.DATA_FILE)[134] = DataFileContent.POSITION_DELETES.value

    of_rows = lake.relative(manifest.manifest_path)
    avro.copy(table.io, manifest.manifest_path, f"{manifest.manifest_path}.new", deletes)
    lake.storage.move(f"{of_rows}.new", of_rows)
    with pytest.raises(LakeError, match="has delete files, written by another tool"):
        lake.snapshot(DAILY)


@pytest.mark.parametrize("most", [1000, 1])
def test_readers_of_manifests_are_made_once_for_all(lake, monkeypatch, most):
    for month in ("2024-04", "2024-05", "2024-06"):
        put(lake, [("A", date.fromisoformat(f"{month}-01"), 1)], month)
    table, made = lake.catalog.load_table(DAILY.name), []
    manifests = table.current_snapshot().manifests(table.io)
    assert len(manifests) == 3
    make = avro.resolve_reader
    monkeypatch.setattr(avro, "_READERS", {})
    monkeypatch.setattr(avro, "_MOST_READERS", most)
    monkeypatch.setattr(avro, "resolve_reader", lambda *of: (made.append(of), make(*of))[1])
    for known in (False, True):
        made.clear()
        assert sorted(partition for partition, _ in data_files(table)) == ["2024-04", "2024-05", "2024-06"]
        assert bool(made) == (not known or most == 1)
        assert len(avro._READERS) <= most
