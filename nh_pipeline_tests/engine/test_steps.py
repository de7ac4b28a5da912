"""The steps raw -> gold on sample deliveries: counts, re-runs, corrections, order of arrival."""

from __future__ import annotations

import os
import re
from collections import Counter
from datetime import date
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyiceberg.catalog.sql import SqlCatalog

from nh_pipeline import datasets
from nh_pipeline.datasets.cms.daily_nurse_staffing import FCT_STAFFING_LEVELS
from nh_pipeline.datasets.cms.medicare_claims import DIM_CLAIMS, FCT_CLAIMS_MEASURES, MEASURES
from nh_pipeline.datasets.cms.providers import DIM_PROVIDERS, FCT_PROVIDER_RELEASES
from nh_pipeline.datasets.dates import DIM_DATE
from nh_pipeline.lake import lake
from nh_pipeline.lake.storage import Storage
from nh_pipeline.landing.confirmations import confirm
from nh_pipeline.marts.facility_measures import FACILITY_MEASURES, HPRD, PROVIDER_COLUMNS
from nh_pipeline.model.table import REJECTS
from nh_pipeline.periods import joined
from nh_pipeline.pipeline import plan as planning
from nh_pipeline.pipeline.build_state import of_deliveries, recorded_inputs
from nh_pipeline.pipeline.deliveries import NothingDelivered
from nh_pipeline.pipeline.recipe import recipe
from nh_pipeline.sample import Correction, Deliveries
from nh_pipeline_tests.support import chain
from nh_pipeline_tests.support.chain import STAFFING
from nh_pipeline_tests.support.declared import BRONZE, measures_build, staffing_build
from nh_pipeline_tests.support.stale import stale_dimensions, stale_gold, stale_quarters, unparsed

pytestmark = pytest.mark.integration

PLAN = Deliveries(30, ("2024Q1", "2024Q3"), releases=4, days=5)
"""Releases of July to October 2024: the first quarter lies before all of them, the third within."""


@pytest.fixture(scope="module")
def finished(engine, drop, tmp_path_factory):
    """A lake with all of it; tests only read it, or build what is there again."""
    workspace = chain.workspace_at(tmp_path_factory.mktemp("lake"), engine)
    chain.land(workspace, drop)
    chain.whole(workspace)
    return workspace


@pytest.fixture
def copied(finished, tmp_path_factory):
    """The same in a lake of its own, to be changed."""
    root = tmp_path_factory.mktemp("copy")
    chain.copied(finished.lake.root, root)
    return chain.workspace_at(root, finished.spark)


def sums(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "facilities": len({r["provider_id"] for r in rows}),
        "days": len({r["work_date"] for r in rows}),
        "rows": len(rows),
        "census": sum(r["census"] for r in rows),
        "hours_cents": int(100 * sum(r["total_hours"] for r in rows)),
        "contract_cents": int(100 * sum(r["contract_hours"] for r in rows)),
        "zero_census_rows": sum(r["census"] == 0 for r in rows),
        "zero_hours_rows": sum(r["total_hours"] == 0 for r in rows),
    }


def facts(workspace, quarter: str | None = None) -> list[dict[str, Any]]:
    return [r for r in chain.rows(workspace.lake, FCT_STAFFING_LEVELS) if quarter in (None, r["cy_qtr"])]


def without_lineage(rows):
    return [{k: v for k, v in r.items() if k != "delivery_id"} for r in rows]


def contents(workspace):
    return {c.name: chain.table(workspace.lake, c) for c in chain.TABLES}


@pytest.mark.parametrize("quarter", PLAN.quarters)
def test_facts_are_what_was_generated(finished, quarter):
    rows = facts(finished, quarter)
    assert sums(rows) == vars(PLAN.truth().quarters[quarter])
    assert all(r["hrs_rn"] == r["hrs_rn_emp"] + r["hrs_rn_ctr"] for r in rows)
    assert chain.rows(finished.lake, REJECTS) == []


