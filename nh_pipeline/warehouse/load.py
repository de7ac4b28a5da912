"""Tables of the lake in the warehouse: each is loaded whole, in one transaction, if it is another one there.

Rows are replaced, the table is not: views on it, rights and indexes stay.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from sqlglot import exp

from nh_pipeline import tables
from nh_pipeline.failpoints import Point, reached
from nh_pipeline.warehouse import noted, postgres, redshift
from nh_pipeline.warehouse.connection import WarehouseError, transact
from nh_pipeline.warehouse.definition import add_column, columns, create, identifiers, name
from nh_pipeline.warehouse.noted import Noted

if TYPE_CHECKING:
    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.lake.snapshots import TableSnapshot
    from nh_pipeline.model.table import Table
    from nh_pipeline.warehouse.address import Address
    from nh_pipeline.warehouse.connection import Session


@dataclass(frozen=True)
class Copy:
    """A table of the warehouse beside the lake's.

    Attributes:
        table: its name in the lake.
        snapshot_id: the lake's current snapshot.
        rows: of that.
        copied: rows in the warehouse; None if the table is not there.
        is_current: whether they are of that snapshot, with the columns of the declaration.
        changed: whether they have just been loaded.
    """

    table: str
    snapshot_id: int | None
    rows: int
    copied: int | None
    is_current: bool
    changed: bool = False

    @property
    def is_equal(self) -> bool:
        """Whether both sides hold the same snapshot, and as many rows."""
        return self.is_current and self.copied == self.rows

    @property
    def told(self) -> str:
        """What is the case there, in few words."""
        if self.copied is None:
            return "not there"
        if self.is_equal:
            return "loaded" if self.changed else "equal"
        return "other rows" if self.is_current else "another snapshot"


def chosen(patterns: str) -> tuple[Table, ...]:
    """The tables of the selected domains that a setting names: ``treatments_gold.*, gold.facility_month``."""
    named = [pattern.strip() for pattern in patterns.split(",")]
    return tuple(table for table in tables.tables() if any(fnmatchcase(table.name, pattern) for pattern in named))


def load(lake: Lake, table: Table, address: Address) -> Copy:
    """Makes the warehouse's table what the lake's is now; does nothing if it is that already.

    Raises:
        WarehouseError: the warehouse refused it, or does not hold as many rows in the end. The table there is as it
            was.
    """
    at = name(*lake.identifier(table))
    return transact(address, table.name, lambda session: _load(session, at, table, lake))


def compare(lake: Lake, table: Table, address: Address) -> Copy:
    """A table of the warehouse beside the lake's, as both are now; changes nothing.

    Raises:
        WarehouseError: the warehouse cannot be asked.
    """
    at = name(*lake.identifier(table))
    return transact(address, table.name, lambda session: _copy(session, at, table, lake.current.snapshot(table)))


def _load(session: Session, at: exp.Table, table: Table, lake: Lake) -> Copy:
    noted.begin(session)
    snapshot = lake.current.snapshot(table)
    before = _copy(session, at, table, snapshot)
    if before.is_equal:
        return before
    through = redshift if session.dialect == "redshift" else postgres
    staged = through.staged(session, lake, table, snapshot)
    _define(session, at, table, is_there=before.copied is not None)
    session.run(exp.delete(at))
    for select in staged:
        session.run(exp.insert(select, at, columns=identifiers(table.names)))
    noted.write(session, at, Noted(snapshot.snapshot_id, columns(table, session.dialect)), snapshot.rows)
    after = _copy(session, at, table, snapshot)
    if not after.is_equal:
        raise WarehouseError(
            f"{table.name}: the lake has {after.rows:,} rows, the warehouse got {after.copied:,}: look there for a "
            "trigger or a rule that adds or drops rows. The table there is as it was"
        )
    reached(Point.COPIED, table.name)
    return replace(after, changed=True)


def _copy(session: Session, at: exp.Table, table: Table, snapshot: TableSnapshot) -> Copy:
    copied = None
    if noted.exists(session, at):
        (copied,) = session.one(exp.select(exp.Count(this=exp.Star())).from_(at))
    wanted = Noted(snapshot.snapshot_id, columns(table, session.dialect))
    return Copy(table.name, snapshot.snapshot_id, snapshot.rows, copied, noted.read(session, at) == wanted)


def _define(session: Session, at: exp.Table, table: Table, *, is_there: bool) -> None:
    """Makes the table, or adds the columns that the declaration gained; after any other change it is made anew."""
    declared, known = columns(table, session.dialect), noted.read(session, at)
    if is_there and known is None:
        raise WarehouseError(
            f"{table.name}: the warehouse has a table {at.db}.{at.name} that was not loaded from a lake. Rename it, or "
            "drop it"
        )
    if is_there and known and known.columns.items() <= declared.items():
        for column in table.columns:
            if column.name not in known.columns:
                session.run(add_column(at, column))
        return
    if is_there:
        session.run(f"drop table {at.sql(dialect=session.dialect)}")
    noted.require_schema(session, at.db)
    for statement in create(table, at, session.dialect):
        session.run(statement)
