"""nh_pipeline on an export of treatments, timed: ``python -m benchmarks.ours_treatments ZIP OUT``.

Raw to the star schema and its seven tables, with gate and commits. Prints seconds of wall and of CPU as JSON.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from benchmarks import ours_lake
from benchmarks.clock import Clock, told

if TYPE_CHECKING:
    from pathlib import Path


def build(archive: Path, out: Path) -> dict[str, Any]:
    """Lands the export in a new lake, and builds all that follows from it."""
    os.environ["NH_DOMAINS"] = "treatments"
    clock = Clock()
    context = ours_lake.opened(out, clock)
    ours_lake.land(context, archive)
    clock.lap("landing")
    tables = ours_lake.build(context, clock)
    return {**clock.laps, "tables": tables}


if __name__ == "__main__":
    told(build, *sys.argv[1:])
