"""Exports: deliveries of many resources each. One build makes all tables of bronze of those of a day."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal, cast

import pyarrow.parquet as pq
from pydantic import BaseModel

from nh_pipeline import datasets
from nh_pipeline.lake.field_ids import numbered
from nh_pipeline.lake.publish import find_staged
from nh_pipeline.landing.about import About
from nh_pipeline.landing.confirmations import confirmed, withdrawn
from nh_pipeline.landing.holding import held
from nh_pipeline.landing.manifest import DT_SOURCES
from nh_pipeline.landing.readers import reader
from nh_pipeline.pipeline.build_state import LANDED, forget, record_inputs, recorded_inputs
from nh_pipeline.pipeline.context import BuildContext, TableResult, accounting, rows_kept
from nh_pipeline.pipeline.deliveries import why_withdrawn
from nh_pipeline.pipeline.guards import DeliveryStatus, State
from nh_pipeline.pipeline.recipe import export_recipe
from nh_pipeline.pipeline.result import BuildResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import BinaryIO

    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.lake.publish import Staged
    from nh_pipeline.lake.snapshots import TableSnapshot
    from nh_pipeline.landing.manifest import Delivery, ExportFacts
    from nh_pipeline.landing.zone import RawZone
    from nh_pipeline.model.table import Table
    from nh_pipeline.model.view import Export


_SMALL: Mapping[str, Any] = {"compression": "zstd", "use_dictionary": False, "store_schema": False}
"""How Parquet is written: there are many files of a thousand rows. zstd finds what repeats, for less than dictionaries
of each column cost, and Arrow's own schema would be as large as many columns."""


@dataclass(frozen=True)
class Exports:
    """The deliveries of one kind of export, as they were when they were looked at.

    Attributes:
        landed: all of them, each content once, in the order of their exports.
        statuses: of all of them; each counts that is neither held nor withdrawn: none supersedes another.
        stale: those whose rows are to be read, or to be taken away, and why.
    """

    export: Export
    landed: tuple[Delivery, ...]
    statuses: tuple[DeliveryStatus, ...]
    stale: Mapping[str, str]

    @property
    def drift(self) -> tuple[str, ...]:
        """What nobody knows in the last delivery that has such, and what the last one lacks that earlier ones had."""
        pairs = zip(self.landed, self.statuses, strict=True)
        counting = [d.manifest for d, status in pairs if status.state == "effective"]
        told = [f"{m.name} ({m.coverage.key}) has unknown {', '.join(m.extras)}" for m in counting if m.extras][-1:]
        whole = [m for m in counting if m.export and m.export.extraction and m.export.extraction.is_full]
        if len(whole) > 1:
            gone = sorted(set(whole[-1].absent).difference(*(m.absent for m in whole[:-1])))
            told += [f"{whole[-1].name} ({whole[-1].coverage.key}) lacks {', '.join(gone)}"] if gone else []
        return tuple(told)

    def of_day(self, day: date) -> list[Delivery]:
        """Those of a day, in a fixed order."""
        return [d for d in self.landed if d.manifest.coverage.start == day]


def look(lake: Lake, zone: RawZone, export: Export) -> Exports:
    """Looks at the deliveries of an export, and at what of them is in bronze."""
    landed = tuple(sorted(_once(zone.deliveries(export.name)), key=lambda d: (facts_of(d).exported_at, d.delivery_id)))
    by_person = withdrawn(lake.storage)
    statuses = tuple(_statuses(landed, held(landed, confirmed(lake.storage), by_person), by_person))
    built, recipe = recorded_inputs(lake, export.leading), export_recipe(export)
    there = chain.from_iterable(lake.snapshot(table).present for table in (export.leading, *export.by_delivery))
    present = {partition.partition(".")[0] for partition in there}
    stale = {}
    for delivery, status in zip(landed, statuses, strict=True):
        i, name = delivery.delivery_id, delivery.manifest.name
        if status.state != "effective":
            if i in present:
                stale[i] = f"{name} no longer counts: {status.reason}"
        elif i not in built:
            stale[i] = f"{name} ({delivery.manifest.coverage.key}) {LANDED}"
        elif built[i] != _read_as(recipe, delivery):
            stale[i] = f"{name} is read otherwise now"
    return Exports(export, landed, statuses, stale)


def _once(deliveries: Iterable[Delivery]) -> list[Delivery]:
    """Of the same content of several days one delivery: that whose day is told best, the last of those.

    An export that has not changed since is as new as the last one that says so.
    """
    return list({d.delivery_id: d for d in sorted(deliveries, key=_trust)}.values())


def _trust(delivery: Delivery) -> tuple[bool, int, int]:
    """Of files with the same content, the greatest counts; of those that nothing but their time tells, the first."""
    source, day = facts_of(delivery).dt_source, delivery.manifest.coverage.start or date.min
    told = DT_SOURCES.index(source)
    return not delivery.withdrawn, -told, -day.toordinal() if source == "modified" else day.toordinal()


def _statuses(
    landed: Iterable[Delivery], why_held: Mapping[str, str], by_person: Mapping[str, str]
) -> Iterator[DeliveryStatus]:
    """Of each delivery."""
    for delivery in landed:
        manifest, facts = delivery.manifest, facts_of(delivery)
        state: State = "effective"
        if reason := why_withdrawn(delivery, by_person):
            state = "withdrawn"
        elif found := why_held.get(delivery.delivery_id):
            state, reason = "held", f"{found}. If it is complete: nh confirm {delivery.delivery_id[:12]} --reason TEXT"
        yield DeliveryStatus(
            delivery_id=delivery.delivery_id,
            coverage=manifest.coverage.key,
            name=manifest.name,
            state=state,
            reason=reason,
            lines=facts.records + facts.refused,
            lines_refused=facts.refused,
        )


