"""All tables, in the order in which they are built: bronze of every file, rejects, silver, marts, their quality."""

from __future__ import annotations

from functools import cache

from nh_pipeline import datasets, domains, marts
from nh_pipeline.datasets.dates import DIM_DATE
from nh_pipeline.model.mart import Mart
from nh_pipeline.model.quality import QUALITIES, Quality
from nh_pipeline.model.table import REJECTS, Table


def bronze() -> tuple[Table, ...]:
    """The lines of every file that becomes tables."""
    return tuple(d.bronze for d in datasets.with_tables())


def exported() -> tuple[Table, ...]:
    """What exports of many resources become."""
    return tuple(table for export in datasets.exports() for table in export.tables)


def silver() -> tuple[Table, ...]:
    """What the files become, and the calendar."""
    return (*(table for d in datasets.with_tables() for table in d.silver), *((DIM_DATE,) if _public() else ()))


def gold() -> tuple[Table, ...]:
    """The marts: gold, and the clinical tables that are made of others."""
    known = {*domains.selected(), domains.DOMAINS[0]}  # what is public may be read by all
    own = (mart.table for mart in marts.declared() if domains.domain_of(mart.database) in domains.selected())
    return tuple(table for table in own if domains_of(table) <= known)


def tables() -> tuple[Table, ...]:
    """Every table of the selected domains."""
    public = (REJECTS,) if _public() else ()
    return (*bronze(), *public, *exported(), *silver(), *gold(), *qualities())


def qualities() -> tuple[Table, ...]:
    """What tells of the quality of all others, one of each selected domain."""
    return tuple(table for table in QUALITIES if table.kind.domain in domains.selected())


def told_of(quality: Table) -> tuple[Table, ...]:
    """The tables that one of these tells of: those of its domain, or made of it; the public one of no others."""
    own, public = {quality.kind.domain}, {domains.DOMAINS[0]}
    others = (t for t in tables() if not isinstance(t.kind, Quality))
    return tuple(t for t in others if domains_of(t) - public == own - public)


def _public() -> bool:
    return domains.DOMAINS[0] in domains.selected()


@cache
def domains_of(table: Table) -> frozenset[str]:
    """The domains whose data a table is made of, and its own."""
    inputs = table.kind.inputs if isinstance(table.kind, Mart) else ()
    return frozenset({domains.domain_of(table.database)}).union(*map(domains_of, inputs))


def table(name: str) -> Table:
    """A table by its name, ``layer.table``.

    Raises:
        KeyError: there is none.
    """
    return {t.name: t for t in tables()}[name]


def level(table: Table) -> int:
    """How many tables it is away from the files: a table is built after all of lower level."""
    if isinstance(table.kind, Quality):
        return 1 + max(map(level, (*silver(), *gold())), default=1)
    return _level(table)


@cache
def _level(table: Table) -> int:
    if isinstance(table.kind, Mart):
        return 1 + max(map(_level, table.kind.inputs))
    return 0 if table.database.endswith("bronze") else 1


def dataset_of(table: Table) -> str:
    """Name of the file whose coverage a table follows: its own, or that of the first table that a mart reads."""
    return dataset_of(table.kind.inputs[0]) if isinstance(table.kind, Mart) else table.dataset


def is_public(table: Table) -> bool:
    """Whether its values may be shown to anybody: those of all files that it is made of may."""
    if table.sensitive:
        return False
    return not table.dataset or datasets.dataset(table.dataset).is_public
