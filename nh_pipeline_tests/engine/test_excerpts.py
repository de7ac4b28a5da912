"""Excerpts of every file, era by era: recognised; of those that become tables, read and typed without a word lost."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path

import pytest

from nh_pipeline import datasets
from nh_pipeline.datasets.headers import canonical_header
from nh_pipeline.lake.refusals import Refusals
from nh_pipeline.landing.recognise import recognise
from nh_pipeline.model.table import REJECTS
from nh_pipeline_tests.support import chain

DATA = Path(__file__).resolve().parents[1] / "data"
EXCERPTS = sorted(DATA.glob("*/*.csv"))
FILES = [path for path in EXCERPTS if datasets.dataset(path.parent.name).has_tables]


def test_every_file_has_excerpts():
    assert {path.parent.name for path in EXCERPTS} == {dataset.name for dataset in datasets.declared()}


@pytest.mark.parametrize("path", EXCERPTS, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_it_is_recognised_with_all_its_columns(path):
    found = recognise(path.read_bytes(), path.name, complete=True)
    assert found.dataset == path.parent.name
    assert found.coverage.key.startswith(path.stem.removesuffix("-generated"))
    assert found.header.extras == ()


@pytest.mark.integration
def test_all_of_them_become_tables_and_no_line_is_refused(workspace):
    w = workspace()
    chain.land(
        w, *(path.parent for path in FILES[:1]), *sorted({path.parent for path in FILES[1:]} - {FILES[0].parent})
    )
    chain.whole(w)
    assert chain.rows(w.lake, REJECTS) == []
    assert list(Refusals(w.lake.storage).all()) == []
    lines = {name: sum(len(path.read_text().splitlines()) - 1 for path in FILES if path.parent.name == name)
             for name in ("daily_nurse_staffing", "penalties")}  # fmt: skip
    built = {name: datasets.dataset(name).silver[0] for name in lines}
    assert {name: w.lake.snapshot(table).rows for name, table in built.items()} == lines


@pytest.mark.integration
def test_equal_penalties_are_several_and_each_release_is_as_cms_shows_it(workspace):
    w, table = workspace(), datasets.dataset("penalties")["fct_penalties"]
    chain.land(w, DATA / "penalties")
    chain.whole(w)
    rows = chain.rows(w.lake, table)
    twice = [r for r in rows if r["provider_id"] == "015901" and r["penalty_type"] == "Fine"]
    assert [(f"{r['release']}", r["nth"], r["fine_id"], r["fine_amount"]) for r in twice] == [
        ("2025-10-01", 1, None, Decimal("3250.00")),
        ("2025-10-01", 2, None, Decimal("3250.00")),
        ("2026-06-01", 1, "901001", Decimal("3250.00")),
        ("2026-06-01", 2, "901002", Decimal("3250.00")),
    ]
    with (DATA / "penalties" / "2024-10.csv").open() as stream:
        told = list(csv.DictReader(stream))
    ours = [r for r in rows if f"{r['release']}" == "2024-10-01"]
    assert sorted(r["fine_amount"] for r in ours if r["fine_amount"] is not None) == sorted(
        Decimal(line["Fine Amount"]) for line in told if line["Fine Amount"]
    )
    assert canonical_header("penalties", list(told[0])).absent == ("fine_id",)
    before = chain.snapshots(w.lake)
    chain.land(w, DATA / "penalties")
    chain.whole(w)
    assert chain.snapshots(w.lake) == before


@pytest.mark.golden
def test_every_real_penalty_is_there_to_the_dollar(workspace, real_data):
    w, table = workspace(), datasets.dataset("penalties")["fct_penalties"]
    paths = [real_data / "drop" / f"NH_Penalties_{when}.csv" for when in ("Jun2021", "Oct2024")]
    chain.land(w, *paths)
    chain.whole(w)
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
