"""Texts that engines might read differently, and what the transforms make of them."""

from __future__ import annotations

from typing import Any

from pyspark.sql import functions as F

from nh_pipeline.transforms import values

FIXED = {
    "decimal": [
        "28.8", "0", ".5", "12.340", "12.", "12.345", "1e3", "-1", "+5", "1,000", "1234567", "12345678",
        "1234567.00000000", "0000005", "5\n", "12.5\n", "5\r\n", "\t5", "5\t", "\u00a05", "\u0665",
    ],
    "integer": ["5", "5.0", "5.", "5.0000000", "05", "5.0\n", " 5 "],
    "date": [
        "20240401", "2024-04-01", "04/01/2024", "4/1/2024", "20240230", "2024-13-01", "02/30/2023", "20240229",
        "20240401\n", "2024-04-01T00:00:00", "2024-04-01 x", "99991231", "1/1/1", "13/04/2024", "1/8/2024 0:00",
        "1/8/2024 12:00:00 AM", "1/8/2024 0:00\n", "1/8/2024T00:00:00.000Z", "1.8.2024", "01-08-2024 00:00", "1-8.2024",
        "1/8/2024 x", "1/8/24", "\u0661/8/2024", "31.2.2024",
    ],
    "ccn": ["12a456", "12A456", "12A456\n", "12456", "012456", " 012456 ", "12\u00e9456", "\u01312A456", "\u00df23456"],
    "boolean": ["Y", "n", " y ", "yes", "Y\n"],
    "text": ["", "  ", "-", "---", "Not Available", "N/A", ".", " . ", " a ", "\n"],
}  # fmt: skip
TEXTS = [text for texts in FIXED.values() for text in texts]


def read_all(spark: Any) -> list[tuple[str | None, ...]]:
    """Every text as every type, rendered by Spark as text."""
    frame = spark.createDataFrame(list(enumerate(TEXTS)), "nth int, t string")
    typed = {
        "decimal": values.decimal("t", 9, 2),
        "integer": values.integer("t"),
        "date": values.date("t"),
        "month_first": values.date("t", day_first=False),
        "day_first": values.date("t", day_first=True),
        "ccn": values.ccn("t"),
        "text": values.text("t"),
        "boolean": values.boolean("t"),
        "checked": f"{values.is_decimal('t', 12, 6)} and {values.checked_number('t')} is not null",
    }
    columns = [F.expr(f"cast(({sql}) as string)").alias(name) for name, sql in typed.items()]
    return [tuple(row)[1:] for row in frame.select("nth", "t", *columns).orderBy("nth").collect()]
