"""Extracting the treatments by the clock: what has changed every hour, all of a table that is not too large at night.

A run only lands; the sensor that catches up builds what is made of it. Without a table in the settings there is none.
"""

from typing import TYPE_CHECKING, Any

import dagster as dg

from nh_pipeline.domains import selected
from nh_pipeline.landing.manifest import Quarantined
from nh_pipeline.orchestration.jobs import scheduled
from nh_pipeline.orchestration.resources import LakeResource
from nh_pipeline.settings import Settings
from nh_pipeline.sources.protocol import SourceBusy, SourceUnavailable

if TYPE_CHECKING:
    from nh_pipeline.landing.extraction import Extracted

EXTRACTION = "treatments_extraction"
OP = "extract_treatments"

RETRIES, WAIT = 3, 60
"""How often an extraction that DynamoDB did not answer is tried again, and seconds before the first time."""


class ExtractionConfig(dg.Config):
    """What to extract: all of the table, if it has no more items than NH_TREATMENTS_FULL_SCAN; or what has changed."""

    full: bool = False


def extraction(settings: Settings) -> tuple[list[dg.JobDefinition], list[dg.ScheduleDefinition]]:
    """The job that extracts the table of the settings, and its schedules; nothing if none is named."""
    if not settings.treatments_table or "treatments" not in selected():
        return [], []

    @dg.op(name=OP, retry_policy=dg.RetryPolicy(RETRIES, delay=WAIT, backoff=dg.Backoff.EXPONENTIAL))
    def extract_treatments(context: dg.OpExecutionContext, config: ExtractionConfig, lake: LakeResource) -> None:
        from nh_pipeline.landing.extraction import extract, table_of  # noqa: PLC0415 (needs the extra `aws`)

        try:
            table = table_of(settings)
            if config.full and (items := table.described()["ItemCount"]) > settings.treatments_full_scan:
                told = f"not scanned: {items:,} items, more than NH_TREATMENTS_FULL_SCAN"
                context.add_output_metadata({"outcome": told})
                return
            found = extract(settings, lake.zone, full=config.full, table=table)
        except SourceUnavailable as error:
            raise dg.Failure(str(error), allow_retries=isinstance(error, SourceBusy)) from error
        context.add_output_metadata(_told(found))

    @dg.job(name=EXTRACTION, description="What has changed in the table of treatments lands, or all of it.")
    def extraction_job() -> None:
        extract_treatments()

    told = "Lands the treatments that have changed."
    windows = scheduled("treatments_schedule", EXTRACTION, "5 * * * *", told)
    told = "Lands all treatments, unless the table is too large: what was deleted is seen so."
    config = {"ops": {OP: {"config": {"full": True}}}}
    return [extraction_job], [windows, scheduled("treatments_full_scan", EXTRACTION, "25 2 * * *", told, config)]


def _told(found: "Extracted") -> dict[str, Any]:
    """What came of it, for the run."""
    document = found.landed.document if found.landed else None
    outcome = "the same as the last time: nothing to land"
    if document:
        outcome = f"held: {found.held}" if found.held else f"landed: {document.name}"
    if isinstance(document, Quarantined):
        outcome = f"in quarantine: {document.reason}"
    return {
        "outcome": outcome,
        "mode": found.mode,
        "window": f"since {found.since.isoformat()}" if found.since else "all",
        "items": found.items,
        "bytes": document.size if document else 0,
        "watermark": found.watermark.isoformat() if found.watermark else "none",
    }
