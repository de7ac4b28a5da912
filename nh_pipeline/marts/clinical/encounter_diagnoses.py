"""The primary diagnosis of an encounter: of all who may have told it, the first."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

SOURCES = ("encounter", "eob", "claim", "reason", "condition")
"""The encounter itself, what the payer answered, the claim, the reason for it, the first condition noted in it."""

_OWN = ("diagnosis_system", "diagnosis_code", "coalesce(diagnosis_display, diagnosis_text)")
_REFERRED = ("_system", "_code", "_display")
_EITHER = tuple(
    f"case when diagnosis_code is null then {referred} else {own} end"
    for own, referred in zip(_OWN, _REFERRED, strict=True)
)


def encounter_diagnoses(
    encounters: DataFrame, claims: DataFrame, items: DataFrame, benefits: DataFrame, conditions: DataFrame
) -> DataFrame:
    """The diagnosis of each encounter that has one: ``_diagnosis_source``, ``_system``, ``_code``, ``_display``.

    Args:
        encounters: latest versions, references resolved; so are all others.
        claims: what was claimed.
        items: the lines of these claims, with their encounters.
        benefits: what payers answered.
        conditions: ``clinical_silver.fct_conditions``.

    Returns:
        By ``resource_id`` of the encounter. Of several claims, the earliest decides.
    """
    named = "condition_id as diagnosis_condition_resolved"
    known = conditions.selectExpr(named, "code_system as _system", "code_code as _code", "code_display as _display")
    of = items.selectExpr("resource_id as claim_resolved", "encounter_resolved as _encounter").distinct()

    def told(source: str, rows: DataFrame, what: tuple[str, ...], encounter: str, *order: str) -> DataFrame:
        when, which = order or ("''", "''")
        system, code, display = what
        return rows.selectExpr(
            f"{encounter} as resource_id", f"'{source}' as _diagnosis_source", f"{SOURCES.index(source)} as _rank",
            f"{when} as _when", f"{which} as _which", f"{system} as _diagnosis_system", f"{code} as _diagnosis_code",
            f"{display} as _diagnosis_display",
        )  # fmt: skip

    by = "diagnosis_condition_resolved"
    answered = benefits.join(of, "claim_resolved").join(known, by, "left")
    claimed = claims.withColumnRenamed("resource_id", "claim_resolved").join(of, "claim_resolved")
    noted = conditions.where("category_code = 'encounter-diagnosis'")
    coded = ("code_system", "code_code", "code_display")
    reason = ("reason_system", "reason_code", "coalesce(reason_display, reason_text)")
    found = reduce(
        lambda rows, more: rows.union(more),
        (
            told("encounter", encounters.join(known, by), _REFERRED, "resource_id"),
            told("eob", answered, _EITHER, "_encounter", "billable_start", "resource_id"),
            told("claim", claimed.join(known, by, "left"), _EITHER, "_encounter", "billable_start", "claim_resolved"),
            told("reason", encounters, reason, "resource_id"),
            told("condition", noted, coded, "encounter_id", "cast(recorded_date as string)", "condition_id"),
        ),
    )
    first = "row_number() over (partition by resource_id order by _rank, _when nulls last, _which) as _nth"
    several = found.where("resource_id is not null and _diagnosis_code is not null").selectExpr("*", first)
    return several.where("_nth = 1").drop("_nth", "_rank", "_when", "_which")
