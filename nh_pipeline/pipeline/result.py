"""What a build is, and what it came to: serializable, since a job elsewhere gets the one and sends the other back."""

from __future__ import annotations

from abc import ABC, abstractmethod

from pydantic import BaseModel

from nh_pipeline.pipeline.context import BuildContext, TableResult
from nh_pipeline.pipeline.guards import DeliveryStatus


class BuildResult(BaseModel, frozen=True):
    """What a build came to.

    Attributes:
        table: what it did to the table that it builds.
        rejects: what it did to its part of ``bronze.rejects``, if it has one.
        deliveries: the ones that it chose from, if it did.
        others: what it did to further tables, of an export.
    """

    table: TableResult
    rejects: TableResult | None = None
    deliveries: tuple[DeliveryStatus, ...] = ()
    others: tuple[TableResult, ...] = ()

    @property
    def results(self) -> list[TableResult]:
        """Of all tables that the build touched."""
        return [self.table, *([self.rejects] if self.rejects else []), *self.others]


class TableBuild(BaseModel, ABC, frozen=True):
    """A build of a table, by its name."""

    table: str

    def run(self, context: BuildContext) -> BuildResult:
        """Publishes the table's rows, and its refused lines; tells the status of the deliveries that it chose from.

        Raises:
            NothingDelivered: it is made of deliveries, and none counts, and not because a person withdrew the ones that
                it was built from.
        """
        return context.recomputed(self._attempt)

    @abstractmethod
    def _attempt(self, context: BuildContext) -> BuildResult: ...
