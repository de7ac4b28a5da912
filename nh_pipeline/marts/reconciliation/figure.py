"""What a figure of CMS is that public files give again, and the comparison: ours beside theirs, and a verdict."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING

from nh_pipeline.datasets import DATASETS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date

    from pyspark.sql import DataFrame

    from nh_pipeline.model.table import Table

VERDICTS = {
    "equal": "ours, rounded to the decimals that CMS prints, is theirs",
    "rounding": "within what the rounding of CMS's own inputs explains",
    "held": "CMS keeps an older value on purpose",
    "revised release": "theirs is what the release before gives",
    "series of another quarter": "theirs is what another quarter gives",
    "suppressed": "CMS leaves it blank",
    "input missing": "a file that it takes is not there, or does not know the entity",
    "mismatch": "none of these",
}
"""How two figures compare."""


@dataclass(frozen=True)
class Release:
    """A release, and the tables that its figures are made of, by their short names."""

    date: date
    tables: Mapping[str, DataFrame]

    def __getitem__(self, table: str) -> DataFrame:
        return self.tables[table]

    @property
    def sql(self) -> str:
        """Its date in SQL."""
        return f"date '{self.date.isoformat()}'"


_SLACK = 1e-9
"""Below this, two numbers are one: what double precision loses."""


@dataclass(frozen=True)
class Figure:
    """A figure that CMS publishes, and how public files give it again.

    Attributes:
        name: of the rule.
        table: that holds CMS's figure.
        column: which one.
        formula: of ours, in words.
        ours, theirs: SQL over the rows of its subject; theirs is the column, if nothing else is said.
        label: of the cell in CMS's file, if the column has none of its own.
        decimals: that CMS prints.
        tolerance: SQL; how far rounded inputs may move ours. Half a unit of the last decimal in any case.
        otherwise: SQL for the verdict where they differ by more; NULL for a mismatch.
        note: SQL for a short remark, where they are not equal.
        differs: share of the compared entities that may differ; more is a finding.
    """

    name: str
    table: Table
    column: str
    formula: str
    ours: str
    _: KW_ONLY
    theirs: str = ""
    label: str = ""
    decimals: int = 0
    tolerance: str = "0"
    otherwise: str = "null"
    note: str = "null"
    differs: float = 0.0

    @property
    def published(self) -> str:
        """File and column in CMS's words."""
        title = next(d.title for d in DATASETS if d.name == self.table.dataset)
        return f"{title}: {self.label or self.table.by_name[self.column].source}"

    @property
    def theirs_sql(self) -> str:
        return f"cast({self.theirs or self.column} as double)"

    @property
    def sql(self) -> str:
        """Its values, in the order in which :class:`Subject` takes them."""
        numbers = ", ".join(f"cast({value} as double)" for value in (self.ours, self.tolerance))
        texts = ", ".join(f"cast({value} as string)" for value in (self.otherwise, self.note))
        half = f"{0.5 * 10**-self.decimals!r}D"
        return f"'{self.name}', {self.theirs_sql}, {numbers}, {half}, {texts}, _has_{self.name}"


@dataclass(frozen=True)
class Subject:
    """Figures that are recomputed from the same rows.

    Attributes:
        rows: pure function of a release, which gives ``level``, ``entity`` and what the figures need.
        figures: the figures.
    """

    rows: Callable[[Release], DataFrame]
    figures: tuple[Figure, ...]

    def compared(self, of: Release) -> DataFrame:
        """A row for each figure and entity that CMS or we have a value of."""
        # What a release has no value of at all, it does not publish.
        has = (f"count({f.theirs_sql}) over () > 0 as _has_{f.name}" for f in self.figures)
        rows = self.rows(of).selectExpr("*", *has)
        names = "rule, theirs, ours, _tolerance, _half, _otherwise, _note, _has"
        stacked = f"stack({len(self.figures)}, {', '.join(f.sql for f in self.figures)}) as ({names})"
        long = rows.selectExpr("level", "entity", stacked)
        apart = "abs(ours - theirs)"
        judged = long.where("_has and (ours is not null or theirs is not null)").selectExpr(
            "*",
            f"""case when theirs is null then 'suppressed' when ours is null then 'input missing'
                when {apart} <= _half + {_SLACK}D then 'equal' when {apart} <= _tolerance + {_SLACK}D then 'rounding'
                else coalesce(_otherwise, 'mismatch') end as verdict""",
        )
        return judged.selectExpr(
            "rule", "level", "entity", "ours", "theirs", "ours - theirs as difference",
            "greatest(_tolerance, _half) as tolerance", "verdict",
            "case when verdict <> 'equal' then _note end as note",
        )  # fmt: skip


def mean(column: str) -> str:
    """SQL for the unweighted mean of the values that are there: CMS's way to average homes, states, chains."""
    return f"cast(sum({column}) as double) / count({column})"
