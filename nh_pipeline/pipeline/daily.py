"""Tables of days: the effective delivery of a quarter, typed; its refused lines to the rejects."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, model_validator
from pyspark.sql import functions as F

from nh_pipeline import datasets
from nh_pipeline.model.table import REJECTS
from nh_pipeline.periods import months, quarter_bounds
from nh_pipeline.pipeline import rejected
from nh_pipeline.pipeline.build_state import deliveries_of, of_deliveries, record_inputs, recorded_inputs
from nh_pipeline.pipeline.context import BuildContext, accounting
from nh_pipeline.pipeline.deliveries import look
from nh_pipeline.pipeline.gate import CheckResult, gate_sample
from nh_pipeline.pipeline.guards import LARGEST_LOSS
from nh_pipeline.pipeline.recipe import judged_by, recipe
from nh_pipeline.pipeline.result import BuildResult
from nh_pipeline.tables import table
from nh_pipeline.transforms import typed

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import DataFrame
    from typing_extensions import Self

    from nh_pipeline.lake.lake import TableSnapshot
    from nh_pipeline.model.dataset import Dataset
    from nh_pipeline.model.table import Table
    from nh_pipeline.pipeline.deliveries import Deliveries

READABLE = "facilities_readable"


class BuildDays(BaseModel, frozen=True):
    """Builds the days from ``start`` to ``end`` (included) of one quarter (``2024Q2``)."""

    kind: Literal["build_days"] = "build_days"
    table: str
    coverage: str
    start: date
    end: date

    @model_validator(mode="after")
    def _inside(self) -> Self:
        first, last = quarter_bounds(self.coverage)
        if not first <= self.start <= self.end <= last:  # another quarter's days would be emptied
            raise ValueError(f"{self.start} to {self.end} does not lie in {self.coverage}")
        return self

    def run(self, context: BuildContext) -> BuildResult:
        """Publishes the days and the rejects; tells the status of the quarter's deliveries.

        The effective delivery is classified as a whole whatever the range: so its rejects are always complete, and
        the accounting covers every line.

        Raises:
            NothingDelivered: the quarter has no effective delivery, and not because a person withdrew the one that it
                was built from.
        """
        return context.recomputed(self._attempt)

    def _attempt(self, context: BuildContext) -> BuildResult:
        lake, built = context.lake, table(self.table)
        dataset = datasets.dataset(built.dataset)
        partitions = months(self.start, self.end)
        # The order matters: whoever publishes this quarter after this snapshot is a conflict, and whoever did before
        # has its delivery in bronze by now, so that it is known below.
        base = lake.snapshot(built, partitions)
        before = deliveries_of(recorded_inputs(lake, built).get(self.coverage))
        found = look(lake, context.zone, dataset, self.coverage)
        ids = found.chosen(f"{dataset.title} for {self.coverage}", before)
        source, lines_base = lake.snapshot(dataset.bronze, ids), rejected.current(lake, built, found)
        bronze = context.read(dataset.bronze, source)
        columns = built.kind.typed(dataset)
        judged = self._judged(bronze, found, dataset, ids)
        accepted = typed.accepted(judged, dataset, columns, day_first=found.day_first)
        finish = _finishing(built, dataset)
        whole = (self.start, self.end) == quarter_bounds(self.coverage)
        if whole:
            staged = context.stage(built, accepted, partitions, finish=finish)
        else:
            staged = context.stage(built, self._with_kept(context, finish, accepted, base), partitions)
        rows_out = staged.rows if whole else int(accepted.count())
        lines = rejected.staged(context, built, found, bronze, judged, any_refused=rows_out != source.rows)
        checks = [
            *context.check(built, staged),
            accounting(source.rows, rows_out, lines.rows),
            _readable(
                dataset,
                bronze,
                accepted,
                context.staged_rows(REJECTS, lines),
                known=any(i in found.confirmed for i in ids),
            ),
        ]
        built_from = {self.coverage: of_deliveries(recipe(built), {i: found.notes[i].parsed for i in ids})}
        result, refused = context.publish_with_rejects(
            (built, staged, checks, base),
            (lines, lines_base),
            inputs=[(dataset.bronze, source)],
            extent=f"{self.start}..{self.end}",
            built_from=built_from if whole else {},
            loss_known=found.loss_known(before),
        )
        if whole and result.published:
            record_inputs(lake, built, built_from, result.published)
        return BuildResult(table=result, rejects=refused, deliveries=found.statuses)

    def _judged(self, bronze: DataFrame, found: Deliveries, dataset: Dataset, ids: list[str]) -> DataFrame:
        """The lines with the reason why they are refused."""
        notes, rules = [found.notes[i] for i in ids], judged_by(dataset)
        if all(note.inspected == rules and not note.refused for note in notes):
            # No line is refused, as was found by these very rules: to look at each value again would take a third.
            return bronze.select("*", F.lit(None).cast("string").alias("reason"))
        return typed.classified(
            bronze,
            dataset,
            table(self.table).kind.typed(dataset),
            quarter=self.coverage,
            doubled=any(note.doubled for note in notes),
            day_first=found.day_first,
        )

    def _with_kept(
        self, context: BuildContext, finish: Callable[[DataFrame], DataFrame], accepted: DataFrame, base: TableSnapshot
    ) -> DataFrame:
        """The range's new rows beside the months' other days as they are."""
        built = table(self.table)
        (day,) = built.partitioning.columns
        inside = f"{day} between date '{self.start}' and date '{self.end}'"
        kept = context.read(built, base).where(f"not ({inside})")
        return finish(accepted.where(inside)).select(*built.names).unionByName(kept)


def _finishing(built: Table, dataset: Dataset) -> Callable[[DataFrame], DataFrame]:
    """Makes readings the table's rows, row by row."""

    def finish(read: DataFrame) -> DataFrame:
        exact = typed.exact(read, built.kind.typed(dataset))
        return built.kind.transform(exact) if built.kind.transform else exact

    return finish


def _readable(
    dataset: Dataset, bronze: DataFrame, accepted: DataFrame, refused: DataFrame, *, known: bool
) -> CheckResult:
    """Whether nearly every facility of the delivery has a line that could be read, or a person ``known`` that not.

    A file that was damaged on its way (columns swapped, leading zeros lost) would else replace a good one by its rests.
    """
    sample = gate_sample(refused.select("source_line", "reason"))
    if not sample or not dataset.facility:
        return CheckResult(name=READABLE, passed=True, description="no line was refused")
    delivered = int(bronze.select(F.upper(F.trim(dataset.facility))).distinct().count())
    readable = int(accepted.select(dataset.facility).distinct().count())
    enough = readable > 0 and delivered - readable <= max(1, LARGEST_LOSS * delivered)
    return CheckResult(
        name=READABLE,
        passed=enough or known,
        failed_rows=delivered - readable,
        rows=delivered,
        description=f"{readable:,} of {delivered:,} facilities of the delivery have a line that could be read",
        advice="" if enough else "the file looks damaged: compare it with what CMS publishes and deliver it anew",
        sample=[] if enough else sample,
    )
