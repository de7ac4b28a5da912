"""Everything that Dagster loads, and nothing else. Importing it does no work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg

from nh_pipeline.orchestration.bronze import BRONZE_ASSETS, REJECTS_SPEC
from nh_pipeline.orchestration.checks import ADVISORY_CHECKS
from nh_pipeline.orchestration.gold import GOLD_ASSETS
from nh_pipeline.orchestration.jobs import JOBS
from nh_pipeline.orchestration.raw import RAW_ASSETS
from nh_pipeline.orchestration.resources import EngineResource, LakeResource, SourceResource
from nh_pipeline.orchestration.schedules import SCHEDULES
from nh_pipeline.orchestration.sensors import SENSORS
from nh_pipeline.orchestration.silver import SILVER_ASSETS
from nh_pipeline.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping


def build_defs(
    settings: Settings | None = None,
    *,
    resources: Mapping[str, Any] | None = None,
    loggers: Mapping[str, dg.LoggerDefinition] | None = None,
) -> dg.Definitions:
    """The code location.

    Args:
        settings: default from the environment.
        resources: replace the ones made from the settings, by name (``lake``, ``engine``, ``source``).
        loggers: default is Dagster's own.
    """
    settings = settings or Settings()
    made = {
        "lake": LakeResource.of(settings),
        "engine": EngineResource.of(settings),
        "source": SourceResource.of(settings),
    }
    return dg.Definitions(
        assets=[*RAW_ASSETS, *BRONZE_ASSETS, REJECTS_SPEC, *SILVER_ASSETS, *GOLD_ASSETS],
        asset_checks=ADVISORY_CHECKS,
        jobs=JOBS,
        sensors=SENSORS,
        schedules=SCHEDULES,
        loggers=loggers,
        resources={**made, **(resources or {})},
        # One run, one engine: the transforms of a run share its process and its session.
        executor=dg.in_process_executor,
    )


defs = build_defs()
