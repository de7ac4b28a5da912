"""When a run that failed is tried again (backoff): at once at first, then ever more rarely, while its cause is there.

A cause may be gone in an hour (a full disk, a store that does not answer) with nobody there to say so.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import NamedTuple

AT_ONCE = 3
"""Runs of the same cause that follow one another at once; then a person is told, and the pauses begin."""

FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=10), timedelta(days=1)
"""Each pause is twice as long as the one before."""

ATTEMPT_TAG = "nh/attempt"
"""Of a run: which attempt it is, from 1 on."""


class Tried(NamedTuple):
    """The runs that a cause has had, none of which removed it: how many, and when the last one was over."""

    times: int
    over_at: datetime

    def is_due(self, now: datetime | None = None) -> bool:
        """Whether the next run is due."""
        if self.times < AT_ONCE:
            return True
        pause = min(FIRST_PAUSE * (1 << min(self.times - AT_ONCE, 10)), LONGEST_PAUSE)
        return (now or datetime.now(tz=timezone.utc)) - self.over_at >= pause
