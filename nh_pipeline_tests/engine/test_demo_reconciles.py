"""What the demo generates exercises the rules of the reconciliation, and differs from none but where it is meant to."""

from __future__ import annotations

from collections import defaultdict

import pytest

from nh_pipeline import marts
from nh_pipeline.cli.demo import PLAN
from nh_pipeline.marts.reconciliation.constants import MART as CONSTANTS
from nh_pipeline.marts.reconciliation.mart import FIGURES, MART, SUMMARY
from nh_pipeline_tests.support import chain
from nh_pipeline_tests.support.few import FEW

pytestmark = pytest.mark.integration

ENDED = {"mean_ls_pain", "mean_ss_pain", "mean_ss_pressure_ulcers"}
"""Rules for measures that CMS ended before the oldest layout that is generated, of 2021."""


@pytest.fixture(scope="module")
def rules(engine, tmp_path_factory):
    """Rows of the summary by rule, of the releases that have every file: one in each layout."""
    drop, workspace = tmp_path_factory.mktemp("drop"), chain.workspace_at(tmp_path_factory.mktemp("lake"), engine)
    for quarter in PLAN.quarters:
        PLAN.staffing(drop, quarter)
    for number in range(PLAN.full_from, PLAN.releases):
        PLAN.release(drop, number)
    chain.land(workspace, drop)
    built = (*FEW, CONSTANTS, MART, SUMMARY)
    needed = {table.dataset for mart in built for table in mart.inputs}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(marts, "MARTS", built)
        chain.whole(workspace, lambda stale: stale.table.dataset in needed)
    found = defaultdict(list)
    for row in chain.rows(workspace.lake, SUMMARY.table):
        found[row["rule"]].append(row)
    return found


def test_every_rule_is_exercised_but_those_for_measures_that_ended(rules):
    exercised = {rule for rule, rows in rules.items() if any(row["equal"] + row["rounding"] for row in rows)}
    assert set(FIGURES) - exercised == ENDED


def test_figures_differ_only_where_a_fine_was_reduced_or_a_rating_is_held(rules):
    apart = ("mismatch", "input_missing", "revised_release", "series_of_another_quarter", "held")
    found = {(rule, name) for rule, rows in rules.items() for row in rows for name in apart if row[name]}
    assert found == {("total_fine_dollars", "revised_release"), ("health_inspection_rating", "held")}
