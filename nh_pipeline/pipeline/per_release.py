"""Tables of releases side by side: the effective delivery of each release, typed; its refused lines to the rejects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from nh_pipeline.pipeline.chosen import Chosen, partition_of
from nh_pipeline.pipeline.context import BuildContext, accounting
from nh_pipeline.pipeline.result import BuildResult, TableBuild
from nh_pipeline.tables import table
from nh_pipeline.transforms.repeats import numbered

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from nh_pipeline.model.table import Table


class BuildRelease(TableBuild, frozen=True):
    """Builds one release (``2024-10-01``), one fiscal year (``FY2024``), or the whole table of an undated file."""

    kind: Literal["build_release"] = "build_release"
    coverage: str

    def _attempt(self, context: BuildContext) -> BuildResult:
        built = table(self.table)
        name = partition_of(built, self.coverage)
        of = Chosen.of(context, built, self.coverage, [name])
        with of.read() as rows:
            good = rows.where("reason is null")
            accepted = int(good.count())
            staged = context.stage(built, _finished(built, good), [name])
            lines = of.refused(rows, good=accepted)
            checks = [
                *context.check(built, staged),
                accounting(of.source.rows, accepted if built.kind.reshapes else staged.rows, lines.rows),
            ]
        return of.publish(staged, checks, lines, extent=self.coverage)


def _finished(built: Table, good: DataFrame) -> DataFrame:
    kind = built.kind
    lines = numbered(good, kind.repeats, "nth") if kind.repeats else good
    done = kind.transform(lines) if kind.transform else lines
    return done.selectExpr(*(f"cast({c.name} as {c.type.sql}) as {c.name}" for c in built.columns))
