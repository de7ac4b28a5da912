"""Marts that are cut by quarters or releases: each part is made of what belongs to it, and of nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from nh_pipeline import marts
from nh_pipeline.datasets.cms.penalties import PENALTIES
from nh_pipeline.lake.snapshots import SnapshotFile, TableSnapshot
from nh_pipeline.marts.facility_month import FACILITY_MONTH
from nh_pipeline.model.columns import count
from nh_pipeline.model.columns import date as day
from nh_pipeline.model.mart import Mart, Previous, Within
from nh_pipeline.pipeline.builds import builds
from nh_pipeline.pipeline.deliveries import NothingDelivered
from nh_pipeline.pipeline.mart_staleness import Inputs
from nh_pipeline.pipeline.plan import plan
from nh_pipeline.sample import Correction, Deliveries
from nh_pipeline_tests.support import chain
from nh_pipeline_tests.support.catch_up import catch_up

pytestmark = pytest.mark.integration

PLAN = Deliveries(6, ("2024Q1", "2024Q2", "2024Q3"), releases=3, days=2)
FCT_PENALTIES = PENALTIES["fct_penalties"]


def days_of_quarters(months, *, start, end):
    """Hours of the quarter, and how many months are seen."""
    seen = months.selectExpr("cast(count(distinct month) as int) as months").first()["months"]
    return months.where(f"month between date '{start}' and date '{end}'").selectExpr(
        f"date '{start}' as quarter_start", "cast(sum(total_hours) as int) as hours", f"{seen} as months"
    )


def penalties_now_and_before(penalties, months, *, start, end):
    """Lines of the release and of the one before it, and the months of staffing within three months before."""
    assert start == end
    seen = months.selectExpr("cast(count(distinct month) as int) as months").first()["months"]
    now = f"release = date '{start}'"
    return penalties.selectExpr(
        f"date '{start}' as release",
        f"cast(count(case when {now} then 1 end) as int) as now",
        f"cast(count(case when not {now} then 1 end) as int) as before",
        "cast(count(distinct release) as int) as releases",
        f"{seen} as months",
    )


QUARTERS = Mart(
    "made_up_quarters",
    description="Hours.",
    grain=("quarter_start",),
    columns=(day("quarter_start", "Quarter", nullable=False), count("hours", "Hours"), count("months", "Months seen")),
    quarter="quarter_start",
    reads=(Within(FACILITY_MONTH, before=3),),
    transform=days_of_quarters,
)
RELEASES = Mart(
    "made_up_releases",
    description="Penalties.",
    grain=("release",),
    columns=(
        FCT_PENALTIES.by_name["release"],
        *(count(name, name) for name in ("now", "before", "releases", "months")),
    ),
    release="release",
    reads=(Previous(FCT_PENALTIES), Within(FACILITY_MONTH, before=4)),
    transform=penalties_now_and_before,
)


@pytest.fixture(scope="module")
def finished(engine, tmp_path_factory):
    """A lake with them, to be read only."""
    drop, w = tmp_path_factory.mktemp("drop"), chain.workspace_at(tmp_path_factory.mktemp("lake"), engine)
    for quarter in PLAN.quarters:
        PLAN.staffing(drop, quarter)
    for number in (0, 2):
        PLAN.release(drop, number)
    chain.land(w, drop)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(marts, "MARTS", (*marts.MARTS, QUARTERS, RELEASES))
        chain.whole(w)
        yield w


@pytest.fixture
def w(finished, tmp_path):
    """The same in a lake of its own, to be changed."""
    return chain.workspace_at(Path(chain.copied(finished.lake.root, tmp_path / "lake").root), finished.spark)


def rows(w, table):
    return sorted(tuple(row) for row in w.read(table, w.lake.snapshot(table)).collect())


def files(w, table):
    return {file.partition: file.path for file in w.lake.snapshot(table).files}


def test_parts_are_made_of_what_belongs_to_them(w, tmp_path):
    # The sample has the first two days of each quarter: three months before April is January, two is not.
    assert [(q, months) for q, _, months in rows(w, QUARTERS.table)] == [
        (date(2024, 1, 1), 1), (date(2024, 4, 1), 2), (date(2024, 7, 1), 2),
    ]  # fmt: skip
    (first, lines, none, one, _), (second, now, before, two, months) = rows(w, RELEASES.table)
    assert (first, none, one, second, two) == (date(2024, 7, 1), 0, 1, date(2024, 9, 1), 2)
    assert (before, months) == (lines, 1)  # the release before it, though a month lies between; July alone
    assert lines > 0 < now
    assert not plan(w.lake, w.zone).builds

    # A range of several parts is one build, which changes nothing here.
    before = files(w, RELEASES.table)
    ((_, build),) = builds(RELEASES.table, None, (date(2024, 7, 1), date(2024, 9, 30)))
    chain.published(build.run(w).results)
    assert files(w, RELEASES.table) == before


def test_a_corrected_quarter_concerns_its_own_part(w, tmp_path):
    before = files(w, QUARTERS.table), files(w, RELEASES.table)
    PLAN.corrected(tmp_path / "drop", "2024Q1", Correction(0, 1, 1, 7))
    chain.land(w, tmp_path / "drop")
    built = [result.table for result in catch_up(w)]
    chain.published(built)
    names = [result.table for result in built]
    # Of the quarters, the one after it sees its months, too.
    assert (names.count(QUARTERS.table.name), names.count(RELEASES.table.name)) == (2, 0)
    after = files(w, QUARTERS.table), files(w, RELEASES.table)
    assert {part for part in before[0] if before[0][part] != after[0][part]} == {"2024-01"}
    assert before[1] == after[1]


def test_a_release_between_two_concerns_the_one_after_it(w, tmp_path):
    before = files(w, RELEASES.table)
    PLAN.release(tmp_path / "drop", 1)
    chain.land(w, *(tmp_path / "drop").glob("NH_Penalties_Aug2024*"))
    built = [result.table for result in catch_up(w)]
    chain.published(built)
    (of_releases,) = (result.published for result in built if result.table == RELEASES.table.name)
    assert of_releases.partitions == {"2024-08-01", "2024-09-01"}  # its own, and the next one, in one build
    assert files(w, RELEASES.table)["2024-07-01"] == before["2024-07-01"]
    found = {row[0]: row[1:] for row in rows(w, RELEASES.table)}
    assert [release.month for release in found] == [7, 8, 9]
    assert found[date(2024, 8, 1)][1:3] == (found[date(2024, 7, 1)][0], 2)
    assert found[date(2024, 9, 1)][1:3] == (found[date(2024, 8, 1)][0], 2)
    assert not plan(w.lake, w.zone).builds


def test_of_parts_nearby_the_last_may_do():
    def snapshot(table, *known):
        found = tuple(SnapshotFile(path=part, rows=1, partition=part) for part in known)
        return TableSnapshot(table=table.name, snapshot_id=1, files=found)

    reads = (Within(FCT_PENALTIES, before=9, after=2, last=True), Within(FACILITY_MONTH, before=1))
    releases = snapshot(FCT_PENALTIES, "2024-01-01", "2024-02-01", "2024-05-01")
    found = Inputs(
        replace(RELEASES, reads=reads), (releases, snapshot(FACILITY_MONTH, "2023-12", "2024-01", "2024-02"))
    )
    latest, near = found.only(["2024-02-01"]).snapshots
    assert (latest.present, near.present) == ({"2024-02-01"}, {"2024-01", "2024-02"})


def test_a_release_that_nobody_has_cannot_be_built(w):
    (_, build), *others = builds(RELEASES.table, None, (date(2023, 1, 1), date(2023, 1, 31)))
    assert not others
    with pytest.raises(NothingDelivered, match="no release of what gold"):
        build.run(w)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"month": "release"}, "cut in several ways"),
        ({"release": "", "quarter": "release"}, "is cut by quarters, but silver.fct_penalties"),
        ({"reads": (FCT_PENALTIES, Previous(FCT_PENALTIES))}, "reads a table twice"),
        ({"conserves": (("count(1)", "count(1)"),)}, "conserves sums over its first input"),
    ],
)
def test_what_cannot_be_cut_is_no_mart(changes, told):
    with pytest.raises(ValueError, match=told):
        replace(RELEASES, **changes)
