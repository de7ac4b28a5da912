"""The kinds of refusal that callers tell apart.

What belongs here: the kinds. Not here: the error itself (:mod:`nh_pipeline.landing.refused`) and what is refused (each
module of :mod:`nh_pipeline.landing`).
"""

from __future__ import annotations

from nh_pipeline.landing.refused import Refused


class Unrecognised(Refused):
    """A CSV that is no known layout of a known dataset, or whose coverage cannot be told."""


class CutOff(Refused):
    """The bytes that were given end before they tell what the file is; more of them may tell."""


class UndecidedDates(Unrecognised):
    """Dates that can be read month-first or day-first, where nothing in the file decides. A person may say which."""
