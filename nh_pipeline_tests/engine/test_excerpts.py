"""Excerpts of every file, era by era: recognised; of those that become tables, read and typed without a word lost."""

from __future__ import annotations

import csv
import re
from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from nh_pipeline import datasets
from nh_pipeline.datasets.cms.ownership import read_owners
from nh_pipeline.datasets.cms.snf_qrp import read_scores
from nh_pipeline.datasets.headers import canonical_header
from nh_pipeline.datasets.staffing_lines import MEASURES
from nh_pipeline.lake.refusals import Refusals
from nh_pipeline.landing.confirmations import confirm
from nh_pipeline.landing.recognise import recognise
from nh_pipeline.marts import penalties
from nh_pipeline.model.kinds import Daily, PerRelease
from nh_pipeline.model.table import REJECTS
from nh_pipeline_tests.support import chain

pytestmark = pytest.mark.every_mart

DATA = Path(__file__).resolve().parents[1] / "data"
EXCERPTS = sorted(DATA.glob("*/*.csv"))
FILES = [path for path in EXCERPTS if datasets.dataset(path.parent.name).has_tables]


def test_every_file_has_excerpts():
    assert {path.parent.name for path in EXCERPTS} == {dataset.name for dataset in datasets.declared()}


@pytest.mark.parametrize("path", EXCERPTS, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_it_is_recognised_with_all_its_columns(path):
    found = recognise(path.read_bytes(), path.name, complete=True)
    assert found.dataset == path.parent.name
    assert found.coverage.key.startswith(re.sub("-generated|(?<=undated).*", "", path.stem))
    assert found.header.extras == ()


@pytest.fixture(scope="module")
def lake(engine, tmp_path_factory):
    """All excerpts, from raw to gold."""
    workspace = chain.workspace_at(tmp_path_factory.mktemp("lake"), engine)
    chain.land(workspace, *sorted({path.parent for path in FILES}))
    for delivery in workspace.zone.deliveries():
        confirm(workspace.lake.storage, delivery, reason="a few lines of a release are given")
    chain.whole(workspace)
    return workspace.lake


def lines(path):
    with path.open(newline="") as stream:
        return list(csv.reader(stream))[1:]


@pytest.mark.integration
def test_all_of_them_become_tables_and_no_line_is_refused(lake):
    assert chain.rows(lake, REJECTS) == []
    assert list(Refusals(lake.storage).all()) == []
    for dataset in datasets.with_tables():
        files = [len(lines(path)) for path in FILES if path.parent.name == dataset.name]
        # Of what names no release, one delivery is the table.
        told = files[-1] if files and dataset.coverage == "undated" else sum(files)
        for table in dataset.silver:
            if isinstance(table.kind, Daily | PerRelease) and not getattr(table.kind, "reshapes", False):
                assert lake.snapshot(table).rows == told, table.name


TYPED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "fct_mds_measures": (
        {"release": date(2024, 10, 1), "measure_code": "405"},
        {"q1_score": None, "q1_score_footnote": "9", "four_quarter_average": Decimal("56.451613"),
         "resident_type": "Long Stay", "measure_period": "2022Q4-2023Q3"},
    ),
    "fct_health_citations": (
        {"release": date(2024, 10, 1), "deficiency_tag": "0656"},
        {"provider_id": "015009", "survey_date": date(2023, 3, 2), "scope_severity": "J", "inspection_cycle": 1,
         "correction_date": date(2023, 1, 13), "deficiency_corrected": "Past Non-Compliance", "nth": 1,
         "standard_deficiency": True, "complaint_deficiency": True, "infection_control_deficiency": False},
    ),
    "fct_fire_safety_citations": (
        {"release": date(2019, 11, 1), "deficiency_tag": "0226"},
        {"deficiency_prefix": "K", "tag_version": "New", "complaint_deficiency": False, "under_idr": None},
    ),
    "dim_citation_tags": ({"deficiency_tag": "0001"}, {"deficiency_code": "E-0001"}),
    "fct_survey_summary": (
        {"release": date(2019, 11, 1), "inspection_cycle": 1},
        {"health_deficiencies": 4, "fire_deficiencies": 6, "fire_smoke": 4, "health_infection_control": None,
         "fire_survey_date": date(2017, 2, 15)},
    ),
    "fct_survey_dates": (
        {"survey_type": "Health Complaint"},
        {"survey_date": date(2023, 3, 2), "survey_cycle": 2, "release": date(2024, 10, 1)},
    ),
    "fct_ownership": (
        {"release": date(2024, 10, 1), "ownership_percentage": "81%"},
        {"ownership_percent": Decimal("81.0000"), "associated_since": date(1969, 9, 1), "owner_type": "Individual"},
    ),
    "fct_covid_vaccination": (
        {"provider_id": "015009"},
        {"release": date(2024, 10, 27), "residents_up_to_date": Decimal("3.80"), "staff_vaccinated": None},
    ),
    "fct_covid_vaccination_averages": (
        {"state_or_nation": "US"},
        {"residents_up_to_date": Decimal("23.70"), "staff_up_to_date": Decimal("5.90")},
    ),
    "fct_data_collection_intervals": (
        {"measure_code": "004"},
        {"from_date": date(2021, 10, 1), "through_date": date(2023, 9, 30), "release": date(2024, 10, 1)},
    ),
    "dim_health_inspection_cutpoints": (
        {"state": "AL", "stars": 1}, {"low_score": Decimal("38.000"), "high_score": None},
    ),
    "fct_snf_qrp": (
        {"measure_code": "S_004_01_PPR_PD_COMP_PERF"},
        {"score": "No Different than the National Rate", "score_value": None, "score_footnote": None, "nth": 1},
    ),
    "fct_snf_qrp_national": (
        {"measure_code": "S_042_01_NATL_OBS_RATE", "nth": 2},
        {"state_or_nation": "NATION", "score_value": Decimal("52.160000"), "end_date": date(2023, 12, 31)},
    ),
    "fct_swing_bed": (
        {"measure_code": "S_004_01_PPR_PD_OBS"},
        {"provider_id": "010007", "score_value": Decimal("16.670000"), "start_date": date(2021, 10, 1)},
    ),
    "dim_staffing_lines": (
        {"measure": "hprd_rn"},
        {"below": Decimal("0.5500"), "since": date(2024, 5, 10), "line": "Federal rule of 2024, repealed 2025"},
    ),
}  # fmt: skip


