"""``gold.kpi_contract_share``: what share of the hours contract staff work, by month."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.marts.facility_month import FACILITY_MONTH
from nh_pipeline.marts.kpi import kpi, of_months

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

MEASURES = {
    "contract_share": ("contract hours / all hours", "contract_hours", "total_hours"),
    "contract_share_weekend": (
        "the same on Saturdays and Sundays",
        "weekend_contract_hours",
        "weekend_total_hours",
    ),
}


def kpi_contract_share(months: DataFrame) -> DataFrame:
    """Quotients of the sums of ``gold.facility_month``."""
    return of_months(months, MEASURES)


MART = kpi(
    "kpi_contract_share",
    "Share of the hours that contract staff work",
    MEASURES,
    reads=(FACILITY_MONTH,),
    transform=kpi_contract_share,
    month="period_start",
    caution="Contract staff is agency staff, not overtime, which CMS does not publish",
)
