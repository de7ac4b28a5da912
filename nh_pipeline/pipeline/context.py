"""The one way through which every table is written: read snapshots, transform, stage, gate, publish.

A build is a description (serializable, so that it can be sent to a job elsewhere) with a method that does the work
in a :class:`BuildContext`, which is an engine's session and the lake. Where the session comes from does not matter.
Publishing is idempotent, under optimistic concurrency: what was read is compared before the commit.
"""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import chain, repeat
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa
from pydantic import BaseModel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from nh_pipeline.errors import LakeError, translate_infrastructure_errors
from nh_pipeline.failpoints import Point, reached
from nh_pipeline.lake.publish import Conflict, Published, Staged, find_staged, publish, staging_folder
from nh_pipeline.lake.refusals import Refusals
from nh_pipeline.landing.zone import RawZone
from nh_pipeline.model.table import REJECTS, Table
from nh_pipeline.pipeline.checked import Checks
from nh_pipeline.pipeline.gate import CheckResult, gate

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.lake.snapshots import TableSnapshot

T = TypeVar("T")

_FIELD_ID = "parquet.field.id"
"""Key of a column's metadata by which Spark is told its id."""

_NO_ARROW_SCHEMA = "skip_arrow_metadata"
"""An option of Sail's writer; Spark does not know it."""

LARGEST_LOSS = 0.2
"""Share of the rows of what it replaces that a build may take away without a person's word. Deliveries that lack much
are held long before (:mod:`.guards`): this is for whatever else may empty a table."""

FEW_ROWS = 10
"""So few rows are no large share of any table; all of its rows are."""

ROWS_KEPT = "rows_kept"

ATTEMPTS = 5
"""How often a build is computed anew when others publish what it read."""


class RunInfo(BaseModel, frozen=True):
    """Who publishes: recorded with every snapshot."""

    run_id: str
    asset: str


class TableResult(BaseModel, frozen=True):
    """What a build did to one table.

    ``published`` is None when the gate refused the staged rows; then the table is as it was.
    """

    table: str
    checks: tuple[CheckResult, ...]
    published: Published | None
    rows: int

    @classmethod
    def unchanged(cls, checks: Iterable[CheckResult], snapshot: TableSnapshot) -> TableResult:
        """Nothing to do: the table is as it was read, and checked once more."""
        published = Published.unchanged(snapshot)
        return cls(table=snapshot.table, checks=tuple(checks), published=published, rows=snapshot.rows)

    @property
    def refused(self) -> tuple[CheckResult, ...]:
        """The blocking rules that failed."""
        return tuple(c for c in self.checks if c.blocking and not c.passed)


def accounting(rows_in: int, rows_out: int, rejects: int) -> CheckResult:
    """The rule that no line gets lost: ``rows_in = rows_out + rejects``."""
    told = f"{rows_in} rows in = {rows_out} out + {rejects} rejected"
    advice = "rows were lost or doubled between input and output"
    return CheckResult.counted("row_accounting", abs(rows_in - rows_out - rejects), told, advice, rows=rows_in)


def rows_kept(base: int, staged: int, known: str, *, what: str = "rows") -> CheckResult:
    """The rule that no build takes all rows, or a large share of them, away, unless it is ``known`` why.

    Of a history, keys are counted: a corrected release may rightly take half of its versions away.
    """
    lost = base - staged
    large = lost > max(LARGEST_LOSS * base, FEW_ROWS) or (base > 0 and not staged)
    advice = (
        "If that is meant, nh confirm with the name of the table lets it happen; else look at which deliveries count "
        "(nh status), and at the transform"
    )
    return CheckResult(
        name=ROWS_KEPT,
        passed=not large or bool(known),
        failed_rows=max(lost, 0) if large else 0,
        rows=base,
        description=f"{base:,} {what} before, {staged:,} now{f' ({known})' if large and known else ''}",
        advice=advice if large and not known else "",
    )


