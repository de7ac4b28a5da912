"""``gold.changes``: what each release says otherwise than the one before it, home by home."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.cms.providers import FCT_PROVIDER_RELEASES
from nh_pipeline.model.columns import category, date, text
from nh_pipeline.model.kinds import RELEASE
from nh_pipeline.model.mart import Mart, Previous

if TYPE_CHECKING:
    import datetime as dt

    from pyspark.sql import DataFrame

WHAT = {
    "overall_rating": "overall stars",
    "health_inspection_rating": "health inspection stars",
    "staffing_rating": "staffing stars",
    "qm_rating": "quality measure stars",
    "overall_rating_footnote": "why there are no overall stars",
    "staffing_rating_footnote": "why staffing stars are as they are",
    "special_focus_status": "special focus: SFF, candidate or neither",
    "abuse_icon": "cited for abuse",
    "ownership_type": "kind of owner",
    "changed_ownership": "changed its owner in the last 12 months",
    "legal_business_name": "legal entity",
    "chain_id": "chain, by CMS's number",
    "chain_name": "name of the chain",
    "provider_name": "name of the home",
    "certified_beds": "certified beds",
    "fines": "fines in three years",
    "payment_denials": "payment denials in three years",
}
"""Columns whose changes are told."""

_LISTED = "listed"
_CASELESS = ("ownership_type", "special_focus_status")


def changes(releases: DataFrame, *, start: dt.date, end: dt.date) -> DataFrame:
    """Homes of a release beside those of the release before; none of a first release.

    A column that either release leaves blank for all homes carries no information. Homes that came or went have one
    row, ``listed``.
    """
    from pyspark.sql import functions as F

    old, new = (_sides(releases.where(f"release {sign} date '{day}'")) for sign, day in (("<", start), ("=", end)))
    filled = {
        side: rows.agg(
            *(F.expr(f"count({name}) > 0 as {side}_has_{name}") for name in WHAT),
            F.expr(f"max(release) as {side}_release"),
        )
        for side, rows in (("old", old), ("new", new))
    }
    both = _named(old, "old").join(_named(new, "new"), F.expr("old_id = new_id"), "full")
    known = both.crossJoin(filled["old"]).crossJoin(filled["new"]).where("old_release is not null")
    kept = "old_id is not null and new_id is not null"
    lines = [
        f"named_struct('what', '{name}', 'told', {kept} and old_has_{name} and new_has_{name} and not "
        f"({_compared('old', name)} <=> {_compared('new', name)}), 'before', old_{name}, 'after', new_{name})"
        for name in WHAT
    ]
    listed = "case when {0}_id is null then 'N' else 'Y' end"
    lines.append(
        f"named_struct('what', '{_LISTED}', 'told', not ({kept}), 'before', {listed.format('old')}, "
        f"'after', {listed.format('new')})"
    )
    each = known.selectExpr(
        f"date '{start}' as release", "old_release as previous_release", "coalesce(new_id, old_id) as provider_id",
        "coalesce(new_state, old_state) as state", f"explode(array({', '.join(lines)})) as c",
    )  # fmt: skip
    return each.where("c.told").selectExpr(
        "release",
        "provider_id",
        "c.what as what",
        "state",
        "previous_release",
        "c.before as before",
        "c.after as after",
    )


def _sides(rows: DataFrame) -> DataFrame:
    texts = (f"cast({name} as string) as {name}" for name in WHAT)
    return rows.selectExpr("provider_id", "state", "release", *texts)


def _named(rows: DataFrame, side: str) -> DataFrame:
    return rows.selectExpr(f"provider_id as {side}_id", f"state as {side}_state", *(f"{n} as {side}_{n}" for n in WHAT))


def _compared(side: str, name: str) -> str:
    return f"lower({side}_{name})" if name in _CASELESS else f"{side}_{name}"


_OF = FCT_PROVIDER_RELEASES.by_name

MART = Mart(
    "changes",
    description="What changed with a release: one row per nursing home and column that differs from the one before.",
    grain=("release", "provider_id", "what"),
    release="release",
    reads=(Previous(FCT_PROVIDER_RELEASES),),
    transform=changes,
    columns=(
        RELEASE,
        _OF["provider_id"],
        category("what", "What changed. " + "; ".join(f"`{k}`: {v}" for k, v in WHAT.items())
                 + f"; `{_LISTED}`: whether the release lists the home", (*WHAT, _LISTED), nullable=False),
        _OF["state"],
        date("previous_release", "The release before it that is here", nullable=False),
        text("before", "Value of the release before; NULL if blank"),
        text("after", "Value of this release; NULL if blank"),
    ),
    foreign_keys=(("provider_id", "silver.dim_providers.provider_id"),),
    caution="The release before is the last one that was delivered: look at previous_release before counting by month",
)  # fmt: skip

CHANGES = MART.table
