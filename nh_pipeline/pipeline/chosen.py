"""What a silver table is built from: the deliveries that count, as a build saw them; and how its rows are published.

With its rows goes its part of ``bronze.rejects``: the lines that its rules refuse.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from nh_pipeline import datasets
from nh_pipeline.model.table import REJECTS, WHOLE, Table
from nh_pipeline.pipeline.build_state import deliveries_of, of_deliveries, record_inputs, recorded_inputs
from nh_pipeline.pipeline.deliveries import Deliveries, look
from nh_pipeline.pipeline.recipe import judged_by, recipe
from nh_pipeline.pipeline.result import BuildResult
from nh_pipeline.transforms import typed
from nh_pipeline.transforms.rejects import rejects

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from pyspark.sql import DataFrame

    from nh_pipeline.lake.publish import Staged
    from nh_pipeline.lake.snapshots import TableSnapshot
    from nh_pipeline.model.columns import Column
    from nh_pipeline.model.dataset import Dataset
    from nh_pipeline.pipeline.context import BuildContext
    from nh_pipeline.pipeline.gate import CheckResult

_FORMERLY = "type"
"""The stage of the lines that a first silver table refused, before a file could become several."""


def partition_of(built: Table, coverage: str) -> str:
    """What a table remembers a quarter or a release by; a table that is not cut is one partition."""
    return coverage if coverage and built.partitioning.columns else WHOLE


@dataclass(frozen=True)
class Chosen:
    """The deliveries that a build of a table takes, and the snapshots that it saw.

    Attributes:
        base: of the table's partitions.
        found: the deliveries that it chose from.
        ids: of those that count.
        source: of their lines.
        lines_base: of the refused lines of all of them: one that was superseded loses its rejects, whatever the order
            in which they came.
        before: ids of those that the partition was built from until now.
    """

    context: BuildContext
    built: Table
    name: str
    dataset: Dataset
    base: TableSnapshot
    found: Deliveries
    ids: list[str]
    source: TableSnapshot
    lines_base: TableSnapshot
    before: Collection[str]

    @classmethod
    def of(
        cls, context: BuildContext, built: Table, coverage: str = "", partitions: Collection[str] | None = None
    ) -> Chosen:
        """For a quarter or a release, or for all of them.

        Raises:
            NothingDelivered: none counts, and not because a person withdrew the ones that it was built from.
        """
        lake, dataset = context.lake, datasets.dataset(built.dataset)
        # The order matters: whoever publishes the partition after this snapshot is a conflict, and whoever did before
        # has its delivery in bronze by now, so that it is known below.
        base, name = lake.snapshot(built, partitions), partition_of(built, coverage)
        before = deliveries_of(recorded_inputs(lake, built).get(name))
        found = look(lake, context.zone, dataset, coverage if dataset.coverage == "quarter" else None)
        found = found.covering(coverage) if coverage else found
        ids = found.chosen(f"{dataset.title} for {coverage}" if coverage else dataset.title, before)
        source, lines_base = lake.snapshot(dataset.bronze, ids), lake.snapshot(REJECTS, _stages(built, found))
        return cls(context, built, name, dataset, base, found, ids, source, lines_base, before)

    @cached_property
    def bronze(self) -> DataFrame:
        return self.context.read(self.dataset.bronze, self.source)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns that the table is made of."""
        columns: tuple[Column, ...] = self.built.kind.typed(self.dataset)
        return columns

    def judged(self, *, quarter: str = "") -> DataFrame:
        """Their lines with the reason why they are refused, if they are."""
        notes, rules = [self.found.notes[i] for i in self.ids], judged_by(self.dataset)
        if all(note.inspected == rules and not note.refused for note in notes):
            # No line is refused, as was found by these very rules: to look at each value again takes longest.
            return typed.unrefused(self.bronze)
        return typed.classified(
            self.bronze,
            self.dataset,
            self.columns,
            quarter=quarter,
            doubled=bool(quarter) and any(note.doubled for note in notes),
            day_first=self.found.day_first,
        )

    @contextmanager
    def read(self) -> Iterator[DataFrame]:
        """Their lines with their values read, as far as they can be, and the reason of those that are refused."""
        values = typed.typed(self.judged(), self.dataset, self.columns, day_first=self.found.day_first)
        with self.context.scratch(self.built, values) as rows:
            yield rows

    def refused(self, classified: DataFrame, *, good: int) -> Staged:
        """Stages the lines that have a reason; a second pass over them, which is left out if all are good."""
        refused = (
            rejects(self.bronze, classified, dataset=self.dataset, stage=self.built.short, file_names=self.found.names)
            if good != self.source.rows
            else self.context.spark.createDataFrame([], REJECTS.spark)
        )
        return self.context.stage(REJECTS, refused, _stages(self.built, self.found))

    def publish(
        self,
        staged: Staged,
        checks: Sequence[CheckResult],
        lines: Staged,
        *,
        extent: str,
        whole: bool = True,
        kept: CheckResult | None = None,
    ) -> BuildResult:
        """Publishes both, or neither, and notes what they were built from, unless it was not the whole partition."""
        parsed = {i: self.found.notes[i].parsed for i in self.ids}
        built_from = {self.name: of_deliveries(recipe(self.built), parsed)} if whole else {}
        result, refused = self.context.publish_if_valid(
            self.built,
            staged,
            checks,
            base=self.base,
            rejects=(lines, self.lines_base),
            inputs=[(self.dataset.bronze, self.source)],
            extent=extent,
            built_from=built_from,
            loss_known=self.found.loss_known(self.before),
            kept=kept,
        )
        if built_from and result.published:
            record_inputs(self.context.lake, self.built, built_from, result.published)
        return BuildResult(table=result, rejects=refused, deliveries=self.found.statuses)


def _stages(built: Table, found: Deliveries) -> list[str]:
    """The partitions of ``bronze.rejects`` that a build of the table replaces."""
    return [f"{i}.{stage}" for i in found.names for stage in (built.short, _FORMERLY)]
