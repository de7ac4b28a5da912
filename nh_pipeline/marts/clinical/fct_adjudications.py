"""``clinical_silver.fct_adjudications``: what payers decided on claims, every version of every explanation of benefit.

From it follow what was paid when, and which denials were overturned. A version that says what the one before it said
is none: exports repeat what has not changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.clinical.claims import COVERAGE, EOB_ADJUDICATION, EOB_ITEM, EXPLANATION_OF_BENEFIT
from nh_pipeline.datasets.clinical.export import DELETION
from nh_pipeline.datasets.clinical.reference.denials import (
    DENIAL_CATEGORIES,
    NON_PAYMENT,
    REQUESTED,
    denial_category,
)
from nh_pipeline.marts.clinical.adjudicated_lines import SUMS, decided, decided_lines
from nh_pipeline.marts.clinical.billing import AT, COLUMNS, amounts, described
from nh_pipeline.marts.clinical.dim_payers import insurances
from nh_pipeline.marts.clinical.directory import LOOKUP
from nh_pipeline.marts.clinical.fct_conditions import FCT_CONDITIONS
from nh_pipeline.marts.clinical.id_conflicts import ID_CONFLICTS
from nh_pipeline.marts.clinical.shared import VERSION
from nh_pipeline.model.columns import category, count, date, flag, instant, text
from nh_pipeline.model.mart import Mart
from nh_pipeline.transforms.select import select

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

DECISIONS = {
    "pending": "not decided, or no amount is told",
    "paid": "paid, and nothing denied",
    "zero_paid": "nothing to pay, and nothing denied: a deductible, for instance",
    "partly_denied": "some lines are denied, or all, and yet something was paid",
    "denied": "denied as a whole, or each of its lines",
    "reversed": "an earlier payment is taken back",
}


def adjudications(  # noqa: PLR0917 (it reads so many tables)
    benefits: DataFrame,
    items: DataFrame,
    amounts_decided: DataFrame,
    coverages: DataFrame,
    conditions: DataFrame,
    directory: DataFrame,
    deletions: DataFrame,
    conflicts: DataFrame,
) -> DataFrame:
    """Every version of explanations of benefit that are still there."""
    from nh_pipeline.transforms.latest import elements
    from nh_pipeline.transforms.references import resolved

    versions = _versions(benefits, deletions, conflicts)
    decisions = decided(elements(amounts_decided, versions))
    insured = insurances(coverages, directory, deletions, conflicts)
    whole = resolved(elements(benefits, versions), directory, "claim")
    told = described(whole, items, insured, conditions, directory)
    in_sum = _summed(decided_lines(items, decisions, "full"))
    return _in_full(_judged(told.join(in_sum, [*AT], "left")))


def _versions(benefits: DataFrame, deletions: DataFrame, conflicts: DataFrame) -> DataFrame:
    """Where versions stand that differ from the one before them; of several of one instant, the last one."""
    from nh_pipeline.transforms.latest import ORDER, VERSION, winners

    out = conflicts.where("resource_type = 'ExplanationOfBenefit'").selectExpr(
        "resource_id", "delivery_id", "patient_id as _patient"
    )
    there = winners(benefits, deletions, conflicts, EXPLANATION_OF_BENEFIT.table).select("resource_id", "n_versions")
    said = benefits.selectExpr("resource_id", *VERSION, "content_md5", "coalesce(patient_id, '') as _patient")
    return (
        said.join(out, ["resource_id", "delivery_id", "_patient"], "left_anti")
        .join(there, "resource_id")
        .selectExpr("*", f"row_number() over (partition by resource_id, version_at order by {ORDER}) as _nth")
        .where("_nth = 1")
        .selectExpr("*", "lag(content_md5) over (partition by resource_id order by version_at) as _before")
        .where("_before is null or _before <> content_md5")
        .select(*AT, "n_versions")
    )


def _summed(decided_on: DataFrame) -> DataFrame:
    """What was decided on each version: on its lines (``line_…``), and on all of it (``all_…``).

    The reason is that of the first denied line which has one.
    """
    from pyspark.sql import functions as F

    line, whole = "item_index is not null", "item_index is null and sequence is null"
    first = f"case when {line} and is_denied and denial_reason_code is not null then item_index end"
    return decided_on.groupBy(*AT).agg(
        *(F.expr(f"sum(case when {line} then {name} end) as line_{name}") for name in SUMS),
        F.expr(f"sum(case when {line} and is_denied then submitted end) as line_denied"),
        F.expr(f"count_if({line} and is_denied) as denied_lines"),
        F.expr(f"max(case when {line} then currency end) as line_decided_currency"),
        F.expr(f"min_by(denial_reason_system, {first}) as line_reason_system"),
        F.expr(f"min_by(denial_reason_code, {first}) as line_reason_code"),
        *(F.expr(f"max(case when {whole} then {name} end) as all_{name}") for name in SUMS),
        F.expr(f"bool_or({whole} and has_reason) as all_denied"),
        *(
            F.expr(f"max(case when {whole} and has_reason then {name} end) as all_{name}")
            for name in ("reason_system", "reason_code")
        ),
    )


def _judged(told: DataFrame) -> DataFrame:
    """Adds amounts, each from where it is said best, and what was decided."""
    from pyspark.sql import functions as F

    from nh_pipeline.transforms.fhir_money import amount

    of = {
        "_payment": [amount("payment_amount")],
        "_total": [amount("total_benefit"), "all_paid"],
        "billed_amount": [amount("total_submitted"), "all_submitted", "line_submitted"],
        "allowed_amount": [amount("total_eligible"), "all_allowed", "line_allowed"],
        "patient_responsibility": ["line_responsibility", "all_responsibility", amount("total_deductible")],
        "currency": ["payment_currency", "total_currency", "line_decided_currency", "line_currency", "'USD'"],
    }
    refused = f"outcome = 'error' or non_payment_reason <> '{REQUESTED}' or all_denied"
    by_code = f"case when non_payment_reason <> '{REQUESTED}' then"
    sql = {name: f"coalesce({', '.join(parts)})" for name, parts in of.items()} | {
        "_is_denied": f"coalesce({refused}, false) or coalesce(denied_lines = n_lines and n_lines > 0, false)",
        "n_denied_lines": "coalesce(denied_lines, 0)",
        "_system": f"coalesce(all_reason_system, {by_code} '{NON_PAYMENT}' end, line_reason_system)",
        "_code": f"coalesce(all_reason_code, {by_code} non_payment_reason end, line_reason_code)",
    }
    told = told.withColumns({name: F.expr(how) for name, how in sql.items()})
    told = told.selectExpr("*", "coalesce(_payment, _total, line_paid) as paid_amount")
    return told.selectExpr(
        "*",
        "case when paid_amount < 0 then 'reversed' when _is_denied and coalesce(paid_amount, 0) = 0 then 'denied' "
        "when _is_denied or n_denied_lines > 0 then 'partly_denied' "
        "when outcome = 'queued' or paid_amount is null then 'pending' when paid_amount = 0 then 'zero_paid' "
        "else 'paid' end as adjudication",
    )


def _in_full(judged: DataFrame) -> DataFrame:
    from nh_pipeline.transforms import fhir_dates

    denied = "adjudication in ('denied', 'partly_denied')"
    whole = "adjudication = 'denied' and n_denied_lines < n_lines or n_lines = 0"
    by_version = "over (partition by resource_id order by version_at)"
    cash = "case when status = 'active' then coalesce(paid_amount, 0) else 0 end"
    sql = {
        "eob_id": "resource_id",
        "claim_id": "coalesce(claim_resolved, claim_number, 'eob:' || resource_id)",
        "created_at": f"coalesce({fhir_dates.instant('created')}, cast(created_date as timestamp))",
        "adjudicated_date": f"coalesce({fhir_dates.written('payment_date')}, created_date)",
        "paid_source": "case when _payment is not null then 'payment' when _total is not null then 'total' "
        "when line_paid is not null then 'lines' end",
        "paid_change": f"{cash} - coalesce(lag({cash}) {by_version}, 0)",
        "denied_amount": f"case when not {denied} then 0 when {whole} then billed_amount else line_denied end",
        "denial_reason_system": f"case when {denied} then _system end",
        "denial_reason_code": f"case when {denied} then _code end",
        "denial_category": f"case when {denied} then {denial_category('_system', '_code')} end",
        "is_latest": f"lead(version_at) {by_version} is null",
    }
    return judged.selectExpr(*select(FCT_ADJUDICATIONS.columns, sql))


DECIDED = (
    amounts("allowed_amount", "What the payer takes for a fair charge"),
    amounts("paid_amount", "What the payer paid; NULL if that is not known"),
    category("paid_source", "Where that is said", ("payment", "total", "lines")),
    amounts("patient_responsibility", "Deductible, coinsurance and copay"),
    amounts("denied_amount", "What was charged for denied lines; for all of them, if the claim is denied as a whole"),
    text("denial_reason_system", "Code system of the reason for the denial, of the first line that has one"),
    text("denial_reason_code", "Its code"),
    category("denial_category", "Kind of reason; `untold` if none is given", DENIAL_CATEGORIES),
)

MART = Mart(
    "fct_adjudications",
    database="clinical_silver",
    bucket="patient_bucket",
    description="What payers decided, one row per explanation of benefit and version of it that says something new.",
    grain=("eob_id", "version_at"),
    sort=("patient_id", "claim_id", "eob_id", "version_at"),
    columns=(
        text("eob_id", "ExplanationOfBenefit.id", nullable=False),
        text("claim_id", "The claim; `eob:` and the id, if it names none", nullable=False),
        *COLUMNS,
        instant("created_at", "When it was made; if only its day is known, that day's beginning"),
        date("adjudicated_date", "Day of payment, else of the decision, as written"),
        category(
            "adjudication",
            "; ".join(f"`{k}`: {told}" for k, told in DECISIONS.items()),
            tuple(DECISIONS),
            nullable=False,
        ),
        *DECIDED,
        amounts("paid_change", "By how much it changes what was paid: their sum is the cash flow", nullable=False),
        count("n_denied_lines", "Denied lines", nullable=False),
        flag("is_latest", "The latest version of it"),
        *VERSION,
    ),
    reads=(
        EXPLANATION_OF_BENEFIT.table,
        EOB_ITEM.table,
        EOB_ADJUDICATION.table,
        COVERAGE.table,
        FCT_CONDITIONS,
        LOOKUP,
        DELETION,
        ID_CONFLICTS,
    ),
    transform=adjudications,
    foreign_keys=(("payer_id", "clinical_silver.dim_payers.payer_id"),),
    caution="Paid amounts of several versions are not to be added: take `is_latest`, or the sum of `paid_change`",
)

FCT_ADJUDICATIONS = MART.table
