"""Charts that several sections draw. Colours come from the theme: kinds of staff always in the same order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt

from dashboard.words import KINDS, STAFF

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

MOST_POINTS = 60
"""Marked on a line, so that each tells its value."""

STROKES = alt.Legend(
    orient="top", labelLimit=260, symbolType="stroke", columns=alt.ExprRef("max(1, floor(width / 230))")
)
"""Of lines that also differ by their dashes; one below the other where there is no room."""

STAFF_SCALE = alt.Scale(domain=[STAFF[k] for k in KINDS])

FITTING = alt.ExprRef("max(1, floor(width / 230))")
"""Columns of a legend: its entries stand one below the other where there is no room."""


def long(rows: pd.DataFrame, x: str, columns: dict[str, str]) -> pd.DataFrame:
    """One row per ``x`` and column: ``series`` (the column's words) and ``value``."""
    found: pd.DataFrame = rows.melt(x, list(columns), "series", "value").replace({"series": columns})
    return found


def lines(
    rows: pd.DataFrame, x: str, columns: dict[str, str], *, title: str, form: str = ",.2f", height: int = 280
) -> alt.Chart:
    """A line per column over time, with points that tell their values."""
    order = alt.Scale(domain=list(columns.values()))
    chart: alt.Chart = (
        alt.Chart(long(rows, x, columns), height=height)
        .mark_line(point=len(rows) <= MOST_POINTS)
        .encode(
            x=alt.X(f"{x}:T", title=None),
            y=alt.Y("value:Q", title=title, scale=alt.Scale(zero=False), axis=alt.Axis(format=form)),
            color=alt.Color("series:N", title=None, scale=order, legend=STROKES),
            strokeDash=alt.StrokeDash("series:N", scale=order, legend=None),
            tooltip=_told(x, title, form),
        )
    )
    return chart


def stacked(rows: pd.DataFrame, x: str, *, title: str, height: int = 280) -> alt.Chart:
    """Hours per resident day of the three kinds of staff, one on the other, over time."""
    data = long(rows, x, {f"hprd_{k}": STAFF[k] for k in KINDS})
    data["order"] = data["series"].map({STAFF[k]: i for i, k in enumerate(KINDS)})
    chart: alt.Chart = (
        alt.Chart(data, height=height)
        .mark_area(opacity=0.85)
        .encode(
            x=alt.X(f"{x}:T", title=None),
            y=alt.Y("value:Q", title=title),
            color=alt.Color("series:N", title=None, scale=STAFF_SCALE, legend=_TOP),
            order="order:Q",
            tooltip=_told(x, title),
        )
    )
    return chart


def by_month(
    rows: pd.DataFrame, series: str, value: str, order: Sequence[str], *, title: str, form: str = ",.0f"
) -> alt.Chart:
    """A column per ``month``, of parts one on the other, in an order of their names."""
    names = [name for name in order if name in set(rows[series])]
    chart: alt.Chart = (
        alt.Chart(rows.assign(order=rows[series].map(names.index)), height=280)
        .mark_bar()
        .encode(
            x=alt.X("yearmonth(month):O", title=None, axis=alt.Axis(format="%b %Y", labelAngle=0, labelOverlap=True)),
            y=alt.Y(f"sum({value}):Q", title=title, axis=alt.Axis(format=form)),
            color=alt.Color(f"{series}:N", title=None, scale=alt.Scale(domain=names), legend=_TOP),
            order="order:Q",
            tooltip=[
                alt.Tooltip("yearmonth(month):T", title="Month", format="%b %Y"),
                f"{series}:N",
                alt.Tooltip(f"sum({value}):Q", title=title, format=form),
            ],
        )
    )
    return chart


def _told(x: str, title: str, form: str = ",.2f") -> list[Any]:
    return [alt.Tooltip(f"{x}:T", title="From"), "series:N", alt.Tooltip("value:Q", format=form, title=title)]


def bars(rows: pd.DataFrame, label: str, value: str, *, title: str, form: str = ",.2f", **more: Any) -> alt.Chart:
    """A bar per row, from the top in the order of the rows."""
    chart: alt.Chart = (
        alt.Chart(rows, height=alt.Step(22))
        .mark_bar()
        .encode(
            y=alt.Y(f"{label}:N", sort=None, title=None, axis=alt.Axis(labelLimit=220)),
            x=alt.X(f"{value}:Q", title=title, axis=alt.Axis(format=form)),
            tooltip=[f"{label}:N", alt.Tooltip(f"{value}:Q", format=form, title=title)],
            **more,
        )
    )
    return chart


# One below the other where there is no room.
_TOP = alt.Legend(orient="top", labelLimit=260, columns=alt.ExprRef("max(1, floor(width / 230))"))
