"""Seconds of the wall and of CPU (all threads of the process), added up by name, and how a contestant tells them."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock:
    """Two figures for each part: ``bronze`` of the wall, ``bronze cpu`` of CPU."""

    def __init__(self) -> None:
        self._at = self._now()
        self.laps: dict[str, float] = {}

    def lap(self, name: str | None) -> None:
        """Counts the time since the last lap; for nothing, if it has no name."""
        now = self._now()
        for key, then, at in zip((name, f"{name} cpu"), self._at, now, strict=True):
            if name and key:
                self.laps[key] = self.laps.get(key, 0.0) + at - then
        self._at = now

    @staticmethod
    def _now() -> tuple[float, float]:
        return time.perf_counter(), time.process_time()


def told(build: Callable[[Path, Path], dict[str, Any]], archive: str, out: str) -> None:
    """Builds an archive into a new folder, and prints what it took as JSON: a contestant, in a process of its own."""
    folder = Path(out)
    folder.mkdir()
    sys.stdout.write(json.dumps(build(Path(archive), folder)))
