"""What Dagster loads in tests of daemons: the product's definitions with few marts."""

from __future__ import annotations

from nh_pipeline import marts
from nh_pipeline_tests.support.few import FEW

marts.MARTS = FEW

from nh_pipeline.orchestration.definitions import defs  # noqa: E402 (of these marts)

__all__ = ["defs"]
