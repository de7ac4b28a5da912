"""What a mart is: a table that is made of other tables by one pure function: gold, and all of clinical silver."""

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
class Previous:
    """A table of which a part of the mart takes, beside its own, the last part before it: the release before."""

    table: Table


@dataclass(frozen=True)
class Within:
    """A table of which a part of the mart takes all parts that begin near it.

    Attributes:
        table: the table.
        before: months before the mart's part begins.
        after: months after it ends.
        last: whether only the last of them is taken, where each shows all that the ones before it show.
    """

    table: Table
    before: int = 0
    after: int = 0
    last: bool = False


@dataclass(frozen=True)
class Lookup:
    """A table in which what a mart's rows refer to is looked up; it is read whole.

    Attributes:
        table: the table.
        key: its column that equals the references as written, which are in columns ``<x>_ref`` of the other inputs. A
            change of it concerns the buckets alone that refer to what changed.
    """

    table: Table
    key: str


@dataclass(frozen=True)
class Mart:
    """A table that is made of others.

    It is one partition, or cut into parts: months, quarters, releases, or buckets of patients. A part is made of those
    parts of its inputs that begin in it, or that are of its bucket; of inputs that are cut otherwise, of all. So a
    change is computed anew where it matters alone.

    Attributes:
        name: without its layer.
        description: one row per what, and what for.
        columns: in order.
        grain: the columns that together occur once.
        reads: what it is made of; of months or quarters, the first is cut by months or quarters, too.
        transform: pure function of these, in their order, which gives the mart's columns. If :attr:`bounded`, it takes
            ``start`` and ``end``, too, the first and the last day of what it gives the rows of, and of nothing else.
        month: the date column by whose months it is cut.
        quarter: the date column that holds the first day of the quarters by which it is cut.
        release: the date column that holds the releases by which it is cut; it has those of all its inputs that are
            cut by releases, or by fiscal years (which count from their first day), and are not read ``Within``.
        bucket: the column that holds the bucket by which it is cut.
        database: of the table. What is not in ``gold`` is protected: see :attr:`Table.sensitive`.
        by_day: whether its rows of a day depend on that day's alone, so that a range within a month can be built.
        conserves: pairs of SQL sums, over the mart and over the first table that it reads, which have to be equal.
        rules, foreign_keys, caution: as :class:`~nh_pipeline.model.table.Table`.

    Raises:
        ValueError: it is cut by what its inputs do not have, or in two ways.
    """

    name: str
    _: KW_ONLY
    description: str
    columns: tuple[Column, ...]
    grain: tuple[str, ...]
    reads: tuple[Table | AsOf | Previous | Within | Lookup, ...]
    transform: Callable[..., DataFrame]
    conserves: tuple[tuple[str, str], ...] = ()
    month: str = ""
    quarter: str = ""
    release: str = ""
    bucket: str = ""
    database: str = "gold"
    by_day: bool = False
    sort: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    foreign_keys: tuple[tuple[str, str], ...] = ()
    caution: str = ""

    def __post_init__(self) -> None:
        if self.by_day and not self.month:
            raise ValueError(f"{self.name} is built by day: say by which column it is cut (month)")
        if sum(map(bool, (self.month, self.quarter, self.release, self.bucket))) > 1:
            raise ValueError(f"{self.name} is cut in several ways: expected one of month, quarter, release, bucket")
        if (self.month or self.quarter) and not self.inputs[0].partitioning.monthly:
            cut = "months" if self.month else "quarters"
            raise ValueError(f"{self.name} is cut by {cut}, but {self.inputs[0].name}, which it reads first, is not")
        if self.bucket and not any(self.bucket in table.partitioning.columns for table in self.inputs):
            raise ValueError(f"{self.name} is cut by {self.bucket}, but nothing that it reads is")
        if len({table.name for table in self.inputs}) < len(self.reads):
            raise ValueError(f"{self.name} reads a table twice: expected each of them once, with all that is needed")
        if self.conserves and not isinstance(self.reads[0], Table):
            raise ValueError(f"{self.name} conserves sums over its first input: expected one that is read as it is")

    @property
    def inputs(self) -> tuple[Table, ...]:
        return tuple(r if isinstance(r, Table) else r.table for r in self.reads)

    @property
    def cut_by(self) -> str:
        """The column by which it is cut; empty if it is one partition."""
        return self.month or self.quarter or self.release or self.bucket

    @property
    def bounded(self) -> bool:
        """Whether the transform is told of which days it is to give the rows: others may be among what it is given."""
        near = any(isinstance(read, (Previous, Within)) for read in self.reads)
        return bool(self.by_day or self.quarter or self.release or near)

    @cached_property
    def table(self) -> Table:
        more: dict[str, Any] = {name: getattr(self, name) for name in ("sort", "rules", "foreign_keys", "caution")}
        return Table(
            name=f"{self.database}.{self.name}",
            description=self.description,
            columns=self.columns,
            grain=self.grain,
            partitioning=Partitioning((self.cut_by,) if self.cut_by else (), monthly=bool(self.month or self.quarter)),
            kind=self,
            sensitive=self.database != "gold",
            **more,
        )
