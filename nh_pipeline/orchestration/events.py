"""Outcomes of steps as Dagster events: checks, metadata, and the failure that stops what is downstream."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, TypeAlias

import dagster as dg
from dagster._core.events import DagsterEvent, DagsterEventBatchMetadata

from nh_pipeline.contracts.bronze import REJECTS
from nh_pipeline.lake.duck import reading
from nh_pipeline.orchestration.partitions import run_range
from nh_pipeline.periods import months
from nh_pipeline.pipeline.context import ROWS_KEPT
from nh_pipeline.pipeline.gate import SAMPLE_ROWS, CheckResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from nh_pipeline.contracts.base import Contract
    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.pipeline.context import StepResult
    from nh_pipeline.pipeline.guards import Standing
    from nh_pipeline.pipeline.result import Outcome

_GATE = {
    "schema": "Columns and types are those of the contract.",
    "grain": "No key occurs twice.",
    "values": "Every column keeps to its own rules: not null, ranges, patterns, closed lists.",
    ROWS_KEPT: "No build takes all rows, or a large share of them, away, unless a person confirms it.",
    "row_accounting": "No row gets lost or doubled between input, output and rejects.",
    "facilities_readable": "Nearly every facility of the delivery has a line that can be read.",
    "scd2_history": "Versions of a key do not overlap, differ from their neighbours, and only the last is current.",
    "current_is_latest_release": "The current versions are exactly the keys of the latest effective release.",
}
"""What the rules mean that are not written in a contract."""

Event: TypeAlias = dg.AssetCheckResult | dg.AssetMaterialization | dg.MaterializeResult[None] | DagsterEvent
"""What an asset of a table yields."""

_NAMES_SHOWN = 12

NO_DELIVERY_HELD = "no_delivery_held"


@dataclass(frozen=True)
class Part:
    """What a run commits by itself: a quarter, a delivery, or, without days, a table that has no partitions.

    Attributes:
        name: for people.
        start: first partition that it is (part) of, by its first day.
        end: last day that it covers.
    """

    name: str
    start: date | None = None
    end: date | None = None


@dataclass(frozen=True)
class _Worked:
    """How far a run came with its parts: one outcome for each, up to the one that raised."""

    parts: Sequence[Part]
    outcomes: Sequence[Outcome]
    error: Exception | None

    @classmethod
    def through(cls, parts: Sequence[Part], outcomes: Iterable[Outcome]) -> _Worked:
        """Works all parts, or as many as do not raise."""
        done: list[Outcome] = []
        try:
            for outcome in outcomes:
                done.append(outcome)  # noqa: PERF402 (what was done before an error counts)
        except Exception as error:  # noqa: BLE001 (raised again when what was published is recorded)
            return cls(parts, done, error)
        return cls(parts, done, None)

    @property
    def published(self) -> list[tuple[Part, Outcome]]:
        return [(p, o) for p, o in zip(self.parts, self.outcomes, strict=False) if _is_published(o)]

    @property
    def refused(self) -> list[tuple[Part, Outcome]]:
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


def _is_published(outcome: Outcome) -> bool:
    return all(result.published is not None for result in outcome.results)


def _listed(parts: Sequence[Part]) -> str:
    more = len(parts) - _NAMES_SHOWN
    return ", ".join(p.name for p in parts[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def asset_key(contract: Contract) -> dg.AssetKey:
    """The asset of a table: ``layer/table``."""
    return dg.AssetKey(contract.name.split("."))


def held_spec(contract: Contract) -> dg.AssetCheckSpec:
    """Of :func:`held_check`: in the asset, not beside it, so that it is told where nothing can be built, too."""
    told = "Every landed delivery counts, was superseded by a better one, or was withdrawn."
    return dg.AssetCheckSpec(NO_DELIVERY_HELD, asset=asset_key(contract), blocking=False, description=told)


def held_check(found: Sequence[Standing], contract: Contract) -> dg.AssetCheckResult:
    """Warns of deliveries that do not count, with the reason and what to do."""
    broken = [
        {
            "coverage": s.coverage,
            "delivery": s.name,
            "state": s.state,
            "reason": s.reason,
            "lines_refused": f"{s.lines_refused:,} of {s.lines:,}",
        }
        for s in found
        if s.state in ("held", "refused", "unparsed")
    ]
    advice = (
        "read the reason; deliver the complete file, or decide: nh confirm ID takes it, nh withdraw ID lets it count "
        "no longer, nh quarantine show ID shows its refused lines"
    )
    result = CheckResult(
        name=NO_DELIVERY_HELD,
        passed=not broken,
        blocking=False,
        failed_rows=len(broken),
        description=f"{len(found)} deliveries",
        advice=advice if broken else "",
        sample=broken[:SAMPLE_ROWS],
    )
    return check_result(result, asset_key(contract))


def gate_specs(contract: Contract, *more: str) -> list[dg.AssetCheckSpec]:
    """Specs of everything that the gate reports for a table; ``more`` names the step's own rules."""
    key = asset_key(contract)
    rules = [
        dg.AssetCheckSpec(r.name, asset=key, blocking=r.blocking, description=f"{r.sql}. Else: {r.advice}.")
        for r in contract.rules
    ]
    general = ["schema", "grain", "values", *more, ROWS_KEPT]
    return [*(dg.AssetCheckSpec(n, asset=key, blocking=True, description=_GATE[n]) for n in general), *rules]


