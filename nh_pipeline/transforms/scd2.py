"""Slowly changing dimensions (type 2) as a pure function of all effective releases.

Business time is the release's Processing Date. Nothing here knows in which order releases arrived.

Three kinds of release rows take part:

* a row with readable values informs about every column that its layout has;
* a column that the layout lacks, or a row whose values were refused, carries no information: the last known
  value goes on, and no version starts;
* a release without any row for a key ends that key's version (``absent``), unless the file is one of changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nh_pipeline.model.table import Table


def versions(
    rows: DataFrame, table: Table, *, lacking: Mapping[str, Sequence[str]], refused: bool, absence_ends: bool = True
) -> DataFrame:
    """Versions of a dimension: half-open ``[valid_from, valid_to)``, NULL ``valid_to`` while current.

    Args:
        rows: one row per key and release: the key columns, the table's other columns (typed), ``release`` (date),
            ``delivery_id`` and ``reason`` (not NULL: the values were refused, only the presence counts).
        table: gives key, tracked, untracked and caseless columns.
        lacking: tracked column to the deliveries whose layout has no such column.
        refused: whether any ``reason`` is not NULL (looking values up again costs a join).
        absence_ends: whether a release without a key ends its version.
    """
    key = list(table.grain[:-1])
    numbered = rows.join(_releases(rows), on="release")
    if refused:
        numbered = with_last_said(numbered, key, table.kind.values, "reason is null")
    else:
        numbered = numbered.withColumn("_source", F.col("delivery_id"))
    by_key = Window.partitionBy(*key).orderBy("nth")
    before = by_key.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    sometimes = [c for c in table.kind.tracked if lacking.get(c)]
    always = [c for c in table.kind.values if c not in sometimes]
    # What is known of a column that some layouts lack: struct(value), NULL while nothing is known yet.
    known = numbered.select(
        *key,
        "release",
        "delivery_id",
        "nth",
        *always,
        *(
            F.last(
                F.when(~F.col("_source").isin(list(lacking[c])), F.struct(F.col(c).alias("value"))),
                ignorenulls=True,
            )
            .over(before)
            .alias(c)
            for c in sometimes
        ),
    )
    beside = _beside(known, key, "nth", step=-1, prefix="_was_")
    first, gap = F.col("_was_nth").isNull(), F.coalesce(F.col("_was_nth") != F.col("nth") - 1, F.lit(False))
    gap = gap if absence_ends else F.lit(False)
    changes = [_differs(F.col(c), F.col(f"_was_{c}"), c, table) for c in always if c in table.kind.tracked]
    changes += [
        # Nothing known before: the column's first value is no change.
        F.col(f"_was_{c}").isNotNull() & _differs(F.col(c)["value"], F.col(f"_was_{c}")["value"], c, table)
        for c in sometimes
    ]
    starts = F.greatest(*(c.cast("int") for c in (first, gap, *changes)))
    versioned = beside.select(*known.columns, gap.alias("is_reappearance"), starts.alias("_starts")).select(
        "*", F.sum("_starts").over(before).alias("_version")
    )
    spans = versioned.groupBy(*key, "_version").agg(
        F.min("nth").alias("nth"),
        F.max("nth").alias("_last"),
        # What the layouts of the version's first releases lacked, the first one that has it tells.
        *(F.expr(f"min_by({c}.value, case when {c} is not null then nth end)").alias(f"_known_{c}") for c in sometimes),
    )
    ends = _releases(rows).select(F.col("nth").alias("_last"), F.col("next_release").alias("valid_to"))
    opened = spans.drop("_version").join(versioned.drop("_version"), on=[*key, "nth"])
    following = F.lead("release").over(Window.partitionBy(*key).orderBy("release"))
    if absence_ends:
        beside_next = opened.join(ends, on="_last").select("*", following.alias("_following"))
    else:
        beside_next = opened.select("*", following.alias("_following"), following.alias("valid_to"))
    derived = {
        "valid_from": F.col("release"),
        "is_current": F.col("valid_to").isNull(),
        "closed_reason": F.expr(
            "case when valid_to is not null then case when _following = valid_to then 'changed' else 'absent' end end"
        ),
        "release_delivery_id": F.col("delivery_id"),
        **{c: F.col(f"_known_{c}") for c in sometimes},
    }
    # Cast, as Sail takes a column that no layout has for text.
    return beside_next.select(
        *(derived.get(f.name, F.col(f.name)).cast(f.dataType).alias(f.name) for f in table.spark.fields)
    )


def _beside(rows: DataFrame, key: Sequence[str], order: str, *, step: int, prefix: str) -> DataFrame:
    """Every row beside its key's previous (-1) or following (1) row; NULLs where there is none.

    A join on row numbers: on Sail, ``lag`` and ``lead`` cost ten times as much for keys of a few rows each.
    """
    placed = rows.select("*", F.row_number().over(Window.partitionBy(*key).orderBy(order)).alias("_place"))
    others = placed.select(*(F.col(c).alias(f"{prefix}{c}") for c in placed.columns))
    same = " and ".join(f"{c} = {prefix}{c}" for c in key)
    return placed.join(others, F.expr(f"{same} and _place + {step} = {prefix}_place"), "left")


def _differs(value: Column, other: Column, name: str, table: Table) -> Column:
    if name in table.kind.caseless:
        value, other = F.upper(value), F.upper(other)
    return ~value.eqNullSafe(other)


def _releases(rows: DataFrame) -> DataFrame:
    """release, its number and the release after it."""
    order = Window.partitionBy(F.lit(1)).orderBy("release")
    distinct = rows.select("release").distinct()
    return distinct.select(
        "release", F.row_number().over(order).alias("nth"), F.lead("release").over(order).alias("next_release")
    )


def last_said(rows: DataFrame, key: Sequence[str], deliveries: Sequence[str]) -> DataFrame:
    """Of the rows of a key in one release, the readable one of the last delivery; ``deliveries`` are in order."""
    place = F.expr(f"find_in_set(delivery_id, '{','.join(deliveries)}')")
    order = (F.expr("reason is not null"), place.desc())
    nth = F.row_number().over(Window.partitionBy(*key, "release").orderBy(*order))
    return rows.select("*", nth.alias("_nth")).where("_nth = 1").drop("_nth")


def with_last_said(rows: DataFrame, key: Sequence[str], columns: Sequence[str], said: str) -> DataFrame:
    """Rows of which the SQL ``said`` is not true take ``columns`` from the key's last release of which it is, or NULLs.

    ``_source`` is the delivery that the values are from: its layout says which columns they inform about.
    """
    before = Window.partitionBy(*key).orderBy("release").rowsBetween(Window.unboundedPreceding, Window.currentRow)
    pointer = F.last(F.when(F.expr(said), F.col("release")), ignorenulls=True).over(before)
    others = [c for c in rows.columns if c not in columns]
    pointed = rows.select(*others, pointer.alias("_said"))
    values = rows.select(*key, F.col("release").alias("_said"), F.col("delivery_id").alias("_source"), *columns)
    return pointed.join(values, on=[*key, "_said"], how="left").drop("_said")


def broken_history(dimension: DataFrame, table: Table) -> DataFrame:
    """Versions that break a rule between neighbours, with the rule's name in ``rule``.

    ``overlap``: the version ends after its successor begins. ``second_current``: an older version is still open.
    ``no_change``: adjacent versions do not differ. ``first_reappears``: nothing to reappear from.
    """
    key = table.grain[:-1]
    columns = [*key, "valid_from", "valid_to", "is_current", "is_reappearance", *table.kind.tracked]
    beside = _beside(dimension.select(*columns), key, "valid_from", step=1, prefix="next_")
    differs = [_differs(F.col(c), F.col(f"next_{c}"), c, table).cast("int") for c in table.kind.tracked]
    same = F.greatest(F.lit(0), *differs) == 0
    rule = (
        F.when(F.expr("is_current and next_valid_from is not null"), "second_current")
        .when(F.expr("next_valid_from < valid_to"), "overlap")
        .when(F.expr("next_valid_from = valid_to") & same, "no_change")
        .when(F.expr("is_reappearance and _place = 1"), "first_reappears")
    )
    return beside.select(*key, "valid_from", "valid_to", "next_valid_from", rule.alias("rule")).where(
        "rule is not null"
    )
