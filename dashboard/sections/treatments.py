"""Treatments of a chain's own treatment system: how many, what became of them, and month by month."""

from __future__ import annotations

from typing import TYPE_CHECKING

import altair as alt
import pandas as pd

from dashboard import charts, few, words
from dashboard.page import Column, Figure
from dashboard.sections.records import month_end
from nh_pipeline.marts.treatments.shared import TYPE_SK, UNKNOWN

if TYPE_CHECKING:
    from datetime import date

    from dashboard.asking import Ask
    from dashboard.page import Page

SOURCE = "treatment system (DynamoDB)"

NONE = (
    "There are no treatments in this lake yet. Extract them with `nh treatments extract`, or deliver exports of the "
    "table (DynamoDB), and run `nh run FOLDER`."
)

PATIENTS = f"count(distinct nullif(f.patient_sk, {UNKNOWN}))"
"""SQL of how many there are in facts ``f``: who is not told is none."""

RATE = Column("Success rate", "share", "Successes of those that are decided: a success or a failure")
"""Of a table."""

SHARES = alt.Axis(format=".0%", tickMinStep=0.01)
"""Of a chart."""

_CLASSES = {
    "success": "Success",
    "failure": "Failure",
    "open": "Not over yet",
    "unknown": "In words that are not known",
}
_SETTLED = {True: "All but 1 % decided", False: "Not yet decided"}
_BY_OUTCOME = {"patients": ("treatments", "share", "days", "cost"), "treatments": ("share", "days", "cost")}
_BY_MONTH = {
    "patients": ("treatments", "n", "decided", "successes", "still_open", "success_rate"),
    "treatments": ("n", "decided", "success_rate"),
    "decided": ("success_rate",),
    "successes": ("success_rate",),
    "still_open": (),
}
_FACT = (
    "treatments_gold.fact_treatments as f join treatments_gold.dim_treatment_types_and_outcome_statuses as t "
    f"on t.{TYPE_SK} = f.{TYPE_SK}"
)


def months(ask: Ask) -> tuple[date, date] | None:
    """First and last day of the months in which treatments began; None if there are none that say so."""
    found = ask(
        "select min(month_start) as first, max(month_start) as last from treatments_gold.monthly_treatment_trends"
    ).iloc[0]
    return None if pd.isna(found["first"]) else (found["first"].date(), month_end(found["last"]))


def at_a_glance(page: Page, ask: Ask) -> bool:
    """All treatments, in figures; whether there are any."""
    row = ask(
        f"select count(*) as treatments, {PATIENTS} as patients, count(f.cost) as costed, "
        "avg(cast(f.cost as double)) as cost, count(case when t.outcome_class = 'success' then 1 end) as successes, "
        f"count(case when t.outcome_class in ('success', 'failure') then 1 end) as decided from {_FACT}"
    ).iloc[0]
    if not row["treatments"]:
        page.nothing(NONE)
        return False
    few_people = row["patients"] < few.FEWEST
    successes, decided, costed = (0 if few_people else row[name] for name in ("successes", "decided", "costed"))
    page.figures(
        [
            Figure("Treatments", few.count(0 if few_people else row["treatments"]), f"whenever they began · {SOURCE}"),
            Figure("Patients", few.count(row["patients"]), f"of any treatment · {SOURCE}"),
            Figure(
                "Success rate",
                few.share(successes, decided),
                f"{few.count(successes)} of {few.count(decided)} that are decided · {SOURCE}",
            ),
            Figure(
                "Mean cost of a treatment",
                f"${words.number(row['cost'], 0)}" if costed >= few.FEWEST else words.NOTHING,
                f"of {few.count(costed)} whose cost is known · {SOURCE}",
            ),
        ]
    )
    return True


def by_outcome(page: Page, ask: Ask) -> None:
    """What became of treatments."""
    rows = ask(
        f"select t.outcome_class, count(*) as treatments, {PATIENTS} as patients, "
        "count(f.duration_in_days) as timed, avg(cast(f.duration_in_days as double)) as days, "
        f"count(f.cost) as costed, avg(cast(f.cost as double)) as cost from {_FACT} group by 1"
    )
    order = list(_CLASSES)
    rows = rows.assign(
        outcome=rows["outcome_class"].map(_CLASSES),
        order=rows["outcome_class"].map(order.index),
        share=rows["treatments"] / rows["treatments"].sum(),
        days=rows["days"].where(rows["timed"] >= few.FEWEST),
        cost=rows["cost"].where(rows["costed"] >= few.FEWEST),
    ).sort_values("order")
    shown = few.guarded(rows, _BY_OUTCOME)
    source = f"treatments_gold.fact_treatments · {few.KEPT_BACK}"
    page.section(
        "What became of them",
        "By what the words of the outcome mean. Words that are not known count in no rate: they are to be declared.",
    )
    drawn = shown.dropna(subset="share")
    if not drawn.empty:
        most = drawn.loc[drawn["share"].idxmax()]
        page.chart(
            charts.bars(drawn, "outcome", "share", title="Share of treatments", form=".0%"),
            name="treatments-by-outcome",
            alt=f"Share of treatments by outcome; most: {most['outcome']}, {words.share(most['share'])}.",
            source=source,
            data=drawn[["outcome", "share"]],
        )
    page.table(
        shown,
        {
            "outcome": Column("Outcome"),
            "treatments": Column("Treatments", "people"),
            "share": Column("Share", "share"),
            "patients": Column("Patients", "people", "One may be in several rows"),
            "days": Column("Mean duration, days", "hours", "Of those that say it"),
            "cost": Column("Mean cost", "dollars", "Of those that say it"),
        },
        name="outcomes-of-treatments",
        source=source,
    )


