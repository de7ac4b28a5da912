"""All tables, in the order in which they are built: bronze of every file, rejects, silver, marts, their quality."""

from __future__ import annotations

from nh_pipeline import datasets, marts
from nh_pipeline.datasets.dates import DIM_DATE
from nh_pipeline.model.mart import Mart
from nh_pipeline.model.quality import DATA_QUALITY
from nh_pipeline.model.table import REJECTS, Table


def bronze() -> tuple[Table, ...]:
    """The lines of every file that becomes tables."""
    return tuple(d.bronze for d in datasets.with_tables())


def silver() -> tuple[Table, ...]:
    """What the files become, and the calendar."""
    return (*(table for d in datasets.with_tables() for table in d.silver), DIM_DATE)


def gold() -> tuple[Table, ...]:
    """The marts."""
    return tuple(mart.table for mart in marts.declared())


def tables() -> tuple[Table, ...]:
    """Every table."""
    return (*bronze(), REJECTS, *silver(), *gold(), DATA_QUALITY)


def table(name: str) -> Table:
    """A table by its name, ``layer.table``.

    Raises:
        KeyError: there is none.
    """
    return {t.name: t for t in tables()}[name]


def level(table: Table) -> int:
    """How many tables it is away from the files: a table is built after all of lower level."""
    if isinstance(table.kind, Mart):
        return 1 + max(level(source) for source in table.kind.inputs)
    if table is DATA_QUALITY:
        return 1 + max(map(level, (*silver(), *gold())))
    return 0 if table.database.endswith("bronze") else 1


def dataset_of(table: Table) -> str:
    """Name of the file whose coverage a table follows: its own, or that of the first table that a mart reads."""
    return dataset_of(table.kind.inputs[0]) if isinstance(table.kind, Mart) else table.dataset


def is_public(table: Table) -> bool:
    """Whether its values may be shown to anybody: those of all files that it is made of may."""
    if isinstance(table.kind, Mart):
        return all(map(is_public, table.kind.inputs))
    return not table.dataset or datasets.dataset(table.dataset).is_public
