"""A small lake with every table: what the dashboard shows. Built once, also where several processes test."""

from __future__ import annotations

import fcntl
from typing import TYPE_CHECKING

from nh_pipeline.sample import Deliveries
from nh_pipeline.sample.clinical import write_clinical
from nh_pipeline.sample.treatments import write_treatments
from nh_pipeline_tests.support import chain

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pyspark.sql import SparkSession

PLAN = Deliveries(40, ("2024Q1", "2024Q2"), releases=3, days=14, full_from=1)
"""Two weeks of each quarter, so that there are days without data between them; two releases with every file."""

RESIDENTS, HOMES, TREATMENTS = 600, 4, 600
"""Of a chain's own records: enough for counts that may be shown."""


def built_at(root: Path, engine: Callable[[], SparkSession]) -> Path:
    """The lake, if need be built by this process while others wait for it: tests only read it."""
    root.mkdir(exist_ok=True)
    home, drop, done = root / "lake", root / "drop", root / "done"
    with (root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            PLAN.write(drop)
            write_clinical(drop / "clinical", cms=PLAN, patients=RESIDENTS, homes=HOMES, zipped=True)
            write_treatments(drop / "treatments", cms=PLAN, treatments=TREATMENTS)
            workspace = chain.workspace_at(home, engine())
            chain.land(workspace, drop)
            chain.whole(workspace)
            done.touch()
    return home
