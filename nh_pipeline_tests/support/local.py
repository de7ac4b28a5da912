"""``nh`` and a Dagster server (webserver and daemon) on lakes of their own, as people run them on their machine."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typer.testing import CliRunner

from nh_pipeline.cli.main import app
from nh_pipeline.engines.spark import spark_session
from nh_pipeline.lake.lake import Lake
from nh_pipeline.orchestration.instance import open_instance
from nh_pipeline.settings import Settings
from nh_pipeline_tests.support import chain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import dagster as dg
    from click.testing import Result


def damaged(path: Path, out: Path) -> Path:
    """A later delivery of the same quarter that went through a spreadsheet: its CCNs are numbers like 15009.0."""
    header, *lines = path.read_bytes().splitlines(keepends=True)
    out.mkdir(exist_ok=True)
    copy = out / f"{path.stem}_again.csv"
    cells = (line.split(b",", 1) for line in lines)
    copy.write_bytes(header + b"".join(b"%s.0,%s" % (ccn.strip(b'"'), rest) for ccn, rest in cells))
    return copy


DEFINITIONS = "nh_pipeline_tests.support.few_definitions"
"""What a server loads, and how its code location is called."""


class Nh:
    """``nh`` with a lake of its own, in a folder or on S3."""

    engine = "sail"

    def __init__(self, home: Path | str):
        self.home = home

    def __call__(self, *arguments: str | Path, exits: int = 0) -> Result:
        env = {"NH_HOME": str(self.home), "NH_ENGINE": self.engine, "COLUMNS": "80", "NO_COLOR": "1"}
        found = CliRunner().invoke(app, [str(a) for a in arguments], env=env)
        told = f"{arguments}: {found.output}\n{found.exception!r}"
        assert found.exit_code == exits, told
        assert found.exception is None or isinstance(found.exception, SystemExit), told
        return found

    def built(self, *paths: Path) -> None:
        """Lands files and builds everything, as ``nh run`` would, but without Dagster, which takes the longest."""
        workspace = chain.workspace_at(self.home, spark_session("sail"))
        chain.land(workspace, *paths)
        chain.whole(workspace)

    @property
    def lake(self) -> Lake:
        return Lake(str(self.home))

    @property
    def instance(self) -> dg.DagsterInstance:
        return open_instance(Settings(home=str(self.home)))

    def runs(self) -> list[dg.DagsterRun]:
        """All runs, the first one first."""
        with self.instance as instance:
            return list(reversed(instance.get_runs()))

    def rows(self, sql: str) -> list[dict[str, Any]]:
        return json.loads(self("query", sql, "--format", "json").stdout)


class Server:
    """A running ``dagster dev``."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, log: Path):
        self.process, self.url, self.log = process, url, log

    def graphql(self, query: str, **variables: Any) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"content-type": "application/json"})  # noqa: S310
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            found = json.load(answer)
        assert "errors" not in found, found
        return found["data"]

    def wait(self, condition: Callable[[], Any], what: str, seconds: float = 600) -> Any:
        """What the condition comes to, as soon as it is true of anything."""
        looked = time.monotonic()
        end = looked + seconds
        while not (found := condition()):
            assert self.process.poll() is None, f"the server ended:\n{self.log.read_text()[-3000:]}"
            assert time.monotonic() < end, f"{what}: not within {seconds} s\n{self.log.read_text()[-3000:]}"
            time.sleep(max(1, 5 * (time.monotonic() - looked)))  # looking is not to slow down what is waited for
            looked = time.monotonic()
        return found

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/server_info", timeout=5) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


@contextmanager
def serving(home: Path, definitions: str = DEFINITIONS, **other: str) -> Iterator[Server]:
    """Webserver and daemon on a lake, on a free port; ended with all their processes.

    Args:
        home: the lake, and where the server's files are.
        definitions: what the server loads.
        other: settings (``NH_HOME=…``), if the lake is elsewhere.
    """
    settings = Settings(home=str(home))
    with open_instance(settings):
        pass
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [
        sys.executable,
        "-m",
        "dagster",
        "dev",
        "-m",
        definitions,
        "-h",
        "127.0.0.1",
        "-p",
        port,
    ]
    env = {**os.environ, "NH_HOME": str(home), "DAGSTER_HOME": str(settings.dagster_home), "NH_ENGINE": "sail"} | other
    env.pop("SPARK_CONNECT_MODE_ENABLED", None)  # of this process's own session
    env["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
    log = home / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=env, cwd=home, stdout=out, stderr=out, start_new_session=True)
    try:
        server = Server(process, f"http://127.0.0.1:{port}", log)
        server.wait(server._answers, "the webserver answers")
        yield server
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGTERM)  # it leads a group of its own
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=15)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # what is left of the group
    process.wait(timeout=15)
