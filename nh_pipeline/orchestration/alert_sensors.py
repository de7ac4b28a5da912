"""Sensors that tell people: one for each receiver of alerts, so that one that is down keeps nothing from the others."""

import dagster as dg
from pydantic import TypeAdapter

from nh_pipeline.alerts.message import Concern, News
from nh_pipeline.alerts.receivers import Receiver, receivers
from nh_pipeline.orchestration.concerns import concerns
from nh_pipeline.orchestration.resources import LakeResource
from nh_pipeline.settings import Settings

_TOLD = TypeAdapter(dict[str, Concern])


def alert_sensors(settings: Settings) -> list[dg.SensorDefinition]:
    """Those of the settings; none unless they name a receiver."""
    return [_sensor(receiver, settings) for receiver in receivers(settings)]


def _sensor(receiver: Receiver, settings: Settings) -> dg.SensorDefinition:
    @dg.sensor(
        name=f"alerts_by_{receiver.by}",
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells of failed runs, checks and sensors, of deliveries that are held or in quarantine, of tables "
        "whose next delivery is late, and when they are well again.",
    )
    def _tell(context: dg.SensorEvaluationContext, lake: LakeResource) -> dg.SensorResult:
        """The cursor holds what was told. It moves when a message was taken: else the tick fails, the next tells."""
        told = _TOLD.validate_json(context.cursor) if context.cursor else {}
        repository = context.repository_def
        keys = sorted(repository.asset_graph.asset_check_keys) if repository else []
        now = concerns(
            context.instance, lake.lake, lake.zone, keys, ui=settings.ui_url, warnings=settings.alerts_warnings
        )
        news = News.between(told, now)
        if news:
            receiver.send(news.subject(settings.home), news.text(settings.home))
        kept = {c.what: c.model_copy(update={"since": told.get(c.what, c).since}) for c in now}
        reason = f"told: {news.subject(settings.home)}" if news else f"no news; {len(now)} told before"
        return dg.SensorResult(skip_reason=reason, cursor=_TOLD.dump_json(kept).decode())

    return _tell
