"""The plan of a lake with all of time in it: 37 quarters, and 60 releases of every CMS file, of a few small homes.

    python -m benchmarks.planner [--folder FOLDER] [--rounds 5]

What the plan takes depends on how many files, parts and tables there are, not on their rows. Making the lake takes a
quarter of an hour; one that is there already in the folder is taken as it is. ``benchmarks/planner.json`` receives
medians, in seconds of the wall and of CPU: of the plan, and of commands with nothing to do.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.__main__ import machine
from benchmarks.reading import command, medians, plan

RESULTS = Path(__file__).resolve().parent / "planner.json"


def main(
    folder: Annotated[Path | None, typer.Option(help="Where files (in) and lake (lake) are, or are made.")] = None,
    releases: Annotated[int, typer.Option(min=1, help="Monthly releases of every file.")] = 60,
    rounds: Annotated[int, typer.Option(min=1, help="Repetitions.")] = 5,
) -> None:
    """Measures and reports."""
    with tempfile.TemporaryDirectory(prefix="nh-planner-") as made:
        root = folder or Path(made)
        os.environ["NH_HOME"] = str(root / "lake")
        files = deliveries(root / "in", releases)
        subprocess.run([sys.executable, "-W", "ignore", "-m", "nh_pipeline", "run", str(files)], check=True)
        found = medians(
            {
                "the plan, nothing to do": plan,
                "nh run, nothing to do": lambda: command("run", str(files)),
                "nh status": lambda: command("status"),
            },
            rounds,
        )
        counted = sum(1 for _ in files.glob("[!.]*"))
    told = {"machine": machine(), "releases": releases, "files": counted, **found}
    RESULTS.write_text(json.dumps(told, indent=1) + "\n")
    sys.stdout.write(RESULTS.read_text())


def deliveries(folder: Path, releases: int) -> Path:
    """The files; those that are there already are taken as they are."""
    if not folder.exists():
        from nh_pipeline.sample import Deliveries

        quarters = tuple(f"{2017 + n // 4}Q{1 + n % 4}" for n in range(37))
        Deliveries(20, quarters, releases, days=3, full_from=0).write(folder)
    return folder


if __name__ == "__main__":
    typer.run(main)