def table_metadata(contract: Contract) -> dict[str, Any]:
    """Definition metadata of a table's asset, from its contract."""
    columns = [
        dg.TableColumn(
            name,
            c.dtype.type.simpleString(),
            description=c.description,
            constraints=dg.TableColumnConstraints(nullable=bool(c.nullable), unique=contract.grain == (name,)),
        )
        for name, c in contract.schema.columns.items()
    ]
    return {
        "dagster/column_schema": dg.TableSchema(columns=columns),
        "dagster/table_name": contract.name,
        "grain": ", ".join(contract.grain),
    }


def merged(results: Sequence[StepResult]) -> list[CheckResult]:
    """One result per rule over all parts of a run (a check has one evaluation per run)."""
    by_name: dict[str, list[tuple[str, CheckResult]]] = {}
    for result in results:
        for check in result.checks:
            by_name.setdefault(check.name, []).append((result.table, check))
    merged = []
    for name, parts in by_name.items():
        checks = [c for _, c in parts]
        failed = [c for c in checks if not c.passed]
        shown = failed or checks
        merged.append(
            CheckResult(
                name=name,
                passed=not failed,
                blocking=checks[0].blocking,
                failed_rows=sum(c.failed_rows for c in checks),
                rows=sum(c.rows for c in checks),
                description="; ".join(dict.fromkeys(c.description for c in shown))[:500],
                advice="; ".join(dict.fromkeys(c.advice for c in failed)),
                sample=[row for c in failed for row in c.sample][:SAMPLE_ROWS],
            )
        )
    return merged


def check_result(result: CheckResult, key: dg.AssetKey) -> dg.AssetCheckResult:
    """A result with its counts, sample and advice as metadata."""
    metadata: dict[str, Any] = {"failed_rows": result.failed_rows}
    if result.rows:  # an advisory check counts what it finds, not what it looked at
        metadata["rows"] = result.rows
    if result.advice:
        metadata["what_to_do"] = result.advice
    if result.sample:
        columns = list(dict.fromkeys(c for row in result.sample for c in row))
        records = [dg.TableRecord({c: row.get(c, "") for c in columns}) for row in result.sample]
        metadata["sample"] = dg.MetadataValue.table(
            records, schema=dg.TableSchema([dg.TableColumn(c, "string") for c in columns])
        )
    return dg.AssetCheckResult(
        check_name=result.name,
        asset_key=key,
        passed=result.passed,
        severity=dg.AssetCheckSeverity.ERROR if result.blocking else dg.AssetCheckSeverity.WARN,
        description=result.description,
        metadata=metadata,
    )


def events(
    context: dg.AssetExecutionContext,
    lake: Lake,
    contract: Contract,
    parts: Sequence[Part],
    outcomes: Iterable[Outcome],
    *,
    metadata: Mapping[str, Any] | None = None,
) -> Iterator[Event]:
    """Works the parts of a run, and tells what became of each: check results and materializations.

    ``dagster/row_count`` is the whole table's; ``rows`` those of the months or deliveries that the run built.

    Args:
        context: of the table's asset.
        lake: where the table is.
        contract: of the table.
        parts: what is committed by itself.
        outcomes: of the parts, in their order; each is worked when it is asked for.
        metadata: more of it.

    Raises:
        dg.Failure: the gate refused a part, or one of several raised. What was published before and beside it is
            published, and its partitions are recorded; nothing downstream runs.
    """
    key, worked = asset_key(contract), _Worked.through(parts, outcomes)
    if worked.error is not None and len(parts) <= 1:
        raise worked.error
    note = ""
    if worked.failed:
        recorded, note = _recorded(context, lake, contract, worked, metadata or {})
        yield from _at_once(context, recorded)
    else:
        yield from _rejects(context, lake, worked)
    for check in merged([o.table for o in worked.outcomes]):
        yield check_result(check, key)
    if worked.failed:
        raise worked.failure(note) from worked.error
    if contract.layout == "month":
        for day, rows in _rows_by_day(lake, contract, *run_range(context)).items():
            context.add_asset_metadata({"dagster/partition_row_count": rows}, partition_key=day)
    yield dg.MaterializeResult(
        asset_key=key,
        metadata={"dagster/row_count": lake.pin(contract).rows, **_facts(worked.outcomes), **(metadata or {})},
    )


