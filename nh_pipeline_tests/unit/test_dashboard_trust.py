"""Trust, on the dashboard: what is told of figures that were computed again, of checks, deliveries and rejects."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import duckdb
import pytest

from dashboard.paper import Paper
from dashboard.sections import reconciliation, trust
from nh_pipeline_tests.support.asking import asking
from nh_pipeline_tests.support.made_rows import rows_of

if TYPE_CHECKING:
    from dashboard.asking import Ask

APRIL, MAY = date(2024, 4, 1), date(2024, 5, 1)
NONE = {"held": 0, "revised_release": 0, "series_of_another_quarter": 0, "suppressed": 0, "input_missing": 0}
QUALITY = {"run_id": "", "subject": ""}
PBJ, HOMES = "bronze.daily_nurse_staffing_raw", "bronze.providers_raw"


@pytest.fixture
def ask() -> Ask:
    db = duckdb.connect()
    rule = {"rule": "fines", "published": "Provider Information: Fines", "formula": "lines of Penalties",
            "level": "facility", "may_differ": 0, **NONE}  # fmt: skip
    rows_of(db, "gold.reconciliation_summary", [
        {**rule, "release": APRIL, "n": 10, "equal": 6, "rounding": 1, "held": 1, "input_missing": 2, "mismatch": 0,
         "holds": True},
        {**rule, "release": MAY, "n": 10, "equal": 8, "rounding": 0, "suppressed": 1, "mismatch": 1, "worst": 3,
         "holds": False},
    ])  # fmt: skip
    figure = {"release": MAY, "rule": "fines", "level": "facility", "tolerance": 0.5}
    rows_of(db, "gold.reconciliation", [
        {**figure, "entity": "015009", "ours": 4, "theirs": 1, "difference": 3, "verdict": "mismatch"},
        {**figure, "entity": "015010", "ours": 4, "verdict": "suppressed", "note": "why <b>"},
    ])  # fmt: skip
    rows_of(db, "silver.dim_providers", [
        {"provider_id": "015009", "provider_name": "OAK", "is_current": True, "valid_from": MAY},
        {"provider_id": "015009", "provider_name": "OLD NAME", "is_current": False, "valid_from": APRIL},
    ])  # fmt: skip
    rows_of(db, "gold.data_quality", [
        {**QUALITY, "table_name": PBJ, "part": "aa", "coverage": "2024Q1", "measure": "counts", "passed": True,
         "told": "PBJ.csv is effective"},
        {**QUALITY, "table_name": PBJ, "part": "aa", "coverage": "2024Q1", "measure": "rows_in", "found": 1234},
        {**QUALITY, "table_name": HOMES, "part": "bb", "coverage": "2024-05-01", "measure": "counts", "passed": False,
         "told": "NH.csv is held: lacks 900 facilities"},
        {**QUALITY, "table_name": HOMES, "part": "bb", "coverage": "2024-05-01", "measure": "unchanged_since",
         "passed": False, "day": APRIL, "told": "stale"},
        {**QUALITY, "table_name": "silver.fct_staffing_levels", "part": "2024Q1", "measure": "check",
         "subject": "hours_plausible", "passed": False, "found": 2, "of_rows": 1234, "told": "not is_implausible"},
        {**QUALITY, "table_name": "silver.fct_staffing_levels", "part": "2024Q1", "measure": "check",
         "subject": "grain", "passed": True, "found": 0, "of_rows": 1234},
        {**QUALITY, "table_name": "silver.fct_staffing_levels", "part": "all", "measure": "late_from",
         "day": date(2024, 11, 27), "told": "one more is due within 240 days"},
        {**QUALITY, "table_name": "silver.fct_staffing_levels", "part": "2023Q4", "measure": "rows_out", "found": 5},
        {**QUALITY, "table_name": "silver.fct_staffing_levels", "part": "2024Q1", "measure": "rows_out", "found": 5},
        {**QUALITY, "table_name": "silver.dim_providers", "part": "all", "measure": "late_from",
         "day": date(2024, 7, 16), "told": "one more is due within 75 days"},
    ])  # fmt: skip
    rows_of(db, "bronze.rejects", [
        {"dataset": "penalties", "stage": "fct_penalties", "coverage": "2024-05-01", "delivery_id": "cc",
         "file_name": "P.csv", "source_line": line, "reason": "no whole number", "column_name": "fine_amount",
         "what_to_do": "correct it"} for line in (2, 3)
    ])  # fmt: skip
    return asking(db)


def test_figures_computed_again_are_counted_over_all_releases(ask: Ask) -> None:
    page = Paper()
    reconciliation.reconciled(page, ask)
    shown = "".join(page.parts)
    assert "<b>20</b>" in shown
    assert "15 of 17 that could be compared · 2 releases of this lake" in shown
    assert "<b>88.24 %</b>" in shown
    assert "2 do not" in shown


def test_one_release_has_its_own_rules_and_differences(ask: Ask) -> None:
    page = Paper()
    reconciliation.rules(page, ask, MAY)
    reconciliation.different(page, ask, MAY)
    shown = "".join(page.parts)
    assert "0 rules hold, 1 does not." in shown
    assert "<td>015009</td><td>OAK</td>" in shown
    assert "OLD NAME" not in shown
    assert '<td>CMS leaves it blank</td><td>why &lt;b&gt;</td><td class="right">1</td>' in shown
    april = Paper()
    reconciliation.rules(april, ask, APRIL)
    reconciliation.different(april, ask, APRIL)
    assert "1 rule holds, 0 do not." in "".join(april.parts)
    assert "<p>None.</p>" in "".join(april.parts)


def test_what_a_rule_that_warns_found_is_told_in_words(ask: Ask) -> None:
    page = Paper()
    trust.quality(page, ask)
    shown = "".join(page.parts)
    assert "of 2 · 1 table" in shown
    assert "1 warn" in shown
    assert "not is_implausible" not in shown
    assert "<td>Rule that warns</td><td>hours_plausible</td>" in shown


def test_deliveries_say_what_became_of_them(ask: Ask) -> None:
    page = Paper()
    trust.deliveries(page, ask)
    shown = "".join(page.parts)
    assert "2 files; 1 of them held, refused or withdrawn." in shown
    assert '<td>2024Q1</td><td class="right">1,234</td><td>PBJ.csv is effective</td>' in shown
    held = next(row for row in shown.split("<tr>") if "NH.csv is held: lacks 900 facilities" in row)
    assert "Apr 1, 2024" in held


def test_what_is_late_depends_on_the_day(ask: Ask) -> None:
    for today, told in ((date(2024, 7, 15), "2 tables are on time and 0 late"),
                        (date(2024, 7, 16), "1 table is on time and 1 late")):  # fmt: skip
        page = Paper()
        trust.freshness(page, ask, today)
        assert told in "".join(page.parts)
        assert "<td>silver.fct_staffing_levels</td><td>2024Q1</td><td>on time</td>" in "".join(page.parts)


def test_refused_lines_are_counted_by_file_and_column(ask: Ask) -> None:
    page = Paper()
    trust.rejects(page, ask)
    assert '<td>P.csv</td><td>fine_amount</td><td class="right">2</td>' in "".join(page.parts)


def test_an_empty_lake_has_a_sentence_for_each_block() -> None:
    db = duckdb.connect()
    for name in ("gold.reconciliation_summary", "gold.reconciliation", "silver.dim_providers", "gold.data_quality",
                 "bronze.rejects"):  # fmt: skip
        rows_of(db, name, [])
    nothing, page = asking(db), Paper()
    assert reconciliation.releases(nothing) == {reconciliation.ALL: None}
    for section in (
        reconciliation.reconciled,
        reconciliation.rules,
        reconciliation.different,
        trust.quality,
        trust.deliveries,
        trust.rejects,
    ):
        section(page, nothing)
    trust.freshness(page, nothing, MAY)
    shown = "".join(page.parts)
    for told in ("computed again yet", "No check is recorded yet", "No delivery", "comes regularly", "was refused"):
        assert told in shown
