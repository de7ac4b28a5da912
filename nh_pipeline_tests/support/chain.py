"""The chain raw -> gold as tests drive it, step by step, without Dagster.

Run as a module, it builds a whole lake on an engine of its own, and prints what that engine makes of odd texts:
``python -m nh_pipeline_tests.support.chain jvm LAKE DROP``.
"""

from __future__ import annotations

import base64
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nh_pipeline import datasets
from nh_pipeline.datasets.cms.daily_nurse_staffing import FCT_STAFFING_LEVELS
from nh_pipeline.datasets.cms.medicare_claims import DIM_CLAIMS
from nh_pipeline.datasets.cms.providers import DIM_PROVIDERS
from nh_pipeline.engines.spark import spark_session
from nh_pipeline.lake.lake import Lake
from nh_pipeline.lake.relocate import relocate
from nh_pipeline.marts.facility_measures import FACILITY_MEASURES
from nh_pipeline.model.quality import DATA_QUALITY
from nh_pipeline.model.table import REJECTS
from nh_pipeline.periods import quarter_bounds
from nh_pipeline.pipeline.bronze import ParseDelivery
from nh_pipeline.pipeline.context import BuildContext, RunInfo, TableResult
from nh_pipeline.pipeline.scd2 import BuildHistory
from nh_pipeline.sources import FolderSource
from nh_pipeline.tables import domains_of, tables
from nh_pipeline.transforms import typed
from nh_pipeline_tests.support.catch_up import catch_up
from nh_pipeline_tests.support.declared import BRONZE, DIMENSIONS, measures_build, staffing_build
from nh_pipeline_tests.support.text_values import read_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import date

    from nh_pipeline.lake.snapshots import TableSnapshot
    from nh_pipeline.landing.zone import Landed
    from nh_pipeline.model.table import Table
    from nh_pipeline.pipeline.guards import DeliveryStatus
    from nh_pipeline.pipeline.plan import Stale

STAFFING = "daily_nurse_staffing"
TABLES = tuple(t for t in tables() if domains_of(t) == {"cms"} and t is not DATA_QUALITY)
"""All that is made of CMS's files; the table of quality tells of runs and of what they built at once, too."""

DERIVED = (REJECTS, FCT_STAFFING_LEVELS, DIM_PROVIDERS, DIM_CLAIMS, FACILITY_MEASURES)


def workspace_at(root: Path, spark: Any) -> BuildContext:
    return BuildContext(spark, Lake(str(root)), RunInfo(run_id="test", asset="test"))


def copied(home: Path | str, root: Path) -> Lake:
    """A copy of a local lake, with all that is in its folder: to build one takes much longer."""
    shutil.copytree(home, root, dirs_exist_ok=True)
    lake = Lake(str(root))
    relocate(lake)
    return lake


def land(workspace: BuildContext, *paths: Path) -> list[Landed]:
    """Lands files, or all files of folders, in the order given."""
    landed = []
    for path in paths:
        source = FolderSource(path)
        landed += [workspace.zone.land(source, file) for file in source.changes().files]
    return landed


def published(results: Iterable[TableResult]) -> list[TableResult]:
    """The results, all of which must have passed their gate."""
    results = list(results)
    told = [(r.table, c.name, c.description, c.sample) for r in results for c in r.refused]
    assert not told, told
    return results


def parse(workspace: BuildContext, dataset: str | None = None) -> list[TableResult]:
    results = []
    for name in [dataset] if dataset else BRONZE:
        for delivery in workspace.zone.deliveries(name):
            results += published(ParseDelivery(dataset=name, delivery=delivery.delivery_id).run(workspace).results)
    return results


def quarters_of(workspace: BuildContext) -> list[str]:
    return sorted({d.manifest.coverage.key for d in workspace.zone.deliveries(STAFFING)})


def staffing(workspace: BuildContext, *quarters: str) -> list[TableResult]:
    results = []
    for quarter in quarters or quarters_of(workspace):
        start, end = quarter_bounds(quarter)
        results += published(staffing_build(coverage=quarter, start=start, end=end).run(workspace).results)
    return results


