"""Raw assets: deliveries of one CMS dataset in the raw zone.

A partition is green when a landed delivery covers it. Materializing lands what the source has for the range and
is a no-op where it has landed.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

import dagster as dg
from pydantic import Field

from nh_pipeline.contracts.raw import DATASETS
from nh_pipeline.landing.coverage import Coverage
from nh_pipeline.landing.manifest import Delivery, Quarantined
from nh_pipeline.landing.recognise import LONGEST_RECORD, CutOff, Recognition, recognise
from nh_pipeline.landing.refused import Refused
from nh_pipeline.landing.zone import Landed, RawZone
from nh_pipeline.orchestration.partitions import RELEASES, SINGLE_RUN, WORK_DATES, run_range
from nh_pipeline.orchestration.resources import LakeResource, SourceResource
from nh_pipeline.periods import month_bounds, months
from nh_pipeline.sources.protocol import PEEK_BYTES, Source, SourceFile, SourceMissing


class LandingConfig(dg.Config):
    """What to land.

    Attributes:
        file_ids: only these files of the source; empty for all that it has for the range.
        from_source: whether to look at the source at all; False takes what has landed already.
    """

    file_ids: list[str] = Field(default_factory=list)
    from_source: bool = True


def covers(coverage: Coverage, start: date, end: date) -> bool:
    """Whether a delivery has anything for the days from ``start`` to ``end``."""
    return coverage.start is not None and coverage.end is not None and coverage.start <= end and coverage.end >= start


def recognised(source: Source, file: SourceFile) -> Recognition:
    """What a file of the source is, by its first 64 KB, or more if its first row is longer.

    Raises:
        Refused: no known layout, or damaged.
    """
    try:
        return _recognised(source, file, PEEK_BYTES)
    except CutOff:
        return _recognised(source, file, 2 * LONGEST_RECORD)


def _recognised(source: Source, file: SourceFile, size: int) -> Recognition:
    complete = file.size is not None and file.size <= size
    return recognise(source.peek(file, size), file.name, complete=complete)


def wanted(source: Source, dataset: str, start: date, end: date, file_ids: Iterable[str]) -> list[SourceFile]:
    """Files of the source that hold a dataset for a range, told by their first 64 KB.

    Raises:
        SourceUnavailable: the source cannot be listed, or one of its files not be read: that is no empty source.
    """
    only = set(file_ids)
    found = []
    for file in source.find(only) if only else source.changes(None).files:
        try:
            what = recognised(source, file)
        except Refused:  # the drive sensor puts it into quarantine; it is no delivery of this dataset
            continue
        if what.dataset == dataset and covers(what.coverage, start, end):
            found.append(file)
    return found


def uncovered(deliveries: Iterable[Delivery], start: date, end: date, *, monthly: bool) -> list[str]:
    """Days (of staffing) or months (of releases) of the range that no landed delivery covers."""
    spans = [(d.manifest.coverage.start, d.manifest.coverage.end) for d in deliveries]
    missing = []
    for month in months(start, end):
        first, last = month_bounds(month)
        if monthly:
            if not any(a and b and a <= last and b >= first for a, b in spans):
                missing.append(month)
            continue
        first, last = max(first, start), min(last, end)
        if not any(a and b and a <= first and b >= last for a, b in spans):  # a quarter covers whole months
            missing += [first.isoformat()] if first == last else [f"{first} to {last}"]
    return missing


def raw_asset(dataset: str, *, monthly: bool) -> dg.AssetsDefinition:
    """The raw asset of a modelled dataset."""

    @dg.asset(
        key=["raw", dataset],
        description=f"{DATASETS[dataset].title}: deliveries as they came, verified, with a manifest each.",
        partitions_def=RELEASES if monthly else WORK_DATES,
        backfill_policy=SINGLE_RUN,
        group_name="raw",
        kinds={"csv"},
    )
    def _raw(
        context: dg.AssetExecutionContext, config: LandingConfig, lake: LakeResource, source: SourceResource
    ) -> dg.MaterializeResult[None]:
        start, end = run_range(context)
        landed = _land(lake.zone, source.source, dataset, (start, end), config) if config.from_source else []
        deliveries = [d for d in lake.zone.deliveries(dataset) if covers(d.manifest.coverage, start, end)]
        missing = uncovered(deliveries, start, end, monthly=monthly)
        refused = [d for d in (x.document for x in landed) if isinstance(d, Quarantined)]
        if missing:
            what = (
                f"No delivery of {dataset} covers {', '.join(missing[:12])}. "
                "Deliver the file, or choose a range that is covered"
            )
            raise dg.Failure("; ".join([what, *map(_told, refused)]), allow_retries=False)
        metadata: dict[str, Any] = {
            "deliveries": len(deliveries),
            "landed_now": _names([x for x in landed if x.created and x.document not in refused]),
            "files": dg.MetadataValue.table([_record(d) for d in deliveries]),
            "bytes": sum(d.manifest.size for d in deliveries),
        }
        if refused:
            metadata["quarantined"] = "; ".join(map(_told, refused))
        return dg.MaterializeResult(metadata=metadata)

    return _raw


def _land(
    zone: RawZone, source: Source, dataset: str, extent: tuple[date, date], config: LandingConfig
) -> list[Landed]:
    try:
        files = wanted(source, dataset, *extent, config.file_ids)
    except SourceMissing:
        if config.file_ids:
            raise
        return []  # nothing is dropped there yet: what has landed is what there is
    return [zone.land(source, file) for file in files]


def _names(landed: Sequence[Landed]) -> str:
    return ", ".join(x.document.name for x in landed) or "nothing"


def _told(document: Quarantined) -> str:
    return f"{document.name} is in quarantine: {document.reason}. {document.what_to_do}"


def _record(delivery: Delivery) -> dg.TableRecord:
    manifest = delivery.manifest
    return dg.TableRecord(
        {
            "coverage": manifest.coverage.key,
            "name": manifest.name,
            "modified_at": f"{manifest.modified_at:%Y-%m-%d %H:%M}",
            "layout": manifest.layout,
            "md5": manifest.md5,
        }
    )


RAW_ASSETS = [
    raw_asset("daily_nurse_staffing", monthly=False),
    raw_asset("providers", monthly=True),
    raw_asset("medicare_claims", monthly=True),
]
