"""Assets: three factories, as files and tables are regular; what is irregular is written out.

Thin: read the range, run the builds, report their results. A snapshot of all keys, groups and checks is in the tests.
Each is made once in a process, as every run of ``nh`` asks for all of them.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from typing import Any

import dagster as dg
from pydantic import Field

from nh_pipeline import datasets
from nh_pipeline.domains import domain_of
from nh_pipeline.landing.manifest import Delivery, Quarantined
from nh_pipeline.landing.selection import covers, uncovered, wanted
from nh_pipeline.landing.zone import Landed, RawZone
from nh_pipeline.model.dataset import Dataset
from nh_pipeline.model.kinds import Bronze, Scd2
from nh_pipeline.model.mart import Mart
from nh_pipeline.model.quality import Quality
from nh_pipeline.model.table import REJECTS, Table
from nh_pipeline.model.view import Export, Exported
from nh_pipeline.orchestration.events import Event, chooses, events, held_check, specs_of, table_metadata
from nh_pipeline.orchestration.export_assets import export_assets
from nh_pipeline.orchestration.partitions import (
    EXPORTS,
    SINGLE_RUN,
    WORK_DATES,
    partitions_of,
    partitions_of_file,
    range_of,
)
from nh_pipeline.orchestration.parts import asset_key
from nh_pipeline.orchestration.resources import EngineResource, LakeResource, SourceResource
from nh_pipeline.pipeline.builds import builds
from nh_pipeline.pipeline.deliveries import Deliveries, look
from nh_pipeline.pipeline.recipe import code_version
from nh_pipeline.sources.protocol import Source, SourceMissing
from nh_pipeline.tables import tables, told_of

OWNERS = ["team:nh-pipeline"]

FOLLOW_RELEASES = (
    dg.AutomationCondition.any_deps_updated().since_last_handled()
    & ~dg.AutomationCondition.any_deps_in_progress()
    & ~dg.AutomationCondition.in_progress()
).with_label("follow_releases")
"""A dimension is rebuilt when any release came in. Not ``eager()``: that waits for every month since 2005."""


class LandingConfig(dg.Config):
    """What to land.

    Attributes:
        file_ids: only these files of the source; empty for all that it has for the range.
        from_source: whether to look at the source at all; False takes what has landed already.
    """

    file_ids: list[str] = Field(default_factory=list)
    from_source: bool = True


def raw_key(dataset: str) -> dg.AssetKey:
    """The asset of a file's deliveries."""
    return dg.AssetKey(["raw", dataset])


def _tags(layer: str, domain: str, *, sensitive: bool = False) -> dict[str, str]:
    return {"layer": layer, "domain": domain, **({"phi": "true"} if sensitive else {})}


@cache
def raw_asset(dataset: Dataset | Export) -> dg.AssetsDefinition:
    """Deliveries of one file in the raw zone.

    A partition is green when a landed delivery covers it. Materializing lands what the source has for the range, and is
    a no-op where it has landed.
    """
    partitions = partitions_of_file(dataset)

    @dg.asset(
        key=raw_key(dataset.name),
        description=f"{dataset.title}: deliveries as they came, verified, with a manifest each.",
        metadata={"caution": dataset.caution} if dataset.caution else None,
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN if partitions else None,
        group_name="raw",
        owners=OWNERS,
        tags=_tags("raw", dataset.domain),
        kinds={dataset.form if isinstance(dataset, Export) else "csv"},
        freshness_policy=dg.FreshnessPolicy.time_window(fail_window=timedelta(days=dataset.late_after)),
    )
    def _raw(
        context: dg.AssetExecutionContext, config: LandingConfig, lake: LakeResource, source: SourceResource
    ) -> dg.MaterializeResult[None]:
        date_range = range_of(context)
        landed = _land(lake.zone, source.source, dataset.name, date_range, config) if config.from_source else []
        deliveries = [d for d in lake.zone.deliveries(dataset.name) if covers(d.manifest.coverage, date_range)]
        missing: list[str] = []  # of exports, a day without one is nothing special
        if date_range and partitions is not EXPORTS:
            missing = uncovered(deliveries, *date_range, by_day=partitions is WORK_DATES)
        refused = [d for d in (x.document for x in landed) if isinstance(d, Quarantined)]
        if missing or not deliveries:
            what = f"covers {', '.join(missing[:12])}" if missing else "has landed"
            told = f"No delivery of {dataset.name} {what}. Deliver the file, or choose a range that is covered"
            raise dg.Failure("; ".join([told, *map(_told, refused)]), allow_retries=False)
        metadata: dict[str, Any] = {
            "deliveries": len(deliveries),
            "landed_now": ", ".join(x.document.name for x in landed if x.created and x.document not in refused)
            or "nothing",
            "files": dg.MetadataValue.table([_record(d) for d in deliveries]),
            "bytes": sum(d.manifest.size for d in deliveries),
        }
        if refused:
            metadata["quarantined"] = "; ".join(map(_told, refused))
        return dg.MaterializeResult(metadata=metadata)

    return _raw


