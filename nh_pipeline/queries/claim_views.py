"""Views of claims for people who report: by payer, diagnosis, denial and month.

Amounts of two currencies are never added, and cents are rounded here, once, in sums. What a claim was billed counts
once: not where it was denied and billed again. Whatever has no payer, no diagnosis or no date has a row of its own.
"""

from __future__ import annotations

from nh_pipeline.marts.clinical.claim_denials import CLAIM_DENIALS
from nh_pipeline.marts.clinical.fct_claims import FCT_CLAIMS, NOT_YET
from nh_pipeline.queries.view import CLINICAL_SCHEMA, View

TOP = 10
"""Diagnoses that are named."""

_MONEY = f"from {FCT_CLAIMS.name} where use = 'claim' and status = 'active' and not is_resubmitted"
_DECIDED = f"adjudication not in ('{NOT_YET}', 'pending')"


def _cents(amount: str) -> str:
    return f"cast(sum({amount}) as decimal(18, 2))"


def ratio(part: str, whole: str) -> str:
    """A quotient as double (decimal quotients differ between engines); NULL where the whole is 0."""
    return f"cast({part} as double) / nullif(cast({whole} as double), 0)"


CLAIMS_BY_PAYER = View(
    f"{CLINICAL_SCHEMA}.v_claims_by_payer",
    "One row per payer and currency: claims, and what was billed and paid; paid and billed amounts compare over the "
    "claims that were decided.",
    f"""
    with billed as (select *, case when {_DECIDED} then billed_amount end as decided_amount {_MONEY})
    select
        payer_category, payer, currency, count(*) as claims,
        count(case when {_DECIDED} then 1 end) as adjudicated_claims,
        {_cents("billed_amount")} as total_billed, {_cents("decided_amount")} as billed_adjudicated,
        {_cents("paid_amount")} as total_paid,
        {ratio("sum(paid_amount)", "sum(decided_amount)")} as paid_to_billed
    from billed group by payer_category, payer, currency
    """,
)

TOP_COST_DIAG = View(
    f"{CLINICAL_SCHEMA}.v_top_cost_diag",
    f"The {TOP} principal diagnoses for which most was billed, per currency; and, without a rank, the claims that have "
    "none. Of equal amounts the lesser code comes first.",
    f"""
    with diagnoses as (
        select
            currency, primary_diagnosis_system as diagnosis_system, primary_diagnosis_code as diagnosis_code,
            min(primary_diagnosis_display) as display, min(diagnosis_category) as diagnosis_category,
            count(*) as claims, sum(billed_amount) as billed, sum(paid_amount) as paid
        {_MONEY} group by currency, primary_diagnosis_system, primary_diagnosis_code),
    ranked as (
        select *, row_number() over (
            partition by currency, case when diagnosis_code is null then 1 else 0 end
            order by billed desc nulls last, diagnosis_code, diagnosis_system) as place
        from diagnoses)
    select
        case when diagnosis_code is not null then place end as rank, currency, diagnosis_system, diagnosis_code,
        case when diagnosis_code is null then 'No diagnosis' else coalesce(display, diagnosis_code) end as diagnosis,
        diagnosis_category, claims, cast(billed as decimal(18, 2)) as total_billed,
        cast(paid as decimal(18, 2)) as total_paid
    from ranked where place <= {TOP} or diagnosis_code is null
    """,
)

DENIALS = View(
    f"{CLINICAL_SCHEMA}.v_claim_denials",
    "One row per payer, reason of denial and currency: claims that were denied at any time, if only in part, and how "
    "many of those with an outcome were overturned.",
    f"""
    select
        payer_category, payer, denial_category, currency, count(*) as denied,
        {_cents("denied_amount")} as denied_amount,
        count(is_overturned) as with_outcome, count(case when is_overturned then 1 end) as overturned,
        {ratio("count(case when is_overturned then 1 end)", "count(is_overturned)")} as overturn_rate
    from {CLAIM_DENIALS.name} group by payer_category, payer, denial_category, currency
    """,
)

PAYER_MIX = View(
    f"{CLINICAL_SCHEMA}.v_payer_mix",
    "One row per month of service, kind of payer and currency: claims and billed amounts, and their shares of the "
    "month's, which add up to 1. The kind is the claim's, not the patient's.",
    f"""
    with dated as (
        select *, cast(date_trunc('month', coalesce(billable_start_date, created_date)) as date) as month_start
        {_MONEY}),
    mixed as (
        select month_start, payer_category, currency, count(*) as claims, sum(billed_amount) as amount
        from dated group by month_start, payer_category, currency)
    select
        month_start, payer_category, currency, claims,
        {ratio("claims", "sum(claims) over (partition by month_start, currency)")} as share_of_claims,
        cast(amount as decimal(18, 2)) as billed,
        {ratio("amount", "sum(amount) over (partition by month_start, currency)")} as share_of_billed
    from mixed
    """,
)

CLAIM_VIEWS = (CLAIMS_BY_PAYER, TOP_COST_DIAG, DENIALS, PAYER_MIX)
