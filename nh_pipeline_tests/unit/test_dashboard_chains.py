"""Chains and owners on the dashboard: figures of a few homes, worked out by hand."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from dashboard.paper import Paper
from dashboard.sections import chains, ownership
from nh_pipeline_tests.support.asking import asking
from nh_pipeline_tests.support.made_rows import rows_of

if TYPE_CHECKING:
    from dashboard.asking import Ask

SPRING, SUMMER = date(2024, 4, 1), date(2024, 7, 1)
QUARTERS = {SPRING: "2024Q2", SUMMER: "2024Q3"}


def home(ccn: str, quarter: date, owner: str | None, hours: int, residents: int, **more: Any) -> dict[str, Any]:
    return {"provider_id": ccn, "quarter_start": quarter, "cy_qtr": QUARTERS[quarter], "state": "AL", "days": 91,
            "ownership_type": owner, "resident_days": residents, "total_hours_with_residents": hours,
            "rn_hours_with_residents": hours / 10, "hprd_total": hours / residents, "hprd_rn": hours / residents / 10,
            "contract_hours_with_residents": 0, "days_with_residents": 91, "days_no_rn": 0, "days_incomplete": 0,
            **more}  # fmt: skip


def chain(number: str, quarter: date, homes: int, pooled: float, **more: Any) -> dict[str, Any]:
    return {"chain_id": number, "chain_name": f"CHAIN {number}", "quarter_start": quarter, "homes": homes, "n": homes,
            "cy_qtr": QUARTERS[quarter], "states": 1, "resident_days": 1000, "hprd_total_pooled": pooled,
            "hprd_total_facility_mean": pooled + 0.5, "hprd_total_low": 1.25, "hprd_total_quarter": 2,
            "hprd_total_median": 3, "hprd_total_three_quarters": 4, "hprd_total_high": 5, "days_no_rn": 7,
            "contract_share_pooled": 0.25, "fines": 2, "fine_dollars": 1234, **more}  # fmt: skip


@pytest.fixture
def ask() -> Ask:
    db = duckdb.connect()
    rows_of(db, "gold.facility_quarter", [
        home("015009", SPRING, "For profit - Corporation", 300, 100, chain_id="7", provider_name="<b>OAK</b>"),
        home("015010", SPRING, "FOR PROFIT - CORPORATION", 1400, 400, chain_id="7"),
        home("015011", SPRING, None, 500, 100),
        home("015009", SUMMER, "Government - County", 450, 100, chain_id="7", provider_name="<b>OAK</b>"),
        home("015010", SUMMER, "For profit - Corporation", 1400, 400),
    ])  # fmt: skip
    rows_of(db, "gold.chain_quarter", [
        chain("7", SPRING, 2, 3.4), chain("8", SPRING, 9, 2.8), chain("7", SUMMER, 1, 4.5),
    ])  # fmt: skip
    event = {"provider_id": "015009", "event": "ownership_type", "change_release": date(2024, 7, 1), "state": "AL",
             "n_unchanged": 2}  # fmt: skip
    rows_of(db, "gold.ownership_change", [
        {**event, "quarter_start": SPRING, "quarters_since": -1, "resident_days": 100, "hprd_total": 3.0,
         "hprd_total_unchanged_mean": 4.25, "hprd_total_unchanged_pooled": 3.8},
        {**event, "quarter_start": SUMMER, "quarters_since": 0, "resident_days": 100, "hprd_total": 4.5,
         "hprd_total_unchanged_mean": 3.5, "hprd_total_unchanged_pooled": 3.5},
    ])  # fmt: skip
    rows_of(db, "gold.changes", [
        {"release": date(2024, 7, 1), "previous_release": date(2024, 6, 1), "provider_id": "015009", "state": "AL",
         "what": "ownership_type", "before": "For profit - Corporation", "after": "Government - County"},
    ])  # fmt: skip
    rows_of(db, "silver.fct_provider_releases", [
        {"release": date(2024, 7, 1), "provider_id": "015009", "provider_name": "<b>OAK</b>", "city": "ELBA"},
    ])  # fmt: skip
    rows_of(db, "silver.fct_chain_performance", [
        {"chain_id": "7", "chain_name": "CHAIN 7", "facilities": 2, "reported_total_hprd": 3.3},
        {"chain_name": "National", "facilities": 14_000, "reported_total_hprd": 3.9},
    ])  # fmt: skip
    return asking(db)


def test_chains_are_ranked_as_asked_beside_the_nation(ask: Ask) -> None:
    page = Paper()
    chains.ranking(page, ask, SPRING, order="Fewest hours per resident day")
    shown = "".join(page.parts)
    assert shown.index("CHAIN 8</td>") < shown.index("CHAIN 7</td>")
    assert "<b>3.67</b>" in shown  # 2,200 hours of 600 resident-days


def test_a_search_finds_names_and_numbers_literally(ask: Ask) -> None:
    found = Paper()
    chains.ranking(found, ask, SPRING, order="Most homes", search="hain 8")
    assert "CHAIN 8" in "".join(found.parts)
    assert "CHAIN 7" not in "".join(found.parts)
    hostile = Paper()
    chains.ranking(hostile, ask, SPRING, order="Most homes", search=".*'; drop <b>")
    assert "No chain with “.*&#x27;; drop &lt;b&gt;”" in "".join(hostile.parts)


def test_one_chain_is_shown_over_the_quarters_with_its_homes_and_cms_averages(ask: Ask) -> None:
    page = Paper()
    chains.one(page, ask, "7")
    shown = "".join(page.parts)
    assert "<b>4.50</b>" in shown
    assert "+1.10 to 2024Q2" in shown
    assert "<b>3.70</b>" in shown  # the nation: 1,850 hours of 500 resident-days
    assert "&lt;b&gt;OAK&lt;/b&gt;" in shown
    assert '>3.30</td><td class="right">4.50</td><td class="right">3.90</td>' in shown


def test_a_chain_that_is_not_there_is_told(ask: Ask) -> None:
    page = Paper()
    chains.one(page, ask, "no such <i>chain</i>")
    assert "No chain of this lake has the number no such &lt;i&gt;chain&lt;/i&gt;" in "".join(page.parts)


def test_owners_are_pooled_and_averaged_and_spelled_one_way(ask: Ask) -> None:
    page = Paper()
    ownership.compared(page, ask, "2024Q2", SPRING)
    shown = "".join(page.parts)
    assert "<b>3.40</b>" in shown  # 1,700 hours of 500 resident-days
    assert "mean of homes 3.25 · 2 homes" in shown
    assert '<td>For profit - corporation</td><td class="right">2</td>' in shown
    assert shown.index("For profit - corporation</td>") < shown.index("Not known</td>")


def test_quarters_around_a_change_stand_beside_homes_without_one(ask: Ask) -> None:
    page = Paper()
    ownership.around(page, ask, "Kind of owner changed", "All nursing staff")
    shown = "".join(page.parts)
    assert "A difference is not the sale&#x27;s effect" in shown
    cells = "".join(f'<td class="right">{v}</td>' for v in ("1", "3.00", "3.00", "2", "3.80", "4.25"))
    assert f"<td>1 quarter before</td>{cells}" in shown


def test_homes_that_changed_are_listed_with_hours_before_and_after(ask: Ask) -> None:
    page = Paper()
    ownership.homes(page, ask, "Kind of owner changed", ("AL",))
    shown = "".join(page.parts)
    assert "<td>For profit - Corporation</td><td>Government - County</td>" in shown
    assert '<td class="right">3.00</td><td class="right">–</td>' in shown  # noqa: RUF001
    elsewhere = Paper()
    ownership.homes(elsewhere, ask, "Kind of owner changed", ("TX",))
    assert "no home of Texas shows this" in "".join(elsewhere.parts)


def test_an_empty_lake_has_no_quarters_and_a_sentence() -> None:
    db = duckdb.connect()
    for table in ("gold.facility_quarter", "gold.chain_quarter", "gold.ownership_change", "gold.changes",
                  "silver.fct_provider_releases"):  # fmt: skip
        rows_of(db, table, [])
    nothing = asking(db)
    assert chains.quarters(nothing) == ownership.quarters(nothing) == {}
    page = Paper()
    ownership.around(page, nothing, "Change marked by CMS", "Nurse aides")
    assert "No quarter of staffing" in "".join(page.parts)
