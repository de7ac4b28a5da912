"""How far something long is, and how long the rest may take: as long for each part as what was done."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import timedelta


@dataclass
class Pace:
    """So many parts of so many are done.

    Attributes:
        total: how many there are.
        done: how many of them are done.
        started: when the first one began, by the clock of :func:`time.monotonic`.
    """

    total: int
    done: int = 0
    started: float = field(default_factory=time.monotonic)

    def __str__(self) -> str:
        taken = time.monotonic() - self.started
        if not self.done:
            return f"0 of {self.total:,} partitions"
        left = taken / self.done * (self.total - self.done)
        return f"{self.done:,} of {self.total:,} partitions in {_words(taken)}, about {_words(left)} left"


def _words(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
