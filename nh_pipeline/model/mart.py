"""What a mart is: a table for analysts, made of other tables by one pure function."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from nh_pipeline.model.table import Partitioning, Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import DataFrame

    from nh_pipeline.model.columns import Column
    from nh_pipeline.model.rules import Rule

MATCHES = ("as_of", "earliest", "unknown")
"""Which version a row carries: the one valid that day, the earliest known (the day is before it), or none."""


@dataclass(frozen=True)
class AsOf:
    """An SCD2 dimension that a mart joins as of the day.

    Attributes:
        table: the dimension.
        uses: its columns that the mart depends on, beside key and validity; it sees no others. So a change elsewhere
            leaves the mart as it is, and a change here concerns the days on which the versions differ.
    """

    table: Table
    uses: tuple[str, ...]

    @property
    def key(self) -> tuple[str, ...]:
        """What its versions are of."""
        return self.table.grain[:-1]

    @property
    def columns(self) -> tuple[str, ...]:
        """What the mart sees."""
        return (*self.key, *self.uses, "valid_from", "valid_to")


@dataclass(frozen=True)
class Mart:
    """A gold table.

    Attributes:
        name: without its layer.
        description: one row per what, and what for.
        columns: in order.
        grain: the columns that together occur once.
        reads: what it is made of; if it is cut by months, the first has days, and is read month by month.
        transform: pure function of these, in their order, which gives the mart's columns. By day, it takes ``start``
            and ``end``, too, and gives the rows of these days alone.
        month: the date column by whose months it is cut; empty if it is one partition.
        by_day: whether its rows of a day depend on that day's alone, so that a range within a month can be built.
        conserves: pairs of SQL sums, over the mart and over the first table that it reads, which have to be equal.
        rules, foreign_keys, caution: as :class:`~nh_pipeline.model.table.Table`.

    Raises:
        ValueError: it is cut by months or days that what it reads first does not have.
    """

    name: str
    _: KW_ONLY
    description: str
    columns: tuple[Column, ...]
    grain: tuple[str, ...]
    reads: tuple[Table | AsOf, ...]
    transform: Callable[..., DataFrame]
    conserves: tuple[tuple[str, str], ...]
    month: str = ""
    by_day: bool = False
    sort: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    foreign_keys: tuple[tuple[str, str], ...] = ()
    caution: str = ""

    def __post_init__(self) -> None:
        if self.by_day and not self.month:
            raise ValueError(f"{self.name} is built by day: say by which column it is cut (month)")
        if self.month and not self.inputs[0].partitioning.monthly:
            raise ValueError(f"{self.name} is cut by months, but {self.inputs[0].name}, which it reads first, is not")

    @property
    def inputs(self) -> tuple[Table, ...]:
        return tuple(r.table if isinstance(r, AsOf) else r for r in self.reads)

    @cached_property
    def table(self) -> Table:
        more: dict[str, Any] = {name: getattr(self, name) for name in ("sort", "rules", "foreign_keys", "caution")}
        return Table(
            name=f"gold.{self.name}",
            description=self.description,
            columns=self.columns,
            grain=self.grain,
            partitioning=Partitioning((self.month,), monthly=True) if self.month else Partitioning(),
            kind=self,
            **more,
        )
