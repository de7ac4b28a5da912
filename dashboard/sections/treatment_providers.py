"""Providers of treatments beside each other: how many they gave, how many of them succeeded, and what they cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import altair as alt

from dashboard import charts, few, words
from dashboard.page import Column
from dashboard.sections.treatments import PATIENTS, RATE, SHARES
from nh_pipeline.marts.treatments.shared import SMALL

if TYPE_CHECKING:
    import pandas as pd

    from dashboard.asking import Ask
    from dashboard.page import Page

MOST = 25
"""Providers that are drawn."""

EVERY = "All specialities"

_OF = (
    f"left join (select f.provider_sk, {PATIENTS} as patients from treatments_gold.fact_treatments as f group by 1) "
    "as f on f.provider_sk = t.provider_id "
    "left join treatments_gold.dim_providers as p on p.provider_sk = t.provider_id "
    "left join treatments_gold.dim_specialities as s on s.speciality_sk = p.speciality_sk"
)
_WHO = "t.provider_id, t.full_name, s.name as speciality, f.patients, t.total_treatments as treatments"
_PROVIDER = {"provider": Column("Provider"), "speciality": Column("Speciality")}
_ENOUGH = {False: f"{SMALL} or more decided", True: f"Fewer than {SMALL} decided"}


def specialities(ask: Ask) -> list[str]:
    """Those that providers have, behind all of them."""
    found = ask(
        "select distinct s.name from treatments_gold.dim_providers as p join treatments_gold.dim_specialities as s "
        "on s.speciality_sk = p.speciality_sk where p.provider_sk >= 0 and s.name is not null order by 1"
    )
    return [EVERY, *found["name"]]


def busiest(page: Page, ask: Ask, speciality: str = EVERY) -> None:
    """Providers by how many treatments they gave."""
    rows = _asked(ask, "t.rank, p.affiliated_hospital, p.facility_ccn", "provider_treatment_rank")
    shown = few.guarded(rows, {"patients": ("treatments", "rank", "n"), "treatments": ("rank", "n")})
    page.section("Providers by treatments", "A rank is among all providers, whatever speciality is chosen.")
    shown = _chosen(page, shown, speciality)
    if shown.empty:
        return
    source = f"treatments_gold.provider_treatment_rank · {few.KEPT_BACK}"
    drawn = shown.dropna(subset="n").head(MOST)
    if not drawn.empty:
        page.chart(
            charts.bars(drawn, "provider", "n", title="Treatments", form=",.0f"),
            name="treatments-by-provider",
            alt=f"Treatments by provider; most: {drawn['provider'].iloc[0]}, {drawn['treatments'].iloc[0]}.",
            source=_first(source, drawn, shown),
            data=drawn[["provider", "n"]],
        )
    page.table(
        shown,
        {
            "rank": Column("Rank", "count", "Equal ones share it"),
            **_PROVIDER,
            "affiliated_hospital": Column("Hospital or home"),
            "facility_ccn": Column("CCN", "text", "Where the facility map has the name"),
            "treatments": Column("Treatments", "people"),
            "patients": Column("Patients", "people"),
        },
        name="providers-by-treatments",
        source=source,
    )


def most_successful(page: Page, ask: Ask, speciality: str = EVERY, *, with_few: bool = True) -> None:
    """Providers by success rate, with how many are decided; rates of few are marked, or left out."""
    rows = _asked(ask, "t.rank, t.decided, t.successes, t.success_rate, t.is_small_n", "provider_success_rate_rank")
    shown = few.guarded(
        rows,
        {
            "patients": ("treatments", "decided", "successes", "success_rate", "rank"),
            "treatments": (),
            "decided": ("success_rate", "rank"),
            "successes": ("success_rate", "rank"),
        },
    )
    shown = shown.assign(told=rows["is_small_n"].map(_ENOUGH)).sort_values(["rank", "provider_id"])
    page.section(
        "Providers by success rate",
        f"Successes of those that are decided. A rate of fewer than {SMALL} is high or low by chance. None of them is "
        "adjusted for how ill patients were.",
    )
    shown = _chosen(page, shown if with_few else shown[shown["told"] == _ENOUGH[False]], speciality)
    if shown.empty:
        return
    source = f"treatments_gold.provider_success_rate_rank · {few.KEPT_BACK}"
    drawn = shown.dropna(subset="success_rate").head(MOST)
    if not drawn.empty:
        enough = int((drawn["told"] == _ENOUGH[False]).sum())
        page.chart(
            _rates(drawn),
            name="success-rate-by-provider",
            alt=f"Success rates of {words.count(len(drawn), 'provider')}; {enough} have {SMALL} or more decided.",
            source=_first(source, drawn, shown),
            data=drawn[["provider", "success_rate", "told"]],
        )
    page.table(
        shown,
        {
            "rank": Column("Rank", "count", "Equal ones share it"),
            **_PROVIDER,
            "treatments": Column("Treatments", "people"),
            "decided": Column("Decided", "people", "A success or a failure"),
            "successes": Column("Successes", "people"),
            "success_rate": RATE,
            "told": Column("Based on"),
        },
        name="providers-by-success-rate",
        source=source,
    )


def costs(page: Page, ask: Ask, speciality: str = EVERY) -> None:
    """Providers by what their treatments cost on average."""
    rows = _asked(
        ask,
        "t.n_with_cost, cast(t.total_cost as double) as total_cost, t.avg_treatment_cost",
        "summary_avg_treatment_cost",
    )
    of_cost = ("total_cost", "avg_treatment_cost")
    shown = few.guarded(
        rows, {"patients": ("treatments", "n_with_cost", *of_cost), "treatments": (), "n_with_cost": of_cost}
    )
    shown = shown.sort_values(["avg_treatment_cost", "provider_id"], ascending=[False, True])
    page.section(
        "What treatments cost", "In US dollars. One without a cost is in no mean; one that cost nothing counts."
    )
    shown = _chosen(page, shown, speciality)
    if shown.empty:
        return
    source = f"treatments_gold.summary_avg_treatment_cost · {few.KEPT_BACK}"
    drawn = shown.dropna(subset="avg_treatment_cost").head(MOST)
    if not drawn.empty:
        most, told = drawn["provider"].iloc[0], words.number(drawn["avg_treatment_cost"].iloc[0], 0)
        page.chart(
            charts.bars(drawn, "provider", "avg_treatment_cost", title="Mean cost, US dollars", form="$,.0f"),
            name="cost-by-provider",
            alt=f"Mean cost of a treatment by provider; highest: {most}, ${told}.",
            source=_first(source, drawn, shown),
            data=drawn[["provider", "avg_treatment_cost"]],
        )
    page.table(
        shown,
        {
            **_PROVIDER,
            "treatments": Column("Treatments", "people"),
            "n_with_cost": Column("With a cost", "people"),
            "total_cost": Column("Cost of these", "dollars"),
            "avg_treatment_cost": Column("Mean cost", "dollars"),
        },
        name="costs-by-provider",
        source=source,
    )


def _asked(ask: Ask, columns: str, table: str) -> pd.DataFrame:
    """All providers of a table, those of most treatments first."""
    rows = ask(f"select {_WHO}, {columns} from treatments_gold.{table} as t {_OF} order by treatments desc, 1")
    names = rows["full_name"].fillna("Provider")
    of = names + " (" + rows["provider_id"].astype(str) + ")"
    return rows.assign(provider=of.where(rows["provider_id"] >= 0, "Not told"), n=rows["treatments"])


def _chosen(page: Page, rows: pd.DataFrame, speciality: str) -> pd.DataFrame:
    """Those of a speciality; what is kept back is judged before, among all."""
    found = rows if speciality == EVERY else rows[rows["speciality"] == speciality]
    if found.empty:
        page.nothing("No provider is left. Choose another speciality, or also rates of few.")
    return found


def _first(source: str, drawn: pd.DataFrame, shown: pd.DataFrame) -> str:
    return source if len(drawn) < MOST else f"the first {len(drawn)} of {words.count(len(shown), 'row')} · {source}"


def _rates(rows: pd.DataFrame) -> alt.Chart:
    scale = alt.Scale(domain=list(_ENOUGH.values()))
    legend = alt.Legend(orient="top", labelLimit=260, columns=charts.FITTING)
    chart: alt.Chart = (
        alt.Chart(rows, height=alt.Step(22))
        .mark_point(filled=True, size=80, opacity=1)
        .encode(
            y=alt.Y("provider:N", sort=None, title=None, axis=alt.Axis(grid=True, labelLimit=220)),
            x=alt.X("success_rate:Q", title=RATE.label, scale=alt.Scale(zero=False), axis=SHARES),
            color=alt.Color("told:N", title=None, scale=scale, legend=legend),
            shape=alt.Shape("told:N", title=None, scale=scale, legend=legend),
            tooltip=["provider:N", alt.Tooltip("success_rate:Q", title=RATE.label, format=".1%"), "told:N"],
        )
    )
    return chart
