"""What claims and explanations of benefit have in common: who bills what, for whom, for which care, and to which payer.

Their resources are alike, and so are the columns of ``fct_claims`` and ``fct_adjudications`` that are made of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nh_pipeline.datasets.clinical.reference.diagnosis_categories import CATEGORIES, diagnosis_category
from nh_pipeline.marts.clinical.dim_payers import with_payer
from nh_pipeline.marts.clinical.shared import PATIENT_BUCKET, PATIENT_ID
from nh_pipeline.model.columns import Column, category, count, date, decimal, text

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

AT = ("resource_id", "delivery_id", "member", "source_line")
"""Where a version of a resource stands, which its elements have, too."""

CLAIM_TYPES = ("institutional", "professional", "pharmacy", "oral", "vision", "other")


def amounts(name: str, description: str, **more: Any) -> Column:
    """Money, to four places; the currency is a column of the same row."""
    return decimal(18, 4, name, description, unit="`currency`", **more)


CURRENCY = text("currency", "ISO 4217; USD where nothing is said. Never add amounts of two", nullable=False)
PAYER_ID = text("payer_id", "Who is to pay: dim_payers; NULL if nothing says it")

_CARE: tuple[Column, ...] = (
    PATIENT_ID.having(nullable=True),
    PATIENT_BUCKET,
    text("encounter_id", "Encounter that it is for: of several, the one of the earliest line"),
    count("n_encounters", "Encounters that its lines name", nullable=False),
    text("care_provider_id", "Clinician who bills"),
    text("organization_id", "Organization that bills"),
    category("claim_type", "Kind of claim", CLAIM_TYPES, nullable=False),
    text("use", "claim, preauthorization or predetermination; money is moved by a claim alone"),
    text("status", "active, cancelled or draft"),
    date("billable_start_date", "First day of service, as written"),
    date("billable_end_date", "Last day of service, as written"),
    date("created_date", "Day on which it was made, as written"),
    PAYER_ID,
    text("primary_diagnosis_system", "Code system of the principal diagnosis, else of the first"),
    text("primary_diagnosis_code", "Its code"),
    text("primary_diagnosis_display", "Its name, as delivered"),
    category("diagnosis_category", "What it is about", CATEGORIES, nullable=False),
    text("related_claim_id", "Claim that it follows"),
    count("n_lines", "Lines", nullable=False),
)

MONEY = (
    amounts("billed_amount", "What is charged, by its total: never the sum of its lines"),
    amounts("line_net_amount", "Sum of what its lines charge; NULL if no line says it"),
    CURRENCY,
)

COLUMNS = (*_CARE, *MONEY)
"""Columns that both facts have."""


def described(
    rows: DataFrame,
    items: DataFrame,
    coverages: DataFrame,
    conditions: DataFrame,
    directory: DataFrame,
) -> DataFrame:
    """The rows with all of :data:`COLUMNS` that both kinds of resources say in the same words.

    ``line_currency`` is that of the lines; ``billed_amount`` and ``currency`` are left to who knows the totals.

    Args:
        rows: of bronze's claims or explanations of benefit, one per version that counts.
        items: the lines of these; others are passed over.
        coverages: :func:`~nh_pipeline.marts.clinical.dim_payers.insurances`.
        conditions: ``clinical_silver.fct_conditions``.
        directory: ``clinical_silver.directory``, which knows organizations by their identifiers.
    """
    from pyspark.sql import functions as F

    from nh_pipeline.transforms.fhir_dates import written
    from nh_pipeline.transforms.references import resolved

    refs = resolved(rows, directory, "provider", "insurer", "coverage", "diagnosis_condition", "related_claim")
    diagnosed = conditions.selectExpr(
        "condition_id as diagnosis_condition_resolved",
        "code_system as _system",
        "code_code as _code",
        "code_display as _display",
    )
    organizations = (
        directory.where("resource_type = 'Organization' and resource_id is not null")
        .selectExpr("resource_id as provider_resolved", "true as _organization")
        .distinct()
    )
    joined = (
        with_payer(refs, coverages)
        .join(diagnosed, "diagnosis_condition_resolved", "left")
        .join(organizations, "provider_resolved", "left")
        .join(_lines(resolved(items, directory, "encounter")), [*AT], "left")
    )
    by_organization = "coalesce(_organization, provider_ref like 'Organization%', false)"
    listed = ", ".join(f"'{kind}'" for kind in CLAIM_TYPES[:-1])
    system, code = "coalesce(_system, diagnosis_system)", "coalesce(_code, diagnosis_code)"
    sql = {
        "n_encounters": "coalesce(_encounters, 0)",
        "care_provider_id": f"case when not {by_organization} then provider_resolved end",
        "organization_id": f"case when {by_organization} then provider_resolved end",
        "claim_type": f"case when type_code in ({listed}) then type_code else 'other' end",
        "billable_start_date": written("billable_start"),
        "billable_end_date": written("billable_end"),
        "created_date": written("created"),
        "primary_diagnosis_system": system,
        "primary_diagnosis_code": code,
        "primary_diagnosis_display": "coalesce(_display, diagnosis_display, diagnosis_text)",
        "diagnosis_category": diagnosis_category(system, code),
        "related_claim_id": "related_claim_resolved",
        "n_lines": "coalesce(_lines, 0)",
    }
    told = joined.withColumns({name: F.expr(how) for name, how in sql.items()})
    return told.drop("_system", "_code", "_display", "_organization", "_lines", "_encounters")


def _lines(items: DataFrame) -> DataFrame:
    """Of all lines of each version: how many, what they charge, which encounters they name."""
    from pyspark.sql import functions as F

    from nh_pipeline.transforms.fhir_money import amount

    placed = "concat(coalesce(substr(serviced_start, 1, 10), '9999'), lpad(cast(item_index as string), 6, '0'))"
    when = f"case when encounter_resolved is not null then {placed} end"
    return items.groupBy(*AT).agg(
        F.expr("count(1) as _lines"),
        F.expr(f"sum({amount('net')}) as line_net_amount"),
        F.expr("max(currency) as line_currency"),
        F.expr("count(distinct encounter_resolved) as _encounters"),
        F.expr(f"min_by(encounter_resolved, {when}) as encounter_id"),
    )
