"""Stays: encounters of a patient that follow each other without a gap are one.

Each encounter, a *leg*, is compared with the one before it that ends last, so that a long leg holds together all that
lie within it, and two that overlap are one stay, never none. What is compared does not depend on the order of rows.

A leg that was never closed ends when it begins, as far as is known, so that it swallows no later one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import DataFrame

KNOWN_END = "case when end_precision in ('day', 'time') and end_date >= start_date then end_date end"
"""SQL for the last day of an encounter, as written; NULL if it is open, or its end is no day after its start."""

TOOK_PLACE = (
    "(status in ('finished', 'in-progress') and patient_id is not null and start_date is not null "
    "and start_precision in ('day', 'time'))"
)
"""SQL for encounters that took place, of a patient who is known, with the day on which they began."""


def counted(kind: str) -> str:
    """The same of a kind of encounters."""
    return f"(encounter_kind = '{kind}' and {TOOK_PLACE})"


def stays(legs: DataFrame, by: str, *, start: str, end: str, goes_on: str, also: Mapping[str, str]) -> DataFrame:
    """One row per stay: its last leg (of those that end last, the one that begins last), and what it began with.

    Beside the columns of the leg there are ``_stay`` (its number within ``by``), ``n_legs``, ``first_encounter_id``,
    ``_open`` (whether the last leg to begin is) and what is asked for.

    Args:
        legs: encounters.
        by: the columns whose rows can be one stay.
        start: SQL for when a leg begins.
        end: SQL for when it ends; NULL while it is open.
        goes_on: SQL for whether a leg goes on with the stay of ``_leg``, a struct with ``until``, ``start``,
            ``organization_id`` and ``diagnosis_category`` of the leg before it that ends last.
        also: further columns by name, as SQL over the legs of a stay in their order.
    """
    of, stay = f"over (partition by {by} order by _nth", f"over (partition by {by}, _stay order by _nth"
    before = "rows between unbounded preceding and 1 preceding)"
    every = "rows between unbounded preceding and unbounded following)"
    told = "struct(_until as until, _start as start, encounter_id, organization_id, diagnosis_category)"
    summed = {
        "n_legs": "count(1)",
        "first_encounter_id": "first_value(encounter_id)",
        "_open": "last_value(_end is null)",
        **also,
    }
    last = f"row_number() over (partition by {by}, _stay order by _until desc, _start desc, encounter_id desc) as _last"
    return (
        legs.selectExpr("*", f"{start} as _start", f"{end} as _end")
        .selectExpr(
            "*",
            "coalesce(_end, _start) as _until",
            f"row_number() over (partition by {by} order by _start, _end nulls last, encounter_id) as _nth",
        )
        .selectExpr("*", f"max({told}) {of} {before} as _leg")
        .selectExpr("*", f"case when coalesce({goes_on}, false) then 0 else 1 end as _begins")
        .selectExpr("*", f"sum(_begins) {of}) as _stay")
        .selectExpr("*", *(f"{sql} {stay} {every} as {name}" for name, sql in summed.items()), last)
        .where("_last = 1")
    )
