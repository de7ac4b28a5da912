"""A measure as people read it: its words, and how its values are written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dashboard import words

if TYPE_CHECKING:
    from dashboard.page import Kind

DIGITS: dict[Kind, int] = {"count": 0, "hprd": 2, "hours": 1, "number": 2, "percent": 1, "dollars": 0}
"""Behind the point, of values that are written out."""


@dataclass(frozen=True)
class Measure:
    """What is measured, in words, and the kind of its values."""

    label: str
    kind: Kind = "hprd"

    def told(self, value: Any) -> str:
        """A value in a text."""
        if self.kind in ("share", "percent"):
            return words.share(value if self.kind == "share" else value / 100)
        return words.number(value, DIGITS[self.kind])

    @property
    def form(self) -> str:
        """The same on axes and in tooltips, as D3 writes formats."""
        return ".1%" if self.kind == "share" else f",.{DIGITS[self.kind]}f"
