"""One transaction in a warehouse, and its errors without values, neither of the address nor of rows."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg2

from nh_pipeline.errors import LakeError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlglot import exp

    from nh_pipeline.warehouse.address import Address

_T = TypeVar("_T")

_OF_VALUES = ("22", "P0")
"""Classes of SQLSTATE whose messages show values: bad ones, and what somebody's own triggers say."""


class WarehouseError(LakeError):
    """A warehouse did not take a table, or cannot be asked; the table there is as it was."""


@dataclass(frozen=True)
class Session:
    """An open transaction."""

    address: Address
    cursor: Any

    @property
    def dialect(self) -> str:
        return self.address.dialect

    def run(self, statement: exp.Expr | str, values: Sequence[Any] = ()) -> None:
        """Runs a statement; ``values`` are those of its ``%s``."""
        sql = statement if isinstance(statement, str) else statement.sql(dialect=self.dialect)
        self.cursor.execute(sql, values or None)

    def one(self, statement: exp.Expr | str, values: Sequence[Any] = ()) -> Any:
        """The first row of a query; None if there is none."""
        self.run(statement, values)
        return self.cursor.fetchone()


def transact(address: Address, what: str, work: Callable[[Session], _T]) -> _T:
    """Does some work and commits it; whatever it raises leaves the warehouse as it was.

    Raises:
        WarehouseError: the warehouse refused; told without the values that servers quote.
    """
    try:
        with closing(psycopg2.connect(**address.options)) as connection, connection, connection.cursor() as cursor:
            return work(Session(address, cursor))
    except psycopg2.Error as error:
        refused = _told(error, address)
    # Raised here, it has no context: what the server said of values is gone.
    raise WarehouseError(f"{what}: the warehouse (NH_WAREHOUSE_URL) {refused}")


def _told(error: Any, address: Address) -> str:
    state, as_it_was = error.pgcode, "Its table is as it was"
    if state is None:  # also where the answer to a commit got lost
        text = str(error).strip() or "the connection was lost"
        told = address.without_secrets(text.splitlines()[0])
        return f"does not answer, or lets nobody in: {told}. Its table is as before or as after: load it again"
    if state[:2] in _OF_VALUES:
        named = f"{type(error).__name__}, SQLSTATE {state}"
        return f"refused a value ({named}), which is not shown, as it may be protected. {as_it_was}"
    told = address.without_secrets(error.diag.message_primary or type(error).__name__)
    return f"refused it: {told} ({state}). {as_it_was}"
