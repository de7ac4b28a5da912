"""``clinical_silver.dim_payers``: who pays for care, and of which kind they are.

A payer is an Organization, or else a name: many exports have no more than that. Which one a claim is for is said by the
insurance that it names, else by the claim itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.clinical.claims import CLAIM, COVERAGE, EXPLANATION_OF_BENEFIT
from nh_pipeline.datasets.clinical.export import DELETION
from nh_pipeline.datasets.clinical.people import ORGANIZATION
from nh_pipeline.datasets.clinical.reference.payers import PAYER_CATEGORIES, folded, payer_category
from nh_pipeline.marts.clinical.directory import DIRECTORY
from nh_pipeline.marts.clinical.id_conflicts import ID_CONFLICTS
from nh_pipeline.model.columns import category, flag, text
from nh_pipeline.model.mart import Mart
from nh_pipeline.transforms.select import select

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_SELF_PAY = "Self pay"
_NAMED = ("_self_pay", "coverage_display", "insurer_display", "_kind")
_SAID = ("_self_pay", "_payor", "coverage_display", "insurer_resolved", "insurer_display", "_kind")
"""Who the payer is, by what says it best; last, what kind of insurance it is."""

_BILLED = ("patient_id", *(f"{of}_{part}" for of in ("coverage", "insurer") for part in ("ref", "id", "display")))
"""Columns of claims and of decisions on them that tell their payers."""


def with_payer(billed: DataFrame, coverages: DataFrame) -> DataFrame:
    """Adds ``payer_id`` and ``payer_name`` (as written; of an Organization too, where something is) to claims.

    Args:
        billed: claims or explanations of benefit, with ``coverage_resolved`` and ``insurer_resolved``.
        coverages: :func:`insurances`.
    """
    from pyspark.sql import functions as F

    by_themselves = "coalesce(payor_resolved = patient_id, false) or payor_ref rlike '^(Patient|RelatedPerson)[/?]'"
    insured = coverages.selectExpr(
        "resource_id as coverage_resolved",
        f"case when {by_themselves} then '{_SELF_PAY}' end as _self_pay",
        "payor_resolved as _payor",
        "coalesce(type_text, type_display) as _kind",
    )
    said = (f"'name:' || {folded(name)}" if name in _NAMED else name for name in _SAID)
    names = (f"case when {folded(name)} is not null then trim({name}) end" for name in _NAMED)
    told = {"payer_id": F.expr(f"coalesce({', '.join(said)})"), "payer_name": F.expr(f"coalesce({', '.join(names)})")}
    return billed.join(insured, "coverage_resolved", "left").withColumns(told).drop("_self_pay", "_payor", "_kind")


def insurances(coverages: DataFrame, directory: DataFrame, deletions: DataFrame, conflicts: DataFrame) -> DataFrame:
    """The latest coverages, with who insures (``payor_resolved``)."""
    from nh_pipeline.transforms.latest import latest
    from nh_pipeline.transforms.references import resolved

    return resolved(latest(coverages, deletions, conflicts, COVERAGE.table), directory, "payor")


def payers(  # noqa: PLR0917 (it reads so many tables)
    claims: DataFrame,
    benefits: DataFrame,
    coverages: DataFrame,
    organizations: DataFrame,
    directory: DataFrame,
    deletions: DataFrame,
    conflicts: DataFrame,
) -> DataFrame:
    """Every payer that any version of a claim or of an explanation of benefit names."""
    from pyspark.sql import functions as F

    from nh_pipeline.transforms.latest import latest
    from nh_pipeline.transforms.references import resolved

    insured = insurances(coverages, directory, deletions, conflicts)
    billed = claims.select(*_BILLED).union(benefits.select(*_BILLED))
    named = with_payer(resolved(billed, directory, "coverage", "insurer"), insured).where("payer_id is not null")
    known = latest(organizations, deletions, conflicts, ORGANIZATION.table).selectExpr(
        "resource_id as payer_id", "name"
    )
    found = named.groupBy("payer_id").agg(F.min("payer_name").alias("_written")).join(known, "payer_id", "left")
    name = "coalesce(name, _written, payer_id)"
    sql = {
        "payer_name": name,
        "payer_category": payer_category(name),
        "is_organization": "payer_id not like 'name:%'",
    }
    return found.selectExpr(*select(DIM_PAYERS.columns, sql))


MART = Mart(
    "dim_payers",
    database="clinical_silver",
    description="Payers of claims, one row each.",
    grain=("payer_id",),
    columns=(
        text("payer_id", "Organization.id; without one `name:` and the name in small letters", nullable=False),
        text("payer_name", "Name of the Organization, else as claims write it", nullable=False),
        category("payer_category", "Kind of payer, by words of the name", PAYER_CATEGORIES, nullable=False),
        flag("is_organization", "An Organization of the export"),
    ),
    reads=(
        CLAIM.table,
        EXPLANATION_OF_BENEFIT.table,
        COVERAGE.table,
        ORGANIZATION.table,
        DIRECTORY,
        DELETION,
        ID_CONFLICTS,
    ),
    transform=payers,
)

DIM_PAYERS = MART.table