def test_dimensions_are_what_was_generated(finished):
    truth = PLAN.truth()
    versions = Counter(r["provider_id"] for r in chain.rows(finished.lake, DIM_PROVIDERS))
    assert dict(versions) == dict(truth.provider_versions)
    assert len(chain.rows(finished.lake, DIM_CLAIMS)) == truth.claim_versions_period
    present = list(truth.releases.values())
    assert sum(r["is_current"] for r in chain.rows(finished.lake, DIM_PROVIDERS)) == present[-1]
    assert finished.lake.snapshot(BRONZE["providers"]).rows == sum(present)


def test_calendar(finished):
    days = {r["date"]: r for r in chain.rows(finished.lake, DIM_DATE)}
    assert (len(days), min(days), max(days)) == (6939, date(2017, 1, 1), date(2035, 12, 31))
    assert all(day.isocalendar().week == r["iso_week"] for day, r in days.items())
    assert all((day.weekday() >= 5) == r["is_weekend"] for day, r in days.items())
    assert days[date(2024, 6, 30)] == {
        "date_id": 20240630, "date": date(2024, 6, 30), "year": 2024, "quarter": 2, "cy_qtr": "2024Q2", "month": 6,
        "month_start": date(2024, 6, 1), "iso_week": 26, "day_of_week": 1, "is_weekend": True,
    }  # fmt: skip


def as_of(versions: list[dict[str, Any]], day: date) -> tuple[str, dict[str, Any]]:
    """How a day matches the versions of one key, and which."""
    if not versions:
        return "unknown", {}
    first = min(versions, key=lambda v: v["valid_from"])
    if day < first["valid_from"]:
        return "earliest", first
    valid = [v for v in versions if v["valid_from"] <= day and (v["valid_to"] is None or day < v["valid_to"])]
    return ("as_of", valid[0]) if valid else ("unknown", {})


def test_gold_is_every_fact_beside_its_provider_of_the_day(finished):
    gold = {(r["provider_id"], r["work_date"]): r for r in chain.rows(finished.lake, FACILITY_MEASURES)}
    staff = {(r["provider_id"], r["work_date"]): r for r in facts(finished)}
    assert gold.keys() == staff.keys()
    providers, claims = {}, {}
    for version in chain.rows(finished.lake, DIM_PROVIDERS):
        providers.setdefault(version["provider_id"], []).append(version)
    for version in chain.rows(finished.lake, DIM_CLAIMS):
        claims.setdefault((version["provider_id"], version["measure_code"]), []).append(version)
    matches = Counter()
    for (ccn, day), row in gold.items():
        fact = staff[ccn, day]
        match, version = as_of(providers.get(ccn, []), day)
        assert (row["provider_match"], row["provider_valid_from"]) == (match, version.get("valid_from"))
        assert [row[c] for c in PROVIDER_COLUMNS] == [version.get(c) for c in PROVIDER_COLUMNS]
        assert row["state"] == (version.get("state") or fact["state"])
        for code, column in MEASURES.items():
            _, score = as_of(claims.get((ccn, code), []), day)
            assert row[column] == score.get("adjusted_score")
        assert {c: row[c] for c in ("census", *HPRD.values())} == {c: fact[c] for c in ("census", *HPRD.values())}
        for hprd, hours in HPRD.items():
            assert row[hprd] == (float(fact[hours]) / fact["census"] if fact["census"] else None)
        beds = row["certified_beds"]
        assert row["occupancy_rate"] == (row["census"] / beds if beds else None)
        share = float(fact["contract_hours"]) / float(fact["total_hours"]) if fact["total_hours"] else None
        assert row["contract_share"] == share
        matches[row["cy_qtr"], row["provider_match"]] += 1
    assert matches == {
        ("2024Q1", "earliest"): 145,
        ("2024Q1", "unknown"): 5,
        ("2024Q3", "as_of"): 140,
        ("2024Q3", "earliest"): 5,  # new in the second release
        ("2024Q3", "unknown"): 5,
    }
    assert {r["provider_id"] for r in gold.values() if r["provider_match"] == "unknown"} == {
        *PLAN.truth().unknown_providers
    }


