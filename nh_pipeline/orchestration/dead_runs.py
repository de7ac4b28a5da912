"""Runs whose process was killed: Dagster would count them as started, for hours or for ever.

Its code server sees when one of its processes is gone, but not if it is killed with it, or cannot reach the database of
runs at that moment. So a process holds the lock of a file while it runs. The operating system takes the lock away when
the process is gone, however it ended; this needs no process ids, which are used again, and no host names, which
containers change.
"""

from __future__ import annotations

import os
import re
import socket
import sqlite3
import uuid
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from nh_pipeline.settings import PROCESSES

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")

_JOURNAL = "-journal"
"""Ends the name of a file that SQLite had beside a lock when its process was killed; versions before let it."""

PROCESS_TAG = "nh/process"
"""Names the host and the process of a run, and its lock."""

_UNFINISHED = [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]
_ENDED = "Its process ended without a word (killed, or out of memory). Tables are never half-published: run it again."


@contextmanager
def process_lock(instance: dg.DagsterInstance) -> Iterator[str]:
    """Holds a lock while a run executes in this process; gives the value of the run's tag."""
    _locks(instance).mkdir(parents=True, exist_ok=True)
    while True:  # until it has one that nobody was just taking away
        name = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        path = _locks(instance) / name
        with closing(_open(path)) as lock:
            if _locked(lock) and path.exists():
                try:
                    yield name
                finally:
                    path.unlink(missing_ok=True)
                return


def fail_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Marks unfinished runs whose process is gone as failed, frees what they held, and returns their ids."""
    dead, locks = [], _locks(instance)
    for run in instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED)):
        name = run.tags.get(PROCESS_TAG, "")
        path = locks / name
        # A tag is what whoever launches a run types: only a name of a lock is looked at, and taken away.
        if not _NAME.fullmatch(name) or not _is_free(path):
            continue
        now = instance.get_run_by_id(run.run_id)
        if now is not None and not now.is_finished:  # it may have come to its end while we looked
            instance.report_run_failed(now, _ENDED)
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
            dead.append(run.run_id)
    # Also of processes that were killed before they had a run.
    for path in locks.glob("*"):
        if not path.name.endswith(_JOURNAL):
            _take_away(path)
        elif not path.with_name(path.name.removesuffix(_JOURNAL)).exists():
            path.unlink(missing_ok=True)
    return dead


def _locks(instance: dg.DagsterInstance) -> Path:
    return Path(instance.root_directory) / PROCESSES


def _open(path: Path) -> sqlite3.Connection:
    """SQLite, as its file locks are the same on all systems; the file stays empty."""
    return sqlite3.connect(path, timeout=0, isolation_level=None)


def _locked(lock: sqlite3.Connection) -> bool:
    """Takes the lock, if nobody has it."""
    try:
        lock.execute("pragma journal_mode = memory")  # no file beside it
        lock.execute("begin exclusive")
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            return False
        raise
    return True


def _is_free(path: Path) -> bool:
    if not path.exists():
        return True
    with closing(_open(path)) as lock:
        return _locked(lock)


def _take_away(path: Path) -> None:
    """A lock that nobody holds; while it is taken away it is held, so that nobody takes it for theirs."""
    with closing(_open(path)) as lock:
        if _locked(lock):
            path.unlink(missing_ok=True)
