"""What changed, on the dashboard."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from dashboard.paper import Paper
from dashboard.sections import changes
from nh_pipeline_tests.support.asking import asking
from nh_pipeline_tests.support.made_rows import rows_of

if TYPE_CHECKING:
    from dashboard.asking import Ask

MARCH, APRIL = date(2024, 3, 1), date(2024, 4, 1)


def change(ccn: str, what: str, before: str | None, after: str | None, state: str = "AL") -> dict[str, Any]:
    return {"release": APRIL, "previous_release": MARCH, "provider_id": ccn, "state": state, "what": what,
            "before": before, "after": after}  # fmt: skip


CHANGES = [
    change("015009", "overall_rating", "5", "4"),
    change("015010", "overall_rating", "1", "2"),
    change("015011", "overall_rating", None, "2"),
    change("015012", "overall_rating", "2", None),
    change("015009", "special_focus_status", None, "SFF Candidate"),
    change("015010", "special_focus_status", "SFF Candidate", "SFF"),
    change("015011", "special_focus_status", "SFF", None),
    change("015009", "abuse_icon", "N", "Y"),
    change("015009", "fines", "9", "10"),
    change("015009", "provider_name", "OAK", "Oak"),
    change("015010", "chain_name", "A", "<script>B"),
    change("455001", "listed", "N", "Y", "TX"),
    change("015099", "listed", "Y", "N"),
]


@pytest.fixture
def db() -> duckdb.DuckDBPyConnection:
    db = duckdb.connect()
    rows_of(db, "gold.changes", CHANGES)
    rows_of(db, "silver.fct_provider_releases", [
        {"release": APRIL, "provider_id": "015009", "provider_name": "Oak", "city": "ELBA"},
        {"release": MARCH, "provider_id": "015009", "provider_name": "OAK", "city": "ELBA"},
        {"release": MARCH, "provider_id": "015099", "provider_name": "GONE", "city": "ARAB"},
    ])  # fmt: skip
    rows_of(db, "gold.series_breaks", [
        {"first_day": day, "kind": "definition", "series": series, "what": "otherwise", "source": "CMS"}
        for day, series in ((MARCH, "older"), (APRIL, "turnover"), (date(2024, 7, 1), "later"))
    ])  # fmt: skip
    return db


@pytest.fixture
def ask(db: duckdb.DuckDBPyConnection) -> Ask:
    return asking(db)


def test_every_change_is_told_with_its_direction(ask: Ask) -> None:
    page = Paper()
    changes.listed(page, ask, APRIL)
    shown = "".join(page.parts)
    for ccn, told in (
        ("015009", "Overall stars: down"), ("015010", "Overall stars: up"), ("015011", "Overall stars: none before"),
        ("015012", "Overall stars: none now"), ("015009", "Special focus: set"), ("015010", "Special focus: another"),
        ("015011", "Special focus: taken away"), ("015009", "Abuse icon: set"), ("015009", "Fines in three years: up"),
        ("015009", "Name of the home: capital letters only"), ("015010", "Chain (name): another"),
        ("455001", "Home: listed anew"), ("015099", "Home: no longer listed"),
    ):  # fmt: skip
        assert any(ccn in row and told in row for row in shown.split("<tr>")), told
    assert "<td>&lt;script&gt;B</td>" in shown
    assert "13 changes · Apr 1, 2024 against Mar 1, 2024 · all kinds · all states" in shown


def test_a_home_that_is_gone_has_the_name_of_the_release_before(ask: Ask) -> None:
    page = Paper()
    changes.listed(page, ask, APRIL, ["Opened or closed"], ["AL"])
    shown = "".join(page.parts)
    assert "<td>GONE</td>" in shown
    assert "455001" not in shown
    assert "1 change · " in shown


def test_changes_are_counted_by_kind(ask: Ask) -> None:
    page = Paper()
    changes.counted(page, ask, APRIL, ["Stars"])
    shown = "".join(page.parts)
    assert "Release of Apr 1, 2024 against Mar 1, 2024 · Stars · all states." in shown
    assert "Most frequent: Overall stars: down, 1 home; 4 changes in all." in shown
    nothing = Paper()
    changes.counted(nothing, ask, APRIL, ["Beds"])
    assert "No changes of this kind" in "".join(nothing.parts)


def test_breaks_of_a_release_are_those_since_the_one_before(ask: Ask) -> None:
    page = Paper()
    changes.breaks(page, ask, changes.previous(ask, APRIL), APRIL)
    shown = "".join(page.parts)
    assert "turnover" in shown
    assert "older" not in shown
    assert "later" not in shown


def test_columns_that_are_blank_on_one_side_came_or_went(db: duckdb.DuckDBPyConnection, ask: Ask) -> None:
    table = "silver.fct_provider_releases"
    rows = [{"table_name": table, "part": part, "run_id": "", "measure": "rows_out", "subject": "", "found": 9}
            for part in ("2024-02-01", "2024-03-01", "2024-04-01")]  # fmt: skip
    rows += [{"table_name": table, "part": part, "run_id": "", "measure": "nulls", "subject": name, "found": found,
              "of_rows": 9} for part, name, found in (
        ("2024-03-01", "rn_turnover", 9), ("2024-04-01", "urban", 9), ("2024-03-01", "county", 9),
        ("2024-04-01", "county", 9), ("2024-04-01", "city", 3), ("2024-02-01", "state", 9))]  # fmt: skip
    rows_of(db, "gold.data_quality", rows)
    page = Paper()
    changes.columns(page, ask, APRIL)
    shown = "".join(page.parts)
    assert "<td>came</td><td>Registered Nurse turnover</td><td>rn_turnover</td>" in shown
    assert "<td>went</td><td>Urban</td><td>urban</td>" in shown
    assert "2 columns" in shown


def test_without_releases_there_is_nothing_to_choose() -> None:
    db = duckdb.connect()
    rows_of(db, "gold.changes", [])
    assert changes.releases(asking(db)) == {}
    assert changes.previous(asking(db), APRIL) is None


def test_a_footnote_is_told_in_words() -> None:
    page, db = Paper(), duckdb.connect()
    rows_of(db, "gold.changes", [change("015009", "overall_rating_footnote", None, "18")])
    rows_of(db, "silver.fct_provider_releases", [])
    changes.listed(page, asking(db), APRIL)
    assert "not rated: Special Focus Facility" in "".join(page.parts)