@dataclass
class BuildContext:
    """An engine's session and the lake, with the operations that builds are made of."""

    spark: SparkSession
    lake: Lake
    run: RunInfo
    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    counted: dict[str, int] = field(default_factory=dict, repr=False)
    """Bytes of files in which the engine saw as many rows as metadata say. Files never change: what is as large as it
    was then is not counted again."""

    @property
    def zone(self) -> RawZone:
        return RawZone(self.lake.storage)

    def recomputed(self, attempt: Callable[[BuildContext], T]) -> T:
        """Runs a build's attempt on the lake with the snapshots pinned for it; again, on the lake as it is then.

        Raises:
            LakeError: see :func:`with_recompute`.
        """
        lakes = chain([self.lake], repeat(self.lake.current))
        return with_recompute(lambda: attempt(replace(self, lake=next(lakes))))

    def read(self, table: Table, snapshot: TableSnapshot) -> DataFrame:
        """Exactly the files of a snapshot.

        Raises:
            LakeError: the engine sees another number of rows than the table's metadata says.
        """
        return self.read_all([(table, snapshot)])[0]

    def read_all(self, wanted: Iterable[tuple[Table, TableSnapshot]]) -> list[DataFrame]:
        """The same of several tables: rows of files that were not counted yet are counted in one query.

        Raises:
            LakeError: see :meth:`read`.
        """
        found = [(table, snapshot, self._files(table, snapshot)) for table, snapshot in wanted]
        sizes = {path: size for _, snapshot, _ in found for path, size in self._sizes(snapshot.paths).items()}
        to_count = [one for one in found if any(self.counted.get(path, -1) != sizes[path] for path in one[1].paths)]
        counts = [
            rows.agg(F.lit(nth).alias("nth"), F.count(F.lit(1)).alias("rows"))
            for nth, (_, _, rows) in enumerate(to_count)
        ]
        told = reduce(lambda all_of, more: all_of.union(more), counts).collect() if counts else []
        seen = {row["nth"]: int(row["rows"]) for row in told}
        for nth, (table, snapshot, _) in enumerate(to_count):
            if seen.get(nth, 0) != snapshot.rows:  # some engines pass over a missing file without a word
                raise LakeError(
                    f"{table.name}, snapshot {snapshot.snapshot_id}: {snapshot.rows} rows by its metadata, "
                    f"{seen.get(nth, 0)} by its files; a data file is missing or damaged. Restore it, or roll the "
                    "table back to an older snapshot"
                )
        self.counted.update((path, size) for path, size in sizes.items() if size is not None)
        return [rows for _, _, rows in found]

    def _sizes(self, addresses: Sequence[str]) -> dict[str, int | None]:
        """Bytes of data files; None of what is not there."""
        found = self.lake.storage.sizes([self.lake.relative(address) for address in addresses])
        return dict(zip(addresses, found, strict=True))

    def _files(self, table: Table, snapshot: TableSnapshot) -> DataFrame:
        if snapshot.files:
            ddl = ", ".join(f"`{c.name}` {c.type.sql}" for c in table.columns)  # engines read this faster than JSON
            return self.spark.read.schema(ddl).parquet(*snapshot.paths)
        # The condition tells engines that there is nothing: they then plan no joins with it. No text, which they parse.
        nothing = (F.lit(None).cast(field.dataType).alias(field.name) for field in table.spark.fields)
        return self.spark.range(0).select(*nothing).where(F.lit(False))

    def new_folder(self, table: Table) -> str:
        """A folder below the table, of this attempt alone, that nobody reads yet."""
        return staging_folder(table, f"{self.token}-{uuid.uuid4().hex[:8]}")

    def stage(
        self,
        table: Table,
        rows: DataFrame,
        replaces: Collection[str],
        *,
        finish: Callable[[DataFrame], DataFrame] | None = None,
    ) -> Staged:
        """Writes rows into a folder that nobody reads yet: sorted, one file per partition.

        ``finish`` makes the table's columns, row by row, once the rows are sorted: to sort costs by the byte, so
        columns that only follow from others are better made afterwards.
        """
        folder, ids = self.new_folder(table), self.lake.field_ids(table)
        cut = rows.select(F.expr(table.partitioning.sql).alias("partition"), "*")
        # All rows of a partition in one task, so that it becomes one sorted file; coalesce() would not keep the order.
        # Beginning with the partition, else Spark sorts once more by it, and that keeps no order where it spills.
        gathered = cut.repartition(max(len(replaces), 1), "partition").sortWithinPartitions("partition", *table.sort)
        done = gathered if finish is None else finish(gathered)
        # Spark writes the ids that it finds here; files of others get theirs afterwards. What Sail notes of its own
        # schema in a file has none, and readers on the same libraries would take that for the whole truth.
        columns = done.select("partition", *(F.col(c).alias(c, metadata={_FIELD_ID: ids[c]}) for c in table.names))
        writer = columns.write.partitionBy("partition").option(_NO_ARROW_SCHEMA, "true")
        writer.parquet(self.lake.storage.uri(folder))
        return find_staged(self.lake, table, folder, replaces, ids)

    @contextmanager
    def scratch(self, table: Table, rows: DataFrame) -> Iterator[DataFrame]:
        """Rows that a build uses several times, kept in files for as long: engines compute a DataFrame at every use."""
        folder = self.new_folder(table)
        schema = rows.schema
        try:
            rows.write.parquet(self.lake.storage.uri(folder))
            paths = [self.lake.storage.uri(f) for f in self.lake.storage.files(folder, suffix=".parquet")]
            yield self.spark.read.schema(schema).parquet(*paths) if paths else self.spark.createDataFrame([], schema)
        finally:
            self.lake.storage.delete(folder)

    def check(self, table: Table, staged: Staged) -> list[CheckResult]:
        """The gate, on the staged files as they are on disk."""
        checks = gate(table, self.staged_rows(table, staged), rows=staged.rows)
        if not refused(checks):  # it has counted them, too
            sizes = self._sizes([file.path for file in staged.files])
            self.counted.update((path, size) for path, size in sizes.items() if size is not None)
        return checks

    def gate(self, table: Table, snapshot: TableSnapshot) -> list[CheckResult]:
        """The gate's rules on rows that are published already."""
        return gate(table, self.read(table, snapshot), rows=snapshot.rows)

    def staged_rows(self, table: Table, staged: Staged) -> DataFrame:
        """Staged files as a DataFrame, with the schema that is in them."""
        if not staged.files:
            return self.spark.createDataFrame([], table.spark)
        return self.spark.read.parquet(*(f.path for f in staged.files))

    def publish_if_valid(
        self,
        table: Table,
        staged: Staged,
        checks: Iterable[CheckResult],
        *,
        base: TableSnapshot,
        inputs: Sequence[tuple[Table, TableSnapshot]] = (),
        extent: str,
        built_from: Mapping[str, str],
        loss_known: str = "",
        kept: CheckResult | None = None,
        rejects: tuple[Staged, TableSnapshot] | None = None,
    ) -> tuple[TableResult, TableResult | None]:
        """Publishes a table, and its part of ``bronze.rejects``, if they passed their gates; else throws both away.

        The rejects go first, so that whoever sees a delivery's rows finds its refused lines, too.

        Args:
            table: the table.
            staged: the staged files.
            checks: all results; a failed blocking one forbids publication.
            base: the replaced partitions as the build saw them.
            inputs: everything else that the build read.
            extent: what the build covered (a range of days, a delivery, ``all``).
            built_from: what each partition is built from, as the table will remember it.
            loss_known: why the partitions may lose a large share of their rows; empty if nothing says that they may.
            kept: the result of :func:`rows_kept`, where it is not the rows that count.
            rejects: staged files of the refused lines, and their partitions as the build saw them.

        Raises:
            Conflict: see :func:`nh_pipeline.lake.publish.publish`.
        """
        results = self._judged(table, checks, kept or rows_kept(base.rows, staged.rows, loss_known), built_from)
        withheld, second = refused(results), None
        if rejects is not None:
            lines, lines_base = rejects
            found = tuple(self.check(REJECTS, lines))  # they may become fewer: a better delivery takes them away
            withheld = withheld or refused(found)
            # If the table is no longer as seen, its refused lines are not what this build found either.
            seen = [(table, base)]
            second = self._publish(REJECTS, lines, found, withheld, base=lines_base, inputs=seen, extent=extent)
        result = self._publish(table, staged, results, withheld, base=base, inputs=inputs, extent=extent)
        if result.published:
            lasting = (c for c in results if c.name != ROWS_KEPT)  # which is of what was there before
            Checks(self.lake.storage).note(table.name, staged.replaces, self.run.run_id, lasting)
        return result, second

    def _judged(
        self,
        table: Table,
        checks: Iterable[CheckResult],
        kept: CheckResult,
        built_from: Mapping[str, str],
    ) -> tuple[CheckResult, ...]:
        """All results, that no rows get lost among them; notes a refusal, or forgets an earlier one."""
        refusals = Refusals(self.lake.storage)
        if not kept.passed and refusals.allowed(table.name, built_from):
            told = f"{kept.description} (a person has confirmed it)"
            kept = kept.model_copy(update={"passed": True, "failed_rows": 0, "advice": "", "description": told})
        results = (*checks, kept)
        first = next((c for c in results if c.blocking and not c.passed), None)
        if first is None:
            refusals.forget(table.name, built_from)
        else:
            told = f"{first.failed_rows:,} found: {first.description}. What to do: {first.advice}"
            refusals.note(table.name, built_from, first.name, told)
        return results

    def _publish(
        self,
        table: Table,
        staged: Staged,
        results: tuple[CheckResult, ...],
        withheld: bool,
        *,
        base: TableSnapshot,
        inputs: Sequence[tuple[Table, TableSnapshot]],
        extent: str,
    ) -> TableResult:
        pa.default_memory_pool().release_unused()  # what parsing and comparing took does not add up over quarters
        if withheld:
            self.lake.storage.delete(staged.folder)
            return TableResult(table=table.name, checks=results, published=None, rows=staged.rows)
        reached(Point.PASSED, table.name)
        properties = {"run-id": self.run.run_id, "asset": self.run.asset, "range": extent}
        published = publish(self.lake, table, staged, base=base, inputs=inputs, properties=properties)
        return TableResult(table=table.name, checks=results, published=published, rows=staged.rows)


def refused(checks: Iterable[CheckResult]) -> bool:
    """Whether a blocking rule failed."""
    return any(c.blocking and not c.passed for c in checks)


@translate_infrastructure_errors()
def with_recompute(attempt: Callable[[], T]) -> T:
    """Runs a build's attempt; computes it again when somebody published what it had read.

    Raises:
        LakeError: others kept publishing through all attempts.
        InfrastructureError: no space, no permission, a locked database.
    """
    retrying = Retrying(
        retry=retry_if_exception_type(Conflict),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_random_exponential(multiplier=0.2, max=5),
    )
    try:
        return retrying(attempt)
    except RetryError as error:
        raise LakeError(
            f"gave up after {ATTEMPTS} attempts: {error.last_attempt.exception()}; other runs publish the same rows, "
            "run this one again when they are through"
        ) from error
