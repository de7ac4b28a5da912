"""The kinds of tables that a file becomes: days, releases side by side, slowly changing dimensions; and bronze.

A kind says how a table is built, and is declared within a :class:`~nh_pipeline.model.dataset.Dataset`, which makes the
table of it. How each kind is built is in :mod:`nh_pipeline.pipeline`, a module each.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from nh_pipeline.model.columns import Column, category, count, date, flag, text
from nh_pipeline.model.rules import Rule
from nh_pipeline.model.table import LINEAGE, Partitioning, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pyspark.sql import DataFrame

    from nh_pipeline.model.dataset import Dataset

    Transform: TypeAlias = Callable[[DataFrame], DataFrame]


@dataclass(frozen=True)
class Kind(ABC):
    """What the tables of all kinds say that are made of one file's lines.

    Attributes:
        name: of the table, without its layer.
        description: one row per what, and what for.
        columns: names of the dataset's columns that it has; empty for all.
        needs: names of the dataset's columns that only the transform reads.
        adds: columns that the transform adds.
        transform: pure function of the typed rows, which gives the table's columns; None if typing is all.
        grain, sort, rules, foreign_keys, caution: as :class:`Table`.
    """

    name: str
    _: KW_ONLY
    description: str
    columns: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    adds: tuple[Column, ...] = ()
    transform: Transform | None = None
    grain: tuple[str, ...] = ()
    sort: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    foreign_keys: tuple[tuple[str, str], ...] = ()
    caution: str = ""

    def typed(self, dataset: Dataset) -> tuple[Column, ...]:
        """The dataset's columns that the table is made of."""
        if not self.columns:
            return tuple(c for c in dataset.columns if c is not dataset.released_by)
        return tuple(dataset.by_name[name] for name in (*self.columns, *self.needs))

    @abstractmethod
    def table(self, dataset: Dataset) -> Table:
        """The table."""

    def _kept(self, dataset: Dataset) -> tuple[Column, ...]:
        return tuple(c for c in self.typed(dataset) if c.name not in self.needs)

    def _made(self, dataset: Dataset, columns: Sequence[Column], **more: Any) -> Table:
        same = {name: getattr(self, name) for name in ("description", "grain", "sort", "rules", "foreign_keys")}
        return Table(
            name=f"{dataset.database('silver')}.{self.name}",
            columns=tuple(columns),
            caution=self.caution or dataset.caution,
            dataset=dataset.name,
            kind=self,
            **{**same, **more},
        )


DELIVERY = text("delivery_id", "Delivery that the row comes from (md5 of the delivered file)", nullable=False)


@dataclass(frozen=True)
class Daily(Kind):
    """Days: built from the effective delivery of each quarter, replaced month by month.

    Raises:
        ValueError: the dataset names no column of days.
    """

    def table(self, dataset: Dataset) -> Table:
        if dataset.day is None or dataset.quarter_by is None:
            raise ValueError(f"{dataset.name}: {self.name} is of days: give the dataset quarter_by and day")
        columns = (*self._kept(dataset), *self.adds, DELIVERY)
        return self._made(
            dataset, columns, grain=self.grain or dataset.key, partitioning=Partitioning((dataset.day,), monthly=True)
        )


RELEASE = date("release", "CMS release (Processing Date) that the row is of", nullable=False)
FISCAL_YEAR = text("fiscal_year", "Federal fiscal year (October to September) of the file, as FY2024", nullable=False)
NTH = count("nth", "Nth of the lines of the file that the rest of the key does not tell apart", nullable=False)


