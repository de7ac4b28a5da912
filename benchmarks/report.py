"""Figures to tables and a plot: rewrites what stands between the marks of docs/performance.md.

python -m benchmarks.report          from benchmarks/results.json
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

_HERE = Path(__file__).resolve().parent
RESULTS = _HERE / "results.json"
_PAGE = _HERE.parent / "docs" / "performance.md"
_PLOT = _HERE.parent / "docs" / "images" / "performance.svg"
_BEGIN, _END = "<!-- figures: made by python -m benchmarks -->", "<!-- end of figures -->"
_LAYERS = ("bronze", "silver", "gold")
_NAMES = {
    "sail": "nh_pipeline on Sail",
    "by hand": "DuckDB by hand, no checks",
    "jvm": "nh_pipeline on JVM Spark",
    "naive": "naive PySpark, no checks",
}
_SHORT = {"sail": "on Sail", "by hand": "DuckDB<br>by hand", "jvm": "on JVM<br>Spark", "naive": "naive<br>PySpark"}


def write(results: dict[str, Any]) -> None:
    """Writes tables and plot."""
    page = _PAGE.read_text()
    before, after = page.split(_BEGIN)[0], page.split(_END)[1]
    _PAGE.write_text(f"{before}{_BEGIN}\n\n{_tables(results)}\n{_END}{after}")
    _plot(results).write_image(_PLOT, width=1000, height=380)


def _compute(parts: dict[str, float]) -> float:
    return sum(parts[layer] for layer in _LAYERS)


def _tables(results: dict[str, Any]) -> str:
    one, machine = results["one quarter"], results["machine"]
    by_hand = _compute(one["by hand"])
    lines = [
        (
            f"{machine['cpus']} cores, {machine['memory GiB']} GiB, {machine['system']} {machine['architecture']}, "
            f"Python {machine['python']}; {results['files']} files."
        ),
        "",
        "One quarter, seconds:",
        "",
        "| | " + " | ".join(_NAMES.values()) + " |",
        "| --- |" + " ---: |" * len(_NAMES),
    ]
    rows = {layer: [f"{one[name][layer]:.1f}" for name in _NAMES] for layer in _LAYERS}
    lines += [f"| {layer} | {' | '.join(cells)} |" for layer, cells in rows.items()]
    lines.append("| **compute** | " + " | ".join(f"**{_compute(one[name]):.1f}**" for name in _NAMES) + " |")
    ratios = " | ".join(f"{_compute(one[name]) / by_hand:.2f}" for name in _NAMES)
    lines.append(f"| times DuckDB by hand | {ratios} |")
    memory = (f"{one[name]['peak MiB']:,.0f}" if "peak MiB" in one[name] else "" for name in _NAMES)
    lines.append("| peak memory, MiB | " + " | ".join(memory) + " |")
    whole = one["nh run"]["seconds"]
    rest = ("imports", "landing", "engine start", "dimensions")
    parts = ", ".join(f"{name} {one['sail'][name]:.1f}" for name in rest)
    left = whole - _compute(one["sail"]) - sum(one["sail"][name] for name in rest)
    lines += [
        "",
        (
            f"`nh run`, from the files to gold in a process of its own: **{whole:.1f} s**, {whole / by_hand:.2f} times "
            f"DuckDB by hand. Its parts, as measured without Dagster: {parts}, compute {_compute(one['sail']):.1f} s; "
            f"the remaining {left:.1f} s are four Dagster runs with their events and advisory checks. Peak memory "
            f"{one['nh run']['peak MiB']:,.0f} MiB."
        ),
        "",
        "So many quarters into an empty lake, in one process; then one more change in the last of them:",
        "",
        (
            "| quarters | compute, s | per quarter, s | one date again, s | a corrected quarter, s | peak memory, MiB "
            "| naive: silver and gold after one more file, s | naive: peak memory, MiB |"
        ),
        "| ---: |" + " ---: |" * 7,
    ]
    for n, found in results["growth"].items():
        ours, naive = found["sail"], found.get("naive")
        other = f"{naive['silver'] + naive['gold']:.1f} | {naive['peak MiB']:,.0f}" if naive else "|"
        lines.append(
            f"| {n} | {_compute(ours):.1f} | {_compute(ours) / int(n):.1f} | {ours['one date again']:.1f} "
            f"| {ours['a corrected delivery']:.1f} | {ours['peak MiB']:,.0f} | {other} |"
        )
    return "\n".join(lines) + "\n"


def _plot(results: dict[str, Any]) -> go.Figure:
    one, growth = results["one quarter"], results["growth"]
    figure = make_subplots(
        1, 3, subplot_titles=("One quarter, seconds", "A change after n quarters, seconds", "Peak memory, GiB")
    )
    for layer, colour in zip(_LAYERS, ("#b08d57", "#8a9ba8", "#d4af37"), strict=True):
        bars = go.Bar(x=list(_SHORT.values()), y=[one[name][layer] for name in _SHORT], name=layer, marker_color=colour)
        figure.add_trace(bars, 1, 1)
    counts = [int(n) for n in growth]
    for name, colour in (("one date again", "#2a6f97"), ("a corrected delivery", "#468faf")):
        line = go.Scatter(x=counts, y=[g["sail"][name] for g in growth.values()], name=name, line_color=colour)
        figure.add_trace(line, 1, 2)
    with_naive = {int(n): g for n, g in growth.items() if "naive" in g}
    slow = [g["naive"]["silver"] + g["naive"]["gold"] for g in with_naive.values()]
    figure.add_trace(go.Scatter(x=list(with_naive), y=slow, name="naive: any change", line_color="#9b2226"), 1, 2)
    memory = [g["sail"]["peak MiB"] / 1024 for g in growth.values()]
    figure.add_trace(go.Scatter(x=counts, y=memory, name="memory", line_color="#014f86"), 1, 3)
    naive = [g["naive"]["peak MiB"] / 1024 for g in with_naive.values()]
    figure.add_trace(go.Scatter(x=list(with_naive), y=naive, name="naive: memory", line_color="#ca6702"), 1, 3)
    figure.update_layout(
        barmode="stack",
        template="plotly_white",
        font_size=12,
        margin={"t": 40, "b": 20, "l": 40, "r": 20},
        legend={"orientation": "h", "y": -0.28, "traceorder": "normal"},
    )
    figure.update_xaxes(tickangle=0, row=1, col=1)
    for column in (2, 3):
        figure.update_xaxes(title_text="quarters loaded", tickvals=counts, row=1, col=column)
        figure.update_yaxes(rangemode="tozero", row=1, col=column)
    return figure


if __name__ == "__main__":
    write(json.loads(RESULTS.read_text()))
