"""Jobs: what one delivery sets in motion. Each holds assets of one kind of partition, so that it is one run."""

from typing import Any

import dagster as dg

from nh_pipeline.landing.source_state import Holdings
from nh_pipeline.landing.sync import land_changes
from nh_pipeline.orchestration.resources import LakeResource, SourceResource

STAFFING_KEYS = [
    ["raw", "daily_nurse_staffing"],
    ["bronze", "daily_nurse_staffing_raw"],
    ["silver", "fct_staffing_levels"],
    ["gold", "facility_measures"],
]


def _select(*keys: list[str]) -> dg.AssetSelection:
    return dg.AssetSelection.assets(*keys)


STAFFING = dg.define_asset_job(
    "staffing",
    _select(*STAFFING_KEYS),
    description="A quarter (or any range of days) of daily staffing, raw to gold.",
)
PROVIDERS = dg.define_asset_job(
    "providers_release",
    _select(["raw", "providers"], ["bronze", "providers_raw"]),
    description="A release of provider information, raw to bronze; dim_providers follows.",
)
CLAIMS = dg.define_asset_job(
    "claims_release",
    _select(["raw", "medicare_claims"], ["bronze", "medicare_claims_raw"]),
    description="A release of claims measures, raw to bronze; dim_claims follows.",
)
DIMENSIONS = dg.define_asset_job(
    "dimensions",
    _select(["silver", "dim_providers"], ["silver", "dim_claims"], ["silver", "dim_date"]),
    description="All dimensions, from all releases.",
)
MEASURES = dg.define_asset_job(
    "facility_measures",
    _select(["gold", "facility_measures"]),
    description="Gold alone, for the days whose provider or claims versions changed.",
)

DELIVERY_JOBS = {"daily_nurse_staffing": STAFFING, "providers": PROVIDERS, "medicare_claims": CLAIMS}
"""The job that a delivered file of a dataset starts."""


class LandOnlyConfig(dg.Config):
    """Files of the source to land."""

    file_ids: list[str]


@dg.op
def land(context: dg.OpExecutionContext, config: LandOnlyConfig, lake: LakeResource, source: SourceResource) -> None:
    """Lands files that no asset is made of yet, or puts them into quarantine with a reason."""
    drop = source.source
    for file in drop.find(config.file_ids):
        landed = lake.zone.land(drop, file)
        context.log.info("%s: %s", file.name, landed.path)


@dg.job(name="land_only", description="A file that is not modelled yet, or not recognised: raw zone or quarantine.")
def LAND_ONLY() -> None:  # noqa: N802 (a constant like the other jobs)
    """One op."""
    land()


@dg.op
def reconcile(context: dg.OpExecutionContext, lake: LakeResource, source: SourceResource) -> None:
    """Lists all that the source holds, and lands what is missing; the drive sensor then requests its runs."""
    drop = source.source
    if not drop.authoritative:
        context.log.info("nothing to reconcile: the drive sensor lists all of a folder whenever it looks")
        return
    state = Holdings(lake.lake.storage, drop.name)
    for landed in land_changes(drop, lake.zone, state, full=True):
        context.log.info("%s: %s", landed.document.name, landed.path)
    context.log.info("%s files, and %s more that cannot be delivered", len(state.files), len(state.unusable))


@dg.job(
    name="reconciliation", description="All that Google Drive holds beside what has landed: what was missed is landed."
)
def RECONCILE() -> None:  # noqa: N802
    """One op."""
    reconcile()


JOBS: list[Any] = [STAFFING, PROVIDERS, CLAIMS, DIMENSIONS, MEASURES, LAND_ONLY, RECONCILE]
