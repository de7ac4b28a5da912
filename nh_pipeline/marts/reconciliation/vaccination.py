"""COVID-19 vaccination: CMS's averages are unweighted means of the homes' percentages of the same date."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.cms.covid_vaccination import FCT_COVID_VACCINATION_AVERAGES
from nh_pipeline.marts.reconciliation.figure import Figure, Release, Subject, mean

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_SHARES = ("residents_up_to_date", "staff_up_to_date")


def rows(of: Release) -> DataFrame:
    """CMS's averages beside the means of the homes of the state, or of all."""
    from pyspark.sql import functions as F

    homes = of["fct_covid_vaccination"].selectExpr("stack(2, state, 'US') as _of", *_SHARES)
    means = homes.groupBy("_of").agg(*(F.expr(f"{mean(name)} as our_{name}") for name in _SHARES))
    joined = of["fct_covid_vaccination_averages"].join(means, F.expr("state_or_nation = _of"), "left")
    return joined.selectExpr(
        "case state_or_nation when 'US' then 'nation' else 'state' end as level", "state_or_nation as entity", "*"
    )


SUBJECT = Subject(
    rows,
    tuple(
        Figure(
            f"mean_{name}",
            FCT_COVID_VACCINATION_AVERAGES,
            name,
            "mean of the homes that have a value",
            f"our_{name}",
            decimals=1,
            differs=0.02,
        )
        for name in _SHARES
    ),
)
