"""A monthly release: which providers it knows and what its Provider Information says of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from nh_pipeline.sample.layouts import ADDRESS, KEY, PROCESSING_DATE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from numpy.typing import NDArray

    from nh_pipeline.sample.facilities import World
    from nh_pipeline.sample.periods import Quarter

    Columns = dict[str, list[str]]


def figures(texts: Sequence[str]) -> NDArray[np.float64]:
    """Texts as numbers, not a number where they are blank."""
    return np.array([float(text) if text else np.nan for text in texts])


@dataclass(frozen=True)
class Release:
    """A release; lists and arrays are by facility of the world.

    Attributes:
        world: All facilities.
        number: From 0.
        day: Processing Date.
        reported: The quarter whose staffing it reports.
        computed_for: Processing Date of the release that its claims scores were computed for.
        present: Which facilities it knows.
        columns: Of Provider Information, by canonical name.
    """

    world: World
    number: int
    day: date
    reported: Quarter
    computed_for: date
    present: NDArray[np.bool_]
    columns: Columns

    @cached_property
    def here(self) -> list[int]:
        """Indices of the facilities that it knows."""
        return np.flatnonzero(self.present).tolist()

    @cached_property
    def leading(self) -> list[list[str]]:
        """The first columns of most files: number, name, address."""
        return [list(who) for who in zip(*(self.columns[n] for n in (KEY, "Provider Name", *ADDRESS)), strict=True)]

    @cached_property
    def trailing(self) -> list[list[str]]:
        """The last columns of most files: location, Processing Date."""
        return [list(what) for what in zip(*(self.columns[n] for n in ("Location", PROCESSING_DATE)), strict=True)]

    def figures(self, name: str) -> NDArray[np.float64]:
        """A column of Provider Information as numbers, not a number where it is blank."""
        return figures(self.columns[name])
