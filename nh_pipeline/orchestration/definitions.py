"""Everything that Dagster loads, and nothing else. Importing it does no work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg

from nh_pipeline.orchestration.alert_sensors import alert_sensors
from nh_pipeline.orchestration.assets import assets
from nh_pipeline.orchestration.checks import checks
from nh_pipeline.orchestration.executor import in_process
from nh_pipeline.orchestration.extraction import extraction
from nh_pipeline.orchestration.jobs import jobs, schedules
from nh_pipeline.orchestration.maintenance import maintenance
from nh_pipeline.orchestration.resources import EngineResource, LakeResource, SourceResource, WarehouseResource
from nh_pipeline.orchestration.sensors import sensors
from nh_pipeline.orchestration.warehouse import Copies
from nh_pipeline.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping


def build_defs(
    settings: Settings | None = None,
    *,
    resources: Mapping[str, Any] | None = None,
    loggers: Mapping[str, dg.LoggerDefinition] | None = None,
    by_the_clock: bool = True,
) -> dg.Definitions:
    """The code location; by default with the settings of the environment, and the resources made from them.

    Those given replace them, by name (``lake``, ``engine``, ``source``). Checks and jobs that only the clock starts can
    be left out: Dagster runs all checks of an asset that is chosen, and whether a delivery is late is no question of a
    run over old ones.
    """
    settings = settings or Settings()
    made: dict[str, Any] = {
        "lake": LakeResource.of(settings),
        "engine": EngineResource.of(settings),
        "source": SourceResource.of(settings),
    }
    clocked = [extraction(settings), maintenance(settings)] if by_the_clock else []
    declared = [*jobs(by_the_clock=by_the_clock), *(job for made_jobs, _ in clocked for job in made_jobs)]
    copies = Copies()
    if settings.warehouse_url is not None:
        made["warehouse"] = WarehouseResource.of(settings)
        copies = Copies.of(settings)
    return dg.Definitions(
        assets=[*assets(), *copies.assets],
        asset_checks=[*checks(by_the_clock=by_the_clock), *copies.checks],
        jobs=[*declared, *copies.jobs],
        sensors=[*sensors(declared), *copies.sensors, *alert_sensors(settings)],
        schedules=[*schedules(by_the_clock=by_the_clock), *(each for _, its in clocked for each in its)],
        loggers=loggers,
        resources={**made, **(resources or {})},
        # One run, one engine: the transforms of a run share its process and its session.
        executor=in_process,
    )


defs = build_defs()
