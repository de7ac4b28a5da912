"""``silver.dim_providers``, ``silver.dim_claims`` (SCD2 over all effective releases) and ``silver.dim_date``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict
from pyspark.sql import functions as F

from nh_pipeline.compute.gate import CheckResult, gate_sample
from nh_pipeline.compute.step import Workspace, accounting
from nh_pipeline.contracts.bronze import BRONZE, REJECTS
from nh_pipeline.contracts.silver import DIM_DATE
from nh_pipeline.lake.lake import WHOLE
from nh_pipeline.steps.effective import DIMENSIONS, effective, rejects_slices, release_standings
from nh_pipeline.steps.memory import mark, remember
from nh_pipeline.steps.outcome import Outcome
from nh_pipeline.transforms import dates, monthly, scd2
from nh_pipeline.transforms.rejects import SLICE_OF_REJECT, rejects

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyspark.sql import DataFrame

    from nh_pipeline.contracts.base import Contract
    from nh_pipeline.lake.lake import Pin
    from nh_pipeline.lake.publish import Staged
    from nh_pipeline.steps.effective import Standing


class BuildDimension(BaseModel):
    """Builds the SCD2 dimension of a monthly dataset, always from all of its releases."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["build_dimension"] = "build_dimension"
    dataset: str

    def run(self, workspace: Workspace) -> Outcome:
        """Publishes the dimension and the rejects; tells the standing of every delivery."""
        return workspace.recomputed(self._attempt)

    def _attempt(self, workspace: Workspace) -> Outcome:
        lake, contract = workspace.lake, DIMENSIONS[self.dataset]
        base = lake.pin(contract)  # before the standings are read, for the reason given in steps.staffing
        standings = release_standings(lake, workspace.zone, self.dataset)
        chosen = effective(standings)
        source = lake.pin(BRONZE[self.dataset], chosen)
        bronze = workspace.read(BRONZE[self.dataset], source)
        with workspace.scratch(contract, monthly.typed_release_rows(bronze, contract)) as typed:
            lines, lines_base = self._rejects(workspace, bronze, typed, standings)
            good = int(typed.where("reason is null").count())
            rows = monthly.present(typed, contract)
            versions = scd2.versions(rows, contract, lacking=self._lacking(workspace, chosen), refused=lines.rows > 0)
            staged = workspace.stage(contract, versions, [WHOLE])
            checks = [
                *workspace.check(contract, staged),
                *_history(workspace.staged_rows(contract, staged), rows, contract),
                accounting(source.rows, good, lines.rows),
            ]
        table, rejected = workspace.settle_with_rejects(
            (contract, staged, checks, base),
            (lines, lines_base),
            inputs=[(BRONZE[self.dataset], source)],
            extent="all",
        )
        if table.published:
            remember(lake, contract, {WHOLE: mark(chosen)}, table.published)
        return Outcome(table=table, rejects=rejected, standings=tuple(standings))

    def _rejects(
        self, workspace: Workspace, bronze: DataFrame, typed: DataFrame, standings: list[Standing]
    ) -> tuple[Staged, Pin]:
        slices, base = rejects_slices(workspace.lake, standings)
        names = {s.delivery_id: s.name for s in standings}
        found = (
            rejects(bronze, typed, dataset=self.dataset, file_names=names)
            if int(typed.where("reason is not null").limit(1).count())
            else workspace.spark.createDataFrame([], REJECTS.spark)
        )
        return workspace.stage(REJECTS, found, slices, SLICE_OF_REJECT), base

    def _lacking(self, workspace: Workspace, chosen: Iterable[str]) -> dict[str, list[str]]:
        """Tracked column to the effective deliveries whose layout does not have it."""
        lacking: dict[str, list[str]] = {}
        wanted = set(chosen)
        for delivery in workspace.zone.deliveries(self.dataset):
            if delivery.delivery_id in wanted:
                for column in delivery.manifest.absent:
                    lacking.setdefault(column, []).append(delivery.delivery_id)
        return lacking


def _history(staged: DataFrame, rows: DataFrame, contract: Contract) -> list[CheckResult]:
    """SCD2 validity between versions, and that the current versions are the keys of the latest release."""
    key = list(contract.grain[:-1])
    broken = scd2.broken_history(staged, contract)
    failed = int(broken.count())
    sample = gate_sample(broken) if failed else []
    latest = rows.agg(F.max("release").alias("release")).first()
    newest = rows.where(F.col("release") == F.lit(latest["release"] if latest else None)).select(*key).distinct()
    current = staged.where("is_current").select(*key)
    strays = int(newest.exceptAll(current).count()) + int(current.exceptAll(newest).count())
    return [
        CheckResult(
            name="scd2_history",
            passed=failed == 0,
            failed_rows=failed,
            description="versions of a key do not overlap, differ from their neighbour, and only the last is current",
            advice="transforms/scd2.py builds versions that break its own rules" if failed else "",
            sample=sample,
        ),
        CheckResult(
            name="current_is_latest_release",
            passed=strays == 0,
            failed_rows=strays,
            description="the current versions are exactly the keys of the latest effective release",
            advice="keys are missing or left over: transforms/scd2.py" if strays else "",
        ),
    ]


class BuildCalendar(BaseModel):
    """Builds ``silver.dim_date``."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["build_calendar"] = "build_calendar"

    def run(self, workspace: Workspace) -> Outcome:
        """Publishes the calendar if it is not there yet."""
        return workspace.recomputed(self._attempt)

    def _attempt(self, workspace: Workspace) -> Outcome:
        base = workspace.lake.pin(DIM_DATE)
        span = f"sequence(date '{dates.FIRST_DAY}', date '{dates.LAST_DAY}', interval 1 day)"
        days = workspace.spark.range(1).select(F.expr(f"explode({span})").alias("date"))
        staged = workspace.stage(DIM_DATE, dates.calendar(days), [WHOLE])
        checks = workspace.check(DIM_DATE, staged)
        return Outcome(table=workspace.settle(DIM_DATE, staged, checks, base=base, extent="all"))
