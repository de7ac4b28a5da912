"""Tables of the lake as a warehouse defines them, from their declarations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from nh_pipeline.model.columns import Column
    from nh_pipeline.model.table import Table


def name(*parts: str) -> exp.Table:
    """A table's name, in quotes: ``schema``, ``table``, or the second alone."""
    return exp.table_(parts[-1], db=parts[0] if parts[1:] else None, quoted=True)


def identifiers(columns: Iterable[str]) -> list[exp.Identifier]:
    return [exp.to_identifier(column, quoted=True) for column in columns]


def kind(column: Column) -> exp.DataType:
    """The type of a column. Texts of any length; points in time with their zone, UTC."""
    return exp.DataType.build(column.type.sql, dialect="spark")


def columns(table: Table, dialect: str) -> dict[str, str]:
    """The columns of a table with the types that a warehouse has for them."""
    return {column.name: kind(column).sql(dialect=dialect) for column in table.columns}


def create(table: Table, at: exp.Table, dialect: str) -> Iterator[exp.Expr]:
    """The statements that make a table, with what its declaration says of it.

    The grain is the primary key, if no column of it may be missing. Other columns may hold NULL, as in the lake, where
    a column that was added is NULL in what has not been built again. On Redshift rows are spread by the first column
    of the grain (a home, a treatment), and sorted as in the lake's files.
    """
    definitions: list[exp.Expr] = [
        exp.ColumnDef(this=identifier, kind=kind(column))
        for identifier, column in zip(identifiers(table.names), table.columns, strict=True)
    ]
    if not any(table.by_name[column].nullable for column in table.grain):
        definitions.append(exp.PrimaryKey(expressions=identifiers(table.grain)))
    spread: list[exp.Expr] = []
    if dialect == "redshift":
        order = exp.Tuple(expressions=identifiers(table.sort))
        by = identifiers(table.grain)[0]
        spread = [exp.DistKeyProperty(this=by), exp.SortKeyProperty(this=order, compound=True)]
    yield exp.Create(
        this=exp.Schema(this=at, expressions=definitions),
        kind="TABLE",
        properties=exp.Properties(expressions=spread) if spread else None,
    )
    yield exp.Comment(this=at, kind="TABLE", expression=exp.Literal.string(table.description))
    for column in table.columns:
        told = f"{column.description} [{column.unit}]" if column.unit else column.description
        of = exp.column(*reversed([*(part.name for part in at.parts), column.name]), quoted=True)
        yield exp.Comment(this=of, kind="COLUMN", expression=exp.Literal.string(told))


def temporary(at: exp.Table, columns: Mapping[str, exp.DataType]) -> exp.Create:
    """The statement that makes a table for the time of a connection."""
    definitions = [exp.ColumnDef(this=exp.to_identifier(c, quoted=True), kind=k) for c, k in columns.items()]
    properties = exp.Properties(expressions=[exp.TemporaryProperty()])
    return exp.Create(this=exp.Schema(this=at, expressions=definitions), kind="TABLE", properties=properties)


def add_column(at: exp.Table, column: Column) -> exp.Alter:
    """The statement that adds a column which a declaration gained."""
    definition = exp.ColumnDef(this=identifiers([column.name])[0], kind=kind(column))
    return exp.Alter(this=at, kind="TABLE", actions=[definition])
