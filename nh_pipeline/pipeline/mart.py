"""Marts: made of other tables by one pure function; by months, releases or buckets, or whole."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import date
from functools import partial, reduce
from typing import TYPE_CHECKING, Literal

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from nh_pipeline.model.kinds import Daily
from nh_pipeline.model.mart import AsOf, Mart
from nh_pipeline.model.table import WHOLE
from nh_pipeline.periods import first_day, quarters
from nh_pipeline.pipeline.bucket_staleness import stale_buckets
from nh_pipeline.pipeline.build_state import record_inputs, recorded_inputs
from nh_pipeline.pipeline.context import TableResult, rows_kept
from nh_pipeline.pipeline.deliveries import NothingDelivered
from nh_pipeline.pipeline.gate import CheckResult
from nh_pipeline.pipeline.mart_staleness import Inputs, between, bounds, stale_days
from nh_pipeline.pipeline.result import BuildResult, TableBuild
from nh_pipeline.tables import table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.lake.snapshots import TableSnapshot
    from nh_pipeline.pipeline.context import BuildContext


_COUNT = "count(1)"

ROWS_AT_ONCE = 100_000
"""Rows of buckets that a mart is made of at once; one bucket may have more."""


class BuildMart(TableBuild, frozen=True):
    """Builds a mart: whole, or the parts of the days from ``start`` to ``end`` (included); of releases, of their dates.

    At most a quarter, so that memory stays flat. A mart that cannot be built by day takes whole parts; one that is cut
    by buckets, those that are stale. An input that does not exist yet is an empty one, not an error.
    """

    kind: Literal["build_mart"] = "build_mart"
    start: date | None = None
    end: date | None = None

    def _attempt(self, context: BuildContext) -> BuildResult:
        lake, built = context.lake, table(self.table)
        mart: Mart = built.kind
        current = Inputs.current(lake, mart)
        parts = self._parts(lake, current)
        base = lake.snapshot(built, parts or None)
        if not parts:
            return self._unchanged(context, current, base)
        inputs = current.only(parts) if mart.cut_by else current
        days = self._days(mart, parts)
        with ExitStack() as files:
            rows, source, kept = self._rows(context, inputs, parts, files, base=base, days=days)
            staged = context.stage(built, rows, parts)
        counts = (staged.rows, inputs.snapshots[0].rows) if days is None else None
        checks = context.check(built, staged)
        if mart.conserves:
            checks.append(_conserved(mart, context.staged_rows(built, staged), source, kept, rows=counts))
        built_from = {part: inputs.of(part) for part in parts}
        if days:  # before publishing, as it compares with what the mart was built from
            stale = stale_days(lake, inputs, parts)
            left = {parts[0] for a, _ in stale if a < days[0]} | {parts[-1] for _, b in stale if b > days[1]}
            built_from = {name: told for name, told in built_from.items() if name not in left}
        result, _ = context.publish_if_valid(
            built,
            staged,
            checks,
            base=base,
            inputs=list(zip(mart.inputs, inputs.snapshots, strict=True)),
            extent=f"{self.start}..{self.end}" if self.start else WHOLE,
            built_from=built_from,
            # Rows that the inputs lost by builds that passed their own gates are lost here, too; not by a table that
            # is away.
            loss_known="what it is made of has as many" if _is_built(lake, mart, parts) else "",
        )
        if result.published:
            record_inputs(lake, built, built_from, result.published)
        return BuildResult(table=result)

    def _unchanged(self, context: BuildContext, inputs: Inputs, base: TableSnapshot) -> BuildResult:
        """Of a mart that is cut by buckets, if none is stale: what is there, checked."""
        mart = inputs.mart
        checks = [*context.gate(mart.table, base), rows_kept(base.rows, base.rows, "")]
        if mart.conserves:
            counts = base.rows, inputs.snapshots[0].rows
            checks.append(
                _conserved(mart, context.read(mart.table, base), partial(_first, context, inputs), [], rows=counts)
            )
        return BuildResult(table=TableResult.unchanged(checks, base))

    def _parts(self, lake: Lake, inputs: Inputs) -> list[str]:
        """The parts to build.

        Raises:
            NothingDelivered: it is cut by releases, and there is none in these days.
        """
        mart = inputs.mart
        if not mart.cut_by:
            return [WHOLE]
        if mart.bucket:
            return stale_buckets(lake, inputs)
        if self.start is None or self.end is None:
            raise ValueError(f"{self.table} is built for days: expected a start and an end, found none")
        if not mart.release:
            return between(mart, self.start, self.end)
        known = inputs.parts | lake.snapshot(mart.table).present
        found = sorted(part for part in known if self.start <= first_day(part) <= self.end)
        if not found:
            raise NothingDelivered(f"no release of what {self.table} is made of is from {self.start} to {self.end}")
        return found

    def _days(self, mart: Mart, parts: Sequence[str]) -> tuple[date, date] | None:
        """The days to build, if they are not all of the parts."""
        if not mart.by_day or self.start is None or self.end is None:
            return None
        whole = bounds(mart, parts[0])[0], bounds(mart, parts[-1])[1]
        return None if (self.start, self.end) == whole else (self.start, self.end)

    def _rows(
        self,
        context: BuildContext,
        inputs: Inputs,
        parts: Sequence[str],
        files: ExitStack,
        *,
        base: TableSnapshot,
        days: tuple[date, date] | None,
    ) -> tuple[DataFrame, Callable[[], DataFrame], list[DataFrame]]:
        """The rows to stage, what the new ones of them are made of, and the ones that are kept as they are."""
        mart = inputs.mart
        if mart.bucket or (mart.bounded and not mart.by_day):
            if mart.bucket:
                each = [_made(context, inputs.only(group)) for group in _groups(inputs, parts)]
            else:
                each = [_made(context, inputs.only([part]), *bounds(mart, part)) for part in parts]
            if len(each) > 1:  # one after the other, so that several take no more memory than one
                each = [files.enter_context(context.scratch(mart.table, made)) for made in each]
            return reduce(lambda a, b: a.unionByName(b), each), partial(_first, context, inputs), []
        first, *others = _read_all(context, inputs)
        if not mart.by_day:
            return mart.transform(first, *others), lambda: first, []
        inside = F.col(mart.month).between(F.lit(self.start), F.lit(self.end))
        source = first.where(inside)
        made = mart.transform(source, *others, start=self.start, end=self.end)
        if days is None:
            return made, lambda: source, []
        kept = context.read(mart.table, base).where(~inside)
        return made.unionByName(kept), lambda: source, [kept]


def _made(context: BuildContext, inputs: Inputs, start: date | None = None, end: date | None = None) -> DataFrame:
    """The rows of one part, or of some buckets, of what they are made of alone."""
    return inputs.mart.transform(*_read_all(context, inputs), **({"start": start, "end": end} if start else {}))


def _groups(inputs: Inputs, buckets: Sequence[str]) -> list[list[str]]:
    """Buckets that are made together: as many as have so few rows that an engine can hold them."""
    groups: list[list[str]] = []
    held = 0
    for bucket in buckets:
        rows = inputs.rows_of(bucket)
        if not groups or held + rows > ROWS_AT_ONCE:
            groups.append([])
            held = 0
        groups[-1].append(bucket)
        held += rows
    return groups


def _read_all(context: BuildContext, inputs: Inputs) -> list[DataFrame]:
    frames = context.read_all(zip(inputs.mart.inputs, inputs.snapshots, strict=True))
    pairs = zip(inputs.mart.reads, frames, strict=True)
    return [rows.select(*read.columns) if isinstance(read, AsOf) else rows for read, rows in pairs]


def _first(context: BuildContext, inputs: Inputs) -> DataFrame:
    return context.read(inputs.mart.inputs[0], inputs.snapshots[0])


def _conserved(
    mart: Mart,
    built: DataFrame,
    source: Callable[[], DataFrame],
    kept: Sequence[DataFrame],
    rows: tuple[int, int] | None,
) -> CheckResult:
    """The rule that nothing gets lost: sums over the mart equal those over what it is made of.

    ``built`` are all rows of the partitions, new ones made of ``source`` and ``kept`` ones. ``rows`` says how many are
    built, and of how many, where that is known without counting.
    """
    mine, others = zip(*mart.conserves, strict=True)
    if rows and mart.conserves == ((_COUNT, _COUNT),):
        ours, theirs = [rows[0]], [rows[1]]
    else:
        ours, *made_of = _sums((built, mine), (source(), others), *((part, mine) for part in kept))
        theirs = [sum(parts) for parts in zip(*made_of, strict=True)]
    wrong = [
        {"sum": name, "expected": str(b), "found": str(a)}
        for name, a, b in zip(mine, ours, theirs, strict=True)
        if a != b
    ]
    told = f"{mine[0]} is {ours[0]:,}, expected {theirs[0]:,}"
    told = told if wrong else f"{told}; {len(mine)} sums equal those over {mart.inputs[0].name}"
    advice = "the transform adds or drops rows: look at its joins and groups"
    return CheckResult.counted("row_accounting", len(wrong), told, advice, rows=int(theirs[0]), sample=wrong)


def _sums(*each: tuple[DataFrame, Sequence[str]]) -> list[list[int]]:
    """Sums over several DataFrames, in one query."""
    names = [[f"s{nth}_{i}" for i, _ in enumerate(sums)] for nth, (_, sums) in enumerate(each)]
    added_up = (
        rows.agg(*(F.expr(sql).alias(name) for sql, name in zip(sums, given, strict=True)))
        for (rows, sums), given in zip(each, names, strict=True)
    )
    found = reduce(lambda a, b: a.crossJoin(b), added_up).first()
    return [[0 if found is None else found[name] or 0 for name in given] for given in names]


def _is_built(lake: Lake, mart: Mart, parts: Sequence[str]) -> bool:
    """Whether what it reads first has been built for all of these parts."""
    source = mart.inputs[0]
    state = recorded_inputs(lake, source).keys()
    if mart.bucket:
        return True  # its inputs have as many rows as their own gates let them have
    if not (mart.month or mart.quarter):
        return bool(state)
    days = bounds(mart, parts[0])[0], bounds(mart, parts[-1])[1]
    if isinstance(source.kind, Daily):
        return {quarter for quarter, _, _ in quarters(*days)} <= state
    return set(between(source.kind, *days)) <= state
