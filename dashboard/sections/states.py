"""States beside each other and against the nation: homes of each pooled, and the mean of its homes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import altair as alt
import pandas as pd

from dashboard import charts, words
from dashboard.maps import TILES, shapes
from dashboard.page import Column
from dashboard.sections import staffing
from dashboard.sections.staffing import MEASURES, SOURCE

if TYPE_CHECKING:
    from dashboard.asking import Ask
    from dashboard.filters import Filters
    from dashboard.measures import Measure
    from dashboard.page import Page

MAPS = {"tiles": "Tiles of equal size", "shapes": "Map"}
POOLED, MEAN, NATION = "Its homes pooled", "Mean of its homes", "All states pooled"


def of_all(ask: Ask, filters: Filters, name: str) -> pd.DataFrame:
    """A row per state, highest first: ``code``, ``state``, ``pooled``, ``mean``, and how many homes it is of."""
    rows = staffing.pooled(ask, replace(filters, states=()), "m.state")
    rows = rows[rows["part"].notna() & rows[name].notna()].rename(
        columns={"part": "code", name: "pooled", f"mean_{name}": "mean"}
    )
    rows["state"] = rows["code"].map(words.state)
    columns = ["code", "state", "pooled", "mean", "homes", "resident_days"]
    return rows.sort_values(["pooled", "code"], ascending=[False, True], ignore_index=True)[columns]


def on_a_map(page: Page, ask: Ask, filters: Filters, name: str, how: str = "tiles") -> None:
    """The states, coloured by what is measured."""
    rows, measure, told = of_all(ask, filters, name), MEASURES[name], replace(filters, states=()).told
    if rows.empty:
        page.nothing(f"No staffing in this lake for {told}. Choose other days or fewer filters.")
        return
    first, last = rows.iloc[0], rows.iloc[-1]
    homes = words.count(int(rows["homes"].sum()), "home")
    note = f"{homes} in {words.count(len(rows), 'state or territory', 'states and territories')}."
    page.section(measure.label, note + " All states are shown, whichever are chosen." * bool(filters.states))
    shown = rows.assign(told=rows["pooled"].map(measure.told))
    page.chart(
        _shapes(shown, measure) if how == "shapes" else _tiles(shown, measure),
        name=f"states-{name}",
        alt=f"{measure.label}: highest in {first['state']} ({measure.told(first['pooled'])}), lowest in "
        f"{last['state']} ({measure.told(last['pooled'])}). The ranking below has all of them.",
        source=f"{SOURCE} · {POOLED.lower()} · {told}",
        data=rows,
    )


def ranking(page: Page, ask: Ask, filters: Filters, name: str) -> None:
    """The states in order, as dots beside the nation's line, and as a table."""
    rows, measure, told = of_all(ask, filters, name), MEASURES[name], replace(filters, states=()).told
    if rows.empty:
        return
    nation = float(staffing.pooled(ask, replace(filters, states=()))[name].iloc[0])
    above = int((rows["pooled"] > nation).sum())
    page.section(
        "Ranking",
        f"Hours and residents of a state's homes summed up first, and the mean of its homes, each counting once. The "
        f"line is all states pooled: {measure.told(nation)}.",
    )
    page.chart(
        _dots(rows, nation, measure.label, measure.form),
        name=f"ranking-{name}",
        alt=f"{above} of {words.count(len(rows), 'state')} are above all states pooled ({measure.told(nation)}).",
        source=f"{SOURCE} · {told}",
        data=rows,
    )
    page.table(
        rows.assign(rank=range(1, len(rows) + 1)),
        {
            "rank": Column("Rank", "count"),
            "state": Column("State"),
            "pooled": Column("Pooled", measure.kind, f"{measure.label}: its homes summed up first"),
            "mean": Column("Mean of homes", measure.kind, f"{measure.label}: each home counting once"),
            "homes": Column("Homes", "count"),
            "resident_days": Column("Resident-days", "count"),
        },
        name=f"states-by-{name}",
        source=f"{measure.label} · {SOURCE} · {told}",
    )


def against_the_nation(page: Page, ask: Ask, filters: Filters, state: str, name: str) -> None:
    """One state beside all of them: all measures now, and the chosen one over time."""
    here, all_states, title = replace(filters, states=(state,)), replace(filters, states=()), words.state(state)
    mine, nation = staffing.pooled(ask, here), staffing.pooled(ask, all_states)
    if mine.empty or not mine["resident_days"].iloc[0]:
        page.nothing(f"No staffing in this lake for {here.told}. Choose another state, other days or fewer filters.")
        return
    row, whole = mine.iloc[0], nation.iloc[0]
    of = f"{words.count(row['homes'], 'home')}, {words.count(row['resident_days'], 'resident-day')}"
    page.section(f"{title} against the nation", f"{of}; the nation is {words.count(whole['homes'], 'home')}.")
    page.table(
        pd.DataFrame(
            {
                "measure": m.label,
                "pooled": m.told(row[key]),
                "nation": m.told(whole[key]),
                "mean": m.told(row[f"mean_{key}"]),
                "nation_mean": m.told(whole[f"mean_{key}"]),
            }
            for key, m in MEASURES.items()
        ),
        {
            "measure": Column("Measure"),
            "pooled": Column(f"{title}, pooled", help="Hours and residents of its homes summed up first"),
            "nation": Column(NATION),
            "mean": Column(f"{title}, mean of homes", help="Each home counting once, as CMS averages"),
            "nation_mean": Column("Mean of all homes"),
        },
        name=f"{title}-against-the-nation".lower().replace(" ", "-"),
        source=f"{SOURCE} · {here.told}",
    )
    _over_time(page, ask, (here, all_states), title, name)


