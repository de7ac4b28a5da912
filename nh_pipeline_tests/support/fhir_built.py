"""Clinical tables of FHIR deliveries, without a lake: the reader's rows of bronze, and marts made of them in order."""

from __future__ import annotations

from datetime import datetime, time, timezone
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from nh_pipeline.datasets.clinical import FHIR_EXPORT
from nh_pipeline.landing.about import About
from nh_pipeline.landing.fhir import Extraction
from nh_pipeline.marts import clinical
from nh_pipeline_tests.support.frames import frame_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import date
    from typing import BinaryIO

    from pyspark.sql import SparkSession


def built(
    engine: SparkSession, deliveries: Iterable[tuple[date, BinaryIO]], names: Collection[str]
) -> dict[str, list[dict[str, Any]]]:
    """The rows of the marts of these names, by the name, of deliveries of some days."""
    held: dict[str, list[dict[str, Any]]] = {table.name: [] for table in FHIR_EXPORT.tables}
    for number, (day, stream) in enumerate(deliveries):
        at = datetime.combine(day, time(12), timezone.utc)
        about = About(delivery_id=f"d{number}", name="x", dt=day, exported_at=at, modified_at=at)
        for table, _, batch in Extraction(about).batches(stream):
            held[table.name] += pa.Table.from_batches([batch]).to_pylist()
    frames = {table.name: frame_of(engine, table, held[table.name]) for table in FHIR_EXPORT.tables}
    rows: dict[str, list[dict[str, Any]]] = {}
    for mart in (mart for mart in clinical.MARTS if mart.name in names):
        for table in mart.inputs:  # what is CMS's is not delivered here
            frames.setdefault(table.name, frame_of(engine, table, []))
        made = mart.transform(*(frames[table.name] for table in mart.inputs)).collect()
        rows[mart.name] = [row.asDict() for row in made]
        frames[mart.table.name] = frame_of(engine, mart.table, rows[mart.name])
    return rows
