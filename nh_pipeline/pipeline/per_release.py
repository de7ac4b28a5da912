"""Tables of releases side by side: the effective delivery of each release, typed; its refused lines to the rejects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel

from nh_pipeline import datasets
from nh_pipeline.model.table import WHOLE
from nh_pipeline.pipeline import rejected
from nh_pipeline.pipeline.build_state import deliveries_of, of_deliveries, record_inputs, recorded_inputs
from nh_pipeline.pipeline.context import BuildContext, accounting
from nh_pipeline.pipeline.deliveries import look
from nh_pipeline.pipeline.recipe import recipe
from nh_pipeline.pipeline.result import BuildResult
from nh_pipeline.tables import table
from nh_pipeline.transforms import typed

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from nh_pipeline.model.table import Table


def partition_of(built: Table, coverage: str) -> str:
    """The partition of a release; that of an undated file is the whole table."""
    return coverage if built.partitioning.columns else WHOLE


class BuildRelease(BaseModel, frozen=True):
    """Builds one release (``2024-10-01``), one fiscal year (``FY2024``), or the whole table of an undated file."""

    kind: Literal["build_release"] = "build_release"
    table: str
    coverage: str

    def run(self, context: BuildContext) -> BuildResult:
        """Publishes the release and its rejects; tells the status of its deliveries.

        Raises:
            NothingDelivered: the release has no effective delivery, and not because a person withdrew the one that it
                was built from.
        """
        return context.recomputed(self._attempt)

    def _attempt(self, context: BuildContext) -> BuildResult:
        lake, built = context.lake, table(self.table)
        dataset, name = datasets.dataset(built.dataset), partition_of(built, self.coverage)
        base = lake.snapshot(
            built, [name]
        )  # before the deliveries are looked at, for the reason given in pipeline.daily
        before = deliveries_of(recorded_inputs(lake, built).get(name))
        found = look(lake, context.zone, dataset).covering(self.coverage)
        ids = found.chosen(f"{dataset.title} for {self.coverage}", before)
        source, lines_base = lake.snapshot(dataset.bronze, ids), rejected.current(lake, built, found)
        bronze, columns = context.read(dataset.bronze, source), built.kind.typed(dataset)
        judged = typed.classified(bronze, dataset, columns, day_first=found.day_first)
        with context.scratch(built, typed.typed(judged, dataset, columns, day_first=found.day_first)) as rows:
            good = rows.where("reason is null")
            accepted = int(good.count())
            staged = context.stage(built, _finished(built, good), [name])
            lines = rejected.staged(context, built, found, bronze, rows, any_refused=accepted != source.rows)
            checks = [
                *context.check(built, staged),
                accounting(source.rows, accepted if built.kind.reshapes else staged.rows, lines.rows),
            ]
        built_from = {name: of_deliveries(recipe(built), {i: found.notes[i].parsed for i in ids})}
        result, refused = context.publish_with_rejects(
            (built, staged, checks, base),
            (lines, lines_base),
            inputs=[(dataset.bronze, source)],
            extent=self.coverage,
            built_from=built_from,
            loss_known=found.loss_known(before),
        )
        if result.published:
            record_inputs(lake, built, built_from, result.published)
        return BuildResult(table=result, rejects=refused, deliveries=found.statuses)


def _finished(built: Table, good: DataFrame) -> DataFrame:
    done = built.kind.transform(good) if built.kind.transform else good
    return done.selectExpr(*(f"cast({c.name} as {c.type.sql}) as {c.name}" for c in built.columns))
