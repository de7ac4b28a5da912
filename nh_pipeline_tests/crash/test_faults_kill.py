"""``kill -9`` at every named point and at random moments: tables are as before or as after, and the next run heals."""

from __future__ import annotations

import hashlib
import os
import random
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta, timezone

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from nh_pipeline.datasets.clinical.care import ENCOUNTER
from nh_pipeline.datasets.clinical.export import RESOURCE
from nh_pipeline.datasets.clinical.people import PATIENT
from nh_pipeline.datasets.cms.daily_nurse_staffing import FCT_STAFFING_LEVELS
from nh_pipeline.datasets.cms.providers import DIM_PROVIDERS
from nh_pipeline.datasets.treatments import tables as treatments
from nh_pipeline.failpoints import Point
from nh_pipeline.lake.lake import Lake
from nh_pipeline.lake.maintain import sweep
from nh_pipeline.landing.zone import RawZone
from nh_pipeline.marts.facility_measures import FACILITY_MEASURES
from nh_pipeline.model.quality import ETL_TRACKER
from nh_pipeline.model.table import REJECTS
from nh_pipeline.sample import Correction, Deliveries
from nh_pipeline.sample.treatments.writing import Tagged, archive, put, scan
from nh_pipeline.tables import tables
from nh_pipeline_tests.support import chain, fhir
from nh_pipeline_tests.support.declared import BRONZE
from nh_pipeline_tests.support.killing import WRITTEN, Mother
from nh_pipeline_tests.support.stale import stale_dimensions, stale_gold, stale_quarters, unparsed

pytestmark = pytest.mark.integration

PLAN = Deliveries(8, ("2024Q2",), releases=1, quirks=False, days=35)
"""Days of April and May: a publish of facts replaces two months at once."""

RANDOM_KILLS = 32
"""Eight in every quarter of a run; each named point is met by the test above."""
SPARE = 14
"""Runs that may be faster than the moment at which they were to be killed."""
BRONZE_TABLE, FACTS, GOLD = BRONZE["daily_nurse_staffing"], FCT_STAFFING_LEVELS, FACILITY_MEASURES


@pytest.fixture(scope="module")
def mother(tmp_path_factory):
    mother = Mother(tmp_path_factory.mktemp("mother") / "log")
    yield mother
    mother.end()


def spoiled(path):
    """The same delivery with a line that is no record, its own one, and one with a date that is none."""
    when = path.stat().st_mtime
    with path.open("ab") as out:
        last = path.read_bytes().splitlines()[-1]
        out.write(b"few,%s\n" % path.name.encode() + last.replace(b",202405", b",209913") + b"\n")
    os.utime(path, (when, when))
    return path


def contents(root) -> dict[str, pa.Table]:
    """All rows of all tables, by a reader that knows nothing of engines."""
    known, lake = tables(), Lake(str(root))
    lake = lake.with_loaded(lake.load_all(known))
    return {c.name: chain.table(lake, c) for c in known}


def unlocked(root):
    """Nobody holds the catalog: a writer gets its lock at once."""
    with closing(sqlite3.connect(root / "catalog.db", timeout=0, isolation_level=None)) as db:
        db.execute("begin immediate")


def healed(root, mother, *paths):
    """One undisturbed run brings everything up to date, and another one finds nothing to do."""
    assert not mother(root, *paths).killed
    lake = Lake(str(root))
    zone = RawZone(lake.storage)
    behind = (unparsed(lake, zone), stale_quarters(lake, zone), stale_dimensions(lake, zone))
    assert (*behind, stale_gold(lake)) == ([], [], [], [])
    before = chain.snapshots(lake)
    mother(root, *paths)
    assert chain.snapshots(lake) == before


def orphans(root) -> set[str]:
    """Data files that no snapshot of their table names."""
    lake = Lake(str(root))
    named: set[str] = set()
    for contract in tables():
        if lake.catalog.table_exists(contract.name):
            for snapshot in lake.catalog.load_table(contract.name).snapshots():
                named |= {lake.relative(p) for p in lake.snapshot_at(contract, snapshot.snapshot_id).paths}
    return set(lake.storage.files("warehouse", suffix=".parquet")) - named


