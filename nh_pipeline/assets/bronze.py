"""Bronze assets: deliveries of one dataset as text tables; and the one table of all refused lines."""

from collections.abc import Iterator

import dagster as dg

from nh_pipeline.assets.publishing import asset_key, events, gate_specs, table_metadata
from nh_pipeline.assets.raw import covers
from nh_pipeline.contracts.bronze import BRONZE, REJECTS
from nh_pipeline.lake.lake import Lake
from nh_pipeline.partitions import RELEASES, SINGLE_RUN, WORK_DATES, run_range
from nh_pipeline.resources import EngineResource, LakeResource
from nh_pipeline.steps.bronze import ParseDelivery
from nh_pipeline.steps.outcome import Outcome

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


def report_rejects(context: dg.AssetExecutionContext, lake: Lake, outcome: Outcome) -> None:
    """Shows a step's part of ``bronze.rejects`` in the UI.

    Raises:
        dg.Failure: the rejects themselves broke their contract.
    """
    rejects = outcome.rejects
    if rejects is None:
        return
    if rejects.refused:
        first = rejects.refused[0]
        raise dg.Failure(f"{REJECTS.name}: {first.name}: {first.advice}", allow_retries=False)
    if rejects.published and rejects.published.changed:
        metadata = {
            "dagster/row_count": lake.pin(REJECTS).rows,
            "rows": rejects.rows,
            "by": context.asset_key.to_user_string(),
        }
        context.log_event(dg.AssetMaterialization(REJECTS_KEY, metadata=metadata))


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
        group_name="bronze",
        kinds={"iceberg", "parquet"},
    )
    def _bronze(
        context: dg.AssetExecutionContext, lake: LakeResource, engine: EngineResource
    ) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
        start, end = run_range(context)
        deliveries = [d for d in lake.zone.deliveries(dataset) if covers(d.manifest.coverage, start, end)]
        steps = [ParseDelivery(dataset=dataset, delivery=d.delivery_id) for d in deliveries]
        results = []
        for outcome in engine.run(steps, lake.lake, context):
            report_rejects(context, lake.lake, outcome)
            results.append(outcome.table)
        extras = {d.manifest.name: ", ".join(d.manifest.extras) for d in deliveries if d.manifest.extras}
        yield from events(lake.lake, contract, results, metadata={"unknown_columns": extras} if extras else {})

    return _bronze


BRONZE_ASSETS = [
    bronze_asset("daily_nurse_staffing", monthly=False),
    bronze_asset("providers", monthly=True),
    bronze_asset("medicare_claims", monthly=True),
]
