"""Figures for Prometheus, of metadata alone: no data are read. What was asked is kept in the process, by pointers."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, time, timezone
from typing import TYPE_CHECKING

import dagster as dg
from dagster._core.scheduler.instigation import TickStatus
from dagster._core.storage.dagster_run import JobBucket
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from nh_pipeline import datasets
from nh_pipeline.lake.snapshots import newest_day
from nh_pipeline.landing.zone import RawZone
from nh_pipeline.pipeline.plan import plan
from nh_pipeline.pipeline.status import last_checks
from nh_pipeline.tables import tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nh_pipeline.lake.lake import Lake

_DAY = 86_400
_ENDED = [TickStatus.SUCCESS, TickStatus.SKIPPED, TickStatus.FAILURE]


class Metrics(Collector):
    """All figures of a lake and of its Dagster instance, looked up whenever they are asked for.

    Args:
        lake: the lake.
        instance: its instance.
        checks: the checks that exist.
        jobs: names of the jobs that exist.
    """

    def __init__(
        self, lake: Lake, instance: dg.DagsterInstance, checks: Sequence[dg.AssetCheckKey], jobs: Sequence[str]
    ) -> None:
        self._lake, self._instance, self._checks, self._jobs = lake, instance, list(checks), list(jobs)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """All of them."""
        yield from self._of_tables()
        yield from self._of_deliveries()
        yield from self._of_checks()
        yield from self._of_runs()
        yield from self._of_ticks()

    def _of_tables(self) -> Iterator[GaugeMetricFamily]:
        rows = _gauge("nh_table_rows", "Rows of the current snapshot.", "table")
        size = _gauge("nh_table_size_bytes", "Bytes of its data files.", "table")
        newest = _gauge("nh_table_newest_timestamp_seconds", "Newest day, or release, that has rows.", "table")
        age = _gauge("nh_table_age_seconds", "Time since that day.", "table")
        now = datetime.now(tz=timezone.utc).timestamp()
        for contract, table in ((t, self._lake.load(t)) for t in tables()):
            snapshot = table.current_snapshot() if table else None
            summary = snapshot.summary if snapshot else None
            rows.add_metric([contract.name], float(summary["total-records"] or 0) if summary else 0)
            size.add_metric([contract.name], float(summary["total-files-size"] or 0) if summary else 0)
            day = newest_day(table, contract) if table else None
            if day:
                newest.add_metric([contract.name], _timestamp(day))
                age.add_metric([contract.name], now - _timestamp(day))
        yield from (rows, size, newest, age)

    def _of_deliveries(self) -> Iterator[GaugeMetricFamily]:
        zone = RawZone(self._lake.storage)
        found = plan(self._lake, zone)
        ends = {d.delivery_id: d.manifest.coverage.end for d in zone.deliveries()}
        counts = _gauge("nh_deliveries", "Landed deliveries, by whether they count.", "dataset", "state")
        newest = _gauge("nh_dataset_newest_timestamp_seconds", "Last day of the newest one that counts.", "dataset")
        for dataset, statuses in found.deliveries.items():
            for state, count in Counter(s.state for s in statuses).items():
                counts.add_metric([dataset, state], count)
            last = max((day for s in statuses if s.state == "effective" and (day := ends[s.delivery_id])), default=None)
            if last:
                newest.add_metric([dataset], _timestamp(last))
        after = _gauge("nh_dataset_late_after_seconds", "When the next one is late, counted from that day.", "dataset")
        for declared in datasets.delivered():
            after.add_metric([declared.name], declared.late_after * _DAY)
        quarantined = _gauge("nh_quarantined_files", "Files in quarantine.")
        quarantined.add_metric([], len(zone.quarantined()))
        stale = _gauge("nh_stale_partitions", "What is to be built, as things are now.", "table")
        for table, count in Counter(b.table.name for b in found.builds).items():
            stale.add_metric([table], count)
        yield from (counts, newest, after, quarantined, stale)

    def _of_checks(self) -> Iterator[GaugeMetricFamily]:
        found = last_checks(self._instance, self._checks)
        failed = _gauge("nh_failed_checks", "Checks that did not pass the last time.", "asset", "severity")
        counts = Counter((c.asset, c.severity) for c in found if not c.passed)
        for asset in sorted({c.asset for c in found}):
            for severity in ("ERROR", "WARN"):
                failed.add_metric([asset, severity], counts[asset, severity])
        yield failed

    def _of_runs(self) -> Iterator[GaugeMetricFamily]:
        last = _gauge("nh_job_last_success_timestamp_seconds", "When its last successful run ended.", "job")
        succeeded = dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS])
        bucket = JobBucket(job_names=self._jobs, bucket_limit=1)
        for record in self._instance.get_run_records(succeeded, bucket_by=bucket):
            if record.end_time:
                last.add_metric([record.dagster_run.job_name], record.end_time)
        yield last

    def _of_ticks(self) -> Iterator[GaugeMetricFamily]:
        last = _gauge("nh_last_tick_timestamp_seconds", "When it was evaluated last.", "name", "kind")
        failed = _gauge("nh_last_tick_failed", "Whether that failed.", "name", "kind")
        for state in self._instance.all_instigator_state() if self._instance.schedule_storage else []:
            named = [state.instigator_name, state.instigator_type.value.lower()]
            for tick in self._instance.get_ticks(
                state.instigator_origin_id, state.selector_id, limit=1, statuses=_ENDED
            ):
                last.add_metric(named, tick.timestamp)
                failed.add_metric(named, tick.is_failure)
        yield from (last, failed)


def _gauge(name: str, told: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, told, labels=labels)


def _timestamp(day: date) -> float:
    return datetime.combine(day, time(), tzinfo=timezone.utc).timestamp()
