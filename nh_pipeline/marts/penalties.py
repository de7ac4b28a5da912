"""``gold.penalties``: every penalty once, out of all releases, which overlap.

Which lines of two releases are the same penalty: those with the same Fine ID; and, of fines before CMS gave IDs (June
2026) and of payment denials, which have none, lines that tell the same. Equal lines of one release are several
penalties, so that of equal lines there are as many penalties as in the release that shows most. A fine that got an ID
later takes over its copy without one.

A penalty whose amount was changed, on appeal for instance, is one and shows its latest amount if it has a Fine ID.
Without one nobody can tell it from another penalty of that day: it is two rows, of which the former ends as ``gone``.
So the sum of the rows that are not ``gone`` counts no fine twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.cms.penalties import FCT_PENALTIES
from nh_pipeline.model.columns import category, count, date, flag
from nh_pipeline.model.mart import Mart

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_TOLD = FCT_PENALTIES.kind.repeats
_BEGAN = tuple(f"began_{name}" for name in _TOLD)


def merged(shown: DataFrame) -> DataFrame:
    """Penalties as each release shows them, each once: with the first and the last release that has it."""
    from pyspark.sql import functions as F

    told = ", ".join(_TOLD)
    # Of equal lines of a release, those with an ID come first: they are the ones that others cannot be.
    placed = shown.selectExpr(
        *_TOLD,
        "fine_id",
        "release",
        f"row_number() over (partition by release, {told} order by fine_id nulls last, nth) as copy",
    )
    seen = f"over (partition by fine_id order by release, {told})"
    by_id = (
        placed.where("fine_id is not null")
        .selectExpr(
            "fine_id",
            *(f"{name} as latest_{name}" for name in _TOLD),
            *(f"first({name}) {seen} as {began}" for name, began in zip(_TOLD, _BEGAN, strict=True)),
            f"first(release) {seen} as id_from",
            "release as id_to",
            f"lead(release) {seen} as _next",
        )
        .where("_next is null")
        .selectExpr("*", f"row_number() over (partition by {', '.join(_BEGAN)} order by id_from, fine_id) as id_copy")
    )
    without = placed.where("fine_id is null").groupBy(*_TOLD, "copy")
    copies = without.agg(F.expr("min(release) as copy_from"), F.expr("max(release) as copy_to"))
    pairs = zip((*_TOLD, "copy"), (*_BEGAN, "id_copy"), strict=True)
    same = " and ".join(f"{name} <=> {began}" for name, began in pairs)
    each = copies.join(by_id, F.expr(same), "full").selectExpr(
        *(f"case when fine_id is null then {name} else latest_{name} end as {name}" for name in _TOLD),
        "fine_id",
        "least(copy_from, id_from) as first_release",
        "greatest(copy_to, id_to) as last_release",
    )
    order = "first_release, last_release, fine_id nulls last"
    numbered = each.selectExpr("*", f"cast(row_number() over (partition by {told} order by {order}) as int) as nth")
    return _with_its_end(numbered, shown)


def _with_its_end(penalties: DataFrame, shown: DataFrame) -> DataFrame:
    releases = (
        shown.groupBy("release")
        .agg({"penalty_date": "min"})
        .selectExpr(
            "release as last_release",
            "lead(release) over (order by release) as next_release",
            "lead(`min(penalty_date)`) over (order by release) as next_begins",
        )
    )
    ended = "case when next_release is null then 'current' when penalty_date < next_begins then 'aged' else 'gone' end"
    return penalties.join(releases, "last_release").selectExpr(
        *(name for name in PENALTIES.names if name not in ("is_current", "ended")),
        "next_release is null as is_current",
        f"{ended} as ended",
    )


_FACT = FCT_PENALTIES.by_name

MART = Mart(
    "penalties",
    description="Every fine and payment denial that any release shows: one row per penalty.",
    columns=(
        *(_FACT[name] for name in _TOLD),
        count("nth", "Nth of the equal penalties", nullable=False),
        _FACT["fine_id"],
        date("first_release", "First release that shows it", nullable=False),
        date("last_release", "Last release that shows it", nullable=False),
        flag("is_current", "In the latest release"),
        category(
            "ended",
            "current; aged: the release after the last one begins later; gone: it shows that time, but not the penalty "
            "(withdrawn, changed, or its home has closed)",
            ("current", "aged", "gone"),
            nullable=False,
        ),
    ),
    grain=(*_TOLD, "nth"),
    reads=(FCT_PENALTIES,),
    transform=merged,
    foreign_keys=(("provider_id", "silver.dim_providers.provider_id"),),
    caution="Leave out what is gone before you sum up: a fine that was changed would count twice",
)

PENALTIES = MART.table