def test_killed_at_every_point_of_a_first_load(mother, tmp_path):
    staffing = spoiled(PLAN.staffing(tmp_path, "2024Q2"))
    (release,) = (p for p in PLAN.release(tmp_path, 0) if "ProviderInfo" in p.name)
    whole, root = tmp_path / "whole", tmp_path / "lake"
    assert not mother(whole, staffing, release).killed
    after = contents(whole)
    # All states that a table may ever be in: those that an undisturbed run commits, one after the other.
    lake = Lake(str(whole))
    states = {c.name: [pa.table({}), *_history(lake, c)] for c in tables()}
    points = [
        (Point.RECEIVED, staffing),
        (Point.MOVED, staffing),
        (Point.LANDED, staffing),
        (Point.STAGED, BRONZE_TABLE),
        (Point.STAGED, REJECTS),
        (WRITTEN, REJECTS),  # the table is being created
        (Point.PASSED, REJECTS),
        (Point.COMMITTED, REJECTS),  # refused lines are there, the rows that belong to them are not
        (Point.COMMITTING, BRONZE_TABLE),
        (WRITTEN, BRONZE_TABLE),  # the metadata is there, the catalog does not name it
        (Point.COMMITTED, BRONZE_TABLE),
        (WRITTEN, BRONZE_TABLE),  # the same for what it was built from
        (Point.NOTED, BRONZE_TABLE),
        (Point.COMMITTED, DIM_PROVIDERS),
        (Point.NOTED, DIM_PROVIDERS),
        (Point.STAGED, FACTS),
        (Point.COMMITTING, FACTS),
        (WRITTEN, FACTS),
        (Point.COMMITTED, FACTS),
        (Point.NOTED, FACTS),
        (Point.PASSED, GOLD),
        (Point.COMMITTING, GOLD),
        (WRITTEN, GOLD),
        (Point.COMMITTED, GOLD),
        (Point.NOTED, GOLD),
    ]
    elsewhere = {Point.PAGE, Point.EXTRACTED, Point.COPIED}  # of extractions and of the warehouse, in tests of theirs
    assert {p for p, _ in points} == {*Point, WRITTEN} - elsewhere
    reached = dict.fromkeys(states, 0)
    for point, where in points:
        name = getattr(where, "name", where)
        told = f"killed at {point}, {name}"
        assert mother(root, staffing, release, at=(getattr(point, "name", point), name)).killed, told
        for table, rows in contents(root).items():
            at = next((i for i, s in enumerate(states[table]) if _same(rows, s)), None)
            assert at is not None, f"{told}: {table} has {rows.num_rows} rows, as it had in no undisturbed state"
            assert at >= reached[table], f"{told}: {table} went back"
            reached[table] = at
        unlocked(root)
        for delivery in RawZone(Lake(str(root)).storage).deliveries():
            assert (root / delivery.file).stat().st_size == delivery.manifest.size, told
    healed(root, mother, staffing, release)
    assert {n: t.equals(after[n]) for n, t in contents(root).items()} == dict.fromkeys(after, True)
    left = orphans(root)
    assert left
    # Sweeping takes what is old enough, and nothing that a snapshot needs.
    swept = Lake(str(root))
    assert sweep(swept, tables()) == []
    gone = sweep(swept, tables(), older_than=timedelta(0))
    assert {p for p in gone if "/data/" in p} == left
    assert [p for p in gone if p.startswith("raw/.incoming/")]
    assert (orphans(root), sweep(swept, tables(), older_than=timedelta(0))) == (set(), [])
    assert {n: t.equals(after[n]) for n, t in contents(root).items()} == dict.fromkeys(after, True)
    healed(root, mother, staffing, release)


def test_killed_between_tables_of_an_export(mother, tmp_path):
    """Each kill leaves some tables ahead of others; the resources come last, and tell that all are there."""
    export, whole, root = tmp_path / "export.ndjson", tmp_path / "whole", tmp_path / "lake"
    export.write_bytes(fhir.ndjson([fhir.patient("p"), fhir.encounter("e", "p")]))
    assert not mother(whole, export).killed
    for point, table in (("COMMITTED", PATIENT.table), ("COMMITTING", ENCOUNTER.table), ("STAGED", RESOURCE)):
        assert mother(root, export, at=(point, table.name)).killed
        assert contents(root)[PATIENT.table.name].num_rows == 1
        assert contents(root)[RESOURCE.name].num_rows == 0
    assert mother(root, export, at=("COMMITTED", RESOURCE.name)).killed
    assert not mother(root, export).killed
    wanted = contents(whole)
    assert {n: t.equals(wanted[n]) for n, t in contents(root).items()} == dict.fromkeys(wanted, True)


