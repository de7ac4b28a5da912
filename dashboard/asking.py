"""What sections get to ask with: SQL in, a data frame out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from nh_pipeline.queries.open import Queries

MOST_ROWS = 200_000
"""Rows of one answer: pages show aggregates, or one home; more is a mistake of ours."""


class Ask(Protocol):
    """Asks one question, written in DuckDB's dialect with ``?`` for its parameters."""

    def __call__(self, sql: str, *parameters: Any) -> pd.DataFrame:
        """The rows; decimals are to be cast to doubles in the question, dates come as timestamps."""
        ...


def directly(queries: Queries) -> Ask:
    """Asks each time anew."""
    return lambda sql, *parameters: frame(queries.query(sql, parameters))


def frame(answer: pa.Table) -> pd.DataFrame:
    """An answer for charts and tables.

    Raises:
        ValueError: it is too long to be shown.
    """
    if len(answer) > MOST_ROWS:
        raise ValueError(f"{len(answer)} rows: a page shows at most {MOST_ROWS}. Choose fewer days or homes")
    found: pd.DataFrame = answer.to_pandas(date_as_object=False)
    return found
