"""FHIR bundles: nh_pipeline beside DuckDB by hand, each measurement in a process of its own, in turns.

    NH_TEST_DATA=FOLDER python -m benchmarks.fhir [--rounds 3] [--copies 10]

``benchmarks/fhir.json`` receives the figures: medians of the rounds for the bundles as they are, one run each for so
many copies of them. Seconds of CPU are what to compare: those of the wall are as good as the machine is idle.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks import bundles
from benchmarks.__main__ import Contest, machine, median

RESULTS = Path(__file__).resolve().parent / "fhir.json"


def main(
    rounds: Annotated[int, typer.Option(min=1, help="Repetitions on the bundles as they are.")] = 3,
    copies: Annotated[int, typer.Option(min=0, help="How many copies to measure once; 0 for none.")] = 10,
) -> None:
    """Measures and reports."""
    try:
        given = bundles.given()
    except FileNotFoundError as missing:
        typer.echo(f"skipped: {missing}", err=True)
        raise typer.Exit(0) from None
    with tempfile.TemporaryDirectory(prefix="nh-bench-") as folder:
        contest = Contest(Path(folder))
        results = {"machine": machine(), "S": _measured(contest, given, rounds)}
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        if copies:
            large = bundles.several(given, Path(folder) / "L.zip", copies)
            results["L"] = {"copies": copies, **_measured(contest, large, 1)}
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")


def _measured(contest: Contest, archive: Path, rounds: int) -> dict[str, Any]:
    """All contestants on a zip, in turns."""
    laps: dict[str, list[dict[str, Any]]] = {}
    for _ in range(rounds):
        for name, what in (("by hand", ()), ("bronze", ("bronze",)), ("lake", ("lake",))):
            module = "benchmarks.by_hand_fhir" if name == "by hand" else "benchmarks.ours_fhir"
            laps.setdefault(name, []).append(contest.module(module, *what, archive, contest.fresh()))
    return {name: median(found) for name, found in laps.items()}


if __name__ == "__main__":
    typer.run(main)
