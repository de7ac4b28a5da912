"""Slowly changing dimensions (type 2): always built anew from all effective releases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel
from pyspark.sql import functions as F

from nh_pipeline import datasets
from nh_pipeline.model.table import WHOLE
from nh_pipeline.pipeline import rejected
from nh_pipeline.pipeline.build_state import deliveries_of, of_deliveries, record_inputs, recorded_inputs
from nh_pipeline.pipeline.context import BuildContext, accounting, rows_kept
from nh_pipeline.pipeline.deliveries import look
from nh_pipeline.pipeline.gate import CheckResult, gate_sample
from nh_pipeline.pipeline.recipe import recipe
from nh_pipeline.pipeline.result import BuildResult
from nh_pipeline.tables import table
from nh_pipeline.transforms import scd2, typed

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from nh_pipeline.model.table import Table


class BuildHistory(BaseModel, frozen=True):
    """Builds a dimension, whole."""

    kind: Literal["build_history"] = "build_history"
    table: str

    def run(self, context: BuildContext) -> BuildResult:
        """Publishes the dimension and the rejects; tells the status of every delivery.

        Raises:
            NothingDelivered: no delivery counts, and not because a person withdrew all that it was built from.
        """
        return context.recomputed(self._attempt)

    def _attempt(self, context: BuildContext) -> BuildResult:
        lake, built = context.lake, table(self.table)
        dataset = datasets.dataset(built.dataset)
        base = lake.snapshot(built)  # before the deliveries are looked at, for the reason given in pipeline.daily
        before = deliveries_of(recorded_inputs(lake, built).get(WHOLE))
        found = look(lake, context.zone, dataset)
        ids = found.chosen(dataset.title, before)
        found.require_noted()
        source, lines_base = lake.snapshot(dataset.bronze, ids), rejected.current(lake, built, found)
        bronze, columns = context.read(dataset.bronze, source), built.kind.typed(dataset)
        judged = typed.classified(bronze, dataset, columns, day_first=found.day_first)
        with context.scratch(built, typed.typed(judged, dataset, columns, day_first=found.day_first)) as read:
            good = int(read.where("reason is null").count())
            lines = rejected.staged(context, built, found, bronze, read, any_refused=good != source.rows)
            # A line with refused values says all the same that its key is in the release.
            rows = read.where(" and ".join(f"{c} is not null" for c in dataset.key))
            versions = scd2.versions(rows, built, lacking=found.lacking, refused=lines.rows > 0)
            staged = context.stage(built, versions, [WHOLE])
            checks = [
                *context.check(built, staged),
                *_history(context.staged_rows(built, staged), rows, built),
                accounting(source.rows, good, lines.rows),
            ]
        keys = [
            int(rows.select(*dataset.key).distinct().count())
            for rows in (context.read(built, base), context.staged_rows(built, staged))
        ]
        built_from = {WHOLE: of_deliveries(recipe(built), {i: found.notes[i].parsed for i in ids})}
        result, refused = context.publish_with_rejects(
            (built, staged, checks, base),
            (lines, lines_base),
            inputs=[(dataset.bronze, source)],
            extent="all",
            built_from=built_from,
            kept=rows_kept(keys[0], keys[1], found.loss_known(before), what="keys"),
        )
        if result.published:
            record_inputs(lake, built, built_from, result.published)
        return BuildResult(table=result, rejects=refused, deliveries=found.statuses)


def _history(staged: DataFrame, rows: DataFrame, built: Table) -> list[CheckResult]:
    """SCD2 validity between versions, and that the current versions are the keys of the latest release."""
    key = list(built.grain[:-1])
    broken = scd2.broken_history(staged, built)
    failed = int(broken.count())
    sample = gate_sample(broken) if failed else []
    latest = rows.agg(F.max("release").alias("release")).first()
    newest = rows.where(F.col("release") == F.lit(latest["release"] if latest else None)).select(*key).distinct()
    current = staged.where("is_current").select(*key)
    strays = int(newest.exceptAll(current).count()) + int(current.exceptAll(newest).count())
    told = "versions of a key do not overlap, differ from their neighbour, and only the last is current"
    advice = "transforms/scd2.py builds versions that break its own rules"
    as_of_latest = "the current versions are exactly the keys of the latest effective release"
    left = "keys are missing or left over: transforms/scd2.py"
    return [
        CheckResult.counted("scd2_history", failed, told, advice, sample=sample),
        CheckResult.counted("current_is_latest_release", strays, as_of_latest, left),
    ]
