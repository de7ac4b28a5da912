"""Small frames of declared tables, and key figures as tests look at them."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from nh_pipeline.pipeline.gate import gate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pyspark.sql import DataFrame, SparkSession

    from nh_pipeline.model.mart import Mart
    from nh_pipeline.model.table import Table

_NOTHING: dict[type, Any] = {int: 0, Decimal: Decimal(0), bool: False, str: ""}


def frame_of(engine: SparkSession, table: Table, rows: Iterable[Mapping[str, Any]]) -> DataFrame:
    """Rows of a table that say what the test is about; all else is NULL, or zero where a value is always there."""
    rest = {c.name: None if c.nullable else _NOTHING.get(c.type.python) for c in table.columns}
    full = [{**rest, **row} for row in rows]
    return engine.createDataFrame([tuple(row[name] for name in table.names) for row in full], table.spark)


class Figures(dict[tuple[str, str], tuple[Any, ...]]):
    """By measure and entity: numerator, denominator, pooled, mean of facilities, n; all else in ``rows``."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows
        told = ("numerator", "denominator", "pooled", "facility_mean", "n")
        super().__init__({(row["measure"], row["entity"]): tuple(row[name] for name in told) for row in rows})


def figures(mart: Mart, made: DataFrame) -> Figures:
    """What the transform of a key figure made, which its gate lets pass."""
    rows = [row.asDict() for row in made.collect()]
    assert [result for result in gate(mart.table, made, rows=len(rows)) if not result.passed] == []
    return Figures(rows)
