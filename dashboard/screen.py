"""Pages in the browser: Streamlit's elements, with what people download from each of them."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import streamlit as st

from dashboard import paper
from dashboard.words import NOTHING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from streamlit.delta_generator import DeltaGenerator

    from dashboard.page import Column, Figure, Kind, Page, Proof

_PARQUET = "application/vnd.apache.parquet"
_CARDS, _ALL_AT_ONCE = 4, 60
_MARKUP = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~:$^=&@])")
_FORMATS: dict[Kind, str] = {
    "count": "%,d", "hprd": "%.2f", "hours": "%,.1f", "number": "%,.2f", "percent": "%.1f %%", "share": "%.1f %%",
    "dollars": "$%,.0f",
}  # fmt: skip


def plain(text: str) -> str:
    """A text without meaning as Markdown: names come from files, and may look like links or pictures."""
    return _MARKUP.sub(r"\\\1", text)


@dataclass
class Screen:
    """A page, or a part of it."""

    at: DeltaGenerator = field(default_factory=st.container)

    def title(self, text: str, note: str = "") -> None:
        self.at.title(plain(text), anchor=False)
        self._note(note)

    def section(self, text: str, note: str = "") -> None:
        self.at.subheader(plain(text), anchor=False)
        self._note(note)

    def text(self, text: str) -> None:
        self.at.markdown(plain(text))

    def warning(self, text: str) -> None:
        self.at.warning(plain(text), icon=":material/info:")

    def nothing(self, text: str) -> None:
        self.at.info(plain(text), icon=":material/search_off:")

    def figures(self, figures: Sequence[Figure]) -> None:
        in_row = ceil(len(figures) / ceil(len(figures) / _CARDS)) if figures else 1
        for n, figure in enumerate(figures):
            if n % in_row == 0:
                row = self.at.columns(in_row, gap="small")
            card = row[n % in_row].container(border=True, height="stretch", gap="xsmall")
            card.markdown(plain(figure.label))  # the label of a metric is cut off where it is long
            card.metric(figure.label, figure.value, label_visibility="collapsed")
            if figure.change:
                card.markdown(plain(figure.change))
            card.caption(plain(figure.note))
            if figure.proof:
                card.markdown(_badge(figure.proof))

    def chart(self, chart: Any, *, name: str, alt: str, source: str, data: pd.DataFrame) -> None:
        self.at.altair_chart(chart, width="stretch", alt=alt)
        svg, png = ("image/svg+xml", partial(paper.svg, chart)), ("image/png", partial(paper.png, chart))
        self._source(source, name, data, {"SVG": svg, "PNG": png})

    def table(self, rows: pd.DataFrame, columns: Mapping[str, Column], *, name: str, source: str) -> None:
        shown = rows[list(columns)]
        shares = [n for n, c in columns.items() if c.kind == "share"]
        cells = shown.assign(**{n: shown[n].astype(float) * 100 for n in shares})
        config = {n: _config(c) for n, c in columns.items()}
        height: Any = "content" if len(shown) <= _ALL_AT_ONCE else "auto"
        told = f"{name}. {source}"
        self.at.dataframe(
            cells, height=height, hide_index=True, column_config=config, width="stretch", placeholder=NOTHING, alt=told
        )
        self._source(source, name, shown.rename(columns={n: c.label for n, c in columns.items()}), {})

    def beside(self, n: int) -> Sequence[Page]:
        return [Screen(column) for column in self.at.columns(n, gap="medium")]

    def _note(self, note: str) -> None:
        if note:
            self.at.caption(plain(note))

    def _source(self, source: str, name: str, data: pd.DataFrame, pictures: Mapping[str, Any]) -> None:
        """Where it is from, and what can be taken along; files are made when somebody asks for them."""
        row = self.at.container(horizontal=True, vertical_alignment="center")
        row.caption(plain(source), width="stretch")
        menu = row.popover("Download", icon=":material/download:", type="tertiary", key=f"files of {name}")
        files = {"CSV": ("text/csv", partial(_csv, data)), "Parquet": (_PARQUET, partial(_parquet, data)), **pictures}
        for label, (mime, make) in files.items():
            menu.download_button(
                label, make, f"{name}.{label.lower()}", mime, on_click="ignore", key=f"{name} {label}", width="stretch"
            )


def _badge(proof: Proof) -> str:
    colour, icon = {True: ("green", "check"), False: ("orange", "difference"), None: ("gray", "help")}[proof.agrees]
    return f":{colour}-badge[:material/{icon}: {plain(proof.told)}]"


def _config(column: Column) -> Any:
    label, told = column.label, column.help or None
    if column.kind == "text":
        return st.column_config.TextColumn(label, help=told)
    if column.kind == "people":
        return st.column_config.TextColumn(label, help=told, alignment="right")
    if column.kind == "date":
        return st.column_config.DateColumn(label, help=told, format="MMM D, YYYY")
    return st.column_config.NumberColumn(label, help=told, format=_FORMATS[column.kind])


def _csv(data: pd.DataFrame) -> bytes:
    text: str = data.to_csv(index=False)
    return text.encode("utf-8-sig")  # spreadsheets take it for UTF-8 only with this mark


def _parquet(data: pd.DataFrame) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(data, preserve_index=False), out)
    return out.getvalue()
