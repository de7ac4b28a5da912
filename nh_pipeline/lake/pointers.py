"""A catalog's pointers: per table the address of its metadata file, read and changed without opening that file.

PyIceberg's catalogs read the file at once, which is of no use when it is the address that is wrong.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pyiceberg.catalog.sql import IcebergTables, SqlCatalog
from pyiceberg.exceptions import CommitFailedException
from sqlalchemy import ColumnElement, select, update

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pyiceberg.catalog import Catalog

Identifier = tuple[str, str]
"""Database and table."""

_FILE = re.compile(r"([0-9]+)-[^/]+\.metadata\.json")
_OLD, _NEW = "previous_metadata_location", "metadata_location"
_GIVEN = ("Name", "Description", "Owner", "Retention", "StorageDescriptor", "PartitionKeys", "TableType", "Parameters")
"""What Glue takes of a table that it has told."""


def tells_all(catalog: Catalog) -> bool:
    """Whether a catalog tells the pointers of all tables to whoever may ask for one: for Glue's, a role needs more."""
    return isinstance(catalog, SqlCatalog)


def databases(catalog: Catalog, prefix: str) -> list[str]:
    """All databases of a catalog whose names begin with the prefix; of Glue's, no role of ours may ask that."""
    return [namespace[0] for namespace in catalog.list_namespaces() if namespace[0].startswith(prefix)]


def pointers(catalog: Catalog, databases: Iterable[str]) -> Iterator[tuple[Identifier, str]]:
    """The pointers of all tables of databases, as far as these are there."""
    if isinstance(catalog, SqlCatalog):
        columns = IcebergTables.table_namespace, IcebergTables.table_name, IcebergTables.metadata_location
        here = IcebergTables.catalog_name == catalog.name, IcebergTables.table_namespace.in_(databases)
        with catalog.engine.connect() as connection:
            found = connection.execute(select(*columns).where(*here).order_by(*columns)).all()
        yield from (((database, name), address) for database, name, address in found if address)
    elif glue := getattr(catalog, "glue", None):
        for database in sorted(databases):
            for name, address in sorted(_in_glue(glue, database)):
                yield (database, name), address


def _in_glue(glue: Any, database: str) -> Iterator[tuple[str, str]]:
    with suppress(glue.exceptions.EntityNotFoundException):
        for page in glue.get_paginator("get_tables").paginate(DatabaseName=database):
            for told in page["TableList"]:
                if address := told.get("Parameters", {}).get(_NEW):
                    yield told["Name"], address


def pointer(catalog: Catalog, identifier: Identifier) -> str | None:
    """A table's pointer; None if it has none, or the catalog is of a kind that does not tell it by itself."""
    if isinstance(catalog, SqlCatalog):
        with catalog.engine.connect() as connection:
            found = connection.scalar(select(IcebergTables.metadata_location).where(*_row(catalog, identifier)))
    elif glue := getattr(catalog, "glue", None):
        try:
            found = _told(glue, identifier).get("Parameters", {}).get(_NEW)
        except glue.exceptions.EntityNotFoundException:
            found = None
    else:
        found = None
    return str(found) if found else None


def repoint(catalog: Catalog, identifier: Identifier, *, now: str, to: str, before: str, location: str) -> None:
    """Lets a table's pointer name the file ``to``, on condition that it is ``now``, as it was read.

    ``before`` is the metadata file before that one, for the record; ``location`` is the table's, by that file.

    Raises:
        CommitFailedException: the pointer is another one by now.
    """
    if isinstance(catalog, SqlCatalog):
        here = (*_row(catalog, identifier), IcebergTables.metadata_location == now)
        values = {_NEW: to, _OLD: before}
        with catalog.engine.begin() as connection:
            changed = connection.execute(update(IcebergTables).where(*here).values(**values)).rowcount
        if changed != 1:
            raise CommitFailedException(f"{'.'.join(identifier)} is no longer at {now}")
        return
    glue: Any = catalog.glue  # type: ignore[attr-defined]  # the only other kind that `pointer` knows
    told = _told(glue, identifier)
    if told["Parameters"].get(_NEW) != now:
        raise CommitFailedException(f"{'.'.join(identifier)} is no longer at {now}")
    table = {name: told[name] for name in _GIVEN if name in told}
    table["Parameters"] = {**told["Parameters"], _NEW: to, _OLD: before}
    table["StorageDescriptor"] = {**told.get("StorageDescriptor", {}), "Location": location}
    try:
        glue.update_table(DatabaseName=identifier[0], TableInput=table, SkipArchive=True, VersionId=told["VersionId"])
    except glue.exceptions.ConcurrentModificationException as error:
        raise CommitFailedException(f"{'.'.join(identifier)} is no longer at {now}") from error


def version(metadata: str) -> int | None:
    """``7`` of ``…/00007-<uuid>.metadata.json``; None for a name that PyIceberg does not give.

    Each commit counts one up, and one that failed leaves its file.
    """
    found = _FILE.fullmatch(metadata.rpartition("/")[2])
    return int(found[1]) if found else None


def _row(catalog: SqlCatalog, identifier: Identifier) -> tuple[ColumnElement[bool], ...]:
    return (
        IcebergTables.catalog_name == catalog.name,
        IcebergTables.table_namespace == identifier[0],
        IcebergTables.table_name == identifier[1],
    )


def _told(glue: Any, identifier: Identifier) -> dict[str, Any]:
    found: dict[str, Any] = glue.get_table(DatabaseName=identifier[0], Name=identifier[1])["Table"]
    return found
