"""All of PBJ: 37 quarters of full size from files to gold with one command, killed on its way and resumed.

    python -m benchmarks.history [--quarters 37] [--homes 14564] [--kills 3] [--every SECONDS] [--folder FOLDER]

Needs 25 GB of disk. ``benchmarks/history.json`` receives what each command took: seconds of the wall and of CPU, the
largest memory, how it ended. A quarter of them is loaded into a lake of its own, too (is it linear?), and one of the
quarters of 2019, so that its correction can be compared: beside all others, and alone.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer
from rich.console import Console

from benchmarks.__main__ import machine
from benchmarks.deliveries import correct

RESULTS = Path(__file__).resolve().parent / "history.json"
CORRECTED = "2019Q1"

console = Console(stderr=True)


def main(
    quarters: Annotated[int, typer.Option(min=9, help="How many quarters, from 2017Q1 on.")] = 37,
    homes: Annotated[int, typer.Option(min=1, help="Nursing homes in each.")] = 14_564,
    kills: Annotated[int, typer.Option(min=0, help="How often it is killed on its way.")] = 3,
    every: Annotated[float, typer.Option(min=1, help="Seconds after which it is killed, each time.")] = 240,
    folder: Annotated[Path | None, typer.Option(help="Where all is made, and stays.")] = None,
) -> None:
    """Measures and reports."""
    with tempfile.TemporaryDirectory(prefix="nh-history-") as made:
        root = folder or Path(made)
        drop = deliveries(root / "in", quarters, homes)
        results: dict[str, Any] = {"machine": machine(), "quarters": quarters, "homes": homes}

        def measured(name: str, lake: str, *files: Path, after: float | None = None) -> None:
            results.setdefault(name, []).append(nh_run(root / lake, *files, after=after))
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")

        for _ in range(kills):
            measured("killed", "lake", drop, after=every)
        measured("to the end", "lake", drop)
        measured("nothing to do", "lake", drop)
        few = staffing(drop)[: quarters // 4]
        measured("a quarter of them", "few", *few, *drop.glob("NH_*"))
        (one,) = drop.glob(f"PBJ*{CORRECTED}*")
        measured("one", "alone", one, *drop.glob("NH_*"))
        again = correct(unpacked(one, root / "unpacked"), root / "again")
        measured("corrected beside all", "lake", again)
        measured("corrected alone", "alone", again)


def deliveries(folder: Path, quarters: int, homes: int) -> Path:
    """The files; those that are there already are taken as they are."""
    if not folder.exists():
        from nh_pipeline.sample import generate

        names = [f"{2017 + n // 4}Q{1 + n % 4}" for n in range(quarters)]
        generate(folder, facilities=homes, quarters=names, releases=1, progress=console.print)
    return folder


def staffing(drop: Path) -> list[Path]:
    """The files of staffing, the earliest quarter first."""
    return sorted(drop.glob("PBJ*"), key=lambda path: path.stat().st_mtime)


def unpacked(archive: Path, folder: Path) -> Path:
    """The one file of an archive, with its time."""
    shutil.unpack_archive(archive, folder)
    (file,) = folder.iterdir()
    os.utime(file, (archive.stat().st_mtime, archive.stat().st_mtime))
    return file


def nh_run(lake: Path, *files: Path, after: float | None = None) -> dict[str, Any]:
    """``nh run``, killed after so many seconds; what it took, and the last lines that it printed."""
    console.print(f"nh run {', '.join(f.name for f in files)[:60]} into {lake.name}", highlight=False)
    log, started, peak, process_seconds = lake.with_suffix(".log"), time.perf_counter(), 0, 0.0
    environment = {**os.environ, "NH_HOME": str(lake), "COLUMNS": "120", "NO_COLOR": "1"}
    with log.open("w") as out:
        command = [sys.executable, "-W", "ignore", "-m", "nh_pipeline", "run", *map(str, files)]
        with subprocess.Popen(command, env=environment, stdout=out, stderr=out) as process:
            seen = psutil.Process(process.pid)
            while process.poll() is None:
                if (taken := time.perf_counter() - started) and after and taken > after:
                    process.kill()
                try:
                    peak = max(peak, seen.memory_info().rss)
                    process_seconds = sum(seen.cpu_times()[:2])
                except psutil.NoSuchProcess:
                    break
                time.sleep(0.1)
    found = {
        "seconds": round(time.perf_counter() - started, 1),
        "cpu": round(process_seconds, 1),
        "peak MiB": round(peak / 2**20),
        "exit": process.returncode,
        "printed": log.read_text().splitlines()[-2:],
    }
    console.print(found, highlight=False)
    return found


if __name__ == "__main__":
    typer.run(main)
