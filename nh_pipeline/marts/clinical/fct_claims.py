"""``clinical_silver.fct_claims``: claims, what was billed, and what became of it.

A claim shows the last thing that was decided on it. Where nothing was decided yet, what was paid is unknown, not zero:
compare billed and paid amounts of adjudicated claims alone. Of its total and the sum of its lines the total counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.clinical.claims import CLAIM, CLAIM_ITEM, COVERAGE
from nh_pipeline.datasets.clinical.export import DELETION
from nh_pipeline.marts.clinical.billing import COLUMNS, MONEY, described
from nh_pipeline.marts.clinical.dim_payers import DIM_PAYERS, insurances
from nh_pipeline.marts.clinical.directory import LOOKUP
from nh_pipeline.marts.clinical.fct_adjudications import DECIDED, DECISIONS, FCT_ADJUDICATIONS
from nh_pipeline.marts.clinical.fct_conditions import FCT_CONDITIONS
from nh_pipeline.marts.clinical.id_conflicts import ID_CONFLICTS
from nh_pipeline.marts.clinical.shared import OF_PATIENT, VERSION
from nh_pipeline.model.columns import category, count, flag, text, yes_no
from nh_pipeline.model.mart import Mart
from nh_pipeline.model.rules import Rule
from nh_pipeline.transforms.select import select

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

NOT_YET = "unadjudicated"

_BOTH = tuple(c.name for c in (*COLUMNS, *VERSION))
"""Columns that claims and decisions have."""

_AMOUNTS = {c.name for c in DECIDED if c.type.name == "decimal"}
_DECISION = ("eob_id", "adjudication", "adjudicated_date", *(c.name for c in DECIDED))
"""Columns that decisions alone have."""


def claims(  # noqa: PLR0917 (it reads so many tables)
    said: DataFrame,
    items: DataFrame,
    adjudications: DataFrame,
    coverages: DataFrame,
    conditions: DataFrame,
    payers: DataFrame,
    directory: DataFrame,
    deletions: DataFrame,
    conflicts: DataFrame,
) -> DataFrame:
    """The latest version of each claim; and of decisions on claims that nobody delivered, one claim each."""
    from nh_pipeline.transforms.fhir_money import amount
    from nh_pipeline.transforms.latest import elements, winners

    found = winners(said, deletions, conflicts, CLAIM.table)
    insured = insurances(coverages, directory, deletions, conflicts)
    told = described(elements(said, found), items, insured, conditions, directory)
    totals = {"billed_amount": amount("total_value"), "currency": "coalesce(total_currency, line_currency)"}
    mine = told.selectExpr("resource_id as claim_id", *(f"{totals.get(name, name)} as {name}" for name in _BOTH))
    return _followed(_paid(mine, adjudications), payers)


def _decided(adjudications: DataFrame) -> DataFrame:
    """Of each claim the decision that counts (its columns begin with ``e_``), and what was ever decided on it."""
    from pyspark.sql import functions as F

    active = "status = 'active'"
    order = f"{active} desc, created_at desc nulls last, version_at desc, paid_amount desc nulls last, eob_id desc"
    last = (
        adjudications.where("is_latest")
        .selectExpr("*", f"row_number() over (partition by claim_id order by {order}) as _nth")
        .where("_nth = 1")
        .selectExpr("claim_id", *(f"{name} as e_{name}" for name in (*_BOTH, *_DECISION)))
    )
    ever = adjudications.groupBy("claim_id").agg(
        F.expr("cast(count_if(is_latest) as int) as n_eobs"),
        F.expr("sum(paid_change) as _cash"),
        F.expr(f"bool_or({active} and adjudication = 'denied') as _denied"),
        F.expr(f"bool_or({active} and adjudication = 'partly_denied') as _partly"),
    )
    return last.join(ever, "claim_id")


def _paid(mine: DataFrame, adjudications: DataFrame) -> DataFrame:
    """Claims with what became of them; amounts in another currency than the claim's are unknown."""
    joined = mine.selectExpr("*", "true as _claim").join(_decided(adjudications), "claim_id", "full")
    currency = "coalesce(currency, e_currency, 'USD')"
    counts, same = "coalesce(e_status = 'active', false)", f"e_currency = {currency}"
    told = {name: f"case when _claim then {name} else e_{name} end" for name in _BOTH} | {
        "payer_id": "coalesce(payer_id, e_payer_id)",
        "billed_amount": f"coalesce(billed_amount, case when {same} then e_billed_amount end)",
        "currency": currency,
    }
    decided = {name: f"e_{name}" for name in _DECISION}
    decided["paid_amount"] = "case e_adjudication when 'reversed' then _cash else e_paid_amount end"
    for name, sql in decided.items():
        decided[name] = f"case when {counts}{f' and {same}' if name in _AMOUNTS else ''} then {sql} end"
    decided["eob_id"] = f"case when {counts} or _claim is null then e_eob_id end"
    decided["adjudication"] = f"coalesce({decided['adjudication']}, '{NOT_YET}')"
    return joined.selectExpr(
        "claim_id",
        *(f"{sql} as {name}" for name, sql in (told | decided).items()),
        "_claim is null as is_from_eob",
        "coalesce(n_eobs, 0) as n_eobs",
        "coalesce(_denied, false) as _denied",
        "coalesce(_partly, false) as _partly",
    )


