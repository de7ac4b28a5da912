"""Faults of the machine as one message for people: what happened, where, and what to do.

A full disk, a read-only file system, a missing permission, a locked or read-only database. All of them leave every
table as before or as after a publish. Everything else is a fault of the data or of this product, and keeps its error.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from nh_pipeline.lake.lake import LakeError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Every layer words these in its own way (Python, Arrow, SQLite, the engine, which knows no error numbers).
_KNOWN = {
    r"No space left on device|disk is full|Disk quota exceeded": (
        "there is no space left",
        "free some space or choose another NH_HOME",
    ),
    r"Read-only file system|readonly database": (
        "nothing can be written: the file system, or a file, is read-only",
        "mount it for writing, or choose another NH_HOME",
    ),
    r"Permission denied|Operation not permitted|unable to open database file": (
        "a permission is missing",
        "run as the user that owns the lake, or give this one the right to read and write there",
    ),
    r"database is locked": (
        "another process holds the lock of a database for longer than the time that others wait",
        "wait until it is through; if nothing runs, look for a backup or a copy that has the file open",
    ),
}


class MachineError(LakeError):
    """The machine did not do what it was asked to; nothing is wrong with data or tables."""


def explained(error: BaseException) -> str | None:
    """The message for a fault of the machine; None for any other error."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, MachineError):
            return str(seen)
        database = isinstance(seen, (DBAPIError, sqlite3.Error))
        if database or isinstance(seen, OSError) or type(seen).__module__.startswith("pyspark."):
            text = str(seen)
            for pattern, (what, advice) in _KNOWN.items():
                if found := re.search(pattern, text):
                    line = next(t.strip() for t in text.splitlines() if found[0] in t)
                    where = _database(seen) if database else "The lake"
                    return (
                        f"{where}: {what} ({line[:300]}). Every table is as before or as after. What to do: {advice}; "
                        "then run it again."
                    )
        seen = seen.__cause__ or seen.__context__
    return None


def _database(error: BaseException) -> str:
    statement = str(getattr(error, "statement", ""))
    return "The Iceberg catalog (catalog.db)" if "iceberg_" in statement else "Dagster's database (dagster/)"


@contextmanager
def as_one_message() -> Iterator[None]:
    """Turns faults of the machine into :class:`MachineError`; lets all other errors pass.

    Raises:
        MachineError: with what, where and what to do.
    """
    try:
        yield
    except Exception as error:
        message = explained(error)
        if message is None or isinstance(error, MachineError):
            raise
        raise MachineError(message) from error