def test_a_second_run_of_everything_changes_nothing(finished, drop):
    before, counts = contents(finished), chain.snapshots(finished.lake)
    assert counts[FCT_STAFFING_LEVELS.name] == len(PLAN.quarters)
    assert not any(landed.created for landed in chain.land(finished, drop))
    results = chain.whole(finished)
    assert all(r.published and not r.published.changed for r in results)
    assert chain.snapshots(finished.lake) == counts
    assert {name: t.equals(contents(finished)[name]) for name, t in before.items()} == dict.fromkeys(before, True)
    zone = finished.zone
    assert (unparsed(finished.lake, zone), stale_quarters(finished.lake, zone)) == ([], [])
    assert (stale_dimensions(finished.lake, zone), stale_gold(finished.lake)) == (
        [],
        [],
    )


def test_a_plan_loads_each_table_and_lists_each_folder_once(finished, monkeypatch):
    """On AWS, each is a request."""
    seen, load, ask, below = Counter(), SqlCatalog.load_table, lake.pointer, Storage._below
    monkeypatch.setattr(planning, "_PLANS", {})
    monkeypatch.setattr(lake, "_TABLES", {})
    monkeypatch.setattr(SqlCatalog, "load_table", lambda self, name: seen.update([name]) or load(self, name))
    monkeypatch.setattr(lake, "pointer", lambda catalog, name: seen.update([name]) or ask(catalog, name))
    monkeypatch.setattr(Storage, "_below", lambda self, path, end: seen.update([(path, end)]) or below(self, path, end))
    assert planning.plan(finished.lake, finished.zone).builds == ()
    once = 1 + len(datasets.exports())  # which are looked at one by one
    assert {what: times for what, times in seen.items() if times > once} == {}
    assert seen[FCT_STAFFING_LEVELS.name.partition(".")[::2]] == seen["state/refused", ".json"] == 1


def test_a_corrected_delivery_supersedes_the_first(copied, tmp_path):
    fix = Correction(drop_facilities=1, changed_facilities=2)
    before = facts(copied)
    chain.land(copied, PLAN.corrected(tmp_path, "2024Q3", fix))
    assert len(unparsed(copied.lake, copied.zone)) == 1
    chain.parse(copied)
    assert stale_quarters(copied.lake, copied.zone) == ["2024Q3"]
    chain.staffing(copied)
    now = facts(copied, "2024Q3")
    assert sums(now) == vars(PLAN.quarter_truth("2024Q3", fix))
    assert len(now) == 29 * 5
    assert facts(copied, "2024Q1") == [r for r in before if r["cy_qtr"] == "2024Q1"]
    assert stale_gold(copied.lake) == [date(2024, 7, n) for n in range(1, 6)]
    chain.measures(copied)
    gold = chain.rows(copied.lake, FACILITY_MEASURES)
    assert [(r["provider_id"], r["work_date"], r["total_hours"]) for r in gold] == [
        (r["provider_id"], r["work_date"], r["total_hours"]) for r in facts(copied)
    ]
    assert stale_gold(copied.lake) == []


