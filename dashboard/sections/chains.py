"""Chains: their homes pooled, beside the mean of these homes and the nation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import altair as alt
import pandas as pd

from dashboard import charts, words
from dashboard.page import Column, Figure

if TYPE_CHECKING:
    from datetime import date

    from dashboard.asking import Ask
    from dashboard.page import Page

SOURCE = "CMS, Payroll-Based Journal; chains: CMS, Provider Information"
NONE = (
    "No release in this lake says which chain a home belongs to. CMS does so since June 2023: land a Provider "
    "Information file from then on."
)
MOST_BARS = 30

ORDERS = {
    "Most homes": ("homes", False),
    "Most hours per resident day": ("hprd_total_pooled", False),
    "Fewest hours per resident day": ("hprd_total_pooled", True),
    "Widest spread of homes": ("spread", False),
    "Highest share of contract staff": ("contract_share_pooled", False),
    "Most days with no RN": ("days_no_rn", False),
    "Most dollars of fines": ("fine_dollars", False),
}
"""How chains can be ranked: the column, and whether the least comes first."""

_SPREAD = ("low", "quarter", "median", "three_quarters", "high")
_COLUMNS = f"""
    chain_id, quarter_start, coalesce(chain_name, chain_id) as chain_name, cy_qtr, homes, n, states, resident_days,
    hprd_total_pooled, hprd_rn_pooled, hprd_weekend_total_pooled, hprd_total_facility_mean, contract_share_pooled,
    {", ".join(f"hprd_total_{name}" for name in _SPREAD)}, hprd_total_high - hprd_total_low as spread, days_no_rn,
    fines, cast(fine_dollars as double) as fine_dollars
"""

RANKED = {
    "chain_name": Column("Chain"),
    "chain_id": Column("Number", help="CMS's number of the chain"),
    "homes": Column("Homes", "count", "Homes with staffing in the quarter"),
    "hprd_total_pooled": Column("HPRD, pooled", "hprd", "Hours of all nursing staff / resident-days, both summed up"),
    "hprd_total_facility_mean": Column("HPRD, mean of homes", "hprd", "Each home counting once"),
    "hprd_total_low": Column("Lowest home", "hprd"),
    "hprd_total_high": Column("Highest home", "hprd"),
    "hprd_rn_pooled": Column("RN, pooled", "hprd"),
    "contract_share_pooled": Column("Contract staff", "share", "Of all hours"),
    "days_no_rn": Column("Days with no RN", "count", "Of all homes together, days with residents"),
    "fine_dollars": Column("Fines", "dollars", "That inspections of the quarter led to, as far as they are known"),
}

MEMBERS = {
    "provider_id": Column("CCN"),
    "provider_name": Column("Home"),
    "city": Column("City"),
    "state": Column("State"),
    "certified_beds": Column("Beds", "count"),
    "ownership_type": Column("Ownership"),
    "hprd_total": Column("HPRD", "hprd", "Hours of all nursing staff per resident day"),
    "hprd_rn": Column("RN", "hprd"),
    "contract_share": Column("Contract staff", "share", "Of all hours"),
    "days_no_rn": Column("Days with no RN", "count"),
    "overall_rating": Column("Stars", "count", "Overall rating of the quarter's last release"),
    "fine_dollars": Column("Fines", "dollars", "That inspections of the quarter led to, as far as they are known"),
}

_OWN = {"chain_overall_rating": "overall_rating", "reported_total_hprd": "hprd_total", "reported_rn_hprd": "hprd_rn",
        "weekend_total_hprd": "hprd_weekend_total"}  # fmt: skip
"""CMS's averages of chains that the quarter gives again: the column of ``gold.facility_quarter`` of each."""

CMS_MEASURES = {
    "facilities": "Homes",
    "chain_overall_rating": "Overall stars",
    "chain_health_inspection_rating": "Health inspection stars",
    "chain_staffing_rating": "Staffing stars",
    "chain_qm_rating": "Quality measure stars",
    "reported_total_hprd": "Nurse hours per resident day",
    "reported_rn_hprd": "RN hours per resident day",
    "weekend_total_hprd": "Nurse hours per resident day on weekends",
    "total_nursing_turnover": "Nursing staff who left in a year, per cent",
    "average_fines": "Fines of a home in three years",
    "average_fine_dollars": "Dollars of fines of a home in three years",
    "average_payment_denials": "Payment denials of a home in three years",
}


