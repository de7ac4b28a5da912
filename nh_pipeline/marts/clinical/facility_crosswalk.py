"""``clinical_silver.facility_crosswalk``: which facility of CMS an organization of the records is.

Each way to tell gives candidates, organizations with a CCN; of an organization, the first way that has any decides, and
several CCNs decide nothing: a person is to confirm one in a facility map.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.clinical.export import DELETION, IDENTIFIER
from nh_pipeline.datasets.clinical.people import CCN_SYSTEM, ORGANIZATION
from nh_pipeline.datasets.cms.providers import DIM_PROVIDERS
from nh_pipeline.datasets.cms.snf_enrollments import DIM_SNF_ENROLLMENTS
from nh_pipeline.datasets.facility_map import DIM_FACILITY_MAP
from nh_pipeline.marts.clinical.id_conflicts import ID_CONFLICTS
from nh_pipeline.model.columns import category, count, text
from nh_pipeline.model.mart import Mart
from nh_pipeline.model.rules import CCN
from nh_pipeline.transforms import values
from nh_pipeline.transforms.select import select

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

METHODS = {
    "identifier": "the record has the CCN",
    "confirmed": "a line of the facility map",
    "npi": "the NPI of an enrolment in Medicare",
    "address": "ZIP code and street of a nursing home",
    "name": "state and name of a nursing home",
    "none": "no way, or several CCNs by the first that has any",
}
"""Ways to tell, the surest first."""


def facility_crosswalk(  # noqa: PLR0917 (it reads so many tables)
    organizations: DataFrame, identifiers: DataFrame, deletions: DataFrame, conflicts: DataFrame, confirmed: DataFrame,
    enrollments: DataFrame, homes: DataFrame,
) -> DataFrame:  # fmt: skip
    """Every organization, with its CCN if it is a facility of CMS."""
    from pyspark.sql import functions as F

    from nh_pipeline.transforms.latest import elements, latest

    digits = "regexp_replace(address_postal_code, '[^0-9]', '')"
    held = latest(organizations, deletions, conflicts, ORGANIZATION.table).selectExpr(
        "*", f"case when length({digits}) >= 5 then substr({digits}, 1, 5) end as zip5"
    )
    own = elements(identifiers.where(f"resource_type = 'Organization' and system = '{CCN_SYSTEM}'"), held)
    candidates = (
        own.selectExpr("resource_id", "'identifier' as method", f"{values.ccn('identifier_value')} as ccn")
        .union(confirmed.selectExpr("organization_id", "'confirmed'", "provider_id"))
        .union(
            held.join(enrollments.select("npi", "provider_id"), "npi").selectExpr("resource_id", "'npi'", "provider_id")
        )
        .union(_by_address_or_name(held, homes))
    )
    told = (
        candidates.where("ccn is not null")
        .distinct()
        .groupBy("resource_id", "method")
        .agg(F.min("ccn").alias("_ccn"), F.expr("cast(count(1) as int) as _n"))
        .selectExpr("*", f"array_position(array{tuple(METHODS)}, method) as _rank")
        .selectExpr("*", "row_number() over (partition by resource_id order by _rank) as _nth")
        .where("_nth = 1")
    )
    sql = {
        "organization_id": "resource_id",
        "ccn": "case when _n = 1 then _ccn end",
        "match_method": "case when _n = 1 then method else 'none' end",
        "n_candidates": "coalesce(_n, 0)",
        "street": "address_line",
    }
    columns = FACILITY_CROSSWALK.columns
    return held.drop("ccn").join(told, "resource_id", "left").selectExpr(*select(columns, sql))


def _by_address_or_name(organizations: DataFrame, homes: DataFrame) -> DataFrame:
    """Organizations and the nursing homes as which they are known today, by either of a home's names."""
    from nh_pipeline.transforms.addresses import homes_of

    places = organizations.selectExpr("resource_id as id", "name", "address_line as street", "zip5",
                                      "upper(trim(address_state)) as state")  # fmt: skip
    known = homes.where("is_current").selectExpr(
        "provider_id", "explode(array(provider_name, legal_business_name)) as name", "address as street",
        "substr(zip_code, 1, 5) as zip5", "state",
    )  # fmt: skip
    return homes_of(places, known)


MART = Mart(
    "facility_crosswalk",
    database="clinical_silver",
    description="Which facility of CMS an organization is, one row per organization.",
    grain=("organization_id",),
    sort=("organization_id",),
    columns=(
        text("organization_id", "Organization.id", nullable=False),
        text("ccn", "CMS Certification Number; NULL if it is none, or not certain which", allowed=CCN),
        category("match_method", f"How that is known. {'; '.join(f'`{k}`: {v}' for k, v in METHODS.items())}",
                 tuple(METHODS), nullable=False),
        count("n_candidates", "How many CCNs it may have", nullable=False),
        text("npi", "National Provider Identifier"),
        text("name", "Name"),
        text("street", "Street"),
        text("zip5", "ZIP code, five digits"),
    ),
    reads=(
        ORGANIZATION.table, IDENTIFIER.table, DELETION, ID_CONFLICTS, DIM_FACILITY_MAP, DIM_SNF_ENROLLMENTS,
        DIM_PROVIDERS,
    ),
    transform=facility_crosswalk,
    foreign_keys=(("ccn", "silver.dim_providers.provider_id"),),
    caution="Two organizations may be the same facility",
)  # fmt: skip

FACILITY_CROSSWALK = MART.table
