"""Runs all contestants on the same files, each measurement in a process of its own, and writes what they took.

    python -m benchmarks [--data FOLDER] [--rounds 4] [--pairs] [--quarters 1,2,4,8]

On one quarter, nh_pipeline and DuckDB by hand alternate, so that whatever else the machine does meets both. ``--pairs``
measures these alone, and leaves the other figures as they were. ``benchmarks/results.json`` receives what each
measurement took, docs/performance.md the tables and the plot made of that.
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
from datetime import datetime, timezone
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
    rounds: Annotated[int, typer.Option(min=1, help="How often all on one quarter is measured, in turns.")] = 4,
    pairs: Annotated[
        bool, typer.Option("--pairs", help="Only one quarter, without JVM Spark and the naive way.")
    ] = False,
) -> None:
    """Measures and reports."""
    today = f"{datetime.now(tz=timezone.utc):%Y-%m-%d}"
    results = json.loads(RESULTS.read_text()) if pairs else {}
    with tempfile.TemporaryDirectory(prefix="nh-bench-") as folder:
        contest = Contest(Path(folder))
        drop = deliveries.make(contest.root / "one", 1, data)
        files = "real" if data else "generated"
        results["pairs"] = {"measured": today, "files": files, "machine": machine(), **contest.pairs(drop, rounds)}
        if not pairs:
            results["others"] = {"measured": today, "files": files, **contest.others(drop)}
            grown = {n: contest.growth(int(n)) for n in quarters.split(",")}
            results["growth"] = {"measured": today, "quarters": grown}
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

    def pairs(self, drop: Path, rounds: int) -> dict[str, list[dict[str, float]]]:
        """nh_pipeline and DuckDB by hand on one quarter, in turns: what each of them took in each round."""
        (file,) = deliveries.staffing(drop)
        self.run(["-c", "import benchmarks.by_hand, nh_pipeline.cli.main, nh_pipeline.orchestration.runs"])  # bytecode
        found: dict[str, list[dict[str, float]]] = {}
        for _ in range(rounds):
            lake = self.fresh()
            found.setdefault("sail", []).append(self.module("benchmarks.ours", "sail", drop, lake))
            found.setdefault("by hand", []).append(self.module("benchmarks.by_hand", file, lake, self.fresh()))
            found.setdefault("nh run", []).append(
                self.run(["-m", "benchmarks.ours_run", str(drop)], NH_HOME=self.fresh())
            )
        return found

    def others(self, drop: Path) -> dict[str, dict[str, float]]:
        """JVM Spark and the naive way on one quarter, once."""
        return {
            "jvm": self.module("benchmarks.ours", "jvm", drop, self.fresh()),
            "naive": self.naive(drop, deliveries.staffing(drop)),
        }

    def growth(self, quarters: int) -> dict[str, Any]:
        """So many quarters into an empty lake, and one more change at the end."""
        drop = deliveries.make(self.root / f"growth-{quarters}", quarters)
        found = {"sail": self.module("benchmarks.ours", "sail", drop, self.fresh(), "changes")}
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
        """A process: its seconds, of CPU too, its peak memory with all its children, and what it reports."""
        console.print(" ".join(command), highlight=False)
        started, before = time.perf_counter(), os.times()
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
        seconds, after = time.perf_counter() - started, os.times()
        cpu = sum(after[2:4]) - sum(before[2:4])  # of children that have ended
        return {**parts, "seconds": seconds, "cpu": cpu, "peak MiB": peak / 2**20}

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