def quarters(ask: Ask) -> dict[str, date]:
    """Quarters in which homes belong to chains, the newest first: what they are called, and their first days."""
    found = ask("select distinct cy_qtr, quarter_start from gold.chain_quarter order by quarter_start desc")
    return {row.cy_qtr: row.quarter_start.date() for row in found.itertuples()}


def ranking(page: Page, ask: Ask, quarter: date, *, order: str, least: int = 1, search: str = "") -> None:
    """All chains of a quarter with at least so many homes and this text in their name or number."""
    every = ask(f"select {_COLUMNS} from gold.chain_quarter where quarter_start = ?", quarter)
    homes = _nation(ask)
    homes = homes[homes["quarter_start"] == pd.Timestamp(quarter)]
    column, ascending = ORDERS[order]
    rows = every[every["homes"] >= least].sort_values([column, "chain_name"], ascending=[ascending, True])
    if search:
        named = [rows[name].str.contains(search, case=False, regex=False) for name in ("chain_name", "chain_id")]
        rows = rows[named[0] | named[1]]
    if rows.empty or homes.empty:
        told = f"with “{search}” in its name or number, and " if search else "with "
        page.nothing(f"No chain {told}at least {words.count(least, 'home')} in this quarter. Ask for less.")
        return
    called = rows["cy_qtr"].iloc[0]
    nation, inside = homes.iloc[0], int(every["homes"].sum())
    page.figures(
        [
            Figure("Chains", f"{len(every):,}", f"with {words.count(inside, 'home')} · {called} · {SOURCE}"),
            Figure("Homes in a chain", words.share(inside / nation["homes"]),
                   f"{inside:,} of {words.count(nation['homes'], 'home')} with staffing · {called} · {SOURCE}"),
            Figure("All homes of the nation, pooled", words.number(nation["nation_pooled"]),
                   f"nurse hours per resident day · {words.count(nation['homes'], 'home')} · {called} · {SOURCE}"),
        ]
    )  # fmt: skip
    shown = rows.head(MOST_BARS)
    page.section(
        f"Chains: {order[0].lower()}{order[1:]}",
        "Nurse hours per resident day. Line: from the lowest to the highest home of the chain; bar: the middle half of "
        "its homes; stroke: the median home; dot: all homes pooled; dashed line: all homes of the nation, pooled.",
    )
    first = shown.iloc[0]
    page.chart(
        _spread_chart(shown, float(nation["nation_pooled"])),
        name=f"chains-{called}",
        alt=f"{first['chain_name']} comes first: {words.number(first['hprd_total_pooled'])} nurse hours per resident "
        f"day pooled, its homes from {words.number(first['hprd_total_low'])} to "
        f"{words.number(first['hprd_total_high'])}; the nation: {words.number(nation['nation_pooled'])}.",
        source=f"{len(shown)} of {words.count(len(rows), 'chain')} · {called} · {SOURCE}",
        data=shown,
    )
    page.table(rows, RANKED, name=f"all-chains-{called}", source=f"{words.count(len(rows), 'chain')} with at least "
               f"{words.count(least, 'home')} · {called} · {SOURCE}")  # fmt: skip


def one(page: Page, ask: Ask, chain: str) -> None:
    """One chain over the quarters, beside the nation; its homes; what CMS says of it."""
    rows = ask(f"select {_COLUMNS} from gold.chain_quarter where chain_id = ? order by quarter_start", chain)
    if rows.empty:
        page.nothing(f"No chain of this lake has the number {chain}. Choose one from the list.")
        return
    rows = rows.merge(_nation(ask)[["quarter_start", "nation_pooled"]], "left", "quarter_start")
    now, before = rows.iloc[-1], rows.iloc[-2] if len(rows) > 1 else None
    page.section(f"{now['chain_name']} ({chain})", "A home counts for the chain of the quarter's last release.")
    _figures(page, now, before)
    if before is not None:
        _over_quarters(page, rows)
    _members(page, ask, now)
    _beside_cms(page, ask, now)


def _nation(ask: Ask) -> pd.DataFrame:
    return ask(
        "select quarter_start, count(*) as homes, cast(sum(total_hours_with_residents) as double) "
        "/ nullif(sum(resident_days), 0) as nation_pooled from gold.facility_quarter group by quarter_start"
    )


