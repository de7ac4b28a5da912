"""Silver assets: the staffing fact by day, and the dimensions (unpartitioned: always built from all releases)."""

from collections.abc import Iterator

import dagster as dg

from nh_pipeline.assets.bronze import report_rejects
from nh_pipeline.assets.publishing import asset_key, count_days, events, gate_specs, table_metadata
from nh_pipeline.automation.conditions import FOLLOW_RELEASES
from nh_pipeline.contracts.silver import DIM_DATE, FCT_STAFFING_LEVELS
from nh_pipeline.partitions import SINGLE_RUN, WORK_DATES, run_range
from nh_pipeline.periods import quarters
from nh_pipeline.resources import EngineResource, LakeResource
from nh_pipeline.steps.dimensions import BuildCalendar, BuildDimension
from nh_pipeline.steps.effective import DIMENSIONS
from nh_pipeline.steps.staffing import READABLE, BuildStaffing


@dg.asset(
    key=asset_key(FCT_STAFFING_LEVELS),
    deps=[["bronze", "daily_nurse_staffing_raw"]],
    description=FCT_STAFFING_LEVELS.schema.description,
    metadata=table_metadata(FCT_STAFFING_LEVELS),
    partitions_def=WORK_DATES,
    backfill_policy=SINGLE_RUN,
    check_specs=gate_specs(FCT_STAFFING_LEVELS, "row_accounting", READABLE),
    group_name="silver",
    kinds={"iceberg", "pyspark"},
)
def fct_staffing_levels(
    context: dg.AssetExecutionContext, lake: LakeResource, engine: EngineResource
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
    """Works a long range quarter by quarter, one commit each."""
    steps = [BuildStaffing(coverage=q, start=start, end=end) for q, start, end in quarters(*run_range(context))]
    outcomes = []
    for outcome in engine.run(steps, lake.lake, context):
        report_rejects(context, lake.lake, outcome)
        outcomes.append(outcome)
    count_days(context, lake.lake, FCT_STAFFING_LEVELS, *run_range(context))
    standings = [standing for outcome in outcomes for standing in outcome.standings]
    yield from events(lake.lake, FCT_STAFFING_LEVELS, [o.table for o in outcomes], standings=standings)


def dimension_asset(dataset: str) -> dg.AssetsDefinition:
    """The SCD2 dimension of a monthly dataset; follows its releases by condition."""
    contract = DIMENSIONS[dataset]

    @dg.asset(
        key=asset_key(contract),
        deps=[["bronze", f"{dataset}_raw"]],
        description=contract.schema.description,
        metadata=table_metadata(contract),
        automation_condition=FOLLOW_RELEASES,
        check_specs=gate_specs(contract, "scd2_history", "current_is_latest_release", "row_accounting"),
        group_name="silver",
        kinds={"iceberg", "pyspark"},
    )
    def _dimension(
        context: dg.AssetExecutionContext, lake: LakeResource, engine: EngineResource
    ) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
        for outcome in engine.run([BuildDimension(dataset=dataset)], lake.lake, context):
            report_rejects(context, lake.lake, outcome)
            yield from events(lake.lake, contract, [outcome.table], standings=outcome.standings)

    return _dimension


@dg.asset(
    key=asset_key(DIM_DATE),
    description=DIM_DATE.schema.description,
    metadata=table_metadata(DIM_DATE),
    check_specs=gate_specs(DIM_DATE),
    group_name="silver",
    kinds={"iceberg", "pyspark"},
)
def dim_date(
    context: dg.AssetExecutionContext, lake: LakeResource, engine: EngineResource
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
    """The calendar depends on nothing."""
    for outcome in engine.run([BuildCalendar()], lake.lake, context):
        yield from events(lake.lake, DIM_DATE, [outcome.table])


SILVER_ASSETS = [fct_staffing_levels, *(dimension_asset(d) for d in DIMENSIONS), dim_date]
