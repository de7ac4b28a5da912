"""References that name a resource by an identifier: which resource that is.

A reference by id needs nothing. One like ``Practitioner?identifier=system|value`` is looked up among the identifiers of
all deliveries, so that it does not matter which of them came first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def resolved(rows: DataFrame, directory: DataFrame, *names: str) -> DataFrame:
    """Adds ``<name>_resolved``, the id of the resource, for each of these references.

    It is NULL where the reference leads nowhere, or may lead to several resources.

    Args:
        rows: with the columns of the references: ``<name>_ref`` and ``<name>_id``.
        directory: ``clinical_silver.directory``.
        names: of the references.
    """
    one = directory.where("n_candidates = 1")
    for name in names:
        found = one.selectExpr(f"lookup as {name}_ref", f"resource_id as _{name}_found")
        rows = (
            rows.join(found, f"{name}_ref", "left")
            .selectExpr("*", f"coalesce({name}_id, _{name}_found) as {name}_resolved")
            .drop(f"_{name}_found")
        )
    return rows
