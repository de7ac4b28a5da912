"""nh_pipeline's steps in one process, timed: ``python -m benchmarks.ours ENGINE DROP LAKE [changes]``.

Prints seconds per part as JSON. With ``changes``, after all quarters are built, one date of the last one is built anew,
and then a corrected delivery of it is brought in: what either costs must not depend on how many quarters are loaded.
"""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks.clock import Clock
from benchmarks.deliveries import correct, staffing

_STAFFING = "daily_nurse_staffing"


class Chain:
    """The steps from landing to gold, without Dagster."""

    def __init__(self, root: str, clock: Clock) -> None:
        from nh_pipeline.lake.lake import Lake
        from nh_pipeline.landing import RawZone

        self.clock, self.lake = clock, Lake(root)
        self.zone = RawZone(self.lake.storage)
        self._parsed: set[str] = set()

    def start(self, engine: str) -> None:
        """Starts the engine."""
        from nh_pipeline.engines.spark import spark_session
        from nh_pipeline.pipeline.context import BuildContext, RunInfo

        self.workspace = BuildContext(spark_session(engine), self.lake, RunInfo(run_id="benchmark", asset="benchmark"))

    def land(self, folder: Path) -> None:
        """Lands all files of a folder."""
        from nh_pipeline.sources import FolderSource

        source = FolderSource(folder)
        for file in source.changes(None).files:
            self.zone.land(source, file)

    def parse(self, dataset: str) -> None:
        """Brings what has landed to bronze."""
        from nh_pipeline.pipeline.bronze import ParseDelivery

        for delivery in self.zone.deliveries(dataset):
            if delivery.delivery_id not in self._parsed:
                _passed(ParseDelivery(dataset=dataset, delivery=delivery.delivery_id).run(self.workspace).results)
                self._parsed.add(delivery.delivery_id)

    def dimensions(self) -> None:
        """Bronze and dimension of providers and of claims."""
        from nh_pipeline.pipeline.scd2 import BuildHistory

        for dataset, table in (("providers", "silver.dim_providers"), ("medicare_claims", "silver.dim_claims")):
            self.parse(dataset)
            _passed(BuildHistory(table=table).run(self.workspace).results)

    def days(self, quarter: str, *, offset: int | None = None, laps: tuple[str, str] = ("silver", "gold")) -> None:
        """Silver and gold of a quarter, or of one day of it."""
        from nh_pipeline.periods import quarter_bounds
        from nh_pipeline.pipeline.daily import BuildDays
        from nh_pipeline.pipeline.mart import BuildMart

        start, end = quarter_bounds(quarter)
        if offset is not None:
            start = end = start + timedelta(days=offset)
        _passed(
            BuildDays(table="silver.fct_staffing_levels", coverage=quarter, start=start, end=end)
            .run(self.workspace)
            .results
        )
        self.clock.lap(laps[0])
        _passed(BuildMart(table="gold.facility_measures", start=start, end=end).run(self.workspace).results)
        self.clock.lap(laps[1])


def _passed(results: list[Any]) -> None:
    refused = [(r.table, c.name, c.description) for r in results for c in r.refused]
    if refused:
        raise RuntimeError(f"the gate refused {refused}")


def main(engine: str, drop: str, root: str, changes: str = "") -> None:
    """Lands and builds everything that is in ``drop``; then, if asked to, changes of it."""
    clock = Clock()
    import nh_pipeline.orchestration.runs  # noqa: F401 (all that `nh` imports)

    clock.lap("imports")
    chain = Chain(root, clock)
    chain.land(Path(drop))
    clock.lap("landing")
    chain.start(engine)
    clock.lap("engine start")
    chain.dimensions()
    clock.lap("dimensions")
    chain.parse(_STAFFING)
    clock.lap("bronze")
    quarters = sorted({d.manifest.coverage.key for d in chain.zone.deliveries(_STAFFING)})
    for quarter in quarters:
        chain.days(quarter)
    if changes:
        chain.days(quarters[-1], offset=20, laps=("one date again",) * 2)
        again = correct(staffing(Path(drop))[-1], Path(root) / "corrected")
        clock.lap(None)
        chain.land(again)
        chain.parse(_STAFFING)
        chain.days(quarters[-1], laps=("a corrected delivery",) * 2)
    sys.stdout.write(json.dumps(clock.laps))


if __name__ == "__main__":
    main(*sys.argv[1:])
