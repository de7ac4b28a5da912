"""A thousand real lines of the NPI registry: every cell in its column, and what becomes of them."""

from __future__ import annotations

import csv
from collections import Counter
from datetime import date

import pytest

from nh_pipeline.datasets.cms.nppes import DIM_NPI, NPPES
from nh_pipeline.model.table import REJECTS
from nh_pipeline.pipeline.scd2 import BuildHistory
from nh_pipeline_tests.support import chain

pytestmark = [pytest.mark.golden, pytest.mark.integration]

REACTIVATED = {
    "1295738359": (date(2008, 5, 5), date(2008, 5, 20)),
    "1740283639": (date(2011, 7, 26), date(2012, 2, 27)),
}


@pytest.fixture(scope="module")
def path(real_data):
    found = real_data / "nppes" / "npidata_pfile.csv"
    if not found.exists():
        pytest.skip(f"no {found}")
    return found


@pytest.fixture(scope="module")
def real(path):
    """The lines by header cell, as Python reads them."""
    with path.open(encoding="utf-8", newline="") as stream:
        return {line["NPI"]: line for line in csv.DictReader(stream)}


@pytest.fixture(scope="module")
def lake(engine, path, tmp_path_factory):
    workspace = chain.workspace_at(tmp_path_factory.mktemp("lake"), engine)
    chain.land(workspace, path)
    chain.parse(workspace, "nppes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NH_NPPES_SCOPE", "all")
        chain.published(BuildHistory(table=DIM_NPI.name).run(workspace).results)
    return workspace.lake


def test_every_cell_is_in_bronze(lake, real):
    rows = chain.rows(lake, NPPES.bronze)
    assert len(rows) == len(real) == 998
    sources = {column.name: column.labels for column in NPPES.columns}
    for row in rows:
        line = real[row["npi"]]
        cells = {next(label for label in labels if label in line): row[name] for name, labels in sources.items()}
        assert {cell: text or "" for cell, text in cells.items()} == line
    assert {(row["coverage"], row["extra_columns"]) for row in rows} == {("2020-11-05", None)}
    assert chain.rows(lake, REJECTS) == []


def test_every_npi_is_one_version(lake, real):
    rows = {row["npi"]: row for row in chain.rows(lake, DIM_NPI)}
    assert rows.keys() == real.keys()
    assert {(row["is_current"], row["is_active"], row["ein"]) for row in rows.values()} == {(True, True, None)}
    again = {npi: (row["deactivation_date"], row["reactivation_date"]) for npi, row in rows.items()
             if row["deactivation_date"]}  # fmt: skip
    assert again == REACTIVATED
    assert (
        sum(row["is_subpart"] for row in rows.values()) == sum(bool(row["parent_name"]) for row in rows.values()) == 60
    )


def test_the_primary_taxonomy_is_the_one_that_is_marked(lake, real):
    marked: Counter[int | None] = Counter()
    for row in chain.rows(lake, DIM_NPI):
        line = real[row["npi"]]
        codes = [line[f"Healthcare Provider Taxonomy Code_{n}"] for n in range(1, 16)]
        at = next((n for n in range(15) if line[f"Healthcare Provider Primary Taxonomy Switch_{n + 1}"] == "Y"), None)
        marked[at] += 1
        assert row["primary_taxonomy"] == codes[at or 0]
        assert row["taxonomies"].split(";") == sorted({code for code in codes if code})
    assert (marked[0], marked[None]) == (750, 24)