def facts_of(delivery: Delivery) -> ExportFacts:
    """What landing found in it.

    Raises:
        ValueError: it is no export.
    """
    if delivery.manifest.export is None:
        raise ValueError(f"{delivery.manifest.name} is no export: expected what was found in it in its manifest")
    return delivery.manifest.export


class ParseExports(BaseModel, frozen=True):
    """Brings the tables of bronze to the deliveries of a day that count; what is there already, it only checks."""

    kind: Literal["parse_exports"] = "parse_exports"
    export: str
    day: date

    def run(self, context: BuildContext) -> BuildResult:
        """Publishes every table, that of the resources last: it remembers which deliveries are in all of them."""
        return context.recomputed(self._attempt)

    def _attempt(self, context: BuildContext) -> BuildResult:
        export = next(e for e in datasets.exports() if e.name == self.export)
        found, leading = look(context.lake, context.zone, export), export.leading
        anew = [d for d in found.of_day(self.day) if d.delivery_id in found.stale]
        snapshots = {table.name: context.lake.snapshot(table) for table in export.tables}
        statuses = tuple(s for s in found.statuses if s.coverage == self.day.isoformat())
        if not anew:
            checked = [TableResult.unchanged([rows_kept(s.rows, s.rows, "")], s) for s in snapshots.values()]
            return BuildResult(table=checked[0], others=tuple(checked[1:]), deliveries=statuses)
        effective = {s.delivery_id for s in statuses if s.state == "effective"}
        counting = [d for d in anew if d.delivery_id in effective]
        gone = [d.delivery_id for d in anew if d.delivery_id not in effective]
        if gone:  # before their rows go, so that they are read again if they come back, whatever is killed in between
            forget(context.lake, leading, gone)
        written = _written(context, export, counting, {n: _of(s, anew) for n, s in snapshots.items()})
        facts = [facts_of(d) for d in counting]
        lines = accounting(
            sum(f.records + f.refused for f in facts),
            _rows(written, export.counting("records")) + sum(f.duplicates for f in facts),
            _rows(written, export.counting("refused")),
        )
        recipe, results = export_recipe(export), []
        for table in sorted(export.tables, key=lambda table: table is leading):
            staged = written[table.name]
            base = snapshots[table.name].only(staged.replaces)
            built_from = {d.delivery_id: _read_as(recipe, d) for d in counting} if table is leading else {}
            more = [lines] if table is leading else []
            result = TableResult.unchanged(more, base)
            if staged.files or base.files:
                known = "a delivery counts no longer" if gone else ""
                checks = [*context.check(table, staged), *more]
                result, _ = context.publish_if_valid(
                    table, staged, checks, base=base, extent=f"{self.day}", built_from=built_from, loss_known=known
                )
            results.append(result)
            if result.refused:
                break
            if built_from and result.published:
                record_inputs(context.lake, table, built_from, result.published)
        return BuildResult(table=results[-1], others=tuple(results[:-1]), deliveries=statuses)


def _read_as(recipe: str, delivery: Delivery) -> str:
    """How a delivery becomes rows: they say its day and source, which a further file of it may tell better."""
    return f"{recipe} {delivery.manifest.coverage.key} {facts_of(delivery).source}"


def _of(snapshot: TableSnapshot, deliveries: Iterable[Delivery]) -> set[str]:
    """The partitions that hold rows of some deliveries."""
    ids = {d.delivery_id for d in deliveries}
    return {p for p in snapshot.present if p.partition(".")[0] in ids}


def _rows(written: Mapping[str, Staged], tables: Iterable[Table]) -> int:
    return sum(written[table.name].rows for table in tables)


def _about(delivery: Delivery) -> About:
    manifest, day = delivery.manifest, delivery.manifest.coverage.start
    if day is None:
        raise ValueError(f"{manifest.name}: an export without a day")
    return About(
        delivery_id=delivery.delivery_id,
        name=manifest.name,
        dt=day,
        exported_at=facts_of(delivery).exported_at,
        modified_at=manifest.modified_at,
        bases=facts_of(delivery).bases,
        full=facts_of(delivery).full,
        source=facts_of(delivery).source,
        local_time_zone=facts_of(delivery).local_time_zone,
        limited=manifest.overruled is None,
    )


def _written(
    context: BuildContext, export: Export, deliveries: Iterable[Delivery], replaces: dict[str, set[str]]
) -> dict[str, Staged]:
    """Stages the rows of all tables: a file for each delivery and bucket of patients.

    ``replaces`` are the partitions of each table that are replaced in any case.
    """
    lake = context.lake
    folders = {table.name: context.new_folder(table) for table in export.tables}
    ids = {table.name: lake.field_ids(table) for table in export.tables}
    for delivery in deliveries:
        with ExitStack() as files, lake.storage.open(delivery.file) as stream:
            writers: dict[tuple[str, str], pq.ParquetWriter] = {}
            i = delivery.delivery_id
            for table, bucket, batch in reader(export).batches(_about(delivery), cast("BinaryIO", stream)):
                partition = i if table in export.by_delivery else f"{i}.{bucket}"
                key = table.name, partition
                if key not in writers:
                    replaces[table.name].add(partition)
                    path = f"{folders[table.name]}/partition={partition}/rows.parquet"
                    sink = files.enter_context(lake.storage.create(path))
                    schema = numbered(table.arrow, ids[table.name])
                    writers[key] = files.enter_context(pq.ParquetWriter(sink, schema, **_SMALL))
                writers[key].write_batch(batch)
    return {
        table.name: find_staged(lake, table, folders[table.name], replaces[table.name], ids[table.name])
        for table in export.tables
    }
