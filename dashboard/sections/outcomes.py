"""Hospital visits of a chain's own residents: its homes beside each other, and beside CMS's measures and staffing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import altair as alt
import pandas as pd

from dashboard import charts, few, words
from dashboard.page import Column
from dashboard.sections.facility_home import PBJ
from dashboard.sections.facility_outcomes import CARE, CMS, COLUMNS, with_period
from dashboard.sections.records import month_end, told

if TYPE_CHECKING:
    from datetime import date

    from dashboard.asking import Ask
    from dashboard.page import Page

NONE = (
    "No stay in a nursing home is in the own records of this lake yet, or none has been followed up for 30 days. "
    "Deliver exports of your health record system (FHIR) whose organizations carry CCNs and run `nh run FOLDER`."
)
OWN, THEIRS = "Own", "CMS 521"

_COUNTS = {"admissions": ("rehospitalized_rate", "ed_rate"), "rehospitalized": ("rehospitalized_rate",),
           "ed": ("ed_rate",)}  # fmt: skip
_MONTHLY = {"admissions": "snf_admissions", "rehospitalized": "rehospitalized_30d", "ed": "ed_30d"}


def months(ask: Ask) -> tuple[date, date] | None:
    """First and last day of the months whose admissions are all followed up; None if there is none."""
    found = ask(
        "select min(month_start) as first, max(month_start) as last from clinical_gold.snf_months where is_followed_up"
    ).iloc[0]
    return None if pd.isna(found["first"]) else (found["first"].date(), month_end(found["last"]))


def names(ask: Ask) -> dict[str, str]:
    """The homes that have own records, by CCN: name and CCN."""
    found = ask(
        "select o.provider_id, max(p.provider_name) as name from gold.facility_outcomes as o left join "
        "silver.dim_providers as p on p.provider_id = o.provider_id and p.is_current group by 1 order by 2, 1"
    )
    return {h.provider_id: f"{h.name} ({h.provider_id})" if h.name else h.provider_id for h in found.itertuples()}


def homes(page: Page, ask: Ask, start: date, end: date) -> None:
    """Each home in a period: those months whose admissions are all followed up, but for a few (:func:`_homes`).

    There is no sum of homes: beside them and their months, it would tell what is kept back.
    """
    rows = _homes(ask, start, end)
    page.section("Own rates beside CMS's", CARE)
    if rows.empty:
        page.nothing(f"No admission of {words.period(start, end)} is followed up for 30 days. Choose other months.")
        return
    of = told(start, end, words.count(len(rows), "home"))
    small = {name: rows[f"{name}_rest"].between(1, few.FEWEST - 1) for name in _MONTHLY}
    shown = few.guarded(rows, _COUNTS, by="provider_id", also=small)
    source = f"{of} · {CMS} as of the last month · {PBJ}"
    rated = shown.dropna(subset="rehospitalized_rate")
    if not rated.empty:
        above = int((rated["rehospitalized_rate"] > rated["cms_rehospitalized"]).sum())
        page.chart(
            _beside(rated),
            name="own-rates-beside-cms",
            alt=f"Rehospitalized within 30 days: {above:,} of {words.count(len(rated), 'home')} above CMS's "
            "measure 521, which is of an earlier time.",
            source=source,
            data=rated[["name", "provider_id", "rehospitalized_rate", "cms_rehospitalized"]],
        )
    page.table(
        shown,
        {"name": Column("Home"), "provider_id": Column("CCN"), **COLUMNS},
        name="own-outcomes-of-homes",
        source=f"{source} · {few.KEPT_BACK}",
    )


def _homes(ask: Ask, start: date, end: date) -> pd.DataFrame:
    """A row per home; ``<count>_rest`` is of the months in which the count is kept back.

    Months of few admissions are left out where there are few of them together, so that sums do not tell them.
    """
    sums = ", ".join(
        f"cast(sum({column}) as bigint) as {name}, "
        f"cast(sum(case when {column} < {few.FEWEST} then {column} else 0 end) as bigint) as {name}_rest"
        for name, column in _MONTHLY.items()
    )
    rows = ask(
        "with months as (select *, max(month_start) over (partition by provider_id) as last_month, "
        f"sum(case when snf_admissions < {few.FEWEST} then snf_admissions else 0 end) over (partition by provider_id) "
        "as of_few from clinical_gold.snf_months where is_followed_up and month_start between ? and ?), "
        f"own as (select provider_id, max(last_month) as month_start, {sums} from months "
        f"where snf_admissions >= {few.FEWEST} or of_few not between 1 and {few.FEWEST - 1} "
        "group by provider_id having sum(snf_admissions) > 0), "
        "hours as (select provider_id, cast(sum(total_hours_with_residents) as double) / nullif(sum(resident_days), 0) "
        "as hprd from gold.facility_month where month between ? and ? group by provider_id) "
        "select own.*, p.provider_name as name, h.hprd, cast(o.rehospitalization_521 as double) / 100 as "
        "cms_rehospitalized, cast(o.outpatient_ed_522 as double) / 100 as cms_ed, o.measure_period_521, "
        "o.months_behind from own left join silver.dim_providers as p on p.provider_id = own.provider_id and "
        "p.is_current left join hours as h on h.provider_id = own.provider_id left join gold.facility_outcomes as o "
        "on o.provider_id = own.provider_id and o.month_start = own.month_start order by name, own.provider_id",
        *(start, end) * 2,
    )
    return with_period(rows).assign(
        name=rows["name"].fillna(rows["provider_id"]),
        rehospitalized_rate=rows["rehospitalized"] / rows["admissions"],
        ed_rate=rows["ed"] / rows["admissions"],
    )


def _beside(rows: pd.DataFrame) -> alt.Chart:
    """Two dots per home: its own rate, and CMS's."""
    title = "Rehospitalized within 30 days, share of admissions"
    rows = rows.assign(home=rows["provider_id"] + " " + rows["name"])
    long = charts.long(rows, "home", {"rehospitalized_rate": OWN, "cms_rehospitalized": THEIRS})
    order = alt.Scale(domain=[OWN, THEIRS])
    chart: alt.Chart = (
        alt.Chart(long, height=alt.Step(22))
        .mark_point(filled=True, size=60)
        .encode(
            y=alt.Y("home:N", sort=list(rows["home"]), title=None, axis=alt.Axis(grid=True, labelLimit=220)),
            x=alt.X("value:Q", title=title, axis=alt.Axis(format=".0%")),
            color=alt.Color("series:N", title=None, scale=order, legend=alt.Legend(orient="top")),
            shape=alt.Shape("series:N", title=None, scale=order),
            tooltip=["home:N", "series:N", alt.Tooltip("value:Q", format=".1%", title=title)],
        )
    )
    return chart
