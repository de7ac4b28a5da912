"""Building all that is stale, in the plan's order, without Dagster.

``nh materialize`` and the sensors build the same plan as runs of Dagster.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from nh_pipeline.datasets import export_of
from nh_pipeline.model.kinds import Bronze, Daily, PerRelease
from nh_pipeline.model.mart import Mart
from nh_pipeline.model.view import Exported
from nh_pipeline.periods import quarter_of
from nh_pipeline.pipeline.bronze import ParseDelivery
from nh_pipeline.pipeline.builds import builds
from nh_pipeline.pipeline.daily import BuildDays
from nh_pipeline.pipeline.exports import ParseExports
from nh_pipeline.pipeline.per_release import BuildRelease
from nh_pipeline.pipeline.plan import parts, plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from nh_pipeline.pipeline.context import BuildContext
    from nh_pipeline.pipeline.plan import Stale
    from nh_pipeline.pipeline.remote_request import Build
    from nh_pipeline.pipeline.result import BuildResult


def builds_of(stale: Iterable[Stale]) -> Iterator[Build]:
    """What builds things of one part of a plan; releases of a mart in one quarter are one build, as in runs."""
    for _, group in groupby(stale, key=_together):
        first, last = (found := list(group))[0], found[-1]
        table, start, end = first.table, first.start, last.end
        if isinstance(table.kind, Bronze):
            yield ParseDelivery(dataset=table.dataset, delivery=first.partition)
        elif isinstance(table.kind, Exported) and start:
            yield ParseExports(export=export_of(table).name, day=start)
        elif isinstance(table.kind, PerRelease):
            yield BuildRelease(table=table.name, coverage=first.partition)
        elif isinstance(table.kind, Daily) and start and end:
            yield BuildDays(table=table.name, coverage=first.partition, start=start, end=end)
        else:
            yield from (build for _, build in builds(table, None, (start, end) if start and end else None))


def catch_up(context: BuildContext, wanted: Callable[[Stale], bool] = lambda _: True) -> Iterator[BuildResult]:
    """Builds what is stale and wanted: one part of the plan after the other, planned when those before it are done."""
    for part in parts():
        for build in builds_of(filter(wanted, plan(context.lake, context.zone).part(part))):
            yield build.run(context)


def _together(stale: Stale) -> tuple[str, str]:
    kind = stale.table.kind
    apart = not (isinstance(kind, Mart) and kind.release and stale.start)
    return stale.table.name, stale.partition if apart else quarter_of(stale.start)