def test_an_extract_is_held_until_it_is_confirmed(copied, tmp_path):
    fix = Correction(drop_facilities=2, changed_facilities=2)  # 6.7 % of 30
    before, counts = contents(copied), chain.snapshots(copied.lake)
    path = PLAN.corrected(tmp_path, "2024Q3", fix)
    chain.land(copied, path)
    chain.parse(copied)
    start, end = chain.quarter_bounds("2024Q3")
    statuses = staffing_build(coverage="2024Q3", start=start, end=end).run(copied).deliveries
    held = next(s for s in statuses if s.state == "held")
    assert held.name == path.name
    assert "28 facilities" in held.reason
    assert "6.7% fewer" in held.reason
    assert f"nh confirm {held.delivery_id[:12]}" in held.reason
    chain.staffing(copied)
    chain.measures(copied)
    after = chain.snapshots(copied.lake)
    assert {n for n in after if after[n] != counts[n]} == {BRONZE["daily_nurse_staffing"].name}
    assert chain.table(copied.lake, FACILITY_MEASURES).equals(before[FACILITY_MEASURES.name])
    delivery = next(d for d in copied.zone.deliveries() if d.delivery_id == held.delivery_id)
    confirm(copied.lake.storage, delivery, reason="two homes were sold")
    confirm(copied.lake.storage, delivery, reason="again")
    chain.staffing(copied)
    assert sums(facts(copied, "2024Q3")) == vars(PLAN.quarter_truth("2024Q3", fix))


def test_one_date_anew_leaves_every_other_date(copied, tmp_path):
    before, gold_before = facts(copied), chain.rows(copied.lake, FACILITY_MEASURES)
    chain.land(copied, PLAN.corrected(tmp_path, "2024Q3", Correction(drop_facilities=1, changed_facilities=2)))
    chain.parse(copied)
    day = date(2024, 7, 3)
    results = chain.staffing_days(copied, day, day, "2024Q3")
    assert results[0].published.changed == {"2024-07"}
    now = facts(copied)
    assert [r for r in now if r["work_date"] != day] == [r for r in before if r["work_date"] != day]
    there = [r for r in now if r["work_date"] == day]
    assert (len(there), len({r["delivery_id"] for r in there})) == (29, 1)
    assert {r["delivery_id"] for r in there}.isdisjoint({r["delivery_id"] for r in before})
    # The quarter is not all of one delivery yet, so it stays behind.
    assert stale_quarters(copied.lake, copied.zone) == ["2024Q3"]
    chain.published(measures_build(start=day, end=day).run(copied).results)
    gold = chain.rows(copied.lake, FACILITY_MEASURES)
    assert [r for r in gold if r["work_date"] != day] == [r for r in gold_before if r["work_date"] != day]
    assert [(r["provider_id"], r["total_hours"]) for r in gold if r["work_date"] == day] == [
        (r["provider_id"], r["total_hours"]) for r in there
    ]
    counts = chain.snapshots(copied.lake)
    chain.staffing_days(copied, day, day, "2024Q3")
    chain.published(measures_build(start=day, end=day).run(copied).results)
    assert chain.snapshots(copied.lake) == counts
    # Day by day or at once: the same in the end.
    for other in (1, 2, 4, 5):
        chain.staffing_days(copied, date(2024, 7, other), date(2024, 7, other), "2024Q3")
    by_day = chain.table(copied.lake, FCT_STAFFING_LEVELS)
    chain.staffing(copied)
    assert chain.table(copied.lake, FCT_STAFFING_LEVELS).equals(by_day)
    assert stale_quarters(copied.lake, copied.zone) == []


def test_ranges_that_make_no_sense(finished):
    with pytest.raises(ValueError, match="2024-03-01 to 2024-04-30 does not lie in 2024Q2"):
        staffing_build(coverage="2024Q2", start=date(2024, 3, 1), end=date(2024, 4, 30))
    with pytest.raises(NothingDelivered, match="2023Q1"):
        staffing_build(coverage="2023Q1", start=date(2023, 1, 1), end=date(2023, 1, 1)).run(finished)


