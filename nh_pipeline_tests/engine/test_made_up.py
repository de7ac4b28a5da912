"""A file and marts that are declared here, and nowhere else, go from raw to gold: what adding one takes.

The file with two tables and its mart are those that docs/adding.md shows.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from nh_pipeline import datasets, marts
from nh_pipeline.cli.dictionary import dictionary
from nh_pipeline.datasets.cms.shared import ANY, PROVIDER_ID
from nh_pipeline.landing.zone import RawZone
from nh_pipeline.model.columns import decimal, text
from nh_pipeline.model.dataset import Dataset
from nh_pipeline.model.kinds import PerRelease
from nh_pipeline.orchestration.definitions import build_defs
from nh_pipeline.settings import Settings
from nh_pipeline.tables import tables
from nh_pipeline_tests.support.local import Nh

pytestmark = pytest.mark.integration

PAGE = Path(__file__).resolve().parents[2] / "docs" / "adding.md"


def _example() -> Any:
    """The page's code as a module: a recipe looks at the source of a transform."""
    path = Path(tempfile.mkdtemp()) / "nh_pipeline_example.py"
    path.write_text("\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


EXAMPLE = _example()
FALLS, TOTALS = EXAMPLE.FALLS, EXAMPLE.TOTALS
YEARLY = Dataset(
    name="made_up_programme",
    title="A programme of a fiscal year",
    eras=ANY,
    told_by=("provider_id", "incentive"),
    by_fiscal_year=True,
    key=("provider_id",),
    columns=(PROVIDER_ID, decimal(8, 6, "incentive", "Multiplier", "Made-up Multiplier", required=True)),
    tables=(PerRelease("fct_programme", description="Multipliers of each fiscal year."),),
)
CODES = Dataset(
    name="made_up_codes",
    title="What the codes mean",
    eras=ANY,
    told_by=("code", "meaning"),
    key=("code",),
    columns=(
        text("code", "Code", "Made-up Code", required=True, nullable=False),
        text("meaning", "Meaning", "Made-up Meaning"),
    ),
    tables=(PerRelease("ref_codes", description="What the codes mean."),),
)


@pytest.fixture
def declared(monkeypatch):
    """A line in each tuple: all that declaring them takes."""
    monkeypatch.setattr(datasets, "DATASETS", (*datasets.DATASETS, FALLS, YEARLY, CODES))
    monkeypatch.setattr(marts, "MARTS", (*marts.MARTS, TOTALS))


def deliver(folder, name, text, when):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    os.utime(folder / name, (1_700_000_000 + when,) * 2)


def release(day, *lines, header="CMS Certification Number (CCN),Severity,Falls,Rate,Inspector,Processing Date"):
    return "\n".join([header, *(f"{line},{day}" for line in lines), ""])


@pytest.fixture
def drop(tmp_path):
    folder = tmp_path / "drop"
    homes = [f"{n:06d}" for n in range(15001, 15021)]
    october = [f"{home},{kind},{n},0.5,Ann" for n, home in enumerate(homes) for kind in ("minor", "major")]
    november = [line.replace("Ann", "Bo") if line.startswith("015001") else line for line in october]
    november[3] = november[3].replace(",0.5,", ",half,")
    deliver(folder, "falls-oct.csv", release("2024-10-01", *october), 0)
    deliver(folder, "falls-nov.csv", release("2024-11-01", *november), 1)
    for year, value in (("2023", "0.99"), ("2024", "1.01")):
        header = f"CMS Certification Number (CCN),Made-up Multiplier,Performance Period: FY {int(year) - 2} Rate"
        deliver(folder, f"programme-{year}.csv", f"{header}\n015001,{value},x\n015002,0.98,y\n", int(year))
    deliver(folder, "codes.csv", "Made-up Code,Made-up Meaning\nA,first\nB,second\n", 2)
    return folder


def test_they_go_from_raw_to_gold(declared, drop, tmp_path):
    nh = Nh(tmp_path / "lake")
    told = nh("run", drop).stdout
    assert "silver/fct_falls" in told
    # Two tables of one file; each refuses for its own columns alone, and the rejects say which did.
    assert nh.rows(
        "select cast(release as text) as r, count(*) as n from silver.fct_falls group by all order by all"
    ) == [
        {"r": "2024-10-01", "n": 40},
        {"r": "2024-11-01", "n": 39},
    ]
    assert nh.rows("select inspector as i, closed_reason as c, count(*) as n from silver.dim_inspectors group by all "
                   "order by all") == [
        {"i": "Ann", "c": "changed", "n": 2}, {"i": "Ann", "c": None, "n": 38}, {"i": "Bo", "c": None, "n": 2},
    ]  # fmt: skip
    (reject,) = nh.rows("select stage, reason, source_line from bronze.rejects")
    assert reject == {"stage": "fct_falls", "reason": 'rate: expected a number, found "half"', "source_line": 5}
    assert nh.rows("select cast(release as text) as r, falls as f from gold.made_up_totals order by all") == [
        {"r": "2024-10-01", "f": 380},
        {"r": "2024-11-01", "f": 379},
    ]
    assert nh.rows(
        "select fiscal_year as y, max(incentive) as i from silver.fct_programme group by all order by all"
    ) == [
        {"y": "FY2023", "i": 0.99},
        {"y": "FY2024", "i": 1.01},
    ]
    assert len(nh.rows("select * from silver.ref_codes")) == 2
    # Undated: what comes later is the whole table.
    deliver(drop, "codes-2.csv", "Made-up Code,Made-up Meaning\nA,first\nB,second\nC,third\n", 9)
    nh("run", drop)
    assert [r["code"] for r in nh.rows("select code from silver.ref_codes order by all")] == ["A", "B", "C"]
    # Jobs, checks, status, dictionary.
    jobs = {job.name for job in build_defs(Settings(home=str(nh.home))).get_repository_def().get_all_jobs()}
    assert {"made_up_falls_delivery", "made_up_programme_delivery", "made_up_codes_delivery", "whole_marts"} <= jobs
    status = json.loads(nh("status", "--json").stdout)
    assert status["stale"] == []
    rows = {t["table"]: t["rows"] for t in status["tables"]}
    assert (rows["silver.fct_falls"], rows["gold.made_up_totals"]) == (79, 2)
    checks = {(c["asset"], c["check"]): c["passed"] for c in status["checks"]}
    assert checks["silver/fct_falls", "row_accounting"]
    assert checks["gold/made_up_totals", "row_accounting"]
    assert checks["silver/dim_inspectors", "scd2_history"]
    written = dictionary()
    for table in (t for t in tables() if "made_up" in t.name or t.dataset.startswith("made_up")):
        assert f"## {table.name}" in written
    assert "**Caution**: A release is a month" in written
    # Nothing is dropped when assets are chosen: days, months, whole tables and files without dates.
    before = {t.name: nh.lake.snapshot(t).snapshot_id for t in tables()}
    told = nh("materialize", "--select", "*made_up*, */fct_falls, */ref_codes, */fct_programme").stdout
    for name in ("raw/made_up_codes", "bronze/made_up_programme_raw", "silver/ref_codes", "gold/made_up_totals"):
        assert name in told, name
    assert {t.name: nh.lake.snapshot(t).snapshot_id for t in tables()} == before
    assert nh("materialize").stdout.startswith("nothing to do")


def test_a_file_that_was_only_kept_becomes_tables_without_landing_again(drop, tmp_path, monkeypatch):
    kept = (*datasets.DATASETS, *(d for d in (_kept(FALLS), _kept(CODES), _kept(YEARLY))))
    nh = Nh(tmp_path / "lake")
    with monkeypatch.context() as patch:
        patch.setattr(datasets, "DATASETS", kept)
        nh("ingest", drop)
        manifests = {d.path: d.manifest for d in RawZone(nh.lake.storage).deliveries()}
        assert {m.dataset for m in manifests.values()} == {FALLS.name, CODES.name, YEARLY.name}
        assert nh("materialize").stdout.count("✓") == 1  # the calendar
    for path in drop.iterdir():
        path.unlink()
    monkeypatch.setattr(datasets, "DATASETS", (*datasets.DATASETS, FALLS, YEARLY, CODES))
    monkeypatch.setattr(marts, "MARTS", (*marts.MARTS, TOTALS))
    nh("materialize")
    assert {d.path: d.manifest for d in RawZone(nh.lake.storage).deliveries()} == manifests
    assert nh.rows("select count(*) as n from silver.fct_falls") == [{"n": 79}]
    assert nh.rows("select count(*) as n from silver.fct_programme") == [{"n": 4}]
    assert nh.rows("select falls as f from gold.made_up_totals order by release") == [{"f": 380}, {"f": 379}]


def _kept(dataset: Dataset) -> Dataset:
    """As it was declared when it had no tables: the columns that tell it alone."""
    columns = tuple(c for c in dataset.columns if c.name in dataset.told_by or c is dataset.released_by)
    return Dataset(name=dataset.name, title=dataset.title, columns=columns, eras=dataset.eras, told_by=dataset.told_by,
                   released_by=dataset.released_by, by_fiscal_year=dataset.by_fiscal_year)  # fmt: skip
