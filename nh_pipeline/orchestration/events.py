"""Results of builds as Dagster events: checks, metadata, and the failure that stops what is downstream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import dagster as dg
from dagster._core.events import DagsterEvent

from nh_pipeline import datasets
from nh_pipeline.model.kinds import Bronze, Daily, PerRelease, Scd2
from nh_pipeline.model.mart import Mart
from nh_pipeline.model.view import Exported
from nh_pipeline.orchestration.partitions import run_range
from nh_pipeline.orchestration.parts import (
    Progress,
    asset_key,
    at_once,
    day_of,
    facts,
    recorded,
    rejects_events,
    rows_by_day,
)
from nh_pipeline.pipeline.context import ROWS_KEPT, TableResult
from nh_pipeline.pipeline.daily import READABLE
from nh_pipeline.pipeline.gate import SAMPLE_ROWS, CheckResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.model.table import Table
    from nh_pipeline.pipeline.builds import Part
    from nh_pipeline.pipeline.guards import DeliveryStatus
    from nh_pipeline.pipeline.result import BuildResult

_GATE = {
    "schema": "Columns and types are those of the table.",
    "grain": "No key occurs twice.",
    "values": "Every column keeps to its own rules: not null, ranges, patterns, closed lists.",
    ROWS_KEPT: "No build takes all rows, or a large share of them, away, unless a person confirms it.",
    "row_accounting": "No row gets lost or doubled between input, output and rejects.",
    READABLE: "Nearly every facility of the delivery has a line that can be read.",
    "scd2_history": "Versions of a key do not overlap, differ from their neighbours, and only the last is current.",
    "current_is_latest_release": "The current versions are exactly the keys of the latest effective release.",
}
"""What the rules mean that are not written in a table's declaration."""

Event: TypeAlias = dg.AssetCheckResult | dg.AssetMaterialization | dg.MaterializeResult[None] | DagsterEvent
"""What an asset of a table yields."""

_OF_KIND: dict[type, tuple[str, ...]] = {
    Bronze: ("row_accounting",),
    Daily: ("row_accounting", READABLE),
    PerRelease: ("row_accounting",),
    Scd2: ("scd2_history", "current_is_latest_release", "row_accounting"),
    Mart: ("row_accounting",),
}
"""The rules that each kind of build adds."""

NO_DELIVERY_HELD = "no_delivery_held"


def specs_of(table: Table) -> list[dg.AssetCheckSpec]:
    """Specs of the checks that are in a table's asset."""
    return [*gate_specs(table), *([_held_spec(table)] if chooses(table) else [])]


def chooses(table: Table) -> bool:
    """Whether its asset says which deliveries count."""
    if isinstance(table.kind, Exported):
        return table.kind.leads
    return bool(table.dataset) and not isinstance(table.kind, Bronze)


def _held_spec(table: Table) -> dg.AssetCheckSpec:
    """Of :func:`held_check`: in the asset, not beside it, so that it is told where nothing can be built, too."""
    told = "Every landed delivery counts, was superseded by a better one, or was withdrawn."
    return dg.AssetCheckSpec(NO_DELIVERY_HELD, asset=asset_key(table), blocking=False, description=told)


def held_check(found: Sequence[DeliveryStatus], table: Table) -> dg.AssetCheckResult:
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
    return advisory(NO_DELIVERY_HELD, table, broken, f"{len(found)} deliveries", advice)


def advisory(
    name: str, of: Table, broken: Sequence[dict[str, str]], description: str, advice: str
) -> dg.AssetCheckResult:
    """Of a check that warns and stops nothing."""
    result = CheckResult.counted(name, len(broken), description, advice, sample=broken, blocking=False)
    return check_result(result, asset_key(of))


