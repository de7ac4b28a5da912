"""A history is built in runs of a year, says how far it is, and goes on at what is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import dagster as dg
import pytest

from nh_pipeline import failpoints
from nh_pipeline.failpoints import Point
from nh_pipeline.model.table import REJECTS
from nh_pipeline.orchestration.jobs import QUALITY
from nh_pipeline.orchestration.partitions import RANGE_END, RANGE_START
from nh_pipeline.sample import Deliveries
from nh_pipeline_tests.support import chain
from nh_pipeline_tests.support.local import Nh

pytestmark = [
    pytest.mark.integration,
    pytest.mark.at_length,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # Dagster's event log readers
]

PLAN = Deliveries(4, ("2023Q3", "2023Q4", "2024Q1", "2024Q2", "2024Q3"), releases=0, days=2)
FACTS = "silver.fct_staffing_levels"


class Builds:
    """Counts the builds that come to their gate, by table, and lets one of them fail."""

    def __init__(self, fails: int = 0) -> None:
        self.seen, self.fails = Counter[str](), fails

    def __call__(self, point: Point, table: str) -> None:
        if point is Point.STAGED and table != REJECTS.name:
            self.seen[table] += 1
            if table == FACTS and self.seen[FACTS] == self.fails:
                raise RuntimeError("struck by lightning")


@pytest.fixture
def builds(monkeypatch):
    def watched(**how) -> Builds:
        made = Builds(**how)
        monkeypatch.setattr(failpoints, "observer", made)
        return made

    return watched


def ranges(runs):
    return [(r.tags[RANGE_START], r.tags[RANGE_END], r.status.value) for r in runs if RANGE_START in r.tags]


def test_a_history_that_fails_goes_on_at_what_is_missing(tmp_path, builds, engine):
    nh, drop = Nh(tmp_path / "lake"), tmp_path / "drop"
    for quarter in PLAN.quarters:
        PLAN.staffing(drop, quarter)
    workspace = chain.workspace_at(nh.home, engine)
    chain.land(workspace, drop)
    chain.parse(workspace, chain.STAFFING)
    builds(fails=3)  # of five quarters
    told = nh("materialize", exits=1).stdout
    years = [("2023-07-01", "2023-12-31"), ("2024-01-01", "2024-09-30")]
    good, bad = "SUCCESS", "FAILURE"
    first = nh.runs()
    assert ranges(first) == [(*years[0], good), (*years[1], bad)]
    assert told.count("run 1 of 2, 0 of 15 partitions\n") == 1
    assert told.count("run 2 of 2, 6 of 15 partitions in 0:00:") == 1
    one, other = (r for r in first if RANGE_START in r.tags)
    assert "left" in other.tags["nh/progress"]  # for the UI
    with nh.instance as instance:
        log = [entry.user_message for entry in instance.all_logs(one.run_id)]
    assert any(text.startswith("1 of 2 partitions in 0:00:") for text in log)
    assert any(text.startswith("2 of 2 partitions in 0:00:") for text in log)

    # Of some days, what is missing there.
    nh("materialize", "--missing", exits=2)
    plan = nh("materialize", "--missing", "--from", "2024-04-15", "--to", "2024-05-15", "--dry-run").stdout
    assert plan == f"  {FACTS} 2024Q2: not built yet\n"
    again = builds()
    nh("materialize", "--missing", "--from", "2024-04-15", "--to", "2024-05-15")
    assert again.seen == {FACTS: 1, "gold.facility_measures": 1, "gold.facility_month": 1}
    # And then all of the rest, and nothing else.
    again = builds()
    nh("materialize")
    assert again.seen == {FACTS: 2, "gold.facility_measures": 2, "gold.facility_month": 2, "gold.data_quality": 1}
    assert ranges(nh.runs()[len(first) :]) == [
        ("2024-04-01", "2024-06-30", good),
        ("2024-01-01", "2024-03-31", good),
        ("2024-07-01", "2024-09-30", good),
    ]
    assert nh.rows(f"select count(*) as n from {FACTS}") == [{"n": 4 * 2 * 5}]
    assert nh("materialize").stdout == "nothing to do: every table is up to date\n"
    assert {r.status for r in nh.runs()[len(first) :]} == {dg.DagsterRunStatus.SUCCESS}


GROWN = """
from nh_pipeline import marts
from nh_pipeline.cli import main, renewal
from nh_pipeline_tests.support.few import FEW
marts.MARTS, renewal.LARGE = FEW, 0
main.main()
"""


def test_a_command_that_has_grown_large_goes_on_in_a_new_process(tmp_path):
    nh, drop, bad = Nh(tmp_path / "lake"), tmp_path / "drop", tmp_path / "drop" / "strange.csv"
    PLAN.staffing(drop, "2023Q3")
    bad.write_text("a,b\n1,2\n")
    env = {k: v for k, v in os.environ.items() if not k.startswith("SPARK_")}
    command = [sys.executable, "-W", "ignore", "-c", GROWN, "run", str(drop)]
    found = subprocess.run(command, env={**env, "NH_HOME": str(nh.home)}, capture_output=True, text=True, check=False)
    assert found.returncode == 3, found.stdout + found.stderr  # as without: a file is in quarantine
    runs = nh.runs()
    assert [run.status for run in runs] == [dg.DagsterRunStatus.SUCCESS] * len(runs)
    # The first one begins, and the last one is of quality: for so little no process begins.
    assert runs[-1].job_name == QUALITY
    assert found.stdout.count("going on in a new process") == len(runs) - 2 > 1
    assert found.stdout.count("known already, 1 in quarantine") == len(runs) - 1
    assert nh("materialize").stdout == "nothing to do: every table is up to date\n"
