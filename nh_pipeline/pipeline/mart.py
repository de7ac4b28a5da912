"""``gold.facility_measures``: facts beside the dimensions as of the day."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict
from pyspark.sql import functions as F

from nh_pipeline.contracts.gold import FACILITY_MEASURES
from nh_pipeline.contracts.silver import DIM_CLAIMS, DIM_PROVIDERS, FCT_STAFFING_LEVELS
from nh_pipeline.periods import month_bounds, months, quarters
from nh_pipeline.pipeline.behind import GoldInputs, stale_days
from nh_pipeline.pipeline.build_state import remember, remembered
from nh_pipeline.pipeline.daily import MONTH_OF_ROW
from nh_pipeline.pipeline.gate import CheckResult
from nh_pipeline.pipeline.result import Outcome
from nh_pipeline.transforms.measures import facility_measures

if TYPE_CHECKING:
    from nh_pipeline.pipeline.context import Workspace


class BuildMeasures(BaseModel):
    """Builds the days from ``start`` to ``end`` (included); at most a quarter, so that memory stays flat."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["build_measures"] = "build_measures"
    start: date
    end: date

    def run(self, workspace: Workspace) -> Outcome:
        """Publishes the days. A dimension that does not exist yet gives ``unknown`` matches, not an error."""
        return workspace.recomputed(self._attempt)

    def _attempt(self, workspace: Workspace) -> Outcome:
        lake, contract = workspace.lake, FACILITY_MEASURES
        slices = months(self.start, self.end)
        base, source = lake.pin(contract, slices), lake.pin(FCT_STAFFING_LEVELS, slices)
        providers, claims = lake.pin(DIM_PROVIDERS), lake.pin(DIM_CLAIMS)
        facts = workspace.read(FCT_STAFFING_LEVELS, source)
        built = facility_measures(
            facts,
            workspace.read(DIM_PROVIDERS, providers),
            workspace.read(DIM_CLAIMS, claims),
            start=self.start,
            end=self.end,
        )
        expected = source.rows
        if (self.start, self.end) != (month_bounds(slices[0])[0], month_bounds(slices[-1])[1]):
            outside = ~F.col("work_date").between(F.lit(self.start), F.lit(self.end))
            kept = workspace.read(contract, base).where(outside)
            built = built.unionByName(kept)
            expected = int(facts.where(~outside).count()) + int(kept.count())
        staged = workspace.stage(contract, built, slices, MONTH_OF_ROW)
        same = CheckResult(
            name="row_accounting",
            passed=staged.rows == expected,
            failed_rows=abs(staged.rows - expected),
            rows=expected,
            description=f"{expected} rows expected (one per fact row), {staged.rows} staged",
            advice="" if staged.rows == expected else "a join with a dimension adds or drops rows",
        )
        checks = [*workspace.check(contract, staged), same]
        inputs = [(FCT_STAFFING_LEVELS, source), (DIM_PROVIDERS, providers), (DIM_CLAIMS, claims)]
        extent = f"{self.start}..{self.end}"
        used = GoldInputs(source, providers, claims)
        stale = stale_days(lake, used, slices)  # before publishing, as it compares with what gold was built from
        left = {f"{day:%Y-%m}" for day in stale if not self.start <= day <= self.end}
        built_from = {month: used.of_month(month) for month in slices if month not in left}
        # Rows that the facts lost by a build that passed its own gate are lost here, too; not by a table that is away.
        known = {quarter for quarter, _, _ in quarters(self.start, self.end)} <= remembered(
            lake, FCT_STAFFING_LEVELS
        ).keys()
        result = workspace.settle(
            contract,
            staged,
            checks,
            base=base,
            inputs=inputs,
            extent=extent,
            built_from=built_from,
            loss_known="the facts have as many" if known else "",
        )
        if result.published:
            remember(lake, contract, built_from, result.published)
        return Outcome(table=result)
