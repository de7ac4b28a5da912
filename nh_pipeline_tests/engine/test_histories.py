"""Histories of deliveries through the whole chain: files as people have them lose nothing, bend nothing, and are named.

The specimens are small generated files; where their folder is not there, the tests of our own making stand alone.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from nh_pipeline.datasets.cms.daily_nurse_staffing import FCT_STAFFING_LEVELS
from nh_pipeline.datasets.cms.providers import DIM_PROVIDERS
from nh_pipeline.landing.zone import RawZone
from nh_pipeline.orchestration.definitions import build_defs
from nh_pipeline.periods import quarter_bounds
from nh_pipeline.pipeline.deliveries import NothingDelivered
from nh_pipeline.pipeline.notes import Notes
from nh_pipeline.pipeline.plan import plan
from nh_pipeline.pipeline.scd2 import BuildHistory
from nh_pipeline.sample import Correction, Deliveries
from nh_pipeline.settings import Settings
from nh_pipeline.sources import FolderSource
from nh_pipeline.transforms import typed
from nh_pipeline_tests.support import chain
from nh_pipeline_tests.support.declared import staffing_build
from nh_pipeline_tests.support.local import Nh

pytestmark = pytest.mark.integration

PLAN = Deliveries(40, ("2024Q2",), releases=2, days=4, quirks=False)


@pytest.fixture
def nh(tmp_path):
    return Nh(tmp_path / "lake")


def changed(path: Path, out: Path, change, *, later: int = 3600) -> Path:
    """A copy of a CSV with its rows changed, modified a while after it."""
    rows = list(csv.reader(io.StringIO(path.read_text("cp1252"))))
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(change(rows))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(text.getvalue().encode("cp1252"))
    os.utime(out, (path.stat().st_mtime + later,) * 2)
    return out


def in_order(folder: Path, *paths: Path) -> list[Path]:
    """Copies of files, modified one after the other."""
    folder.mkdir(parents=True, exist_ok=True)
    found = [Path(shutil.copy(path, folder)) for path in paths]
    for n, path in enumerate(found):
        os.utime(path, (1_720_000_000 + 86_400 * n,) * 2)
    return found


def status(nh: Nh) -> dict[str, Any]:
    return json.loads(nh("status", "--json").stdout)


def attention(nh: Nh) -> dict[str, dict[str, Any]]:
    """Deliveries that do not count, by name."""
    return {s["name"]: s for d in status(nh)["datasets"] for s in d["needs_attention"]}


def words(text: str) -> str:
    return " ".join(text.split())


def everything(nh: Nh) -> dict[str, Any]:
    return {c.name: chain.table(nh.lake, c) for c in chain.TABLES if not c.name.startswith("bronze.")}


# K1: damaged lines.


def thousands(rows: list[list[str]]) -> list[list[str]]:
    """As a spreadsheet writes large numbers; only the largest homes have any."""
    at = rows[0].index("Hrs_RN")
    for row in rows[2::25]:
        row[at] = row[at + 1] = "1,234.50"
    return rows


@pytest.mark.parametrize("specimen", [True, False], ids=["specimen", "own"])
def test_refused_lines_hold_even_the_first_delivery(nh, tmp_path, request, specimen):
    if specimen:
        path = request.getfixturevalue("field") / "03-half-the-lines-refused" / "pbj.csv"
    else:  # one line in 25: only the homes with over a thousand hours a day
        path = changed(PLAN.staffing(tmp_path, "2024Q2"), tmp_path / "drop" / "large.csv", thousands)
    told = words(nh("run", path, exits=3).stdout)
    assert re.search(rf"held {re.escape(path.name)} \(2024Q.\): [0-9,]+ of its [0-9,]+ lines were refused", told)
    assert "hrs_rn " in told
    assert 'found "1,234.50"' in told
    assert "nh quarantine show" in told
    assert nh.lake.snapshot(FCT_STAFFING_LEVELS).rows == 0
    assert all(run.is_success for run in nh.runs())
    held = attention(nh)[path.name]
    assert held["lines_refused"] > 1
    assert nh("materialize").stdout.startswith("nothing to do")  # and it is not tried again and again
    # A person may take the other lines.
    nh("confirm", held["delivery_id"][:12], "--reason", "the rest will do")
    nh("materialize")
    assert nh.lake.snapshot(FCT_STAFFING_LEVELS).rows == held["lines"] - held["lines_refused"]
    assert nh.rows("select count(*) as n from bronze.rejects where stage <> 'parse'") == [{"n": held["lines_refused"]}]


@pytest.mark.parametrize("specimen", [True, False], ids=["specimen", "own"])
def test_a_damaged_first_release_is_held_and_the_good_one_is_not_blamed(nh, tmp_path, request, specimen):
    if specimen:
        folder = request.getfixturevalue("field") / "04-excel-first-release"
        damaged, good = in_order(tmp_path / "drop", folder / "Jul_excel.csv", folder / "Aug.csv")
    else:
        first, second = (next(p for p in PLAN.release(tmp_path, n) if "ProviderInfo" in p.name) for n in (0, 1))

        def no_stars(rows: list[list[str]]) -> list[list[str]]:
            at = rows[0].index("Overall Rating")
            for row in rows[1::4]:
                row[at] = "four"
            return rows

        damaged, good = changed(first, tmp_path / "drop" / "damaged.csv", no_stars), second
    told = words(nh("run", damaged, exits=3).stdout)
    assert f"held {damaged.name}" in told
    assert ("provider_id " if specimen else "overall_rating ") in told
    assert nh.lake.snapshot(DIM_PROVIDERS).rows == 0
    nh("run", good, exits=3)  # what is held is named until somebody decides
    assert attention(nh).keys() == {damaged.name}
    providers = {r["provider_id"] for r in chain.rows(nh.lake, DIM_PROVIDERS)}
    assert len(providers) == len(good.read_text("cp1252").splitlines()) - 1
    nh("withdraw", attention(nh)[damaged.name]["delivery_id"], "--reason", "saved by a spreadsheet")
    assert "held" not in nh("run", good).stdout


def test_the_first_delivery_held_is_run_once_and_named_where_people_look(tmp_path):
    """Unattended: its run fails in words, the check warns, and the drive sensor does not try it again and again."""
    settings = Settings(home=str(tmp_path / "lake"))
    path = PLAN.staffing(tmp_path, "2024Q2")
    changed(path, tmp_path / "lake" / "drop" / "large.csv", thousands)
    defs = build_defs(settings)
    repository, cursors = defs.get_repository_def(), {}

    def tick(name: str) -> Any:
        resources = dict(defs.resources or {})
        with dg.build_sensor_context(
            instance, cursor=cursors.get(name), repository_def=repository, resources=resources
        ) as context:
            found = repository.get_sensor_def(name).evaluate_tick(context)
        cursors[name] = found.cursor
        return found

    with dg.DagsterInstance.ephemeral() as instance:
        (request,) = tick("drive_sensor").run_requests
        run = defs.resolve_job_def("daily_nurse_staffing_delivery").execute_in_process(
            instance=instance,
            run_config=request.run_config,
            tags={**request.tags, "dagster/run_key": request.run_key},
            raise_on_error=False,
        )
        assert not run.success
        told = next(
            e.step_failure_data.error.cause or e.step_failure_data.error for e in run.all_events if e.is_failure
        )
        assert "Daily Nurse Staffing for 2024Q2 counts. large.csv is held: 7 of its 160 lines" in told.message
        (check,) = [e for e in run.get_asset_check_evaluations() if e.check_name == "no_delivery_held"]
        assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
        assert "nh withdraw ID" in check.metadata["what_to_do"].value
        assert tick("drive_sensor").run_requests == tick("drive_sensor").run_requests == []
        tick("catch_up")  # the calendar; and then it tells of what waits for a person
        Nh(tmp_path / "lake")("materialize")
        assert "look at nh status: large.csv is held" in tick("catch_up").skip_message


# K3: other facilities.


@pytest.mark.parametrize("specimen", [True, False], ids=["specimen", "own"])
def test_an_extract_of_other_facilities_replaces_nothing(nh, tmp_path, request, specimen):
    if specimen:
        folder = request.getfixturevalue("field") / "05-disjoint-subset-replaces"
        first, second = in_order(tmp_path / "drop", folder / "A_to_G.csv", folder / "H_to_N.csv")
    else:  # as many facilities, one in ten of them another
        whole = PLAN.staffing(tmp_path, "2024Q2")
        left_out = sorted({row.split(",")[0] for row in whole.read_text("cp1252").splitlines()[1:]})
        parts = (left_out[:4], left_out[-4:])
        first, second = (
            changed(
                whole,
                tmp_path / "drop" / f"{n}.csv",
                lambda rows, away=away: [r for r in rows if r[0] not in away],
                later=n,
            )
            for n, away in enumerate(parts)
        )
    nh.built(first)
    before = everything(nh)
    told = words(nh("run", second, exits=3).stdout)
    assert f"held {second.name}" in told
    assert re.search(r"lacks [0-9,]+ of the [0-9,]+ facilities of the delivery that it would supersede", told)
    assert re.search(r"it has [0-9,]+ facilities, (as many|[0-9.]+% (more|fewer))", told)
    after = everything(nh)
    assert [name for name in after if not after[name].equals(before[name])] == []


# K4: header drift.


@pytest.mark.parametrize("specimen", [True, False], ids=["specimen", "own"])
def test_a_renamed_column_is_told_until_its_name_is_known(nh, tmp_path, request, specimen):
    if specimen:
        folder = request.getfixturevalue("field") / "07-dash-in-header"
        july, august = in_order(tmp_path / "drop", folder / "Jul.csv", folder / "Aug_dashes.csv")
        modified = august.stat().st_mtime  # dashes alone are known by now
        august.write_text(august.read_text().replace("Long\u2013Stay QM Rating", "Long Term QM Rating"))
        os.utime(august, (modified,) * 2)
        gone = "long_stay_qm_rating"
    else:
        july, other = (next(p for p in PLAN.release(tmp_path, n) if "ProviderInfo" in p.name) for n in (0, 1))

        def renamed(rows: list[list[str]]) -> list[list[str]]:
            rows[0] = ["Health Inspections Rating" if c == "Chain Name" else c for c in rows[0]]
            rows[0] = ["Overall Ratings" if c == "Affiliated Entity Name" else c for c in rows[0]]
            rows[0] = ["Legal Business Names" if c == "Legal Business Name" else c for c in rows[0]]
            return rows

        august, gone = changed(other, tmp_path / "drop" / "renamed.csv", renamed), "legal_business_name"
    nh("run", july)
    told = words(nh("run", august).stdout)
    assert f"header {august.name}" in told
    assert f"(probably {gone})" in told
    (drift,) = next(d for d in status(nh)["datasets"] if d["dataset"] == "providers")["header_drift"]
    assert f"(probably {gone})" in drift
    assert f"header {august.name}" in words(nh("status").stdout)
    checks = {(c["asset"], c["check"]): c for c in status(nh)["checks"]}
    check = checks["silver/dim_providers", "headers_known"]
    assert (check["passed"], check["severity"], check["found"]) == (False, "WARN", 1)
    assert "nh_pipeline/datasets" in check["what_to_do"]


def test_a_cell_that_is_spelt_otherwise_is_the_same_column(nh, tmp_path):
    july, other = (next(p for p in PLAN.release(tmp_path, n) if "ProviderInfo" in p.name) for n in (0, 1))

    def spelt(rows: list[list[str]]) -> list[list[str]]:
        at = rows[0].index("Long-Stay QM Rating")
        spelt = [cell.replace("-", "\u2013").replace("/", " / ") for cell in rows[0]]
        return [spelt, *([*row[:at], "1", *row[at + 1 :]] for row in rows[1:])]

    nh("run", july, changed(other, tmp_path / "drop" / "dashes.csv", spelt))
    assert nh.rows("select distinct long_stay_qm_rating as r from silver.dim_providers where is_current") == [{"r": 1}]
    assert not [d for found in status(nh)["datasets"] for d in found["header_drift"]]


# K9: told, and taken away.


def test_what_the_gate_would_refuse_is_named_at_once_and_never_fails_a_run(nh, field, tmp_path):
    good, odd = in_order(
        tmp_path / "drop",
        field / "23-gate-refusal-is-forgotten" / "good_2024Q1.csv",
        field / "23-gate-refusal-is-forgotten" / "nbsp_2023Q1.csv",
    )
    told = words(nh("run", good, odd, exits=3).stdout)
    assert all(run.is_success for run in nh.runs())
    named = attention(nh)
    assert named.keys() == {odd.name}
    assert named[odd.name]["reason"] in told or named[odd.name]["reason"][:60] in told
    assert odd.name in nh("quarantine", "list").stdout or named[odd.name]["delivery_id"][:12] in told
    nh("run", good, odd, exits=3)
    nh("withdraw", named[odd.name]["delivery_id"][:12], "--reason", "no-break spaces in all its names")
    nh("run", good)
    assert attention(nh)[odd.name]["state"] == "withdrawn"


def test_a_withdrawn_delivery_gives_back_what_was_there_before(nh, tmp_path):
    first = PLAN.staffing(tmp_path, "2024Q2")
    release = [p for p in PLAN.release(tmp_path, 0) if "ProviderInfo" in p.name]
    nh.built(first, *release)
    before = everything(nh)
    second = PLAN.corrected(tmp_path / "drop", "2024Q2", Correction(drop_facilities=1, changed_facilities=3))
    nh.built(second)
    assert not everything(nh)[FCT_STAFFING_LEVELS.name].equals(before[FCT_STAFFING_LEVELS.name])
    (id_,) = {d.delivery_id for d in RawZone(nh.lake.storage).deliveries() if d.manifest.name == second.name}
    nh("withdraw", id_, "--reason", "it was a test")
    assert {(s["table"], s["reason"]) for s in status(nh)["stale"]} >= {
        (FCT_STAFFING_LEVELS.name, f"{first.name} counts now; {second.name} no longer counts")
    }
    nh("materialize")
    after = everything(nh)
    assert [name for name in after if not after[name].equals(before[name])] == []
    # The only delivery, too: a person has said that its rows are wrong, so they go, and nothing else does.
    (only,) = {d.delivery_id for d in RawZone(nh.lake.storage).deliveries() if d.manifest.name == first.name}
    nh("withdraw", only, "--reason", "of another chain")
    nh("materialize")
    assert nh.rows("select count(*) as n from gold.facility_measures") == [{"n": 0}]
    assert nh.lake.snapshot(DIM_PROVIDERS).rows > 0
    assert nh("materialize").stdout.startswith("nothing to do")
    nh("withdraw", only, "--undo")
    nh("materialize")
    after = everything(nh)
    assert [name for name in after if not after[name].equals(before[name])] == []


def test_a_dimension_is_not_emptied_when_no_delivery_counts(workspace, tmp_path):
    """A Drive folder that no longer holds the file: it is withdrawn, and the published history stays."""
    w = workspace()
    (path,) = (p for p in PLAN.release(tmp_path, 0) if "ProviderInfo" in p.name)
    source = FolderSource(path, name="google-drive")
    (file,) = source.changes().files
    w.zone.land(source, file)
    chain.parse(w, "providers")
    chain.dimension(w, "providers")
    before = w.lake.snapshot(DIM_PROVIDERS)
    w.lake.storage.write("state/google-drive/startPageToken.json", b'{"cursor": "c", "files": {}, "unusable": {}}')
    with pytest.raises(NothingDelivered, match="is withdrawn: google-drive no longer holds it"):
        BuildHistory(table="silver.dim_providers").run(w)
    assert w.lake.snapshot(DIM_PROVIDERS) == before
    found = plan(w.lake, w.zone)
    assert [b for b in found.builds if b.table is DIM_PROVIDERS] == []
    assert [s.state for s in found.not_counting] == ["withdrawn"]


def test_landing_what_will_be_held_or_refused_changes_no_row(nh, tmp_path):
    """(a) and (c), through the whole chain."""
    drop = [*PLAN.release(tmp_path, 0), *PLAN.release(tmp_path, 1), PLAN.staffing(tmp_path, "2024Q2")]
    nh.built(*drop)
    before, states = everything(nh), {s.delivery_id: s.state for s in _standings(nh)}
    providers = next(p for p in drop if "ProviderInfo" in p.name)
    bad = [
        changed(providers, tmp_path / "bad" / "doubled.csv", lambda rows: [*rows, rows[1]]),
        changed(providers, tmp_path / "bad" / "extract.csv", lambda rows: rows[:-9]),
        changed(providers, tmp_path / "bad" / "beds.csv", lambda rows: _cells(rows, "Number of Certified Beds", "x")),
        changed(drop[-1], tmp_path / "bad" / "days.csv", lambda rows: [r for r in rows if r[7] != "20240402"]),
        changed(drop[-1], tmp_path / "bad" / "ragged.csv", lambda rows: [*rows[:20], *(r[:-1] for r in rows[20:])]),
    ]
    told = words(nh("run", *bad, exits=3).stdout)
    after = everything(nh)
    assert [name for name in after if not after[name].equals(before[name])] == []
    now = {s.delivery_id: (s.name, s.state) for s in _standings(nh)}
    assert {i: now[i][1] for i in states} == states
    assert dict(now[i] for i in now.keys() - states.keys()) == {
        "doubled.csv": "refused",
        "extract.csv": "held",
        "beds.csv": "held",
        "days.csv": "held",
        "ragged.csv": "held",
    }
    for path in bad:
        assert path.name in told
    assert all(run.is_success for run in nh.runs())
    for note in (n for dataset in chain.BRONZE for n in Notes(nh.lake.storage).of(dataset).values()):
        # Every line is in the table or told. A release's line whose values are refused says that its key is there.
        assert note.records - note.lines_refused <= note.keys <= note.records


def test_a_dropped_line_fails_the_gate(workspace, tmp_path, monkeypatch, code_changes):
    w = workspace()
    chain.land(w, PLAN.staffing(tmp_path, "2024Q2"))
    chain.parse(w)
    right = typed.accepted
    monkeypatch.setattr(typed, "accepted", lambda lines, *a, **k: right(lines.where("source_line <> 7"), *a, **k))
    code_changes()
    outcome = staffing_build(coverage="2024Q2", **_days("2024Q2")).run(w)
    assert {c.name for c in outcome.table.refused} == {"row_accounting"}
    assert outcome.table.published is None
    assert w.lake.snapshot(FCT_STAFFING_LEVELS).rows == 0


def _days(quarter: str) -> dict[str, Any]:
    start, end = quarter_bounds(quarter)
    return {"start": start, "end": end}


def _cells(rows: list[list[str]], column: str, value: str) -> list[list[str]]:
    at = rows[0].index(column)
    for row in rows[1:8]:
        row[at] = value
    return rows


def _standings(nh: Nh) -> list[Any]:
    zone = RawZone(nh.lake.storage)
    return [s for told in plan(nh.lake, zone).deliveries.values() for s in told]
