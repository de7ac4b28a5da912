"""``clinical_gold.claim_denials``: claims that were denied at any time, and what became of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.marts.clinical.fct_adjudications import FCT_ADJUDICATIONS
from nh_pipeline.marts.clinical.fct_claims import FCT_CLAIMS
from nh_pipeline.model.columns import count, date, flag
from nh_pipeline.model.mart import Mart
from nh_pipeline.transforms.select import select

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_DENIAL = ("denied_amount", "denial_reason_system", "denial_reason_code", "denial_category")


def denials(claims: DataFrame, adjudications: DataFrame) -> DataFrame:
    """Each claim with its last denial, whole or in part."""
    from pyspark.sql import functions as F

    order = "order by created_at desc nulls last, version_at desc, eob_id desc"
    denied = adjudications.where("status = 'active' and adjudication in ('denied', 'partly_denied')").selectExpr(
        "*", f"row_number() over (partition by claim_id {order}) as _nth"
    )
    last = denied.where("_nth = 1").selectExpr("claim_id", *(f"{name} as _{name}" for name in _DENIAL))
    ever = denied.groupBy("claim_id").agg(
        F.expr("min(adjudicated_date) as first_denied_date"),
        F.expr("count(1) as n_denials"),
        F.expr("bool_and(adjudication = 'partly_denied') as is_partial"),
    )
    joined = claims.where("use = 'claim' and status = 'active'").join(last, "claim_id").join(ever, "claim_id")
    sql = {name: f"_{name}" for name in _DENIAL}
    sql["denied_amount"] = "case when is_partial then _denied_amount else coalesce(_denied_amount, billed_amount) end"
    return joined.selectExpr(*select(CLAIM_DENIALS.columns, sql))


_OF = FCT_CLAIMS.by_name

MART = Mart(
    "claim_denials",
    database="clinical_gold",
    bucket="patient_bucket",
    description="Claims that were denied at any time, if only in part, one row each, with their last denial.",
    grain=("claim_id",),
    sort=("patient_id", "claim_id"),
    columns=(
        *(_OF[name] for name in (
            "claim_id", "patient_id", "patient_bucket", "claim_type", "billable_start_date", "organization_id",
            "care_provider_id", "payer_id", "payer", "payer_category", "diagnosis_category", "billed_amount",
        )),
        date("first_denied_date", "Day of the first denial"),
        count("n_denials", "How many decisions denied it, or lines of it", nullable=False),
        flag("is_partial", "Never denied as a whole, but lines of it"),
        *(_OF[name] for name in _DENIAL),
        _OF["adjudication"],
        _OF["paid_amount"],
        _OF["is_overturned"],
        _OF["is_resubmitted"],
        _OF["currency"],
    ),
    reads=(FCT_CLAIMS, FCT_ADJUDICATIONS),
    transform=denials,
    foreign_keys=(("claim_id", "clinical_silver.fct_claims.claim_id"),),
    caution="The rate of overturned denials is over those with an outcome: `is_overturned` is not NULL",
)  # fmt: skip

CLAIM_DENIALS = MART.table
