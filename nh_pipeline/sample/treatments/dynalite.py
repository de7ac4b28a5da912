"""dynalite, a server of DynamoDB that runs anywhere (npm), for who has it installed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

DYNALITE = Path(sys.prefix) / "dynalite"
"""Where ``make test`` installs it."""

_OLDEST_NODE = 20
_PROGRAM = """
const server = require('dynalite')({createTableMs: 0, deleteTableMs: 0, updateTableMs: 0})
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
process.stdin.resume().on('end', () => process.exit())
"""


def missing(folder: Path = DYNALITE) -> str:
    """What lacks for :func:`serving`; empty if nothing does."""
    node = shutil.which("node")
    told = subprocess.run([node, "--version"], capture_output=True, text=True, check=True) if node else None  # noqa: S603
    version = told.stdout.strip() if told else "none"
    if told is None or int(version.lstrip("v").partition(".")[0]) < _OLDEST_NODE:
        return f"dynalite needs node {_OLDEST_NODE} or later, found {version}"
    if not (folder / "node_modules" / "dynalite").is_dir():
        return f"no dynalite in {folder}, where make test installs it, with npm"
    return "" if find_spec("boto3") else "boto3 is not installed: pip install 'nh-pipeline[aws]'"


@contextmanager
def serving(folder: Path = DYNALITE) -> Iterator[int]:
    """A server of this process, on loopback, which ends with it: its port."""
    command, pipe = [str(shutil.which("node")), "-e", _PROGRAM], subprocess.PIPE
    with subprocess.Popen(command, cwd=folder, stdin=pipe, stdout=pipe, text=True) as process:  # noqa: S603
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("a process without the pipes that it was given")
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()
            process.wait(30)
