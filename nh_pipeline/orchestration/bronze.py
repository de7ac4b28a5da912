"""Bronze assets: deliveries of one dataset as text tables; and the one table of all refused lines."""

from collections.abc import Iterator

import dagster as dg

from nh_pipeline.contracts.bronze import BRONZE, REJECTS
from nh_pipeline.landing.manifest import Delivery
from nh_pipeline.orchestration.events import Event, Part, asset_key, events, gate_specs, table_metadata
from nh_pipeline.orchestration.partitions import RELEASES, SINGLE_RUN, WORK_DATES, run_range
from nh_pipeline.orchestration.raw import covers
from nh_pipeline.orchestration.resources import EngineResource, LakeResource
from nh_pipeline.pipeline.bronze import ParseDelivery
from nh_pipeline.pipeline.recipe import code_version

REJECTS_KEY = asset_key(REJECTS)

REJECTS_SPEC = dg.AssetSpec(
    REJECTS_KEY,
    deps=[["raw", dataset] for dataset in BRONZE],
    description=f"{REJECTS.schema.description} Written by the bronze and silver steps, each for its own deliveries.",
    metadata=table_metadata(REJECTS),
    group_name="bronze",
    kinds={"iceberg"},
)
"""Not materializable by itself: every step publishes the refused lines of its deliveries."""


def part_of(delivery: Delivery, *, monthly: bool) -> Part:
    """A delivery as a part of a run over days, or over months, whose partitions are their first days."""
    coverage = delivery.manifest.coverage
    start = coverage.start.replace(day=1) if monthly and coverage.start else coverage.start
    return Part(delivery.manifest.name, start, coverage.end)


def bronze_asset(dataset: str, *, monthly: bool) -> dg.AssetsDefinition:
    """The bronze asset of a modelled dataset."""
    contract = BRONZE[dataset]

    @dg.asset(
        key=asset_key(contract),
        deps=[["raw", dataset]],
        description=contract.schema.description,
        metadata=table_metadata(contract),
        partitions_def=RELEASES if monthly else WORK_DATES,
        backfill_policy=SINGLE_RUN,
        check_specs=gate_specs(contract, "row_accounting"),
        code_version=code_version(contract),
        group_name="bronze",
        kinds={"iceberg", "parquet"},
    )
    def _bronze(context: dg.AssetExecutionContext, lake: LakeResource, engine: EngineResource) -> Iterator[Event]:
        start, end = run_range(context)
        deliveries = [d for d in lake.zone.deliveries(dataset) if covers(d.manifest.coverage, start, end)]
        steps = [ParseDelivery(dataset=dataset, delivery=d.delivery_id) for d in deliveries]
        parts = [part_of(d, monthly=monthly) for d in deliveries]
        extras = {d.manifest.name: ", ".join(d.manifest.extras) for d in deliveries if d.manifest.extras}
        outcomes = engine.run(steps, lake.lake, context)
        metadata = {"unknown_columns": extras} if extras else {}
        yield from events(context, lake.lake, contract, parts, outcomes, metadata=metadata)

    return _bronze


BRONZE_ASSETS = [
    bronze_asset("daily_nurse_staffing", monthly=False),
    bronze_asset("providers", monthly=True),
    bronze_asset("medicare_claims", monthly=True),
]
