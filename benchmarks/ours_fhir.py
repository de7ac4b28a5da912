"""nh_pipeline on FHIR bundles, timed: ``python -m benchmarks.ours_fhir (bronze|lake) ZIP OUT``.

``bronze`` makes the rows of all tables and writes them as Parquet, as the build does; ``lake`` lands the zip and builds
everything that follows from it, with gate and commits; then it brings in one patient more, and looks what was rebuilt.
Prints seconds of wall and of CPU per part as JSON.
"""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import bundles
from benchmarks.clock import Clock

if TYPE_CHECKING:
    from nh_pipeline.pipeline.context import BuildContext

Figures = dict[str, Any]


def bronze(archive: Path, out: Path) -> Figures:
    """Bytes to the Parquet files of bronze, without gate and commits."""
    import pyarrow.parquet as pq

    from nh_pipeline.landing.about import About
    from nh_pipeline.landing.fhir.extract import Extraction

    clock, at = Clock(), datetime(2026, 1, 1, tzinfo=timezone.utc)
    about = About(delivery_id="0" * 32, name=archive.name, dt=at.date(), exported_at=at, modified_at=at)
    extraction, writers = Extraction(about), {}
    with archive.open("rb") as stream, ExitStack() as files:
        for table, of, batch in extraction.batches(stream):
            if (table.name, of) not in writers:
                path = out / f"{table.name}.{of}.parquet"
                writers[table.name, of] = files.enter_context(pq.ParquetWriter(path, table.arrow, compression="zstd"))
            writers[table.name, of].write_batch(batch)
    clock.lap("bronze")
    return {**clock.laps, "rows": sum(extraction.rows.values()), "files": len(writers)}


def lake(archive: Path, out: Path) -> Figures:
    """Raw to gold of the clinical domain, and then once more with one patient more."""
    clock = Clock()
    import nh_pipeline.orchestration.runs  # noqa: F401 (all that `nh` imports)
    from nh_pipeline.engines.spark import spark_session
    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.pipeline.context import BuildContext, RunInfo

    clock.lap("imports")
    context = BuildContext(spark_session("sail"), Lake(str(out)), RunInfo(run_id="benchmark", asset="benchmark"))
    clock.lap("engine start")
    _land(context, archive)
    clock.lap("landing")
    first = _build(context, clock, "")
    more = bundles.one_more(archive, out / "more")
    clock.lap(None)
    _land(context, more)
    clock.lap("one more: landing")
    then = _build(context, clock, "one more: ")
    return {**clock.laps, "tables": first, "one more: tables": then}


def _land(context: BuildContext, path: Path) -> None:
    from nh_pipeline.sources import FolderSource

    source = FolderSource(path)
    for file in source.changes(None).files:
        context.zone.land(source, file)


def _build(context: BuildContext, clock: Clock, before: str) -> dict[str, Any]:
    """Builds what is stale, by layer; seconds of CPU and how many partitions were built and changed, of every table."""
    from nh_pipeline.pipeline.plan import parts, plan
    from nh_pipeline_tests.support.catch_up import builds_of

    each, found = Clock(), {}
    for part in parts():
        stale = builds_of(plan(context.lake, context.zone).part(part))
        clock.lap(f"{before}planning")
        each.lap(None)
        for build in stale:
            built = build.run(context)
            if refused := [(r.table, c.name, c.description) for r in built.results for c in r.refused]:
                raise RuntimeError(f"the gate refused {refused}")
            for result in built.results:
                if published := result.published:
                    found[result.table] = {"built": len(published.partitions or "1"), "changed": len(published.changed)}
            clock.lap(before + built.table.table.partition(".")[0].removeprefix("clinical_"))
            each.lap(built.table.table)
    for table, partitions in found.items():
        if f"{table} cpu" in each.laps:
            partitions["cpu"] = each.laps[f"{table} cpu"]
    return found


def main(what: str, archive: str, out: str) -> None:
    """A zip of bundles into a new folder."""
    folder = Path(out)
    folder.mkdir()
    sys.stdout.write(json.dumps({"bronze": bronze, "lake": lake}[what](Path(archive), folder)))


if __name__ == "__main__":
    main(*sys.argv[1:])
