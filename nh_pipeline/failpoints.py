"""Named points of the chain at which a process may die; tests stop it there and look at what is left.

Nothing happens at a point in production: there is no switch for it, only an observer that a test sets in its process.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Point(Enum):
    """What has just happened; each has a test that kills a process there."""

    PAGE = "a page of a table is in a temporary file"
    EXTRACTED = "an extraction is whole, and nothing of it has landed"
    RECEIVED = "a delivery's bytes are in the incoming folder"
    MOVED = "a delivery is in its folder, without a manifest"
    LANDED = "a delivery has its manifest"
    STAGED = "files for a table are staged"
    PASSED = "the gate let a table's staged files pass"
    COMMITTING = "a table's commit is prepared"
    COMMITTED = "a table's new snapshot is there"
    NOTED = "a table remembers what it was built from"
    COPIED = "a table's rows are in the warehouse, and not committed"


observer: Callable[[Point, str], None] | None = None


def reached(point: Point, what: str) -> None:
    """Tells the observer, if a test has set one, of a point and of the file or table concerned."""
    if observer is not None:
        observer(point, what)
