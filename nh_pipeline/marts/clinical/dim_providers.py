"""``clinical_silver.dim_providers``: clinicians and organizations of the records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.clinical.export import DELETION
from nh_pipeline.datasets.clinical.people import ORGANIZATION, PRACTITIONER, PRACTITIONER_ROLE
from nh_pipeline.datasets.cms.nppes import DIM_NPI
from nh_pipeline.marts.clinical.directory import DIRECTORY
from nh_pipeline.marts.clinical.facilities import FACILITIES
from nh_pipeline.marts.clinical.id_conflicts import ID_CONFLICTS
from nh_pipeline.marts.clinical.shared import VERSION
from nh_pipeline.model.columns import category, count, date, text, yes_no
from nh_pipeline.model.mart import Mart
from nh_pipeline.model.rules import CCN
from nh_pipeline.transforms.select import select

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

KINDS = ("practitioner", "organization")
_PREFIX_SUM = 24
"""What the digits of 80840, which stands before every NPI, add to the sum of its check digit."""


def _is_valid(npi: str) -> str:
    """SQL for whether the check digit of an NPI is right, by Luhn's formula; NULL without one."""
    digits = [f"cast(substr({npi}, {nth}, 1) as int)" for nth in range(1, 11)]
    doubled = [f"2 * {d} - case when {d} > 4 then 9 else 0 end" for d in digits[::2]]
    total = " + ".join([str(_PREFIX_SUM), *digits[1::2], *doubled])
    return f"case when {npi} rlike '^[0-9]{{10}}\\\\z' then ({total}) % 10 = 0 when {npi} is not null then false end"


def dim_providers(  # noqa: PLR0917 (it reads so many tables)
    practitioners: DataFrame, roles: DataFrame, organizations: DataFrame, facilities: DataFrame, registry: DataFrame,
    directory: DataFrame, deletions: DataFrame, conflicts: DataFrame,
) -> DataFrame:  # fmt: skip
    """The latest version of each, with what the first of a clinician's roles says, and what the registry says now."""
    from nh_pipeline.transforms import addresses
    from nh_pipeline.transforms.latest import latest
    from nh_pipeline.transforms.references import resolved

    held = resolved(
        latest(roles, deletions, conflicts, PRACTITIONER_ROLE.table), directory, "practitioner", "organization"
    )
    of, named = "over (partition by practitioner_resolved", "coalesce(specialty_display, specialty_text)"
    first = held.selectExpr(
        "practitioner_resolved as resource_id", "specialty_code", f"{named} as specialty_name",
        "organization_resolved as organization_id", f"cast(count(1) {of}) as int) as n_roles",
        f"row_number() {of} order by specialty_code nulls last, resource_id) as _nth",
    ).where("_nth = 1")  # fmt: skip
    version = [column.name for column in VERSION]
    clinicians = (
        latest(practitioners, deletions, conflicts, PRACTITIONER.table)
        .join(first, "resource_id", "left")
        .selectExpr("resource_id", "'practitioner' as provider_kind", "npi",
                    "nullif(concat_ws(' ', given_name, family_name), '') as name", "specialty_code", "specialty_name",
                    "organization_id", "organization_id as _home", "coalesce(n_roles, 0) as n_roles", *version)
    )  # fmt: skip
    places = resolved(latest(organizations, deletions, conflicts, ORGANIZATION.table), directory, "part_of").selectExpr(
        "resource_id", "'organization' as provider_kind", "npi", "name", "cast(null as string) as specialty_code",
        "cast(null as string) as specialty_name", "part_of_resolved as organization_id", "resource_id as _home",
        "0 as n_roles", *version,
    )  # fmt: skip
    homes = facilities.selectExpr("organization_id as _home", "ccn")
    registered = registry.where("is_current").selectExpr(
        "npi", "coalesce(organization_name, nullif(concat_ws(' ', first_name, last_name), '')) as nppes_name",
        "primary_taxonomy", "enumeration_date", "deactivation_date", "is_active as is_npi_active",
    )  # fmt: skip
    no_role = "specialty_code is null and specialty_name is null"
    sql = {
        "care_provider_id": "resource_id",
        "is_npi_valid": _is_valid("npi"),
        "specialty_code": f"case when {no_role} then primary_taxonomy else specialty_code end",
        "specialty_source": f"case when not ({no_role}) then 'role' when primary_taxonomy is null then 'none' "
        "else 'nppes' end",
        "nppes_enumeration_date": "enumeration_date",
        "nppes_deactivation_date": "case when not is_npi_active then deactivation_date end",
        "name_differs": f"{addresses.name('name')} <> {addresses.name('nppes_name')}",
    }
    joined = clinicians.unionByName(places).join(homes, "_home", "left").join(registered, "npi", "left")
    return joined.selectExpr(*select(DIM_PROVIDERS.columns, sql))


MART = Mart(
    "dim_providers",
    database="clinical_silver",
    description="Clinicians and organizations, one row each, as the latest delivery has them.",
    grain=("provider_kind", "care_provider_id"),
    sort=("provider_kind", "care_provider_id"),
    columns=(
        text("care_provider_id", "Practitioner.id or Organization.id", nullable=False),
        category("provider_kind", "What it is: an id is one within its kind", KINDS, nullable=False),
        text("npi", "National Provider Identifier, as written"),
        yes_no("is_npi_valid", "Its check digit is right; NULL without an NPI"),
        text("name", "Name"),
        text("specialty_code", "Specialty, of the role with the least code; if no role says it, the primary taxonomy"),
        text("specialty_name", "The same in words"),
        category("specialty_source", "Where the specialty is from", ("role", "nppes", "none"), nullable=False),
        count("n_roles", "How many roles the clinician has", nullable=False),
        text("organization_id", "Organization of the role; of an organization, the one that it is part of"),
        text("ccn", "CMS Certification Number of the organization", allowed=CCN),
        text("nppes_name", "Name of the organization or person that has the NPI, by the registry"),
        yes_no("name_differs", "The registry's name is another one; NULL if one of both is not known"),
        yes_no("is_npi_active", "The NPI is active in the registry; NULL if it is not there"),
        date("nppes_enumeration_date", "When the NPI was given"),
        date("nppes_deactivation_date", "When it was deactivated, if it still is"),
        *VERSION,
    ),
    reads=(
        PRACTITIONER.table, PRACTITIONER_ROLE.table, ORGANIZATION.table, FACILITIES, DIM_NPI, DIRECTORY, DELETION,
        ID_CONFLICTS,
    ),
    transform=dim_providers,
    foreign_keys=(("ccn", "silver.dim_providers.provider_id"),),
    caution="NPIs of clinicians are in silver.dim_npi with NH_NPPES_SCOPE=all alone",
)  # fmt: skip

DIM_PROVIDERS = MART.table
