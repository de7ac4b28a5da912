"""The primary diagnosis of an encounter: of all who may have told it, the first."""

from __future__ import annotations

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
_FOUND = ("resource_id", "_source", "_when", "_which")


def encounter_diagnoses(
    encounters: DataFrame, claims: DataFrame, items: DataFrame, benefits: DataFrame, conditions: DataFrame
) -> DataFrame:
    """Adds the diagnosis to encounters that have one: ``_diagnosis_source``, ``_system``, ``_code``, ``_display``.

    Args:
        encounters: latest versions, references resolved; so are all others.
        claims: what was claimed.
        items: the lines of these claims, with their encounters.
        benefits: what payers answered.
        conditions: ``clinical_silver.fct_conditions``.

    Returns:
        A row per encounter. Of several claims, the earliest decides.
    """
    by = "diagnosis_condition_resolved"
    coded = "code_system as _system", "code_code as _code", "code_display as _display"
    known = conditions.selectExpr(f"condition_id as {by}", *coded)
    of = items.selectExpr("resource_id as claim_resolved", "encounter_resolved as resource_id").distinct()

    def told(source: str, claim: str, rows: DataFrame) -> DataFrame:
        return rows.selectExpr(
            f"'{source}' as _source", f"{claim} as claim_resolved", "billable_start as _when", "resource_id as _which",
            by, "diagnosis_system", "diagnosis_code", "diagnosis_display", "diagnosis_text",
        )  # fmt: skip

    billed = told("eob", "claim_resolved", benefits).union(told("claim", "resource_id", claims))
    named = ("_system", "_code", "_display")
    either = (f"{sql} as {name}" for sql, name in zip(_EITHER, named, strict=True))
    of_claims = billed.join(of, "claim_resolved").join(known, by, "left").selectExpr(*_FOUND, *either)
    noted = conditions.where("category_code = 'encounter-diagnosis'").selectExpr(
        "encounter_id as resource_id", "'condition' as _source", "cast(recorded_date as string) as _when",
        "condition_id as _which", *coded,
    )  # fmt: skip
    rank = f"array_position(array{SOURCES}, _source)"
    first = f"row_number() over (partition by resource_id order by {rank}, _when nulls last, _which) as _nth"
    several = of_claims.union(noted).where("resource_id is not null and _code is not null").selectExpr("*", first)
    others = several.where("_nth = 1").selectExpr(
        "resource_id", "_source as _other_source", *(f"{name} as _other{name}" for name in named)
    )
    source = (
        "case when _code is not null then 'encounter' when _other_source in ('eob', 'claim') then _other_source "
        "when reason_code is not null then 'reason' else _other_source end as _diagnosis_source"
    )
    reason = ("reason_system", "reason_code", "coalesce(reason_display, reason_text)")
    return (
        encounters.join(known, by, "left")
        .join(others, "resource_id", "left")
        .selectExpr("*", source)
        .selectExpr(
            "*",
            *(
                f"case _diagnosis_source when 'encounter' then {name} when 'reason' then {own} else _other{name} end "
                f"as _diagnosis{name}"
                for name, own in zip(named, reason, strict=True)
            ),
        )
    )
