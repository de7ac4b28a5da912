"""Marts: made of other tables by one pure function; by months, or whole."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Literal

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from nh_pipeline.model.kinds import Daily
from nh_pipeline.model.mart import AsOf, Mart
from nh_pipeline.model.table import WHOLE, Table
from nh_pipeline.periods import month_bounds, months, quarters
from nh_pipeline.pipeline.build_state import record_inputs, recorded_inputs
from nh_pipeline.pipeline.gate import CheckResult
from nh_pipeline.pipeline.mart_staleness import Inputs, stale_days
from nh_pipeline.pipeline.result import BuildResult, TableBuild
from nh_pipeline.tables import table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nh_pipeline.lake.lake import Lake, TableSnapshot
    from nh_pipeline.pipeline.context import BuildContext


_COUNT = "count(1)"


class BuildMart(TableBuild, frozen=True):
    """Builds a mart: whole, or the days from ``start`` to ``end`` (included).

    At most a quarter, so that memory stays flat. A mart that cannot be built by day takes the whole months. An input
    that does not exist yet is an empty one, not an error.
    """

    kind: Literal["build_mart"] = "build_mart"
    start: date | None = None
    end: date | None = None

    def _attempt(self, context: BuildContext) -> BuildResult:
        lake, built = context.lake, table(self.table)
        mart: Mart = built.kind
        days = self._days(mart)
        partitions = months(*days) if days else [WHOLE]
        base = lake.snapshot(built, partitions)
        inputs = Inputs.current(lake, mart)
        inputs = inputs.only(partitions) if days else inputs
        frames = [_read(context, mart, i, snapshot) for i, snapshot in enumerate(inputs.snapshots)]
        whole = not days or days == (month_bounds(partitions[0])[0], month_bounds(partitions[-1])[1])
        rows, source, kept = self._rows(context, mart, frames, base=base, days=None if whole else days)
        staged = context.stage(built, rows, partitions)
        counts = (staged.rows, inputs.snapshots[0].rows) if whole else None
        checks = [
            *context.check(built, staged),
            _conserved(mart, context.staged_rows(built, staged), source, kept, rows=counts),
        ]
        built_from = {name: inputs.of(name) for name in partitions}
        if days:  # before publishing, as it compares with what the mart was built from
            stale = stale_days(lake, inputs, partitions)
            left = {partitions[0] for a, _ in stale if a < days[0]} | {partitions[-1] for _, b in stale if b > days[1]}
            built_from = {name: told for name, told in built_from.items() if name not in left}
        result, _ = context.publish_if_valid(
            built,
            staged,
            checks,
            base=base,
            inputs=list(zip(mart.inputs, inputs.snapshots, strict=True)),
            extent=f"{days[0]}..{days[1]}" if days else WHOLE,
            built_from=built_from,
            # Rows that the inputs lost by builds that passed their own gates are lost here, too; not by a table that
            # is away.
            loss_known="what it is made of has as many" if _is_built(lake, mart.inputs[0], days) else "",
        )
        if result.published:
            record_inputs(lake, built, built_from, result.published)
        return BuildResult(table=result)

    def _days(self, mart: Mart) -> tuple[date, date] | None:
        """The days to build; None for the whole mart."""
        if not mart.month:
            return None
        if self.start is None or self.end is None:
            raise ValueError(f"{self.table} is built for days: expected a start and an end, found none")
        if mart.by_day:
            return self.start, self.end
        partitions = months(self.start, self.end)
        return month_bounds(partitions[0])[0], month_bounds(partitions[-1])[1]

    def _rows(
        self,
        context: BuildContext,
        mart: Mart,
        frames: Sequence[DataFrame],
        *,
        base: TableSnapshot,
        days: tuple[date, date] | None,
    ) -> tuple[DataFrame, DataFrame, list[DataFrame]]:
        """The rows to stage, what the new ones of them are made of, and the ones that are kept as they are."""
        first, *others = frames
        if not mart.by_day:
            return mart.transform(first, *others), first, []
        start, end = self.start, self.end
        inside = F.col(mart.month).between(F.lit(start), F.lit(end))
        source = first.where(inside)
        made = mart.transform(source, *others, start=start, end=end)
        if days is None:
            return made, source, []
        kept = context.read(mart.table, base).where(~inside)
        return made.unionByName(kept), source, [kept]


def _read(context: BuildContext, mart: Mart, index: int, snapshot: TableSnapshot) -> DataFrame:
    read = mart.reads[index]
    rows = context.read(mart.inputs[index], snapshot)
    return rows.select(*read.columns) if isinstance(read, AsOf) else rows


def _conserved(
    mart: Mart, built: DataFrame, source: DataFrame, kept: Sequence[DataFrame], rows: tuple[int, int] | None
) -> CheckResult:
    """The rule that nothing gets lost: sums over the mart equal those over what it is made of.

    ``built`` are all rows of the partitions, new ones made of ``source`` and ``kept`` ones. ``rows`` says how many are
    built, and of how many, where that is known without counting.
    """
    mine, others = zip(*mart.conserves, strict=True)
    if rows and mart.conserves == ((_COUNT, _COUNT),):
        ours, theirs = [rows[0]], [rows[1]]
    else:
        ours, theirs = _sums(built, mine), _sums(source, others)
        for part in kept:
            theirs = [a + b for a, b in zip(theirs, _sums(part, mine), strict=True)]
    wrong = [
        {"sum": name, "expected": str(b), "found": str(a)}
        for name, a, b in zip(mine, ours, theirs, strict=True)
        if a != b
    ]
    told = f"{mine[0]} is {ours[0]:,}, expected {theirs[0]:,}"
    told = told if wrong else f"{told}; {len(mine)} sums equal those over {mart.inputs[0].name}"
    advice = "the transform adds or drops rows: look at its joins and groups"
    return CheckResult.counted("row_accounting", len(wrong), told, advice, rows=int(theirs[0]), sample=wrong)


def _sums(rows: DataFrame, sums: Sequence[str]) -> list[int]:
    found = rows.agg(*(F.expr(sql).alias(f"s{i}") for i, sql in enumerate(sums))).first()
    return [0 if found is None else found[f"s{i}"] or 0 for i in range(len(sums))]


def _is_built(lake: Lake, source: Table, days: tuple[date, date] | None) -> bool:
    """Whether a table has been built for all of the days."""
    state = recorded_inputs(lake, source).keys()
    if days is None or not source.partitioning.monthly:
        return bool(state)
    if isinstance(source.kind, Daily):
        return {quarter for quarter, _, _ in quarters(*days)} <= state
    return set(months(*days)) <= state
