"""What a delivery holds, once its lines are in bronze: which values its rules refuse, and whose keys are left.

The rules are those of the transforms that build silver from the same lines; so nothing is decided twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from nh_pipeline.periods import quarter_bounds
from nh_pipeline.pipeline.deliveries import DIMENSIONS, STAFFING, is_day_first
from nh_pipeline.pipeline.notes import RefusedSample
from nh_pipeline.transforms import staffing
from nh_pipeline.transforms import typed as monthly

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from nh_pipeline.landing.manifest import Delivery

_SAMPLES = 20

_COLUMN = "substring_index(reason, ': expected ', 1)"
"""A reason names its column first: ``census: expected a whole number, found ...``."""


def inspected(bronze: DataFrame, delivery: Delivery, *, ragged: DataFrame | None) -> dict[str, Any]:
    """Fields of a :class:`~nh_pipeline.pipeline.notes.DeliveryNote`, by the rules of the silver table.

    Args:
        bronze: the delivery's lines.
        delivery: the delivery.
        ragged: its lines that are no records, as ``bronze.rejects`` shows them; None if there are none.
    """
    look = _daily if delivery.manifest.dataset == STAFFING else _release
    lines, found = look(bronze, delivery)
    # One pass: lines by facility, and by what is wrong with them.
    counts = lines.groupBy("facility", F.expr(_COLUMN).alias("refused")).agg(F.count(F.lit(1)).alias("lines")).collect()
    refused: dict[str, int] = {}
    for row in counts:
        if row["refused"] is not None:
            refused[row["refused"]] = refused.get(row["refused"], 0) + int(row["lines"])
    facilities = sorted({row["facility"] for row in counts if row["facility"] is not None})
    usable = sum(int(row["lines"]) for row in counts if row["facility"] is not None)
    wrong = [lines.where("reason is not null").select("source_line", "reason")] if refused else []
    wrong += [ragged.select("source_line", "reason")] if ragged is not None else []
    found_lines = [
        (int(row["source_line"]), str(row["reason"]))
        for part in wrong
        for row in part.orderBy("source_line").limit(_SAMPLES).collect()
    ]
    return {
        "refused": dict(sorted(refused.items())),
        "samples": [RefusedSample(line=n, reason=why) for n, why in sorted(found_lines)[:_SAMPLES]],
        "keys": usable,
        "facilities": " ".join(facilities),
        **found,
    }


def _daily(bronze: DataFrame, delivery: Delivery) -> tuple[DataFrame, dict[str, Any]]:
    """Lines with their facility (NULL where the line is refused), and the days of the quarter that they speak of."""
    quarter = delivery.manifest.coverage.key
    day_first = is_day_first(delivery)
    doubled = int(staffing.doubled_keys(bronze, day_first=day_first).count())
    lines = staffing.judged(bronze, quarter, doubled=doubled > 0, day_first=day_first)
    first, last = quarter_bounds(quarter)
    days = (row["day"] for row in staffing.days(bronze, day_first=day_first).collect())
    told = sorted(d.isoformat() for d in days if d is not None and first <= d <= last)
    facility = F.expr(f"case when reason is null then {staffing.CCN} end").alias("facility")
    return lines.select(facility, "reason", "source_line"), {"doubled": doubled, "days": told}


def _release(bronze: DataFrame, delivery: Delivery) -> tuple[DataFrame, dict[str, Any]]:
    """Lines with their facility (NULL where their key cannot be read): a refused line says that it is there."""
    contract = DIMENSIONS[delivery.manifest.dataset]
    typed = monthly.typed_release_rows(
        bronze, contract, day_first=[delivery.delivery_id] if is_day_first(delivery) else []
    )
    key = [c for c in contract.grain if c != "valid_from"]
    there = monthly.present(typed, contract)
    doubled = there.groupBy(*key).agg(F.count(F.lit(1)).alias("lines")).where("lines > 1").count()
    readable = " and ".join(f"{c} is not null" for c in key)
    facility = F.expr(f"case when {readable} then provider_id end").alias("facility")
    return typed.select(facility, "reason", "source_line"), {"doubled": int(doubled)}
