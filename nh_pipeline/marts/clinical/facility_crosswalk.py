"""``clinical_silver.facility_crosswalk``: which facility of CMS an organization of the records is.

Each way to tell gives candidates, organizations with a CCN; of an organization, the first way that has any decides, and
several CCNs decide nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.clinical.export import DELETION, IDENTIFIER
from nh_pipeline.datasets.clinical.people import CCN_SYSTEM, ORGANIZATION
from nh_pipeline.marts.clinical.id_conflicts import ID_CONFLICTS
from nh_pipeline.marts.clinical.shared import select
from nh_pipeline.model.columns import category, count, text
from nh_pipeline.model.mart import Mart
from nh_pipeline.model.rules import CCN
from nh_pipeline.transforms import values

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

METHODS = ("identifier", "confirmed", "npi", "address", "name", "none")
"""Ways to tell, the surest first."""


def facility_crosswalk(
    organizations: DataFrame, identifiers: DataFrame, deletions: DataFrame, conflicts: DataFrame
) -> DataFrame:
    """Every organization, with its CCN if it is a facility of CMS."""
    from pyspark.sql import functions as F

    from nh_pipeline.transforms.latest import elements, latest

    held = latest(organizations, deletions, conflicts, "Organization")
    own = elements(identifiers.where(f"resource_type = 'Organization' and system = '{CCN_SYSTEM}'"), held)
    by_identifier = own.selectExpr("resource_id", f"{values.ccn('identifier_value')} as ccn", "'identifier' as method")
    candidates = by_identifier.where("ccn is not null").distinct()
    told = candidates.groupBy("resource_id", "method").agg(
        F.min("ccn").alias("_ccn"), F.expr("cast(count(1) as int) as _n")
    )
    digits = "regexp_replace(address_postal_code, '[^0-9]', '')"
    sql = {
        "organization_id": "resource_id",
        "ccn": "case when _n = 1 then _ccn end",
        "match_method": "case when _n = 1 then method else 'none' end",
        "n_candidates": "coalesce(_n, 0)",
        "street": "address_line",
        "zip5": f"case when length({digits}) >= 5 then substr({digits}, 1, 5) end",
    }
    columns = FACILITY_CROSSWALK.columns
    return held.drop("ccn").join(told, "resource_id", "left").selectExpr(*select(columns, sql))


MART = Mart(
    "facility_crosswalk",
    database="clinical_silver",
    description="Which facility of CMS an organization is, one row per organization.",
    grain=("organization_id",),
    sort=("organization_id",),
    columns=(
        text("organization_id", "Organization.id", nullable=False),
        text("ccn", "CMS Certification Number; NULL if it is none, or not certain which", allowed=CCN),
        category("match_method", "How that is known", METHODS, nullable=False),
        count("n_candidates", "How many CCNs it may have", nullable=False),
        text("npi", "National Provider Identifier"),
        text("name", "Name"),
        text("street", "Street"),
        text("zip5", "ZIP code, five digits"),
    ),
    reads=(ORGANIZATION.table, IDENTIFIER.table, DELETION, ID_CONFLICTS),
    transform=facility_crosswalk,
    foreign_keys=(("ccn", "silver.dim_providers.provider_id"),),
    caution="Two organizations may be the same facility",
)

FACILITY_CROSSWALK = MART.table
