"""nh_pipeline on FHIR bundles, timed: ``python -m benchmarks.ours_fhir (bronze|lake) ZIP OUT``.

``bronze`` makes the rows of all tables and writes them as Parquet, as the build does; ``lake`` lands the zip and builds
everything that follows from it, with gate and commits; then it brings in one patient more, and looks what was rebuilt.
Prints seconds of wall and of CPU per part as JSON.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from benchmarks import bundles, ours_lake
from benchmarks.clock import Clock, told

if TYPE_CHECKING:
    from pathlib import Path

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
    context = ours_lake.opened(out, clock)
    ours_lake.land(context, archive)
    clock.lap("landing")
    first = ours_lake.build(context, clock)
    more = bundles.one_more(archive, out / "more")
    clock.lap(None)
    ours_lake.land(context, more)
    clock.lap("one more: landing")
    then = ours_lake.build(context, clock, "one more: ")
    return {**clock.laps, "tables": first, "one more: tables": then}


def main(what: str, archive: str, out: str) -> None:
    """A zip of bundles into a new folder."""
    told({"bronze": bronze, "lake": lake}[what], archive, out)


if __name__ == "__main__":
    main(*sys.argv[1:])
