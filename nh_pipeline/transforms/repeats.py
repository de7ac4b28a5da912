"""Lines that occur several times in a file and are several things all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import DataFrame


def numbered(lines: DataFrame, columns: Sequence[str], name: str) -> DataFrame:
    """Adds a column ``name``: 1, 2, … among the lines with equal ``columns``, in the order of the file.

    The lines are of one release, and have ``source_line``; NULL equals NULL.
    """
    equal = ", ".join(columns)
    return lines.selectExpr("*", f"row_number() over (partition by {equal} order by source_line) as {name}")
