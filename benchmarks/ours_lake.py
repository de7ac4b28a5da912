"""nh_pipeline from files to gold, timed: what is stale is built as ``nh`` does, with gate and commits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.clock import Clock
    from nh_pipeline.pipeline.context import BuildContext


def opened(out: Path, clock: Clock) -> BuildContext:
    """A new lake, with its engine: seconds of imports and of the engine's start."""
    import nh_pipeline.orchestration.runs  # noqa: F401 (all that `nh` imports)
    from nh_pipeline.engines.spark import spark_session
    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.pipeline.context import BuildContext, RunInfo

    clock.lap("imports")
    context = BuildContext(spark_session("sail"), Lake(str(out)), RunInfo(run_id="benchmark", asset="benchmark"))
    clock.lap("engine start")
    return context


def land(context: BuildContext, path: Path) -> None:
    """Lands the files of a folder, or one."""
    from nh_pipeline.sources import FolderSource

    source = FolderSource(path)
    for file in source.changes(None).files:
        context.zone.land(source, file)


def build(context: BuildContext, clock: Clock, before: str = "") -> dict[str, Any]:
    """Builds what is stale, by layer; seconds of CPU and how many partitions were built and changed, of every table."""
    from benchmarks.clock import Clock
    from nh_pipeline.pipeline.plan import parts, plan
    from nh_pipeline_tests.support.catch_up import builds_of

    each, found = Clock(), dict[str, Any]()
    for part in parts():
        stale = builds_of(plan(context.lake, context.zone).part(part))
        clock.lap(f"{before}planning")
        each.lap(None)
        for one in stale:
            built = one.run(context)
            if refused := [(r.table, c.name, c.description) for r in built.results for c in r.refused]:
                raise RuntimeError(f"the gate refused {refused}")
            for result in built.results:
                if published := result.published:
                    found[result.table] = {"built": len(published.partitions or "1"), "changed": len(published.changed)}
            layer = built.table.table.partition(".")[0].rpartition("_")[2]
            clock.lap(before + layer)
            each.lap(built.table.table)
    for table, partitions in found.items():
        if f"{table} cpu" in each.laps:
            partitions["cpu"] = each.laps[f"{table} cpu"]
    return found