def by_month(page: Page, ask: Ask, start: date, end: date) -> None:
    """Treatments by the month in which they began; months of which too little is decided are marked."""
    rows = ask(
        f"with w as (select d.year, d.month, {PATIENTS} as patients from treatments_gold.fact_treatments as f "
        "join treatments_gold.dim_dates as d on d.date_sk = f.start_date_sk group by 1, 2) "
        "select m.month_start, m.total_treatments as treatments, m.total_treatments as n, m.decided, m.successes, "
        "m.open as still_open, m.success_rate, m.is_mature, w.patients "
        "from treatments_gold.monthly_treatment_trends as m join w on w.year = m.year and w.month = m.month order by 1"
    )
    page.section(
        "Month by month",
        "By the month in which treatments began. Of the last months, what ends soon is decided first: a rate is to be "
        "compared where all but 1 % is decided.",
    )
    shown = few.guarded(rows, _BY_MONTH).assign(
        month=rows["month_start"].dt.strftime("%b %Y"), settled=rows["is_mature"].map(_SETTLED)
    )
    shown = shown[rows["month_start"].between(pd.Timestamp(start), pd.Timestamp(end))]
    if shown.empty:
        page.nothing(f"No treatment began in {words.period(start, end)}. Choose other months.")
        return
    source = f"treatments_gold.monthly_treatment_trends · {words.period(start, end)} · {few.KEPT_BACK}"
    if shown["n"].notna().any():
        young = int((shown["settled"] == _SETTLED[False]).sum())
        page.chart(
            _volume(shown),
            name="treatments-by-month",
            alt=f"Treatments by month; {young} of {words.count(len(shown), 'month')} not yet decided.",
            source=source,
            data=shown[["month_start", "n", "settled"]],
        )
    rates = shown["success_rate"]
    if rates.notna().any():
        low, high = words.share(rates.min()), words.share(rates.max())
        page.chart(
            _rates(shown),
            name="success-rate-by-month",
            alt=f"Success rate by month, from {low} to {high}; months that are not yet decided are marked.",
            source=source,
            data=shown[["month_start", "success_rate", "settled"]],
        )
    page.table(
        shown,
        {
            "month": Column("Month"),
            "treatments": Column("Treatments", "people"),
            "decided": Column("Decided", "people", "A success or a failure"),
            "successes": Column("Successes", "people"),
            "success_rate": RATE,
            "still_open": Column("Not over yet", "people"),
            "settled": Column("May be compared", "text", "Where all but 1 % is decided"),
        },
        name="months-of-treatments",
        source=source,
    )


_MONTH = alt.X("yearmonth(month_start):O", title=None, axis=alt.Axis(format="%b %Y", labelAngle=0, labelOverlap=True))
_TOLD = alt.Tooltip("yearmonth(month_start):T", title="Month", format="%b %Y")
_MARKED = alt.Scale(domain=list(_SETTLED.values()))
_LEGEND = alt.Legend(orient="top", labelLimit=260, columns=charts.FITTING)


def _volume(rows: pd.DataFrame) -> alt.Chart:
    chart: alt.Chart = (
        alt.Chart(rows, height=220)
        .mark_bar(invalid=None)  # a month that is kept back has its place
        .encode(
            x=_MONTH,
            y=alt.Y("n:Q", title="Treatments"),
            color=alt.Color("settled:N", title=None, scale=_MARKED, legend=_LEGEND),
            tooltip=[_TOLD, alt.Tooltip("n:Q", title="Treatments", format=","), "settled:N"],
        )
    )
    return chart


def _rates(rows: pd.DataFrame) -> alt.LayerChart:
    rate = alt.Y("success_rate:Q", title=RATE.label, scale=alt.Scale(zero=False), axis=SHARES)
    base: alt.Chart = alt.Chart(rows, height=220).encode(x=_MONTH, y=rate)
    points: alt.Chart = base.mark_point(filled=True, size=80, opacity=1).encode(
        color=alt.Color("settled:N", title=None, scale=_MARKED, legend=_LEGEND),
        shape=alt.Shape("settled:N", title=None, scale=_MARKED, legend=_LEGEND),
        tooltip=[_TOLD, alt.Tooltip("success_rate:Q", title=RATE.label, format=".1%"), "settled:N"],
    )
    chart: alt.LayerChart = base.mark_line(opacity=0.5, strokeWidth=1.5) + points
    return chart
