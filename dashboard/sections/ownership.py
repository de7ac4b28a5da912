"""Kinds of owners compared, and homes before and after a change of owner, beside homes of their states without one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import altair as alt

from dashboard import charts, words
from dashboard.page import Column, Figure
from nh_pipeline.marts.facility_quarter import HPRD
from nh_pipeline.marts.ownership_change import QUARTERS
from nh_pipeline.marts.peers import GROUP

if TYPE_CHECKING:
    from datetime import date

    import pandas as pd

    from dashboard.asking import Ask
    from dashboard.page import Page

SOURCE = "CMS, Payroll-Based Journal; owners: CMS, Provider Information"
CAUTION = (
    "A difference is not the sale's effect: homes that are sold differ from others before they are, and each point is "
    "of the homes that have staffing in that quarter, which are not the same everywhere."
)
NONE = (
    "No quarter of staffing in this lake has homes whose owners are known. Land Provider Information beside the daily "
    "staffing, and run `nh run FOLDER`."
)
UNKNOWN = "Not known"
MOST_HOMES = 5_000
MUCH_OLDER = 100
"""Days between two releases: above, a change is not dated well."""

EVENTS = {
    "Change marked by CMS": "changed_owner",
    "Kind of owner changed": "ownership_type",
}
MEASURES = {
    "All nursing staff": "hprd_total",
    "Registered nurses (RN)": "hprd_rn",
    "Nurse aides": "hprd_aide",
    "All nursing staff, weekends": "hprd_weekend_total",
}
"""What ``gold.ownership_change`` has beside homes without a change."""

_CHANGED, _BESIDE = "Homes that changed", "Homes of their states without a change"
_OWNER = {"changed_owner": "changed_ownership", "ownership_type": "ownership_type"}

COMPARED = {
    "kind": Column("Owner"),
    "homes": Column("Homes", "count"),
    "resident_days": Column("Resident-days", "count"),
    "pooled": Column("HPRD, pooled", "hprd", "Hours of all nursing staff / resident-days, both summed up"),
    "mean": Column("HPRD, mean of homes", "hprd", "Each home counting once"),
    "rn_pooled": Column("RN, pooled", "hprd"),
    "rn_mean": Column("RN, mean of homes", "hprd"),
    "contract_share": Column("Contract staff", "share", "Of all hours"),
    "days_no_rn_share": Column("Days with no RN", "share", "Of days with residents"),
}


def quarters(ask: Ask) -> dict[str, date]:
    """Quarters in which it is known who owns the homes, the newest first."""
    found = ask(
        "select cy_qtr, quarter_start from gold.facility_quarter where ownership_type is not null "
        "group by cy_qtr, quarter_start order by quarter_start desc"
    )
    return {row.cy_qtr: row.quarter_start.date() for row in found.itertuples()}


def events(ask: Ask) -> list[str]:
    """What a change of owner can be seen by, the most frequent first."""
    found = ask("select event, count(*) as n from gold.ownership_change group by event").set_index("event")["n"]
    return sorted(EVENTS, key=lambda called: -found.get(EVENTS[called], 0))


def compared(page: Page, ask: Ask, called: str, quarter: date) -> None:
    """Three kinds of owners, and the legal forms within them."""
    kinds = _by(ask, quarter, f"coalesce({GROUP['ownership']}, '{UNKNOWN}')")
    forms = _by(ask, quarter, "coalesce(upper(substr(ownership_type, 1, 1)) || lower(substr(ownership_type, 2)), "
                f"'{UNKNOWN}')")  # fmt: skip
    of = f"{called} · {SOURCE}"
    page.section("Kinds of owners", f"Nurse hours per resident day of all nursing staff, {called}.")
    page.figures(
        [
            Figure(
                f"{row.kind.capitalize()}, pooled",
                words.number(row.pooled),
                f"mean of homes {words.number(row.mean)} · {words.count(row.homes, 'home')} · {of}",
            )
            for row in kinds.itertuples()
        ]
    )
    told = {"pooled": "Pooled", "mean": "Mean of homes"}
    data = charts.long(forms.assign(label=forms["kind"] + " (" + forms["homes"].astype(str) + ")"), "label", told)
    known = forms[forms["kind"] != UNKNOWN]
    most, fewest = known.iloc[0], known.iloc[-1]
    page.chart(
        alt.Chart(data, height=alt.Step(26))
        .mark_point(filled=True, size=90, opacity=1)
        .encode(
            y=alt.Y("label:N", sort=None, title=None, axis=alt.Axis(labelLimit=300, grid=True)),
            x=alt.X("value:Q", title=words.HPRD, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=8)),
            color=alt.Color("series:N", title=None, scale=alt.Scale(domain=list(told.values())),
                            legend=alt.Legend(orient="top", columns=charts.FITTING)),
            shape=alt.Shape("series:N", title=None, scale=alt.Scale(domain=list(told.values()))),
            tooltip=[alt.Tooltip("label:N", title="Owner (homes)"), "series:N",
                     alt.Tooltip("value:Q", format=".2f", title=words.HPRD)],
        ),
        name=f"kinds-of-owners-{called}",
        alt=f"{most['kind']} has the most hours per resident day, {words.number(most['pooled'])} pooled; "
        f"{fewest['kind']} the fewest, {words.number(fewest['pooled'])}.",
        source=f"{words.count(int(forms['homes'].sum()), 'home')}; their number behind each kind · {of}",
        data=forms,
    )  # fmt: skip
    page.table(forms, COMPARED, name=f"owners-compared-{called}",
               source=f"{words.count(int(forms['homes'].sum()), 'home')} · {of}")  # fmt: skip


def around(page: Page, ask: Ask, event: str, measure: str) -> None:
    """Eight quarters before and after a change, pooled and as mean of homes, beside homes without one."""
    column, told = MEASURES[measure], f"{measure}: {words.HPRD}"
    rows = _around(ask, EVENTS[event], column)
    page.section(
        "Before and after a change of owner",
        "Quarter 0 is that of the release that first shows the change; the change is up to some months older. Beside "
        "it: homes of the same states without a change within eight quarters.",
    )
    if rows.empty:
        page.nothing(
            f"No quarter of staffing within eight quarters of this: {event}. It takes two releases of Provider "
            "Information that differ, and the days around them."
        )
        return
    page.warning(CAUTION)
    lines = {"changed_pooled": _CHANGED, "unchanged_pooled": _BESIDE}
    first, last = rows.iloc[0], rows.iloc[-1]
    page.chart(
        _around_chart(rows, lines, told),
        name=f"around-{EVENTS[event]}-{column}",
        alt=f"{_quarter(first['since'])}, homes that changed have {words.number(first['changed_pooled'])}, the homes "
        f"beside them {words.number(first['unchanged_pooled'])}; {_quarter(last['since']).lower()} "
        f"{words.number(last['changed_pooled'])} and {words.number(last['unchanged_pooled'])}.",
        source=f"{event}; {told}, pooled; below each point the number of homes that changed; homes without a change "
        f"are pooled in each state and weighted like the homes that changed · {SOURCE}",
        data=rows,
    )
    page.table(
        rows.assign(quarter=rows["since"].map(_quarter)),
        {
            "quarter": Column("Quarter"),
            "n": Column("Homes that changed", "count"),
            "changed_pooled": Column("Pooled", "hprd"),
            "changed_mean": Column("Mean of homes", "hprd"),
            "n_unchanged": Column("Homes beside", "count", "Homes of the same states without a change, once for "
                                  "each calendar quarter that the point is of"),
            "unchanged_pooled": Column("Beside: pooled", "hprd"),
            "unchanged_mean": Column("Beside: mean of homes", "hprd"),
        },
        name=f"quarters-around-{EVENTS[event]}-{column}",
        source=f"{event}; {told} · {SOURCE}",
    )  # fmt: skip


def homes(page: Page, ask: Ask, event: str, states: tuple[str, ...] = ()) -> None:
    """The homes that changed, the newest first, with their hours before and after."""
    rows = _homes(ask, EVENTS[event], states)
    of = ", ".join(map(words.state, states)) or "all states"
    page.section("Homes that changed", f"{event}; {of}. Hours per resident day of all nursing staff, each home pooled.")
    if rows.empty:
        page.nothing(f"In the releases of this lake, no home of {of} shows this: {event}.")
        return
    if ((rows["release"] - rows["previous_release"]).dt.days > MUCH_OLDER).any():
        page.warning(
            "Between some releases of this lake lie more than three months: a change is as old as the day after the "
            "release before, at most. Look at both dates."
        )
    n = int(rows["n"].iloc[0])
    page.table(
        rows,
        {
            "provider_id": Column("CCN"),
            "provider_name": Column("Home"),
            "city": Column("City"),
            "state": Column("State"),
            "release": Column("First shown by release of", "date"),
            "previous_release": Column("Release before", "date"),
            "before": Column("Before"),
            "after": Column("After"),
            "hprd_before": Column("HPRD before", "hprd", "Quarters before that of the release, up to eight"),
            "hprd_after": Column("HPRD after", "hprd", "Quarters after it, up to eight"),
        },
        name=f"homes-{EVENTS[event]}",
        source=f"{words.count(n, 'change')}" + (f", the newest {MOST_HOMES:,} shown" if n > MOST_HOMES else "")
        + f" · {of} · {SOURCE}",
    )  # fmt: skip


def _by(ask: Ask, quarter: date, kind: str) -> pd.DataFrame:
    total, rn = (f"sum(cast({HPRD[name][0]} as double)) / nullif(sum(resident_days), 0)" for name in
                 ("hprd_total", "hprd_rn"))  # fmt: skip
    rows = ask(
        f"select {kind} as kind, count(*) as homes, sum(resident_days) as resident_days, {total} as pooled, "
        f"avg(hprd_total) as mean, {rn} as rn_pooled, avg(hprd_rn) as rn_mean, "
        "sum(cast(contract_hours_with_residents as double)) "
        "/ nullif(sum(cast(total_hours_with_residents as double)), 0) as contract_share, "
        "cast(sum(days_no_rn) as double) / nullif(sum(days_with_residents - days_incomplete), 0) as days_no_rn_share "
        "from gold.facility_quarter where quarter_start = ? group by 1 order by pooled desc",
        quarter,
    )
    return rows.sort_values("kind", key=lambda kinds: kinds == UNKNOWN, kind="stable")


def _around(ask: Ask, event: str, column: str) -> pd.DataFrame:
    hours, days = HPRD[column]
    return ask(
        f"""
        select c.quarters_since as since, count(c.{column}) as n,
            sum(cast(q.{hours} as double)) / nullif(sum(q.{days}), 0) as changed_pooled,
            avg(c.{column}) as changed_mean,
            sum(c.{column}_unchanged_pooled * q.{days})
                / nullif(sum(case when c.{column}_unchanged_pooled is not null then q.{days} end), 0)
                as unchanged_pooled,
            avg(c.{column}_unchanged_mean) as unchanged_mean, max(b.n_unchanged) as n_unchanged
        from gold.ownership_change as c
        join gold.facility_quarter as q on q.provider_id = c.provider_id and q.quarter_start = c.quarter_start
        join (
            select quarters_since, sum(n_unchanged) as n_unchanged from (
                select distinct quarters_since, quarter_start, state, n_unchanged from gold.ownership_change
                where event = ?) as s
            group by quarters_since) as b on b.quarters_since = c.quarters_since
        where c.event = ? group by c.quarters_since order by since
        """,
        event, event,
    )  # fmt: skip


def _homes(ask: Ask, event: str, states: tuple[str, ...]) -> pd.DataFrame:
    marked = " and c.after = 'Y'" if event == "changed_owner" else ""
    within = f" and c.state in ({', '.join('?' * len(states))})" if states else ""
    before, after = (
        f"sum(case when quarters_since {sign} 0 then hprd_total * resident_days end) / nullif(sum(case when "
        f"quarters_since {sign} 0 and hprd_total is not null then resident_days end), 0)"
        for sign in "<>"
    )
    return ask(
        f"""
        select c.provider_id, p.provider_name, p.city, c.state, c.release, c.previous_release, c.before, c.after,
            o.hprd_before, o.hprd_after, count(*) over () as n
        from gold.changes as c
        left join silver.fct_provider_releases as p on p.provider_id = c.provider_id and p.release = c.release
        left join (
            select provider_id, change_release, {before} as hprd_before, {after} as hprd_after
            from gold.ownership_change where event = ? group by provider_id, change_release
        ) as o on o.provider_id = c.provider_id and o.change_release = c.release
        where c.what = ?{marked}{within} order by c.release desc, c.state, c.provider_id limit {MOST_HOMES}
        """,
        event, _OWNER[event], *states,
    )  # fmt: skip


def _around_chart(rows: pd.DataFrame, lines: dict[str, str], told: str) -> alt.LayerChart | alt.FacetChart:
    base = alt.Chart(charts.long(rows, "since", lines).merge(rows[["since", "n"]], on="since"), height=320)
    order = alt.Scale(domain=list(lines.values()))
    bold = alt.condition("datum.value == 0", alt.value(4), alt.value(1))
    x = alt.X("since:Q", title="Quarters since the release that first shows the change",
              axis=alt.Axis(values=list(range(-QUARTERS, QUARTERS + 1)), format="d", gridWidth=bold),
              scale=alt.Scale(domain=[-QUARTERS - 0.5, QUARTERS + 0.5]))  # fmt: skip
    drawn = base.mark_line(point=alt.OverlayMarkDef(size=60, filled=True)).encode(
        x=x,
        y=alt.Y("value:Q", title=told, scale=alt.Scale(zero=False, padding=24)),
        color=alt.Color("series:N", title=None, scale=order, legend=charts.STROKES),
        strokeDash=alt.StrokeDash("series:N", scale=order, legend=None),
        tooltip=[alt.Tooltip("since:Q", title="Quarters since"), "series:N",
                 alt.Tooltip("value:Q", format=".2f", title=told), alt.Tooltip("n:Q", title="Homes that changed")],
    )  # fmt: skip
    first = base.transform_filter(alt.datum.series == lines["changed_pooled"])
    numbers = first.mark_text(dy=16, fontSize=11).encode(
        x=x, y="value:Q", text=alt.Text("n:Q", format=","), color=alt.Color("series:N", scale=order)
    )
    return alt.layer(drawn, numbers, data=base.data)


def _quarter(since: int) -> str:
    """``3 quarters before``; ``Quarter of the release``."""
    if not since:
        return "Quarter of the release"
    return f"{words.count(abs(since), 'quarter')} {'before' if since < 0 else 'after'}"