def _land(
    zone: RawZone, source: Source, dataset: str, date_range: tuple[date, date] | None, config: LandingConfig
) -> list[Landed]:
    try:
        files = wanted(source, dataset, date_range, config.file_ids)
    except SourceMissing:
        if config.file_ids:
            raise
        return []  # nothing is dropped there yet: what has landed is what there is
    return [landed for file in files for landed in zone.land(source, file).each]


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


def table_asset(table: Table) -> dg.AssetsDefinition:
    """A table of bronze, silver or gold."""
    return _table_asset(table, tuple(_reads(table)), code_version(table))


@cache
def _table_asset(table: Table, reads: tuple[dg.AssetKey, ...], version: str) -> dg.AssetsDefinition:
    partitions, is_bronze = partitions_of(table), isinstance(table.kind, Bronze)

    @dg.asset(
        key=asset_key(table),
        deps=reads,
        description=table.description,
        metadata=table_metadata(table),
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN if partitions else None,
        automation_condition=FOLLOW_RELEASES if isinstance(table.kind, Scd2) else None,
        check_specs=specs_of(table),
        code_version=version,
        group_name=table.database,
        owners=OWNERS,
        tags=_tags(table.database, domain_of(table.database), sensitive=table.sensitive),
        kinds={"iceberg", "parquet" if is_bronze else "pyspark"},
    )
    def _table(context: dg.AssetExecutionContext, lake: LakeResource, engine: EngineResource) -> Iterator[Event]:
        found = look(lake.lake, lake.zone, datasets.dataset(table.dataset)) if table.dataset else None
        if found and chooses(table):
            yield held_check(found.statuses, table)
        planned = builds(table, found, range_of(context))
        results = engine.run([build for _, build in planned], lake.lake, context)
        more = _unknown_columns(found) if is_bronze and found else {}
        yield from events(context, lake.lake, table, [part for part, _ in planned], results, metadata=more)

    return _table


def _reads(table: Table) -> list[dg.AssetKey]:
    if isinstance(table.kind, Mart):
        return [asset_key(source) for source in table.kind.inputs]
    if isinstance(table.kind, Quality):
        return [asset_key(source) for source in told_of(table)]
    if not table.dataset:
        return []
    return [
        raw_key(table.dataset) if isinstance(table.kind, Bronze) else asset_key(datasets.dataset(table.dataset).bronze)
    ]


def _unknown_columns(found: Deliveries) -> dict[str, Any]:
    extras = {d.manifest.name: ", ".join(d.manifest.extras) for d in found.landed if d.manifest.extras}
    return {"unknown_columns": extras} if extras else {}


def rejects_spec() -> dg.AssetSpec:
    """The refused lines. Not materializable by itself: every build publishes those of its deliveries."""
    return dg.AssetSpec(
        asset_key(REJECTS),
        deps=[raw_key(dataset.name) for dataset in datasets.with_tables()],
        description=f"{REJECTS.description} Written by the builds of bronze and silver, each for its own deliveries.",
        metadata=table_metadata(REJECTS),
        group_name="bronze",
        owners=OWNERS,
        tags=_tags("bronze", "cms"),
        kinds={"iceberg"},
    )


def assets() -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """All of them."""
    return [
        *map(raw_asset, datasets.delivered()),
        *(
            export_assets(export, raw_key(export.name), tuple(OWNERS), tuple(map(code_version, export.tables)))
            for export in datasets.exports()
        ),
        *(table_asset(t) for t in tables() if t is not REJECTS and not isinstance(t.kind, Exported)),
        *(rejects_spec() for t in tables() if t is REJECTS),
    ]
