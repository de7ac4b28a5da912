"""``gold.kpi_vaccination``: residents and staff who are vaccinated against COVID-19, by date of the figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.cms.covid_vaccination import COVID_VAX_PROVIDER
from nh_pipeline.marts.kpi import OF_RELEASE, kpi
from nh_pipeline.transforms.rollup import by_level, values

if TYPE_CHECKING:
    import datetime as dt

    from pyspark.sql import DataFrame

MEASURES = {
    "residents_up_to_date": ("residents who are up to date, per cent", "residents_up_to_date"),
    "staff_up_to_date": ("staff who are up to date, per cent", "staff_up_to_date"),
    "residents_vaccinated": ("residents with the first series (2021-2022), per cent", "residents_vaccinated"),
    "staff_vaccinated": ("staff with the first series (2021-2022), per cent", "staff_vaccinated"),
    "residents_boosted": ("residents of those with a booster (2022), per cent", "residents_boosted"),
    "staff_boosted": ("staff of those with a booster (2022), per cent", "staff_boosted"),
}


def kpi_vaccination(homes: DataFrame, *, start: dt.date, end: dt.date) -> DataFrame:  # noqa: ARG001
    """What each home reports at the date, which is the period, too."""
    dated = homes.selectExpr("*", "release as period_start", "release as period_end")
    return by_level(values(dated, OF_RELEASE, MEASURES), OF_RELEASE)


MART = kpi(
    "kpi_vaccination",
    "COVID-19 vaccination",
    MEASURES,
    reads=(COVID_VAX_PROVIDER["fct_covid_vaccination"],),
    transform=kpi_vaccination,
    release="release",
    caution="CMS gives shares alone, so nothing is pooled; it has stopped publishing them. Compare homes, not dates",
)
