"""Of everything that was delivered of a resource, what holds now: the latest version, in whatever order it came."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

_NUMBER = r"case when version_id rlike '^[0-9]{1,18}\\z' then cast(version_id as bigint) end"

ORDER = ", ".join(
    f"{by} desc nulls last"
    for by in ("version_at", _NUMBER, "dt", "exported_at", "modified_at", "delivery_id", "source_line", "member")
)
"""The latest first. A total order: comparing each pair by what both of them have would be none."""

_AT = ("delivery_id", "member", "source_line")
_ID = ("resource_type", "resource_id")


def latest(rows: DataFrame, deletions: DataFrame, conflicts: DataFrame, resource_type: str = "") -> DataFrame:
    """The latest version of each resource that is still there, with all its columns.

    Args:
        rows: of bronze, a row per resource and delivery.
        deletions: ``clinical_bronze.deletion``. A version that is as late as a deletion, or later, is there again.
        conflicts: ``clinical_silver.id_conflicts``: versions that do not count.
        resource_type: type of the resources; empty if the rows have it (``resource_type``), and may be of several.

    Returns:
        The rows with ``n_versions``: how many of them there were of the resource. What was entered in error is gone.
    """
    said = rows.columns
    typed = rows if not resource_type else rows.withColumn("resource_type", F.lit(resource_type))
    out = conflicts.selectExpr(*_ID, "delivery_id", "patient_id as _patient")
    counting = typed.selectExpr("*", "coalesce(patient_id, '') as _patient").join(
        out, [*_ID, "delivery_id", "_patient"], "left_anti"
    )
    deleted = deletions.groupBy(*_ID).agg(F.max("version_at").alias("_deleted_at"))
    nth = f"row_number() over (partition by resource_type, resource_id order by {ORDER})"
    n_versions = "cast(count(1) over (partition by resource_type, resource_id) as int)"
    ranked = counting.selectExpr("*", f"{nth} as _nth", f"{n_versions} as n_versions").where("_nth = 1")
    held = ranked.join(deleted, [*_ID], "left").where("_deleted_at is null or _deleted_at <= version_at")
    return held.where(_in_use(rows)).select(*said, "n_versions")


def _in_use(rows: DataFrame) -> Column:
    """A resource that was entered in error says so in its status; a condition, in its verification status."""
    states = [F.col(name) for name in ("status", "verification_status") if name in rows.columns]
    return ~F.coalesce(*states, F.lit("")).eqNullSafe("entered-in-error")


def elements(rows: DataFrame, winners: DataFrame) -> DataFrame:
    """The rows of a view of elements that belong to the latest versions, with their ``n_versions``."""
    at = ["resource_id", *_AT]
    return rows.join(winners.select(*at, "n_versions"), at)
