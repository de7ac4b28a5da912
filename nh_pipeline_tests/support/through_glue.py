"""A lake that Glue's jobs build, started by Dagster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from nh_pipeline.engines import glue
from nh_pipeline.orchestration.resources import EngineResource
from nh_pipeline.pipeline.plan import parts, plan
from nh_pipeline_tests.support import chain
from nh_pipeline_tests.support.catch_up import builds_of
from nh_pipeline_tests.support.glue_service import JOB

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from nh_pipeline.pipeline.context import BuildContext
    from nh_pipeline.pipeline.plan import Stale
    from nh_pipeline_tests.support.glue_service import GlueService


def through_glue(
    workspace: BuildContext,
    service: GlueService,
    patch: pytest.MonkeyPatch,
    wanted: Callable[[Stale], bool] = lambda _: True,
) -> list[int]:
    """Everything that has landed and is wanted, by jobs on Spark as Glue may have it; how many builds each part had."""
    engine = EngineResource(engine="glue", glue_job=JOB, glue_messages=f"s3://{service.aws.bucket}/pipes")
    patch.setattr(glue, "POLL", 0.2)
    service.make_job()
    counts = []

    @dg.asset
    def all_tables(context):
        for part in parts():
            if builds := list(builds_of(filter(wanted, plan(workspace.lake, workspace.zone).part(part)))):
                done = list(engine.run(builds, workspace.lake, context))
                chain.published([r for o in done for r in o.results])
                counts.append((len(builds), len(done)))
        return dg.MaterializeResult()

    with dg.DagsterInstance.ephemeral() as instance:
        assert dg.materialize([all_tables], instance=instance).success
    assert [wanted for wanted, _ in counts] == [done for _, done in counts]
    assert {r.state for r in service.runs} == {"SUCCEEDED"}
    return [done for _, done in counts]
