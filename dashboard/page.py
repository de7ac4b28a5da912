"""What a section shows things on: a screen (:mod:`.screen`) or paper (:mod:`.paper`).

Texts are plain: no markup is read in them, as many come from files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import altair as alt
    import pandas as pd

Kind = Literal["text", "count", "people", "hprd", "hours", "number", "share", "percent", "dollars", "date"]
"""How a column's values are shown: ``hprd`` has two digits, ``share`` is 0 to 1 and ``percent`` 0 to 100.
``people`` are counts as they may be told (:mod:`dashboard.few`): texts."""


@dataclass(frozen=True)
class Proof:
    """A figure beside CMS's own: the badge that says whether they agree."""

    told: str
    agrees: bool | None
    """None where there is nothing to compare it with."""


@dataclass(frozen=True)
class Figure:
    """One number: what it is, and, as a note, its period, how many it is of, and its source."""

    label: str
    value: str
    note: str
    change: str = ""
    """Against what was before, in words, such as ``+0.12 to the quarter before``."""
    proof: Proof | None = None


@dataclass(frozen=True)
class Column:
    """A column of a table as people read it."""

    label: str
    kind: Kind = "text"
    help: str = ""


class Page(Protocol):
    """Where a section shows things."""

    def title(self, text: str, note: str = "") -> None:
        """The name of the page, once, and what it is about."""

    def section(self, text: str, note: str = "") -> None:
        """A heading, with a sentence on what follows."""

    def text(self, text: str) -> None:
        """A paragraph."""

    def warning(self, text: str) -> None:
        """A sentence that must be read before the figures are believed."""

    def nothing(self, text: str) -> None:
        """Why there is nothing to show here, and what to do."""

    def figures(self, figures: Sequence[Figure]) -> None:
        """Numbers side by side."""

    def chart(self, chart: alt.Chart | alt.LayerChart | alt.HConcatChart | alt.VConcatChart | alt.FacetChart, *,
              name: str, alt: str, source: str, data: pd.DataFrame) -> None:  # fmt: skip
        """A chart, with its source, the sentence that stands for it, and its data to take along."""

    def table(self, rows: pd.DataFrame, columns: Mapping[str, Column], *, name: str, source: str) -> None:
        """Rows, with the columns that are named; ``name`` is that of the file to take along."""

    def beside(self, n: int) -> Sequence[Page]:
        """Pages side by side, as far as there is room."""
        ...
