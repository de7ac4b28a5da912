"""Claims for what was done: who pays how much of them, for what, and what is denied."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from dashboard import charts, few, words
from dashboard.page import Column, Figure
from dashboard.sections.records import told
from nh_pipeline.datasets.clinical.reference.payers import PAYER_CATEGORIES

if TYPE_CHECKING:
    from datetime import date

    from dashboard.asking import Ask
    from dashboard.page import Page

TOP = 15
"""Diagnoses that are named; the others are summed up."""

OTHERS, NO_DIAGNOSIS = "Other payers, of few patients", "No diagnosis"

_CLAIMS = (
    "select *, case when not is_resubmitted then cast(billed_amount as double) end as billed, "
    "cast(paid_amount as double) as paid, adjudication not in ('unadjudicated', 'pending') as is_decided "
    "from clinical_silver.fct_claims where use = 'claim' and status = 'active' and currency = 'USD' "
    "and billable_start_date between ? and ?"
)
_SUMS = {
    "claims": "count(*)",
    "patients": "count(distinct c.patient_id)",
    "decided": "cast(sum(case when c.is_decided then 1 else 0 end) as bigint)",
    "billed": "sum(c.billed)",
    "billed_decided": "sum(case when c.is_decided then c.billed end)",
    "paid": "sum(case when c.is_decided then c.paid end)",
}
_SUMMED = ", ".join(f"{sql} as {name}" for name, sql in _SUMS.items())
_OF_PATIENTS = {
    "patients": ("claims", "decided", "billed", "billed_decided", "paid", "share"),
    "claims": ("billed", "share"),
    "decided": ("billed_decided", "paid", "share"),
}
_MONEY = {
    "claims": Column("Claims", "people"),
    "patients": Column("Patients", "people"),
    "billed": Column("Billed", "dollars", "What is billed again after a denial counts once"),
    "decided": Column("Decided", "people", "Claims that the payer has decided on"),
    "billed_decided": Column("Billed, of these", "dollars"),
    "paid": Column("Paid, of these", "dollars"),
    "share": Column("Paid of billed", "share", "Of claims that the payer has decided on"),
}
_OF_DENIALS = {
    "patients": ("claims", "denied", "ended", "overturned", "rate"),
    "claims": ("denied",),
    "ended": ("rate",),
    "overturned": ("rate",),
}
_REASONS = {
    "eligibility": "Not eligible",
    "authorization": "No authorization",
    "coding": "Coding",
    "timely_filing": "Filed too late",
    "duplicate": "Duplicate",
    "medical_necessity": "Not medically necessary",
    "non_covered": "Not covered",
    "other": "Other reason",
    "untold": "No reason given",
}


def by_payer(page: Page, ask: Ask, start: date, end: date) -> None:
    """What each payer was billed, and what it paid of what it has decided on."""
    rows = ask(
        f"with c as ({_CLAIMS}), known as (select payer_id from c group by 1 "
        f"having count(distinct patient_id) >= {few.FEWEST}) "
        f"select c.payer_category, case when k.payer_id is null then '{OTHERS}' else c.payer end as payer, {_SUMMED} "
        "from c left join known as k on k.payer_id = c.payer_id group by 1, 2 order by billed desc, 1, 2",
        start,
        end,
    )
    page.section(
        "Claims by payer",
        "Services that began in the period, in US dollars. A claim that is not decided yet is not one that was paid "
        "nothing: what is paid stands beside what was billed of decided claims alone.",
    )
    if rows.empty:
        page.nothing(f"No claim for services of {words.period(start, end)}. Deliver Claim and ExplanationOfBenefit.")
        return
    page.table(
        few.guarded(rows.assign(share=_paid(rows)), _OF_PATIENTS),
        {"payer": Column("Payer"), "payer_category": Column("Kind"), **_MONEY},
        name="claims-by-payer",
        source=told(start, end, few.KEPT_BACK),
    )


def payer_mix(page: Page, ask: Ask, start: date, end: date) -> None:
    """Which kinds of payers the claims of each month were for."""
    rows = ask(
        f"with c as ({_CLAIMS}) select cast(date_trunc('month', c.billable_start_date) as date) as month, "
        f"c.payer_category, {_SUMMED} from c group by 1, 2 order by 1, 2",
        start,
        end,
    )
    if rows.empty:
        return
    whole = rows.groupby("month")[["claims", "billed"]].transform("sum")
    rows = rows.assign(of_claims=rows["claims"] / whole["claims"], of_billed=rows["billed"] / whole["billed"])
    shares = ("of_claims", "of_billed")
    shown = few.guarded(rows, {"patients": ("claims", "billed", *shares), "claims": ("billed", *shares)}, by="month")
    drawn = shown.dropna(subset="of_billed")
    page.section("Payer mix", "Of what was billed each month, and of its claims, by kind of payer: that of the claim.")
    if not drawn.empty:
        most = drawn.groupby("payer_category")["billed"].sum().idxmax()
        page.chart(
            charts.by_month(
                drawn, "payer_category", "of_billed", PAYER_CATEGORIES, title="Share of billed", form=".0%"
            ),
            name="payer-mix-by-month",
            alt=f"Share of what was billed, by month and kind of payer; most to {most}.",
            source=told(start, end, f"{few.KEPT_BACK} They are left out here."),
            data=drawn[["month", "payer_category", *shares]],
        )
    page.table(
        shown.assign(month=[f"{m:%b %Y}" for m in rows["month"]]),
        {
            "month": Column("Month"),
            "payer_category": Column("Kind of payer"),
            "claims": Column("Claims", "people"),
            "of_claims": Column("Share of claims", "share"),
            "billed": Column("Billed", "dollars"),
            "of_billed": Column("Share of billed", "share"),
        },
        name="payer-mix",
        source=told(start, end, few.KEPT_BACK),
    )


def diagnoses(page: Page, ask: Ask, start: date, end: date) -> None:
    """What most was billed for; claims without a diagnosis are a row, and so is all that is not named."""
    kinds = {"0": "c.primary_diagnosis_code is null", "2": "k.code is null"}
    whens = " ".join(f"when {test} then {kind}" for kind, test in kinds.items())
    same = "k.system = coalesce(c.primary_diagnosis_system, '') and k.code = c.primary_diagnosis_code"
    rows = ask(
        f"with c as ({_CLAIMS}), known as (select coalesce(primary_diagnosis_system, '') as system, "
        "primary_diagnosis_code as code "
        "from c where primary_diagnosis_code is not null group by 1, 2 "
        f"having count(distinct patient_id) >= {few.FEWEST}) "
        f"select case {whens} else 1 end as kind, k.system, k.code, max(case when k.code is not null then "
        f"coalesce(c.primary_diagnosis_display, k.code) end) as diagnosis, {_SUMMED} "
        f"from c left join known as k on {same} group by 1, 2, 3 order by billed desc, k.code",
        start,
        end,
    )
    page.section("Top diagnoses by amount billed", "The claim's own principal diagnosis, else its first.")
    if rows.empty:
        page.nothing(f"No claim for services of {words.period(start, end)}.")
        return
    named = rows[rows["kind"] == 1]
    more = named.iloc[TOP:]
    rest = pd.DataFrame([more[list(_SUMS)].sum()]).assign(
        patients=None, diagnosis=words.count(len(more), "further diagnosis", "further diagnoses")
    )
    shown = pd.concat(
        [
            named.head(TOP).assign(rank=range(1, min(TOP, len(named)) + 1)),
            *([rest] if len(more) else []),
            rows[rows["kind"] == 2].assign(diagnosis="Diagnoses of few patients each"),  # noqa: PLR2004 (see kinds)
            rows[rows["kind"] == 0].assign(diagnosis=NO_DIAGNOSIS),
        ],
        ignore_index=True,
    )
    page.table(
        few.guarded(shown.assign(share=_paid(shown)), _OF_PATIENTS),
        {"rank": Column("Rank", "count"), "diagnosis": Column("Diagnosis"), "code": Column("Code"), **_MONEY},
        name="top-diagnoses",
        source=told(start, end, few.KEPT_BACK),
    )


def denials(page: Page, ask: Ask, start: date, end: date) -> None:
    """Claims that were denied at any time, if only in part, and how many of them were paid in the end."""
    rows = ask(
        "select denial_category, count(*) as claims, count(distinct patient_id) as patients, "
        "cast(sum(denied_amount) as double) as denied, count(is_overturned) as ended, "
        "cast(sum(case when is_overturned then 1 else 0 end) as bigint) as overturned "
        "from clinical_gold.claim_denials where currency = 'USD' and billable_start_date between ? and ? "
        "group by 1 order by 2 desc, 1",
        start,
        end,
    )
    page.section(
        "Denials",
        "Claims that were denied at any time, if only in part, by the reason of the last denial. Overturned: paid in "
        "the end, of those whose end is known.",
    )
    if rows.empty:
        page.nothing(f"No claim for services of {words.period(start, end)} was denied.")
        return
    total, of = rows[["claims", "ended", "overturned"]].sum(), told(start, end)
    page.figures(
        [
            Figure("Claims denied", few.count(total["claims"]), f"at any time, if only in part · {of}"),
            Figure(
                "Overturned",
                few.share(total["overturned"], total["ended"]),
                f"{few.count(total['overturned'])} of {few.count(total['ended'])} with an outcome · {of}",
            ),
        ]
    )
    rows = rows.assign(
        rate=rows["overturned"] / rows["ended"].replace(0, float("nan")),
        reason=rows["denial_category"].fillna("untold").map(_REASONS),
    )
    page.table(
        few.guarded(rows, _OF_DENIALS),
        {
            "reason": Column("Reason"),
            "claims": Column("Denied", "people", "Claims"),
            "patients": Column("Patients", "people"),
            "denied": Column("Amount denied", "dollars"),
            "ended": Column("With an outcome", "people"),
            "overturned": Column("Overturned", "people"),
            "rate": Column("Share overturned", "share"),
        },
        name="denials",
        source=told(start, end, few.KEPT_BACK),
    )


def _paid(rows: pd.DataFrame) -> pd.Series:
    """What was paid of what was billed, of claims that are decided; none if nothing was billed."""
    return rows["paid"] / rows["billed_decided"].where(rows["billed_decided"] > 0)
