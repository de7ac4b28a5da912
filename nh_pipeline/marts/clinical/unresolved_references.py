"""``clinical_silver.unresolved_references``: references that lead nowhere, and why."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

from nh_pipeline.datasets.clinical import VIEWS
from nh_pipeline.datasets.clinical.care import CONDITION
from nh_pipeline.datasets.clinical.claims import CLAIM_ITEM, COVERAGE, EOB_ITEM
from nh_pipeline.datasets.clinical.export import DELETION, RESOURCE
from nh_pipeline.marts.clinical.directory import LOOKUP
from nh_pipeline.marts.clinical.id_conflicts import ID_CONFLICTS
from nh_pipeline.marts.clinical.shared import PATIENT_BUCKET, PATIENT_ID, VERSION
from nh_pipeline.model.columns import category, text
from nh_pipeline.model.mart import Mart
from nh_pipeline.transforms.select import select

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from nh_pipeline.model.view import Field, View

REASONS = {
    "missing": "no delivery has the resource, at least not of this patient",
    "ambiguous": "several resources have the identifier",
    "external": "it is on another server",
    "unsupported": "it is of no form, or of no type, that may stand there",
}
KINDS = ("relative", "urn", "absolute", "conditional", "logical", "unsupported")
_SHARED = {"Practitioner", "PractitionerRole", "Organization", "Location"}
"""Types of what belongs to no patient: the directory has all of them."""

_COUNTING = {
    COVERAGE: "item_index = 0",
    CONDITION: "coalesce(verification_status, '') <> 'entered-in-error'",
}
"""Which rows count: no coverages within resources, which nothing else refers to; conditions by their own status."""

_AT = RESOURCE.grain


def _references(view: View) -> tuple[Field, ...]:
    return tuple(field for field in view.fields if field.form == "reference")


_REFERRING = (*(view for view in VIEWS if _references(view) and not view.for_each), CLAIM_ITEM, EOB_ITEM)


def unresolved_references(*inputs: DataFrame) -> DataFrame:
    """Of the latest versions, the references that lead nowhere."""
    from pyspark.sql import functions as F

    from nh_pipeline.transforms.latest import winners

    *of_views, resources, directory, deletions, conflicts = inputs
    rows = zip(_REFERRING, of_views, strict=True)
    said = reduce(lambda all_of, more: all_of.union(more), (_said(of, view) for view, of in rows))
    looked_up = said.join(
        directory.selectExpr("lookup as _ref", "resource_id as _found", "n_candidates"), "_ref", "left"
    ).selectExpr("*", "coalesce(_id, _found) as _target")
    there = (
        resources.select("resource_type", "resource_id")
        .union(directory.where("resource_id is not null").select("resource_type", "resource_id"))
        .distinct()
        .selectExpr("resource_type as _type", "resource_id as _there")
    )
    # A join, and distinct rows in the end, as the references are then made once: an id may be of several types.
    leads_to = F.expr("_there = _target and instr(_to, concat(',', _type, ',')) > 0")
    reason = (
        "case when kind = 'unsupported' then 'unsupported' when kind = 'absolute' and _id is null then 'external' "
        "when n_candidates > 1 then 'ambiguous' when _target is null then 'missing' "
        "when _there is null and (_is_shared or patient_id is not null) then 'missing' end"
    )
    # Who is meant by a number of a person is told nowhere.
    shown = "case when _ref like 'Patient?%' then substring_index(_ref, '|', 1) else _ref end"
    judged = looked_up.join(there, leads_to, "left").selectExpr("*", f"{reason} as reason", f"{shown} as reference")
    # Last, as few lead nowhere, and for all types at once.
    latest = winners(resources, deletions, conflicts, RESOURCE)
    nowhere = judged.where("reason is not null").join(latest, ["resource_id", *_AT])
    return nowhere.selectExpr(*select(UNRESOLVED_REFERENCES.columns, {})).distinct()


def _said(rows: DataFrame, view: View) -> DataFrame:
    """The references of a view, a row each."""
    place = f"concat('{view.for_each[0]}[', item_index, '].')" if view.for_each else "''"
    told = ", ".join(
        f"named_struct('path', concat({place}, '{field.name}'), '_ref', {field.name}_ref, 'kind', {field.name}_kind, "
        f"'_id', {field.name}_id, '_to', ',{','.join(field.to)},', '_is_shared', {set(field.to) <= _SHARED})"
        for field in _references(view)
    )
    kept = ("resource_id", "patient_id", "patient_bucket", *_AT, "version_at", "version_id", "dt")
    return (
        rows.where(_COUNTING.get(view, "true"))
        .selectExpr(f"'{view.resource}' as resource_type", *kept, f"explode(array({told})) as _said")
        .selectExpr("resource_type", *kept, "_said.*")
        .where(f"kind in {KINDS}")
    )


_OF = RESOURCE.by_name

MART = Mart(
    "unresolved_references",
    database="clinical_silver",
    description="References that lead to no resource, one row each, of the latest version of each resource.",
    grain=("resource_type", "resource_id", "path"),
    sort=("resource_type", "resource_id", "path"),
    bucket="patient_bucket",
    columns=(
        _OF["resource_type"],
        _OF["resource_id"],
        text("path", "Which reference of the resource", nullable=False),
        PATIENT_ID.having(nullable=True),
        PATIENT_BUCKET,
        text("reference", "As written; of a patient's identifier, its system alone", nullable=False),
        category("kind", "Its form", KINDS, nullable=False),
        category("reason", "; ".join(f"`{k}`: {told}" for k, told in REASONS.items()), tuple(REASONS), nullable=False),
        *VERSION,
    ),
    reads=(*(view.table for view in _REFERRING), RESOURCE, LOOKUP, DELETION, ID_CONFLICTS),
    transform=unresolved_references,
    caution="What is missing today may come with a later delivery; then it is resolved by itself",
)

UNRESOLVED_REFERENCES = MART.table
