"""Rows of a query as CSV or JSON: one batch after the other, so that memory does not grow with the result."""

from __future__ import annotations

import csv
import json
import math
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa

_ENCODE = json.JSONEncoder(default=str).encode


def write_csv(names: Sequence[str], batches: Iterable[pa.RecordBatch], out: TextIO) -> None:
    """A line of names and one of values per row; NULL is empty. Lines end with a line feed."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    for batch in batches:
        writer.writerows(zip(*(column.to_pylist() for column in batch.columns), strict=True))


def write_json(names: Sequence[str], batches: Iterable[pa.RecordBatch], out: TextIO) -> None:
    """An array with an object per row, as RFC 8259 has it, in ASCII.

    Decimals are numbers with all their digits, times are ISO 8601, what is no number is null. Columns of one name are
    all there: the second ``a`` is ``a_2``.
    """
    keys = (json.dumps(name).replace("%", "%%") for name in _distinct(names))
    row = "{" + ", ".join(f"{key}: %s" for key in keys) + "}"
    out.write("[")
    before = "\n"
    for batch in batches:
        columns = [[_json(value) for value in column.to_pylist()] for column in batch.columns]
        for cells in zip(*columns, strict=True):
            out.write(before + row % cells)
            before = ",\n"
    out.write("\n]\n")


def _distinct(names: Sequence[str]) -> list[str]:
    found: list[str] = []
    for name in names:
        number, other = 1, name
        while other in found or (number > 1 and other in names):
            number += 1
            other = f"{name}_{number}"
        found.append(other)
    return found


def _json(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(str(k))}: {_json(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_json, value)) + "]"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, float) and not math.isfinite(value):
        value = None
    elif isinstance(value, bytes):
        value = value.hex()
    elif isinstance(value, (date, datetime, time)):
        value = value.isoformat()
    return _ENCODE(value)
