"""What the plan says, by the kinds of tables that tests ask for."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from nh_pipeline import datasets
from nh_pipeline.lake.refusals import Refusals
from nh_pipeline.marts.facility_measures import MART
from nh_pipeline.model.kinds import Daily
from nh_pipeline.model.mart import Mart
from nh_pipeline.pipeline import plan as planning
from nh_pipeline.pipeline.deliveries import look, look_at_all
from nh_pipeline.pipeline.mart_staleness import Inputs, stale_days

if TYPE_CHECKING:
    from datetime import date

    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.landing.manifest import Delivery
    from nh_pipeline.landing.zone import RawZone
    from nh_pipeline.model.table import Table
    from nh_pipeline.pipeline.guards import DeliveryStatus


def unparsed(lake: Lake, zone: RawZone) -> list[Delivery]:
    """Landed deliveries that are not in bronze as they would be read now."""
    seen, refusals = look_at_all(lake, zone).values(), Refusals(lake.storage).all()
    return [delivery for found in seen for delivery, _ in planning.unparsed(lake, found, refusals)]


def stale_quarters(lake: Lake, zone: RawZone) -> list[str]:
    """Quarters whose days were not built from the delivery that counts now."""
    return [b.partition for b in planning.plan(lake, zone).builds if isinstance(b.table.kind, Daily)]


def stale_dimensions(lake: Lake, zone: RawZone) -> list[Table]:
    """Silver tables, but for days, that were not built from the deliveries that count now."""
    found = (b.table for b in planning.plan(lake, zone).builds if b.table.database == "silver")
    return list({t.name: t for t in found if not isinstance(t.kind, Daily)}.values())


def stale_gold(lake: Lake, months: list[str] | None = None) -> list[date]:
    """Days of ``gold.facility_measures`` that would come out differently now."""
    spans = stale_days(lake, Inputs.current(lake, MART), months)
    return [a + timedelta(days=i) for a, b in spans for i in range((b - a).days + 1)]


def stale_marts(lake: Lake, zone: RawZone) -> list[str]:
    """Marts of which something is stale."""
    found = planning.plan(lake, zone).builds
    return list(dict.fromkeys(b.table.name for b in found if isinstance(b.table.kind, Mart)))


def standings(lake: Lake, zone: RawZone, dataset: str, coverage: str | None = None) -> list[DeliveryStatus]:
    """Status of every delivery of a dataset."""
    return list(look(lake, zone, datasets.dataset(dataset), coverage).statuses)
