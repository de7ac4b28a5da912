"""Quotients, means and quantiles of facilities' values that come out the same on every engine, in any order of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyspark.sql import DataFrame


def quotient(above: str, below: str) -> str:
    """SQL for a quotient, divided once as doubles; NULL where there is nothing to divide by."""
    return f"case when {below} > 0 then cast({above} as double) / cast({below} as double) end"


def mean(value: str) -> str:
    """SQL for the unweighted mean of a double, in billionths: a sum of doubles would depend on their order."""
    billionths = f"cast(cast(floor({value} * 1e9D + 0.5D) as bigint) as decimal(20,0))"
    return f"cast(sum({billionths}) as double) / (1e9D * cast(count({value}) as double))"


def spread(rows: DataFrame, by: Sequence[str], value: str, quantiles: Mapping[str, float]) -> DataFrame:
    """Quantiles of a value by nearest rank, a column each: the smallest value that is not below its share of all.

    NULLs count for nothing; a group without values has no row.
    """
    from pyspark.sql import Window  # noqa: PLC0415 (who reads a header needs no Spark)
    from pyspark.sql import functions as F  # noqa: PLC0415

    known = rows.where(F.col(value).isNotNull())
    ranked = known.select(
        *by,
        F.col(value).alias("_value"),
        F.row_number().over(Window.partitionBy(*by).orderBy(value)).alias("_nth"),
        F.count(F.lit(1)).over(Window.partitionBy(*by)).alias("_of"),
    )
    at = {name: f"greatest(ceil({share}D * _of), 1)" for name, share in quantiles.items()}
    return ranked.groupBy(*by).agg(
        *(F.expr(f"max(case when _nth = {nth} then _value end)").alias(name) for name, nth in at.items())
    )