def _spread_chart(rows: pd.DataFrame, nation: float) -> alt.LayerChart | alt.FacetChart:
    """A line, a bar, a stroke and a dot for each chain, in the order of the rows."""
    data = rows.assign(label=rows["chain_name"] + " (" + rows["chain_id"] + ")")
    told = [alt.Tooltip("label:N", title="Chain"), alt.Tooltip("homes:Q", title="Homes")] + [
        alt.Tooltip(f"hprd_total_{name}:Q", format=".2f", title=title)
        for name, title in (("pooled", "Pooled"), ("facility_mean", "Mean of homes"), ("low", "Lowest home"),
                            ("quarter", "A quarter of homes up to"), ("median", "Median home"),
                            ("three_quarters", "Three quarters up to"), ("high", "Highest home"))
    ]  # fmt: skip
    # What it is of is a column, as the colours of the theme go to columns alone; and rules in black are lost on black.
    of = alt.Color("of:N", title=None, scale=alt.Scale(domain=["Chain", "All homes, pooled"]),
                   legend=alt.Legend(orient="top", symbolOpacity=1, columns=charts.FITTING))  # fmt: skip
    base = alt.Chart(data.assign(of="Chain")).encode(
        y=alt.Y("label:N", sort=None, title=None, axis=alt.Axis(labelLimit=200, labelFlush=False, labelBound=False),
                scale=alt.Scale(type="band")),
        color=of,
        tooltip=told,
    )  # fmt: skip
    low = alt.X("hprd_total_low:Q", scale=alt.Scale(zero=False, nice=True), title=words.HPRD)
    across = base.mark_bar(height=1.5).encode(x=low, x2="hprd_total_high:Q")
    middle = base.mark_bar(opacity=0.45, height=12).encode(x="hprd_total_quarter:Q", x2="hprd_total_three_quarters:Q")
    median = base.mark_tick(thickness=2, height=18).encode(x="hprd_total_median:Q")
    pooled = base.mark_point(filled=True, size=70, opacity=1).encode(x="hprd_total_pooled:Q")
    line = alt.Chart(pd.DataFrame({"nation": [nation], "of": "All homes, pooled"}))
    nations = line.mark_rule(strokeDash=[5, 4]).encode(
        x="nation:Q", color=of, tooltip=["of:N", alt.Tooltip("nation:Q", format=".2f", title=words.HPRD)]
    )
    return alt.layer(across, middle, median, pooled, nations).properties(height=alt.Step(24))


def _figures(page: Page, now: pd.Series, before: pd.Series | None) -> None:
    called = now["cy_qtr"]
    of = f"{words.count(now['n'], 'home')}, {words.count(now['resident_days'], 'resident-day')} · {called} · {SOURCE}"
    dollars = f"${words.number(now['fine_dollars'], 0)} in all · " if pd.notna(now["fine_dollars"]) else ""
    change = ""
    if before is not None and pd.notna(now["hprd_total_pooled"] - before["hprd_total_pooled"]):
        change = f"{now['hprd_total_pooled'] - before['hprd_total_pooled']:+.2f} to {before['cy_qtr']}"
    page.figures(
        [
            Figure("Nurse hours per resident day, pooled", words.number(now["hprd_total_pooled"]), of, change),
            Figure("The same, mean of homes", words.number(now["hprd_total_facility_mean"]),
                   f"{words.count(now['n'], 'home')}, each counting once, from {words.number(now['hprd_total_low'])} "
                   f"to {words.number(now['hprd_total_high'])} · {called} · {SOURCE}"),
            Figure("All homes of the nation, pooled", words.number(now["nation_pooled"]), f"{called} · {SOURCE}"),
            Figure("Hours of contract staff", words.share(now["contract_share_pooled"]), f"of all hours · {of}"),
            Figure("Days with no registered nurse", words.number(now["days_no_rn"], 0),
                   f"days with residents, all homes together · {of}"),
            Figure("Fines", words.number(now["fines"], 0),
                   f"{dollars}that inspections of {called} led to, as far as they are known · CMS, Penalties"),
        ]
    )  # fmt: skip


