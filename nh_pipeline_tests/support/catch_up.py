"""Building all that is stale, in the plan's order, without Dagster.

``nh materialize`` and the sensors build the same plan as runs of Dagster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.clinical import FHIR_EXPORT
from nh_pipeline.model.kinds import Bronze, Daily, PerRelease
from nh_pipeline.model.view import Exported
from nh_pipeline.pipeline.bronze import ParseDelivery
from nh_pipeline.pipeline.builds import builds
from nh_pipeline.pipeline.daily import BuildDays
from nh_pipeline.pipeline.exports import ParseExports
from nh_pipeline.pipeline.per_release import BuildRelease
from nh_pipeline.pipeline.plan import parts, plan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nh_pipeline.pipeline.context import BuildContext
    from nh_pipeline.pipeline.plan import Stale
    from nh_pipeline.pipeline.remote_request import Build
    from nh_pipeline.pipeline.result import BuildResult


def builds_of(stale: Stale) -> list[Build]:
    """What builds one thing of a plan."""
    table, (start, end) = stale.table, (stale.start, stale.end)
    if isinstance(table.kind, Bronze):
        return [ParseDelivery(dataset=table.dataset, delivery=stale.partition)]
    if isinstance(table.kind, Exported) and start:
        return [ParseExports(export=FHIR_EXPORT.name, day=start)]
    if isinstance(table.kind, PerRelease):
        return [BuildRelease(table=table.name, coverage=stale.partition)]
    if isinstance(table.kind, Daily) and start and end:
        return [BuildDays(table=table.name, coverage=stale.partition, start=start, end=end)]
    return [build for _, build in builds(table, None, (start, end) if start and end else None)]


def catch_up(context: BuildContext) -> Iterator[BuildResult]:
    """Builds what is stale, one part of the plan after the other, each planned when the ones before it are done."""
    for part in parts():
        for stale in plan(context.lake, context.zone).part(part):
            for build in builds_of(stale):
                yield build.run(context)