def gate_specs(table: Table) -> list[dg.AssetCheckSpec]:
    """Specs of everything that the gate, and the builds of its kind, report for a table."""
    key = asset_key(table)
    rules = [
        dg.AssetCheckSpec(r.name, asset=key, blocking=r.blocking, description=f"{r.sql}. Else: {r.advice}.")
        for r in table.rules
    ]
    of_kind = _OF_KIND.get(type(table.kind), ())
    if isinstance(table.kind, Mart) and not table.kind.conserves:
        of_kind = ()
    if isinstance(table.kind, Exported) and table.kind.leads:
        of_kind = ("row_accounting",)
    general = ["schema", "grain", "values", *of_kind, ROWS_KEPT]
    return [*(dg.AssetCheckSpec(n, asset=key, blocking=True, description=_GATE[n]) for n in general), *rules]


def table_metadata(table: Table) -> dict[str, Any]:
    """Definition metadata of a table's asset, from its declaration."""
    columns = [
        dg.TableColumn(
            c.name,
            c.type.sql,
            description=c.description,
            constraints=dg.TableColumnConstraints(nullable=c.nullable, unique=table.grain == (c.name,)),
        )
        for c in table.columns
    ]
    found: dict[str, Any] = {
        "dagster/column_schema": dg.TableSchema(columns=columns),
        "dagster/table_name": table.name,
        "grain": ", ".join(table.grain),
    }
    if table.caution:
        found["caution"] = table.caution
    lineage = {c.name: sources for c in table.columns if (sources := _sources(table, c.name))}
    if lineage:
        found["dagster/column_lineage"] = dg.TableColumnLineage(lineage)
    return found


def _sources(table: Table, column: str) -> list[dg.TableColumnDep]:
    """The columns that one is taken from, where the declaration says so: the same column of what the table reads."""
    inputs: Sequence[Table] = ()
    if isinstance(table.kind, Mart):
        mine = table.by_name[column]
        inputs = [t for t in table.kind.inputs if (c := t.by_name.get(column)) and c.description == mine.description]
    elif table.dataset and not isinstance(table.kind, Bronze):
        of_file = datasets.dataset(table.dataset)
        inputs = [of_file.bronze] if column in of_file.by_name else ()
    return [dg.TableColumnDep(asset_key(t), column) for t in inputs[:1]]


def merged(results: Sequence[TableResult]) -> list[CheckResult]:
    """One result per rule over all parts of a run (a check has one evaluation per run)."""
    by_name: dict[str, list[CheckResult]] = {}
    for check in (c for result in results for c in result.checks):
        by_name.setdefault(check.name, []).append(check)
    merged = []
    for name, checks in by_name.items():
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
    table: Table,
    parts: Sequence[Part],
    outcomes: Iterable[BuildResult],
    *,
    metadata: Mapping[str, Any] | None = None,
) -> Iterator[Event]:
    """Works the parts of a run, and tells what became of each: check results and materializations.

    ``dagster/row_count`` is the whole table's; ``rows`` those of the months or deliveries that the run built.

    There is an outcome for each part, in their order, which is worked when it is asked for.

    Raises:
        dg.Failure: the gate refused a part, or one of several raised. What was published before and beside it is
            published, and its partitions are recorded; nothing downstream runs.
    """
    key, progress = asset_key(table), Progress.through(parts, outcomes, context.log.info)
    if progress.error is not None and len(parts) <= 1:
        raise progress.error
    note = ""
    if progress.failed:
        found, note = recorded(context, lake, table, progress, metadata or {})
        yield from at_once(context, found)
    else:
        yield from rejects_events(context, lake, progress)
    for check in merged([o.table for o in progress.outcomes]):
        yield check_result(check, key)
    if progress.failed:
        raise progress.failure(note) from progress.error
    if day_of(table):
        for day, rows in rows_by_day(lake, table, *run_range(context)).items():
            context.add_asset_metadata({"dagster/partition_row_count": rows}, partition_key=day)
    yield dg.MaterializeResult(
        asset_key=key,
        metadata={"dagster/row_count": lake.snapshot(table).rows, **facts(progress.outcomes), **(metadata or {})},
    )
