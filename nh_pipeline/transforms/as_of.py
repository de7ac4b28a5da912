"""As-of joins: which version of a dimension holds on a day.

The rule, once: a version holds from its ``valid_from`` until its ``valid_to``; the earliest version that is known of a
key also stands for all days before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date


EVER, NEVER = "date '0001-01-01'", "date '9999-12-31'"


def holding_sql(key: Sequence[str]) -> tuple[str, str]:
    """SQL for the first day on which a version holds, and the first one on which it no longer does."""
    nth = f"row_number() over (partition by {', '.join(key)} order by valid_from)"
    return f"case when {nth} = 1 then {EVER} else valid_from end", f"coalesce(valid_to, {NEVER})"


def holding(versions: DataFrame, key: Sequence[str]) -> DataFrame:
    """Versions of an SCD2 dimension with ``_from`` and ``_to``: the half-open days on which they hold."""
    first, after = holding_sql(key)
    return versions.selectExpr("*", f"{first} as _from", f"{after} as _to")


def between(versions: DataFrame, start: date, end: date) -> DataFrame:
    """Only what can match a day of the range, so that the join's cost does not grow with the history."""
    return versions.where((F.col("_from") <= F.lit(end)) & (F.col("_to") > F.lit(start)))


def side_by_side(versions: DataFrame, key: str, by: str, value: str, names: Mapping[str, str]) -> DataFrame:
    """The values of a key side by side, cut where any of them changes.

    Of a dimension whose key is ``key`` and ``by``, the values of ``by`` become columns, called as ``names`` says, that
    hold ``value``. Beside them are the key, ``valid_from`` (the latest first day of the versions in it), ``_from`` and
    ``_to``.
    """
    values = holding(versions, [key, by]).select(key, by, value, "valid_from", "_from", "_to")
    cuts = values.select(key, F.col("_from").alias("_cut")).union(values.select(key, F.col("_to").alias("_cut")))
    following = F.lead("_cut").over(Window.partitionBy(key).orderBy("_cut"))
    segments = (
        cuts.distinct().select(F.col(key).alias("_id"), "_cut", following.alias("_end")).where("_end is not null")
    )
    covered = segments.join(values, F.expr(f"{key} = _id and _from <= _cut and _cut < _to"))
    return covered.groupBy(key, F.col("_cut").alias("_from"), F.col("_end").alias("_to")).agg(
        F.max("valid_from").alias("valid_from"),
        *(F.max(F.expr(f"case when {by} = '{v}' then {value} end")).alias(name) for v, name in names.items()),
    )


def match_sql(key: str, valid_from: str, day: str) -> str:
    """SQL for which of the matches a row has, beside a version with this key and first day."""
    return f"case when {key} is null then 'unknown' when {day} < {valid_from} then 'earliest' else 'as_of' end"
