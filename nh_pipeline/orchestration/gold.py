"""Gold assets."""

from collections.abc import Iterator

import dagster as dg

from nh_pipeline.contracts.gold import FACILITY_MEASURES
from nh_pipeline.orchestration.events import Event, Part, asset_key, events, gate_specs, table_metadata
from nh_pipeline.orchestration.partitions import SINGLE_RUN, WORK_DATES, run_range
from nh_pipeline.orchestration.resources import EngineResource, LakeResource
from nh_pipeline.periods import quarters
from nh_pipeline.pipeline.mart import BuildMeasures
from nh_pipeline.pipeline.recipe import code_version


@dg.asset(
    key=asset_key(FACILITY_MEASURES),
    deps=[["silver", "fct_staffing_levels"], ["silver", "dim_providers"], ["silver", "dim_claims"]],
    description=FACILITY_MEASURES.schema.description,
    metadata=table_metadata(FACILITY_MEASURES),
    partitions_def=WORK_DATES,
    backfill_policy=SINGLE_RUN,
    check_specs=gate_specs(FACILITY_MEASURES, "row_accounting"),
    code_version=code_version(FACILITY_MEASURES),
    group_name="gold",
    kinds={"iceberg", "pyspark"},
)
def facility_measures(context: dg.AssetExecutionContext, lake: LakeResource, engine: EngineResource) -> Iterator[Event]:
    """Works a long range quarter by quarter, one commit each."""
    spans = quarters(*run_range(context))
    steps = [BuildMeasures(start=start, end=end) for _, start, end in spans]
    outcomes = engine.run(steps, lake.lake, context)
    yield from events(context, lake.lake, FACILITY_MEASURES, [Part(*span) for span in spans], outcomes)


GOLD_ASSETS = [facility_measures]
