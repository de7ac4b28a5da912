"""What payers decided on the lines of a claim: amounts by what they are, and whether a line is denied, and why.

The same is said in several code systems: FHIR's own, CARIN's for Blue Button, and that of CMS's Blue Button.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.clinical.reference.denials import PAYING, PROCESSING
from nh_pipeline.marts.clinical.billing import AT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import DataFrame

_AMOUNTS = {
    "submitted": (("submitted", "line_sbmtd_chrg_amt"),),
    "allowed": (("eligible", "allowed", "line_alowd_chrg_amt"),),
    "paid": (
        ("benefit", "payment", "line_nch_pmt_amt"),
        ("paidtoprovider", "paidtopatient", "line_prvdr_pmt_amt", "line_bene_pmt_amt"),
    ),
    "responsibility": (("deductible", "coinsurance", "copay", "line_bene_ptb_ddctbl_amt", "line_coinsrnc_amt"),),
    "noncovered": (("noncovered",),),
}
"""The codes of amounts, without what stands before the last slash. Of several lists the first that is said counts."""

_REASONS = ("denialreason", "noncovered", "adjustmentreason")
"""Where a reason stands; the first says best why a line is denied."""

SUMS = ("submitted", "allowed", "paid", "responsibility")


def _quoted(codes: Sequence[str]) -> str:
    return ", ".join(f"'{code}'" for code in codes)


def decided(adjudications: DataFrame) -> DataFrame:
    """One row per version and line (NULL: all of the claim): its amounts, whether it is denied, and why."""
    from pyspark.sql import functions as F

    from nh_pipeline.transforms.fhir_money import amount

    said = adjudications.selectExpr(
        *AT,
        "sequence",
        "item_index",
        "lower(regexp_replace(category_code, '^.*/', '')) as kind",
        f"{amount('amount')} as amount",
        "currency",
        "reason_system",
        "reason_code",
    )
    sums = {
        name: f"coalesce({', '.join(f'sum(case when kind in ({_quoted(codes)}) then amount end)' for codes in lists)})"
        for name, lists in _AMOUNTS.items()
    }
    rank = " ".join(f"when '{kind}' then {nth}" for nth, kind in enumerate(_REASONS))
    place = f"case when reason_code is not null then case kind {rank} end * 1000000L + item_index end"
    return said.groupBy(*AT, "sequence").agg(
        *(F.expr(f"{sql} as {name}") for name, sql in sums.items()),
        F.expr("max(currency) as decided_currency"),
        F.expr("coalesce(bool_or(kind = 'denialreason'), false) as has_reason"),
        F.expr(f"min_by(reason_system, {place}) as reason_system"),
        F.expr(f"min_by(reason_code, {place}) as reason_code"),
        F.expr("max(case when kind = 'line_prcsg_ind_cd' then reason_code end) as indicator"),
    )


def decided_lines(items: DataFrame, decisions: DataFrame, how: str = "left") -> DataFrame:
    """The lines of explanations of benefit, each with what was decided on it.

    With ``how="full"`` also decisions on no line, or on none that is there: they have no ``item_index``.
    """
    from pyspark.sql import functions as F

    from nh_pipeline.transforms.fhir_money import amount

    net = amount("net")
    sql = {
        "net_amount": net,
        "submitted": f"coalesce(submitted, {net})",
        "_uncovered": f"coalesce(noncovered > 0 and noncovered >= coalesce(submitted, {net}), false)",
        "_has_reason": "coalesce(has_reason, false)",
        "_indicator": "coalesce(indicator, processing_code)",
        "currency": "coalesce(decided_currency, currency)",
    }
    joined = items.join(decisions, [*AT, "sequence"], how).withColumns({name: F.expr(to) for name, to in sql.items()})
    turned_down = f"coalesce(_indicator not in ({_quoted(PAYING)}), false)"
    judged = joined.selectExpr(
        "*", f"{turned_down} as _turned_down", f"_has_reason or _uncovered or {turned_down} as is_denied"
    )
    told = "is_denied and reason_code is not null"
    return judged.selectExpr(
        "*",
        f"case when {told} then reason_system when _turned_down then '{PROCESSING}' end as denial_reason_system",
        f"case when {told} then reason_code when _turned_down then _indicator end as denial_reason_code",
    )
