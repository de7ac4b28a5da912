"""How the raw zone says no: one error that tells whoever delivered a file what to do.

What belongs here: the error, and the kinds of it that callers tell apart. Not here: what is refused (each module of
:mod:`nh_pipeline.landing`).
"""

from __future__ import annotations

from nh_pipeline.errors import DeliveryError


class Refused(DeliveryError, ValueError):  # noqa: N818 - an outcome that is kept and shown, as SourceUnavailable
    """A delivery that is not taken.

    Attributes:
        reason: What is wrong, in a few words.
        expected: What would have been taken.
        found: What is there instead.
        what_to_do: How whoever delivered it can put it right.
        overrulable: Whether a person may take it all the same (``nh quarantine admit --confirm``).
    """

    def __init__(self, reason: str, *, expected: str, found: str, what_to_do: str, overrulable: bool = False) -> None:
        super().__init__(f"{reason}: expected {expected}, found {found}. {what_to_do}")
        self.reason = reason
        self.expected = expected
        self.found = found
        self.what_to_do = what_to_do
        self.overrulable = overrulable


class Unrecognised(Refused):
    """A CSV that is no known layout of a known dataset, or whose coverage cannot be told."""


class Beside(Unrecognised):
    """A file that CMS puts beside a delivery into its archive: there it is left out, as a readme is."""


class CutOff(Refused):
    """The bytes that were given end before they tell what the file is; more of them may tell."""


class SeveralDeliveries(Refused):
    """An archive of several files that are to be looked at one by one, or an export: landing tells what is in it."""


class UndecidedDates(Unrecognised):
    """Dates that can be read month-first or day-first, where nothing in the file decides. A person may say which."""
