"""Staffing beside quality, home by home: a cloud of homes, a fitted line, medians. No figure of it shows a cause."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import altair as alt
import numpy as np
import pandas as pd

from dashboard import words
from dashboard.measures import Measure
from dashboard.page import Column, Figure
from dashboard.words import STAFF
from nh_pipeline.datasets.cms.medicare_claims import MEASURES as CLAIMS
from nh_pipeline.marts import kpi_incidents, kpi_readmission

if TYPE_CHECKING:
    from dashboard.asking import Ask
    from dashboard.filters import Filters
    from dashboard.page import Kind, Page

MOST_DRAWN = 2_000
FEWEST = 20
"""Homes below which no relation is told."""
CELLS = 28
TENTHS = 10
SHAPES = {"homes": "Homes, as dots", "cells": "All homes, counted in cells"}

_HPRD = "hours per resident day"
STAFFING = {
    "hprd_total": Measure(f"{STAFF['total']}, {_HPRD}"),
    "hprd_rn": Measure(f"{STAFF['rn']}, {_HPRD}"),
    "hprd_aide": Measure(f"{STAFF['aide']}, {_HPRD}"),
    "hprd_weekend_total": Measure(f"{STAFF['total']} at weekends, {_HPRD}"),
    "contract_share": Measure("Contract staff, share of hours", "share"),
    "total_nursing_turnover": Measure("Nursing staff who left in a year", "percent"),
    "rn_turnover": Measure("Registered nurses who left in a year", "percent"),
}
"""Columns of ``gold.facility_quarter``."""


@dataclass(frozen=True)
class Outcome:
    """A measure of quality, and the mart that has it."""

    measure: Measure
    table: Literal["facility_quarter", "kpi_readmission", "kpi_incidents"]


def _of_kpi(table: Literal["kpi_readmission", "kpi_incidents"], name: str) -> Outcome:
    meaning = {**kpi_readmission.MEASURES, **kpi_incidents.MEASURES}[name][0]
    kind: Kind = "dollars" if name.startswith("fine_dollars") else "number"
    return Outcome(Measure(meaning[0].upper() + meaning[1:], kind), table)


QUALITY = {
    **{name: _of_kpi("kpi_readmission", name) for name in CLAIMS.values()},
    "overall_rating": Outcome(Measure("Overall stars", "count"), "facility_quarter"),
    "health_inspection_rating": Outcome(Measure("Health inspection stars", "count"), "facility_quarter"),
    "qm_rating": Outcome(Measure("Quality measure stars", "count"), "facility_quarter"),
    **{
        name: _of_kpi("kpi_incidents", name)
        for name in kpi_incidents.MEASURES
        if name.endswith("_per_1000_resident_days") or name[-3:].isdigit()
    },
}
"""Measures of quality; staffing stars are none, as they are made of staffing."""


def homes(ask: Ask, filters: Filters, x: str, y: str) -> pd.DataFrame:
    """The homes of the quarter of the last chosen day that have both measures: ``x``, ``y``, and whose days they are.

    Homes whose hours CMS does not believe are left out.
    """
    where, values = filters.homes
    start = filters.end.replace(month=3 * ((filters.end.month - 1) // 3) + 1, day=1)
    table, of = QUALITY[y].table, f"cast(m.{x} as double) as x"
    columns = f"m.provider_id, m.provider_name, m.state, m.cy_qtr, {of}"
    believed = f"m.quarter_start = ? and not m.is_implausible and m.{x} is not null and {where}"
    if table == "facility_quarter":
        return ask(
            f"select {columns}, cast(m.{y} as double) as y, m.attributes_release as release, "
            "m.attributes_release as period_start, m.attributes_release as period_end from gold.facility_quarter as m "
            f"where m.{y} is not null and {believed} order by m.provider_id",
            start,
            *values,
        )
    newest = f"select max(release) from gold.{table} where level = 'nation' and measure = ? and n > 1"
    return ask(
        f"select {columns}, k.facility_mean as y, k.release, k.period_start, k.period_end "
        f"from gold.facility_quarter as m join gold.{table} as k on k.entity = m.provider_id and k.level = 'facility' "
        f"where k.measure = ? and k.release = ({newest}) and k.facility_mean is not null and {believed} "
        "order by m.provider_id",
        y,
        y,
        start,
        *values,
    )


def relation(page: Page, ask: Ask, filters: Filters, x: str, y: str, *, shape: str = "homes") -> None:
    """How homes with more or less of a kind of staffing differ in a measure of quality."""
    of, to = STAFFING[x], QUALITY[y].measure
    rows = homes(ask, filters, x, y)
    if len(rows) < FEWEST or not (rows[["x", "y"]].max() > rows[["x", "y"]].min()).all():
        page.nothing(
            f"{words.count(len(rows), 'home')} in this lake with both measures, in the quarter of "
            f"{words.day(filters.end)}: too few to compare. Choose other measures, another quarter or fewer filters."
        )
        return
    slope, intercept = np.polyfit(rows["x"], rows["y"], 1)
    r, ranks = (float(rows["x"].corr(rows["y"])), float(rows["x"].rank().corr(rows["y"].rank())))
    source = f"{_source(rows, y)} · {words.count(len(rows), 'home')}"
    page.section(f"{to.label}, by {_low(of)}", _told(of, to, r))
    page.warning("Homes differ in many ways, such as their residents and places; no figure here shows a cause.")
    more, by = {"share": ("10 percentage points", 0.1), "percent": ("10 percentage points", 10)}.get(
        of.kind, ("1 hour", 1)
    )
    page.figures(
        [
            Figure("Correlation (r)", _signed(r), source),
            Figure("Correlation of ranks", _signed(ranks), f"extreme homes weigh no more than others · {source}"),
            Figure("Fitted line", f"{slope * by:+,.3g}", f"for {more} more: {_low(to)} · {source}"),
        ]
    )
    shown = _within(rows)
    ends = np.array([shown["x"].min(), shown["x"].max()])
    line = pd.DataFrame({"x": ends, "y": slope * ends + intercept, "is": _LINE})
    page.chart(
        _cells(shown, line, of, to) if shape == "cells" else _dots(shown[:: _every(shown)], line, of, to),
        name=f"{x}-and-{y}",
        alt=f"{_told(of, to, r)} The fitted line goes from {to.told(line['y'].iloc[0])} at {of.told(ends[0])} to "
        f"{to.told(line['y'].iloc[1])} at {of.told(ends[1])}.",
        source=f"{_drawn(rows, shown, shape)} · {source}",
        data=rows[["provider_id", "provider_name", "state", "x", "y"]],
    )
    tenths(page, rows, of, to, source)


def tenths(page: Page, rows: pd.DataFrame, of: Measure, to: Measure, source: str) -> None:
    """Homes in ten groups of equal size by staffing: the median of each, and its middle half."""
    place = rows["x"].rank(method="first", pct=True)
    group = np.ceil(place * TENTHS).astype(int).clip(1, TENTHS)
    by = rows.groupby(group)
    quantiles = {name: by["y"].quantile(q) for name, q in {"low": 0.25, "median": 0.5, "high": 0.75}.items()}
    found = pd.DataFrame(
        {**quantiles, "mean": by["y"].mean(), "n": by.size(), "x_low": by["x"].min(), "x_high": by["x"].max()}
    )
    found = found.rename_axis("tenth").reset_index()
    page.section(
        "Tenths of the homes",
        f"From the least to the most: {_low(of)}. A line is the median of the tenth, a bar its middle "
        "half, a diamond its mean. Homes with equal staffing stand in the order of their CCN.",
    )
    base = alt.Chart(found, height=260).encode(x=alt.X("tenth:O", title="Tenth of homes", axis=_FLAT))
    told = [
        alt.Tooltip("x_low:Q", format=of.form, title="From"),
        alt.Tooltip("x_high:Q", format=of.form, title="To"),
        alt.Tooltip("median:Q", format=to.form, title="Median"),
        alt.Tooltip("mean:Q", format=to.form, title="Mean"),
        alt.Tooltip("n:Q", format=",", title="Homes"),
    ]
    title = alt.Y("low:Q", title=_lines(to), scale=alt.Scale(zero=False), axis=_axis(to))
    half = base.mark_bar(opacity=0.35, size=18).encode(y=title, y2="high:Q", tooltip=told)
    median = base.mark_tick(thickness=3, size=26, orient="horizontal").encode(y="median:Q", tooltip=told)
    mean = base.mark_point(shape="diamond", size=70, strokeWidth=2).encode(y="mean:Q", tooltip=told)
    first, last = found.iloc[0], found.iloc[-1]
    page.chart(
        half + median + mean,
        name="tenths",
        alt=f"Median {_low(to)}: {to.told(first['median'])} in the tenth of homes with the least, "
        f"{to.told(last['median'])} in the tenth with the most.",
        source=source,
        data=found,
    )
    page.table(
        found,
        {
            "tenth": Column("Tenth", "count"),
            "x_low": Column("From", of.kind, of.label),
            "x_high": Column("To", of.kind, of.label),
            "n": Column("Homes", "count"),
            "low": Column("A quarter are below", to.kind, to.label),
            "median": Column("Median", to.kind, to.label),
            "high": Column("A quarter are above", to.kind, to.label),
            "mean": Column("Mean", "number" if to.kind == "count" else to.kind, to.label),
        },
        name="tenths-of-homes",
        source=f"{to.label} · {source}",
    )


def _told(of: Measure, to: Measure, r: float) -> str:
    """A correlation in words."""
    strength = next(word for most, word in _STRENGTHS.items() if abs(r) < most)
    if abs(r) < min(_STRENGTHS):
        both = f"{_low(of)} and {_low(to)}"
        return f"Homes with more and with less hardly differ (r = {_signed(r)}): {both}."
    way = "higher" if r > 0 else "lower"
    return f"Homes where the one is higher tend to be {way} in the other: a {strength} relation (r = {_signed(r)})."


def _signed(value: float) -> str:
    return f"{round(value, 2) + 0.0:+.2f}"  # never -0.00


def _source(rows: pd.DataFrame, y: str) -> str:
    first = rows.iloc[0]
    staffing = f"CMS, staffing of {first['cy_qtr']}"
    release = words.day(rows["release"].max())
    if QUALITY[y].table == "facility_quarter":
        return f"{staffing}, stars of Provider Information, {release}"
    period = words.period(rows["period_start"].min(), rows["period_end"].max())
    return f"{staffing}, quality of {period} (release {release})"


def _within(rows: pd.DataFrame) -> pd.DataFrame:
    """Without the homes that would shrink all others to a corner: the outermost half of a per cent on either side."""
    kept = pd.Series(data=True, index=rows.index)
    for axis in ("x", "y"):
        low, high = rows[axis].quantile([0.005, 0.995])
        kept &= rows[axis].between(low, high)
    return rows[kept]


def _every(shown: pd.DataFrame) -> int:
    return -(-len(shown) // MOST_DRAWN)


def _drawn(rows: pd.DataFrame, shown: pd.DataFrame, shape: str) -> str:
    every = _every(shown) if shape == "homes" else 1
    told = [f"one home in {every} drawn, in the order of CCN"] * (every > 1)
    outside = len(rows) - len(shown)
    told += [f"{words.count(outside, 'home')} with extreme values not drawn"] * bool(outside)
    return " · ".join([*told, "line and figures of all"])


def _low(measure: Measure) -> str:
    """The words within a sentence."""
    return measure.label[0].lower() + measure.label[1:]


def _lines(measure: Measure) -> list[str]:
    """The words for an axis, as many below each other as it has room for."""
    return textwrap.wrap(measure.label, 36)


def _axis(measure: Measure) -> alt.Axis:
    return alt.Axis(format=measure.form, tickCount=10, tickMinStep=1 if measure.kind == "count" else alt.Undefined)


def _axes(of: Measure, to: Measure) -> dict[str, alt.X | alt.Y]:
    scale = alt.Scale(zero=False, nice=False, padding=8)
    return {
        "x": alt.X("x:Q", title=of.label, scale=scale, axis=_axis(of)),
        "y": alt.Y("y:Q", title=_lines(to), scale=scale, axis=_axis(to)),
    }


def _dots(rows: pd.DataFrame, line: pd.DataFrame, of: Measure, to: Measure) -> alt.LayerChart:
    told = [
        alt.Tooltip("provider_name:N", title="Home"),
        alt.Tooltip("provider_id:N", title="CCN"),
        alt.Tooltip("x:Q", format=of.form, title=of.label),
        alt.Tooltip("y:Q", format=to.form, title=to.label),
    ]
    dots = (
        alt.Chart(rows[["provider_name", "provider_id", "x", "y"]].assign(**{"is": _HOME}), height=420)
        .mark_circle(size=22, opacity=0.4)
        .encode(**_axes(of, to), tooltip=told, color=_series(_HOME, _LINE))
    )
    chart: alt.LayerChart = dots + _line(line, _series(_HOME, _LINE))
    return chart


def _cells(rows: pd.DataFrame, line: pd.DataFrame, of: Measure, to: Measure) -> alt.LayerChart:
    """Homes counted in a grid; of stars, a row each."""
    levels = np.unique(rows["y"])
    edges = [np.histogram_bin_edges(rows[axis], CELLS) for axis in ("x", "y")]
    if len(levels) <= CELLS:
        half = np.diff(levels).min() / 2
        edges[1] = np.unique(np.concatenate([levels - half, levels + half]))
    n, across, up = np.histogram2d(rows["x"], rows["y"], edges)
    i, j = np.nonzero(n)
    cells = pd.DataFrame(
        {"x": across[i], "x2": across[i + 1], "y": up[j], "y2": up[j + 1], "homes": n[i, j].astype(int)}
    )
    colour = alt.Color("homes:Q", title="Homes in a cell", scale=alt.Scale(type="log"))
    told = [
        alt.Tooltip("x:Q", format=of.form, title="From"),
        alt.Tooltip("x2:Q", format=of.form, title="To"),
        alt.Tooltip("homes:Q", format=",", title="Homes"),
    ]
    grid = alt.Chart(cells, height=420).mark_rect()
    grid = grid.encode(**_axes(of, to), x2="x2:Q", y2="y2:Q", color=colour, tooltip=told)
    chart: alt.LayerChart = (grid + _line(line, _series(_LINE))).resolve_scale(color="independent")
    return chart


def _line(rows: pd.DataFrame, colour: alt.Color) -> alt.Chart:
    chart: alt.Chart = alt.Chart(rows).mark_line(strokeWidth=3).encode(x="x:Q", y="y:Q", color=colour)
    return chart


def _series(*shown: str) -> alt.Color:
    legend = alt.Legend(orient="top", values=shown)
    return alt.Color("is:N", title=None, scale=alt.Scale(domain=[_HOME, _LINE]), legend=legend)


_HOME, _LINE = "A home", "Fitted line, all homes"
_STRENGTHS = {0.1: "negligible", 0.3: "weak", 0.5: "moderate", 2: "strong"}
_FLAT = alt.Axis(labelAngle=0)