def test_killed_while_treatments_land_and_between_their_tables(mother, tmp_path):
    """The items come last, and tell that all tables have the delivery; who is killed leaves nothing in the tracker."""
    export, whole, root = tmp_path / "items.zip", tmp_path / "whole", tmp_path / "lake"
    items = [{"treatment": {"id": n, "cost": Tagged(L=[]) if n == 9 else n}} for n in range(40)]
    at = datetime(2024, 7, 1, tzinfo=timezone.utc)
    export.write_bytes(archive(scan(at), [put(item) for item in items]))
    assert not mother(whole, export).killed
    for point in (
        *((name, export.name) for name in ("RECEIVED", "MOVED", "LANDED")),
        ("COMMITTING", treatments.EXTRACTIONS.name),
        ("COMMITTED", treatments.REJECTS.name),
        ("STAGED", treatments.TREATMENT_ITEMS.name),
        ("COMMITTED", treatments.TREATMENT_ITEMS.name),
    ):
        assert mother(root, export, at=point).killed, point
        assert contents(root)[ETL_TRACKER.name].num_rows == 0
    assert not mother(root, export).killed
    found, wanted = contents(root), contents(whole)
    assert found.pop(ETL_TRACKER.name).num_rows == wanted.pop(ETL_TRACKER.name).num_rows > 0  # it tells when it looked
    assert {n: t.equals(wanted[n]) for n, t in found.items()} == dict.fromkeys(wanted, True)
    assert found[treatments.TREATMENT_ITEMS.name].num_rows == 39


def _history(lake, contract):
    snapshots = lake.catalog.load_table(contract.name).snapshots() if lake.catalog.table_exists(contract.name) else []
    return [chain.table(lake, contract, lake.snapshot_at(contract, s.snapshot_id)) for s in snapshots]


def _same(rows, state):
    return rows.equals(state) if state.num_columns else rows.num_rows == 0


def test_killed_at_random_moments(mother, tmp_path):
    """Every run brings a new correction of one quarter and is killed; what the one before left undone comes with it."""
    chance, root = random.Random(7), tmp_path / "lake"  # noqa: S311 (no secret)
    fixes = [None, *(Correction(0, 1 + n % 8, n, seed=n) for n in range(1, RANDOM_KILLS + SPARE + 2))]
    files = [spoiled(PLAN.corrected(tmp_path, "2024Q2", f) if f else PLAN.staffing(tmp_path, "2024Q2")) for f in fixes]
    (release,) = (p for p in PLAN.release(tmp_path, 0) if "ProviderInfo" in p.name)
    mother(root, files[0], release)
    usual = mother(root, files[1]).seconds
    built: dict[str, pa.Table] = {}  # states of the facts that were seen: by their delivery
    truth = {_md5(f): vars(PLAN.quarter_truth("2024Q2", fix)) for f, fix in zip(files, fixes, strict=True)}
    order = [_md5(f) for f in files]
    kills, last = 0, {"facts": 0, "gold": 0}
    for number, file in enumerate(files[2:], 2):
        if kills == RANDOM_KILLS:
            files = files[:number]
            break
        outcome = mother(root, file, after=(kills % 4 + chance.random()) / 4 * 0.95 * usual)
        kills += outcome.killed
        usual = usual if outcome.killed else min(usual, outcome.seconds)  # measured on a busier machine
        now = contents(root)
        facts, gold = now[FACTS.name], now[GOLD.name]
        (delivery,) = set(facts["delivery_id"].to_pylist())
        at = order.index(delivery)
        assert last["facts"] <= at <= number
        assert _sums(facts) == {k: truth[delivery][k] for k in ("rows", "census", "hours_cents")}
        built[delivery] = facts.select(["provider_id", "work_date", "census", "total_hours"])
        rows = gold.select(["provider_id", "work_date", "census", "total_hours"])
        of = next((order.index(d) for d, then in built.items() if then.equals(rows)), None)
        assert of is not None or last["gold"] == 0, "gold is of no state that the facts have been in"
        last = {"facts": at, "gold": of or last["gold"]}
        bronze = now[BRONZE_TABLE.name]
        parsed = set(bronze["delivery_id"].to_pylist())
        lines = pc.value_counts(bronze["delivery_id"]).to_pylist()
        assert {c["counts"] for c in lines} == {8 * 35 + 1}
        stages = {"parse": [], FCT_STAFFING_LEVELS.short: []}
        for row in now[REJECTS.name].to_pylist():
            stages[row["stage"]].append(row["delivery_id"])
        assert parsed <= set(stages["parse"])  # rows are never there without their refused lines
        assert len(stages["parse"]) == len(set(stages["parse"])) <= len(parsed) + 1
        assert len(stages[FCT_STAFFING_LEVELS.short]) == 1
        assert order.index(stages[FCT_STAFFING_LEVELS.short][0]) >= at
        unlocked(root)
    assert kills >= 30
    healed(root, mother, *files, release)
    assert not mother(tmp_path / "undisturbed", *files, release).killed
    wanted = contents(tmp_path / "undisturbed")
    assert {n: t.equals(wanted[n]) for n, t in contents(root).items()} == dict.fromkeys(wanted, True)


def _md5(path):
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def _sums(facts):
    return {
        "rows": facts.num_rows,
        "census": pc.sum(facts["census"]).as_py(),
        "hours_cents": int(100 * pc.sum(facts["total_hours"]).as_py()),
    }
