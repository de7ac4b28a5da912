"""Treatments without a lake: the reader's rows of bronze, and marts made of them in order, through their gates."""

from __future__ import annotations

import io
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from nh_pipeline.datasets.facility_map import DIM_FACILITY_MAP
from nh_pipeline.datasets.treatments import TREATMENTS
from nh_pipeline.landing.about import About
from nh_pipeline.landing.dynamodb import batches
from nh_pipeline.marts import treatments
from nh_pipeline.pipeline.gate import gate
from nh_pipeline_tests.support.frames import frame_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from pyspark.sql import SparkSession

AT = datetime(2024, 7, 1, 3, tzinfo=timezone.utc)
"""When the first extraction of a test began."""

Rows = dict[str, list[dict[str, Any]]]


def read(contents: Iterable[bytes], *, modified_at: datetime = AT) -> Rows:
    """The rows of bronze of deliveries, by their tables."""
    found: Rows = {table.name: [] for table in TREATMENTS.tables}
    for number, content in enumerate(contents):
        about = About(
            delivery_id=f"d{number}", name="x", dt=AT.date(), exported_at=modified_at, modified_at=modified_at
        )
        for table, _, batch in batches(about, io.BytesIO(content)):
            found[table.name] += batch.to_pylist()
    return found


def built(
    engine: SparkSession, bronze: Rows, *, homes: Mapping[str, str] | None = None, names: Collection[str] = ()
) -> Rows:
    """The rows of the marts of these names, of all without names; ``homes`` are lines of the facility map."""
    frames = {table.name: frame_of(engine, table, bronze[table.name]) for table in TREATMENTS.tables}
    confirmed = [{"organization_id": name, "provider_id": ccn} for name, ccn in (homes or {}).items()]
    frames[DIM_FACILITY_MAP.name] = frame_of(engine, DIM_FACILITY_MAP, confirmed)
    rows: Rows = {}
    for mart in treatments.MARTS:
        if names and mart.name not in names:
            continue
        made = mart.transform(*(frames[table.name] for table in mart.inputs)).select(*mart.table.names)
        rows[mart.name] = [row.asDict() for row in made.collect()]
        frames[mart.table.name] = frame = frame_of(engine, mart.table, rows[mart.name])
        assert [r for r in gate(mart.table, frame, rows=len(rows[mart.name])) if not r.passed] == []
    return rows
