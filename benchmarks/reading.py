"""Looking at a large lake: questions of a dashboard, the plan, and commands with nothing to do.

    python -m benchmarks.reading LAKE [FOLDER_OF_ITS_FILES] [--rounds 5]

``benchmarks/reading.json`` receives medians, in seconds of the wall and of CPU. Questions go through the pinned tables
that the dashboard keeps open; the first of each only opens files. Commands are processes of their own.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated

import typer

from benchmarks.__main__ import machine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

RESULTS = Path(__file__).resolve().parent / "reading.json"

FACILITY = "from gold.facility_measures where provider_id = (select provider_id from one)"
DAY = "from gold.facility_measures where work_date = (select work_date from one)"
QUESTIONS = {
    "one facility, its whole history, four columns": f"select work_date, census, total_hours, rn_hours {FACILITY}",
    "one facility, its whole history, all columns": f"select * {FACILITY}",
    "one day of all facilities, four columns": f"select provider_id, census, total_hours, rn_hours {DAY}",
    "one day of all facilities, all columns": f"select * {DAY}",
}
ONE = "with one as (select '{}' as provider_id, date '{}' as work_date) "
PLAN = """
import time
from nh_pipeline.lake.lake import Lake
from nh_pipeline.landing import RawZone
from nh_pipeline.pipeline.plan import plan
from nh_pipeline.settings import Settings
lake = Lake((settings := Settings()).home, settings.catalog_properties)
zone, wall, cpu = RawZone(lake.storage), time.perf_counter(), time.process_time()
assert not plan(lake, zone).builds
print(time.perf_counter() - wall, time.process_time() - cpu)
"""


def main(
    lake: Annotated[Path, typer.Argument(help="A lake in which nothing is stale.")],
    files: Annotated[Path | None, typer.Argument(help="The files that it was made of.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Repetitions.")] = 5,
) -> None:
    """Measures and reports."""
    os.environ["NH_HOME"] = str(lake)
    rows, asked = questions(lake)
    commands = {"nh status": ["status"], **({"nh run, nothing to do": ["run", str(files)]} if files else {})}
    took: dict[str, Callable[[], tuple[float, float]]] = {
        **asked,
        "plan, nothing to do": plan,
        **{name: lambda words=words: command(*words) for name, words in commands.items()},
    }
    RESULTS.write_text(json.dumps({"machine": machine(), "rows": rows, **medians(took, rounds)}, indent=1) + "\n")
    sys.stdout.write(RESULTS.read_text())


def medians(took: Mapping[str, Callable[[], tuple[float, float]]], rounds: int) -> dict[str, dict[str, float]]:
    """What each took: the medians of seconds of the wall, and of CPU."""
    found = {name: [each() for _ in range(rounds)] for name, each in took.items()}
    return {
        name: {"seconds": round(median(wall for wall, _ in times), 3), "cpu": round(median(cpu for _, cpu in times), 3)}
        for name, times in found.items()
    }


def questions(home: Path) -> tuple[int, dict[str, Callable[[], tuple[float, float]]]]:
    """Rows of the table that is asked, and what asks each question; each has been asked once."""
    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.queries.open import LakeQueries

    queries = LakeQueries(Lake(str(home)))
    (first,) = queries.query(
        "select provider_id, min(month) as day from gold.facility_month group by all order by count(*) desc, 1 limit 1"
    ).to_pylist()
    one = ONE.format(first["provider_id"], first["day"])
    (counted,) = queries.query("select count(*) as n from gold.facility_measures").to_pylist()

    def asking(sql: str) -> Callable[[], tuple[float, float]]:
        def ask() -> tuple[float, float]:
            wall, cpu = time.perf_counter(), time.process_time()
            if not queries.query(one + sql).num_rows:
                raise RuntimeError(f"no rows: {sql}")
            return time.perf_counter() - wall, time.process_time() - cpu

        ask()
        return ask

    return counted["n"], {name: asking(sql) for name, sql in QUESTIONS.items()}


def plan() -> tuple[float, float]:
    """What planning takes in a new process, without its imports."""
    wall, cpu = subprocess.run([sys.executable, "-c", PLAN], capture_output=True, text=True, check=True).stdout.split()
    return float(wall), float(cpu)


def command(*words: str) -> tuple[float, float]:
    """What a command takes, with its start."""
    wall, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-W", "ignore", "-m", "nh_pipeline", *words], capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - wall, cpu


if __name__ == "__main__":
    typer.run(main)
