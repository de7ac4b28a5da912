"""What a build came to: the same for all kinds, and serializable, since a job elsewhere sends it back."""

from __future__ import annotations

from pydantic import BaseModel

from nh_pipeline.pipeline.context import TableResult
from nh_pipeline.pipeline.guards import DeliveryStatus


class BuildResult(BaseModel, frozen=True):
    """What a build came to.

    Attributes:
        table: what it did to the table that it builds.
        rejects: what it did to its part of ``bronze.rejects``, if it has one.
        deliveries: the ones that it chose from, if it did.
    """

    table: TableResult
    rejects: TableResult | None = None
    deliveries: tuple[DeliveryStatus, ...] = ()

    @property
    def results(self) -> list[TableResult]:
        """Of all tables that the build touched."""
        return [self.table, self.rejects] if self.rejects else [self.table]
