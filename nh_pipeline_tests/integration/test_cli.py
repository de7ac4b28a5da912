"""The ``nh`` command as people use it: what it prints, what it exits with, and what is in the lake afterwards."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
import shutil

import dagster as dg
import pytest

from nh_pipeline.model.table import REJECTS
from nh_pipeline.orchestration import runs as running
from nh_pipeline.orchestration.parts import asset_key
from nh_pipeline.sample import Correction, Deliveries
from nh_pipeline.settings import Settings
from nh_pipeline.tables import tables
from nh_pipeline_tests.support import chain
from nh_pipeline_tests.support.few import EVERY
from nh_pipeline_tests.support.local import Nh, damaged
from nh_pipeline_tests.support.runbook import RUNBOOK, not_said
from nh_pipeline_tests.unit.test_landing_archive import zipped
from nh_pipeline_tests.unit.test_landing_recognise import staffing

pytestmark = [
    pytest.mark.integration,
    # Dagster leaves the closing of its event-log and schedule connections to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

PLAN = Deliveries(20, ("2024Q2",), releases=2, days=3)


@pytest.fixture(scope="module")
def done(drop, tmp_path_factory):
    """A lake that ``nh run`` made; tests only read it, or find nothing to do."""
    nh = Nh(tmp_path_factory.mktemp("done"))
    nh.told = nh("run", drop).stdout
    return nh


@pytest.fixture
def nh(tmp_path):
    return Nh(tmp_path / "lake")


@pytest.fixture
def copied(done, tmp_path):
    """The deliveries of that lake in a lake of their own, landed and nothing more."""
    shutil.copytree(done.home / "raw", tmp_path / "lake" / "raw")
    return Nh(tmp_path / "lake")


@pytest.fixture
def built(done, tmp_path):
    """That lake in a folder of its own, to be changed."""
    chain.copied(done.home, tmp_path / "lake")
    return Nh(tmp_path / "lake")


def test_help_names_every_command(nh):
    told = nh("--help").stdout
    for command in ("sample", "ingest", "materialize", "run", "demo", "ui", "confirm", "quarantine", "query", "status"):
        assert f" {command} " in told
    nh("bogus", exits=2)


def test_sample_is_the_same_for_the_same_seed(nh, tmp_path):
    for name in ("a", "b"):
        told = nh(
            "sample", "--out", tmp_path / name, "--facilities", "3", "--quarters", "2024Q1, 2024Q2", "--releases", "1"
        )
        assert told.stdout.startswith("7 generated files in")
    a, b = (sorted(p for p in (tmp_path / n).iterdir()) for n in ("a", "b"))
    assert [p.name for p in a] == [p.name for p in b]
    assert [p.read_bytes() for p in a] == [p.read_bytes() for p in b]


def test_ingest_lands_once_and_quarantines_what_it_does_not_know(nh, drop, tmp_path):
    assert nh("ingest", drop).stdout == "11 landed, 0 known already, 0 in quarantine\n"
    assert nh("ingest", drop).stdout == "0 landed, 11 known already, 0 in quarantine\n"
    odd = tmp_path / "odd.csv"
    odd.write_text("a,b\n1,2\n")
    told = nh("ingest", odd, drop, exits=3).stdout
    assert "quarantined odd.csv" in told
    assert "0 landed, 11 known already, 1 in quarantine" in told
    assert not nh.lake.catalog.list_namespaces()


def test_ingest_of_a_path_that_is_not_there(nh, drop, tmp_path):
    for command in ("ingest", "run"):
        assert "no such folder or file" in nh(command, tmp_path / "nothing", exits=2).stderr


def test_a_run_builds_everything_in_order(done):
    by = [(r.job_name, r.tags.get("dagster/asset_partition_range_start"), r.status.value) for r in done.runs()]
    assert by == [
        # Bronze first: whether a delivery counts is known when it is parsed.
        ("daily_nurse_staffing_delivery", "2024-04-01", "SUCCESS"),
        ("releases", "2024-10-01", "SUCCESS"),
        ("dimensions", None, "SUCCESS"),
        ("releases", "2024-10-01", "SUCCESS"),
        ("daily_nurse_staffing_delivery", "2024-04-01", "SUCCESS"),
        ("quality", None, "SUCCESS"),
    ]
    assert done.runs()[-2].tags["dagster/asset_partition_range_end"] == "2024-06-30"
    counts = {c.name: done.lake.snapshot(c).rows for c in chain.TABLES}
    assert counts["gold.facility_measures"] == counts["silver.fct_staffing_levels"] == 60
    there = {name for name, rows in counts.items() if rows}
    assert {"silver.fct_penalties", "silver.fct_provider_releases", "gold.facility_month"} < there
    assert "bronze.rejects" not in there
    assert done.told.endswith("6 runs done\n")


def test_what_it_prints_fits_into_80_columns(done):
    assert max(map(len, done.told.splitlines())) <= 80
    assert "✓ gold/facility_measures" in done.told


def test_every_partition_shows_its_own_rows_and_the_table_its_own(done):
    with done.instance as instance:
        found = instance.fetch_materializations(
            dg.AssetRecordsFilter(dg.AssetKey(["silver", "fct_staffing_levels"])), limit=1000
        ).records
    by_day = {r.partition_key: r.asset_materialization.metadata for r in found if r.asset_materialization}
    assert len(by_day) == 91
    assert by_day["2024-04-02"]["dagster/partition_row_count"].value == 20
    assert "dagster/partition_row_count" not in by_day["2024-06-30"]  # the sample has three days of each quarter
    assert {m["dagster/row_count"].value for m in by_day.values()} == {60}


@pytest.mark.at_length
def test_again_there_is_nothing_to_do(done, drop):
    before, runs = chain.snapshots(done.lake), len(done.runs())
    assert done("materialize").stdout == "nothing to do: every table is up to date\n"
    assert done("run", drop).stdout.endswith("nothing to do: every table is up to date\n")
    assert len(done.runs()) == runs
    told = done("materialize", "--select", "*").stdout
    # All but the rejects, and what is made of files that have not landed.
    there = [table for table in tables() if table is not REJECTS and done.lake.load(table) is not None]
    assert told.count("unchanged") == len(there)
    assert chain.snapshots(done.lake) == before


def test_a_dry_run_tells_what_would_be_built_and_builds_nothing(done, copied):
    assert done("materialize", "--dry-run").stdout == "nothing to do: every table is up to date\n"
    before, runs = chain.snapshots(copied.lake), len(copied.runs())
    told = copied("materialize", "--dry-run").stdout
    assert "silver.dim_date: not built yet" in told
    assert " ".join(told.split()).count("has landed and is not in bronze yet") == 11
    told = copied("materialize", "--select", "silver/dim_*", "--dry-run").stdout
    assert told == "silver/dim_claims, silver/dim_date, silver/dim_providers\n"
    assert (chain.snapshots(copied.lake), len(copied.runs())) == (before, runs)


@pytest.mark.at_length
def test_some_assets_some_days(copied):
    copied("materialize", "--select", "raw/daily*, bronze/daily*, silver/fct*", "--to", "2024-04-02")
    days = copied.rows("select distinct work_date from silver.fct_staffing_levels order by all")
    assert [d["work_date"] for d in days] == ["2024-04-01", "2024-04-02"]
    (run,) = copied.runs()
    assert run.tags["dagster/asset_partition_range_end"] == "2024-04-02"
    copied("materialize", "--from", "2024-04-03", "--to", "2024-04-03")
    assert copied.rows("select count(*) as n from silver.fct_staffing_levels") == [{"n": 60}]
    assert copied.rows("select provider_match as m, count(*) as n from gold.facility_measures group by all") == [
        {"m": "unknown", "n": 20}
    ]
    # Both assets of a release in one run, and only the month that is asked for.
    copied("materialize", "--select", "*/providers*", "--from", "2024-11-15")
    assert copied.rows("select distinct coverage as c from bronze.providers_raw") == [{"c": "2024-11-01"}]
    last = copied.runs()[-1]
    chosen = {k.to_user_string() for k in last.asset_selection or ()}
    assert chosen == {"raw/providers", "bronze/providers_raw"}
    # What is still behind is found, and only that.
    told = copied("materialize").stdout
    assert "raw/providers, bronze/providers_raw 2024-10-01 to 2024-10-01" in told
    assert "bronze/medicare_claims_raw, bronze/penalties_raw" in told
    assert copied("materialize").stdout.startswith("nothing to do")
    assert copied.rows("select count(*) as n from gold.facility_measures where provider_match <> 'unknown'") != [
        {"n": 0}
    ]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--select", "silver/nothing"], "no asset matches 'silver/nothing'"),
        (["--from", "2024-04-02", "--to", "2024-04-01"], "is after --to"),
        (["--from", "2019-01-01", "--to", "2019-01-31"], "covered are 2024Q2"),
        (["--select", "*/providers*", "--to", "2019-01-31"], "no release has landed"),
    ],
)
def test_what_cannot_be_materialized_is_said(done, arguments, says):
    assert says in " ".join(done("materialize", *arguments, exits=2).stderr.split())
    assert "nh ingest" in Nh(done.home / "empty")("materialize", "--select", "gold/*", exits=2).stderr


def test_query_in_three_formats(done):
    sql = "select provider_id, total_hours, work_date from silver.fct_staffing_levels order by all limit 2"
    rows = list(csv.reader(io.StringIO(done("query", sql, "--format", "csv").stdout)))
    assert rows[0] == ["provider_id", "total_hours", "work_date"]
    assert len(rows) == 3
    found = json.loads(done("query", sql, "--format", "json").stdout, parse_float=str)  # numbers, with all their digits
    assert [list(r.values()) for r in found] == rows[1:]
    assert rows[1][0] in done("query", sql).stdout
    wide = done("query", "select * from gold.facility_measures").stdout
    assert max(map(len, wide.splitlines())) <= 80
    assert "60 rows" in wide
    assert done("query", ";").stdout == ""


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("select * from silver.nothing", "Table with name nothing does not exist"),
        ("selec 1", "syntax error"),
        ("select 1/0 + cast('x' as int)", "Conversion Error"),
    ],
)
def test_sql_errors(done, sql, says):
    for output in ("table", "csv", "json"):
        assert says in done("query", sql, "--format", output, exits=2).stderr.replace("\n", " ")


def test_an_unknown_format(done):
    assert "expected table, csv or json" in done("query", "select 1", "--format", "xml", exits=2).stderr


def test_status(done):
    found = json.loads(done("status", "--json").stdout)
    assert set(found) == {"datasets", "archives", "tables", "stale", "refused", "checks", "quarantine"}
    datasets = {d["dataset"]: d for d in found["datasets"]}
    assert set(datasets["providers"]) == {
        "dataset",
        "title",
        "has_tables",
        "deliveries",
        "coverages",
        "needs_attention",
        "header_drift",
        "read_otherwise",
        "deletions_unseen",
    }
    assert datasets["providers"]["coverages"] == ["2024-10-01", "2024-11-01"]
    assert datasets["state_us_averages"]["has_tables"]
    shown = {t["table"]: t for t in found["tables"]}
    assert [*shown] == [c.name for c in tables()]
    fact = shown["silver.fct_staffing_levels"]
    assert (fact["rows"], fact["first"], fact["last"]) == (60, "2024-04", "2024-04")
    assert set(found["checks"][0]) == {
        "asset",
        "check",
        "passed",
        "severity",
        "found",
        "description",
        "what_to_do",
        "evaluated_at",
    }
    graph = running.build_defs(Settings(home=str(done.home)), by_the_clock=False).resolve_asset_graph()
    there = {asset_key(table) for table in tables() if done.lake.load(table) is not None}
    assert len(found["checks"]) == sum(key.asset_key in there for key in graph.asset_check_keys)
    assert {c["severity"] for c in found["checks"] if not c["passed"]} <= {"WARN"}
    assert found["quarantine"] == []
    told = done("status").stdout
    assert "bronze.daily_nurse_staffing_raw" in told
    assert max(map(len, told.splitlines())) <= 80


def test_status_of_nothing(nh):
    found = json.loads(nh("status", "--json").stdout)
    assert (found["datasets"], found["checks"]) == ([], [])
    nh("status")


def test_status_names_archives(nh, tmp_path):
    papers = [(f"docs/[{n}].txt", b"x") for n in range(6)]
    (tmp_path / "m.zip").write_bytes(
        zipped(("PBJ.csv", staffing("2024Q2").encode()), ("odd.csv", b"a,b\n1,2\n"), *papers, (".DS_Store", b"x"))
    )
    nh("ingest", tmp_path / "m.zip", exits=3)
    assert json.loads(nh("status", "--json").stdout)["archives"] == [
        {"name": "m.zip", "deliveries": 1, "quarantined": ["odd.csv"], "no_delivery": [name for name, _ in papers]}
    ]
    told = " ".join(nh("status").stdout.split())
    assert "archive m.zip: 1 delivery; in quarantine: odd.csv; no delivery: docs/[0].txt, docs/[1].txt" in told
    assert "docs/[4].txt, ... " in told


@pytest.mark.at_length
def test_a_held_delivery_is_shown_and_confirmed(copied, tmp_path):
    days = ("--from", "2024-04-01", "--to", "2024-04-03")
    copied("materialize", *days)
    path = PLAN.corrected(tmp_path, "2024Q2", Correction(drop_facilities=4, changed_facilities=0))
    copied("ingest", path)
    copied("materialize", *days)
    count = "select count(distinct provider_id) as n from gold.facility_measures"
    assert copied.rows(count) == [{"n": 20}]
    (held,) = [
        s
        for d in json.loads(copied("status", "--json").stdout)["datasets"]
        for s in d["needs_attention"]
        if s["state"] == "held"
    ]
    assert (held["state"], held["name"]) == ("held", path.name)
    told = " ".join(copied("status").stdout.split())
    assert f"nh confirm {held['delivery_id'][:12]}" in told
    assert "no_delivery_held: 1 found" in told
    copied("confirm", "zzz", exits=2)
    copied("confirm", held["delivery_id"][:12], "--reason", "closed homes")
    copied("materialize", *days)
    assert copied.rows(count) == [{"n": 16}]
    assert "Checks" in copied("status").stdout


def test_a_damaged_delivery_is_named_and_publishes_nothing(built, drop, tmp_path):
    before = {**chain.snapshots(built.lake), "bronze.daily_nurse_staffing_raw": 2}
    path = damaged(drop / "PBJ_Daily_Nurse_Staffing_Q2_2024.csv", tmp_path / "damaged")
    told = " ".join(built("run", path, exits=3).stdout.split())
    assert f"refused {path.name} (2024Q2): every line of it was refused (provider_id 60; line 2: provider_id:" in told
    assert "60 of 60 lines refused: nh quarantine show" in told
    assert chain.snapshots(built.lake) == before
    assert all(run.is_success for run in built.runs())  # no run fails, neither now nor ever again, on this file
    told = " ".join(built("run", path, exits=3).stdout.split())
    assert "nothing to do" in told
    assert "every line of it was refused" in told
    assert "nh withdraw" in told or "nh quarantine show" in told
    (entry,) = json.loads(built("quarantine", "list", "--json").stdout)
    assert (entry["state"], entry["lines_refused"], len(entry["rejects"])) == ("refused", 60, 20)
    shown = built("quarantine", "show", entry["id"][:12]).stdout
    assert "line 2: provider_id: expected a CCN" in shown
    told = built("withdraw", entry["id"][:12], "--reason", "saved by a spreadsheet").stdout
    assert told == f"withdrew {path.name}; nh materialize builds what that changes\n"
    assert built("materialize").stdout.startswith("gold/data_quality")
    assert "saved by a spreadsheet" in " ".join(built("status").stdout.split())
    assert json.loads(built("quarantine", "list", "--json").stdout) == []
    built("withdraw", entry["id"][:12], "--undo")
    built("withdraw", entry["id"][:12], "--undo", exits=2)
    built("withdraw", entry["id"][:12], exits=2)  # without a reason


@pytest.mark.at_length
def test_a_refused_gate_fails_the_run_and_publishes_nothing(built, drop, tmp_path, monkeypatch):
    protected = ("bronze.rejects", "silver.fct_staffing_levels", "gold.facility_measures")
    before = {name: chain.snapshots(built.lake).get(name) for name in protected}
    monkeypatch.setattr(
        "nh_pipeline.pipeline.guards._held", lambda *_, **__: ""
    )  # as if nothing guarded the deliveries
    built("ingest", PLAN.corrected(tmp_path, "2024Q2", Correction(drop_facilities=8, changed_facilities=0)))
    found = built("materialize", exits=1)
    assert {name: chain.snapshots(built.lake).get(name) for name in protected} == before
    assert "✗ silver/fct_staffing_levels rows_kept: 24 found" in found.stdout
    told = " ".join(found.stdout.split())
    assert "The gate refused what was staged, the table is as it was. silver.fct_staffing_levels" in told
    assert "✓ gold/facility_measures" not in told
    assert "what it would have changed is as it was" in " ".join(found.stderr.split())
    assert [run.job_name for run in built.runs() if not run.is_success] == ["daily_nurse_staffing_delivery"]
    failed = [c for c in json.loads(built("status", "--json").stdout)["checks"] if c["severity"] == "ERROR"]
    (check,) = [c for c in failed if not c["passed"] and c["check"] == "rows_kept"]
    assert check["found"] > 0
    assert check["what_to_do"]
    # All other assets can still be built, and what was refused is not tried for ever.
    days = ("--from", "2024-04-01", "--to", "2024-04-03")
    assert built("materialize", *days, "--select", "gold/*").stdout.endswith("2 runs done\n")
    assert built("materialize").stdout.startswith("nothing to do")
    (refused,) = json.loads(built("status", "--json").stdout)["refused"]
    assert (refused["table"], refused["partition"], refused["rule"]) == (
        "silver.fct_staffing_levels",
        "2024Q2",
        "rows_kept",
    )
    assert not_said(RUNBOOK["The gate refused a build"].seen, built("status").stdout) == []
    # A person's word lets it happen, and gold follows.
    built("confirm", "silver.dim_claims", exits=2)
    for command in RUNBOOK["The gate refused a build"].commands:
        built(*shlex.split(command)[1:])
    assert built.rows("select count(*) as n from gold.facility_measures") == [{"n": 36}]
    assert json.loads(built("status", "--json").stdout)["refused"] == []


@pytest.mark.at_length
def test_demo_keeps_away_from_other_data(done, drop, nh, monkeypatch):
    told = done("demo", exits=2)
    assert "choose another NH_HOME" in " ".join(told.stderr.split())
    assert not (done.home / "demo-deliveries").exists()
    small = Deliveries(25, ("2024Q1",), releases=1)
    monkeypatch.setattr("nh_pipeline.cli.demo.PLAN", small)
    monkeypatch.setattr("nh_pipeline.marts.MARTS", EVERY)
    shown = nh("demo").stdout
    assert max(map(len, (line.rstrip() for line in shown.splitlines()))) <= 80
    told = " ".join(shown.split())
    assert re.search(r"Checks: [0-9]+ of [0-9]+ pass; warnings: .*known_provider_id \(1\)", told)
    assert "Rehospitalized within 30 days: a chain's own rate by home" in told
    assert re.search(r"Treatments: 591, of [0-9]+ decided [0-9.]+% succeeded; counts agree in 18 of 18 steps", told)
    # rules, figures, equal, rounding, explained, mismatches
    assert re.search(r"Reconciled: .* Provider Information [0-9]+ [0-9,]+ [0-9,]+ [0-9]+ [0-9]+ 0\b", told)
    assert "nothing to do" in nh("demo").stdout
