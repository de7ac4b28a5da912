"""Of everything that was delivered of a resource, what holds now: the latest version, in whatever order it came."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from nh_pipeline.model.table import Table

_NUMBER = r"case when version_id rlike '^[0-9]{1,18}\\z' then cast(version_id as bigint) end"

ORDER = ", ".join(
    f"{by} desc nulls last"
    for by in ("version_at", _NUMBER, "dt", "exported_at", "modified_at", "delivery_id", "source_line", "member")
)
"""The latest first. A total order: comparing each pair by what both of them have would be none."""

_AT = ("delivery_id", "member", "source_line")
_ID = ("resource_type", "resource_id")
VERSION = ("version_at", "version_id", "dt", "exported_at", "modified_at", *_AT)
_STATES = ("status", "verification_status")
"""A resource that was entered in error says so in its status; a condition, in its verification status."""


def latest(rows: DataFrame, deletions: DataFrame, conflicts: DataFrame, of: Table) -> DataFrame:
    """The latest version of each resource that is still there, with all its columns.

    Args:
        rows: of bronze, a row per resource and delivery.
        deletions: ``clinical_bronze.deletion``. A version that is as late as a deletion, or later, is there again.
        conflicts: ``clinical_silver.id_conflicts``: versions that do not count.
        of: the table of bronze that they are rows of: of a view, or ``resource``, which has several types.

    Returns:
        The rows with ``n_versions``: how many of them there were of the resource. What was entered in error is gone.
    """
    return rows.join(winners(rows, deletions, conflicts, of), [*_at(of)])


def winners(rows: DataFrame, deletions: DataFrame, conflicts: DataFrame, of: Table) -> DataFrame:
    """Where the rows of :func:`latest` stand, with ``n_versions``.

    To find them takes few columns, and engines plan, and sort, by the column.
    """
    at, view = _at(of), of.kind.view
    kind = f"'{view.resource}' as resource_type" if view else "resource_type"
    state = f"coalesce({', '.join(name for name in _STATES if name in of.names) or 'null'}, '') as _state"
    patient = "coalesce(patient_id, '') as _patient"
    said = rows.selectExpr(kind, *dict.fromkeys((*at, *VERSION)), state, patient)
    out = conflicts.selectExpr(*_ID, "delivery_id", "patient_id as _patient")
    deleted = deletions.groupBy(*_ID).agg(F.max("version_at").alias("_deleted_at"))
    nth = f"row_number() over (partition by resource_type, resource_id order by {ORDER})"
    n_versions = "cast(count(1) over (partition by resource_type, resource_id) as int)"
    ranked = said.join(out, [*_ID, "delivery_id", "_patient"], "left_anti").selectExpr(
        "*", f"{nth} as _nth", f"{n_versions} as n_versions"
    )
    held = ranked.where("_nth = 1 and _state <> 'entered-in-error'").join(deleted, [*_ID], "left")
    there = held.where("_deleted_at is null or _deleted_at <= version_at")
    return there.select(*at, "n_versions")


def _at(of: Table) -> tuple[str, ...]:
    """Where a row stands: there are several in a line of what is contained in resources."""
    return ("resource_id", *of.grain)


def elements(rows: DataFrame, winners: DataFrame) -> DataFrame:
    """The rows of a view of elements that belong to the latest versions, with their ``n_versions``."""
    at = ["resource_id", *_AT]
    return rows.join(winners.select(*at, "n_versions"), at)
