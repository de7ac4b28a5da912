"""Every header that CMS has published, through recognition, bronze and typing: each cell ends in its own column."""

from __future__ import annotations

import csv
from decimal import Decimal

import pytest

from nh_pipeline import datasets
from nh_pipeline.model.rules import CCN, AtLeast, Between, OneOf
from nh_pipeline.model.table import REJECTS
from nh_pipeline_tests.support import chain
from nh_pipeline_tests.support.declared import BRONZE

pytestmark = [pytest.mark.golden, pytest.mark.integration]

CALLED = {"claims_quality_measures": "medicare_claims", "provider_information": "providers"}
"""Files that the list of headers calls otherwise than the project."""

FACILITY = "015009"


def dated(rows, release):
    return [row["header_cell"] for row in rows if row["first_release"] <= release <= row["last_release"]]


@pytest.fixture(scope="module")
def monthly(real_data):
    """Header cells of the monthly files that become tables, by dataset and what the file covers: the releases that
    first and last had a cell; nothing where the file has no date."""
    with (real_data / "headers" / "monthly_2021_2026.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    found = {}
    for file in {row["file"] for row in rows}:
        dataset = CALLED.get(file, file)
        if datasets.dataset(dataset).has_tables:
            mine = [row for row in rows if row["file"] == file]
            for release in sorted({row[end] for row in mine for end in ("first_release", "last_release")}):
                covered = "undated" if datasets.dataset(dataset).coverage == "undated" else f"{release}-01"
                found[dataset, covered] = dated(mine, release)
    return found


@pytest.fixture(scope="module")
def daily(real_data):
    """Header cells of the daily files, in their order, by quarter."""
    with (real_data / "headers" / "pbj_2017_2026.csv").open() as stream:
        return {quarter: cells.split() for quarter, _, cells in list(csv.reader(stream))[1:]}


def value(dataset, label, nth, covered):
    """A cell that is valid in a column, and as far as may be in no other."""
    column = next(c for c in dataset.columns if label.casefold() in {x.casefold() for x in c.labels})
    if dataset.value and column.name == dataset.value[0]:
        return dataset.value[1]
    if column.allowed == CCN:
        return FACILITY
    if label == "Processing Date":
        return covered
    if isinstance(column.allowed, OneOf):
        return str(column.allowed.values[nth % len(column.allowed.values)])
    low = max(column.allowed.low, 0) if isinstance(column.allowed, AtLeast | Between) else 0
    made = {int: f"{low + nth % 5}", Decimal: f"{low}.5", float: f"{low}.5", bool: "Y"}
    return made.get(column.type.python) or ("2020-01-15" if column.type.name == "date" else label)


@pytest.fixture(scope="module")
def built(engine, monthly, daily, tmp_path_factory):
    """A lake of one line under each header, and that line by dataset and what its delivery covers."""
    lines, folder = {}, tmp_path_factory.mktemp("drop")
    for (name, covered), cells in monthly.items():
        dataset = datasets.dataset(name)
        lines[name, covered] = {cell: value(dataset, cell, nth, covered) for nth, cell in enumerate(cells)}
    for nth, (quarter, cells) in enumerate(daily.items()):
        day = f"{quarter[:4]}{3 * int(quarter[-1]) - 2:02}01"
        of_facility = [FACILITY, "HOME", "CITY", "AL", "COUNTY", "059", quarter, day, "51"]
        hours = [f"{10 + at}.{nth:02}" for at in range(24)]
        lines["daily_nurse_staffing", quarter] = dict(zip(cells, [*of_facility, *hours, "1"], strict=False))
    for (dataset, covered), line in lines.items():
        with (folder / f"{dataset} {covered}.csv").open("w", newline="") as stream:
            csv.writer(stream).writerows([line.keys(), line.values()])
    workspace = chain.workspace_at(tmp_path_factory.mktemp("lake"), engine)
    landed = chain.land(workspace, folder)
    for one in landed:  # they are one line each: what one lacks of the one before is nothing to hold it for
        workspace.lake.storage.write_json(f"state/confirmed/{one.document.md5}.json", {"reason": "a test"})
    chain.whole(workspace, lambda stale: stale.table.database != "gold")
    return workspace, lines


@pytest.fixture(scope="module")
def in_order(daily):
    """Columns of a quarter's file by position: those of today, but that 2017Q2 has aides in training behind."""
    labels = {x.casefold(): c.name for c in datasets.dataset("daily_nurse_staffing").columns for x in c.labels}
    today = [labels[cell] for cell in daily[max(daily)]] + ["incomplete"]
    second = [*today[:27], *today[30:33], *today[27:30]]
    return lambda quarter: second if quarter == "2017Q2" else today


def test_no_line_is_refused(built):
    workspace, lines = built
    assert [row["reason"] for row in chain.rows(workspace.lake, REJECTS)] == []
    assert len(workspace.zone.deliveries()) == len(lines) > 37 + 10


def test_bronze_has_every_cell_in_its_column(built, in_order):
    workspace, lines = built
    covered = {d.delivery_id: d.manifest.coverage.key for d in workspace.zone.deliveries()}
    for dataset, table in BRONZE.items():
        for row in chain.rows(workspace.lake, table):
            line = lines[dataset, covered[row["delivery_id"]]]
            if dataset == "daily_nurse_staffing":
                names = in_order(covered[row["delivery_id"]])
                assert [row[name] for name in names[: len(line)]] == list(line.values())
            else:
                labels = {x.casefold(): c.name for c in datasets.dataset(dataset).columns for x in c.labels}
                assert {cell: row[labels[cell.casefold()]] for cell in line} == line
            assert row["extra_columns"] is None


def test_typed_values_are_those_of_the_line(built, in_order, monthly):
    workspace, lines = built
    dataset = datasets.dataset("daily_nurse_staffing")
    rows = {row["cy_qtr"]: row for row in chain.rows(workspace.lake, dataset.silver[0])}
    assert len(rows) == 37
    for quarter, row in rows.items():
        hours = list(lines["daily_nurse_staffing", quarter].values())[9:33]
        assert [str(row[name]) for name in in_order(quarter)[9:33]] == hours
        assert row["is_incomplete"] == (quarter == "2021Q4")
    for name in sorted({name for name, _ in monthly}):
        dataset = datasets.dataset(name)
        for table in dataset.silver:
            typed = [c for c in dataset.columns if c.name in table.names]
            rows = chain.rows(workspace.lake, table)
            assert rows
            labels = {label.casefold() for line in (v for (d, _), v in lines.items() if d == name) for label in line}
            had = [c.name for c in typed if labels & {label.casefold() for label in c.labels}]
            assert [column for column in had if all(row[column] is None for row in rows)] == []
