"""Gold: staffing facts beside the provider and its claims measures as of the day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from nh_pipeline.contracts.gold import FACILITY_MEASURES, FLAGS, HPRD, PROVIDER_COLUMNS
from nh_pipeline.contracts.silver import CLAIMS_MEASURES, ROLLUP_TITLES

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import DataFrame

_EVER, _NEVER = "date '0001-01-01'", "date '9999-12-31'"


def facility_measures(
    facts: DataFrame, providers: DataFrame, claims: DataFrame, *, start: date, end: date
) -> DataFrame:
    """``gold.facility_measures`` for the days from ``start`` to ``end`` (both included).

    Args:
        facts: ``silver.fct_staffing_levels``, at least those days.
        providers: ``silver.dim_providers``, whole.
        claims: ``silver.dim_claims``, whole.
        start: first day.
        end: last day.

    Returns:
        One row per fact row, always: a provider or measure that is unknown gives NULLs and ``unknown``.
    """
    day = F.col("work_date")
    days = facts.where(day.between(F.lit(start), F.lit(end))).select(
        "provider_id", "work_date", "cy_qtr", F.col("state").alias("_state"), "census", *ROLLUP_TITLES, *FLAGS
    )
    provider = _as_of(_valid(providers, ["provider_id"]), start, end).select(
        F.col("provider_id").alias("_p_id"),
        F.col("_from").alias("_p_from"),
        F.col("_to").alias("_p_to"),
        F.col("valid_from").alias("provider_valid_from"),
        "state",
        *PROVIDER_COLUMNS,
    )
    measures = _as_of(claims_timeline(claims), start, end).select(
        F.col("provider_id").alias("_c_id"),
        F.col("_from").alias("_c_from"),
        F.col("_to").alias("_c_to"),
        F.col("valid_from").alias("_claims_from"),
        *CLAIMS_MEASURES.values(),
    )
    joined = days.join(
        provider, F.expr("provider_id = _p_id and work_date >= _p_from and work_date < _p_to"), "left"
    ).join(measures, F.expr("provider_id = _c_id and work_date >= _c_from and work_date < _c_to"), "left")
    sql = {
        "state": "coalesce(state, _state)",
        **{name: f"case when census > 0 then cast({hours} as double) / census end" for name, hours in HPRD.items()},
        "contract_share": (
            "case when total_hours > 0 then cast(contract_hours as double) / cast(total_hours as double) end"
        ),
        "occupancy_rate": "case when certified_beds > 0 then cast(census as double) / certified_beds end",
        "provider_match": _match("_p_id", "provider_valid_from"),
        "claims_match": _match("_c_id", "_claims_from"),
    }
    return joined.select(*(F.expr(sql.get(name, name)).alias(name) for name in FACILITY_MEASURES.columns))


def claims_timeline(claims: DataFrame) -> DataFrame:
    """The claims measures of a provider side by side, cut where any of them changes.

    Returns:
        provider_id, one column per measure (adjusted score), ``valid_from`` (the latest first release of the
        measures in it), ``_from``/``_to`` (half-open days on which the row holds).
    """
    scores = _valid(claims, ["provider_id", "measure_code"]).select(
        "provider_id", "measure_code", "adjusted_score", "valid_from", "_from", "_to"
    )
    cuts = scores.select("provider_id", F.col("_from").alias("_cut")).union(
        scores.select("provider_id", F.col("_to").alias("_cut"))
    )
    following = F.lead("_cut").over(Window.partitionBy("provider_id").orderBy("_cut"))
    segments = (
        cuts.distinct()
        .select(F.col("provider_id").alias("_id"), "_cut", following.alias("_end"))
        .where("_end is not null")
    )
    covered = segments.join(scores, F.expr("provider_id = _id and _from <= _cut and _cut < _to"))
    return covered.groupBy("provider_id", F.col("_cut").alias("_from"), F.col("_end").alias("_to")).agg(
        F.max("valid_from").alias("valid_from"),
        *(
            F.max(F.expr(f"case when measure_code = '{code}' then adjusted_score end")).alias(name)
            for code, name in CLAIMS_MEASURES.items()
        ),
    )


def _valid(dimension: DataFrame, key: list[str]) -> DataFrame:
    """Adds ``[_from, _to)``: the days that a version stands for; the earliest also stands for all days before."""
    nth = F.row_number().over(Window.partitionBy(*key).orderBy("valid_from"))
    return dimension.select("*", nth.alias("_nth")).select(
        *dimension.columns,
        F.expr(f"case when _nth = 1 then {_EVER} else valid_from end").alias("_from"),
        F.expr(f"coalesce(valid_to, {_NEVER})").alias("_to"),
    )


def _as_of(versions: DataFrame, start: date, end: date) -> DataFrame:
    """Only what can match a day of the range, so that the join's cost does not grow with the history."""
    return versions.where((F.col("_from") <= F.lit(end)) & (F.col("_to") > F.lit(start)))


def _match(key: str, valid_from: str) -> str:
    return f"case when {key} is null then 'unknown' when work_date < {valid_from} then 'earliest' else 'as_of' end"
