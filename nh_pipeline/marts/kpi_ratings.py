"""``gold.kpi_ratings``: how many stars homes have, and what has changed since the release before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.cms.providers import FCT_PROVIDER_RELEASES
from nh_pipeline.marts.kpi import OF_RELEASE, kpi
from nh_pipeline.model.mart import Previous
from nh_pipeline.transforms.rollup import by_level, quotients, values

if TYPE_CHECKING:
    import datetime as dt

    from pyspark.sql import DataFrame

RATINGS = {
    "overall_rating": "overall",
    "health_inspection_rating": "health inspection",
    "staffing_rating": "staffing",
    "qm_rating": "quality measure",
}

_STARS = {name: (f"stars, {what}", name) for name, what in RATINGS.items()}
_SHARES = {
    f"{name}_{stars}": (f"share of rated homes with {stars} of 5 stars, {what}",
                        f"case when {name} = {stars} then 1 else 0 end", f"case when {name} is not null then 1 end")
    for name, what in RATINGS.items() for stars in range(1, 6)
}  # fmt: skip
_CHANGE = {
    f"{name}_change": (f"stars more than in the release before, {what}", f"{name} - {name}_before")
    for name, what in RATINGS.items()
}
_CHANGED = {
    f"{name}_{way}": (f"share of homes rated in both with {way_told} stars, {what}",
                      f"case when {name} {sign} {name}_before then 1 else 0 end",
                      f"case when {name} is not null and {name}_before is not null then 1 end")
    for name, what in RATINGS.items() for way, way_told, sign in (("up", "more", ">"), ("down", "fewer", "<"))
}  # fmt: skip
MEASURES = {**_STARS, **_SHARES, **_CHANGE, **_CHANGED}


def kpi_ratings(releases: DataFrame, *, start: dt.date, end: dt.date) -> DataFrame:  # noqa: ARG001
    """Stars of the release, and changes since the one before it, of homes that are in both."""
    homes = releases.where(f"release = date '{start}'").selectExpr("provider_id", "state", "release", *RATINGS)
    before = releases.where(f"release < date '{start}'").selectExpr(
        "provider_id", "release as period_start", *(f"{name} as {name}_before" for name in RATINGS)
    )
    now = homes.selectExpr("*", "release as period_start", "release as period_end")
    both = homes.join(before, "provider_id").selectExpr("*", "release as period_end")
    figures = (values(now, OF_RELEASE, _STARS), values(both, OF_RELEASE, _CHANGE))
    shares = (quotients(now, OF_RELEASE, _SHARES), quotients(both, OF_RELEASE, _CHANGED))
    of_homes, of_groups = (by_level(one.unionByName(other), OF_RELEASE) for one, other in (figures, shares))
    return of_homes.unionByName(of_groups.where("level <> 'facility'"))


MART = kpi(
    "kpi_ratings",
    "Star ratings and their changes; shares of homes for states and the nation alone",
    MEASURES,
    reads=(Previous(FCT_PROVIDER_RELEASES),),
    transform=kpi_ratings,
    release="release",
    caution="Health inspection stars rank homes within their state; the rules of stars changed in July 2022 and 2024",
)