@pytest.mark.integration
@pytest.mark.parametrize("name", TYPED)
def test_a_line_is_read_as_it_is_meant(lake, name):
    where, told = TYPED[name]
    (table,) = (t for d in datasets.with_tables() for t in d.silver if t.short == name)
    (row,) = (r for r in chain.rows(lake, table) if where.items() <= r.items())
    assert {column: row[column] for column in told} == told


@pytest.mark.integration
def test_cut_points_touch_one_another(lake):
    rows = chain.rows(lake, datasets.dataset("health_inspection_cutpoints")["dim_health_inspection_cutpoints"])
    by_state: dict[str, dict[int, Any]] = {}
    for row in rows:
        by_state.setdefault(row["state"], {})[row["stars"]] = row
    (path,) = (DATA / "health_inspection_cutpoints").iterdir()
    assert sorted(by_state) == sorted(line[0] for line in lines(path))
    for ends in by_state.values():
        assert ends[5]["low_score"] == 0
        assert [ends[n]["low_score"] - ends[n + 1]["high_score"] for n in (4, 3, 2, 1)] == [
            Decimal(step) for step in ("0.001", "0.001", "0.001", "0")
        ]


@pytest.mark.integration
def test_shares_and_days_of_owners_are_read_where_they_are_some(engine):
    words = [
        ("5%", "since 01/25/2012"), ("12.5%", "SINCE 12/31/1999"), ("100%", "since 02/30/2020"),
        ("NOT APPLICABLE", "NO DATE PROVIDED"), ("NO PERCENTAGE PROVIDED", None), (None, "01/25/2012"),
    ]  # fmt: skip
    said = engine.createDataFrame(words, "ownership_percentage string, association_date string")
    found = [(row["ownership_percent"], row["associated_since"]) for row in read_owners(said).collect()]
    assert found == [
        (Decimal("5.0000"), date(2012, 1, 25)), (Decimal("12.5000"), date(1999, 12, 31)), (Decimal("100.0000"), None),
        (None, None), (None, None), (None, None),
    ]  # fmt: skip


