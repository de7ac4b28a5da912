"""Two deliveries of one quarter at the same moment: the newer one is what remains, whoever is faster."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest

from nh_pipeline.datasets.cms.daily_nurse_staffing import FCT_STAFFING_LEVELS
from nh_pipeline.failpoints import Point
from nh_pipeline.lake.lake import Lake
from nh_pipeline.landing.zone import RawZone
from nh_pipeline.marts.facility_measures import FACILITY_MEASURES
from nh_pipeline.model.table import REJECTS
from nh_pipeline.sample import Correction, Deliveries
from nh_pipeline.tables import tables
from nh_pipeline_tests.crash.test_faults_kill import healed, spoiled
from nh_pipeline_tests.support import chain
from nh_pipeline_tests.support.declared import BRONZE
from nh_pipeline_tests.support.killing import Mother

pytestmark = pytest.mark.integration

PLAN = Deliveries(8, ("2024Q2",), releases=0, quirks=False, days=35)
FACTS = FCT_STAFFING_LEVELS.name
STOPS = [  # who stops, and where
    ("nobody", None, ""),
    ("older", Point.STAGED, FACTS),
    ("older", Point.COMMITTING, FACTS),
    ("older", Point.COMMITTED, FACTS),
    ("newer", Point.COMMITTING, FACTS),
    ("older", Point.COMMITTING, FACILITY_MEASURES.name),
]


@pytest.fixture(scope="module")
def mothers(tmp_path_factory):
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("mothers")
        both = [Mother(folder / name) for name in ("first", "second")]
        for mother in both:
            stack.callback(mother.end)
        yield both


def test_two_deliveries_of_a_quarter_at_once(mothers, tmp_path):
    """One stops at a point, the other one runs from end to end, and the first goes on."""
    root, first = tmp_path / "lake", mothers[0]
    fixes = [Correction(0, 1 + n % 8, n, seed=n) for n in range(1, 1 + 2 * len(STOPS))]
    files = [PLAN.staffing(tmp_path, "2024Q2"), *(PLAN.corrected(tmp_path, "2024Q2", fix) for fix in fixes)]
    files = [spoiled(f) for f in files]
    first(root, files[0])
    for (who, point, where), older, newer in zip(STOPS, files[1::2], files[2::2], strict=True):
        told = f"{who} stopped at {point}, {where}"
        slow, fast = (newer, older) if who == "newer" else (older, newer)
        if point is None:
            _race(mothers, root, slow, fast)
        else:
            _one_stops(mothers, root, slow, fast, at=(point.name, where), pid_file=tmp_path / told)
        lake = Lake(str(root))
        with closing(lake.catalog):
            ids = {d.manifest.name: d.delivery_id for d in RawZone(lake.storage).deliveries()}
            facts, gold = chain.table(lake, FCT_STAFFING_LEVELS), chain.table(lake, FACILITY_MEASURES)
            assert set(facts["delivery_id"].to_pylist()) == {ids[newer.name]}, told
            same = ["provider_id", "work_date", "census", "total_hours"]
            assert gold.select(same).equals(facts.select(same)), told
            rejects = chain.rows(lake, REJECTS)
            assert {r["delivery_id"] for r in rejects if r["stage"] != "parse"} == {ids[newer.name]}, told
            assert len(rejects) == len(ids) + 1, told
            lines = chain.table(lake, BRONZE["daily_nurse_staffing"])
            assert lines.num_rows == len(ids) * (8 * 35 + 1), told
    healed(root, first)
    first(tmp_path / "undisturbed", *files)
    for contract in tables():
        a, b = (chain.table(Lake(str(r)), contract) for r in (root, tmp_path / "undisturbed"))
        assert a.equals(b), contract.name


def _race(mothers, root, slow, fast):
    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(mother, root, file) for mother, file in zip(mothers, (slow, fast), strict=True)]
        assert not any(r.result().killed for r in running)


def _one_stops(mothers, root, slow, fast, *, at, pid_file):
    with ThreadPoolExecutor(1) as pool:
        stopping = pool.submit(mothers[0], root, slow, at=at, pid_file=pid_file)
        while not pid_file.exists():
            assert not stopping.done(), f"{at} was not reached"
            time.sleep(0.005)
        try:
            mothers[1](root, fast)
        finally:
            os.kill(int(pid_file.read_text()), signal.SIGCONT)
        assert not stopping.result().killed
