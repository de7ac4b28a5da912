"""Where programs ask for figures: one protocol, answered by DuckDB on the lake's files or by Athena.

A query is written in DuckDB's dialect, on ``layer.table`` and the views ``bi.<name>`` and ``clinical_bi.<name>``, with
``?`` for parameters.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

import duckdb

from nh_pipeline.lake.duck import reach
from nh_pipeline.lake.lake import Lake
from nh_pipeline.lake.pointers import pointers
from nh_pipeline.queries.duck import NotReadingError, ask, connect, pinned
from nh_pipeline.tables import tables

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from nh_pipeline.lake.duck import Snapshots
    from nh_pipeline.settings import Settings


class QueryError(Exception):
    """A query has no answer; the message says why and what to do."""


class Queries(Protocol):
    """Answers queries."""

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> pa.Table:
        """The rows of one SELECT, with the values of its ``?`` in order.

        Raises:
            QueryError: it is wrong, or was not finished.
        """
        ...

    def version(self) -> str:
        """Another text as soon as any table is another one: until then an answer may be kept. Cheap; nothing is read.

        Empty if there is no table at all.
        """
        ...


@dataclass
class LakeQueries:
    """Queries on the current snapshots, with DuckDB in this process; threads may share it.

    Tables stay pinned until one of them is published anew: what is asked at one version fits together.
    """

    lake: Lake
    _lock: Lock = field(default_factory=Lock, repr=False)
    _pinned: tuple[str, Snapshots, duckdb.DuckDBPyConnection] | None = field(default=None, repr=False)

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> pa.Table:
        with self._cursor() as db:
            try:
                found = ask(db, sql, list(parameters))
                if found is not None:
                    return found.to_arrow_table()
            except (duckdb.Error, NotReadingError) as error:
                raise QueryError(str(error)) from error
        raise QueryError("expected a query that has rows, as a SELECT")

    def version(self) -> str:
        if not self.lake.has_catalog:
            return ""
        found = list(pointers(self.lake.catalog, {self.lake.identifier(c)[0] for c in tables()}))
        return hashlib.sha256(repr(found).encode()).hexdigest() if found else ""

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        with self._lock:
            now = self.version()
            if self._pinned is None or self._pinned[0] != now:
                snapshots = pinned(self.lake)  # who asks on those before has a cursor that keeps them
                self._pinned = now, snapshots, connect(self.lake, snapshots)
            _, snapshots, db = self._pinned
        cursor = db.cursor()
        reach(cursor, self.lake, snapshots)
        return cursor


def queries(settings: Settings) -> Queries:
    """Athena where a workgroup is set (``NH_ATHENA_WORKGROUP``), else DuckDB on the lake.

    Raises:
        QueryError: the libraries for Athena are not installed.
    """
    if settings.athena_workgroup:
        try:
            from nh_pipeline.queries.athena import AthenaQueries
        except ImportError as error:
            raise QueryError(f"Athena needs {error.name}: pip install 'nh-pipeline[aws]'") from error
        return AthenaQueries(settings.athena_workgroup, settings.database_prefix)
    return LakeQueries(Lake(settings.home, settings.catalog_properties))
