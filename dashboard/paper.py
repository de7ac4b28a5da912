"""Pages as a document of HTML, for print and for files: every row of a table, charts as vector graphics."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import datetime, timezone
from html import escape
from typing import TYPE_CHECKING, Any

import vl_convert

from dashboard import words
from dashboard.measures import DIGITS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    import pandas as pd

    from dashboard.page import Column, Figure, Kind, Page

PALETTE = ("#0B5CAD", "#B85C00", "#1B7F5C", "#7B3F98", "#5A6675", "#A11D33", "#4C7A00", "#00748C")
RAMP = (
    "#EAF2FA", "#D2E4F4", "#B3D2EC", "#8FBCE1", "#69A3D3", "#478AC4", "#2A71B1", "#155A97", "#0B457A", "#06315A",
)  # fmt: skip
"""The light theme's colours (``.streamlit/config.toml``), as charts on paper are drawn without Streamlit."""

_FONT = "'Source Sans 3', 'Source Sans Pro', 'Helvetica Neue', Arial, sans-serif"
_CONFIG: dict[str, Any] = {
    "font": _FONT,
    "background": "white",
    "range": {"category": PALETTE, "ramp": RAMP, "heatmap": RAMP, "ordinal": RAMP},
    "view": {"stroke": None},
    "mark": {"color": PALETTE[0]},
    "axis": {"labelColor": "#16202C", "titleColor": "#16202C", "gridColor": "#E3E8EE", "titleFontWeight": "normal"},
    "legend": {"orient": "top", "title": None},
}
_WIDTH = 680
_LONG_WORD = 30
_ALONE = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

STYLE = f"""
.paper {{ font: 11pt/1.4 {_FONT}; color: #16202C; background: white; max-width: 190mm; margin: 0 auto; }}
.paper h1 {{ font-size: 20pt; margin: 0 0 2mm; }}
.paper h2 {{ font-size: 14pt; margin: 8mm 0 1mm; break-after: avoid; }}
.paper .note, .paper .source {{ color: #4B5663; font-size: 9pt; margin: 0 0 2mm; }}
.paper .note {{ break-after: avoid; }}
.paper .figures {{ display: flex; flex-wrap: wrap; gap: 3mm; margin: 2mm 0; }}
.paper .figure {{ border: 1px solid #C9D1DB; border-radius: 2mm; padding: 2mm 3mm; flex: 1 1 42mm; }}
.paper .figure {{ break-inside: avoid; }}
.paper .figure b {{ display: block; font-size: 16pt; }}
.paper figure {{ margin: 2mm 0; break-inside: avoid; }}
.paper img {{ max-width: 100%; }}
.paper table {{ border-collapse: collapse; width: 100%; font-size: 9pt; margin: 2mm 0; }}
.paper thead {{ display: table-header-group; }}
.paper tr {{ break-inside: avoid; }}
.paper th, .paper td {{ border-bottom: 1px solid #C9D1DB; padding: 1mm 2mm; text-align: left; vertical-align: top; }}
.paper .right {{ text-align: right; font-variant-numeric: tabular-nums; }}
.paper td.long {{ overflow-wrap: anywhere; }}
.paper td.right, .paper td.date {{ white-space: nowrap; }}
.paper .warning {{ border-left: 1mm solid #B85C00; padding-left: 3mm; }}
.paper footer {{ break-before: avoid; margin-top: 8mm; color: #4B5663; font-size: 9pt; }}
@page {{ size: Letter; margin: 15mm 12mm; }}
@page {{ @bottom-right {{ content: "Page " counter(page) " of " counter(pages); font: 8pt {_FONT}; color: #4B5663; }} }}
"""


