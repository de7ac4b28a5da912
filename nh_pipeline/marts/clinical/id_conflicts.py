"""``clinical_silver.id_conflicts``: versions of resources that do not count, as their id means several things."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.clinical.export import DELETION, RESOURCE
from nh_pipeline.model.columns import category, text
from nh_pipeline.model.mart import Mart
from nh_pipeline.transforms.select import select

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

REASONS = {
    "collision": "one delivery has the id for several patients: nobody knows whose it is",
    "left_out": "a later complete export no longer has it",
    "subject_changed": "the latest version is of another patient",
    "patient_deleted": "the patient is deleted, and with the patient what belongs to it",
}
_ID = ("resource_type", "resource_id")


def id_conflicts(resources: DataFrame, deletions: DataFrame) -> DataFrame:
    """Versions that do not count, as it is not their patient's, or the patient is gone."""
    from pyspark.sql import functions as F

    from nh_pipeline.transforms.latest import ORDER

    rows = resources.selectExpr(
        *_ID, "coalesce(patient_id, '') as patient_id", "version_at", "version_id", "dt", "exported_at", "modified_at",
        "delivery_id", "source_line", "member",
    )  # fmt: skip
    doubled = rows.groupBy(*_ID).agg(F.min("patient_id").alias("_a"), F.max("patient_id").alias("_b")).where("_a < _b")
    among = "over (partition by resource_type, resource_id, delivery_id)"
    named = "nullif(patient_id, '')"
    collides = f"coalesce(min({named}) {among} < max({named}) {among}, false) as _collides"
    owner = f"first_value(patient_id) over (partition by resource_type, resource_id order by _collides, {ORDER})"
    reason = "case when _collides then 'collision' when patient_id <> _owner then 'subject_changed' end as reason"
    contested = (
        rows.join(doubled.select(*_ID), [*_ID], "left_semi")
        .selectExpr("*", collides)
        .selectExpr("*", f"{owner} as _owner")
        .selectExpr(*_ID, "delivery_id", "patient_id", reason)
    )
    left = _left_out(resources)
    deleted = (
        deletions.selectExpr(*_ID, "version_at as _at")
        .union(left)
        .where("resource_type = 'Patient'")
        .groupBy("resource_id")
        .agg(F.max("_at").alias("_at"))
    )
    patients = rows.where("resource_type = 'Patient'").groupBy("resource_id").agg(F.max("version_at").alias("_last"))
    gone = deleted.join(patients, "resource_id", "left").where("_last is null or _at > _last")
    orphaned = (
        rows.where("resource_type <> 'Patient'")
        .join(gone.selectExpr("resource_id as patient_id"), "patient_id", "left_semi")
        .selectExpr(*_ID, "delivery_id", "patient_id", "'patient_deleted' as reason")
    )
    grain = ID_CONFLICTS.grain
    left_out = (
        rows.join(left, [*_ID])
        .where("version_at < _at")
        .selectExpr(*_ID, "delivery_id", "patient_id", "'left_out' as reason")
    )
    taken = contested.where("reason is not null").union(orphaned).union(left_out)
    found = taken.groupBy(*grain).agg(F.min("reason").alias("reason"))
    return found.selectExpr(*select(ID_CONFLICTS.columns, {}))


def _left_out(resources: DataFrame) -> DataFrame:
    """What a complete export had and a later one has not, and no delivery since the first of these.

    By when they were exported, and not by versions: a resource that is there need not have changed.
    """
    from pyspark.sql import functions as F

    of = ("source", "resource_type")
    full = resources.where("is_of_full_export").selectExpr(*of, "exported_at as _at").distinct()
    concerned = full.select(*of).distinct().join(resources, [*of])  # in this order, as the first is mostly empty
    seen = concerned.groupBy(*of, "resource_id").agg(
        F.max("exported_at").alias("_seen"), F.expr("max(is_of_full_export) as _was_in_full")
    )
    later = seen.where("_was_in_full").join(full, [*of]).where("_at > _seen")
    return later.groupBy(*_ID).agg(F.min("_at").alias("_at"))


_OF = RESOURCE.by_name

MART = Mart(
    "id_conflicts",
    database="clinical_silver",
    description=(
        "Versions of resources that no table of silver counts, as their id means several patients' resources, or their "
        "patient is deleted."
    ),
    grain=(*_ID, "delivery_id", "patient_id"),
    columns=(
        _OF["resource_type"],
        _OF["resource_id"],
        _OF["delivery_id"],
        text("patient_id", "Whose it is by this version; empty if it does not say", nullable=False),
        category("reason", "; ".join(f"`{k}`: {told}" for k, told in REASONS.items()), tuple(REASONS), nullable=False),
    ),
    reads=(RESOURCE, DELETION),
    transform=id_conflicts,
)

ID_CONFLICTS = MART.table
