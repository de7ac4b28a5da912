"""A command that has built much goes on in a process of its own, since its engine keeps memory of every query.

Sail keeps some of each SQL text that it parses (docs/spark-subset.md), and a history of years is hundreds of thousands.
What is left to do the lake says: so the process is replaced by the same command, which goes on from there.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

LARGE = 1 << 30
"""Bytes that a process may have when it begins a run; the run may take as many more."""

_of_this_process: list[bool] = []


class BeginAnewError(Exception):
    """Runs are left, and this process has grown large. Nothing is wrong."""


def allow() -> None:
    """This process is a command, and nothing else: it may be replaced."""
    _of_this_process.append(True)


def forbid() -> None:
    """This command does more than what it would go on with."""
    _of_this_process.clear()


def is_due() -> bool:
    """Whether this process has grown large; never where the system does not say how large it is."""
    return bool(_of_this_process) and _resident() > LARGE


def begin_anew() -> NoReturn:
    """Replaces this process by the same command."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(BrokenPipeError):
            stream.flush()
    os.execv(sys.executable, sys.orig_argv)  # noqa: S606 (what it was started with)


def _resident() -> int:
    with suppress(OSError):
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0
