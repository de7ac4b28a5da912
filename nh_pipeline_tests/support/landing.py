"""Landing one file, also in processes that are killed on their way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd  # noqa: F401 (for the children: pyarrow would import it in each)

from nh_pipeline import failpoints
from nh_pipeline.lake.storage import Storage
from nh_pipeline.landing import RawZone
from nh_pipeline.sources import FolderSource

if TYPE_CHECKING:
    from nh_pipeline.landing import Landed


def land(zone: RawZone, path: Path) -> Landed:
    """Lands a file of this machine."""
    source = FolderSource(path)
    (file,) = source.changes().files
    return zone.land(source, file)


def kill_at(path: Path, kills: dict[Path, tuple[failpoints.Point, str]]) -> None:
    """Lands a file in several lakes, each time in a process that is killed where it reaches a point with a name."""
    orders = [f"{root}\n{point.name}\n{name}" for root, (point, name) in kills.items()]
    subprocess.run([sys.executable, "-m", __name__, str(path), *orders], check=True)  # has no threads: it may fork


def _killed(path: Path, root: str, point: str, name: str) -> bool:
    def observer(reached: failpoints.Point, where: str) -> None:
        if (reached.name, where) == (point, name):
            os.kill(os.getpid(), signal.SIGKILL)

    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    failpoints.observer = observer
    try:
        land(RawZone(Storage(root)), path)
    finally:
        os._exit(0)


if __name__ == "__main__":
    for order in sys.argv[2:]:
        if not _killed(Path(sys.argv[1]), *order.split("\n")):
            sys.exit(f"not reached: {order}")
