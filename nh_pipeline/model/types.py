"""The types of columns: one map to those of Spark, Iceberg, Arrow and Python. Libraries load when they are asked."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any


@dataclass(frozen=True)
class Type:
    """A type of values.

    Attributes:
        name: as Spark SQL writes it, without its arguments.
        spark: its class in ``pyspark.sql.types``.
        iceberg: its class in ``pyiceberg.types``.
        arrow: its function in ``pyarrow``.
        python: the class of its values.
        arguments: precision and scale of a decimal.
        for_arrow: what Arrow's function takes in their place; None for the same.
    """

    name: str
    spark: str
    iceberg: str
    arrow: str
    python: Any
    arguments: tuple[int, ...] = ()
    for_arrow: tuple[str, ...] | None = None

    @property
    def sql(self) -> str:
        """As SQL writes it: ``decimal(9,2)``."""
        return self.name + (f"({','.join(map(str, self.arguments))})" if self.arguments else "")

    def of(self, library: str) -> Any:
        """The type of a library: ``spark``, ``iceberg`` or ``arrow``."""
        module = {"spark": "pyspark.sql.types", "iceberg": "pyiceberg.types", "arrow": "pyarrow"}[library]
        arguments = self.for_arrow if library == "arrow" and self.for_arrow is not None else self.arguments
        return getattr(importlib.import_module(module), getattr(self, library))(*arguments)


TEXT = Type("string", "StringType", "StringType", "string", str)
INTEGER = Type("int", "IntegerType", "IntegerType", "int32", int)
LONG = Type("bigint", "LongType", "LongType", "int64", int)
DOUBLE = Type("double", "DoubleType", "DoubleType", "float64", float)
BOOLEAN = Type("boolean", "BooleanType", "BooleanType", "bool_", bool)
DATE = Type("date", "DateType", "DateType", "date32", date)
INSTANT = Type("timestamp", "TimestampType", "TimestamptzType", "timestamp", datetime, for_arrow=("us", "UTC"))


def exact(precision: int, scale: int) -> Type:
    """An exact number of so many digits, ``scale`` of them decimals."""
    return Type("decimal", "DecimalType", "DecimalType", "decimal128", Decimal, (precision, scale))
