"""Treatments: nh_pipeline beside DuckDB by hand and naive PySpark, each measurement in a process of its own, in turns.

    python -m benchmarks.treatments [--rounds 3] [--items 59452]

The treatments are generated: a full extraction as one archive, as it lands. ``benchmarks/treatments.json`` receives the
medians of the rounds, of the naive way one. Seconds of CPU are what to compare: those of the wall are as good as the
machine is idle.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.__main__ import Contest, machine, median
from nh_pipeline.sample import Deliveries
from nh_pipeline.sample.treatments import write_treatments

RESULTS = Path(__file__).resolve().parent / "treatments.json"


def main(
    rounds: Annotated[int, typer.Option(min=1, help="Repetitions, in turns.")] = 3,
    items: Annotated[int, typer.Option(min=1, help="Treatments of the table.")] = 59_452,
) -> None:
    """Measures and reports."""
    with tempfile.TemporaryDirectory(prefix="nh-bench-") as folder:
        contest, drop = Contest(Path(folder)), Path(folder) / "export"
        write_treatments(drop, cms=Deliveries(40, ("2024Q1",)), treatments=items, extractions=(1,))
        (archive,) = drop.iterdir()
        laps: dict[str, list[dict[str, Any]]] = {}
        for _ in range(rounds):
            for name, module in (("by hand", "by_hand_treatments"), ("lake", "ours_treatments")):
                laps.setdefault(name, []).append(contest.module(f"benchmarks.{module}", archive, contest.fresh()))
        found = {name: median(each) for name, each in laps.items()}
        found["naive"] = contest.module("benchmarks.naive_treatments", archive, contest.fresh())
    RESULTS.write_text(json.dumps({"machine": machine(), "items": items, **found}, indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)
