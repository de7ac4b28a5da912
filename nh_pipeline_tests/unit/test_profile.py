"""``nh profile``: files as people have them, and tables, with the figures that they hold."""

from __future__ import annotations

import gzip
import json
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nh_pipeline import datasets
from nh_pipeline.cli.main import app
from nh_pipeline.lake.lake import Lake
from nh_pipeline.landing.any_csv import AnyCsv
from nh_pipeline.landing.refused import Refused
from nh_pipeline.queries.profile import Profile, of_file, of_table
from nh_pipeline_tests.support.declared import with_dataset
from nh_pipeline_tests.support.publishers import DAILY, put

PENALTIES = Path(__file__).resolve().parents[1] / "data" / "penalties" / "2024-10.csv"

ODD = """\
Überstunden der Häuser;;;

Name;Größe;Datum;Ja/Nein;PLZ;;
 Ärzte ;1,5;03.04.2024;Y;01234;;
"Müller; Söhne";12,25;31.12.2024;N;02345;;
Ärzte;n/a;01.01.2025;Y; ;;
zu viele;1;2;3;4;5;6;7;8
"""


def profiled(path: Path, content: str = "", encoding: str = "utf-8") -> Profile:
    if content:
        path.write_bytes(content.encode(encoding))
    return of_file(AnyCsv.at(path, path.name))


def told(profile: Profile) -> list[tuple[Any, ...]]:
    """Per column: name, type, nulls, words, distinct values, the range or the lengths, frequent values."""
    return [
        (c.name, c.type, c.nulls, c.words, c.distinct, (c.minimum or c.shortest, c.maximum or c.longest),
         [(f.value, f.rows) for f in c.frequent])
        for c in profile.columns
    ]  # fmt: skip


def types(folder: Path, *values: str) -> str:
    return profiled(folder / "x.csv", "\n".join(["a,b", *(f'"{v}",x' for v in values)])).columns[0].type


def test_a_file_that_nobody_knows_written_as_nobody_should(tmp_path):
    found = profiled(tmp_path / "odd.csv", ODD, "cp1252")
    assert (found.dataset, found.rows, found.refused) == ("", 3, 1)
    assert (
        found.written == "cp1252, semicolons between its cells, 2 lines above its header, blank cells after its lines"
    )
    dates = [("01.01.2025", 1), ("03.04.2024", 1), ("31.12.2024", 1)]
    assert told(found) == [
        ("Name", "text", 0, {}, 2, (5, 13), [("Ärzte", 2), ("Müller; Söhne", 1)]),
        ("Größe", "decimal(4,2) with commas", 0, {"n/a": 1}, 2, ("1,5", "12,25"), [("1,5", 1), ("12,25", 1)]),
        ("Datum", "date (DD.MM.YYYY)", 0, {}, 3, ("2024-04-03", "2025-01-01"), dates),
        ("Ja/Nein", "boolean (Y/N)", 0, {}, 2, ("N", "Y"), [("Y", 2), ("N", 1)]),
        ("PLZ", "text", 1, {}, 2, (5, 5), [("01234", 1), ("02345", 1)]),
    ]


def test_blank_columns_and_cells_without_a_name(tmp_path):
    found = profiled(tmp_path / "x.csv", "a,,a\n1,,x\n10,,\n9,,y\n")
    assert told(found) == [
        ("a", "integer", 0, {}, 3, ("1", "10"), [("1", 1), ("10", 1), ("9", 1)]),
        ("(column 2)", "empty", 3, {}, 0, (None, None), []),
        ("a", "text", 1, {}, 2, (1, 1), [("x", 1), ("y", 1)]),
    ]


def test_a_known_file_has_its_canonical_names_whatever_its_packing(tmp_path):
    plain = profiled(PENALTIES)
    assert (plain.dataset, plain.rows, plain.written) == ("penalties", 7, "utf-8")
    names = {c.canonical: (c.name, c.type) for c in plain.columns}
    assert names["fine_amount"] == ("Fine Amount", "decimal(7,2)")
    assert names["penalty_date"] == ("Penalty Date", "date (YYYY-MM-DD)")
    (tmp_path / "x.gz").write_bytes(gzip.compress(PENALTIES.read_bytes()))
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.write(PENALTIES, "in/it.csv")
    assert profiled(tmp_path / "x.gz").columns == profiled(tmp_path / "x.zip").columns == plain.columns


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["01/02/2024", "3/4/2024"], "date (MM/DD/YYYY) or date (DD/MM/YYYY)"),
        (["01/02/2024", "1/31/2024"], "date (MM/DD/YYYY)"),
        (["20240401", "20240430"], "date (YYYYMMDD)"),
        (["20240401", "20240431"], "integer"),
        (["2024-04-01T00:00:00", "2024-04-01"], "date (YYYY-MM-DD)"),
        (["015009", "15009"], "text"),
        (["-0.5", "12", "3.125"], "decimal(5,3)"),
        (["1e-05", "0.1"], "double"),
        (["1,500", "2,500"], "text"),  # in commas' company they are thousands, and nobody reads them
        (["no", "Yes"], "boolean (yes/no)"),
        (["0", "1"], "integer"),
        ([".", "N/A", ""], "empty"),
        (["2024Q2"], "text"),
    ],
)
def test_the_type_of_a_column_is_what_all_of_its_values_can_be_read_as(tmp_path, values, expected):
    assert types(tmp_path, *values) == expected


def test_what_is_no_table_is_refused(tmp_path):
    for content, said in (("one column\n1\n", "one cell"), ('a,b\n1,"2\n', "every quote closed")):
        with pytest.raises(Refused, match=said):
            profiled(tmp_path / "x.csv", content)


def test_of_data_that_are_not_public_only_keys_are_shown(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "DATASETS", with_dataset("penalties", domain="clinical", key=("provider_id",)))
    shown, *masked = profiled(PENALTIES).columns
    assert shown.frequent
    assert all(c.protected and not c.frequent and c.minimum is c.maximum is None for c in masked)
    assert sum(c.distinct for c in masked) > 0


def test_a_table_is_of_its_declared_types(tmp_path):
    lake, april = Lake(str(tmp_path)), [("015009", date(2024, 4, day), day % 3) for day in range(1, 11)]
    put(lake, april, "2024-04")
    found = of_table(lake, DAILY)
    assert found.rows == 10
    assert told(found)[1][1:6] == ("date", 0, {}, 10, ("2024-04-01", "2024-04-10"))
    assert told(found)[2] == ("census", "integer", 0, {}, 3, ("0", "2"), [("1", 4), ("0", 3), ("2", 3)])


def test_the_command(tmp_path):
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.write(PENALTIES, "penalties.csv")
        archive.writestr("other.csv", "a,b\n1,x\n")
        archive.writestr("readme.txt", "read me")
    found = CliRunner().invoke(app, ["profile", str(tmp_path / "two.zip"), "--json"])
    assert found.exit_code == 0
    assert [(p["name"], p["dataset"], p["rows"]) for p in json.loads(found.stdout)] == [
        ("two.zip/penalties.csv", "penalties", 7),
        ("two.zip/other.csv", "", 1),
    ]
    lines = CliRunner().invoke(app, ["profile", str(PENALTIES)]).stdout.splitlines()
    assert len(lines) == 2 + 13
    assert "Fine Amount = fine_amount" in lines[10]
    assert CliRunner().invoke(app, ["profile", "silver.fct_nothing"]).exit_code == 2