def test_refused_lines_are_kept_and_accounted_for(workspace, tmp_path):
    w, plan = workspace(), Deliveries(8, ("2024Q2",), releases=0, days=40)
    path = plan.staffing(tmp_path, "2024Q2")
    lines = path.read_bytes().split(b"\n")
    lines[3] = re.sub(rb",202404[0-9]{2},", b",20240399,", lines[3])
    lines.insert(5, b"too,few,cells")
    lines.insert(7, lines[6])
    lines.insert(8, b"")
    when = path.stat().st_mtime
    path.write_bytes(b"\n".join(lines))
    os.utime(path, (when, when))
    chain.land(w, path)
    parsed, refused = chain.parse(w)
    assert (parsed.rows, refused.rows) == (321, 1)
    done, refused = chain.staffing(w)
    assert (done.rows, refused.rows) == (319, 2)
    rejects = {r["source_line"]: r for r in chain.rows(w.lake, REJECTS)}
    assert {n: (r["stage"], r["reason"].partition(",")[0]) for n, r in rejects.items()} == {
        4: ("fct_staffing_levels", "work_date: expected a date (yyyymmdd)"),
        6: ("parse", "expected 33 cells as in the header"),
        8: ("fct_staffing_levels", "provider_id"),
    }
    assert rejects[6]["line"] == "too,few,cells"
    bronze = {r["source_line"] for r in chain.rows(w.lake, BRONZE["daily_nurse_staffing"])}
    assert bronze == set(range(2, 324)) - {6}
    # A correction without the faults takes the type rejects away; the parse ones belong to the file.
    clean = tmp_path / "clean"
    clean.mkdir()
    chain.land(w, plan.corrected(clean, "2024Q2", Correction(drop_facilities=0, changed_facilities=0)))
    chain.parse(w)
    first, second = w.zone.deliveries("daily_nurse_staffing")
    (parsed_as,) = {v for k, v in recorded_inputs(w.lake, BRONZE[STAFFING]).items() if k == second.delivery_id}
    built_from = of_deliveries(recipe(FCT_STAFFING_LEVELS), {second.delivery_id: parsed_as})
    noted = {"nh.built-from.2024Q2": built_from}  # its facts are there, its rejects not yet: a crash
    with w.lake.table(FCT_STAFFING_LEVELS).transaction() as transaction:
        transaction.set_properties(noted)
    assert stale_quarters(w.lake, w.zone) == ["2024Q2"]
    chain.staffing(w)
    assert stale_quarters(w.lake, w.zone) == []
    assert {(r["delivery_id"], r["stage"]) for r in chain.rows(w.lake, REJECTS)} == {(first.delivery_id, "parse")}
    assert len(facts(w)) == 320
    assert {d.manifest.name for d in w.zone.deliveries()} == {path.name, path.stem + "_corrected.csv"}


SMALL = Deliveries(21, ("2024Q2",), releases=0, days=2)
FIXES = (Correction(1, 1, 1), Correction(0, 3, 2), Correction(3, 1, 3))
"""One facility fewer; complete again; three of 21 fewer, which is held."""


@pytest.fixture(scope="module")
def quarter_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quarter")
    return [SMALL.staffing(folder, "2024Q2"), *(SMALL.corrected(folder, "2024Q2", fix) for fix in FIXES)]


@pytest.fixture(scope="module")
def all_at_once(engine, quarter_files, tmp_path_factory):
    workspace = chain.workspace_at(tmp_path_factory.mktemp("lake"), engine)
    chain.land(workspace, *quarter_files)
    chain.parse(workspace)
    chain.staffing(workspace)
    chain.measures(workspace)
    assert sums(facts(workspace)) == vars(SMALL.quarter_truth("2024Q2", FIXES[1]))
    return workspace


