"""``gold.kpi_incidents``: harm to residents, citations and penalties, by release.

A release tells citations and penalties of several years, and the next one tells most of them again: so each figure is
of one release alone. They are counted per home, over all that the release tells, and per 1,000 resident-days, over the
months before the release in which the home reported staffing: there both are known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.cms.citations import HEALTH_CITATIONS
from nh_pipeline.datasets.cms.mds_quality_measures import MDS_QUALITY_MEASURES
from nh_pipeline.datasets.cms.penalties import PENALTIES
from nh_pipeline.datasets.cms.providers import FCT_PROVIDER_RELEASES
from nh_pipeline.marts.facility_month import FACILITY_MONTH
from nh_pipeline.marts.kpi import OF_RELEASE, kpi
from nh_pipeline.model.mart import Within
from nh_pipeline.transforms.cms_periods import first_and_last_day
from nh_pipeline.transforms.rollup import by_level, listed, quotients

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from pyspark.sql import DataFrame

_MDS = {
    "410": ("falls_410", "long-stay residents with falls with major injury, per cent"),
    "407": ("urinary_infections_407", "long-stay residents with a urinary tract infection, per cent"),
    "409": ("restraints_409", "long-stay residents who were physically restrained, per cent"),
    "453": ("pressure_ulcers_453", "high-risk long-stay residents with pressure ulcers, per cent (until 2024)"),
    "479": ("pressure_ulcers_479", "long-stay residents with pressure ulcers, per cent (2025 on)"),
}
_CITATIONS = {
    "citations": ("health citations", "1"),
    "citations_jkl": ("citations of immediate jeopardy (J, K, L)", "cast(scope_severity in ('J', 'K', 'L') as int)"),
    "citations_infection_control": (
        "citations of infection control inspections",
        "cast(infection_control_deficiency as int)",
    ),
}
_PENALTIES = {
    "fines": ("fines", "cast(penalty_type = 'Fine' as int)"),
    "fine_dollars": ("fines in US dollars", "fine_amount"),
    "payment_denials": ("payment denials", "cast(penalty_type = 'Payment Denial' as int)"),
}
_PER_DAYS = "_per_1000_resident_days"

MEASURES = {
    **{name: (meaning,) for name, meaning in _MDS.values()},
    **{
        f"{name}{per}": (f"{meaning}, {told}",)
        for name, (meaning, _) in {**_CITATIONS, **_PENALTIES}.items()
        for per, told in (("", "per home"), (_PER_DAYS, "per 1,000 resident-days"))
    },
}


def kpi_incidents(
    homes: DataFrame,
    mds: DataFrame,
    citations: DataFrame,
    penalties: DataFrame,
    months: DataFrame,
    *,
    start: dt.date,
    end: dt.date,  # noqa: ARG001
) -> DataFrame:
    """Figures of one release. A file that it lacks gives no figures, which is not zero."""
    places = homes.selectExpr("provider_id", "state")
    first, last = first_and_last_day("measure_period")
    scores = mds.join(places, "provider_id", "left").selectExpr(
        "*", f"{first} as period_start", f"{last} as period_end"
    )
    named = " ".join(f"when '{code}' then '{name}'" for code, (name, _) in _MDS.items())
    lines = listed(scores, OF_RELEASE, f"case measure_code {named} end", "four_quarter_average")
    reported = months.where(f"month < date '{start}'").select("provider_id", "state", "month", "resident_days")
    for events, day, measures in ((citations, "survey_date", _CITATIONS), (penalties, "penalty_date", _PENALTIES)):
        lines = lines.unionByName(_per_home(places, events, day, measures))
        lines = lines.unionByName(_per_resident_days(reported, events, day, measures))
    return by_level(lines.where("measure is not null"), OF_RELEASE)


def _per_home(homes: DataFrame, events: DataFrame, day: str, measures: Mapping[str, tuple[str, str]]) -> DataFrame:
    """Events of each home of the release, none too: as many as it tells of, from the first to the last day."""
    told = _summed(events, ["release"], {}, f"min({day}) as period_start", f"max({day}) as period_end")
    counted = _summed(events, ["provider_id"], measures)
    rows = homes.crossJoin(told).join(counted, "provider_id", "left")
    return quotients(rows, OF_RELEASE, {name: ("", f"coalesce({name}, 0)", "1") for name in measures})


def _per_resident_days(
    months: DataFrame, events: DataFrame, day: str, measures: Mapping[str, tuple[str, str]]
) -> DataFrame:
    """Events beside the resident-days of the same home and month."""
    told = events.select("release").distinct()
    span = months.selectExpr("min(month) as period_start", "last_day(max(month)) as period_end")
    dated = events.selectExpr("*", f"cast(date_format({day}, 'yyyy-MM-01') as date) as month")
    counted = _summed(dated, ["provider_id", "month"], measures)
    rows = months.crossJoin(told).crossJoin(span).join(counted, ["provider_id", "month"], "left")
    thousands = "cast(resident_days as decimal(20,3)) * cast(0.001 as decimal(4,3))"
    return quotients(
        rows, OF_RELEASE, {f"{name}{_PER_DAYS}": ("", f"coalesce({name}, 0)", thousands) for name in measures}
    )


def _summed(rows: DataFrame, by: list[str], measures: Mapping[str, tuple[str, str]], *more: str) -> DataFrame:
    from pyspark.sql import functions as F

    sums = (f"cast(sum({sql}) as decimal(20,3)) as {name}" for name, (_, sql) in measures.items())
    return rows.groupBy(*by).agg(*map(F.expr, (*sums, *more)))


MART = kpi(
    "kpi_incidents",
    "Harm, citations and penalties",
    MEASURES,
    reads=(
        FCT_PROVIDER_RELEASES,
        MDS_QUALITY_MEASURES["fct_mds_measures"],
        HEALTH_CITATIONS["fct_health_citations"],
        PENALTIES["fct_penalties"],
        Within(FACILITY_MONTH, before=18),
    ),
    transform=kpi_incidents,
    release="release",
    caution=(
        "Never add releases up: their years overlap. Inspections of the last months before a release are not all in "
        "it. From October 2025 on, several fines of one inspection are separate rows"
    ),
)
