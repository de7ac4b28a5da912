"""Encounters for tests of clinical gold, and marts as tests look at them."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from nh_pipeline.pipeline.gate import gate

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from nh_pipeline.model.mart import Mart


def built(mart: Mart, *inputs: DataFrame) -> dict[tuple[str, ...], dict[str, Any]]:
    """The rows of a mart by its grain, in order, which its gate lets pass."""
    made = mart.transform(*inputs).select(*mart.table.names)
    found = [row.asDict() for row in made.collect()]
    assert [(r.name, r.sample) for r in gate(mart.table, made, rows=len(found)) if not r.passed] == []
    keyed = {tuple(str(row[name]) for name in mart.grain): row for row in found}
    return dict(sorted(keyed.items()))


def day(text: str) -> date:
    """``01-05`` as a date of 2024."""
    return date.fromisoformat(f"2024-{text}")


def encounter(start: str, end: str | None = None, kind: str = "ambulatory", **more: Any) -> dict[str, Any]:
    """An encounter by its days; without end it is open."""
    return {
        "encounter_kind": kind,
        "diagnosis_category": "Unmapped",
        "status": "finished" if end else "in-progress",
        "start_date": day(start),
        "start_precision": "day",
        "end_date": end and day(end),
        "end_precision": end and "day",
        **more,
    }
