"""``data_quality`` of each domain: made of documents and metadata, without an engine but for its gate.

Rows in and refused, and what deliveries hold, come from the notes; rows and nulls from Iceberg's manifests; refused
lines by column from ``bronze.rejects``; check results from the documents of the last builds. So it is a pure function
of what is in the lake, whatever was killed on the way, and no build commits anything for it.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from nh_pipeline import datasets
from nh_pipeline.lake.duck import reading
from nh_pipeline.lake.field_ids import numbered
from nh_pipeline.lake.publish import find_staged
from nh_pipeline.lake.refusals import Refusals, inputs_of
from nh_pipeline.lake.snapshots import data_files
from nh_pipeline.model.kinds import Daily
from nh_pipeline.model.table import REJECTS, WHOLE, Table
from nh_pipeline.periods import quarter_of
from nh_pipeline.pipeline import tracker
from nh_pipeline.pipeline.build_state import built_from_of, deliveries_of, record_inputs
from nh_pipeline.pipeline.checked import Checked, Checks
from nh_pipeline.pipeline.deliveries import Deliveries, look_at_all
from nh_pipeline.pipeline.exports import Exports, facts_of
from nh_pipeline.pipeline.exports import look as look_at_exports
from nh_pipeline.pipeline.recipe import recipe
from nh_pipeline.pipeline.result import BuildResult, TableBuild
from nh_pipeline.tables import gold, silver, tables, told_of
from nh_pipeline.tables import table as declared_as

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from pyiceberg.table import Table as IcebergTable

    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.lake.refusals import Refusal
    from nh_pipeline.landing.manifest import Delivery
    from nh_pipeline.landing.zone import RawZone
    from nh_pipeline.pipeline.context import BuildContext

_NO_RECORD = "(line)"
"""Subject of lines that were refused as they are no records."""

Loaded = dict[str, "IcebergTable | None"]
"""The tables as they are now, by name."""


class BuildQuality(TableBuild, frozen=True):
    """Builds ``data_quality`` of a domain, whole; or adds the part of this run to a table that has one for each."""

    kind: Literal["build_quality"] = "build_quality"

    def _attempt(self, context: BuildContext) -> BuildResult:
        lake, built = context.lake.current, declared_as(self.table)
        part = context.run.run_id if built.kind.appends else WHOLE
        before, loaded = lake.snapshot(built), load(lake)
        base = before.only([part])
        found, refusals = looked(lake, context.zone, built), Refusals(lake.storage).all()
        # Before the documents are read: what changes from here on makes it stale.
        memory = {part: built_from(built, loaded, found, refusals)}
        if built.kind.appends:
            made: Iterable[dict[str, Any]] = tracker.rows(lake, built, loaded, found, refusals, part, before)
        else:
            made = rows(lake, built, loaded, found, refusals)
        lines = sorted(made, key=lambda row: [row[name] for name in built.grain])
        folder, ids = context.new_folder(built), lake.field_ids(built)
        with lake.storage.create(f"{folder}/quality.parquet") as sink:
            pq.write_table(pa.Table.from_pylist(lines, schema=numbered(built.arrow, ids)), sink, compression="zstd")
        staged = find_staged(lake, built, folder, [part], ids)
        result, _ = context.publish_if_valid(
            built,
            staged,
            context.check(built, staged),
            base=base,
            extent=part,
            built_from=memory,
            loss_known="it says what is there",
        )
        if result.published:
            record_inputs(lake, built, memory, result.published)
        return BuildResult(table=result)


def load(lake: Lake) -> Loaded:
    """All tables as they are now."""
    return lake.load_all(tables())


def looked(lake: Lake, zone: RawZone, built: Table) -> list[Deliveries | Exports]:
    """The deliveries of the domain that a table tells of."""
    domain = built.kind.domain
    files = (found for found in look_at_all(lake, zone).values() if found.dataset.domain == domain)
    return [*files, *(look_at_exports(lake, zone, e) for e in datasets.exports() if e.domain == domain)]


def built_from(built: Table, loaded: Loaded, found: Iterable[Deliveries | Exports], refusals: Iterable[Refusal]) -> str:
    """What a table would be built from now: the state of all others, of the deliveries, and what is refused."""
    digest, told = hashlib.sha256(), told_of(built)
    for contract in told:
        table = loaded[contract.name]
        if table is not None:
            # Of marts it does not tell what they are built from; they also remember parts that have no rows.
            memory = sorted(built_from_of(table).items()) if contract.dataset else []
            digest.update(json.dumps([contract.name, table.metadata.current_snapshot_id, memory]).encode())
    for deliveries in found:
        for status in deliveries.statuses:
            note = deliveries.notes.get(status.delivery_id) if isinstance(deliveries, Deliveries) else None
            digest.update(f"{status.model_dump_json()} {note.inspected if note else ''}\n".encode())
    names = {contract.name for contract in told}
    for refusal in refusals:
        if refusal.table in names:
            digest.update(refusal.model_dump_json().encode())
    return json.dumps({"recipe": recipe(built), "of": digest.hexdigest()})


def recorded(built: Table, loaded: Loaded) -> frozenset[str]:
    """What a table was built from: each part of it."""
    mine = loaded[built.name]
    return frozenset(built_from_of(mine).values()) if mine else frozenset()


def is_stale(
    built: Table, loaded: Loaded, found: Collection[Deliveries | Exports], refusals: Collection[Refusal]
) -> bool:
    """Whether it would come out differently now; not while no delivery is in bronze, nor if the gate refuses it."""
    if not any(d.notes if isinstance(d, Deliveries) else d.landed for d in found):
        return False
    known = {*recorded(built, loaded), *inputs_of(refusals, built.name).values()}
    return built_from(built, loaded, found, refusals) not in known


def rows(
    lake: Lake, built: Table, loaded: Loaded, found: Iterable[Deliveries | Exports], refusals: Iterable[Refusal]
) -> Iterator[dict[str, Any]]:
    """The rows of a table."""
    declared = {table.name: table for table in told_of(built)}
    known = [(declared[c.table], c) for c in Checks(lake.storage).all() if c.table in declared]
    runs = {(table.name, _part(table, name)): c.run_id for table, c in known for name in c.partitions}
    files = [deliveries for deliveries in found if isinstance(deliveries, Deliveries)]
    lines = _refused_lines(lake) if files else {}
    made = [row for deliveries in files for row in _of_file(deliveries, loaded, lines)]
    made += [row for exports in found if isinstance(exports, Exports) for row in _of_exports(exports)]
    shown = (table for table in (*silver(), *gold()) if table.name in declared)
    made += [row for table in shown for row in _of_rows(table, loaded[table.name])]
    for refusal in refusals:
        if refusal.table in declared:
            made.append(
                _row(refusal.table, refusal.partition, "withheld", refusal.rule, passed=False, told=refusal.reason)
            )
    for row in made:
        yield {**row, "run_id": runs.get((row["table_name"], row["part"]), "")}
    yield from _of_checks(known)


def _row(table: str, part: str, measure: str, subject: str = "", **facts: Any) -> dict[str, Any]:
    found, of = facts.get("found"), facts.get("of_rows")
    rate = found / of if found is not None and of else None
    return {"table_name": table, "part": part, "measure": measure, "subject": subject, "rate": rate, **facts}


def _of_checks(known: Iterable[tuple[Table, Checked]]) -> Iterator[dict[str, Any]]:
    told: dict[tuple[str, ...], dict[str, Any]] = {}  # one build is told of by each of its partitions
    for table, build in known:
        parts = sorted({_part(table, name) for name in build.partitions})
        part = parts[0] if len(parts) == 1 else f"{parts[0]}..{parts[-1]}"
        for c in build.checks:
            row = _row(table.name, part, "check", c.name, found=c.failed_rows, of_rows=c.rows, passed=c.passed)
            told[table.name, part, build.run_id, c.name] = {**row, "run_id": build.run_id, "told": c.description}
    yield from told.values()


def _part(table: Table, partition: str) -> str:
    """What people know a partition by: days are delivered by quarters."""
    return quarter_of(date.fromisoformat(f"{partition}-01")) if isinstance(table.kind, Daily) else partition


def _refused_lines(lake: Lake) -> dict[tuple[str, str], Counter[str]]:
    """Refused lines by delivery and stage: how many by the column that the reason is about."""
    sql = "select delivery_id, stage, coalesce(column_name, ?), count(*) from t group by all"
    found: dict[tuple[str, str], Counter[str]] = {}
    with reading(lake, {"t": (REJECTS, lake.snapshot(REJECTS))}) as db:
        for delivery, stage, column, lines in db.execute(sql, [_NO_RECORD]).fetchall():
            found.setdefault((delivery, stage), Counter())[column] += lines
    return found


def _of_file(
    found: Deliveries, loaded: Loaded, lines: Mapping[tuple[str, str], Counter[str]]
) -> Iterator[dict[str, Any]]:
    dataset, since = found.dataset, unchanged_since(found)
    for status in found.statuses:
        row = partial(_row, dataset.bronze.name, status.delivery_id, coverage=status.coverage)
        why = f"{status.name} is {status.state}{': ' * bool(status.reason)}{status.reason}"
        yield row("counts", passed=status.state in ("effective", "superseded"), told=why)
        note = found.notes.get(status.delivery_id)
        if note is None:
            continue
        yield row("rows_in", found=note.records)
        yield row("rows_out", found=note.records - note.ragged, of_rows=note.records)
        for column, refused in {_NO_RECORD: note.ragged, **note.refused}.items():
            if refused:
                yield row("refused", column, found=refused, of_rows=note.records)
        if dataset.key:
            yield row("duplicates", found=note.doubled, of_rows=note.keys, passed=not note.doubled)
        if status.delivery_id in since:
            yield row("unchanged_since", **_since(status.coverage, since[status.delivery_id]))
    newest = max((s for s in found.statuses if s.delivery_id in since), key=lambda s: s.coverage, default=None)
    for table in dataset.silver:
        if newest is not None:
            told = _since(newest.coverage, since[newest.delivery_id])
            yield _row(table.name, WHOLE, "unchanged_since", coverage=newest.coverage, **told)
        yield from _freshness(table, found)
        mine = loaded[table.name]
        for part, memory in built_from_of(mine).items() if mine else ():
            notes = {i: found.notes[i] for i in deliveries_of(memory) if i in found.notes}
            total = sum(note.records - note.ragged for note in notes.values())
            yield _row(table.name, part, "rows_in", found=total)
            columns = sum((lines.get((i, table.short), Counter()) for i in notes), Counter[str]())
            yield from (_row(table.name, part, "refused", c, found=n, of_rows=total) for c, n in columns.items())


def _of_exports(found: Exports) -> Iterator[dict[str, Any]]:
    """What came in exports, what of it could be read, and what came twice."""
    for delivery, status in zip(found.landed, found.statuses, strict=True):
        row = partial(_row, found.export.leading.name, status.delivery_id, coverage=status.coverage)
        why = f"{status.name} is {status.state}{': ' * bool(status.reason)}{status.reason}"
        yield row("counts", passed=status.state == "effective", told=why)
        facts = facts_of(delivery)
        yield row("rows_in", found=status.lines)
        yield row("rows_out", found=facts.records - facts.duplicates, of_rows=status.lines)
        if facts.refused:
            yield row("refused", _NO_RECORD, found=facts.refused, of_rows=status.lines)
        yield row("duplicates", found=facts.duplicates, of_rows=facts.records)


def unchanged_since(found: Deliveries) -> dict[str, date]:
    """Of each release that counts: the first of those, up to it, that have the same content but for their date."""
    since: dict[str, date] = {}
    before: tuple[str, date] | None = None
    for status in sorted((s for s in found.statuses if s.state == "effective"), key=lambda s: s.coverage):
        note = found.notes[status.delivery_id]
        if not note.content:
            before = None
            continue
        same = before is not None and before[0] == note.content
        day = before[1] if before and same else date.fromisoformat(status.coverage)
        before = note.content, day
        since[status.delivery_id] = day
    return since


def _since(release: str, day: date) -> dict[str, Any]:
    stale = day.isoformat() != release
    told = f"the content of this release equals that of the release before; stale since {day}"
    return {"day": day, "passed": not stale, "told": told if stale else "the content of this release is new"}


def _freshness(table: Table, found: Deliveries) -> Iterator[dict[str, Any]]:
    landed: dict[str, Delivery] = {d.delivery_id: d for d in found.landed}
    last = max((end for i in found.effective if (end := landed[i].manifest.coverage.end)), default=None)
    if last is not None:
        told = f"the newest delivery that counts covers {last}; one more is due within {found.dataset.late_after} days"
        yield _row(table.name, WHOLE, "late_from", day=last + timedelta(days=found.dataset.late_after + 1), told=told)


def _of_rows(table: Table, mine: IcebergTable | None) -> Iterator[dict[str, Any]]:
    """Rows and nulls of each part, from the table's manifests."""
    if mine is None:
        return
    rows: Counter[str] = Counter()
    nulls: Counter[tuple[str, str]] = Counter()
    names = {field.field_id: field.name for field in mine.schema().fields}
    for partition, file in data_files(mine):
        part = _part(table, partition)
        rows[part] += file.record_count
        nulls.update({(part, names[i]): n for i, n in (file.null_value_counts or {}).items() if n and i in names})
    yield from (_row(table.name, part, "rows_out", found=n) for part, n in rows.items())
    yield from (_row(table.name, part, "nulls", c, found=n, of_rows=rows[part]) for (part, c), n in nulls.items())
