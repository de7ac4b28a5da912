"""What a table is: columns, grain, what one publish replaces, rules. Its schemas of all libraries follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from nh_pipeline.model.columns import Column, text
from nh_pipeline.model.types import LONG

if TYPE_CHECKING:
    from pyspark.sql.types import StructType

    from nh_pipeline.model.rules import Rule

WHOLE = "all"
"""The partition of a table that is always replaced as a whole."""


@dataclass(frozen=True)
class Partitioning:
    """What one publish replaces: rows of one month, or with equal values; without columns, all."""

    columns: tuple[str, ...] = ()
    monthly: bool = False

    @property
    def sql(self) -> str:
        """SQL for the partition of a row."""
        if self.monthly:
            return f"date_format({self.columns[0]}, 'yyyy-MM')"
        return " || '.' || ".join(f"cast({c} as string)" for c in self.columns) if self.columns else f"'{WHOLE}'"

    @property
    def in_time(self) -> bool:
        """Whether its parts begin on a day each: months, releases, fiscal years."""
        return self.monthly or self.columns in (("release",), ("fiscal_year",))

    @property
    def words(self) -> str:
        """For people."""
        if self.monthly:
            return f"a month of `{self.columns[0]}`"
        return " and ".join(f"a `{c}`" for c in self.columns) if self.columns else "the whole table"


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table.

    Attributes:
        name: ``layer.table``, as users query it.
        description: one row per what, and what for.
        columns: in order.
        grain: the columns that together occur once.
        partitioning: what one publish replaces.
        sort: order of rows inside a file; default the grain.
        rules: rules across columns.
        foreign_keys: column to ``table.column``; advisory (unknown keys are counted, never dropped).
        caution: what goes wrong if the table is used carelessly.
        dataset: name of the file that it is made of; empty for calendar, rejects and marts.
        kind: how it is built.
        sensitive: whether it holds what is protected: of its rows, the grain alone is shown outside of it.

    Raises:
        ValueError: two columns or two rules have one name, or the grain names no column.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    grain: tuple[str, ...]
    partitioning: Partitioning = Partitioning()
    sort: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    foreign_keys: tuple[tuple[str, str], ...] = ()
    caution: str = ""
    dataset: str = ""
    kind: Any = None
    sensitive: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "sort", self.sort or self.grain)
        rules = ["schema", "grain", "values", *(r.name for r in (*self.value_rules, *self.rules))]
        for what, names in (("columns", self.names), ("rules", rules)):
            twice = sorted({name for name in names if list(names).count(name) > 1})
            if twice:
                raise ValueError(f"{self.name}: two {what} are called {', '.join(twice)}: give each a name of its own")
        unknown = {*self.grain, *self.sort, *self.partitioning.columns} - set(self.names)
        if unknown:
            raise ValueError(
                f"{self.name}: grain, sort or partitioning name {', '.join(sorted(unknown))}, which it lacks"
            )

    def __hash__(self) -> int:
        return hash(self.name)  # of all that it says would be slow

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.columns)

    @cached_property
    def by_name(self) -> dict[str, Column]:
        return {c.name: c for c in self.columns}

    @property
    def database(self) -> str:
        """The layer: what comes before the dot."""
        return self.name.partition(".")[0]

    @property
    def short(self) -> str:
        """What comes after it."""
        return self.name.partition(".")[2]

    @property
    def value_rules(self) -> tuple[Rule, ...]:
        """The rules on single columns: not null, ranges, patterns, closed lists."""
        return tuple(rule for column in self.columns for rule in column.rules)

    @property
    def spark(self) -> StructType:
        """The schema that engines read and write; nullability is the gate's business, not Parquet's."""
        from pyspark.sql.types import StructField, StructType  # noqa: PLC0415 (who reads a header needs no Spark)

        return StructType([StructField(c.name, c.type.of("spark"), nullable=True) for c in self.columns])

    @property
    def arrow(self) -> Any:
        import pyarrow as pa  # noqa: PLC0415

        return pa.schema([(c.name, c.type.of("arrow")) for c in self.columns])

    def pandera(self) -> Any:
        """The same as a pandera schema for pandas frames with Arrow's types (``to_pandas(types_mapper=ArrowDtype)``).

        Columns, types, nullability, value rules and the grain; what :func:`nh_pipeline.pipeline.gate.gate` asks of
        staged rows, but for the rules across columns.
        """
        import pandas as pd  # noqa: PLC0415 (heavy, and not needed by whoever builds tables)
        import pandera.pandas as pa  # noqa: PLC0415

        columns = {
            c.name: pa.Column(
                pd.ArrowDtype(c.type.of("arrow")),
                [c.allowed.pandera(pa)] if c.allowed else [],
                nullable=c.nullable,
                description=c.description,
                metadata={"unit": c.unit, "source": c.source},
            )
            for c in self.columns
        }
        return pa.DataFrameSchema(
            columns, name=self.name, description=self.description, unique=list(self.grain), strict=True, ordered=True
        )


LINEAGE = (
    text("extra_columns", "Cells that are no column (unknown, or gathered by pattern), as a JSON object of text"),
    text("source_line", "", nullable=False).having(
        type=LONG,
        description="Line in the file; blank lines do not count, and a record of several lines is one",
    ),
    text("layout", "Era of the file's header", nullable=False),
    text("coverage", "Quarter (2024Q2) or release (2024-10-01) of the delivery", nullable=False),
    text("delivery_id", "md5 of the delivered file", nullable=False),
)
"""What bronze says of each line beside its cells."""


REJECTS = Table(
    name="bronze.rejects",
    description="Every refused line of every delivery, with where it stands and why it was refused.",
    columns=(
        text("dataset", "CMS dataset", nullable=False),
        text("stage", "parse: no valid CSV record; else the table whose key or value is not valid", nullable=False),
        text("coverage", "Quarter or release of the delivery", nullable=False),
        text("delivery_id", "md5 of the delivered file", nullable=False),
        text("file_name", "Name of the delivered file", nullable=False),
        LINEAGE[1].having(description="Line in the file, counted in the same way"),
        text("reason", "What was expected and what was found, with the column", nullable=False),
        text("line", "The refused line (cut after 1,000 characters)"),
        text("column_name", "The column, or columns, that the reason is about; NULL if the line is no record"),
        text("what_to_do", "How whoever delivered the file can put it right", nullable=False),
    ),
    grain=("delivery_id", "stage", "source_line"),
    partitioning=Partitioning(("delivery_id", "stage")),
    sort=("source_line",),
)
"""The one table of all refused lines. Every build of a file's tables writes its own part of it."""
