"""Small numbers of people, which are not told: what is below 11 is shown as ``<11`` on every page of own records.

Of parts of a whole, those of the fewest people are kept back until they are 11 or more together: the whole, less what
is shown, would tell a smaller rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from dashboard import words
from nh_pipeline.marts.clinical import facility_outcomes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FEWEST = facility_outcomes.FEWEST
"""The least count that is told."""

FEW = f"<{FEWEST}"

KEPT_BACK = f"Counts of fewer than {FEWEST}, and what would tell them, are kept back: {FEW}, or a dash."
"""For the reader of a table or chart."""


def count(people: Any) -> str:
    """A number of people or of what happened to them, as it may be shown."""
    if people is None or people != people:  # noqa: PLR0124 (no number)
        return words.NOTHING
    return FEW if people < FEWEST else words.number(people, 0)


def share(part: float, whole: float) -> str:
    """The share of ``part``; a dash if it would tell a small number, or there is no whole."""
    return words.share(part / whole) if min(part, whole) >= FEWEST else words.NOTHING


def kept_back(people: pd.Series) -> pd.Series:
    """Which parts of a whole are not shown, by the people of each."""
    ascending = people.sort_values(kind="stable")
    of_fewer = ascending.cumsum() - ascending
    return ((ascending < FEWEST) | of_fewer.between(1, FEWEST - 1)).reindex(people.index)


def guarded(
    rows: pd.DataFrame,
    counts: Mapping[str, Sequence[str]],
    *,
    by: str | None = None,
    also: Mapping[str, pd.Series] | None = None,
) -> pd.DataFrame:
    """The rows as they may be shown and taken along: counts as texts, and nothing that would tell a small one.

    Args:
        rows: Parts of a whole; of several, if ``by`` names the column that tells them apart. A count that is missing
            is not known, and not small.
        counts: Columns of counts, each with those whose values tell of it: they are blank where it is kept back.
        by: See ``rows``.
        also: Of a count, where it is kept back for other reasons.
    """
    hidden = {name: pd.Series(False, rows.index) for each in counts.items() for name in (each[0], *each[1])}
    for column, others in counts.items():
        people = rows[column].astype(float)
        back = kept_back(people) if by is None else people.groupby(rows[by]).transform(kept_back)
        back |= (also or {}).get(column, False)
        for name in (column, *others):
            hidden[name] |= back
    shown = rows.copy()
    for name, back in hidden.items():
        values = rows[name].astype(float)
        shown[name] = values.mask(back & ~(values < FEWEST)).map(count) if name in counts else values.mask(back)
    return shown
