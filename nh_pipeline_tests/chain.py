"""The chain raw -> gold as tests drive it, step by step, without Dagster.

Run as a module, it builds a whole lake on an engine of its own, and prints what that engine makes of odd texts:
``python -m nh_pipeline_tests.chain jvm LAKE DROP``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from nh_pipeline.contracts.bronze import BRONZE, REJECTS
from nh_pipeline.contracts.gold import FACILITY_MEASURES
from nh_pipeline.contracts.silver import DIM_CLAIMS, DIM_DATE, DIM_PROVIDERS, FCT_STAFFING_LEVELS
from nh_pipeline.engines.spark import spark_session
from nh_pipeline.lake.lake import Lake
from nh_pipeline.periods import quarter_bounds
from nh_pipeline.pipeline.bronze import ParseDelivery
from nh_pipeline.pipeline.context import Run, StepResult, Workspace
from nh_pipeline.pipeline.daily import BuildStaffing
from nh_pipeline.pipeline.deliveries import DIMENSIONS
from nh_pipeline.pipeline.mart import BuildMeasures
from nh_pipeline.pipeline.scd2 import BuildCalendar, BuildDimension
from nh_pipeline.sources import FolderSource
from nh_pipeline_tests.text_values import read_all

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from nh_pipeline.contracts.base import Contract
    from nh_pipeline.lake.lake import Pin
    from nh_pipeline.landing.zone import Landed
    from nh_pipeline.pipeline.guards import Standing

STAFFING = "daily_nurse_staffing"
TABLES = (*BRONZE.values(), REJECTS, FCT_STAFFING_LEVELS, DIM_PROVIDERS, DIM_CLAIMS, DIM_DATE, FACILITY_MEASURES)
DERIVED = (REJECTS, FCT_STAFFING_LEVELS, DIM_PROVIDERS, DIM_CLAIMS, FACILITY_MEASURES)


def workspace_at(root: Path, spark: Any) -> Workspace:
    return Workspace(spark, Lake(str(root)), Run(run_id="test", asset="test"))


def land(workspace: Workspace, *paths: Path) -> list[Landed]:
    """Lands files, or all files of folders, in the order given."""
    landed = []
    for path in paths:
        source = FolderSource(path)
        landed += [workspace.zone.land(source, file) for file in source.changes().files]
    return landed


def published(results: Iterable[StepResult]) -> list[StepResult]:
    """The results, all of which must have passed their gate."""
    results = list(results)
    told = [(r.table, c.name, c.description, c.sample) for r in results for c in r.refused]
    assert not told, told
    return results


def parse(workspace: Workspace, dataset: str | None = None) -> list[StepResult]:
    results = []
    for name in [dataset] if dataset else BRONZE:
        for delivery in workspace.zone.deliveries(name):
            results += published(ParseDelivery(dataset=name, delivery=delivery.delivery_id).run(workspace).results)
    return results


def quarters_of(workspace: Workspace) -> list[str]:
    return sorted({d.manifest.coverage.key for d in workspace.zone.deliveries(STAFFING)})


def staffing(workspace: Workspace, *quarters: str) -> list[StepResult]:
    results = []
    for quarter in quarters or quarters_of(workspace):
        start, end = quarter_bounds(quarter)
        results += published(BuildStaffing(coverage=quarter, start=start, end=end).run(workspace).results)
    return results


def staffing_days(workspace: Workspace, start: date, end: date, quarter: str) -> list[StepResult]:
    return published(BuildStaffing(coverage=quarter, start=start, end=end).run(workspace).results)


def dimension(workspace: Workspace, dataset: str) -> tuple[list[StepResult], tuple[Standing, ...]]:
    outcome = BuildDimension(dataset=dataset).run(workspace)
    return published(outcome.results), outcome.standings


def measures(workspace: Workspace, *quarters: str) -> list[StepResult]:
    results = []
    for quarter in quarters or quarters_of(workspace):
        start, end = quarter_bounds(quarter)
        results += published(BuildMeasures(start=start, end=end).run(workspace).results)
    return results


def whole(workspace: Workspace) -> list[StepResult]:
    """Everything that has landed, from bronze to gold."""
    return [
        *parse(workspace),
        *staffing(workspace),
        *(r for d in DIMENSIONS if workspace.zone.deliveries(d) for r in dimension(workspace, d)[0]),
        *published(BuildCalendar().run(workspace).results),
        *measures(workspace),
    ]


def table(lake: Lake, contract: Contract, pin: Pin | None = None) -> pa.Table:
    """The current rows of a table, or those of an older snapshot, in the order of its grain."""
    pin, schema = pin or lake.pin(contract), table_schema(contract)
    parts = []
    for file in pin.files:
        with lake.open(file.path) as source:
            parts.append(pq.ParquetFile(source).read().select(schema.names).cast(schema))
    rows = pa.concat_tables([schema.empty_table(), *parts])
    return rows.sort_by([(c, "ascending") for c in contract.grain])


def table_schema(contract: Contract) -> pa.Schema:
    """A contract's columns in Arrow's types."""
    return pa.schema([(f.name, _ARROW.get(f.dataType.simpleString()) or _decimal(f)) for f in contract.spark.fields])


_ARROW = {
    "string": pa.string(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
}


def _decimal(field: Any) -> pa.DataType:
    return pa.decimal128(field.dataType.precision, field.dataType.scale)


def rows(lake: Lake, contract: Contract) -> list[dict[str, Any]]:
    return table(lake, contract).to_pylist()


def snapshots(lake: Lake) -> dict[str, int]:
    """Snapshots per table."""
    found = {}
    for contract in TABLES:
        if lake.catalog.table_exists(contract.name):
            found[contract.name] = len(lake.catalog.load_table(contract.name).snapshots())
    return found


def main(engine: str, root: str, *drops: str) -> None:
    workspace = workspace_at(Path(root), spark_session(engine))
    land(workspace, *map(Path, drops))
    whole(workspace)
    for row in read_all(workspace.spark):
        print(ascii(row))  # noqa: T201 (what the other process compares)


if __name__ == "__main__":
    main(*sys.argv[1:])
