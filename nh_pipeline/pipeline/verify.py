"""Whether a lake is consistent: what was delivered, all files of tables, their rows, and what they were built from.

Nothing is repaired: whoever reads what was found decides. See :mod:`nh_pipeline.lake.verify` for the files of tables
and :mod:`nh_pipeline.landing.verify` for deliveries; here, rows are judged by the gate's rules that look across them.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from pyspark.errors import PySparkException

from nh_pipeline.errors import LakeError, explain
from nh_pipeline.lake import verify as files
from nh_pipeline.lake.verify import Fault, Verified
from nh_pipeline.landing import verify as deliveries
from nh_pipeline.model.kinds import Bronze, Scd2
from nh_pipeline.model.view import Exported
from nh_pipeline.pipeline.build_state import compared_in, deliveries_of, recorded_inputs
from nh_pipeline.pipeline.context import BuildContext, RunInfo
from nh_pipeline.pipeline.gate import grain
from nh_pipeline.pipeline.scd2 import history
from nh_pipeline.tables import is_public, tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pyspark.sql import SparkSession

    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.lake.snapshots import TableSnapshot
    from nh_pipeline.model.table import Table
    from nh_pipeline.pipeline.gate import CheckResult

MOST_ROWS = 4_000_000
"""Rows that are judged at once, where a key cannot occur in two partitions: memory stays flat."""

_BUILD = "nh rebuild builds it anew from what has landed; if it comes out the same, its transform is at fault"
_SHOWN = 3
"""Keys shown of what breaks a rule."""


def verified(
    lake: Lake, engine: Callable[[], SparkSession] | None, *, seen: Callable[[str], object] = lambda _: None
) -> Iterator[Verified]:
    """Looks at everything, one part after the other.

    Args:
        lake: the lake.
        engine: makes the session that judges rows; None for a quick look: presence and sizes of files alone.
        seen: is told what is looked at.

    Raises:
        LakeMovedError: the lake is not where its catalog says.
    """
    quick = engine is None
    yield from deliveries.verified(lake.storage, quick=quick, seen=seen)
    landed = deliveries.landed(lake.storage)
    for table in tables():
        seen(table.name)
        found, then = files.verified(lake, table, quick=quick)
        faults, memory = [*found.faults], recorded_inputs(then, table)
        if not _named(table, memory) <= landed:  # or it has landed since
            landed = deliveries.landed(lake.storage)
        faults += _unknown_deliveries(table, memory, landed)
        faults += _unknown_snapshots(lake, table, memory)
        if engine and not found.faults and found.rows:
            context = BuildContext(engine(), then, RunInfo(run_id="verify", asset="verify"))
            faults += _rows(context, table, then.snapshot(table))
        yield found.model_copy(update={"faults": tuple(faults)})


def _named(table: Table, memory: Mapping[str, str]) -> set[str]:
    """The deliveries that a table's partitions were built from."""
    if isinstance(table.kind, (Bronze, Exported)):
        return set(memory)
    return {delivery for told in memory.values() for delivery in deliveries_of(told)}


def _unknown_deliveries(table: Table, memory: Mapping[str, str], landed: frozenset[str]) -> Iterator[Fault]:
    for delivery in sorted(_named(table, memory) - landed):
        yield Fault(
            where=table.name,
            file=f"raw/…-{delivery}/manifest.json",
            expected="a delivery that it was built from",
            found="no such file",
            advice="restore its folder in raw/ from a backup, or land the file again from its source",
        )


def _unknown_snapshots(lake: Lake, table: Table, memory: Mapping[str, str]) -> Iterator[Fault]:
    for name, snapshot in sorted({pair for told in memory.values() for pair in compared_in(told)}):
        of = next((t for t in tables() if t.name == name), None)
        with suppress(LakeError):  # what is wrong with that table is told where it is looked at
            if of and (loaded := lake.load(of)) and loaded.snapshot_by_id(snapshot) is None:
                yield Fault(
                    where=table.name,
                    file=f"built from snapshot {snapshot} of {name}",
                    expected="that snapshot, to compare with",
                    found="none",
                    advice="nh materialize builds what was built from it anew, for all its days",
                )


def _rows(context: BuildContext, table: Table, snapshot: TableSnapshot) -> Iterator[Fault]:
    """What the gate would say of a table's rows, as one: no key twice, and versions that follow one another."""
    for part in _parts(table, snapshot):
        try:
            rows = context.read(table, part)
            checks = [grain(table, rows, count=part.rows)]
            if isinstance(table.kind, Scd2):
                checks.append(history(rows, table))
        except (LakeError, PySparkException) as error:
            if explain(error):
                raise
            advice = "look whether the engine can read the files; if not, restore them from a backup, or nh rebuild"
            # An engine may quote the value that it stumbles over.
            hidden = isinstance(error, PySparkException) and not is_public(table)
            told = type(error).__name__ if hidden else next(iter(str(error).splitlines()), "")[:200]
            yield Fault(where=table.name, file="", expected="rows as in the manifests", found=told, advice=advice)
            continue
        yield from (_broken(table, check, part) for check in checks if not check.passed)


def _parts(table: Table, snapshot: TableSnapshot) -> Iterator[TableSnapshot]:
    """A table in parts of a bounded size, or whole, if a key could be in two of its partitions."""
    if not set(table.partitioning.columns) <= set(table.grain):
        yield snapshot
        return
    rows, together = 0, set[str]()
    for file in snapshot.files:  # sorted by partition
        if rows + file.rows > MOST_ROWS and file.partition not in together:
            yield snapshot.only(together)
            rows, together = 0, set()
        rows += file.rows
        together.add(file.partition)
    yield snapshot.only(together)


def _broken(table: Table, check: CheckResult, part: TableSnapshot) -> Fault:
    """A rule that rows break; of what is protected, no key is shown."""
    shown = [", ".join(f"{k} {v}" for k, v in row.items()) for row in check.sample[:_SHOWN]] if is_public(table) else []
    found = f"{check.failed_rows:,} that break it{': ' if shown else ''}{'; '.join(shown)}"
    of = f"{min(part.present)} to {max(part.present)}" if len(part.present) > 1 else "".join(part.present)
    return Fault(where=table.name, file=of, expected=f"{check.name}: {check.description}", found=found, advice=_BUILD)