def _over_time(page: Page, ask: Ask, filters: tuple[Filters, Filters], title: str, name: str) -> None:
    measure, step = MEASURES[name], staffing.step(filters[0])
    mine, nation = (staffing.comparable(staffing.over_time(ask, f)) for f in filters)
    rows = nation[["part", name]].merge(mine[["part", name, "homes"]], on="part", suffixes=("_nation", ""))
    if len(rows) < 2:  # noqa: PLR2004 (one point is no line)
        return
    first, last = rows.iloc[0], rows.iloc[-1]
    page.chart(
        charts.lines(rows, "part", {name: title, f"{name}_nation": NATION}, title=measure.label, form=measure.form),
        name=f"{title}-over-time".lower().replace(" ", "-"),
        alt=f"{measure.label}, by {step}: {title} from {measure.told(first[name])} to {measure.told(last[name])}, "
        f"{NATION.lower()} from {measure.told(first[f'{name}_nation'])} to {measure.told(last[f'{name}_nation'])}.",
        source=f"{SOURCE} · by {step} · {filters[0].told}",
        data=rows,
    )


def _tiles(rows: pd.DataFrame, measure: Measure) -> alt.LayerChart:
    rows = rows[rows["code"].isin(TILES.keys())]
    places = [TILES[code] for code in rows["code"]]
    rows = rows.assign(
        both=rows["code"] + "\n" + rows["told"], column=[x for x, _ in places], row=[y for _, y in places]
    )
    place = alt.Chart(rows, height=420).encode(
        x=alt.X("column:O", axis=None, scale=alt.Scale(domain=list(range(12)), paddingInner=0.06)),
        y=alt.Y("row:O", axis=None, scale=alt.Scale(domain=list(range(8)), paddingInner=0.06)),
        tooltip=_TOLD,
    )
    # Black or white, whichever is seen on the tile, whatever colours the theme has.
    seen = alt.condition("luminance(scale('color', datum.pooled)) > 0.18", alt.value("black"), alt.value("white"))
    size, line, up = (alt.ExprRef(f"width < 500 ? {few} : {many}") for few, many in ((8, 13), (11, 17), (-5, -8)))
    tiles = place.mark_rect(cornerRadius=4).encode(color=_colour(measure))
    text = place.mark_text(lineBreak="\n", fontSize=size, lineHeight=line, dy=up).encode(text="both:N", color=seen)
    chart: alt.LayerChart = tiles + text
    return chart


def _shapes(rows: pd.DataFrame, measure: Measure) -> alt.Chart:
    atlas = alt.InlineData(shapes(), format=alt.TopoDataFormat(feature="states", type="topojson"))
    fields = ["state", "pooled", "told", "homes"]
    chart: alt.Chart = (
        alt.Chart(atlas, height=460)
        .transform_lookup("properties.name", from_=alt.LookupData(rows[fields], "state", fields))
        .transform_filter("isValid(datum.pooled)")
        .mark_geoshape(stroke="gray", strokeWidth=0.5)
        .encode(color=_colour(measure), tooltip=_TOLD)
        .project("identity")
    )
    return chart


def _dots(rows: pd.DataFrame, nation: float, label: str, form: str) -> alt.LayerChart:
    long = charts.long(rows, "state", {"pooled": POOLED, "mean": MEAN})
    order = alt.Scale(domain=[POOLED, MEAN])
    dots = (
        alt.Chart(long, height=alt.Step(16))
        .mark_point(filled=True, size=50)
        .encode(
            y=alt.Y("state:N", sort=list(rows["state"]), title=None, axis=alt.Axis(grid=True, labelOverlap=False)),
            x=alt.X("value:Q", title=label, scale=alt.Scale(zero=False), axis=alt.Axis(format=form, orient="top")),
            color=alt.Color("series:N", title=None, scale=order, legend=alt.Legend(orient="top")),
            shape=alt.Shape("series:N", title=None, scale=order),
            tooltip=["state:N", "series:N", alt.Tooltip("value:Q", format=form, title=label)],
        )
    )
    line = alt.Chart(pd.DataFrame({"nation": [nation]})).mark_rule(strokeDash=[4, 3], color="gray").encode(x="nation:Q")
    chart: alt.LayerChart = line + dots
    return chart


def _colour(measure: Measure) -> alt.Color:
    legend = alt.Legend(orient="bottom", gradientLength=260, titleLimit=400, format=measure.form)
    return alt.Color("pooled:Q", title=measure.label, legend=legend)


_TOLD = [
    alt.Tooltip("state:N", title="State"),
    alt.Tooltip("told:N", title="Pooled"),
    alt.Tooltip("homes:Q", title="Homes", format=","),
]
