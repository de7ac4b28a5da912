"""Dagster's partitions, listed once a day."""

from datetime import datetime, timedelta, timezone

import dagster as dg
import pytest
from dagster._core.definitions.partitions.subset import AllPartitionsSubset

from nh_pipeline.orchestration.partitions import EXPORTS, RELEASES, WORK_DATES

NOON = datetime(2026, 3, 31, 12, tzinfo=timezone.utc)
HOURS = dg.HourlyPartitionsDefinition(start_date="2026-03-30-00:00")


def listed(partitions: dg.PartitionsDefinition[str], now: datetime) -> list[str]:
    with dg.DagsterInstance.ephemeral() as instance, dg.partition_loading_context(now, instance) as context:
        return AllPartitionsSubset(partitions, context).get_partition_keys()


@pytest.mark.parametrize(
    "partitions", [WORK_DATES, RELEASES, EXPORTS, HOURS], ids=["days", "months", "exports", "hours"]
)
def test_all_are_those_of_the_day(partitions):
    for now in (NOON, NOON + timedelta(hours=6), NOON + timedelta(days=1), NOON):
        with dg.partition_loading_context(now):
            expected = partitions.get_partition_keys()
        assert listed(partitions, now) == expected


def test_they_are_listed_once_and_who_asks_may_change_the_answer(monkeypatch):
    listed(WORK_DATES, NOON).clear()
    first = listed(WORK_DATES, NOON)
    assert first[0] == "2017-01-01"
    monkeypatch.setattr(dg.TimeWindowPartitionsDefinition, "get_partition_keys", lambda *_: pytest.fail("again"))
    assert listed(WORK_DATES, NOON + timedelta(hours=1)) == first
