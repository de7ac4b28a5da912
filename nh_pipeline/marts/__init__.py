"""The gold tables, a module each: declaration and pure transform, and a line here.

What belongs here: what analysts ask, answered from silver. Not here: how and when marts are built
(:mod:`nh_pipeline.pipeline`), and the views on them (:mod:`nh_pipeline.queries.views`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.marts import (
    chain_quarter,
    changes,
    citations,
    clinical,
    facility_measures,
    facility_month,
    facility_quarter,
    kpi_contract_share,
    kpi_hours,
    kpi_hprd,
    kpi_incidents,
    kpi_ratings,
    kpi_readmission,
    kpi_surge,
    kpi_throughput,
    kpi_turnover,
    kpi_vaccination,
    ownership_change,
    peers,
    penalties,
    series_breaks,
    threshold_days,
    treatments,
    weekend_gap,
)
from nh_pipeline.marts.reconciliation import constants
from nh_pipeline.marts.reconciliation import mart as reconciliation

if TYPE_CHECKING:
    from nh_pipeline.model.mart import Mart

MARTS: tuple[Mart, ...] = (
    facility_measures.MART,
    facility_month.MART,
    kpi_hours.MART,
    kpi_hprd.MART,
    kpi_contract_share.MART,
    kpi_surge.MART,
    kpi_turnover.MART,
    kpi_vaccination.MART,
    kpi_throughput.MART,
    kpi_readmission.MART,
    kpi_ratings.MART,
    kpi_incidents.MART,
    threshold_days.MART,
    weekend_gap.MART,
    facility_quarter.MART,
    peers.MART,
    chain_quarter.MART,
    changes.MART,
    ownership_change.MART,
    series_breaks.MART,
    penalties.MART,
    citations.MART,
    constants.MART,
    reconciliation.MART,
    reconciliation.SUMMARY,
    *clinical.MARTS,
    *treatments.MARTS,
)
"""Every mart, in an order in which they can be built. Programs ask :func:`declared`, so that a test can declare one
more."""


def declared() -> tuple[Mart, ...]:
    """Every mart."""
    return MARTS