def _followed(paid: DataFrame, payers: DataFrame) -> DataFrame:
    """With who pays; and with what became of the claims that follow it."""
    # A claim that follows stands beside the one that it names, too: a join with itself would make all claims twice.
    follows = "case when related_claim_id <> claim_id and use = 'claim' and status = 'active' then related_claim_id end"
    both = paid.selectExpr("*", f"posexplode(array(claim_id, {follows})) as (_nth, _of)").where("_of is not null")
    of_it = "over (partition by _of)"
    followed = both.selectExpr(
        "*",
        f"max(case when _nth = 1 then coalesce(paid_amount > 0, false) end) {of_it} as _paid_again",
        f"max(_nth = 1) {of_it} as _again",
    ).where("_nth = 0")
    named = payers.selectExpr("payer_id", "payer_name as payer", "payer_category")
    joined = followed.join(named, "payer_id", "left")
    overturned = (
        "case when not _denied and not _partly then null when _paid_again then true "
        "when _denied and paid_amount > 0 or adjudication = 'paid' then true "
        f"when adjudication in ('pending', '{NOT_YET}') then null else false end"
    )
    sql = {
        "payer_category": "coalesce(payer_category, 'Unmapped')",
        "denied_amount": "case when adjudication = 'denied' then coalesce(denied_amount, billed_amount) "
        "else denied_amount end",
        "is_overturned": overturned,
        "is_resubmitted": "adjudication = 'denied' and _again",
        "is_header_unbalanced": "coalesce(billed_amount, 0) <> coalesce(line_net_amount, 0)",
        "is_paid_over_billed": "coalesce(paid_amount > billed_amount, false)",
    }
    return joined.selectExpr(*select(FCT_CLAIMS.columns, sql))


_PAYER = DIM_PAYERS.by_name

MART = Mart(
    "fct_claims",
    database="clinical_silver",
    bucket="patient_bucket",
    description="Claims, one row each, with what was decided on them last.",
    grain=("claim_id",),
    sort=("patient_id", "billable_start_date", "claim_id"),
    columns=(
        text("claim_id", "Claim.id, else as its decisions name it: `eob:` and an id, if they do not", nullable=False),
        *(column for column in COLUMNS if column not in MONEY),
        _PAYER["payer_name"].having(name="payer", nullable=True),
        _PAYER["payer_category"],
        *MONEY,
        flag("is_header_unbalanced", "Its total is not the sum of its lines"),
        text("eob_id", "The explanation of benefit that counts: the last active one"),
        count("n_eobs", "Explanations of benefit, the latest version of each", nullable=False),
        category(
            "adjudication",
            f"`{NOT_YET}`: no decision is known; " + "; ".join(f"`{k}`: {told}" for k, told in DECISIONS.items()),
            (NOT_YET, *DECISIONS),
            nullable=False,
        ),
        FCT_ADJUDICATIONS.by_name["adjudicated_date"],
        *DECIDED,
        yes_no(
            "is_overturned",
            "It was denied, if only in part, and paid in the end, itself or by a claim that follows it; NULL if it "
            "was never denied, or the end is not known",
        ),
        flag("is_resubmitted", "Denied, and billed again by a claim that names it: its amount is in that one's"),
        flag("is_paid_over_billed", "More was paid than billed"),
        flag("is_from_eob", "No Claim was delivered: all that is known is from its explanation of benefit"),
        *VERSION,
    ),
    reads=(
        CLAIM.table,
        CLAIM_ITEM.table,
        FCT_ADJUDICATIONS,
        COVERAGE.table,
        FCT_CONDITIONS,
        DIM_PAYERS,
        LOOKUP,
        DELETION,
        ID_CONFLICTS,
    ),
    transform=claims,
    rules=(
        Rule("paid_not_over_billed", "not is_paid_over_billed", "look at the claims: an error, or interest", False),
        Rule("lines_balance_header", "not is_header_unbalanced", "the total counts; lines may lack amounts", False),
        Rule("denied_within_billed", "denied_amount <= billed_amount", "the lines charge more than the total", False),
    ),
    foreign_keys=(
        OF_PATIENT,
        ("payer_id", "clinical_silver.dim_payers.payer_id"),
    ),
    caution="Money is moved by `use = 'claim'` and `status = 'active'`; paid amounts are NULL where nothing is decided",
)

FCT_CLAIMS = MART.table
