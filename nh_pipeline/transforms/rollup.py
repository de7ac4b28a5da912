"""Figures of facilities, rolled up to their states and the nation: pooled, and as the mean of facilities, side by side.

A figure is a quotient of two sums, or a value that CMS gives for each facility without saying what it was made of. The
first has a pooled figure: sum / sum over all facilities. Both have an unweighted mean of the facilities' values, as CMS
averages. The two differ, as large facilities count more in the one.

What a figure is made of is summed up exactly and divided once, so any order and any split of the rows gives the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.transforms.spread import mean, quotient

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyspark.sql import DataFrame

NATION = "NATION"
"""What stands for the nation where states have their code."""

_SUM = "decimal(20,3)"
_QUOTIENT = quotient("numerator", "denominator")
LEVELS = {
    "facility": ("provider_id", "state"),
    "state": ("state", "state"),
    "nation": (f"'{NATION}'", "cast(null as string)"),
}
"""The levels, and what the entity and its state are in each."""


def quotients(rows: DataFrame, by: Sequence[str], measures: Mapping[str, tuple[str, str, str]]) -> DataFrame:
    """A line per row and measure, with what is divided and what it is divided by.

    ``rows`` have ``provider_id``, ``state`` and the columns ``by``; there may be many of a facility. ``measures`` are
    by their names: what each means, and SQL for numerator and denominator. A row without denominator counts in neither.
    """
    told = {
        name: (f"case when ({below}) is not null then {above} end", below, "cast(null as double)")
        for name, (_, above, below) in measures.items()
    }
    return _long(rows, by, told)


def values(rows: DataFrame, by: Sequence[str], measures: Mapping[str, tuple[str, str]]) -> DataFrame:
    """A line per row and measure, with the value that CMS gives: one row per facility and ``by``.

    ``measures`` are by their names: what each means, and SQL for the value; NULL where CMS gives none.
    """
    nothing = f"cast(null as {_SUM})"
    return _long(rows, by, {name: (nothing, nothing, value) for name, (_, value) in measures.items()})


def listed(rows: DataFrame, by: Sequence[str], measure: str, value: str) -> DataFrame:
    """The same lines of rows that are about one measure each: SQL for its name, and for the value that CMS gives."""
    nothing = f"cast(null as {_SUM})"
    return rows.selectExpr(
        "provider_id", "state", *by, f"{measure} as measure", f"{nothing} as numerator", f"{nothing} as denominator",
        f"cast({value} as double) as value",
    )  # fmt: skip


def _long(rows: DataFrame, by: Sequence[str], measures: Mapping[str, tuple[str, str, str]]) -> DataFrame:
    lines = ", ".join(
        f"named_struct('measure', '{name}', 'numerator', cast({above} as {_SUM}), 'denominator', "
        f"cast({below} as {_SUM}), 'value', cast({value} as double))"
        for name, (above, below, value) in measures.items()
    )
    exploded = rows.selectExpr("provider_id", "state", *by, f"explode(array({lines})) as _line")
    return exploded.selectExpr("provider_id", "state", *by, "_line.*")


def by_level(lines: DataFrame, by: Sequence[str]) -> DataFrame:
    """Lines of :func:`quotients` and :func:`values`, summed up for each facility, state and the nation.

    Gives ``level``, ``entity``, ``state``, ``measure``, ``by``, ``numerator``, ``denominator``, ``pooled`` (NULL where
    nothing is known to divide by), ``facility_mean``, and ``n``: how many facilities have a value.
    """
    from pyspark.sql import functions as F  # noqa: PLC0415 (who reads a header needs no Spark)

    sums = [F.expr(f"cast(sum({name}) as {_SUM}) as {name}") for name in ("numerator", "denominator")]
    facilities = (
        lines.groupBy("provider_id", "measure", *by)
        .agg(F.expr("max(state) as state"), *sums, F.expr("max(value) as value"))
        .selectExpr("*", f"coalesce({_QUOTIENT}, value) as _value")
    )
    levels = ", ".join(
        f"named_struct('level', '{level}', 'entity', {entity}, 'state', {state})"
        for level, (entity, state) in LEVELS.items()
    )
    counted = facilities.selectExpr(
        "measure", *by, "numerator", "denominator", "_value as value", f"explode(array({levels})) as _at"
    ).where("_at.entity is not null")
    at = [F.expr(f"_at.{name} as {name}") for name in ("level", "entity", "state")]
    rolled = counted.groupBy(*at, "measure", *by).agg(
        *sums, F.expr(f"{mean('value')} as facility_mean"), F.expr("cast(count(value) as int) as n")
    )
    return rolled.selectExpr(
        "level", "entity", "state", "measure", *by, "numerator", "denominator", f"{_QUOTIENT} as pooled",
        "facility_mean", "n",
    )  # fmt: skip
