"""Step results as Dagster events: checks, metadata, and the failure that stops what is downstream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg

from nh_pipeline.compute.gate import SAMPLE_ROWS, CheckResult
from nh_pipeline.lake.sql import reading
from nh_pipeline.periods import months

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from nh_pipeline.compute.step import StepResult
    from nh_pipeline.contracts.base import Contract
    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.steps.effective import Standing

_GATE = {
    "schema": "Columns and types are those of the contract.",
    "grain": "No key occurs twice.",
    "values": "Every column keeps to its own rules: not null, ranges, patterns, closed lists.",
    "row_accounting": "No row gets lost or doubled between input, output and rejects.",
    "facilities_readable": "Nearly every facility of the delivery has a line that can be read.",
    "scd2_history": "Versions of a key do not overlap, differ from their neighbours, and only the last is current.",
    "current_is_latest_release": "The current versions are exactly the keys of the latest effective release.",
}
"""What the rules mean that are not written in a contract."""


def asset_key(contract: Contract) -> dg.AssetKey:
    """The asset of a table: ``layer/table``."""
    return dg.AssetKey(contract.name.split("."))


def gate_specs(contract: Contract, *more: str) -> list[dg.AssetCheckSpec]:
    """Specs of everything that the gate reports for a table; ``more`` names the step's own rules."""
    key = asset_key(contract)
    rules = [
        dg.AssetCheckSpec(r.name, asset=key, blocking=r.blocking, description=f"{r.sql}. Else: {r.advice}.")
        for r in contract.rules
    ]
    general = ["schema", "grain", "values", *more]
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


def count_days(context: dg.AssetExecutionContext, lake: Lake, contract: Contract, start: date, end: date) -> None:
    """Shows with every day of the run how many rows it has."""
    sql = "select work_date, count(*) from t where work_date between ? and ? group by all"
    with reading(lake, {"t": (contract, lake.pin(contract, months(start, end)))}) as db:
        found = db.execute(sql, [start, end]).fetchall()
    for day, rows in found:
        context.add_asset_metadata({"dagster/partition_row_count": rows}, partition_key=day.isoformat())


def events(
    lake: Lake,
    contract: Contract,
    results: Sequence[StepResult],
    *,
    metadata: Mapping[str, Any] | None = None,
    standings: Sequence[Standing] = (),
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
    """Check results and the materialization of a table's asset.

    ``dagster/row_count`` is the whole table's; ``rows`` those of the months or deliveries that the run built.

    Raises:
        dg.Failure: the gate refused a part; that part was not published and nothing downstream runs.
    """
    key = asset_key(contract)
    for check in merged(results):
        yield check_result(check, key)
    refused = [(r.table, c) for r in results for c in r.refused]
    if refused:
        told = "; ".join(
            f"{t} {c.name}, {c.failed_rows:,} found: {c.description}. What to do: {c.advice}" for t, c in refused
        )
        raise dg.Failure(f"The gate refused what was staged, the table is as it was. {told}", allow_retries=False)
    published = [r.published for r in results if r.published is not None]
    yield dg.MaterializeResult(
        asset_key=key,
        metadata={
            "dagster/row_count": lake.pin(contract).rows,
            "rows": sum(r.rows for r in results),
            "snapshot_id": str(published[-1].snapshot_id) if published else "none",
            "changed": ", ".join(sorted(s or "all" for p in published for s in p.changed)) or "nothing",
            **standing_metadata(standings),
            **(metadata or {}),
        },
    )


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
