"""What a table contract is, and the few column kinds that contracts are written in.

A contract is a pandera schema (columns, types, nullability, value rules, grain) with what pandera has no word
for: how the table is laid out, which rows rules span several columns, and where keys point to. Everything else
(Iceberg schema, engine schema, the gate, Dagster metadata, the data dictionary) derives from it. The contracts
themselves are in the module of their layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pandera.pyspark as pa
from pyspark.sql import types as T

from nh_pipeline.contracts.checks import require_forms, sql_of

if TYPE_CHECKING:
    from collections.abc import Sequence

Layout = Literal["month", "delivery", "rejects", "whole"]
"""How a table is cut into the slices that a publish replaces: ``month`` of ``work_date``, one ``delivery``,
the ``rejects`` of one delivery at one stage, or the ``whole`` table."""

CCN_PATTERN = "^[0-9]{2}[0-9A-Z][0-9]{3}$"


@dataclass(frozen=True)
class Rule:
    """A rule over the columns of one row, as Spark SQL that is true (or NULL) where the row is right."""

    name: str
    sql: str
    advice: str
    blocking: bool = True


@dataclass(frozen=True)
class Contract:
    """One table: its pandera schema plus layout, row rules and foreign keys.

    What the gate would ignore or misread in it is refused here: see :mod:`nh_pipeline.contracts.checks`.

    Attributes:
        schema: columns, types, nullability, value rules, description; ``unique`` is the grain.
        layout: what one publish replaces.
        sort: order of rows inside a file.
        rules: row rules across columns.
        foreign_keys: column to ``table.column``; advisory (unknown keys are counted, never dropped).
        tracked: of an SCD2 dimension, the columns whose change starts a version.
        caseless: of those, the ones whose letter case is no change.

    Raises:
        ValueError: the schema says what the gate does not look at, or two rules have one name.
    """

    schema: pa.DataFrameSchema
    layout: Layout
    sort: tuple[str, ...]
    rules: tuple[Rule, ...] = ()
    foreign_keys: tuple[tuple[str, str], ...] = ()
    tracked: tuple[str, ...] = ()
    caseless: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        require_forms(self.schema)
        names = ["schema", "grain", "values", *(r.name for r in (*self.value_rules, *self.rules))]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(
                f"{self.name}: two rules are called {', '.join(twice)}, and the gate would tell of one: give the rule, "
                "or the check (name=…), a name of its own"
            )

    @property
    def value_rules(self) -> tuple[Rule, ...]:
        """The rules on single columns: not null, ranges, patterns, closed lists."""
        rules = []
        for name, column in self.schema.columns.items():
            if not column.nullable:
                advice = f"{self.name}.{name} is never NULL: look at the transform that fills it"
                rules.append(Rule(f"{name}_not_null", f"`{name}` is not null", advice))
            for check in column.checks:
                sql = sql_of(name, check, column.dtype.type)
                advice = f"expected {sql.replace('`', '')}: such values belong in the rejects"
                rules.append(Rule(f"{name}_{check.name}", sql, advice))
        return tuple(rules)

    @property
    def name(self) -> str:
        """``layer.table``, as users query it."""
        return str(self.schema.name)

    @property
    def grain(self) -> tuple[str, ...]:
        """The columns that together occur once."""
        return tuple(self.schema.unique or ())

    @property
    def columns(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(self.schema.columns)

    @property
    def spark(self) -> T.StructType:
        """The schema that engines read and write; nullability is the gate's business, not Parquet's."""
        return T.StructType([T.StructField(n, c.dtype.type, nullable=True) for n, c in self.schema.columns.items()])


def column(
    dtype: Any,
    description: str,
    *,
    source: str = "",
    unit: str = "",
    nullable: bool = False,
    checks: Sequence[pa.Check] = (),
) -> pa.Column:
    """A column; ``source`` names the CMS file's column, ``unit`` what its numbers count."""
    return pa.Column(
        dtype, list(checks), nullable=nullable, description=description, metadata={"source": source, "unit": unit}
    )


def text(description: str, *, nullable: bool = False, **more: Any) -> pa.Column:
    """Text."""
    return column(T.StringType(), description, nullable=nullable, **more)


def ccn(source: str) -> pa.Column:
    """The CMS Certification Number: text of six, leading zeros, perhaps a letter in position 3."""
    return text("CMS Certification Number (CCN)", source=source, checks=[pa.Check.str_matches(CCN_PATTERN)])


def category(description: str, values: Sequence[str], *, nullable: bool = False, **more: Any) -> pa.Column:
    """Text out of a closed list."""
    return text(description, nullable=nullable, checks=[pa.Check.isin(list(values))], **more)


def date(description: str, *, nullable: bool = False, **more: Any) -> pa.Column:
    """A calendar date."""
    return column(T.DateType(), description, nullable=nullable, **more)


def count(description: str, *, nullable: bool = False, **more: Any) -> pa.Column:
    """A whole number, not negative."""
    return column(T.IntegerType(), description, nullable=nullable, checks=[pa.Check.ge(0)], **more)


def stars(description: str, *, source: str) -> pa.Column:
    """A CMS star rating, 1 to 5; NULL where CMS gives none (its footnote says why)."""
    return column(
        T.IntegerType(), description, source=source, unit="stars", nullable=True, checks=[pa.Check.in_range(1, 5)]
    )


def hours(description: str, *, source: str = "", precision: int = 9) -> pa.Column:
    """Paid hours, exact to the cent of an hour."""
    return column(T.DecimalType(precision, 2), description, source=source, unit="paid hours", checks=[pa.Check.ge(0)])


def decimal(precision: int, scale: int, description: str, **more: Any) -> pa.Column:
    """An exact number; NULL where the source is blank."""
    return column(T.DecimalType(precision, scale), description, nullable=True, **more)


def ratio(description: str, *, unit: str) -> pa.Column:
    """A quotient, computed once as double precision; NULL where its denominator is 0 or unknown."""
    return column(T.DoubleType(), description, unit=unit, nullable=True, checks=[pa.Check.ge(0)])


def flag(description: str) -> pa.Column:
    """True where the row has the property."""
    return column(T.BooleanType(), description)
