"""Runs all contestants on the same files, each measurement in a process of its own, and writes what they took.

    python -m benchmarks [--data FOLDER] [--quarters 1,2,4,8] [--rounds 3]

``benchmarks/results.json`` receives the figures, docs/performance.md the tables and the plot made of them.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer
from rich.console import Console

from benchmarks import deliveries
from benchmarks.report import RESULTS, write

console = Console(stderr=True)
_LARGEST_NAIVE = 4
"""Quarters up to which the naive way is measured: it takes longer with every one that is there."""


def main(
    data: Annotated[Path | None, typer.Option(help="Folder with the real deliveries of 2024Q2.")] = None,
    quarters: Annotated[str, typer.Option(help="How many quarters to load, comma separated.")] = "1,2,4,8",
    rounds: Annotated[int, typer.Option(min=1, help="Repetitions of the comparison on one quarter.")] = 3,
) -> None:
    """Measures and reports."""
    with tempfile.TemporaryDirectory(prefix="nh-bench-") as folder:
        contest = Contest(Path(folder))
        results = {
            "machine": machine(),
            "files": "real" if data else "generated",
            "one quarter": contest.one_quarter(data, rounds),
            "growth": {n: contest.growth(int(n)) for n in quarters.split(",")},
        }
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    write(results)


class Contest:
    """Measurements below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        # Python's bytecode is kept, as it is where packages are installed once and used often.
        cache = {"PYTHONPYCACHEPREFIX": str(root / "bytecode"), "PYTHONWARNINGS": "ignore"}
        self.environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | cache
        self._made = 0

    def one_quarter(self, data: Path | None, rounds: int) -> dict[str, Any]:
        """Everybody on one quarter, in turns; medians of the rounds."""
        drop = deliveries.make(self.root / "one", 1, data)
        (file,) = deliveries.staffing(drop)
        self.module("benchmarks.ours", "sail", drop, self.fresh())  # fills the caches of bytecode and disk
        found: dict[str, list[dict[str, float]]] = {}
        for _ in range(rounds):
            lake = self.fresh()
            found.setdefault("sail", []).append(self.module("benchmarks.ours", "sail", drop, lake))
            found.setdefault("by hand", []).append(self.module("benchmarks.by_hand", file, lake, self.fresh()))
            found.setdefault("nh run", []).append(
                self.run(["-m", "nh_pipeline", "run", str(drop)], NH_HOME=self.fresh())
            )
        found["jvm"] = [self.module("benchmarks.ours", "jvm", drop, self.fresh())]
        found["naive"] = [self.naive(drop, [file])]
        return {name: median(laps) for name, laps in found.items()}

    def growth(self, quarters: int) -> dict[str, Any]:
        """So many quarters into an empty lake, and one more change at the end."""
        drop = deliveries.make(self.root / f"growth-{quarters}", quarters)
        found = {"sail": self.module("benchmarks.ours", "sail", drop, self.fresh())}
        if quarters <= _LARGEST_NAIVE:
            found["naive"] = self.naive(drop, deliveries.staffing(drop))
        shutil.rmtree(drop)
        return found

    def naive(self, drop: Path, files: list[Path]) -> dict[str, float]:
        """Appends all files; silver and gold once, as for the last of them."""
        out = self.fresh()
        parts = {"bronze": 0.0, "peak MiB": 0.0}
        for file in files:
            took = self.run(["-m", "benchmarks.naive", "bronze", str(out), str(file)])
            parts = {"bronze": parts["bronze"] + took["seconds"], "peak MiB": max(parts["peak MiB"], took["peak MiB"])}
        for step, more in (("silver", []), ("gold", [str(drop)])):
            took = self.run(["-m", "benchmarks.naive", step, str(out), *more])
            parts |= {step: took["seconds"], "peak MiB": max(parts["peak MiB"], took["peak MiB"])}
        shutil.rmtree(out)
        return parts

    def module(self, name: str, *arguments: Any) -> dict[str, float]:
        """A contestant that reports its parts as JSON."""
        return self.run(["-m", name, *map(str, arguments)], report=True)

    def run(self, command: list[str], *, report: bool = False, **environment: Any) -> dict[str, float]:
        """A process: its seconds, its peak memory with all its children, and what it reports."""
        console.print(" ".join(command), highlight=False)
        started = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, *command],
            env={**self.environment, **{k: str(v) for k, v in environment.items()}},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:
            peak = _watch(process)
            output, _ = process.communicate()
        if process.returncode:
            raise RuntimeError(f"{command} ended with {process.returncode}: {output.decode()[-2000:]}")
        parts = json.loads(output) if report else {}
        return {**parts, "seconds": time.perf_counter() - started, "peak MiB": peak / 2**20}

    def fresh(self) -> Path:
        """A path where nothing is yet; what was measured before is deleted but for the last lake."""
        self._made += 1
        old = self.root / f"run-{self._made - 3}"
        shutil.rmtree(old, ignore_errors=True)
        return self.root / f"run-{self._made}"


def _watch(process: subprocess.Popen[bytes]) -> int:
    """Largest resident memory of the process and its children together, looked at ten times a second."""
    peak, root = 0, psutil.Process(process.pid)
    while process.poll() is None:
        with contextlib.suppress(psutil.NoSuchProcess):
            peak = max(peak, sum(p.memory_info().rss for p in (root, *root.children(recursive=True))))
        time.sleep(0.1)
    return peak


def median(laps: list[dict[str, Any]]) -> dict[str, Any]:
    """The median of each figure; what is none is as in the last lap."""
    return {
        name: statistics.median(lap[name] for lap in laps) if isinstance(value, int | float) else value
        for name, value in laps[-1].items()
    }


def machine() -> dict[str, Any]:
    """What it runs on."""
    memory = psutil.virtual_memory().total / 2**30
    return {
        "cpus": psutil.cpu_count(),
        "memory GiB": round(memory),
        "python": platform.python_version(),
        "system": platform.system(),
        "architecture": platform.machine(),
    }


if __name__ == "__main__":
    typer.run(main)
