"""Which checks there are, for those who look at what they found: making the assets takes longer than looking."""

import dagster as dg

from nh_pipeline.model.table import REJECTS
from nh_pipeline.orchestration.checks import checks
from nh_pipeline.orchestration.events import specs_of
from nh_pipeline.orchestration.warehouse import Copies
from nh_pipeline.settings import Settings
from nh_pipeline.tables import tables


def check_keys(settings: Settings) -> list[dg.AssetCheckKey]:
    """The keys of all checks that Dagster loads with these settings, in order."""
    inside = [spec.key for table in tables() if table is not REJECTS for spec in specs_of(table)]
    copies = Copies.of(settings) if settings.warehouse_url is not None else Copies()
    return sorted([*inside, *(check.check_key for check in (*checks(), *copies.checks))])
