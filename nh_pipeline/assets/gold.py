"""Gold assets."""

from collections.abc import Iterator

import dagster as dg

from nh_pipeline.assets.publishing import asset_key, count_days, events, gate_specs, table_metadata
from nh_pipeline.contracts.gold import FACILITY_MEASURES
from nh_pipeline.partitions import SINGLE_RUN, WORK_DATES, run_range
from nh_pipeline.periods import quarters
from nh_pipeline.resources import EngineResource, LakeResource
from nh_pipeline.steps.measures import BuildMeasures


@dg.asset(
    key=asset_key(FACILITY_MEASURES),
    deps=[["silver", "fct_staffing_levels"], ["silver", "dim_providers"], ["silver", "dim_claims"]],
    description=FACILITY_MEASURES.schema.description,
    metadata=table_metadata(FACILITY_MEASURES),
    partitions_def=WORK_DATES,
    backfill_policy=SINGLE_RUN,
    check_specs=gate_specs(FACILITY_MEASURES, "row_accounting"),
    group_name="gold",
    kinds={"iceberg", "pyspark"},
)
def facility_measures(
    context: dg.AssetExecutionContext, lake: LakeResource, engine: EngineResource
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
    """Works a long range quarter by quarter, one commit each."""
    steps = [BuildMeasures(start=start, end=end) for _, start, end in quarters(*run_range(context))]
    results = [outcome.table for outcome in engine.run(steps, lake.lake, context)]
    count_days(context, lake.lake, FACILITY_MEASURES, *run_range(context))
    yield from events(lake.lake, FACILITY_MEASURES, results)


GOLD_ASSETS = [facility_measures]