@settings(
    max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(order=st.sampled_from(list(permutations(range(4)))), build=st.lists(st.booleans(), min_size=4, max_size=4))
def test_any_arrival_of_corrections_gives_the_same_tables(workspace, quarter_files, all_at_once, order, build):
    w = workspace()
    for n, now in zip(order, build, strict=True):
        chain.land(w, quarter_files[n])
        if now:
            chain.parse(w)
            chain.staffing(w)
            chain.measures(w)
    chain.land(w, *quarter_files)  # all of them once more
    chain.parse(w)
    chain.staffing(w)
    chain.measures(w)
    for contract in (FCT_STAFFING_LEVELS, REJECTS, FACILITY_MEASURES):
        assert chain.table(w.lake, contract).equals(chain.table(all_at_once.lake, contract)), contract.name


def test_a_late_release_touches_only_its_own_window(workspace, tmp_path):
    # Four homes: none is new in August, which would change its earlier days too (they take the earliest version).
    plan = Deliveries(4, ("2024Q1", "2024Q3"), releases=3, days=40)
    w, fresh = workspace(), workspace()
    quarter = plan.staffing(tmp_path, "2024Q3")  # 1 July to 9 August
    plan.staffing(tmp_path, "2024Q1")
    july, august, september = (plan.release(tmp_path, n)[1:3] for n in range(3))
    for target, first in ((w, [*july, *september]), (fresh, [*july, *august, *september])):
        chain.land(target, quarter, *first)
        chain.whole(target)
    chain.land(w, *august)
    assert stale_dimensions(w.lake, w.zone) == []  # not parsed yet
    chain.parse(w)
    assert stale_dimensions(w.lake, w.zone) == [
        DIM_PROVIDERS, FCT_PROVIDER_RELEASES, DIM_CLAIMS, FCT_CLAIMS_MEASURES,
    ]  # fmt: skip
    chain.dimension(w, "providers")
    chain.dimension(w, "medicare_claims")
    stale = stale_gold(w.lake)
    assert joined(zip(stale, stale, strict=True)) == [(date(2024, 8, 1), date(2024, 8, 9))]
    untouched = w.lake.snapshot(FACILITY_MEASURES, ["2024-07"])
    chain.published(measures_build(start=date(2024, 8, 1), end=date(2024, 8, 9)).run(w).results)
    assert w.lake.snapshot(FACILITY_MEASURES, ["2024-07"]).paths == untouched.paths
    assert chain.table(w.lake, FACILITY_MEASURES).equals(chain.table(fresh.lake, FACILITY_MEASURES))
    assert stale_gold(w.lake) == []


def test_gold_without_dimensions_knows_nobody(workspace, quarter_files):
    w = workspace()
    chain.land(w, quarter_files[0])
    chain.parse(w)
    chain.staffing(w)
    chain.measures(w)
    gold = chain.rows(w.lake, FACILITY_MEASURES)
    assert {(r["provider_match"], r["claims_match"], r["occupancy_rate"]) for r in gold} == {
        ("unknown", "unknown", None)
    }
    assert sum(r["total_hours"] for r in gold) == Decimal(SMALL.quarter_truth("2024Q2").hours_cents) / 100
    assert {r["state"] for r in gold} == {r["state"] for r in facts(w)}


def test_a_damaged_delivery_replaces_nothing(workspace, tmp_path):
    w = workspace()
    plan = Deliveries(facilities=5, quarters=("2024Q1",), releases=0, quirks=False, days=20)
    good = plan.staffing(tmp_path / "good", "2024Q1")
    chain.land(w, good)
    chain.parse(w, STAFFING)
    chain.staffing(w)
    before = contents(w)
    # Saved by a spreadsheet: every CCN is a number, its leading zero is gone where it had one; here, everywhere.
    header, *lines = good.read_bytes().split(b"\n")
    damaged = tmp_path / "damaged" / good.name
    damaged.parent.mkdir()
    damaged.write_bytes(b"\n".join([header, *(line[1:] for line in lines)]))
    os.utime(damaged, (good.stat().st_mtime + 86_400,) * 2)
    chain.land(w, damaged)
    chain.parse(w, STAFFING)
    outcome = staffing_build(coverage="2024Q1", start=date(2024, 1, 1), end=date(2024, 3, 31)).run(w)
    assert not any(r.published.changed for r in outcome.results)
    kept, refused = outcome.deliveries
    assert (kept.state, refused.state, refused.lines, refused.lines_refused) == ("effective", "refused", 100, 100)
    assert "provider_id 100" in refused.reason
    assert "a leading zero may be lost" in refused.reason
    after = contents(w)
    assert [n for n in after if not after[n].equals(before[n])] == [BRONZE[STAFFING].name]
