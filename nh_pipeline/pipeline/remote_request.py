"""Steps for another process: on which lake, for which run, and from which snapshots. All of it is readable text."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from nh_pipeline.contracts import ALL
from nh_pipeline.lake.lake import Lake
from nh_pipeline.pipeline.bronze import ParseDelivery
from nh_pipeline.pipeline.context import Run, Workspace
from nh_pipeline.pipeline.daily import BuildStaffing
from nh_pipeline.pipeline.mart import BuildMeasures
from nh_pipeline.pipeline.scd2 import BuildCalendar, BuildDimension

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import SparkSession

Step = Annotated[
    ParseDelivery | BuildStaffing | BuildDimension | BuildCalendar | BuildMeasures, Field(discriminator="kind")
]


class Order(BaseModel):
    """What to build elsewhere.

    Attributes:
        steps: in this order; none of them reads what another one writes.
        run: for which run of Dagster.
        lake: the fields of the :class:`~nh_pipeline.lake.lake.Lake`, with the snapshots that the run saw.
    """

    model_config = ConfigDict(frozen=True)

    steps: tuple[Step, ...]
    run: Run
    lake: dict[str, Any]

    @classmethod
    def of(cls, steps: Sequence[Step], lake: Lake, run: Run) -> Order:
        """An order for the lake as it is now.

        Tables are looked at from gold back to bronze: whatever a table was built from is in the snapshots after it.
        """
        seen = lake.snapshots(reversed(ALL))
        return cls(steps=tuple(steps), run=run, lake={**asdict(lake), "as_of": seen})

    def workspace(self, spark: SparkSession) -> Workspace:
        """Where the steps run."""
        return Workspace(spark, Lake(**self.lake), self.run)
