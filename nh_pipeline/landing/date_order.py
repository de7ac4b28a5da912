"""Whether the dates of a file are month-first, as CMS writes them, or day-first, as a spreadsheet may have left them.

What belongs here: the one decision for a file. Not here: what one text means (:mod:`nh_pipeline.landing.dates`), and
what the file covers (:mod:`nh_pipeline.landing.survey`).

A file has one order. It is decided by the file alone, never by what else has landed: tables are a function of the
deliveries, in whatever order those arrive. Only dates with the year last count (``01/08/2024``, ``1.8.2024``,
``01-08-2024 0:00``); ``2024-08-01`` and ``20240801`` read in one way. A column is one of dates if its header cell has
"date" in it, whether the layout knows it or not. The column that *matters* is the one that is typed: the release date,
or the days of a quarter.

1. *Values.* A date that is none in one of the orders rules that order out for the file: ``25/12/2023`` is day-first.
   If values rule out both, the file is refused with one of each.
2. *Rhythm*, of the column that matters. CMS dates its releases to the first of a month: if all release dates of the
   file are that in exactly one order, this is the order. The days of a quarter lie within it: if nearly all of them do
   in one order, and not all in the other, it is the former.
3. Values beat rhythm. But where the column that matters has no such value of its own, and its rhythm says the other
   order, a program has rewritten some of the columns and not the others: then each may have an order of its own, and
   the file is refused with both.
4. If neither decides, and the two readings of a value in the column that matters differ, the file is refused with
   both readings. If they do not (``01/01/2024``), there is nothing to decide.

What is refused for its dates is taken with a person's word (``nh quarantine admit ID --dates``). Values which that
order cannot read are then as unreadable as any others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow.compute as pc

from nh_pipeline.landing.dates import ORDERS, YEAR_LAST, in_words, parts
from nh_pipeline.landing.refused import CutOff, UndecidedDates

if TYPE_CHECKING:
    from datetime import date

    import pyarrow as pa

    from nh_pipeline.landing.coverage import Coverage
    from nh_pipeline.landing.dates import DateOrder, Parts

NEARLY_ALL = 0.95
"""Share of the days of a file that must lie within its quarter in the order that is taken for that."""

_WHAT_TO_DO = (
    "Deliver it with dates as 2024-08-01, or say the order: "
    "nh quarantine admit ID --dates month-first|day-first --confirm --reason TEXT."
)


@dataclass(frozen=True)
class _Seen:
    """A date where it was first seen."""

    parts: Parts
    text: str
    line: int
    column: str

    def __str__(self) -> str:
        return f"{self.text[:60]!r} in line {self.line:,}, column {self.column!r}"

    @property
    def readings(self) -> str:
        return " or ".join(f"{in_words(self.parts.day(order))} ({order})" for order in ORDERS)


class DateEvidence:
    """What the dates of a file say about their order.

    Args:
        name: The file's name, for messages.
        matters: Header cell of the column that matters; None if none does.
        monthly: Whether that column holds the date of a release which CMS dates to the first of a month.
    """

    def __init__(self, name: str, matters: str | None, *, monthly: bool) -> None:
        self._name, self._matters, self._monthly = name, matters, monthly
        self._shows: dict[DateOrder, _Seen] = {}  # the first value that reads in this order only
        self._own = False  # whether the column that matters has such a value
        self._open: dict[Parts, _Seen] = {}  # its values that read in both, and differently

    def look(self, cell: str, column: pa.Array, lines: pa.Array) -> None:
        """Takes note of a batch of one column; only its distinct values cost more than pyarrow's time."""
        own = cell == self._matters
        if len(self._shows) == len(ORDERS) and not own:
            return
        texts = pc.unique(column)
        for text in texts.filter(pc.match_substring_regex(texts, YEAR_LAST)).to_pylist():
            found = parts(text.strip())
            if found is None or found in self._open:
                continue
            days = {order: day for order in ORDERS if (day := found.day(order))}
            only = next(iter(days)) if len(days) == 1 else None
            is_open = own and len(set(days.values())) == len(ORDERS)
            self._own |= own and only is not None
            if is_open or (only and only not in self._shows):
                seen = _Seen(found, text, lines[pc.index(column, text).as_py()].as_py(), cell)
                if only:
                    self._shows[only] = seen
                else:
                    self._open[found] = seen

    def order(self, quarter: Coverage | None = None, *, complete: bool = True) -> DateOrder | None:
        """The order of the file's dates.

        Args:
            quarter: The quarter that the days of the column that matters lie in.
            complete: Whether all of the file was looked at.

        Returns:
            The order, or None if none can be told and none is needed.

        Raises:
            UndecidedDates: If it is needed.
            CutOff: If the rest of the file may tell, and the coverage depends on it.
        """
        if len(self._shows) == len(ORDERS):
            raise self._refused("dates that contradict one another", f"{self._shown(0)}, but {self._shown(1)}")
        shown = next(iter(self._shows), None)
        rhythm = self._within(quarter) if quarter else self._first_of_month()
        if shown and not self._own and rhythm not in (None, shown):
            why = f"the first of a month only {rhythm}" if not quarter else f"within {quarter.key} only {rhythm}"
            raise self._refused(
                "columns whose dates contradict one another",
                f"{self._shown(0)}, but {self._an_open} is {why}: {self._an_open.readings}",
            )
        if shown or rhythm or not self._open:
            return shown or rhythm
        if complete:
            raise self._refused(
                "dates that can be read in two ways",
                f"{self._an_open}: {self._an_open.readings}, and nothing else in the file decides",
            )
        if quarter:
            return None
        raise CutOff(
            f"{self._name}: dates that can be read in two ways",
            expected="a date that reads in one way only, such as 12/25/2023",
            found=f"{self._an_open}: {self._an_open.readings}, and nothing else in the first bytes decides",
            what_to_do="Look at more of the file.",
        )

    def refused_as(self, order: DateOrder, text: str, line: int) -> UndecidedDates:
        """The refusal of a release date that the order which a person has said cannot read."""
        return self._refused(
            f"no {order} date in column {self._matters!r}", f"{text[:60]!r} in line {line:,}, which is none"
        )

    def _first_of_month(self) -> DateOrder | None:
        if not self._monthly or not self._open:
            return None
        fit = [o for o in ORDERS if all(day and day.day == 1 for day in self._days(o))]
        return fit[0] if len(fit) == 1 else None

    def _within(self, quarter: Coverage) -> DateOrder | None:
        if quarter.start is None or quarter.end is None:
            return None
        start, end, every = quarter.start, quarter.end, len(self._open)
        inside = {o: sum(day is not None and start <= day <= end for day in self._days(o)) for o in ORDERS}
        left = [o for o, other in zip(ORDERS, ORDERS[::-1], strict=True)
                if inside[o] == every or inside[other] < NEARLY_ALL * every]  # fmt: skip
        return left[0] if len(left) == 1 else None

    def _days(self, order: DateOrder) -> list[date | None]:
        return [found.day(order) for found in self._open]

    @property
    def _an_open(self) -> _Seen:
        return next(iter(self._open.values()))

    def _shown(self, nth: int) -> str:
        order, seen = list(self._shows.items())[nth]
        return f"{seen} is a date only {order}"

    def _refused(self, reason: str, found: str) -> UndecidedDates:
        return UndecidedDates(
            f"{self._name}: {reason}",
            expected="one order in all dates of the file, which its values or the rhythm of CMS's releases tell",
            found=found,
            what_to_do=_WHAT_TO_DO,
        )
