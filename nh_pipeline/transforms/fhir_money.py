r"""Amounts of money that FHIR writes as text, in Spark SQL: exact, half up to four places.

Many have the noise of doubles (112.41600000000001). To round each to cents would change their sum.
"""

from __future__ import annotations

AMOUNT = "decimal(18,4)"


def amount(column: str) -> str:
    """The amount; NULL for what is no number, or has more than 14 digits before the point."""
    plain = rf"{column} rlike '^-?[0-9]{{1,14}}([.][0-9]+)?\\z'"
    exponent = rf"{column} rlike '^-?[0-9]+([.][0-9]+)?[eE][+-]?[0-9]{{1,2}}\\z'"
    return (
        f"case when {plain} then cast(try_cast({column} as decimal(38,18)) as {AMOUNT}) "
        f"when {exponent} then try_cast(try_cast({column} as double) as {AMOUNT}) end"
    )
