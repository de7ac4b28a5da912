"""Builds for another process: on which lake, for which run, and from which snapshots. All of it is readable text."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, Field

from nh_pipeline.lake.lake import Lake
from nh_pipeline.pipeline.bronze import ParseDelivery
from nh_pipeline.pipeline.calendar import BuildCalendar
from nh_pipeline.pipeline.context import BuildContext, RunInfo
from nh_pipeline.pipeline.daily import BuildDays
from nh_pipeline.pipeline.exports import ParseExports
from nh_pipeline.pipeline.mart import BuildMart
from nh_pipeline.pipeline.per_release import BuildRelease
from nh_pipeline.pipeline.quality import BuildQuality
from nh_pipeline.pipeline.scd2 import BuildHistory
from nh_pipeline.tables import tables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import SparkSession

Build = Annotated[
    ParseDelivery | ParseExports | BuildDays | BuildRelease | BuildHistory | BuildCalendar | BuildMart | BuildQuality,
    Field(discriminator="kind"),
]


class BuildRequest(BaseModel, frozen=True):
    """What to build elsewhere.

    Attributes:
        builds: in this order; none of them reads what another one writes.
        run: for which run of Dagster.
        lake: the fields of the :class:`~nh_pipeline.lake.lake.Lake`, with the snapshots that the run saw.
    """

    builds: tuple[Build, ...]
    run: RunInfo
    lake: dict[str, Any]

    @classmethod
    def of(cls, builds: Sequence[Build], lake: Lake, run: RunInfo) -> BuildRequest:
        """A request for the lake as it is now.

        Tables are looked at from gold back to bronze: whatever a table was built from is in the snapshots after it.
        """
        seen = lake.snapshot_ids(reversed(tables()))
        given = {f.name: getattr(lake, f.name) for f in fields(lake) if f.init}
        return cls(builds=tuple(builds), run=run, lake={**given, "pinned_snapshots": seen})

    def context(self, spark: SparkSession) -> BuildContext:
        """Where the builds run."""
        return BuildContext(spark, Lake(**self.lake), self.run)
