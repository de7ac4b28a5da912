"""How far a run came with the parts of its table, and what Dagster is told of the parts that were published."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster._core.events import DagsterEvent, DagsterEventBatchMetadata

from nh_pipeline.lake.duck import reading
from nh_pipeline.model.kinds import Daily
from nh_pipeline.model.mart import Mart
from nh_pipeline.model.table import REJECTS, Table
from nh_pipeline.periods import months
from nh_pipeline.pipeline.gate import SAMPLE_ROWS
from nh_pipeline.pipeline.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.pipeline.builds import Part
    from nh_pipeline.pipeline.guards import DeliveryStatus
    from nh_pipeline.pipeline.result import BuildResult

_NAMES_SHOWN = 12


def asset_key(table: Table) -> dg.AssetKey:
    """The asset of a table: ``layer/table``."""
    return dg.AssetKey(table.name.split("."))


def day_of(table: Table) -> str | None:
    """The column that holds the day of a row, of tables with a row for each day."""
    by_day = isinstance(table.kind, Daily) or (isinstance(table.kind, Mart) and table.kind.by_day)
    return table.partitioning.columns[0] if by_day else None


@dataclass(frozen=True)
class Progress:
    """How far a run came with its parts: one outcome for each, up to the one that raised."""

    parts: Sequence[Part]
    outcomes: Sequence[BuildResult]
    error: Exception | None

    @classmethod
    def through(cls, parts: Sequence[Part], outcomes: Iterable[BuildResult], say: Callable[[str], object]) -> Progress:
        """Works all parts, or as many as do not raise; says after each of several how far it is."""
        done: list[BuildResult] = []
        pace = Pace(len(parts))
        try:
            for outcome in outcomes:
                done.append(outcome)  # what was done before an error counts
                pace.done += 1
                if pace.total > 1:
                    say(str(pace))
        except Exception as error:  # noqa: BLE001 (raised again when what was published is recorded)
            return cls(parts, done, error)
        return cls(parts, done, None)

    @property
    def published(self) -> list[tuple[Part, BuildResult]]:
        return [(p, o) for p, o in zip(self.parts, self.outcomes, strict=False) if _is_published(o)]

    @property
    def refused(self) -> list[tuple[Part, BuildResult]]:
        return [(p, o) for p, o in zip(self.parts, self.outcomes, strict=False) if not _is_published(o)]

    @property
    def failed(self) -> bool:
        return self.error is not None or bool(self.refused)

    @property
    def left(self) -> Sequence[Part]:
        """The part that raised, and those that come after it."""
        return self.parts[len(self.outcomes) :]

    def failure(self, note: str = "") -> dg.Failure:
        """Which parts were published, which were not, and why; and a note on it."""
        told = []
        if self.published:
            names = _listed([part for part, _ in self.published])
            told.append(f"Published of {len(self.parts)} parts: {names}. Of the others the table is as it was.")
        if self.refused:
            names = _listed([part for part, _ in self.refused])
            what = f"The gate refused {names}." if told else "The gate refused what was staged, the table is as it was."
            told.append(f"{what} {self._rules().rstrip('.')}.")
        if self.left[1:]:
            told.append(f"Not tried: {_listed(self.left[1:])}.")
        if note:
            told.append(f"{note.rstrip('.')}.")
        if self.error is not None:
            if not self.published and not self.refused:
                told.insert(0, "Nothing was published, the table is as it was.")
            name = self.left[0].name if self.left else "What comes after the last part"
            why = self.error.description if isinstance(self.error, dg.Failure) else None
            told.append(f"{name} failed: {why or f'{type(self.error).__name__}: {self.error}'}")
        metadata = self.error.metadata if isinstance(self.error, dg.Failure) else None
        return dg.Failure(" ".join(told), metadata=metadata, allow_retries=self.error is not None)

    def _rules(self) -> str:
        return "; ".join(
            f"{f'{part.name}: ' if len(self.parts) > 1 else ''}{r.table} {c.name}, {c.failed_rows:,} found: "
            f"{c.description}. What to do: {c.advice}"
            for part, outcome in self.refused
            for r in outcome.results
            for c in r.refused
        )


def _is_published(outcome: BuildResult) -> bool:
    return all(result.published is not None for result in outcome.results)


def _listed(parts: Sequence[Part]) -> str:
    more = len(parts) - _NAMES_SHOWN
    return ", ".join(p.name for p in parts[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def recorded(
    context: dg.AssetExecutionContext, lake: Lake, table: Table, progress: Progress, metadata: Mapping[str, Any]
) -> tuple[list[dg.AssetMaterialization], str]:
    """Materializations of what a failed run published; a note if there are none, as the lake does not answer either."""
    try:
        found = [*rejects_events(context, lake, progress)]
        if any(part.start for part in progress.parts):
            found += _materializations(context.partition_keys, lake, table, progress, metadata)
    except Exception as error:  # noqa: BLE001 (what failed before is the news)
        return [], f"The published parts could not be recorded: {type(error).__name__}: {error}"
    return found, ""


def at_once(context: dg.AssetExecutionContext, found: Sequence[dg.AssetMaterialization]) -> Iterator[DagsterEvent]:
    """Records materializations in one batch, as Dagster does with those of a whole range: one by one takes minutes.

    Not with ``log_event``, either: what is logged right before an error is lost.
    """
    step, batch = context.get_step_execution_context(), uuid.uuid4().hex
    for number, materialization in enumerate(found, start=1):
        of_batch = DagsterEventBatchMetadata(batch, number == len(found))
        yield DagsterEvent.asset_materialization(step, materialization, of_batch)


def _materializations(
    keys: Sequence[str], lake: Lake, table: Table, progress: Progress, metadata: Mapping[str, Any]
) -> Iterator[dg.AssetMaterialization]:
    """Of the partitions of which all parts are published."""
    done: dict[str, list[BuildResult]] = {}
    for part, outcome in progress.published:
        for key in _within(keys, part):
            done.setdefault(key, []).append(outcome)
    for part in (*(p for p, _ in progress.refused), *progress.left):
        for key in _within(keys, part):
            done.pop(key, None)
    if not done:
        return
    total = lake.snapshot(table).rows
    first, last = date.fromisoformat(min(done)), date.fromisoformat(max(done))
    by_day = rows_by_day(lake, table, first, last) if day_of(table) else {}
    for key, outcomes in sorted(done.items()):
        rows = {"dagster/partition_row_count": by_day[key]} if key in by_day else {}
        yield dg.AssetMaterialization(
            asset_key(table),
            partition=key,
            metadata={"dagster/row_count": total, **facts(outcomes), **rows, **metadata},
        )


def _within(keys: Iterable[str], part: Part) -> list[str]:
    """Of the partitions of a run, those that a part is of; a month's key is its first day."""
    return [key for key in keys if f"{part.start}" <= key <= f"{part.end}"] if part.start else []


