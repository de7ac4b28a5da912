"""Processes that build a lake step by step and are killed, or stopped for a while, on their way.

Run as a module, it is the mother of such processes: it has imported everything and opened nothing, so that a child
costs no more than its work.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster_pyspark  # noqa: F401 (this one and the next two for the children, of which each would import them)
import pysail.spark  # noqa: F401
import pyspark.sql.connect.session  # noqa: F401
from pyiceberg.catalog.sql import SqlCatalog

from nh_pipeline import failpoints as points
from nh_pipeline import marts
from nh_pipeline.engines.spark import spark_session
from nh_pipeline_tests.support import chain
from nh_pipeline_tests.support.catch_up import catch_up as catch_up_all
from nh_pipeline_tests.support.few import FEW

if TYPE_CHECKING:
    from nh_pipeline.pipeline.context import BuildContext

WRITTEN = "WRITTEN"
"""Not a point of the product: PyIceberg has written a table's metadata, and the catalog does not name it yet."""


def catch_up(workspace: BuildContext) -> None:
    """All that is stale."""
    for built in catch_up_all(workspace):
        chain.published(built.results)


@dataclass
class Outcome:
    killed: bool
    seconds: float


class Mother:
    """Orders children, one after the other."""

    def __init__(self, log: Path, *, every_mart: bool = False):
        env = {k: v for k, v in os.environ.items() if not k.startswith("SPARK_")}  # of this process's own session
        self.log = log
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", __name__, *["every"] * every_mart],
                env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
            )  # fmt: skip

    def __call__(
        self,
        root: Path,
        *paths: Path,
        at: tuple[str, str] | None = None,
        after: float | None = None,
        pid_file: Path | None = None,
    ) -> Outcome:
        """A child that lands the files and builds everything.

        It is killed at a point (and file or table), after a time, or not at all. With a file for its id, it is not
        killed at the point, but stops there until it gets SIGCONT.
        """
        order = {"root": str(root), "paths": [str(p) for p in paths], "at": at, "after": after}
        order["pid_file"] = str(pid_file) if pid_file else None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline() or "null")
        ended = answer and answer["status"] in (0, -signal.SIGKILL)
        assert ended, f"{order}: {answer}\n{self.log.read_text()[-3000:]}"
        return Outcome(answer["status"] != 0, answer["seconds"])

    def end(self) -> None:
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


def _child(order: dict[str, Any]) -> None:
    os.dup2(2, 1)
    if order["at"]:
        _at(tuple(order["at"]), order["pid_file"])
    workspace = chain.workspace_at(Path(order["root"]), None)
    chain.land(workspace, *map(Path, order["paths"]))
    workspace.spark = spark_session("sail")
    catch_up(workspace)


def _at(point: tuple[str, str], pid_file: str | None) -> None:
    def observer(reached: points.Point | str, where: str) -> None:
        if (getattr(reached, "name", reached), where) != point:
            return
        if pid_file is None:
            os.kill(os.getpid(), signal.SIGKILL)
        elif not Path(pid_file).exists():
            Path(f"{pid_file}.partial").write_text(str(os.getpid()))
            Path(f"{pid_file}.partial").rename(pid_file)
            os.kill(os.getpid(), signal.SIGSTOP)

    points.observer = observer
    write = SqlCatalog._write_metadata

    def written(metadata: Any, io: Any, metadata_path: str) -> None:
        write(metadata, io, metadata_path)
        observer(WRITTEN, ".".join(metadata.location.split("/")[-2:]))

    SqlCatalog._write_metadata = staticmethod(written)


def _wait(pid: int, after: float | None) -> int:
    """Exit code of a child, negative for a signal; kills it when its time is over."""
    end = time.monotonic() + (300 if after is None else after)
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > end:
            os.kill(pid, signal.SIGKILL)
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        time.sleep(0.002)


def main(which: str = "few") -> None:
    if which == "few":
        marts.MARTS = FEW
    for line in sys.stdin:
        order, started = json.loads(line), time.monotonic()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                _child(order)
                code = 0
            except Exception:  # noqa: BLE001 (a child must never go on as its mother)
                traceback.print_exc()
            finally:
                os._exit(code)
        status = _wait(pid, order["after"])
        print(json.dumps({"status": status, "seconds": time.monotonic() - started}), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
