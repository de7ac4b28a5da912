"""The data model: one module per layer, one contract per table. ``ALL`` lists them in the order they are built."""

from __future__ import annotations

from nh_pipeline.contracts.bronze import BRONZE, REJECTS
from nh_pipeline.contracts.gold import FACILITY_MEASURES
from nh_pipeline.contracts.silver import DIM_CLAIMS, DIM_DATE, DIM_PROVIDERS, FCT_STAFFING_LEVELS

ALL = (
    *BRONZE.values(),
    REJECTS,
    FCT_STAFFING_LEVELS,
    DIM_PROVIDERS,
    DIM_CLAIMS,
    DIM_DATE,
    FACILITY_MEASURES,
)
"""Every table contract."""
