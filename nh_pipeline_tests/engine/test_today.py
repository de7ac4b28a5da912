"""Files of today: the release of the running month, and the quarter that is still running, have their partitions."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
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
TODAY = datetime.now(tz=timezone.utc).date()
MONTH, QUARTER = TODAY.replace(day=1), quarter_of(TODAY)
FIRST, LAST = quarter_bounds(QUARTER)
DAYS = {(FIRST + timedelta(days=n)).isoformat() for n in range((LAST - FIRST).days + 1)}


@pytest.fixture
def drop(tmp_path):
    """The provider information of this month, and the daily staffing of this quarter."""
    folder, old = tmp_path / "drop", tmp_path / "old"
    folder.mkdir()
    Deliveries(4, (QUARTER,), days=2).staffing(folder, QUARTER)
    # A release reports a quarter that lies half a year back; its date is that of the month.
    plan = Deliveries(4, (quarter_of(MONTH - timedelta(days=190)),), releases=6)
    number = plan.release_dates.index(MONTH)
    (path,) = (p for p in plan.release(old, number) if "ProviderInfo" in p.name)
    path.rename(folder / path.name)
    return folder


def materialized(instance, key) -> set[str]:
    return set(instance.get_materialized_partitions(dg.AssetKey(key)))


def test_the_last_partitions_are_this_month_and_the_end_of_this_quarter():
    assert RELEASES.get_last_partition_key() == MONTH.isoformat()
    keys = set(WORK_DATES.get_partition_keys())
    assert keys >= DAYS
    assert max(keys) == (TODAY + timedelta(days=LONGEST_QUARTER - 1)).isoformat()


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


@pytest.mark.parametrize("first", [MONTH, FIRST_WORK_DATE, (MONTH - timedelta(days=40)).replace(day=1)])
def test_a_release_of_this_month_is_recorded_and_its_dimension_follows(first):
    defs = _release_definitions()
    with dg.DagsterInstance.ephemeral() as instance:
        evaluate = partial(dg.evaluate_automation_conditions, defs, instance=instance)
        cursor = evaluate().cursor
        found = defs.resolve_job_def("release").execute_in_process(tags=range_tags(first, MONTH), instance=instance)
        assert found.success
        for key in (["raw", "providers"], ["bronze", "providers_raw"]):
            keys = materialized(instance, key)
            assert {min(keys), max(keys)} == {first.isoformat(), MONTH.isoformat()}
        assert evaluate(cursor=cursor).total_requested == 1


def test_the_sensor_asks_for_runs_that_dagster_takes(drop, tmp_path):
    source = FolderSource(drop)
    requests = {r.job_name: r for r in (request(source, file, 1) for file in source.changes().files)}
    assert set(requests) == {STAFFING, PROVIDERS}
    assert requests[STAFFING].tags.items() >= range_tags(FIRST, LAST).items()
    assert requests[PROVIDERS].tags.items() >= range_tags(MONTH, MONTH).items()
    defs = build_defs(Settings(home=str(tmp_path / "lake"), source=str(drop)))
    with dg.DagsterInstance.ephemeral() as instance:
        for name, key, keys in (
            (STAFFING, ["raw", "daily_nurse_staffing"], DAYS),
            (PROVIDERS, ["raw", "providers"], {MONTH.isoformat()}),
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
def test_nh_run_on_files_of_today(drop, tmp_path):
    nh = Nh(tmp_path / "lake")
    nh("run", drop)
    with nh.instance as instance:
        for key in (["raw", "providers"], ["bronze", "providers_raw"]):
            assert materialized(instance, key) == {MONTH.isoformat()}
        for key in (
            ["raw", "daily_nurse_staffing"],
            ["bronze", "daily_nurse_staffing_raw"],
            ["silver", "fct_staffing_levels"],
            ["gold", "facility_measures"],
            ["gold", "facility_month"],
        ):
            assert materialized(instance, key) == DAYS, key
    assert nh.lake.snapshot(DIM_PROVIDERS).rows
    assert nh.rows("select min(work_date) as d, count(*) as n from gold.facility_measures") == [
        {"d": FIRST.isoformat(), "n": 8}
    ]
    assert nh("materialize").stdout.endswith("nothing to do: every table is up to date\n")
