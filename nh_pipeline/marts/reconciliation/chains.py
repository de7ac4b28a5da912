"""Chain columns of Provider Information (July 2025 on): counts and unweighted means of the chain's homes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.cms.providers import FCT_PROVIDER_RELEASES
from nh_pipeline.marts.reconciliation.figure import Figure, Release, Subject, mean

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_RATINGS = ("overall_rating", "health_inspection_rating", "staffing_rating", "qm_rating")


def rows(of: Release) -> DataFrame:
    """Chains, with what CMS says of each beside its homes."""
    from pyspark.sql import functions as F

    published = ("chain_facilities", *(f"chain_{name}" for name in _RATINGS))
    homes = of["fct_provider_releases"].where("chain_id is not null")
    chains = homes.groupBy("chain_id").agg(
        F.count("*").alias("homes"),
        *(F.max(name).alias(name) for name in published),
        *(F.expr(f"{mean(name)} as our_{name}") for name in _RATINGS),
    )
    return chains.where("chain_facilities is not null").selectExpr("'chain' as level", "chain_id as entity", "*")


SUBJECT = Subject(
    rows,
    (
        Figure("chain_facilities", FCT_PROVIDER_RELEASES, "chain_facilities", "homes with the chain's number", "homes"),
        *(
            Figure(
                f"chain_{name}",
                FCT_PROVIDER_RELEASES,
                f"chain_{name}",
                "mean of the chain's homes that have a rating",
                f"our_{name}",
                decimals=1,
            )
            for name in _RATINGS
        ),
    ),
)
