"""Assets of exports: one step reads the deliveries of a range of days and makes every table of bronze.

The raw asset is as of any file (:mod:`.assets`).
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import dagster as dg

from nh_pipeline.model.table import Table
from nh_pipeline.model.view import Export
from nh_pipeline.orchestration.events import (
    Event,
    check_result,
    gate_specs,
    held_check,
    merged,
    specs_of,
    table_metadata,
)
from nh_pipeline.orchestration.partitions import EXPORTS, SINGLE_RUN, range_of
from nh_pipeline.orchestration.parts import Progress, asset_key, facts
from nh_pipeline.orchestration.resources import EngineResource, LakeResource
from nh_pipeline.pipeline.builds import Part
from nh_pipeline.pipeline.context import TableResult
from nh_pipeline.pipeline.exports import ParseExports, look
from nh_pipeline.pipeline.gate import CheckResult
from nh_pipeline.pipeline.result import BuildResult


@cache
def export_assets(
    export: Export, raw: dg.AssetKey, owners: tuple[str, ...], versions: tuple[str, ...]
) -> dg.AssetsDefinition:
    """All tables that an export becomes, by days of export.

    Every one of them shows what the gate found, and the first which deliveries do not count.
    """
    specs = [
        dg.AssetSpec(
            asset_key(table),
            deps=[raw],
            description=table.description,
            metadata=table_metadata(table),
            code_version=version,
            group_name=table.database,
            owners=list(owners),
            tags={"layer": table.database, "domain": export.domain, "phi": "true"},
            kinds={"iceberg", export.form},
            partitions_def=EXPORTS,
        )
        for table, version in zip(export.tables, versions, strict=True)
    ]

    @dg.multi_asset(
        name=f"{export.name}_bronze",
        specs=specs,
        check_specs=[spec for table in export.tables for spec in specs_of(table)],
        backfill_policy=SINGLE_RUN,
    )
    def _tables(context: dg.AssetExecutionContext, lake: LakeResource, engine: EngineResource) -> Iterator[Event]:
        found = look(lake.lake, lake.zone, export)
        yield held_check(found.statuses, export.leading)
        start, end = range_of(context) or (None, None)
        days = sorted({d.manifest.coverage.start for d in found.landed if d.manifest.coverage.start})
        chosen = [day for day in days if start and end and start <= day <= end]
        parts = [Part(day.isoformat(), day, day) for day in chosen]
        builds = [ParseExports(export=export.name, day=day) for day in chosen]
        progress = Progress.through(parts, engine.run(builds, lake.lake, context), context.log.info)
        for table in export.tables:
            results = [r for outcome in progress.outcomes for r in outcome.results if r.table == table.name]
            yield from _checked(table, results)
        if progress.failed:
            raise progress.failure() from progress.error
        for table in export.tables:
            yield dg.MaterializeResult(asset_key=asset_key(table), metadata=_metadata(table, lake, progress.outcomes))

    return _tables


def _checked(table: Table, results: Sequence[TableResult]) -> Iterator[dg.AssetCheckResult]:
    """A result for every check; where no row came, there was nothing to look at."""
    found = {check.name: check for check in merged(results)}
    for spec in gate_specs(table):
        nothing = CheckResult(name=spec.name, passed=True, blocking=spec.blocking, description="no rows to look at")
        yield check_result(found.get(spec.name, nothing), asset_key(table))


def _metadata(table: Table, lake: LakeResource, outcomes: Sequence[BuildResult]) -> dict[str, Any]:
    of = [BuildResult(table=r) for outcome in outcomes for r in outcome.results if r.table == table.name]
    return {"dagster/row_count": lake.lake.snapshot(table).rows, **facts(of)}
