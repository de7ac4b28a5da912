"""Figures to tables and a plot: rewrites what stands between the marks of docs/performance.md.

python -m benchmarks.report          from benchmarks/results.json
"""

from __future__ import annotations

import json
import statistics
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_HERE = Path(__file__).resolve().parent
RESULTS = _HERE / "results.json"
_PAGE = _HERE.parent / "docs" / "performance.md"
_PLOT = _HERE.parent / "docs" / "images" / "performance.svg"
_BEGIN, _END = "<!-- figures: made by python -m benchmarks -->", "<!-- end of figures -->"
_LAYERS = ("bronze", "silver", "gold")
_SHORT = {"sail": "on Sail", "by hand": "DuckDB<br>by hand", "jvm": "on JVM<br>Spark", "naive": "naive<br>PySpark"}
_AROUND = ("imports", "landing", "engine start", "dimensions")


def write(results: dict[str, Any]) -> None:
    """Writes tables and plot."""
    page = _PAGE.read_text()
    before, after = page.split(_BEGIN)[0], page.split(_END)[1]
    _PAGE.write_text(f"{before}{_BEGIN}\n\n{_tables(results)}\n{_END}{after}")
    _plot(results).write_image(_PLOT, width=1000, height=380)


def _of(layer: str, lap: dict[str, float], unit: str) -> float:
    return lap[layer + unit]


def _compute(lap: dict[str, float], unit: str = "") -> float:
    return sum(lap[layer + unit] for layer in _LAYERS)


def _around(values: Sequence[float], digits: int) -> str:
    """The median, and the smallest and largest value."""
    found = (f"{value:.{digits}f}" for value in (statistics.median(values), min(values), max(values)))
    return "{} ({} to {})".format(*found)


def _tables(results: dict[str, Any]) -> str:
    pairs = results["pairs"]
    return "\n".join(
        [*_pairs(pairs), "", *_parts(pairs), "", *_others(results["others"]), "", *_growth(results["growth"])]
    )


def _pairs(pairs: dict[str, Any]) -> list[str]:
    machine, hand = pairs["machine"], pairs["by hand"]

    def row(name: str, ours: list[dict[str, float]], what: Callable[[dict[str, float], str], float], by: str) -> str:
        cells = [name]
        for unit in (" cpu", ""):
            mine = [what(lap, unit) for lap in ours]
            other = [lap[by + unit] if by else _compute(lap, unit) for lap in hand]
            times = [a / b for a, b in zip(mine, other, strict=True)]
            cells += [_around(mine, 1), _around(other, 1), _around(times, 2)]
        return f"| {' | '.join(cells)} |"

    return [
        (
            f"{machine['cpus']} cores, {machine['memory GiB']} GiB, {machine['system']} {machine['architecture']}, "
            f"Python {machine['python']}; {pairs['files']} files, measured {pairs['measured']}."
        ),
        "",
        f"One quarter, seconds: medians of {len(hand)} rounds in turns, the smallest and the largest in brackets:",
        "",
        "| | CPU: ours | by hand | times | wall: ours | by hand | times |",
        "| --- |" + " ---: |" * 6,
        *(row(layer, pairs["sail"], partial(_of, layer), layer) for layer in _LAYERS),
        row("**compute**", pairs["sail"], _compute, ""),
        row("`nh run`, end to end", pairs["nh run"], lambda lap, unit: lap[unit.strip() or "seconds"], ""),
    ]


def _parts(pairs: dict[str, Any]) -> list[str]:
    """What ``nh run`` is made of."""
    cpu = {name: statistics.median(lap[f"{name} cpu"] for lap in pairs["sail"]) for name in _AROUND}
    compute = statistics.median(_compute(lap, " cpu") for lap in pairs["sail"])
    left = statistics.median(lap["cpu"] for lap in pairs["nh run"]) - compute - sum(cpu.values())
    memory = {name: max(lap["peak MiB"] for lap in pairs[name]) for name in ("sail", "by hand", "nh run")}
    return [
        (
            f"`nh run` beside compute, as measured without Dagster, seconds of CPU: "
            f"{', '.join(f'{name} {seconds:.1f}' for name, seconds in cpu.items())}; the other {left:.1f} are "
            f"Dagster's runs and events, advisory checks, and `gold.data_quality`. Memory, MiB at most: the steps in "
            f"one process {memory['sail']:,.0f}, by hand {memory['by hand']:,.0f}, `nh run` {memory['nh run']:,.0f}."
        )
    ]


def _others(others: dict[str, Any]) -> list[str]:
    names = {"jvm": "nh_pipeline on JVM Spark", "naive": "naive PySpark, no checks"}
    rows = {layer: " | ".join(f"{others[name][layer]:.1f}" for name in names) for layer in _LAYERS}
    rows["**compute**"] = " | ".join(f"**{_compute(others[name]):.1f}**" for name in names)
    rows["peak memory, MiB"] = " | ".join(f"{others[name]['peak MiB']:,.0f}" for name in names)
    return [
        f"The same by others, seconds of the wall, once, {others['files']} files, measured {others['measured']}:",
        "",
        f"| | {' | '.join(names.values())} |",
        "| --- |" + " ---: |" * len(names),
        *(f"| {name} | {cells} |" for name, cells in rows.items()),
    ]


def _growth(growth: dict[str, Any]) -> list[str]:
    lines = [
        (
            f"So many generated quarters into an empty lake, in one process, seconds of the wall, measured "
            f"{growth['measured']}; then one more change in the last of them:"
        ),
        "",
        (
            "| quarters | compute, s | per quarter, s | one date again, s | a corrected quarter, s | peak memory, MiB "
            "| naive: silver and gold after one more file, s | naive: peak memory, MiB |"
        ),
        "| ---: |" + " ---: |" * 7,
    ]
    for n, found in growth["quarters"].items():
        ours, naive = found["sail"], found.get("naive")
        other = f"{naive['silver'] + naive['gold']:.1f} | {naive['peak MiB']:,.0f}" if naive else "|"
        lines.append(
            f"| {n} | {_compute(ours):.1f} | {_compute(ours) / int(n):.1f} | {ours['one date again']:.1f} "
            f"| {ours['a corrected delivery']:.1f} | {ours['peak MiB']:,.0f} | {other} |"
        )
    return lines


def _plot(results: dict[str, Any]) -> go.Figure:
    pairs, growth = results["pairs"], results["growth"]["quarters"]
    one = {
        name: {layer: statistics.median(lap[layer] for lap in pairs[name]) for layer in _LAYERS}
        for name in ("sail", "by hand")
    }
    one |= {name: results["others"][name] for name in ("jvm", "naive")}
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
