"""A nursing home beside others like it, its weekends beside its weekdays, and our figures beside CMS's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import altair as alt
import pandas as pd

from dashboard import charts, words
from dashboard.page import Column, Figure, Proof
from dashboard.sections.facility_home import PBJ, quarter
from dashboard.words import STAFF
from nh_pipeline.marts.peers import MEASURES

if TYPE_CHECKING:
    from datetime import date

    from dashboard.asking import Ask
    from dashboard.page import Page
    from dashboard.sections.facility_home import Home

FEW = 10
"""Homes among which a percentile says little."""

SHORT = {
    "hprd_total": "All staff",
    "hprd_rn": "RN",
    "hprd_aide": "Aides",
    "hprd_weekend_total": "All, weekends",
    "contract_share": "Contract",
    "total_nursing_turnover": "Turnover",
}
"""Measures of peers as they stand beside an axis."""

_RULES = {
    "reported_total_hprd": "Nurse hours per resident day: all nursing staff",
    "reported_rn_hprd": "Registered nurses",
    "reported_lpn_hprd": "Licensed practical nurses",
    "reported_aide_hprd": "Nurse aides",
    "weekend_total_hprd": "All nursing staff, Saturdays and Sundays",
}
_AGREES = {"equal": True, "rounding": True, "mismatch": False}
_LEAST_QUARTERS = 3


def weekend_gap(page: Page, ask: Ask, home: Home, end: date) -> None:
    """Hours per resident day of weekdays and of weekends, of the quarter of the last day that is shown."""
    rows = ask(
        "select quarter_start, cy_qtr, staff, weekday_hprd, weekend_hprd, gap, gap_share, weekend_resident_days "
        "from gold.weekend_gap where provider_id = ? and quarter_start <= ? order by quarter_start",
        home.ccn,
        end,
    )
    if rows.empty:
        return
    last = rows[rows["quarter_start"] == rows["quarter_start"].iloc[-1]].set_index("staff")
    shown = last.loc[[s for s in STAFF if s in last.index]]
    shown.insert(0, "who", [STAFF[s] for s in shown.index])
    name = shown["cy_qtr"].iloc[0]
    page.section("Weekdays and weekends", f"Hours per resident day in {name}, hours and residents summed up first.")
    page.table(
        shown,
        {
            "who": Column("Staff"),
            "weekday_hprd": Column("Monday to Friday", "hprd"),
            "weekend_hprd": Column("Saturday and Sunday", "hprd"),
            "gap": Column("Gap", "hprd", "Weekdays less weekends; negative where weekends have more"),
            "gap_share": Column("Gap, of weekdays", "share"),
        },
        name=f"weekends-{home.ccn}",
        source=f"{words.count(int(last['weekend_resident_days'].iloc[0]), 'weekend resident-day')} · {PBJ} · {name}",
    )
    total = rows[rows["staff"] == "total"]
    if len(total) >= _LEAST_QUARTERS:
        names = {"weekday_hprd": "Monday to Friday", "weekend_hprd": "Saturday and Sunday"}
        page.chart(
            charts.lines(total, "quarter_start", names, title=words.HPRD, height=200),
            name=f"weekends-by-quarter-{home.ccn}",
            alt=f"In {name} {words.number(total['weekday_hprd'].iloc[-1])} hours per resident day on weekdays, "
            f"{words.number(total['weekend_hprd'].iloc[-1])} at weekends.",
            source=f"All nursing staff · {words.count(len(total), 'quarter')} to {name} · {PBJ}",
            data=total,
        )


def among_peers(page: Page, ask: Ask, home: Home, start: date, end: date) -> None:
    """Where the home stands among homes of its state, size, place and kind of owner, with how many these are."""
    rows = ask(
        "select quarter_start, cy_qtr, state, size, urban, ownership, measure, value, n, percentile, group_median "
        "from gold.peers where provider_id = ? and quarter_start between ? and ? order by quarter_start, measure",
        home.ccn,
        quarter(start),
        end,
    )
    if rows.empty:
        return
    shown = rows[rows["quarter_start"] == rows["quarter_start"].iloc[-1]].reset_index(drop=True)
    first = shown.iloc[0]
    group = [words.state(first["state"]) if first["state"] else "", words.SIZES.get(first["size"], ""),
             {"Y": "urban", "N": "rural"}.get(first["urban"], ""), first["ownership"] or "owner not known"]  # fmt: skip
    page.section("Among its like", f"Homes of: {', '.join(filter(None, group))}. {first['cy_qtr']}.")
    if int(shown["n"].max()) < FEW:
        page.warning(f"Only {words.count(int(shown['n'].max()), 'home')} in this group: a percentile says little.")
    shown["what"] = [f"{MEASURES[m][0].upper()}{MEASURES[m][1:]}" for m in shown["measure"]]
    kinds = {
        m: "share" if m == "contract_share" else "percent" if m == "total_nursing_turnover" else "hprd"
        for m in MEASURES
    }
    form = {"share": words.share, "percent": lambda v: words.share(v / 100), "hprd": words.number}
    for column in ("value", "group_median"):
        shown[f"{column}_told"] = [
            form[kinds.get(m, "hprd")](v) for m, v in zip(shown["measure"], shown[column], strict=True)
        ]
    shown["short"] = shown["measure"].map(SHORT)
    shown["stands"] = shown["percentile"].round().astype(int)
    page.table(
        shown,
        {
            "what": Column("What"),
            "value_told": Column("This home"),
            "group_median_told": Column("Median of the group"),
            "stands": Column("Percentile", "count", "Share of the group below it, and half of those equal to it"),
            "n": Column("Homes", "count"),
        },
        name=f"peers-{home.ccn}",
        source=f"Percentile: share of the group below it, and half of those equal to it · {PBJ} · {first['cy_qtr']}",
    )
    chart = (
        alt.Chart(shown, height=alt.Step(26))
        .mark_point(filled=True, size=140, opacity=1)
        .encode(
            x=alt.X("percentile:Q", title="percentile", scale=alt.Scale(domain=[0, 100])),
            y=alt.Y("short:N", sort=None, title=None),
            tooltip=[
                alt.Tooltip("what:N", title="What"),
                alt.Tooltip("percentile:Q", format=".0f"),
                alt.Tooltip("n:Q", title="Homes"),
            ],
        )
    )
    page.chart(
        chart,
        name=f"percentiles-{home.ccn}",
        alt="; ".join(f"{w}: percentile {p:.0f}" for w, p in zip(shown["what"], shown["percentile"], strict=True))
        + ".",
        source=f"{words.count(int(first['n']), 'home')} · {PBJ} · {first['cy_qtr']}",
        data=shown[["what", "value", "group_median", "percentile", "n"]],
    )


def beside_cms(page: Page, ask: Ask, home: Home) -> None:
    """Hours per resident day recomputed from days, beside what Provider Information reports of the same quarter."""
    release = newest_reconciled(ask, home)
    if release is None:
        return
    rows = ask(
        "select rule, ours, theirs, verdict, note from gold.reconciliation where release = ? and level = 'facility' "
        f"and entity = ? and rule in ({', '.join('?' * len(_RULES))})",
        release,
        home.ccn,
        *_RULES,
    ).set_index("rule")
    if rows.empty:
        return
    span = reported_quarter(ask, release)
    made = _made_of(home, span)
    page.section(
        "Ours beside CMS's",
        f"Provider Information of {words.day(release)} reports hours per resident day"
        + (f" of {words.period(*span)}" if span else "")
        + "; here they are computed again from the days of the Payroll-Based Journal.",
    )
    page.figures(
        [
            Figure(
                label,
                words.number(rows.loc[rule, "ours"], 5),
                made,
                proof=_proof(rows.loc[rule]),
            )
            for rule, label in _RULES.items()
            if rule in rows.index
        ]
    )


def newest_reconciled(ask: Ask, home: Home) -> date | None:
    """The newest release, of those that list the home, whose reported staffing was computed again."""
    found = ask(
        "select max(release) as release from gold.reconciliation_summary "
        "where rule = 'reported_total_hprd' and level = 'facility' and release < ?",
        home.until,
    )["release"].iloc[0]
    return None if found is None or found is pd.NaT else found.date()


def reported_quarter(ask: Ask, release: date) -> tuple[date, date] | None:
    """Days whose staffing a release reports: CMS renews it once a quarter, and says it in one of its releases."""
    found = ask(
        "select max(from_date) as first, max(through_date) as last from silver.fct_data_collection_intervals "
        "where measure_code = 'STAFFING_LEVELS' and release between ? and ?",
        quarter(release),
        release,
    ).iloc[0]
    return (
        None
        if found["first"] is None or found["first"] != found["first"]
        else (found["first"].date(), found["last"].date())
    )


def _made_of(home: Home, span: tuple[date, date] | None) -> str:
    if span is None:
        return f"quarter not known · {PBJ}"
    n = int(home.months.loc[home.months["month"].between(*map(pd.Timestamp, span)), "days"].sum())
    return f"recomputed from {words.count(n, 'day')} · {words.period(*span)} · {PBJ}"


def _proof(row: pd.Series) -> Proof:
    said = {"equal": "equal", "rounding": "equal but for rounding"}.get(row["verdict"], row["verdict"])
    return Proof(f"CMS: {words.number(row['theirs'], 5)}, {said}", _AGREES.get(row["verdict"]))