@dataclass
class Paper:
    """Collects what sections show; :meth:`html` is all of it, :meth:`document` a file by itself."""

    parts: list[str] = field(default_factory=list)

    def title(self, text: str, note: str = "") -> None:
        self.parts.append(f"<h1>{escape(text)}</h1>{_note(note)}")

    def section(self, text: str, note: str = "") -> None:
        self.parts.append(f"<h2>{escape(text)}</h2>{_note(note)}")

    def text(self, text: str) -> None:
        self.parts.append(f"<p>{escape(text)}</p>")

    def warning(self, text: str) -> None:
        self.parts.append(f'<p class="warning">{escape(text)}</p>')

    def nothing(self, text: str) -> None:
        self.parts.append(f'<p class="note">{escape(text)}</p>')

    def figures(self, figures: Sequence[Figure]) -> None:
        self.parts.append(f'<div class="figures">{"".join(map(_figure, figures))}</div>')

    def chart(self, chart: Any, *, name: str, alt: str, source: str, data: pd.DataFrame) -> None:  # noqa: ARG002
        picture = base64.b64encode(svg(chart).encode()).decode()
        self.parts.append(
            f'<figure><img src="data:image/svg+xml;base64,{picture}" alt="{escape(alt)}">'
            f"<figcaption class='source'>{escape(source)}</figcaption></figure>"
        )

    def table(self, rows: pd.DataFrame, columns: Mapping[str, Column], *, name: str, source: str) -> None:  # noqa: ARG002
        kinds = [c.kind for c in columns.values()]
        head = "".join(f"<th{_side(c.kind)}>{escape(c.label)}</th>" for c in columns.values())
        body = "".join(f"<tr>{_cells(row, kinds)}</tr>" for row in rows[list(columns)].itertuples(index=False))
        self.parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
        self.parts.append(f'<p class="source">{escape(source)}</p>')

    def beside(self, n: int) -> Sequence[Page]:
        return [self] * n  # one below the other: a sheet is narrow

    def html(self, made: str) -> str:
        """What was collected; ``made`` says when and of what it was made."""
        return f'<div class="paper">{"".join(self.parts)}<footer>{escape(made)}</footer></div>'

    def document(self, title: str, made: str) -> str:
        """A whole document of HTML that needs, and may load, nothing else."""
        return (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
            f'<meta http-equiv="Content-Security-Policy" content="{_ALONE}">'
            f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>'
            f"<body>{self.html(made)}</body></html>"
        )


def made(days: tuple[date, date] | None, version: str) -> str:
    """When a report was made and of what: the days of staffing in the lake, and the version of its tables."""
    now = datetime.now(timezone.utc)
    covered = f"Daily staffing in this lake: {words.period(*days)}. " if days else ""
    return f"Made {words.day(now)}, {now:%H:%M} UTC, by nh_pipeline. {covered}Version of the tables: {version[:12]}."


def svg(chart: Any) -> str:
    """A chart as a vector graphic, in the colours of the light theme."""
    return vl_convert.vegalite_to_svg(_spec(chart))


def png(chart: Any) -> bytes:
    """A chart as a picture for slides."""
    return vl_convert.vegalite_to_png(_spec(chart), scale=2)


def _spec(chart: Any) -> dict[str, Any]:
    spec: dict[str, Any] = json.loads(chart.to_json())
    if not any(key in spec for key in ("hconcat", "vconcat", "facet", "repeat")):
        spec.setdefault("width", _WIDTH)
        if spec["width"] == "container":
            spec["width"] = _WIDTH
    return {**spec, "config": {**spec.get("config", {}), **_CONFIG}}


def cell(value: Any, kind: Kind) -> str:
    """A value as it is read."""
    if value is None or value != value:  # noqa: PLR0124 (no number, no date)
        return words.NOTHING
    if kind in ("text", "people"):
        return str(value)
    if kind == "date":
        return words.day(value)
    if kind in ("share", "percent"):
        return words.share(float(value) / (100 if kind == "percent" else 1))
    if kind == "dollars":
        return f"${words.number(value, 0)}"
    return words.number(value, DIGITS[kind])


def _cells(row: Iterable[Any], kinds: Sequence[Kind]) -> str:
    return "".join(_cell(cell(v, k), k) for v, k in zip(row, kinds, strict=True))


def _cell(text: str, kind: Kind) -> str:
    # Names of files and checksums are broken where there is no room: other words are not.
    long = kind == "text" and any(len(word) > _LONG_WORD for word in text.split())
    side = ' class="long"' if long else _side(kind)
    return f"<td{side}>{escape(text)}</td>"


def _side(kind: Kind) -> str:
    return {"text": "", "date": ' class="date"'}.get(kind, ' class="right"')


def _note(text: str) -> str:
    return f'<p class="note">{escape(text)}</p>' if text else ""


def _figure(figure: Figure) -> str:
    notes = [figure.change, figure.note, figure.proof.told if figure.proof else ""]
    told = "".join(f'<div class="source">{escape(note)}</div>' for note in notes if note)
    return f'<div class="figure">{escape(figure.label)}<b>{escape(figure.value)}</b>{told}</div>'
