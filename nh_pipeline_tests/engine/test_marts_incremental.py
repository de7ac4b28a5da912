"""Every mart is built where its inputs changed, and nowhere else, however much is loaded."""

from __future__ import annotations

from collections import defaultdict
from datetime import date

import pytest

from nh_pipeline import marts
from nh_pipeline.model.mart import Mart
from nh_pipeline.pipeline.plan import parts, plan
from nh_pipeline.sample import Correction, Deliveries
from nh_pipeline.tables import domains_of, gold
from nh_pipeline_tests.support import chain
from nh_pipeline_tests.support.catch_up import builds_of

pytestmark = [pytest.mark.integration, pytest.mark.every_mart]

PLAN = Deliveries(8, ("2021Q4", "2023Q4", "2024Q1"), releases=28, days=1)
RELEASES = (0, 24, 27)
"""Of April 2022, April and July 2024."""

WHOLE = {"gold.series_breaks", "gold.penalties", "gold.citations"}
"""Marts that are built whole: a list, and histories that are a function of all releases."""


def built(w) -> dict[str, set[date]]:
    """Builds what is stale; the first days of what was built, by mart."""
    found = defaultdict(set)
    for part in parts():
        stale = plan(w.lake, w.zone).part(part)
        for build in builds_of(stale):
            chain.published(build.run(w).results)
        for one in stale:
            if isinstance(one.table.kind, Mart):
                found[one.table.name].add(one.start)
    return found


@pytest.fixture(scope="module")
def w(engine, tmp_path_factory):
    drop = tmp_path_factory.mktemp("drop")
    for quarter in PLAN.quarters:
        PLAN.staffing(drop, quarter)
    for number in RELEASES:
        PLAN.release(drop, number)
    w = chain.workspace_at(tmp_path_factory.mktemp("lake"), engine)
    chain.land(w, drop)
    built(w)
    assert not plan(w.lake, w.zone).builds
    return w


def test_a_corrected_day_concerns_its_month_its_quarter_and_the_releases_that_look_at_it(w, tmp_path):
    PLAN.corrected(tmp_path, "2021Q4", Correction(0, 1, 1, 7))
    chain.land(w, tmp_path)
    found = built(w)
    expected = {
        "month": {date(2021, 10, 1)},
        "quarter": {date(2021, 10, 1)},
        "release": {date(2022, 4, 1)},  # not those of two years later
    }
    for mart in marts.MARTS:
        cut = next((cut for cut in expected if getattr(mart, cut)), None)
        assert found[mart.table.name] <= (expected[cut] if cut else set()), mart.name
    assert found["gold.facility_measures"] == expected["month"]
    assert found["gold.facility_quarter"] == expected["quarter"]
    assert found["gold.reconciliation"] == expected["release"]
    assert not plan(w.lake, w.zone).builds


def test_a_release_concerns_itself_the_next_one_and_the_quarters_around_it(w, tmp_path):
    PLAN.release(tmp_path, 25)
    chain.land(w, *tmp_path.glob("NH_ProviderInfo_*"), *tmp_path.glob("NH_Penalties_*"))
    found = built(w)
    for mart in (m for m in marts.MARTS if domains_of(m.table) == {"cms"}):
        days = found[mart.table.name]
        if mart.release:
            assert days <= {date(2024, 5, 1), date(2024, 7, 1)}, mart.name
        elif mart.cut_by:  # not what is older than two years
            assert all(day >= date(2023, 10, 1) for day in days), mart.name
        else:
            assert not days - {None} or mart.table.name in WHOLE
    assert found["gold.changes"] == {date(2024, 5, 1), date(2024, 7, 1)}
    assert {t.name for t in gold() if domains_of(t) == {"cms"} and not t.kind.cut_by} == WHOLE