@dataclass(frozen=True)
class PerRelease(Kind):
    """Releases side by side, each as CMS shows it: built from the effective delivery of each, replaced one by one.

    A file of a fiscal year is one release of it; of an undated file, the last delivery is the whole table.

    Attributes:
        reshapes: whether the transform gives other rows than one for each line.
        repeats: columns that several lines may share and be several things all the same: a column ``nth`` numbers them
            in the order of the file, before the transform, and both are the grain.
    """

    _: KW_ONLY
    reshapes: bool = False
    repeats: tuple[str, ...] = ()

    def table(self, dataset: Dataset) -> Table:
        of = {"release": (RELEASE,), "fiscal_year": (FISCAL_YEAR,)}.get(dataset.coverage, ())
        names = tuple(c.name for c in of)
        nth = (NTH,) if self.repeats else ()
        return self._made(
            dataset,
            (*of, *self._kept(dataset), *self.adds, *nth, DELIVERY),
            grain=(*names, *(self.grain or dataset.key or self.repeats), *(c.name for c in nth)),
            partitioning=Partitioning(names),
        )


VALIDITY = (
    date("valid_from", "First day of the version: date of the release that first shows it", nullable=False),
    date("valid_to", "First day after the version; NULL while current"),
    flag("is_current", "The version of the latest release"),
    category(
        "closed_reason",
        "Why the version ended: the next one differs, or the key is absent from the next release",
        ("changed", "absent"),
    ),
    flag("is_reappearance", "The key was absent from the release before"),
    text("release_delivery_id", "Delivery whose release opened the version", nullable=False),
)
_SCD2_RULES = (
    Rule("interval_not_empty", "valid_to is null or valid_from < valid_to", "a version must last at least a day"),
    Rule("current_is_open", "is_current = (valid_to is null)", "the current version has no end, others have one"),
)


@dataclass(frozen=True)
class Scd2(Kind):
    """A slowly changing dimension (type 2): a pure function of all effective releases, replaced as a whole.

    Of a file of changes (``Dataset.changed_by``), a version lasts until a later delivery says something else.

    Attributes:
        columns: those of the file, beside the key, which comes from the dataset.
        caseless: of the tracked ones, those whose letter case is no change.
        untracked: columns whose change starts no version: they are as in the release that opened it.
        scope: SQL of the typed lines that matter, asked at each build: keys without any are left out. None for all.
    """

    _: KW_ONLY
    caseless: frozenset[str] = frozenset()
    untracked: tuple[str, ...] = ()
    scope: Callable[[], str] | None = None

    @property
    def values(self) -> tuple[str, ...]:
        """The columns beside the key and the validity."""
        return (*self.columns, *(c.name for c in self.adds))

    @property
    def tracked(self) -> tuple[str, ...]:
        """The columns whose change starts a version."""
        return tuple(name for name in self.values if name not in self.untracked)

    def typed(self, dataset: Dataset) -> tuple[Column, ...]:
        return tuple(dataset.by_name[name] for name in (*dataset.key, *self.columns, *self.needs))

    def table(self, dataset: Dataset) -> Table:
        columns = (*self._kept(dataset), *self.adds, *VALIDITY)
        return self._made(dataset, columns, grain=(*dataset.key, "valid_from"), rules=(*_SCD2_RULES, *self.rules))


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """A table of days, made of nothing but their dates.

    Attributes:
        first: its first day.
        last: its last day.
        transform: pure function of a DataFrame with one row per day in column ``date``.
    """

    first: str
    last: str
    transform: Transform


@dataclass(frozen=True)
class Bronze:
    """Lines as they were delivered, as text: one partition for each delivery."""

    def table(self, dataset: Dataset) -> Table:
        """The table: every column of the dataset as text under its name, plus lineage."""
        cells = (text(c.name, c.description, *c.labels) for c in dataset.columns)
        return Table(
            name=f"{dataset.database('bronze')}.{dataset.name}_raw",
            description=f"{dataset.title}: the lines of every delivery, as text.",
            columns=(*cells, *LINEAGE),
            grain=("delivery_id", "source_line"),
            partitioning=Partitioning(("delivery_id",)),
            sort=("source_line",),
            dataset=dataset.name,
            kind=self,
        )
