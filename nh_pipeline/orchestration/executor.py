"""How a code server's process executes its run: as Dagster would, holding a lock by which others see that it lives."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import dagster as dg
from dagster._core.execution.retries import RetryMode
from dagster._core.executor.in_process import InProcessExecutor

from nh_pipeline.orchestration.dead_runs import PROCESS_TAG, process_lock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dagster._core.execution.context.system import PlanOrchestrationContext
    from dagster._core.execution.plan.plan import ExecutionPlan

_held = ExitStack()
"""Locks of this process; never let go, as a run's last event is written when its executor is through."""


class _Watched(InProcessExecutor):
    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[dg.DagsterEvent]:
        instance = plan_context.instance
        process = _held.enter_context(process_lock(instance))
        instance.add_run_tags(plan_context.run_id, {PROCESS_TAG: process})
        yield from super().execute(plan_context, execution_plan)


@dg.executor(name="in_process")
def in_process(_: dg.InitExecutorContext) -> InProcessExecutor:
    """All steps in the process of the run, which is seen to be dead as soon as it is."""
    return _Watched(RetryMode.ENABLED)
