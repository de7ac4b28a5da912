"""``nh verify``: a lake that is damaged in every way, each of which is named; a sound one is clean."""

from __future__ import annotations

import json
import shutil
import uuid
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.errors import PySparkException
from sqlalchemy import text

from nh_pipeline.datasets.cms.providers import DIM_PROVIDERS
from nh_pipeline.errors import InfrastructureError, LakeMovedError
from nh_pipeline.lake.backup import backup
from nh_pipeline.lake.lake import Lake, folder_of
from nh_pipeline.lake.maintain import expire, sweep
from nh_pipeline.lake.publish import find_staged, publish, staging_folder
from nh_pipeline.lake.relocate import relocate
from nh_pipeline.lake.storage import Storage
from nh_pipeline.landing import RawZone
from nh_pipeline.model.table import WHOLE
from nh_pipeline.pipeline import verify
from nh_pipeline.pipeline.build_state import of_deliveries, record_inputs
from nh_pipeline.sample import Deliveries
from nh_pipeline_tests.support.landing import land
from nh_pipeline_tests.support.local import Nh
from nh_pipeline_tests.support.publishers import DAILY, put

pytestmark = pytest.mark.integration

PLAN = Deliveries(4, ("2024Q2",), releases=0, days=2)
APRIL = [("a", date(2024, 4, 1), 1), ("b", date(2024, 4, 1), 2)]
MAY = [("a", date(2024, 5, 31), 4)]
MART = replace(DAILY, name="gold.mart")
SECRET = replace(DAILY, name="clinical_silver.secret", sensitive=True)
EVERY = (DAILY, MART, SECRET, DIM_PROVIDERS)
NOW = timedelta(0)


@pytest.fixture(autouse=True)
def few_tables(monkeypatch):
    monkeypatch.setattr(verify, "tables", lambda: EVERY)


def made(home, drop):
    """A delivery, one in quarantine, tables that remember what they were built from; no engine is needed."""
    lake = Lake(home)
    for path in drop.iterdir():
        land(RawZone(lake.storage), path)
    (delivery,) = RawZone(lake.storage).deliveries()
    put(lake, APRIL, "2024-04")
    done = put(lake, MAY, "2024-05")
    record_inputs(lake, DAILY, {"2024-05": of_deliveries("r", {delivery.delivery_id: "r"})}, done)
    mart = put(lake, APRIL, "2024-04", contract=MART)
    memory = json.dumps({"recipe": "r", "inputs": {DAILY.name: done.snapshot_id}})
    record_inputs(lake, MART, {"2024-04": memory}, mart)
    return lake


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    drop = tmp_path_factory.mktemp("drop")
    PLAN.staffing(drop, "2024Q2")
    (drop / "odd.csv").write_text("a,b\n1,2\n")
    folder = tmp_path_factory.mktemp("lakes")
    made(str(folder / "a"), drop)
    return drop, folder, shutil.make_archive(str(tmp_path_factory.mktemp("packed") / "a"), "tar", folder)


@pytest.fixture
def lake(template):
    """Where it was made, unpacked anew."""
    _, folder, packed = template
    shutil.rmtree(folder)
    folder.mkdir()
    shutil.unpack_archive(packed, folder)
    return Lake(str(folder / "a"))


def looked(lake, engine=None):
    """Everything that is found, by where it is; with an engine, rows are read."""
    return {each.where: each for each in verify.verified(lake, (lambda: engine) if engine else None)}


def faults(lake, engine=None):
    return [fault for each in looked(lake, engine).values() for fault in each.faults]


def only(lake, pattern):
    (found,) = Path(lake.root).glob(pattern)
    return found


