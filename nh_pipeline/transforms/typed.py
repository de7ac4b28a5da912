"""Monthly CMS files: bronze text to typed rows for :mod:`.scd2`. Provider information and claims measures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql import types as T

from nh_pipeline.transforms import values

if TYPE_CHECKING:
    from collections.abc import Collection

    from pyspark.sql import DataFrame

    from nh_pipeline.contracts.base import Contract


def typed_release_rows(bronze: DataFrame, contract: Contract, *, day_first: Collection[str] = ()) -> DataFrame:
    """Types the lines of releases.

    Args:
        bronze: lines of any number of releases, all text, as ``bronze.providers_raw`` or
            ``bronze.medicare_claims_raw``.
        contract: of the dimension that is built from them.
        day_first: deliveries in which a date like 03/04/2024 is the third of April.

    Returns:
        The dimension's key and tracked columns, ``release`` (Processing Date), ``delivery_id``, ``source_line``
        and ``reason``: NULL, or why a value was refused. A line with a refused *key* has a NULL key.
    """
    key = [c for c in contract.grain if c != "valid_from"]
    columns = [*key, *contract.tracked]
    dtypes = {c: contract.schema.columns[c].dtype.type for c in columns}
    parsed = bronze.select(
        *(F.expr(_parse(c, dtypes[c])).alias(c) for c in columns),
        *(F.expr(values.text(c)).alias(f"_{c}") for c in columns),
        F.expr("try_cast(coverage as date)").alias("release"),  # of the file: a line that does not say is in it, too
        F.expr(_date("processing_date", day_first)).alias("_day"),
        F.col("processing_date").alias("_processing_date"),
        "source_line",
        "delivery_id",
    )
    reasons = [_refused(c, f"{c} is null", _expected(c, dtypes[c])) for c in key]
    reasons += [
        _refused(c, f"{c} is null and _{c} is not null", _expected(c, dtypes[c]))
        for c in contract.tracked
        if not isinstance(dtypes[c], T.StringType)
    ]
    reasons += [
        _refused(c, f"{c} not between 1 and 5", "stars from 1 to 5") for c in contract.tracked if c.endswith("_rating")
    ]
    one_release = _refused("processing_date", "_day is null or _day <> release", "the date of the release")
    return parsed.select(
        *columns,
        "release",
        "delivery_id",
        "source_line",
        F.expr(f"coalesce({', '.join([*reasons, one_release])})").alias("reason"),
    )


def present(rows: DataFrame, contract: Contract) -> DataFrame:
    """Rows whose key could be read: also those with refused values say that the key is in the release."""
    readable = " and ".join(f"{c} is not null" for c in contract.grain if c != "valid_from")
    return rows.where(readable)


def _date(column: str, day_first: Collection[str]) -> str:
    if not day_first:
        return values.date(column, day_first=False)
    deliveries = ", ".join(f"'{i}'" for i in sorted(day_first))
    return (
        f"case when delivery_id in ({deliveries}) then {values.date(column, day_first=True)} "
        f"else {values.date(column, day_first=False)} end"
    )


def _parse(column: str, dtype: T.DataType) -> str:
    if column == "provider_id":
        return values.ccn(column)
    if isinstance(dtype, T.IntegerType):
        return values.integer(column)
    if isinstance(dtype, T.DecimalType):
        return values.decimal(column, dtype.precision, dtype.scale)
    return values.text(column)


def _expected(column: str, dtype: T.DataType) -> str:
    if column == "provider_id":
        return "a CCN of six characters (12A456; a leading zero may be lost)"
    if isinstance(dtype, T.IntegerType):
        return "a whole number"
    return "a number" if isinstance(dtype, T.DecimalType) else "a value"


def _refused(column: str, condition: str, what: str) -> str:
    message = values.expected(f"_{column}", what).replace(f"'_{column}: ", f"'{column}: ")
    return f"case when {condition} then {message} end"
