"""What a dataset is: a file that is published again and again, how its header is read, and the tables it becomes."""

from __future__ import annotations

import re
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Literal

from nh_pipeline.model.kinds import Bronze, Kind
from nh_pipeline.model.rules import CCN

if TYPE_CHECKING:
    from nh_pipeline.model.columns import Column
    from nh_pipeline.model.table import Table

CoverageKind = Literal["quarter", "release", "fiscal_year", "undated", "export"]


@lru_cache(maxsize=1 << 14)
def fold(cell: str) -> str:
    """A name as it is compared: letters and digits decide, in any case.

    So ``City/Town``, ``citytown`` (CMS's API), ``City.Town`` (R) and ``city_town`` (warehouses) are one, with any kind
    of dash, quote, blank or byte order mark, also if UTF-8 was read as Windows-1252 on the way.
    """
    if not cell.isascii():
        with suppress(UnicodeError):
            cell = cell.encode("cp1252").decode()
        cell = unicodedata.normalize("NFKD", cell)
    return re.sub(r"[\W_]+", "", cell).casefold()


@dataclass(frozen=True)
class Era:
    """A version of a dataset's header.

    Attributes:
        name: short name, after the era's key column.
        markers: header cells that all are there in this era. The first era whose markers are there is the file's.
    """

    name: str
    markers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Correction:
    """A header cell that CMS printed wrongly: ``label`` right after the column ``after`` stands for ``means``.

    The same label elsewhere means what it says.
    """

    label: str
    after: str
    means: str


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A file that CMS publishes again and again.

    Attributes:
        name: in paths, assets and tables.
        title: CMS's title of it.
        columns: all of them, in canonical order; of a dataset without tables, those that recognise the file.
        eras: of the header, in the order in which they are tried.
        told_by: names of the columns that tell this dataset from the others.
        value: a column and the value that it has in every row, where two datasets have the same header.
        quarter_by: the column that says which quarter the file is.
        released_by: the column that says which release it is.
        changed_by: of a file of changes, the column that dates the last change of each line: the latest of them is its
            release. Such a file says nothing of what it does not name, so every delivery counts beside the others.
        by_fiscal_year: whether its header names the fiscal year that it is of.
        day: name of the column that holds a day of the quarter in each row.
        on_the_first: whether its releases are dated the first of a month.
        key: what a line is about; a release in which a key occurs twice is refused. Empty if lines may repeat.
        every_facility: whether each release names all facilities: one that lacks many is then held.
        corrections: header cells that CMS printed wrongly.
        gathers: pattern of header cells that are no columns but known all the same, in words (small letters and digits
            with single blanks): bronze keeps them beside what it does not know, and a table's transform unpivots them.
        tables: the silver tables that it becomes; none if its files are only kept.
        caution: what goes wrong if it is used carelessly.
        late_after: days after its last day, or its release, after which the next delivery is late.
        domain: of the data; ``cms`` is public.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    eras: tuple[Era, ...]
    told_by: tuple[str, ...]
    value: tuple[str, str] | None = None
    quarter_by: Column | None = None
    released_by: Column | None = None
    changed_by: Column | None = None
    by_fiscal_year: bool = False
    day: str | None = None
    on_the_first: bool = True
    key: tuple[str, ...] = ()
    every_facility: bool = True
    corrections: tuple[Correction, ...] = ()
    gathers: str = ""
    tables: tuple[Kind, ...] = ()
    caution: str = ""
    late_after: int = 75
    domain: str = "cms"

    def __hash__(self) -> int:
        return hash(self.name)  # of all that it says would be slow

    @property
    def has_tables(self) -> bool:
        """Whether bronze and silver exist for it. If not, its files are kept in raw."""
        return bool(self.tables)

    @property
    def is_public(self) -> bool:
        """Whether its values may be shown to anybody; of other domains, those of keys alone are."""
        return self.domain == "cms"

    def shows(self, column: str) -> bool:
        """Whether values of a column, known or not, may be shown outside of the tables."""
        return self.is_public or column in self.key

    @property
    def coverage(self) -> CoverageKind:
        if self.quarter_by is not None:
            return "quarter"
        if self.released_by or self.changed_by:
            return "release"
        return "fiscal_year" if self.by_fiscal_year else "undated"

    @property
    def dated_by(self) -> str | None:
        """Name of the column that says which quarter or release a file is."""
        column = self.quarter_by or self.released_by or self.changed_by
        return column.name if column else None

    @cached_property
    def by_name(self) -> dict[str, Column]:
        return {c.name: c for c in self.columns}

    @cached_property
    def by_label(self) -> dict[str, str]:
        """Name of the column by each of its header cells, as they are compared."""
        return {fold(label): column.name for column in self.columns for label in column.labels}

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the columns without which a file is refused."""
        return tuple(c.name for c in self.columns if c.required)

    @cached_property
    def facility(self) -> str | None:
        """The column that names the facility, if there is one."""
        return next((c.name for c in self.columns if c.allowed == CCN), None)

    @cached_property
    def numbers(self) -> frozenset[str]:
        """Names of the columns that hold numbers."""
        return frozenset(c.name for c in self.columns if c.type.python in (int, float, Decimal))

    def database(self, layer: str) -> str:
        return layer if self.is_public else f"{self.domain}_{layer}"

    @cached_property
    def bronze(self) -> Table:
        """Its lines as text."""
        return Bronze().table(self)

    @cached_property
    def silver(self) -> tuple[Table, ...]:
        return tuple(kind.table(self) for kind in self.tables)

    def __getitem__(self, table: str) -> Table:
        """One of these tables, by its short name."""
        return next(t for t in self.silver if t.short == table)

    @cached_property
    def typed(self) -> tuple[Column, ...]:
        """The columns that any of its tables has, typed: a delivery is judged by them."""
        wanted = {c.name for kind in self.tables for c in kind.typed(self)}
        return tuple(c for c in self.columns if c.name in wanted)
