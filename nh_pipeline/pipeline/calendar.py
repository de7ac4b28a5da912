"""Tables of days that no file holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from nh_pipeline.model.table import WHOLE
from nh_pipeline.pipeline.build_state import of_deliveries, record_inputs
from nh_pipeline.pipeline.recipe import recipe
from nh_pipeline.pipeline.result import BuildResult, TableBuild
from nh_pipeline.tables import table

if TYPE_CHECKING:
    from nh_pipeline.pipeline.context import BuildContext


class BuildCalendar(TableBuild, frozen=True):
    """Builds a calendar, whole."""

    kind: Literal["build_calendar"] = "build_calendar"

    def _attempt(self, context: BuildContext) -> BuildResult:
        built = table(self.table)
        base = context.lake.snapshot(built)
        span = f"sequence(date '{built.kind.first}', date '{built.kind.last}', interval 1 day)"
        days = context.spark.range(1).selectExpr(f"explode({span}) as date")
        staged = context.stage(built, built.kind.transform(days), [WHOLE])
        checks = context.check(built, staged)
        built_from = {WHOLE: of_deliveries(recipe(built), {})}
        result, _ = context.publish_if_valid(built, staged, checks, base=base, extent="all", built_from=built_from)
        if result.published:
            record_inputs(context.lake, built, built_from, result.published)
        return BuildResult(table=result)