def rejects_events(
    context: dg.AssetExecutionContext, lake: Lake, progress: Progress
) -> Iterator[dg.AssetMaterialization]:
    """Shows the steps' parts of ``bronze.rejects`` in the UI."""
    for _, outcome in progress.published:
        rejects = outcome.rejects
        if rejects is not None and rejects.published and rejects.published.changed:
            metadata = {
                "dagster/row_count": lake.snapshot(REJECTS).rows,
                "rows": rejects.rows,
                "by": context.asset_key.to_user_string(),
            }
            yield dg.AssetMaterialization(asset_key(REJECTS), metadata=metadata)


def rows_by_day(lake: Lake, table: Table, start: date, end: date) -> dict[str, int]:
    """How many rows every day of a range has, if it has any."""
    sql = f"select {day_of(table)}, count(*) from t where {day_of(table)} between ? and ? group by all"
    with reading(lake, {"t": (table, lake.snapshot(table, months(start, end)))}) as db:
        found = db.execute(sql, [start, end]).fetchall()
    return {day.isoformat(): rows for day, rows in found}


def facts(outcomes: Sequence[BuildResult]) -> dict[str, Any]:
    published = [o.table.published for o in outcomes if o.table.published is not None]
    return {
        "rows": sum(o.table.rows for o in outcomes),
        "snapshot_id": str(published[-1].snapshot_id) if published else "none",
        "changed": ", ".join(sorted(s or "all" for p in published for s in p.changed)) or "nothing",
        **delivery_metadata([status for outcome in outcomes for status in outcome.deliveries]),
    }


def delivery_metadata(deliveries: Sequence[DeliveryStatus]) -> dict[str, Any]:
    """How many deliveries count, and which do not with their reasons; small, as every day of a range carries it."""
    if not deliveries:
        return {}
    others = [s for s in deliveries if s.state != "effective"]
    metadata: dict[str, Any] = {
        "effective_deliveries": len(deliveries) - len(others),
        "held": sum(s.state in ("held", "refused") for s in deliveries),
    }
    if others:
        metadata["other_deliveries"] = dg.MetadataValue.table(
            [
                dg.TableRecord({"coverage": s.coverage, "delivery": s.name, "state": s.state, "reason": s.reason})
                for s in others[:SAMPLE_ROWS]
            ]
        )
    return metadata
