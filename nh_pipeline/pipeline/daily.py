"""``silver.fct_staffing_levels``: the effective delivery of a quarter, typed; its refused lines to the rejects."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, model_validator
from pyspark.sql import functions as F

from nh_pipeline.contracts.bronze import BRONZE, REJECTS
from nh_pipeline.contracts.silver import FCT_STAFFING_LEVELS
from nh_pipeline.landing.confirmations import confirmed
from nh_pipeline.periods import months, quarter_bounds
from nh_pipeline.pipeline.build_state import deliveries_of, of_deliveries, remember, remembered
from nh_pipeline.pipeline.context import Workspace, accounting
from nh_pipeline.pipeline.deliveries import (
    STAFFING,
    chosen,
    is_day_first,
    loss_known,
    parsed,
    rejects_slices,
    standings,
)
from nh_pipeline.pipeline.gate import CheckResult, gate_sample
from nh_pipeline.pipeline.guards import LARGEST_LOSS
from nh_pipeline.pipeline.recipe import recipe
from nh_pipeline.pipeline.result import Outcome
from nh_pipeline.transforms import staffing
from nh_pipeline.transforms.rejects import SLICE_OF_REJECT, rejects

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from typing_extensions import Self

    from nh_pipeline.lake.lake import Pin
    from nh_pipeline.lake.publish import Staged
    from nh_pipeline.pipeline.guards import Standing

READABLE = "facilities_readable"
MONTH_OF_ROW = "date_format(work_date, 'yyyy-MM')"
"""SQL for the slice of a daily row."""


class BuildStaffing(BaseModel):
    """Builds the days from ``start`` to ``end`` (included) of one quarter (``2024Q2``)."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["build_staffing"] = "build_staffing"
    coverage: str
    start: date
    end: date

    @model_validator(mode="after")
    def _inside(self) -> Self:
        first, last = quarter_bounds(self.coverage)
        if not first <= self.start <= self.end <= last:  # another quarter's days would be emptied
            raise ValueError(f"{self.start} to {self.end} does not lie in {self.coverage}")
        return self

    def run(self, workspace: Workspace) -> Outcome:
        """Publishes the facts and the rejects; tells the standing of the quarter's deliveries.

        The effective delivery is classified as a whole whatever the range: so its rejects are always complete, and
        the accounting covers every line.

        Raises:
            NothingDelivered: the quarter has no effective delivery, and not because a person withdrew the one that it
                was built from.
        """
        return workspace.recomputed(self._attempt)

    def _attempt(self, workspace: Workspace) -> Outcome:
        lake, contract = workspace.lake, FCT_STAFFING_LEVELS
        slices = months(self.start, self.end)
        # The order matters: whoever publishes this quarter after this pin is a conflict, and whoever did before has
        # its delivery in bronze by now, so that the standings below know it.
        base = lake.pin(contract, slices)
        before = deliveries_of(remembered(lake, contract).get(self.coverage))
        found = standings(lake, workspace.zone, STAFFING, self.coverage)
        ids = chosen(found, lake, f"daily staffing for {self.coverage}", before)
        noted, now = parsed(lake, STAFFING), recipe(contract)
        source = lake.pin(BRONZE[STAFFING], ids)
        bronze = workspace.read(BRONZE[STAFFING], source)
        day_first = any(d.delivery_id in ids and is_day_first(d) for d in workspace.zone.deliveries(STAFFING))
        if all(noted[i].inspected == now and not noted[i].refused for i in ids):
            # No line is refused, as was found by these very rules: to look at each value again would take a third.
            judged = bronze.select("*", F.lit(None).cast("string").alias("reason"))
        else:
            twice = any(noted[i].doubled for i in ids)
            judged = staffing.judged(bronze, self.coverage, doubled=twice, day_first=day_first)
        accepted = staffing.readings(judged, day_first=day_first)
        whole = (self.start, self.end) == quarter_bounds(self.coverage)
        if whole:
            staged = workspace.stage(contract, accepted, slices, MONTH_OF_ROW, finish=staffing.facts)
        else:
            staged = workspace.stage(contract, self._with_kept(workspace, accepted, base), slices, MONTH_OF_ROW)
        rows_out = staged.rows if whole else int(accepted.count())
        lines = self._rejects(workspace, bronze, judged, found, any_refused=rows_out != source.rows)
        known = any(i in confirmed(lake.storage) for i in ids)
        checks = [
            *workspace.check(contract, staged),
            accounting(source.rows, rows_out, lines[0].rows),
            _readable(bronze, accepted, workspace.staged_rows(REJECTS, lines[0]), known=known),
        ]
        built_from = {self.coverage: of_deliveries(now, {i: noted[i].parsed for i in ids})}
        table, rejected = workspace.settle_with_rejects(
            (contract, staged, checks, base),
            lines,
            inputs=[(BRONZE[STAFFING], source)],
            extent=f"{self.start}..{self.end}",
            built_from=built_from if whole else {},
            loss_known=loss_known(lake, ids, before),
        )
        if whole and table.published:
            remember(lake, contract, built_from, table.published)
        return Outcome(table=table, rejects=rejected, standings=tuple(found))

    def _with_kept(self, workspace: Workspace, accepted: DataFrame, base: Pin) -> DataFrame:
        """The range's new rows beside the months' other days as they are."""
        inside = f"work_date between date '{self.start}' and date '{self.end}'"
        kept = workspace.read(FCT_STAFFING_LEVELS, base).where(f"not ({inside})")
        return staffing.facts(accepted.where(inside)).unionByName(kept)

    def _rejects(
        self,
        workspace: Workspace,
        bronze: DataFrame,
        judged: DataFrame,
        found: list[Standing],
        *,
        any_refused: bool,
    ) -> tuple[Staged, Pin]:
        slices, base = rejects_slices(workspace.lake, found)
        # A second pass over the delivery, only if the first one showed that there is something to find.
        refused = (
            rejects(bronze, judged, dataset=STAFFING, file_names={s.delivery_id: s.name for s in found})
            if any_refused
            else workspace.spark.createDataFrame([], REJECTS.spark)
        )
        return workspace.stage(REJECTS, refused, slices, SLICE_OF_REJECT), base


def _readable(bronze: DataFrame, accepted: DataFrame, refused: DataFrame, *, known: bool) -> CheckResult:
    """Whether nearly every facility of the delivery has a line that could be read, or a person ``known`` that not.

    A file that was damaged on its way (columns swapped, leading zeros lost) would else replace a good one by its rests.
    """
    sample = gate_sample(refused.select("source_line", "reason"))
    if not sample:
        return CheckResult(name=READABLE, passed=True, description="no line was refused")
    delivered = int(bronze.select(F.upper(F.trim("provider_id"))).distinct().count())
    readable = int(accepted.select("provider_id").distinct().count())
    enough = readable > 0 and delivered - readable <= max(1, LARGEST_LOSS * delivered)
    return CheckResult(
        name=READABLE,
        passed=enough or known,
        failed_rows=delivered - readable,
        rows=delivered,
        description=f"{readable:,} of {delivered:,} facilities of the delivery have a line that could be read",
        advice="" if enough else "the file looks damaged: compare it with what CMS publishes and deliver it anew",
        sample=[] if enough else sample,
    )
