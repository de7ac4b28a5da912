"""A sample of the ids of a complete export, small enough for its manifest, by which two exports can be compared."""

from __future__ import annotations

import hashlib
import heapq
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

MOST = 1000
"""Ids of a sample: they tell a share of all within two percent."""


def digest(known_as: str) -> int:
    """A number of 48 bits for an id."""
    return int(hashlib.md5(known_as.encode(), usedforsecurity=False).hexdigest()[:12], 16)


def sample(digests: Iterable[int]) -> tuple[int, ...]:
    """The least digests; all of few ids."""
    return tuple(heapq.nsmallest(MOST, digests))


def share_gone(before: Collection[int], now: Collection[int]) -> float:
    """Which share of the ids of an export another one lacks, by samples of both; 0 if these do not meet."""
    reach = min((max(each) for each in (before, now) if len(each) == MOST), default=sys.maxsize)
    had = {one for one in before if one <= reach}
    return len(had.difference(now)) / max(len(had), 1)