def staffing_days(workspace: BuildContext, start: date, end: date, quarter: str) -> list[TableResult]:
    return published(staffing_build(coverage=quarter, start=start, end=end).run(workspace).results)


def dimension(workspace: BuildContext, dataset: str) -> tuple[list[TableResult], tuple[DeliveryStatus, ...]]:
    outcome = BuildHistory(table=DIMENSIONS[dataset].name).run(workspace)
    return published(outcome.results), outcome.deliveries


def measures(workspace: BuildContext, *quarters: str) -> list[TableResult]:
    results = []
    for quarter in quarters or quarters_of(workspace):
        start, end = quarter_bounds(quarter)
        results += published(measures_build(start=start, end=end).run(workspace).results)
    return results


def whole(workspace: BuildContext, wanted: Callable[[Stale], bool] = lambda _: True) -> list[TableResult]:
    """Everything that has landed and is wanted, from bronze to gold, as the plan says."""
    return [result for built in catch_up(workspace, wanted) for result in published(built.results)]


def table(lake: Lake, contract: Table, snapshot: TableSnapshot | None = None) -> pa.Table:
    """The current rows of a table, or those of an older snapshot, in the order of its grain."""
    snapshot, schema = snapshot or lake.snapshot(contract), contract.arrow
    parts = []
    for file in snapshot.files:
        with lake.open(file.path) as source:
            parts.append(pq.ParquetFile(source).read().select(schema.names).cast(schema))
    rows = without_runs(pa.concat_tables([schema.empty_table(), *parts]))
    return rows.sort_by([(c, "ascending") for c in contract.grain])


def without_runs(rows: pa.Table) -> pa.Table:
    """The same without ids of runs, which no two lakes share."""
    if "run_id" not in rows.column_names:
        return rows
    at = rows.column_names.index("run_id")
    return rows.set_column(at, rows.schema.field(at), pa.repeat("", rows.num_rows))


def rows(lake: Lake, contract: Table) -> list[dict[str, Any]]:
    return table(lake, contract).to_pylist()


def without_ids(lake: Lake) -> list[str]:
    """Data files that do not have the field ids of their table, or also say something else."""
    wrong = []
    for contract in tables():
        table = lake.load(contract)
        ids = {f.name: f.field_id for f in table.schema().fields} if table else {}
        for file in lake.snapshot(contract).files:
            with lake.open(file.path) as source:
                metadata = pq.read_metadata(source)
            noted = (metadata.metadata or {}).get(b"ARROW:schema")
            schemas = [metadata.schema.to_arrow_schema()]
            if noted:  # libraries in Rust take it for the whole truth
                schemas.append(pa.ipc.read_schema(pa.py_buffer(base64.b64decode(noted))))
            found = [{f.name: int((f.metadata or {}).get(b"PARQUET:field_id", -1)) for f in s} for s in schemas]
            wrong += [file.path] if any(f != {c: ids[c] for c in contract.names} for f in found) else []
    return wrong


def unsorted(lake: Lake) -> list[str]:
    """Data files whose rows are not in the order that their table declares."""
    wrong = []
    for contract in tables():
        for file in lake.snapshot(contract).files if contract.sort else ():
            with lake.open(file.path) as source:
                found = pq.ParquetFile(source).read(columns=list(contract.sort))
            keys = [(c, "ascending") for c in contract.sort]
            if not found.take(pc.sort_indices(found, sort_keys=keys, null_placement="at_start")).equals(found):
                wrong.append(file.path)
    return wrong


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
    for dataset in datasets.with_tables():  # reasons that no line here gives are SQL of this engine, too
        lines = workspace.read(dataset.bronze, workspace.lake.snapshot(dataset.bronze))
        assert "reason" in typed.classified(lines, dataset, dataset.typed).schema.names
    for row in read_all(workspace.spark):
        print(ascii(row))  # noqa: T201 (what the other process compares)


if __name__ == "__main__":
    main(*sys.argv[1:])
