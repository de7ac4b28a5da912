"""Files of today: the release of the running month, and the quarter that is still running, have their partitions."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from functools import partial

import dagster as dg
import pytest

from nh_pipeline.datasets.cms.providers import DIM_PROVIDERS
from nh_pipeline.orchestration.assets import FOLLOW_RELEASES
from nh_pipeline.orchestration.definitions import build_defs
from nh_pipeline.orchestration.delivery_sensor import request
from nh_pipeline.orchestration.jobs import delivery_job
from nh_pipeline.orchestration.partitions import LONGEST_QUARTER, RELEASES, SINGLE_RUN, WORK_DATES, range_tags
from nh_pipeline.periods import FIRST_WORK_DATE, quarter_bounds, quarter_of
from nh_pipeline.sample import Deliveries
from nh_pipeline.settings import Settings
from nh_pipeline.sources import FolderSource
from nh_pipeline_tests.support.local import Nh

pytestmark = [
    pytest.mark.filterwarnings("ignore:Parameter `include_sources`:dagster.BetaWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

STAFFING, PROVIDERS = delivery_job("daily_nurse_staffing"), delivery_job("providers")


class Today:
    """What is of today: the running month and quarter, and the quarter's days."""

    def __init__(self, day: date) -> None:
        self.month, self.quarter = day.replace(day=1), quarter_of(day)
        self.first, self.last = quarter_bounds(self.quarter)
        days = range((self.last - self.first).days + 1)
        self.days = {(self.first + timedelta(days=n)).isoformat() for n in days}


@pytest.fixture
def today():
    """As the test begins: what is kept from when the tests were collected is of another day after midnight."""
    return Today(datetime.now(tz=timezone.utc).date())


@pytest.fixture
def drop(tmp_path, today):
    """The provider information of this month, and the daily staffing of this quarter."""
    folder, old = tmp_path / "drop", tmp_path / "old"
    folder.mkdir()
    Deliveries(4, (today.quarter,), days=2).staffing(folder, today.quarter)
    # A release reports a quarter that lies half a year back; its date is that of the month.
    plan = Deliveries(4, (quarter_of(today.month - timedelta(days=190)),), releases=6)
    number = plan.release_dates.index(today.month)
    (path,) = (p for p in plan.release(old, number) if "ProviderInfo" in p.name)
    path.rename(folder / path.name)
    return folder


def materialized(instance, key) -> set[str]:
    return set(instance.get_materialized_partitions(dg.AssetKey(key)))


@pytest.mark.parametrize("day", [date(2026, 11, 30), date(2026, 12, 1), date(2026, 12, 31), date(2028, 2, 29)])
@pytest.mark.parametrize("hour", [time(0), time(23, 59, 59)])
def test_the_last_partitions_are_this_month_and_the_end_of_this_quarter(day, hour):
    now, then = datetime.combine(day, hour, tzinfo=timezone.utc), Today(day)
    assert RELEASES.get_partition_keys(now)[-1] == then.month.isoformat()
    keys = set(WORK_DATES.get_partition_keys(now))
    assert keys >= then.days
    assert max(keys) == (day + timedelta(days=LONGEST_QUARTER - 1)).isoformat()


@pytest.mark.parametrize("year", [2026, 2027, 2028])
def test_on_any_day_the_running_quarter_has_all_its_days(year):
    for day in (date(year, 1, 1) + timedelta(days=n) for n in range(365)):
        last = day - timedelta(days=1) + timedelta(days=LONGEST_QUARTER)  # as Dagster counts
        assert last >= quarter_bounds(quarter_of(day))[1]


def _release_definitions():
    """Assets with our partitions and condition, which do nothing."""

    @dg.asset(key=["raw", "providers"], partitions_def=RELEASES, backfill_policy=SINGLE_RUN)
    def raw() -> None: ...

    @dg.asset(key=["bronze", "providers_raw"], deps=[raw], partitions_def=RELEASES, backfill_policy=SINGLE_RUN)
    def bronze() -> None: ...

    @dg.asset(key=["silver", "dim_providers"], deps=[bronze], automation_condition=FOLLOW_RELEASES)
    def dimension() -> None: ...

    return dg.Definitions([raw, bronze, dimension], jobs=[dg.define_asset_job("release", [raw, bronze])])


@pytest.mark.parametrize("since", ["this month", "two months ago", "the first day"])
def test_a_release_of_this_month_is_recorded_and_its_dimension_follows(since, today):
    before = (today.month - timedelta(days=40)).replace(day=1)
    first = {"this month": today.month, "two months ago": before, "the first day": FIRST_WORK_DATE}[since]
    defs = _release_definitions()
    with dg.DagsterInstance.ephemeral() as instance:
        evaluate = partial(dg.evaluate_automation_conditions, defs, instance=instance)
        cursor = evaluate().cursor
        found = defs.resolve_job_def("release").execute_in_process(
            tags=range_tags(first, today.month), instance=instance
        )
        assert found.success
        for key in (["raw", "providers"], ["bronze", "providers_raw"]):
            keys = materialized(instance, key)
            assert {min(keys), max(keys)} == {first.isoformat(), today.month.isoformat()}
        assert evaluate(cursor=cursor).total_requested == 1


def test_the_sensor_asks_for_runs_that_dagster_takes(drop, tmp_path, today):
    source = FolderSource(drop)
    requests = {r.job_name: r for r in (request(source, file, 1) for file in source.changes().files)}
    assert set(requests) == {STAFFING, PROVIDERS}
    assert requests[STAFFING].tags.items() >= range_tags(today.first, today.last).items()
    assert requests[PROVIDERS].tags.items() >= range_tags(today.month, today.month).items()
    defs = build_defs(Settings(home=str(tmp_path / "lake"), source=str(drop)))
    with dg.DagsterInstance.ephemeral() as instance:
        for name, key, keys in (
            (STAFFING, ["raw", "daily_nurse_staffing"], today.days),
            (PROVIDERS, ["raw", "providers"], {today.month.isoformat()}),
        ):
            asked = requests[name]
            found = defs.resolve_job_def(name).execute_in_process(
                run_config=asked.run_config,
                tags=asked.tags,
                instance=instance,
                asset_selection=[dg.AssetKey(key)],
            )
            assert found.success
            assert materialized(instance, key) == keys


@pytest.mark.integration
def test_nh_run_on_files_of_today(drop, tmp_path, today):
    nh = Nh(tmp_path / "lake")
    nh("run", drop)
    with nh.instance as instance:
        for key in (["raw", "providers"], ["bronze", "providers_raw"]):
            assert materialized(instance, key) == {today.month.isoformat()}
        for key in (
            ["raw", "daily_nurse_staffing"],
            ["bronze", "daily_nurse_staffing_raw"],
            ["silver", "fct_staffing_levels"],
            ["gold", "facility_measures"],
            ["gold", "facility_month"],
        ):
            assert materialized(instance, key) == today.days, key
    assert nh.lake.snapshot(DIM_PROVIDERS).rows
    assert nh.rows("select min(work_date) as d, count(*) as n from gold.facility_measures") == [
        {"d": today.first.isoformat(), "n": 8}
    ]
    assert nh("materialize").stdout.endswith("nothing to do: every table is up to date\n")
