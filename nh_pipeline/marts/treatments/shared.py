"""What the tables of the star schema have in common: keys, the unknown member, and how outcomes are counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nh_pipeline.datasets.treatments.outcomes import folded
from nh_pipeline.model.columns import Column, count, integer, ratio, text
from nh_pipeline.model.rules import AtLeast, OneOf
from nh_pipeline.model.types import LONG, TEXT
from nh_pipeline.transforms.select import select
from nh_pipeline.transforms.spread import quotient

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import DataFrame

UNKNOWN = -1
"""Key of the member of each dimension that stands for none."""

UNKNOWN_NAME = "(unknown)"

TYPE_SK = "treatment_type_and_outcome_status_sk"

SMALL = 30
"""A rate over fewer outcomes is marked as one of a small number."""


def key(name: str, description: str, **more: Any) -> Column:
    """A key of a dimension: a function of what it stands for, so that it is the same in every build."""
    told = f"{description}; {UNKNOWN} for none"
    return integer(name, told, **{"type": LONG, "nullable": False, "allowed": AtLeast(UNKNOWN), **more})


def latest(treatments: DataFrame, of: str) -> DataFrame:
    """Of each value of a column, the treatment that was changed last."""
    nth = f"row_number() over (partition by {of} order by metadata_modified_at desc nulls last, treatment_id desc)"
    return treatments.where(f"{of} is not null").selectExpr("*", f"{nth} as _nth").where("_nth = 1")


def dimension(rows: DataFrame, columns: tuple[Column, ...], sql: Mapping[str, str]) -> DataFrame:
    """The rows of a dimension, the unknown member with them."""
    nobody = rows.selectExpr("count(1) as _rows").selectExpr(*select(columns, {c.name: _unknown(c) for c in columns}))
    return rows.selectExpr(*select(columns, sql)).unionByName(nobody)


def _unknown(column: Column) -> str:
    """SQL of what the unknown member has in a column."""
    if column.name.endswith("_sk"):
        return str(UNKNOWN)
    if column.type == TEXT and column.allowed is None:
        return f"'{UNKNOWN_NAME}'"
    return "'unknown'" if isinstance(column.allowed, OneOf) else "null"


def date_key(at: str) -> str:
    """SQL for the key of the day of an instant."""
    return f"cast(date_format({at}, 'yyyyMMdd') as int)"


def time_key(at: str) -> str:
    """SQL for the key of the time of an instant: seconds of the day."""
    return f"hour({at}) * 3600 + minute({at}) * 60 + second({at})"


def type_key() -> str:
    """SQL for the key of kind and outcome of a treatment: 60 bits of the md5 of both, in small letters."""
    parts = ", '|', ".join(f"coalesce({folded(c)}, '')" for c in ("treatment_type", "treatment_outcome_status"))
    return digest(f"concat({parts}, '|', outcome_class)")


def digest(text: str) -> str:
    """SQL for a number that stands for a text: 60 bits of its md5."""
    return f"cast(conv(substr(md5({text}), 1, 15), 16, 10) as bigint)"


TOTAL = count("total_treatments", "Treatments", unit="treatments", nullable=False)
DECIDED = count("decided", "Of these, with an outcome that is a success or a failure", nullable=False)
SUCCESSES = count("successes", "Of these, successes", nullable=False)
SUCCESS_RATE = ratio("success_rate", "successes / decided; NULL where nothing is decided", unit="ratio")

COUNTED = {
    "total_treatments": "count(1)",
    "decided": "count(case when outcome_class in ('success', 'failure') then 1 end)",
    "successes": "count(case when outcome_class = 'success' then 1 end)",
    "open": "count(case when outcome_class = 'open' then 1 end)",
}
"""SQL of counts of treatments."""

RATE = quotient("successes", "decided")


def counted(rows: DataFrame, *by: str) -> DataFrame:
    """Treatments, by these columns, with what became of them."""
    from pyspark.sql import functions as F

    return rows.groupBy(*by).agg(*(F.expr(f"{sql} as {name}") for name, sql in COUNTED.items()))


def with_outcome(fact: DataFrame, types: DataFrame) -> DataFrame:
    """Adds ``outcome_class`` to the fact."""
    return fact.join(types.select(TYPE_SK, "outcome_class"), TYPE_SK)


PROVIDER = (
    key("provider_id", "The provider, by the source's own number"),
    text("full_name", "Name of the provider"),
)
RANK = count("rank", "Place: equal ones share it, and the next are as many further; NULL for what has none")


def named(fact: DataFrame, providers: DataFrame) -> DataFrame:
    """The fact with ``provider_id`` and ``full_name``."""
    return fact.join(providers.selectExpr("provider_sk", "provider_sk as provider_id", "full_name"), "provider_sk")


def ranked(rows: DataFrame, by: str) -> DataFrame:
    """Adds ``rank``, the highest first. The unknown provider, and who has no value, are in no ranking."""
    counts = f"{by} is not null and provider_id <> {UNKNOWN}"
    place = f"rank() over (partition by {counts} order by {by} desc)"
    return rows.selectExpr("*", f"case when {counts} then {place} end as rank")


PLACE = tuple(
    text(name, f"{name.title()} of the treatments; {UNKNOWN_NAME} if nothing says", nullable=False)
    for name in ("country", "state", "city")
)


def placed(fact: DataFrame, locations: DataFrame) -> DataFrame:
    """Treatments by country, state and city."""
    from pyspark.sql import functions as F

    names = [f"coalesce({c.name}, '{UNKNOWN_NAME}') as {c.name}" for c in PLACE]
    at = fact.join(locations.selectExpr("location_sk", *names), "location_sk")
    return at.groupBy(*(c.name for c in PLACE)).agg(F.expr("count(1) as total_treatments"))
