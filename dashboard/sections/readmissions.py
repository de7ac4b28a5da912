"""Acute stays that were followed by another within 30 days, by what the first was for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboard import charts, few, words
from dashboard.page import Column, Figure
from dashboard.sections.records import HORIZON, told

if TYPE_CHECKING:
    from datetime import date

    import pandas as pd

    from dashboard.asking import Ask
    from dashboard.page import Page

_COUNTS = {
    "patients": ("crude_index", "crude_again", "unplanned_index", "unplanned_again", "crude", "unplanned"),
    **{
        count: (rate,)
        for rate in ("crude", "unplanned")
        for count in (f"{rate}_index", f"{rate}_again")
    },
}  # fmt: skip


def readmissions(page: Page, ask: Ask, start: date, end: date) -> None:
    """Rates by category of diagnosis, crude and unplanned; blank where there is no index stay."""
    rows = by_category(ask, start, end)
    page.section(
        "Readmissions",
        "Acute stays that ended in the period, and those followed by another within 30 days. Crude: each stay counts, "
        "whatever came next. Unplanned: without planned returns, and without stays of patients who died, left against "
        "advice or were transferred, or of cancer, psychiatry or rehabilitation.",
    )
    if rows.empty:
        page.nothing(f"No acute stay that ended in {words.period(start, end)} is followed up for 30 days.")
        return
    page.figures([_all(rows, name, of=told(start, end)) for name in ("crude", "unplanned")])
    shown = few.guarded(rows, _COUNTS)
    source = told(start, end, few.KEPT_BACK)
    rated = shown.dropna(subset="crude").sort_values("crude", ascending=False)
    if not rated.empty:
        first = rated.iloc[0]
        page.chart(
            charts.bars(rated, "diagnosis_category", "crude", title="Readmitted within 30 days, crude", form=".1%"),
            name="readmissions-by-diagnosis",
            alt=f"Readmitted within 30 days most often: {first['diagnosis_category']} ({words.share(first['crude'])}).",
            source=source,
            data=rated[["diagnosis_category", "crude_index", "crude_again", "crude"]],
        )
    page.table(
        shown,
        {
            "diagnosis_category": Column("Diagnosis"),
            "patients": Column("Patients", "people"),
            "crude_index": Column("Index stays", "people", "Stays that count in the crude measure"),
            "crude_again": Column("Readmitted", "people"),
            "crude": Column("Crude rate", "share"),
            "unplanned_index": Column("Index stays, unplanned", "people", "Stays that count in the unplanned measure"),
            "unplanned_again": Column("Readmitted, unplanned", "people"),
            "unplanned": Column("Unplanned rate", "share"),
        },
        name="readmissions",
        source=source,
    )


def _all(rows: pd.DataFrame, name: str, *, of: str) -> Figure:
    again, index = rows[f"{name}_again"].sum(), rows[f"{name}_index"].sum()
    return Figure(
        f"Readmitted within 30 days, {name}",
        few.share(again, index),
        f"{few.count(again)} of {few.count(index)} index stays · {of}",
    )


def by_category(ask: Ask, start: date, end: date) -> pd.DataFrame:
    """Index stays and readmissions by category of diagnosis, most stays first; a rate is NULL without index stays."""
    sums = {
        "crude_index": "is_index",
        "crude_again": "is_readmitted_30d",
        "unplanned_index": "is_unplanned_index",
        "unplanned_again": "is_unplanned_readmitted_30d",
    }
    counted = ", ".join(f"cast(sum(case when v.{flag} then 1 else 0 end) as bigint) as {n}" for n, flag in sums.items())
    return ask(
        f"with counted as (select v.diagnosis_category, count(distinct v.patient_id) as patients, {counted} "
        f"from clinical_gold.readmissions as v join {HORIZON} where v.discharge_date between ? and ? group by 1) "
        "select *, cast(crude_again as double) / nullif(crude_index, 0) as crude, "
        "cast(unplanned_again as double) / nullif(unplanned_index, 0) as unplanned "
        "from counted order by crude_index desc, diagnosis_category",
        start,
        end,
    )