def test_a_sound_lake_is_clean(lake, engine):
    found = looked(lake, engine)
    assert [f for each in found.values() for f in each.faults] == []
    assert [each.homeless for each in found.values()] == [()] * len(found)
    assert (found["raw zone"].files, found["quarantine"].files) == (2, 2)
    assert (found[DAILY.name].rows, found[DIM_PROVIDERS.name].files) == (3, 0)
    data = list(Path(lake.root, folder_of(DAILY)).rglob("*.*"))
    assert found[DAILY.name].files == len(data)
    assert found[DAILY.name].size == sum(p.stat().st_size for p in data)
    assert [each.where for each in verify.verified(Lake(lake.root + "/nothing"), None) if each.files] == []
    assert not Path(lake.root, "nothing").exists()


# Damage of files: pattern, what is done, what is then said to be found. Not all of it shows at a quick look.

CUT = "bytes"
GONE = "no such file"


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path):
    path.write_bytes(path.read_bytes()[:-3])


def spoil(path):
    path.write_bytes(b"?" * path.stat().st_size)


@pytest.mark.parametrize(
    ("pattern", "damage", "shows"),
    [
        ("raw/*/*/*/delivery.*", flip, ("", False)),
        ("raw/*/*/*/delivery.*", cut, (CUT, True)),
        ("raw/*/*/*/delivery.*", Path.unlink, (GONE, True)),
        ("raw/*/*/*/manifest.json", Path.unlink, (GONE, True)),
        ("raw/*/*/*/manifest.json", spoil, ("damaged", True)),
        ("quarantine/*/delivery.*", flip, ("", False)),
        ("quarantine/*/delivery.*", Path.unlink, (GONE, True)),
        ("quarantine/*/reason.json", cut, ("damaged", True)),
        ("warehouse/silver/daily/data/*/partition=2024-04/*", Path.unlink, (GONE, True)),
        ("warehouse/silver/daily/data/*/partition=2024-04/*", cut, (CUT, True)),
        ("warehouse/silver/daily/data/*/partition=2024-04/*", spoil, ("cannot be read", False)),
        ("warehouse/gold/mart/metadata/snap-*.avro", Path.unlink, (GONE, True)),
        ("warehouse/gold/mart/metadata/snap-*.avro", spoil, ("cannot be read", True)),
        ("warehouse/gold/mart/metadata/*-m0.avro", Path.unlink, (GONE, True)),
        ("warehouse/gold/mart/metadata/*-m0.avro", spoil, ("cannot be read", True)),
        ("warehouse/gold/mart/metadata/00002-*", Path.unlink, (GONE, True)),
        ("warehouse/gold/mart/metadata/00002-*", cut, ("cannot be read", True)),
    ],
)
def test_damage_is_named(lake, engine, pattern, damage, shows):
    found, quick = shows
    path = only(lake, pattern)
    damage(path)
    (fault,) = faults(lake, engine)
    folder = path.relative_to(lake.root).parent
    if path.name == "manifest.json" and damage is Path.unlink:  # what was built from it knows of it
        folder = Path(f"raw/…-{folder.name[-32:]}")
    assert fault.file == str(folder / path.name)
    assert found in fault.found
    assert fault.expected
    assert fault.advice
    assert [f.file for f in faults(lake)] == [fault.file] * quick


def test_a_catalog_that_is_older_than_the_metadata_or_knows_nothing(lake):
    back = "update iceberg_tables set metadata_location = replace(metadata_location, :a, :b) where table_name = 'mart'"
    first, last = only(lake, "warehouse/gold/mart/metadata/00000-*"), only(lake, "warehouse/gold/mart/metadata/00002-*")
    with lake.catalog.engine.begin() as db:
        db.execute(text(back), {"a": last.name, "b": first.name})
    (fault,) = faults(lake)
    assert (fault.where, fault.file) == ("gold.mart", str(last.relative_to(lake.root)))
    assert "version 0" in fault.found
    with lake.catalog.engine.begin() as db:
        db.execute(text("delete from iceberg_tables where table_name = 'mart'"))
    (fault,) = faults(lake)
    assert fault.found == "no such table in it"


