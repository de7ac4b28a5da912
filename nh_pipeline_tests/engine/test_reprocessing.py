"""Recipes: what was built by older columns, rules or transforms is stale, and only that; the plan is cheap to ask."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from pyspark.sql import functions as F

from nh_pipeline import datasets
from nh_pipeline.datasets.cms.daily_nurse_staffing import FCT_STAFFING_LEVELS, roll_up
from nh_pipeline.datasets.cms.medicare_claims import FCT_CLAIMS_MEASURES
from nh_pipeline.datasets.cms.providers import DIM_PROVIDERS, FCT_PROVIDER_RELEASES
from nh_pipeline.datasets.dates import DIM_DATE
from nh_pipeline.lake.duck import reading
from nh_pipeline.lake.publish import Published, Staged, publish
from nh_pipeline.lake.storage import Storage
from nh_pipeline.landing.zone import RawZone
from nh_pipeline.marts.facility_measures import FACILITY_MEASURES
from nh_pipeline.model.columns import text
from nh_pipeline.model.quality import DATA_QUALITY
from nh_pipeline.pipeline import plan as module
from nh_pipeline.pipeline.bronze import ParseDelivery
from nh_pipeline.pipeline.build_state import of_deliveries, record_inputs
from nh_pipeline.pipeline.calendar import BuildCalendar
from nh_pipeline.pipeline.deliveries import look
from nh_pipeline.pipeline.mart import BuildMart
from nh_pipeline.pipeline.notes import DeliveryNote, Notes
from nh_pipeline.pipeline.plan import plan
from nh_pipeline.pipeline.quality import BuildQuality
from nh_pipeline.pipeline.recipe import code_version, judged_by, parse_recipe, recipe
from nh_pipeline.sample import Deliveries
from nh_pipeline.tables import gold, tables
from nh_pipeline.transforms import typed
from nh_pipeline_tests.support import chain
from nh_pipeline_tests.support.declared import BRONZE, DATASETS, DIMENSIONS, with_dataset
from nh_pipeline_tests.support.local import Nh

if TYPE_CHECKING:
    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.model.table import Table

PLAN = Deliveries(12, ("2024Q2", "2024Q4"), releases=3, days=2, quirks=False)
"""Releases of October to December 2024."""

RENAMED = "Name of the Chain"


@pytest.fixture(scope="module")
def drop(tmp_path_factory):
    """Deliveries of which one release has a header cell that nobody knows."""
    folder = tmp_path_factory.mktemp("drop")
    PLAN.write(folder)
    path = folder / "NH_ProviderInfo_Dec2024.csv"
    rows = list(csv.reader(io.StringIO(path.read_text("cp1252"))))
    (known,) = (c for c in rows[0] if c in ("Chain Name", "Affiliated Entity Name"))
    rows[0][rows[0].index(known)] = RENAMED
    text, when = io.StringIO(), path.stat().st_mtime
    csv.writer(text, lineterminator="\n").writerows(rows)
    path.write_bytes(text.getvalue().encode("cp1252"))
    os.utime(path, (when, when))
    return folder


@pytest.fixture(scope="module")
def built(drop, tmp_path_factory):
    """A lake of them; the last test that takes it changes it."""
    nh = Nh(tmp_path_factory.mktemp("built") / "lake")
    nh.built(drop)
    return nh


@pytest.fixture
def new_spelling(monkeypatch, code_changes):
    """A declaration that knows the cell."""

    def declare():
        columns = (
            c.having(labels=(*c.labels, RENAMED)) if c.name == "chain_name" else c
            for c in DATASETS["providers"].columns
        )
        monkeypatch.setattr(datasets, "DATASETS", with_dataset("providers", columns=tuple(columns)))
        code_changes()

    return declare


def mended(read: Any) -> Any:
    """The transform with a mended rule: twenty hours per resident and day are implausible."""
    made = roll_up(read)
    flag = (F.col("census") > 0) & (F.col("total_hours") > 20 * F.col("census"))
    return made.withColumn("is_implausible_hours", flag).select(*made.columns)


def partitions(lake: Lake) -> dict[str, dict[str, tuple[str, ...]]]:
    """The files of every partition of every table."""
    return {
        c.name: {s: tuple(f.path for f in lake.snapshot(c).files if f.partition == s) for s in lake.snapshot(c).present}
        for c in tables()
    }


@pytest.mark.integration
def test_a_rebuild_that_a_person_asks_for(built):
    nh = built
    before = chain.snapshots(nh.lake)
    for table, more in (
        ("bronze.providers_raw", ("--from", "2024-11-01", "--to", "2024-12-31")),
        ("fct_staffing_levels", ("--from", "2024-10-01", "--to", "2024-10-02")),
        ("silver.dim_claims", ()),
        ("gold.facility_measures", ()),
    ):
        told = nh("rebuild", table, *more).stdout
        assert "done" in told
        assert "unchanged" in told
    assert chain.snapshots(nh.lake) == before
    assert nh("materialize").stdout.startswith("nothing to do")
    for wrong in (("rebuild", "bronze.rejects"), ("rebuild", "x"), ("rebuild", "dim_date", "--from", "2024-01-01")):
        nh(*wrong, exits=2)
    nh("rebuild", "gold.facility_measures", "--from", "2024-02-01", "--to", "2024-01-01", exits=2)


@pytest.mark.integration
def test_yesterdays_lake_with_todays_declarations(built, drop, tmp_path, monkeypatch, new_spelling):
    nh = built
    before = partitions(nh.lake)
    unknown = nh.rows("select distinct coverage as c from bronze.providers_raw where extra_columns is not null")
    assert unknown == [{"c": "2024-12-01"}]
    kind = replace(FCT_STAFFING_LEVELS.kind, transform=mended)
    monkeypatch.setattr(datasets, "DATASETS", with_dataset("daily_nurse_staffing", tables=(kind,)))
    new_spelling()

    stale = {(s["table"], s["reason"]) for s in json.loads(nh("status", "--json").stdout)["stale"]}
    rules = "was judged by other rules than those of now"
    assert stale == {
        (
            "bronze.providers_raw",
            "NH_ProviderInfo_Dec2024.csv (2024-12-01) has columns that are read otherwise now",
        ),
        ("bronze.daily_nurse_staffing_raw", f"PBJ_Daily_Nurse_Staffing_Q2_2024.csv (2024Q2) {rules}"),
        ("bronze.daily_nurse_staffing_raw", f"PBJ_Daily_Nurse_Staffing_Q4_2024.csv (2024Q4) {rules}"),
        ("silver.fct_staffing_levels", "its columns, rules or transform have changed"),
    }
    told = " ".join(nh("status").stdout.split())
    assert "Stale: " in told
    assert "has columns that are read otherwise now" in told

    nh("materialize")
    after = partitions(nh.lake)
    dec = next(d for d in RawZone(nh.lake.storage).deliveries("providers") if d.manifest.coverage.key == "2024-12-01")
    changed = {
        table: {s for s in now if now[s] != before[table].get(s)}
        for table, now in after.items()
        if now != before[table]
    }
    # The release whose header is read otherwise, what follows from it, and the rows of the mended rule; nothing else.
    assert changed.pop("bronze.providers_raw") == {dec.delivery_id}
    tables_of_it = (DIM_PROVIDERS, FCT_PROVIDER_RELEASES, FCT_STAFFING_LEVELS, FACILITY_MEASURES, DATA_QUALITY)
    followed = {table.name for table in tables_of_it}
    assert changed.keys() <= followed
    assert json.loads(nh("status", "--json").stdout)["stale"] == []
    assert nh("materialize").stdout.startswith("nothing to do")

    anew = Nh(tmp_path / "anew")
    anew.built(drop)
    for contract in chain.TABLES:
        assert chain.table(nh.lake, contract).equals(chain.table(anew.lake, contract)), contract.name
    assert anew.rows("select count(*) as n from bronze.providers_raw where extra_columns is not null") == [{"n": 0}]


def test_what_is_part_of_a_recipe_and_what_is_not(monkeypatch, new_spelling, code_changes):
    before = {c.name: code_version(c) for c in tables()}
    assert len(set(before.values())) == len(before)
    header = ("CMS Certification Number (CCN)", "Provider Name", "State", "Chain Name", "Number of Certified Beds",
              "Overall Rating", "Processing Date")  # fmt: skip
    drifted = tuple(RENAMED if c == "Chain Name" else c for c in header)
    parsed = [parse_recipe("providers", h) for h in (header, drifted)]
    new_spelling()
    assert parse_recipe("providers", header) == parsed[0]  # a spelling that a file does not use changes nothing of it
    assert parse_recipe("providers", drifted) != parsed[1]
    assert {name for name, was in before.items() if code_version(_by_name(name)) != was} == {"bronze.providers_raw"}

    monkeypatch.setattr(typed, "_MOST_DIGITS", 8)
    code_changes()
    assert recipe(FCT_STAFFING_LEVELS) != before[FCT_STAFFING_LEVELS.name]
    monkeypatch.undo()
    code_changes()
    assert {c.name: code_version(c) for c in tables()} == before


def _by_name(name: str) -> Any:
    return next(c for c in tables() if c.name == name)


def same(value: int) -> int:
    """One."""
    # a comment
    return value + 1


def commented(value: int) -> int:
    """Another text
    of several lines.
    """

    return value + 1


def other(value: int) -> int:
    return value + 2


def test_comments_and_docstrings_are_no_part_of_a_recipe():
    from nh_pipeline.pipeline.recipe import _source  # noqa: PLC0415

    texts = [_source(f).partition("\n")[2] for f in (same, commented, other)]
    assert texts == ["    return value + 1", "    return value + 1", "    return value + 2"]


# The plan on a large lake.


@pytest.fixture(scope="module")
def large(engine, tmp_path_factory):
    """A lake of 17 quarters and 24 releases of two datasets, each of three homes on one day."""
    quarters = tuple(f"{year}Q{q}" for year in range(2022, 2027) for q in (1, 2, 3, 4))[:17]
    few = Deliveries(3, quarters, releases=24, days=1, quirks=False)
    folder, w = tmp_path_factory.mktemp("large"), chain.workspace_at(tmp_path_factory.mktemp("lake"), engine)
    for quarter in few.quarters:
        few.staffing(folder, quarter)
    for n in range(24):
        few.release(folder, n)
    chain.land(w, *(p for p in sorted(folder.iterdir()) if p.name.startswith(("PBJ", "NH_Prov", "NH_QualityMsr_Cl"))))
    for dataset in BRONZE:
        _parsed_at_once(w, dataset)
    for dataset in DIMENSIONS:
        chain.dimension(w, dataset)
    chain.published(BuildCalendar(table="silver.dim_date").run(w).results)
    chain.staffing(w)
    for table in gold():
        build = BuildMart(table=table.name, start=date(2022, 1, 1), end=date(2026, 3, 31))
        chain.published(build.run(w).results)
    for table in (FCT_PROVIDER_RELEASES, FCT_CLAIMS_MEASURES):
        _noted_as_built(w, table)
    chain.published(BuildQuality(table=DATA_QUALITY.name).run(w).results)
    return w


def _noted_as_built(w: Any, table: Table) -> None:
    """Releases side by side, without their rows: 48 builds would take long, and a plan reads none of them."""
    found = look(w.lake, w.zone, datasets.dataset(table.dataset))
    memory = {
        coverage: of_deliveries(recipe(table), {i: part.notes[i].parsed for i in part.effective})
        for coverage, part in found.by_coverage.items()
    }
    record_inputs(w.lake, table, memory, Published.unchanged(w.lake.snapshot(table)))


def _parsed_at_once(w: Any, dataset: str) -> None:
    """All deliveries of a dataset in one commit: 65 times what the engine needs for a small file takes long."""
    contract, notes, files = BRONZE[dataset], {}, []
    for delivery in w.zone.deliveries(dataset):
        step = ParseDelivery(dataset=dataset, delivery=delivery.delivery_id)
        text, _, staged, _ = step._parse(w, delivery, f"{delivery.delivery_id}.parse")
        header, rows = tuple(text.header()), pq.read_table(w.lake.open(staged.files[0].path), columns=["provider_id"])
        providers = sorted(set(rows["provider_id"].to_pylist()))
        day = delivery.manifest.coverage.start.isoformat()
        notes[delivery.delivery_id] = DeliveryNote(
            delivery_id=delivery.delivery_id,
            parsed=parse_recipe(dataset, header),
            inspected=judged_by(datasets.dataset(dataset)),
            header=header,
            records=rows.num_rows,
            keys=rows.num_rows,
            facilities=" ".join(providers),
            days=(day,) if delivery.manifest.coverage.kind == "quarter" else (),
        )
        files += staged.files
    staged = Staged(table=contract.name, folder="nowhere", files=tuple(files), replaces=frozenset(notes))
    base = w.lake.snapshot(contract, list(notes))
    done = publish(w.lake, contract, staged, base=base, inputs=[], properties={})
    for note in notes.values():
        Notes(w.lake.storage).write(dataset, note)
    record_inputs(w.lake, contract, {i: note.parsed for i, note in notes.items()}, done)


@pytest.mark.integration
def test_a_plan_is_cheap_to_ask_again(large, monkeypatch):
    opened: list[str] = []
    reads, looks, queries = Storage.open, Storage.read, module.stale_days

    def watched(storage: Storage, relative: str) -> Any:
        opened.append(relative)
        return reads(storage, relative)

    def read(storage: Storage, relative: str) -> bytes:
        opened.append(relative)
        return looks(storage, relative)

    def days(*arguments: Any, **more: Any) -> Any:
        opened.append("gold's days")
        return queries(*arguments, **more)

    monkeypatch.setattr(Storage, "open", watched)
    monkeypatch.setattr(Storage, "read", read)
    monkeypatch.setattr(module, "stale_days", days)
    module._PLANS.clear()
    assert len(RawZone(large.lake.storage).deliveries()) == 17 + 2 * 24
    first = plan(large.lake, large.zone)
    assert first.builds == ()
    assert not [p for p in opened if p.endswith((".parquet", ".csv", ".zip"))]  # notes and manifests, no data
    opened.clear()
    assert plan(large.lake, large.zone) is first
    assert opened == []
    # A decision, a delivery, a published table: whatever changes, it is asked anew.
    delivery = large.zone.deliveries("providers")[3]
    withdrawal = f"state/withdrawn/{delivery.delivery_id}.json"
    large.lake.storage.write_json(withdrawal, {"reason": "test"})
    assert [b.table for b in plan(large.lake, large.zone).builds] == [
        DIM_PROVIDERS, FCT_PROVIDER_RELEASES, DATA_QUALITY,
    ]  # fmt: skip
    large.lake.storage.delete(withdrawal)
    assert plan(large.lake, large.zone).builds == ()


def test_a_damaged_note_is_a_missing_one(workspace, tmp_path):
    w = workspace()
    chain.land(w, PLAN.staffing(tmp_path, "2024Q2"))
    chain.parse(w)
    chain.staffing(w)
    (note,) = w.lake.storage.files("state/parsed")
    w.lake.storage.write(note, b"{")
    (build,) = plan(w.lake, w.zone).part(0)
    assert build.reason.endswith("was parsed by an older version")
    before = chain.snapshots(w.lake)
    chain.parse(w)
    assert plan(w.lake, w.zone).part(0) == ()
    assert chain.snapshots(w.lake) == before


@pytest.mark.integration
def test_what_has_landed_is_planned_however_it_came(workspace, tmp_path):
    """(e): files that were copied into the raw zone by a restore, by a Lambda, by another version."""
    w, other = workspace(), workspace()
    drop = tmp_path / "files"
    PLAN.write(drop)
    chain.land(w, drop)
    shutil.copytree(Path(w.lake.storage.base) / "raw", Path(other.lake.storage.base) / "raw")
    planned = {b.partition for b in plan(other.lake, other.zone).part(0)}
    assert planned == {d.delivery_id for dataset in BRONZE for d in w.zone.deliveries(dataset)}


@pytest.mark.integration
def test_a_column_that_no_file_has_yet_reads_as_null(workspace):
    w = workspace()
    chain.published(BuildCalendar(table="silver.dim_date").run(w).results)
    grown = replace(DIM_DATE, columns=(*DIM_DATE.columns, text("season", "Season of the year")))
    with reading(w.lake, {"t": (grown, w.lake.snapshot(grown))}) as db:
        assert db.execute("select count(*), count(season), max(date_id) from t").fetchone() == (6939, 0, 20351231)
