"""The history of NPIs: whole registries and weeks in any order, deactivated and activated again."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nh_pipeline.datasets.cms.nppes import DIM_NPI, states
from nh_pipeline.model.table import REJECTS
from nh_pipeline.pipeline.scd2 import BuildHistory
from nh_pipeline.transforms import scd2
from nh_pipeline_tests.support import chain
from nh_pipeline_tests.support.local import Nh
from nh_pipeline_tests.support.registry import home, registry_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nh_pipeline.pipeline.context import BuildContext

pytestmark = pytest.mark.integration

ONE, TWO, THREE = "1000000001", "1000000002", "1000000003"


def built(workspace: BuildContext, *paths: Path) -> list[dict[str, Any]]:
    """Versions after these files have landed, too."""
    chain.land(workspace, *paths)
    chain.parse(workspace, "nppes")
    outcome = BuildHistory(table=DIM_NPI.name).run(workspace)
    chain.published(outcome.results)
    assert {s.state for s in outcome.deliveries} == {"effective"}
    return chain.rows(workspace.lake, DIM_NPI)


def told(rows: list[dict[str, Any]], *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(f"{v}" if isinstance(v, date) else v for v in (row[c] for c in columns)) for row in rows]


def a_year(folder: Path) -> list[Path]:
    """The whole registry, weeks, a deactivation, the whole registry again, and an activation."""
    gone = {"npi": ONE, "deactivation_date": "03/05/2024"}
    back = home(ONE, "06/20/2024", organization_name="B", deactivation_date="03/05/2024",
                reactivation_date="06/20/2024")  # fmt: skip
    files = [
        [home(ONE, "01/20/2024"), home(TWO, "06/15/2010"), home(THREE, "01/31/2024")],
        [home(ONE, "02/15/2024", organization_name="B")],
        [gone, home(THREE, "03/14/2024")],  # the same as before but for the day
        [gone, home(TWO, "06/15/2010"), home(THREE, "04/30/2024", practice_zip="78702")],
        [back],
    ]
    return [registry_file(folder / f"{n}.csv", lines) for n, lines in enumerate(files)]


YEAR = [
    (ONE, "2024-01-31", "2024-02-15", "changed", "A", None, True),
    (ONE, "2024-02-15", "2024-03-14", "changed", "B", None, True),
    (ONE, "2024-03-14", "2024-06-20", "changed", "B", "2024-03-05", False),
    (ONE, "2024-06-20", None, None, "B", "2024-03-05", True),
    (TWO, "2024-01-31", None, None, "A", None, True),
    (THREE, "2024-01-31", "2024-04-30", "changed", "A", None, True),
    (THREE, "2024-04-30", None, None, "A", None, True),
]
FACTS = ("npi", "valid_from", "valid_to", "closed_reason", "organization_name", "deactivation_date", "is_active")


def test_a_version_lasts_until_something_else_is_said(workspace, tmp_path):
    rows = built(workspace(), *a_year(tmp_path))
    assert told(rows, *FACTS) == YEAR
    assert {row["is_reappearance"] for row in rows} == {False}
    gone = rows[2]
    assert (gone["entity_type"], gone["taxonomies"], gone["practice_zip5"]) == ("2", "314000000X", "78701")
    third = [row for row in rows if row["npi"] == THREE]
    assert told(third, "last_update_date", "practice_zip5") == [("2024-01-31", "78701"), ("2024-04-30", "78702")]


def test_any_order_of_arrival_gives_the_same_history(workspace, tmp_path):
    paths = a_year(tmp_path)
    once = workspace()
    built(once, *paths)
    backwards = workspace()
    for some in (paths[3:], paths[:3]):
        built(backwards, *reversed(some))
    assert chain.table(backwards.lake, DIM_NPI).equals(chain.table(once.lake, DIM_NPI))
    before = chain.snapshots(once.lake)
    built(once, *paths)
    assert chain.snapshots(once.lake) == before


def test_of_two_files_that_end_on_one_day_the_later_one_corrects_the_other(workspace, tmp_path):
    whole = registry_file(tmp_path / "whole.csv", [home(ONE, "01/20/2024"), home(TWO, "01/31/2024")])
    week = registry_file(tmp_path / "week.csv", [home(TWO, "01/31/2024", organization_name="B")], hour=9)
    for paths in ((whole, week), (week, whole)):
        rows = built(workspace(), *paths)
        assert told(rows, "npi", "organization_name", "is_current") == [(ONE, "A", True), (TWO, "B", True)]


def test_a_line_that_cannot_be_read_changes_nothing_but_the_rejects(workspace, tmp_path):
    w = workspace()
    first = registry_file(tmp_path / "1.csv", [home(ONE, "01/20/2024"), home(TWO, "01/31/2024")])
    odd = home(ONE, "02/15/2024", organization_name="B", deactivation_date="soon")
    rows = built(w, first, registry_file(tmp_path / "2.csv", [odd]))
    assert told(rows, "npi", "organization_name") == [(ONE, "A"), (TWO, "A")]
    (reject,) = chain.rows(w.lake, REJECTS)
    assert reject["reason"] == 'deactivation_date: expected a date, found "soon"'


def test_the_command_line_builds_registries_of_any_year(tmp_path):
    nh = Nh(tmp_path / "lake")
    old = registry_file(tmp_path / "2007.csv", [home(ONE, "05/23/2007")])
    nh("run", old, registry_file(tmp_path / "2024.csv", [home(ONE, "01/31/2024", organization_name="B")]))
    query = "select organization_name as name, valid_from::varchar as since from silver.dim_npi order by valid_from"
    assert nh.rows(query) == [{"name": "A", "since": "2007-05-23"}, {"name": "B", "since": "2024-01-31"}]
    assert nh("materialize").stdout.startswith("nothing to do")


def test_what_has_ever_been_a_nursing_home_is_kept_and_all_by_a_setting(workspace, tmp_path, monkeypatch):
    w, other = workspace(), {"taxonomy_1": "251E00000X"}
    first = [
        home(ONE, "01/31/2024", **other),
        home(TWO, "01/20/2024", **other, taxonomy_2="313M00000X"),
        home(THREE, "01/20/2024", entity_type="1"),
        {"npi": "1000000004", "deactivation_date": "03/05/2010"},
    ]
    paths = (
        registry_file(tmp_path / "1.csv", first),
        registry_file(tmp_path / "2.csv", [home(TWO, "02/20/2024", **other)]),
    )
    rows = built(w, *paths)
    assert told(rows, "npi", "taxonomies") == [(TWO, "251E00000X;313M00000X"), (TWO, "251E00000X")]
    monkeypatch.setenv("NH_NPPES_SCOPE", "all")
    rows = built(w)
    assert told(rows, "npi", "entity_type", "is_active") == [
        (ONE, "2", True), (TWO, "2", True), (TWO, "2", True), (THREE, "1", True), ("1000000004", None, False),
    ]  # fmt: skip


def _taxonomies(*coded: tuple[str, str]) -> dict[str, str]:
    return {f"{name}_{n}": text for n, pair in enumerate(coded, 1)
            for name, text in zip(("taxonomy", "taxonomy_switch"), pair, strict=True)}  # fmt: skip


READ: tuple[tuple[dict[str, str], dict[str, Any]], ...] = (
    (_taxonomies(("B", "N"), ("A", "Y")), {"primary_taxonomy": "A", "taxonomies": "A;B"}),
    (_taxonomies(("B", "Y"), ("A", "Y"), ("B", "N")), {"primary_taxonomy": "B", "taxonomies": "A;B"}),
    (_taxonomies(("B", "X"), ("A", "X")), {"primary_taxonomy": "B"}),
    (_taxonomies(("", ""), ("A", "N")), {"primary_taxonomy": "A", "taxonomies": "A"}),
    (_taxonomies(("", "")), {"primary_taxonomy": None, "taxonomies": None}),
    ({"practice_zip": "787010001"}, {"practice_zip5": "78701"}),
    ({"practice_zip": "78701-0001"}, {"practice_zip5": "78701"}),
    ({"practice_zip": "00801"}, {"practice_zip5": "00801"}),
    ({"practice_zip": "K1A 0B1"}, {"practice_zip5": None}),
    ({"ein": "<UNAVAIL>"}, {"ein": None}),
    ({"ein": "123456789"}, {"ein": "123456789"}),
    ({"sole_proprietor": "X", "subpart": "Y"}, {"is_sole_proprietor": None, "is_subpart": True}),
    ({"deactivation_date": "01/02/2024"}, {"is_active": False}),
    ({"deactivation_date": "01/02/2024", "reactivation_date": "01/02/2024"}, {"is_active": False}),
    ({"deactivation_date": "01/02/2024", "reactivation_date": "01/03/2024"}, {"is_active": True}),
)


def test_a_line_is_read_as_it_is_meant(workspace, tmp_path, monkeypatch):
    monkeypatch.setenv("NH_NPPES_SCOPE", "all")
    lines = [home(f"{n:010d}", "01/31/2024", **said) for n, (said, _) in enumerate(READ)]
    rows = built(workspace(), registry_file(tmp_path / "1.csv", lines))
    for row, (said, expected) in zip(rows, READ, strict=True):
        assert {c: row[c] for c in expected} == expected, said


# Against a model in plain Python: one NPI and one delivery after the other.

DAYS = [date(2024, n, 1) for n in range(1, 6)]
_line = st.one_of(
    st.fixed_dictionaries({"entity_type": st.just("2"), "organization_name": st.sampled_from(["A", "B", None])}),
    st.fixed_dictionaries({"deactivation_date": st.sampled_from(DAYS[:2])}),
)
_delivery = st.tuples(
    st.sampled_from(DAYS), st.dictionaries(st.sampled_from([ONE, TWO, THREE]), _line, min_size=1, max_size=3)
)
_SPOKEN = ("entity_type", "organization_name", "deactivation_date")


def modelled(deliveries: Sequence[tuple[date, dict[str, Any]]]) -> list[tuple[Any, ...]]:
    found = []
    for npi in sorted({npi for _, lines in deliveries for npi in lines}):
        said = {day: lines[npi] for day, lines in deliveries if npi in lines}  # the last one of a day counts
        known: dict[str, Any] = {}
        versions: list[list[Any]] = []
        for day, line in sorted(said.items()):
            known = {**(line if "entity_type" in line else known), "deactivation_date": line.get("deactivation_date")}
            state = tuple(known.get(c) for c in _SPOKEN)
            if versions and versions[-1][3:] == list(state):
                continue
            if versions:
                versions[-1][2] = day
            versions.append([npi, day, None, *state])
        found += [tuple(v) for v in versions]
    return found


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deliveries=st.lists(_delivery, min_size=1, max_size=6), rnd=st.randoms(use_true_random=False))
def test_the_transforms_do_what_the_model_does(engine, deliveries, rnd):
    columns = [*dict.fromkeys(("npi", *DIM_NPI.kind.columns, *DIM_NPI.kind.needs))]
    types = {c.name: c.type.sql for c in DIM_NPI.columns}
    lines = [
        (*({"npi": npi, **line}.get(c) for c in columns), day, f"d{n}", None)
        for n, (day, said) in enumerate(deliveries) for npi, line in said.items()
    ]  # fmt: skip
    schema = ", ".join(f"{c} {types.get(c, 'string')}" for c in columns)
    frame = engine.createDataFrame(
        rnd.sample(lines, len(lines)), f"{schema}, release date, delivery_id string, reason string"
    )
    rows = states(scd2.last_said(frame, ["npi"], [f"d{n}" for n in range(len(deliveries))]))
    made = scd2.versions(rows, DIM_NPI, lacking={}, refused=False, absence_ends=False)
    found = made.select("npi", "valid_from", "valid_to", *_SPOKEN).orderBy("npi", "valid_from").collect()
    assert [tuple(row) for row in found] == modelled(deliveries)
    assert scd2.broken_history(engine.createDataFrame(made.collect(), DIM_NPI.spark), DIM_NPI).collect() == []
