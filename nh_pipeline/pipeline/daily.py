"""Tables of days: the effective delivery of a quarter, typed; its refused lines to the rejects."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Literal

from pydantic import model_validator
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from nh_pipeline.model.table import REJECTS
from nh_pipeline.periods import months, quarter_bounds
from nh_pipeline.pipeline.chosen import Chosen
from nh_pipeline.pipeline.context import BuildContext, accounting
from nh_pipeline.pipeline.gate import CheckResult, gate_sample
from nh_pipeline.pipeline.guards import LARGEST_LOSS
from nh_pipeline.pipeline.result import BuildResult, TableBuild
from nh_pipeline.tables import table
from nh_pipeline.transforms import typed

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

    from nh_pipeline.lake.snapshots import TableSnapshot

READABLE = "facilities_readable"


class BuildDays(TableBuild, frozen=True):
    """Builds the days from ``start`` to ``end`` (included) of one quarter (``2024Q2``).

    The effective delivery is classified as a whole whatever the range: so its rejects are always complete, and the
    accounting covers every line.
    """

    kind: Literal["build_days"] = "build_days"
    coverage: str
    start: date
    end: date

    @model_validator(mode="after")
    def _inside(self) -> Self:
        first, last = quarter_bounds(self.coverage)
        if not first <= self.start <= self.end <= last:  # another quarter's days would be emptied
            raise ValueError(f"{self.start} to {self.end} does not lie in {self.coverage}")
        return self

    def _attempt(self, context: BuildContext) -> BuildResult:
        built, partitions = table(self.table), months(self.start, self.end)
        of = Chosen.of(context, built, self.coverage, partitions)
        judged = of.judged(quarter=self.coverage)
        accepted = typed.accepted(judged, of.dataset, of.columns, day_first=of.found.day_first)
        finish = _finishing(of)
        whole = (self.start, self.end) == quarter_bounds(self.coverage)
        if whole:
            staged = context.stage(built, accepted, partitions, finish=finish)
        else:
            staged = context.stage(built, self._with_kept(context, finish, accepted, of.base), partitions)
        rows_out = staged.rows if whole else int(accepted.count())
        lines = of.refused(judged, good=rows_out)
        checks = [
            *context.check(built, staged),
            accounting(of.source.rows, rows_out, lines.rows),
            _readable(of, accepted, context.staged_rows(REJECTS, lines)),
        ]
        return of.publish(staged, checks, lines, extent=f"{self.start}..{self.end}", whole=whole)

    def _with_kept(
        self, context: BuildContext, finish: Callable[[DataFrame], DataFrame], accepted: DataFrame, base: TableSnapshot
    ) -> DataFrame:
        """The range's new rows beside the months' other days as they are."""
        built = table(self.table)
        (day,) = built.partitioning.columns
        inside = f"{day} between date '{self.start}' and date '{self.end}'"
        kept = context.read(built, base).where(f"not ({inside})")
        return finish(accepted.where(inside)).select(*built.names).unionByName(kept)


def _finishing(of: Chosen) -> Callable[[DataFrame], DataFrame]:
    """Makes readings the table's rows, row by row."""

    def finish(read: DataFrame) -> DataFrame:
        exact, transform = typed.exact(read, of.columns), of.built.kind.transform
        return transform(exact) if transform else exact

    return finish


def _readable(of: Chosen, accepted: DataFrame, refused: DataFrame) -> CheckResult:
    """Whether nearly every facility of the delivery has a line that could be read, unless a person has confirmed it.

    A file that was damaged on its way (columns swapped, leading zeros lost) would else replace a good one by its rests.
    """
    facility, sample = of.dataset.facility, gate_sample(refused.select("source_line", "reason"))
    if not sample or not facility:
        return CheckResult(name=READABLE, passed=True, description="no line was refused")
    delivered = int(of.bronze.select(F.upper(F.trim(facility))).distinct().count())
    readable = int(accepted.select(facility).distinct().count())
    enough = readable > 0 and delivered - readable <= max(1, LARGEST_LOSS * delivered)
    return CheckResult(
        name=READABLE,
        passed=enough or not of.found.confirmed.isdisjoint(of.ids),
        failed_rows=delivered - readable,
        rows=delivered,
        description=f"{readable:,} of {delivered:,} facilities of the delivery have a line that could be read",
        advice="" if enough else "the file looks damaged: compare it with what CMS publishes and deliver it anew",
        sample=[] if enough else sample,
    )