def _recorded(
    context: dg.AssetExecutionContext, lake: Lake, contract: Contract, worked: _Worked, metadata: Mapping[str, Any]
) -> tuple[list[dg.AssetMaterialization], str]:
    """Materializations of what a failed run published; a note if there are none, as the lake does not answer either."""
    try:
        found = [*_rejects(context, lake, worked)]
        if any(part.start for part in worked.parts):
            found += _materializations(context.partition_keys, lake, contract, worked, metadata)
    except Exception as error:  # noqa: BLE001 (what failed before is the news)
        return [], f"The published parts could not be recorded: {type(error).__name__}: {error}"
    return found, ""


def _at_once(context: dg.AssetExecutionContext, found: Sequence[dg.AssetMaterialization]) -> Iterator[DagsterEvent]:
    """Records materializations in one batch, as Dagster does with those of a whole range: one by one takes minutes.

    Not with ``log_event``, either: what is logged right before an error is lost.
    """
    step, batch = context.get_step_execution_context(), uuid.uuid4().hex
    for number, materialization in enumerate(found, start=1):
        of_batch = DagsterEventBatchMetadata(batch, number == len(found))
        yield DagsterEvent.asset_materialization(step, materialization, of_batch)


def _materializations(
    keys: Sequence[str], lake: Lake, contract: Contract, worked: _Worked, metadata: Mapping[str, Any]
) -> Iterator[dg.AssetMaterialization]:
    """Of the partitions of which all parts are published."""
    done: dict[str, list[Outcome]] = {}
    for part, outcome in worked.published:
        for key in _within(keys, part):
            done.setdefault(key, []).append(outcome)
    for part in (*(p for p, _ in worked.refused), *worked.left):
        for key in _within(keys, part):
            done.pop(key, None)
    if not done:
        return
    total = lake.pin(contract).rows
    first, last = date.fromisoformat(min(done)), date.fromisoformat(max(done))
    by_day = _rows_by_day(lake, contract, first, last) if contract.layout == "month" else {}
    for key, outcomes in sorted(done.items()):
        rows = {"dagster/partition_row_count": by_day[key]} if key in by_day else {}
        yield dg.AssetMaterialization(
            asset_key(contract),
            partition=key,
            metadata={"dagster/row_count": total, **_facts(outcomes), **rows, **metadata},
        )


def _within(keys: Iterable[str], part: Part) -> list[str]:
    """Of the partitions of a run, those that a part is of; a month's key is its first day."""
    return [key for key in keys if f"{part.start}" <= key <= f"{part.end}"] if part.start else []


def _rejects(context: dg.AssetExecutionContext, lake: Lake, worked: _Worked) -> Iterator[dg.AssetMaterialization]:
    """Shows the steps' parts of ``bronze.rejects`` in the UI."""
    for _, outcome in worked.published:
        rejects = outcome.rejects
        if rejects is not None and rejects.published and rejects.published.changed:
            metadata = {
                "dagster/row_count": lake.pin(REJECTS).rows,
                "rows": rejects.rows,
                "by": context.asset_key.to_user_string(),
            }
            yield dg.AssetMaterialization(asset_key(REJECTS), metadata=metadata)


def _rows_by_day(lake: Lake, contract: Contract, start: date, end: date) -> dict[str, int]:
    """How many rows every day of a range has, if it has any."""
    sql = "select work_date, count(*) from t where work_date between ? and ? group by all"
    with reading(lake, {"t": (contract, lake.pin(contract, months(start, end)))}) as db:
        found = db.execute(sql, [start, end]).fetchall()
    return {day.isoformat(): rows for day, rows in found}


def _facts(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    published = [o.table.published for o in outcomes if o.table.published is not None]
    return {
        "rows": sum(o.table.rows for o in outcomes),
        "snapshot_id": str(published[-1].snapshot_id) if published else "none",
        "changed": ", ".join(sorted(s or "all" for p in published for s in p.changed)) or "nothing",
        **standing_metadata([standing for outcome in outcomes for standing in outcome.standings]),
    }


def standing_metadata(standings: Sequence[Standing]) -> dict[str, Any]:
    """How many deliveries count, and which do not with their reasons; small, as every day of a range carries it."""
    if not standings:
        return {}
    others = [s for s in standings if s.state != "effective"]
    metadata: dict[str, Any] = {
        "effective_deliveries": len(standings) - len(others),
        "held": sum(s.state in ("held", "refused") for s in standings),
    }
    if others:
        metadata["other_deliveries"] = dg.MetadataValue.table(
            [
                dg.TableRecord({"coverage": s.coverage, "delivery": s.name, "state": s.state, "reason": s.reason})
                for s in others[:SAMPLE_ROWS]
            ]
        )
    return metadata
