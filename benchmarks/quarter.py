"""A full quarter (1.3 million rows), raw to gold, in parts, against DuckDB by hand, in one run on one machine.

    python -m benchmarks.quarter [--data FOLDER] [--engine sail|jvm]

Without ``--data`` (a folder with real deliveries) a full-size quarter is generated.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

QUARTER = "2024Q2"


def main(
    data: Annotated[Path | None, typer.Option(help="Folder with the deliveries of 2024Q2.")] = None,
    engine: Annotated[str, typer.Option(help="sail or jvm.")] = "sail",
) -> None:
    """Times the steps in this process, the same by hand, and ``nh run`` in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="nh-bench-") as folder:
        root = Path(folder)
        drop = _deliveries(data, root)
        parts = _steps(drop, root, engine)
        by_hand = _by_hand(drop, root)
        end_to_end = _end_to_end(drop, root, engine)
    _show(engine, parts, by_hand, end_to_end)


def _deliveries(data: Path | None, root: Path) -> Path:
    """A folder with the plain CSV of the quarter, one release of providers and one of claims."""
    drop = root / "drop"
    drop.mkdir()
    if data is None:
        from nh_pipeline.sample import generate

        generate(drop, facilities=14_564, quarters=[QUARTER], releases=1)
    else:
        wanted = ("PBJ_Daily_Nurse_Staffing_Q2_2024", "NH_ProviderInfo_Nov2024", "NH_QualityMsr_Claims_Oct2024")
        for file in data.iterdir():
            if file.name.startswith(wanted):
                (drop / file.name).write_bytes(file.read_bytes())
    for packed in list(drop.glob("*.zip")):
        with zipfile.ZipFile(packed) as archive:
            archive.extractall(drop)
        packed.unlink()
    return drop


def _steps(drop: Path, root: Path, engine: str) -> dict[str, float]:
    clock = _Clock()
    from nh_pipeline.compute.engine import spark_session
    from nh_pipeline.compute.step import Run, Workspace
    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.landing import RawZone
    from nh_pipeline.periods import quarter_bounds
    from nh_pipeline.sources import FolderSource
    from nh_pipeline.steps.bronze import ParseDelivery
    from nh_pipeline.steps.dimensions import BuildDimension
    from nh_pipeline.steps.measures import BuildMeasures
    from nh_pipeline.steps.staffing import BuildStaffing

    clock.lap("imports")
    lake = Lake(str(root / "lake"))
    zone, source = RawZone(lake.storage), FolderSource(drop)
    for file in source.changes(None).files:
        zone.land(source, file)
    clock.lap("landing")
    workspace = Workspace(spark_session(engine), lake, Run(run_id="benchmark", asset="benchmark"))
    clock.lap("engine start")
    for dataset in ("providers", "medicare_claims"):
        for delivery in zone.deliveries(dataset):
            ParseDelivery(dataset=dataset, delivery=delivery.delivery_id).run(workspace)
        BuildDimension(dataset=dataset).run(workspace)
    clock.lap("releases and dimensions")
    for delivery in zone.deliveries("daily_nurse_staffing"):
        ParseDelivery(dataset="daily_nurse_staffing", delivery=delivery.delivery_id).run(workspace)
    clock.lap("bronze")
    start, end = quarter_bounds(QUARTER)
    BuildStaffing(coverage=QUARTER, start=start, end=end).run(workspace)
    clock.lap("silver")
    BuildMeasures(start=start, end=end).run(workspace)
    clock.lap("gold")
    clock.laps["peak memory, MiB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return clock.laps


def _by_hand(drop: Path, root: Path) -> dict[str, float]:
    from benchmarks.by_hand import build
    from nh_pipeline.contracts.silver import DIM_CLAIMS, DIM_PROVIDERS
    from nh_pipeline.lake.lake import Lake

    lake, out = Lake(str(root / "lake")), root / "by-hand"
    out.mkdir()
    dims = ([lake.readable(p) for p in lake.pin(c).paths] for c in (DIM_PROVIDERS, DIM_CLAIMS))
    return build(next(drop.glob("PBJ*.csv")), *dims, out)


def _end_to_end(drop: Path, root: Path, engine: str) -> float:
    started = time.perf_counter()
    environment = {**os.environ, "NH_HOME": str(root / "end-to-end"), "NH_ENGINE": engine}
    command = [sys.executable, "-m", "nh_pipeline", "run", str(drop)]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


class _Clock:
    def __init__(self) -> None:
        self._started = time.perf_counter()
        self.laps: dict[str, float] = {}

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = now - self._started
        self._started = now


def _show(engine: str, parts: dict[str, float], duck: dict[str, float], end_to_end: float) -> None:
    table = Table("part", f"nh on {engine}, s", "DuckDB by hand, s", "ratio")
    for name, seconds in parts.items():
        ours = f"{seconds:,.0f}" if "memory" in name else f"{seconds:.1f}"
        hand = duck.get(name)
        table.add_row(name, ours, f"{hand:.1f}" if hand else "", f"{seconds / hand:.1f}" if hand else "")
    total, by_hand = sum(parts[n] for n in duck), sum(duck.values())
    table.add_row("compute (bronze to gold)", f"{total:.1f}", f"{by_hand:.1f}", f"{total / by_hand:.1f}")
    table.add_row("nh run, end to end", f"{end_to_end:.1f}", f"{by_hand:.1f}", f"{end_to_end / by_hand:.1f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    typer.run(main)
