"""What the lake holds, for ``nh status``: deliveries and their status, tables, last checks, quarantine."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from pydantic import AwareDatetime, BaseModel

from nh_pipeline import datasets
from nh_pipeline.pipeline.deletions import unseen
from nh_pipeline.pipeline.guards import DeliveryStatus
from nh_pipeline.pipeline.plan import Plan, plan
from nh_pipeline.tables import tables

if TYPE_CHECKING:
    import dagster as dg

    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.landing.manifest import Archive, Delivery, Quarantined
    from nh_pipeline.landing.zone import RawZone
    from nh_pipeline.model.table import Table


class DatasetStatus(BaseModel):
    """Deliveries of one CMS dataset; ``has_tables`` is False where files are only kept.

    ``needs_attention`` are the deliveries that do not count and were not superseded, with the reason and what to do;
    ``header_drift`` tells of header cells that nobody knows, where a known column is away; ``read_otherwise`` of files
    that are not written as they should be, and how they were read; ``deletions_unseen`` of tables of DynamoDB, since
    when nothing has told what was deleted there.
    """

    dataset: str
    title: str
    has_tables: bool
    deliveries: int
    coverages: list[str]
    needs_attention: list[DeliveryStatus]
    header_drift: list[str]
    read_otherwise: list[str]
    deletions_unseen: list[str]


class ArchiveStatus(BaseModel):
    """An archive of several deliveries: how many landed, and which of its files are in quarantine or no delivery."""

    name: str
    deliveries: int
    quarantined: list[str]
    no_delivery: list[str]


class TableStatus(BaseModel):
    """One table: rows, partitions (months, deliveries) and the snapshot that readers see."""

    table: str
    rows: int
    partitions: int
    first: str
    last: str
    snapshot_id: int | None


class CheckStatus(BaseModel):
    """Last evaluation of one check, and when it was; ``found`` counts what breaks it."""

    asset: str
    check: str
    passed: bool
    severity: str
    found: int
    description: str
    what_to_do: str
    evaluated_at: AwareDatetime


class StaleStatus(BaseModel):
    """Something that is to be built: which part of a table, and why. ``nh materialize`` builds it."""

    table: str
    partition: str
    reason: str


class RefusalStatus(BaseModel):
    """Something that the gate refused, and would refuse again: nothing of it was published."""

    table: str
    partition: str
    rule: str
    reason: str


class Status(BaseModel):
    """Everything."""

    datasets: list[DatasetStatus]
    archives: list[ArchiveStatus]
    tables: list[TableStatus]
    stale: list[StaleStatus]
    refused: list[RefusalStatus]
    checks: list[CheckStatus]
    quarantine: list[dict[str, str]]


def status(lake: Lake, zone: RawZone, instance: dg.DagsterInstance, keys: list[dg.AssetCheckKey]) -> Status:
    """Looks everything up; reads no data, only manifests, table metadata and key columns.

    Args:
        lake: the lake.
        zone: its raw zone.
        instance: for the last checks.
        keys: of the checks that exist.
    """
    by_dataset: dict[str, list[Delivery]] = {}
    for delivery in zone.deliveries():
        by_dataset.setdefault(delivery.manifest.dataset, []).append(delivery)
    found = plan(lake, zone)
    return Status(
        datasets=[_dataset(name, deliveries, found) for name, deliveries in sorted(by_dataset.items())],
        archives=[_archive(archive) for archive in zone.archives()],
        tables=[_table(lake, table) for table in tables()],
        stale=[StaleStatus(table=b.table.name, partition=b.partition, reason=b.reason) for b in found.builds],
        refused=[RefusalStatus(**r.model_dump(exclude={"built_from"})) for r in found.refused],
        checks=last_checks(instance, keys),
        quarantine=[_quarantined(q) for q in zone.quarantined()],
    )


def _dataset(name: str, deliveries: list[Delivery], found: Plan) -> DatasetStatus:
    coverages = sorted({d.manifest.coverage.key for d in deliveries})
    built = {d.name for d in datasets.delivered()}
    titles = {d.name: d.title for d in datasets.declared()} | {e.name: e.title for e in datasets.exports()}
    statuses = found.deliveries.get(name, ())
    effective = {s.delivery_id for s in statuses if s.state == "effective"}
    return DatasetStatus(
        dataset=name,
        title=titles.get(name, name),
        has_tables=name in built,
        deliveries=len(deliveries),
        coverages=coverages,
        needs_attention=[s for s in statuses if s.state not in ("effective", "superseded")],
        header_drift=list(found.drift.get(name, ())),
        read_otherwise=[f"{d.manifest.name}: {told}" for d in deliveries if (told := d.manifest.told)],
        deletions_unseen=[*unseen(d for d in deliveries if d.delivery_id in effective)],
    )


def _archive(archive: Archive) -> ArchiveStatus:
    def paths(outcome: str) -> list[str]:
        return [part.path for part in archive.parts if part.outcome == outcome]

    return ArchiveStatus(
        name=archive.name,
        deliveries=len(paths("landed")),
        quarantined=paths("quarantined"),
        no_delivery=paths("no delivery"),
    )


def _table(lake: Lake, table: Table) -> TableStatus:
    snapshot = lake.snapshot(table)
    partitions = sorted(snapshot.present)
    return TableStatus(
        table=table.name,
        rows=snapshot.rows,
        partitions=len(partitions),
        first=partitions[0] if partitions and table.partitioning.monthly else "",
        last=partitions[-1] if partitions and table.partitioning.monthly else "",
        snapshot_id=snapshot.snapshot_id,
    )


def last_checks(instance: dg.DagsterInstance, keys: list[dg.AssetCheckKey]) -> list[CheckStatus]:
    """The last evaluation of each check that has one, also if it is being evaluated anew, or could not be."""
    from dagster._core.storage.asset_check_execution_record import (  # noqa: PLC0415 (Dagster's, to look at its log)
        COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES as EVALUATED,
    )

    found, log = [], instance.event_log_storage
    for key, latest in log.get_latest_asset_check_execution_by_key(keys).items():
        records = [latest]
        if latest.status not in EVALUATED:
            records = [*log.get_asset_check_execution_history(key, limit=1, status=EVALUATED)]
        event = records[0].event if records else None
        if event is None or event.dagster_event is None:
            continue
        evaluation = event.dagster_event.asset_check_evaluation_data
        metadata = {k: v.value for k, v in evaluation.metadata.items()}
        found.append(
            CheckStatus(
                asset=key.asset_key.to_user_string(),
                check=key.name,
                passed=evaluation.passed,
                severity=evaluation.severity.value,
                found=int(str(metadata.get("failed_rows", 0))),
                description=evaluation.description or "",
                what_to_do=str(metadata.get("what_to_do", "")),
                evaluated_at=datetime.fromtimestamp(event.timestamp, tz=timezone.utc),
            )
        )
    return sorted(found, key=lambda c: (c.asset, c.check))


def _quarantined(document: Quarantined) -> dict[str, str]:
    return {
        "name": document.name,
        "reason": document.reason,
        "expected": document.expected,
        "found": document.found,
        "what_to_do": document.what_to_do,
    }
