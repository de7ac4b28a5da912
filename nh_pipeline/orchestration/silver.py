"""Silver assets: the staffing fact by day, and the dimensions (unpartitioned: always built from all releases)."""

from collections.abc import Iterator

import dagster as dg

from nh_pipeline.contracts.silver import DIM_DATE, FCT_STAFFING_LEVELS
from nh_pipeline.orchestration.conditions import FOLLOW_RELEASES
from nh_pipeline.orchestration.events import (
    Event,
    Part,
    asset_key,
    events,
    gate_specs,
    held_check,
    held_spec,
    table_metadata,
)
from nh_pipeline.orchestration.partitions import SINGLE_RUN, WORK_DATES, run_range
from nh_pipeline.orchestration.resources import EngineResource, LakeResource
from nh_pipeline.periods import quarters
from nh_pipeline.pipeline.daily import READABLE, BuildStaffing
from nh_pipeline.pipeline.deliveries import DIMENSIONS, STAFFING, standings
from nh_pipeline.pipeline.recipe import code_version
from nh_pipeline.pipeline.scd2 import BuildCalendar, BuildDimension


@dg.asset(
    key=asset_key(FCT_STAFFING_LEVELS),
    deps=[["bronze", "daily_nurse_staffing_raw"]],
    description=FCT_STAFFING_LEVELS.schema.description,
    metadata=table_metadata(FCT_STAFFING_LEVELS),
    partitions_def=WORK_DATES,
    backfill_policy=SINGLE_RUN,
    check_specs=[*gate_specs(FCT_STAFFING_LEVELS, "row_accounting", READABLE), held_spec(FCT_STAFFING_LEVELS)],
    code_version=code_version(FCT_STAFFING_LEVELS),
    group_name="silver",
    kinds={"iceberg", "pyspark"},
)
def fct_staffing_levels(
    context: dg.AssetExecutionContext, lake: LakeResource, engine: EngineResource
) -> Iterator[Event]:
    """Works a long range quarter by quarter, one commit each; last those that no delivery counts for, as they fail."""
    found = standings(lake.lake, lake.zone, STAFFING)
    yield held_check(found, FCT_STAFFING_LEVELS)
    counting = {s.coverage for s in found if s.state == "effective"}
    spans = sorted(quarters(*run_range(context)), key=lambda span: span[0] not in counting)
    steps = [BuildStaffing(coverage=q, start=start, end=end) for q, start, end in spans]
    outcomes = engine.run(steps, lake.lake, context)
    yield from events(context, lake.lake, FCT_STAFFING_LEVELS, [Part(*span) for span in spans], outcomes)


def dimension_asset(dataset: str) -> dg.AssetsDefinition:
    """The SCD2 dimension of a monthly dataset; follows its releases by condition."""
    contract = DIMENSIONS[dataset]

    @dg.asset(
        key=asset_key(contract),
        deps=[["bronze", f"{dataset}_raw"]],
        description=contract.schema.description,
        metadata=table_metadata(contract),
        automation_condition=FOLLOW_RELEASES,
        check_specs=[
            *gate_specs(contract, "scd2_history", "current_is_latest_release", "row_accounting"),
            held_spec(contract),
        ],
        code_version=code_version(contract),
        group_name="silver",
        kinds={"iceberg", "pyspark"},
    )
    def _dimension(context: dg.AssetExecutionContext, lake: LakeResource, engine: EngineResource) -> Iterator[Event]:
        yield held_check(standings(lake.lake, lake.zone, dataset), contract)
        outcomes = engine.run([BuildDimension(dataset=dataset)], lake.lake, context)
        yield from events(context, lake.lake, contract, [Part(contract.name)], outcomes)

    return _dimension


@dg.asset(
    key=asset_key(DIM_DATE),
    description=DIM_DATE.schema.description,
    metadata=table_metadata(DIM_DATE),
    check_specs=gate_specs(DIM_DATE),
    code_version=code_version(DIM_DATE),
    group_name="silver",
    kinds={"iceberg", "pyspark"},
)
def dim_date(context: dg.AssetExecutionContext, lake: LakeResource, engine: EngineResource) -> Iterator[Event]:
    """The calendar depends on nothing."""
    outcomes = engine.run([BuildCalendar()], lake.lake, context)
    yield from events(context, lake.lake, DIM_DATE, [Part(DIM_DATE.name)], outcomes)


SILVER_ASSETS = [fct_staffing_levels, *(dimension_asset(d) for d in DIMENSIONS), dim_date]