@pytest.mark.integration
def test_only_numbers_are_scores_with_a_value(engine):
    said = ["16.67", "-0.5", "12962", "1,234", "5%", "No Different than the National Rate", "1e3", None]
    rows = read_scores(engine.createDataFrame([(text,) for text in said], "score string")).collect()
    assert [row["score_value"] for row in rows] == [Decimal("16.67"), Decimal("-0.5"), Decimal(12962), *[None] * 5]


def test_the_lines_that_users_copy_are_a_file_of_the_project():
    path = DATA.parents[1] / "docs" / "staffing-lines.csv"
    found = recognise(path.read_bytes(), path.name, complete=True)
    assert (found.dataset, found.header.extras, found.records) == ("staffing_lines", (), len(lines(path)))
    with path.open(newline="") as stream:
        told = list(csv.DictReader(stream))
    assert {line["Measure"] for line in told} <= set(MEASURES)
    assert all(Decimal(line["Below"]) and date.fromisoformat(line["Since"]) and line["Source"] for line in told)


def of_penalties(stale):
    return stale.table.dataset == "penalties" or stale.table is penalties.PENALTIES


@pytest.mark.integration
def test_equal_penalties_are_several_and_each_release_is_as_cms_shows_it(workspace):
    w, table = workspace(), datasets.dataset("penalties")["fct_penalties"]
    chain.land(w, DATA / "penalties")
    chain.whole(w, of_penalties)
    rows = chain.rows(w.lake, table)
    twice = [r for r in rows if r["provider_id"] == "015901" and r["penalty_type"] == "Fine"]
    assert [(f"{r['release']}", r["nth"], r["fine_id"], r["fine_amount"]) for r in twice] == [
        ("2025-10-01", 1, None, Decimal("3250.00")),
        ("2025-10-01", 2, None, Decimal("3250.00")),
        ("2026-06-01", 1, "901001", Decimal("3250.00")),
        ("2026-06-01", 2, "901002", Decimal("3250.00")),
    ]
    once = [r for r in chain.rows(w.lake, penalties.PENALTIES) if r["provider_id"] == "015901"]
    assert sorted((r["fine_id"], f"{r['first_release']}", r["ended"]) for r in once if r["fine_id"]) == [
        ("901001", "2025-10-01", "current"),
        ("901002", "2025-10-01", "current"),
    ]
    assert len(once) == max(Counter(r["release"] for r in rows if r["provider_id"] == "015901").values())
    with (DATA / "penalties" / "2024-10.csv").open() as stream:
        told = list(csv.DictReader(stream))
    ours = [r for r in rows if f"{r['release']}" == "2024-10-01"]
    assert sorted(r["fine_amount"] for r in ours if r["fine_amount"] is not None) == sorted(
        Decimal(line["Fine Amount"]) for line in told if line["Fine Amount"]
    )
    assert canonical_header("penalties", list(told[0])).absent == ("fine_id",)
    before = chain.snapshots(w.lake)
    chain.land(w, DATA / "penalties")
    chain.whole(w, of_penalties)
    assert chain.snapshots(w.lake) == before


@pytest.mark.golden
def test_every_real_penalty_is_there_to_the_dollar(workspace, real_data):
    w, table = workspace(), datasets.dataset("penalties")["fct_penalties"]
    paths = [real_data / "drop" / f"NH_Penalties_{when}.csv" for when in ("Jun2021", "Oct2024")]
    chain.land(w, *paths)
    chain.whole(w, of_penalties)
    found = chain.rows(w.lake, table)
    for path, release in zip(paths, ("2021-06-01", "2024-10-01"), strict=True):
        with path.open(encoding="cp1252", newline="") as stream:
            told = [line for line in csv.DictReader(stream) if line["Payment Denial Length in Days"] != "-526"]
        ours = [r for r in found if f"{r['release']}" == release]
        assert len(ours) == len(told)
        dollars = sum(Decimal(line["Fine Amount"]) for line in told if line["Fine Amount"])
        assert sum(r["fine_amount"] for r in ours if r["fine_amount"] is not None) == dollars
    (reject,) = chain.rows(w.lake, REJECTS)  # CMS's own: a payment denial of minus 526 days
    assert reject["reason"] == 'payment_denial_days: expected a whole number, found "-526"'
