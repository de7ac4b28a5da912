"""``clinical_silver.directory``: which clinician, organization or place a reference means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.clinical.export import DELETION, IDENTIFIER, RESOURCE
from nh_pipeline.marts.clinical.id_conflicts import ID_CONFLICTS
from nh_pipeline.model.columns import count, text
from nh_pipeline.model.mart import Lookup, Mart
from nh_pipeline.model.view import UNNAMED
from nh_pipeline.transforms.select import select

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

BY_ID = "Resource.id"
"""The system of an id, which is how most references name a resource."""


def directory(resources: DataFrame, identifiers: DataFrame, deletions: DataFrame, conflicts: DataFrame) -> DataFrame:
    """Ids and identifiers of the latest versions of the resources that belong to no patient."""
    from pyspark.sql import functions as F

    from nh_pipeline.transforms.latest import elements, winners

    shared = resources.where("patient_id is null")
    at = ("resource_type", "resource_id", "source", "delivery_id", "member", "source_line")
    ids = identifiers.where("identifier_value is not null").selectExpr(
        *at, "coalesce(system, '') as system", "identifier_value as value"
    )
    every = ids.union(shared.selectExpr(*at, f"'{BY_ID}' as system", "resource_id as value"))
    named = elements(every, winners(shared, deletions, conflicts, RESOURCE)).select(
        "resource_type", "resource_id", "source", "system", "value"
    )
    found = named.distinct().groupBy("resource_type", "source", "system", "value").agg(
        F.min("resource_id").alias("_id"), F.count(F.lit(1)).alias("n_candidates")
    )  # fmt: skip
    by_id = "concat(resource_type, '/', value)"
    within = f"case when source = '{UNNAMED}' then '' else concat('&_source=', source) end"
    by_identifier = f"concat(resource_type, '?identifier=', system, '|', value, {within})"
    sql = {
        "lookup": f"case when system = '{BY_ID}' then {by_id} else {by_identifier} end",
        "resource_id": "case when n_candidates = 1 then _id end",
    }
    return found.selectExpr(*select(DIRECTORY.columns, sql))


_OF = RESOURCE.by_name

MART = Mart(
    "directory",
    database="clinical_silver",
    description=(
        "Which clinician, organization or place a reference means, one row per type, source, system and value: what "
        "references look up."
    ),
    grain=("resource_type", "source", "system", "value"),
    columns=(
        _OF["resource_type"],
        _OF["source"],
        text("system", f"System of the identifier, empty if it has none; `{BY_ID}` of the id itself", nullable=False),
        text("value", "The identifier", nullable=False),
        text(
            "lookup",
            "How a reference of its source names it: `Type?identifier=system|value`, or `Type/id`",
            nullable=False,
        ),
        text("resource_id", "The resource; NULL if several have the identifier"),
        count("n_candidates", "How many resources have it", nullable=False),
    ),
    reads=(RESOURCE, IDENTIFIER.table, DELETION, ID_CONFLICTS),
    transform=directory,
)

DIRECTORY = MART.table
LOOKUP = Lookup(DIRECTORY, key="lookup")
"""How others read it: a new clinician concerns the patients alone whose records refer to that one."""