def test_a_mart_that_was_built_from_a_snapshot_that_is_gone(lake):
    with lake.load(MART).transaction() as transaction:
        memory = json.dumps({"recipe": "r", "inputs": {DAILY.name: 7}})
        transaction.set_properties({"nh.built-from.2024-04": memory})
    (fault,) = faults(lake)
    assert (fault.where, fault.found) == ("gold.mart", "none")
    assert "snapshot 7 of silver.daily" in fault.file


def test_files_without_a_home_are_no_fault(lake):
    for path in ("warehouse/silver/daily/data/x/a.parquet", "raw/x/2024Q2/f-1/delivery.csv", "raw/.incoming/y"):
        lake.storage.write(path, b"")
    found = looked(lake)
    assert [f for each in found.values() for f in each.faults] == []
    assert found["silver.daily"].homeless == ("warehouse/silver/daily/data/x/a.parquet",)
    assert found["raw zone"].homeless == ("raw/.incoming/y", "raw/x/2024Q2/f-1/delivery.csv")


# Rows


def test_a_doubled_row_is_named_but_not_shown_if_it_is_protected(lake, engine):
    for contract in (DAILY, SECRET):
        put(lake, [("lee", date(2024, 6, 1), 1)] * 2, "2024-06", contract=contract)
    public, secret = faults(lake, engine)
    assert (public.where, public.expected) == ("silver.daily", "grain: one row per provider_id, work_date")
    assert public.found == "1 that break it: provider_id lee, work_date 2024-06-01, rows 2"
    assert (secret.where, secret.found) == ("clinical_silver.secret", "1 that break it")
    assert faults(lake) == []  # no rows are read


def test_what_the_engine_says_is_not_shown_of_what_is_protected(lake, engine, monkeypatch):
    for contract in (DAILY, SECRET):
        put(lake, MAY, "2024-05", contract=contract)

    def stumbles(*_, **__):
        raise PySparkException("cannot cast 'Zephyrleak'")

    monkeypatch.setattr(verify, "grain", stumbles)
    found = {fault.where: fault.found for fault in faults(lake, engine)}
    assert found[DAILY.name] == "cannot cast 'Zephyrleak'"
    assert found[SECRET.name] == "PySparkException"


def test_each_part_of_a_large_table_is_judged(lake, engine, monkeypatch):
    monkeypatch.setattr(verify, "MOST_ROWS", 2)
    put(lake, [*MAY, *MAY], "2024-05")
    put(lake, [("c", date(2024, 6, 1), 1)], "2024-06")
    (fault,) = faults(lake, engine)
    assert (fault.where, fault.file) == ("silver.daily", "2024-05")


def versions(lake, *rows):
    """Makes these (key, from, to) the versions of a dimension, past its gate."""
    known = {"is_reappearance": False, "release_delivery_id": "d"}
    held = [
        {"provider_id": k, "valid_from": a, "valid_to": b, "is_current": b is None, "provider_name": str(a), **known}
        for k, a, b in rows
    ]
    folder = staging_folder(DIM_PROVIDERS, uuid.uuid4().hex)
    with lake.storage.create(f"{folder}/part-0.parquet") as sink:
        pq.write_table(pa.Table.from_pylist(held, schema=DIM_PROVIDERS.arrow), sink)
    staged = find_staged(lake, DIM_PROVIDERS, folder, {WHOLE})
    publish(lake, DIM_PROVIDERS, staged, base=lake.snapshot(DIM_PROVIDERS), inputs=(), properties={})


def test_versions_that_overlap(lake, engine):
    first, second, third = date(2024, 1, 1), date(2024, 2, 1), date(2024, 3, 1)
    versions(lake, ("a", first, second), ("a", second, None), ("b", first, None))
    assert faults(lake, engine) == []
    versions(lake, ("a", first, third), ("a", second, None), ("b", first, None))
    (fault,) = faults(lake, engine)
    assert fault.where == "silver.dim_providers"
    assert "scd2_history" in fault.expected
    assert "rule overlap" in fault.found