def _over_quarters(page: Page, rows: pd.DataFrame) -> None:
    page.section("Over the quarters", "Nurse hours per resident day. The band holds the middle half of its homes.")
    series = {"hprd_total_pooled": "This chain, pooled", "hprd_total_facility_mean": "This chain, mean of homes",
              "nation_pooled": "All homes of the nation, pooled"}  # fmt: skip
    order = alt.Scale(domain=list(series.values()))
    quarter = alt.X("cy_qtr:O", title=None, axis=alt.Axis(labelAngle=0, labelOverlap=True))
    band = (
        alt.Chart(rows, height=280)
        .mark_area(opacity=0.15)
        .encode(x=quarter, y="hprd_total_quarter:Q", y2="hprd_total_three_quarters:Q")
    )
    lines = (
        alt.Chart(charts.long(rows, "cy_qtr", series))
        .mark_line(point=True)
        .encode(
            x=quarter,
            y=alt.Y("value:Q", title=words.HPRD, scale=alt.Scale(zero=False)),
            color=alt.Color("series:N", title=None, scale=order, legend=charts.STROKES),
            strokeDash=alt.StrokeDash("series:N", scale=order, legend=None),
            tooltip=[alt.Tooltip("cy_qtr:O", title="Quarter"), "series:N",
                     alt.Tooltip("value:Q", format=".2f", title=words.HPRD)],
        )
    )  # fmt: skip
    first, last = rows.iloc[0], rows.iloc[-1]
    page.chart(
        alt.layer(band, lines),
        name=f"chain-{last['chain_id']}-over-quarters",
        alt=f"Pooled hours went from {words.number(first['hprd_total_pooled'])} in {first['cy_qtr']} to "
        f"{words.number(last['hprd_total_pooled'])} in {last['cy_qtr']}; the nation from "
        f"{words.number(first['nation_pooled'])} to {words.number(last['nation_pooled'])}.",
        source=f"{first['cy_qtr']} to {last['cy_qtr']}; {words.count(last['n'], 'home')} in the last · {SOURCE}",
        data=rows,
    )


def _members(page: Page, ask: Ask, now: pd.Series) -> None:
    casts = {"fine_dollars": "cast(fine_dollars as double) as fine_dollars"}
    rows = ask(
        f"select {', '.join(casts.get(name, name) for name in MEMBERS)} from gold.facility_quarter "
        "where quarter_start = ? and chain_id = ? order by hprd_total",
        now["quarter_start"].date(), now["chain_id"],
    )  # fmt: skip
    page.section(f"Homes of the chain in {now['cy_qtr']}", "From the fewest nurse hours per resident day to the most.")
    page.table(
        rows,
        MEMBERS,
        name=f"homes-of-chain-{now['chain_id']}",
        source=f"{words.count(len(rows), 'home')} · {now['cy_qtr']} · {SOURCE}; stars, fines: as last released",
    )


def _beside_cms(page: Page, ask: Ask, now: pd.Series) -> None:
    """CMS's averages of the chain and the nation, and ours where the quarter gives them."""
    values = ", ".join(f"cast({name} as double) as {name}" for name in CMS_MEASURES)
    found = ask(
        f"select chain_id, {values} from silver.fct_chain_performance where chain_id = ? or chain_id is null",
        now["chain_id"],
    )
    if not found["chain_id"].notna().any():
        page.text("CMS's own averages of this chain (Chain Performance Measures) are not in this lake.")
        return
    means = ", ".join(f"avg(cast({column} as double)) as {name}" for name, column in _OWN.items())
    own = ask(
        f"select count(*) as facilities, {means} "
        "from gold.facility_quarter where quarter_start = ? and chain_id = ?",
        now["quarter_start"].date(), now["chain_id"],
    )  # fmt: skip
    theirs, nation = found[found["chain_id"].notna()], found[found["chain_id"].isna()]
    rows = pd.DataFrame(
        [
            {"measure": told, **{side: of[name].iloc[0] if name in of and len(of) else None
                                 for side, of in (("theirs", theirs), ("own", own), ("nation", nation))}}
            for name, told in CMS_MEASURES.items()
        ]
    ).astype({"theirs": float, "own": float, "nation": float})  # fmt: skip
    page.section(
        "Beside CMS's averages",
        "CMS averages homes, each counting once, and does not say of which month. Ours is the same mean, of the "
        "quarter's own days and the chain's homes of that quarter, so that the two need not be equal.",
    )
    page.table(
        rows,
        {
            "measure": Column("Mean of homes"),
            "theirs": Column("CMS: this chain", "number"),
            "own": Column(f"Ours: {now['cy_qtr']}", "number"),
            "nation": Column("CMS: all homes", "number"),
        },
        name=f"cms-averages-of-chain-{now['chain_id']}",
        source=f"CMS, Nursing Home Chain Performance Measures; {SOURCE}",
    )
