"""What a step came to: the same for all steps, and serializable, since a job elsewhere sends it back."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from nh_pipeline.pipeline.context import StepResult
from nh_pipeline.pipeline.guards import Standing


class Outcome(BaseModel):
    """What a step came to.

    Attributes:
        table: what it did to the table that it builds.
        rejects: what it did to its part of ``bronze.rejects``, if it has one.
        standings: of the deliveries that it chose from, if it did.
    """

    model_config = ConfigDict(frozen=True)

    table: StepResult
    rejects: StepResult | None = None
    standings: tuple[Standing, ...] = ()

    @property
    def results(self) -> list[StepResult]:
        """Of all tables that the step touched."""
        return [self.table, self.rejects] if self.rejects else [self.table]