# What goes on meanwhile


def test_what_others_publish_and_sweep_meanwhile_is_no_fault(lake, monkeypatch):
    """Between loading a table and listing its files, all of what was loaded is replaced, expired and swept."""
    listed = Storage.stamps

    def stamps(storage, relative, *, suffix=""):
        if relative == folder_of(DAILY) and not changed:
            changed.append(put(lake, [("z", date(2024, 4, 2), 9)], "2024-04"))
            assert expire(lake, [DAILY], {}, kept_for=NOW, kept=1)
            assert sweep(lake, [DAILY], older_than=NOW)
        return listed(storage, relative, suffix=suffix)

    changed = []
    monkeypatch.setattr(Storage, "stamps", stamps)
    found = looked(lake)
    assert changed
    assert found[DAILY.name].faults == ()
    assert found[DAILY.name].rows == 2
    # The mart compares with a snapshot that nobody spared here.
    assert [f.where for f in found[MART.name].faults] == ["gold.mart"]


def test_an_entry_of_the_quarantine_that_is_taken_meanwhile_is_no_fault(lake, monkeypatch):
    entry, listed = only(lake, "quarantine/*"), Storage.stamps

    def stamps(storage, relative, *, suffix=""):
        found = listed(storage, relative, suffix=suffix)
        if relative == "quarantine":
            shutil.rmtree(entry)
        return found

    monkeypatch.setattr(Storage, "stamps", stamps)
    assert faults(lake) == []


def test_faults_of_the_machine_are_not_the_lakes(lake, monkeypatch):
    def denied(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Storage, "read", denied)
    with pytest.raises(InfrastructureError, match="a permission is missing"):
        faults(lake)


def test_a_lake_that_was_moved_says_so(lake):
    target = Path(lake.root).with_name("b")
    Path(lake.root).rename(target)
    with pytest.raises(LakeMovedError, match="nh relocate"):
        looked(Lake(str(target)))


# The command


def test_the_command(lake, engine):
    nh = Nh(lake.root)
    told = nh("verify").output
    assert "the lake is as it should be" in told
    assert "silver.daily" in told
    path = only(lake, "raw/*/*/*/delivery.*")
    flip(path)
    told = nh("verify", exits=1).output
    assert f"wrong raw zone: {path.relative_to(lake.root)}: expected the bytes of" in told
    assert "What to do: restore the folder from a backup" in told
    assert "1 thing is wrong" in told
    assert "the lake is as it should be" in nh("verify", "--quick").output
    found = json.loads(nh("verify", "--json", exits=1).stdout)
    assert [f["file"] for each in found for f in each["faults"]] == [str(path.relative_to(lake.root))]
    assert "nothing to look at" in Nh(f"{lake.root}/nothing")("verify", "--quick").output


def test_on_s3(aws, template, engine, tmp_path):
    drop, _, _ = template
    lake, copy = made(aws.home, drop), Storage(str(tmp_path / "copy"))
    backup(lake, EVERY, copy)
    here = Lake(copy.root)
    assert {each.table for each in relocate(here)} == {"silver.daily", "gold.mart"}
    assert faults(here, engine) == []
    assert looked(here)[DAILY.name].rows == 3
    put(lake, [*MAY, *MAY], "2024-05")
    (fault,) = faults(lake, engine)
    assert fault.expected.startswith("grain")
    assert looked(lake)["raw zone"].files == 2
    data, (raw,) = lake.relative(lake.snapshot(DAILY).paths[0]), lake.storage.files("raw", suffix="delivery.csv")
    lake.storage.delete(data)
    content = lake.storage.read(raw)
    lake.storage.write(raw, content[:-1] + b"?")
    assert {f.file: f.found for f in faults(lake)} == {data: GONE}
    assert {f.file for f in faults(lake, engine)} == {data, raw}
