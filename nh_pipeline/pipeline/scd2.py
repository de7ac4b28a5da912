"""``silver.dim_providers``, ``silver.dim_claims`` (SCD2 over all effective releases) and ``silver.dim_date``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict
from pyspark.sql import functions as F

from nh_pipeline.contracts.bronze import BRONZE, REJECTS
from nh_pipeline.contracts.silver import DIM_DATE
from nh_pipeline.lake.lake import WHOLE
from nh_pipeline.pipeline.build_state import deliveries_of, of_deliveries, remember, remembered
from nh_pipeline.pipeline.context import Workspace, accounting, rows_kept
from nh_pipeline.pipeline.deliveries import (
    DIMENSIONS,
    chosen,
    is_day_first,
    lacking,
    loss_known,
    parsed,
    rejects_slices,
    require_noted,
    standings,
)
from nh_pipeline.pipeline.gate import CheckResult, gate_sample
from nh_pipeline.pipeline.recipe import recipe
from nh_pipeline.pipeline.result import Outcome
from nh_pipeline.transforms import dates, scd2
from nh_pipeline.transforms import typed as monthly
from nh_pipeline.transforms.rejects import SLICE_OF_REJECT, rejects

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from nh_pipeline.contracts.base import Contract
    from nh_pipeline.lake.lake import Pin
    from nh_pipeline.lake.publish import Staged
    from nh_pipeline.pipeline.guards import Standing


class BuildDimension(BaseModel):
    """Builds the SCD2 dimension of a monthly dataset, always from all of its releases."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["build_dimension"] = "build_dimension"
    dataset: str

    def run(self, workspace: Workspace) -> Outcome:
        """Publishes the dimension and the rejects; tells the standing of every delivery.

        Raises:
            NothingDelivered: no delivery counts, and not because a person withdrew all that it was built from.
        """
        return workspace.recomputed(self._attempt)

    def _attempt(self, workspace: Workspace) -> Outcome:
        lake, contract = workspace.lake, DIMENSIONS[self.dataset]
        base = lake.pin(contract)  # before the standings are read, for the reason given in steps.staffing
        before = deliveries_of(remembered(lake, contract).get(WHOLE))
        found = standings(lake, workspace.zone, self.dataset)
        ids = chosen(found, lake, self.dataset, before)
        noted = parsed(lake, self.dataset)
        require_noted(lake, self.dataset, found)
        source = lake.pin(BRONZE[self.dataset], ids)
        bronze = workspace.read(BRONZE[self.dataset], source)
        day_first = {d.delivery_id for d in workspace.zone.deliveries(self.dataset) if is_day_first(d)} & set(ids)
        rows_typed = monthly.typed_release_rows(bronze, contract, day_first=day_first)
        with workspace.scratch(contract, rows_typed) as typed:
            lines, lines_base = self._rejects(workspace, bronze, typed, found)
            good = int(typed.where("reason is null").count())
            rows = monthly.present(typed, contract)
            versions = scd2.versions(rows, contract, lacking=lacking(self.dataset, noted, ids), refused=lines.rows > 0)
            staged = workspace.stage(contract, versions, [WHOLE])
            checks = [
                *workspace.check(contract, staged),
                *_history(workspace.staged_rows(contract, staged), rows, contract),
                accounting(source.rows, good, lines.rows),
            ]
        key = contract.grain[:-1]
        keys = [
            int(rows.select(*key).distinct().count())
            for rows in (workspace.read(contract, base), workspace.staged_rows(contract, staged))
        ]
        kept = rows_kept(keys[0], keys[1], loss_known(lake, ids, before), what="keys")
        built_from = {WHOLE: of_deliveries(recipe(contract), {i: noted[i].parsed for i in ids})}
        table, rejected = workspace.settle_with_rejects(
            (contract, staged, checks, base),
            (lines, lines_base),
            inputs=[(BRONZE[self.dataset], source)],
            extent="all",
            built_from=built_from,
            kept=kept,
        )
        if table.published:
            remember(lake, contract, built_from, table.published)
        return Outcome(table=table, rejects=rejected, standings=tuple(found))

    def _rejects(
        self, workspace: Workspace, bronze: DataFrame, typed: DataFrame, found: list[Standing]
    ) -> tuple[Staged, Pin]:
        slices, base = rejects_slices(workspace.lake, found)
        names = {s.delivery_id: s.name for s in found}
        refused = (
            rejects(bronze, typed, dataset=self.dataset, file_names=names)
            if int(typed.where("reason is not null").limit(1).count())
            else workspace.spark.createDataFrame([], REJECTS.spark)
        )
        return workspace.stage(REJECTS, refused, slices, SLICE_OF_REJECT), base


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
        built_from = {WHOLE: of_deliveries(recipe(DIM_DATE), {})}
        table = workspace.settle(DIM_DATE, staged, checks, base=base, extent="all", built_from=built_from)
        if table.published:
            remember(workspace.lake, DIM_DATE, built_from, table.published)
        return Outcome(table=table)
