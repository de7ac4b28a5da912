"""References that name a resource by an identifier: which resource that is.

A reference by id needs nothing. One like ``Practitioner?identifier=system|value`` is looked up among the identifiers of
all deliveries, so that it does not matter which of them came first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

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
        found = one.selectExpr(f"lookup as _{name}_lookup", f"resource_id as _{name}_found")
        rows = rows.join(found, F.col(f"{name}_ref") == F.col(f"_{name}_lookup"), "left")
    told = {f"{name}_resolved": F.expr(f"coalesce({name}_id, _{name}_found)") for name in names}
    return rows.withColumns(told).drop(*(f"_{name}_{part}" for name in names for part in ("lookup", "found")))
