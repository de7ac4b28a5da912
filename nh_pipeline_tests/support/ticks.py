"""Ticks of sensors: evaluated without a daemon, and as a daemon leaves them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster._core.remote_origin import InProcessCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, InstigatorType, TickData, TickStatus
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._utils.error import SerializableErrorInfo

from nh_pipeline.orchestration.definitions import build_defs

if TYPE_CHECKING:
    from dagster._core.definitions.sensor_definition import SensorExecutionData

    from nh_pipeline.settings import Settings


def tick(name: str, settings: Settings, instance: dg.DagsterInstance, **more: Any) -> SensorExecutionData:
    """What a sensor decides now."""
    return tick_of(build_defs(settings), name, instance, **more)


def tick_of(defs: dg.Definitions, name: str, instance: dg.DagsterInstance, **more: Any) -> SensorExecutionData:
    """The same, of definitions that are loaded already, as a daemon has them."""
    repository = defs.get_repository_def()
    with dg.build_sensor_context(
        instance, repository_def=repository, resources=dict(defs.resources or {}), **more
    ) as context:
        return repository.get_sensor_def(name).evaluate_tick(context)


def ticked(instance: dg.DagsterInstance, sensor: str, status: TickStatus, at: float, error: str = "") -> None:
    """A tick of a sensor, which is running; one that failed has an error with this text."""
    location = InProcessCodeLocationOrigin(LoadableTargetOrigin(module_name="nh_pipeline"), location_name="nh")
    origin = RemoteRepositoryOrigin(location, "repository").get_instigator_origin(sensor)
    state = InstigatorState(origin, InstigatorType.SENSOR, InstigatorStatus.RUNNING)
    if instance.get_instigator_state(state.instigator_origin_id, state.selector_id) is None:
        instance.add_instigator_state(state)
    instance.create_tick(
        TickData(
            state.instigator_origin_id,
            sensor,
            InstigatorType.SENSOR,
            status,
            float(at),
            error=SerializableErrorInfo(error, [], "SourceUnavailable") if status is TickStatus.FAILURE else None,
            selector_id=state.selector_id,
        )
    )
