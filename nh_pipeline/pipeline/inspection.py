"""What a delivery holds, once its lines are in bronze: which values its rules refuse, and whose keys are left.

The rules are those by which the silver tables are built from the same lines; so nothing is decided twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from nh_pipeline.lake.duck import reading
from nh_pipeline.model.table import LINEAGE
from nh_pipeline.periods import quarter_bounds
from nh_pipeline.pipeline.deliveries import is_day_first
from nh_pipeline.pipeline.notes import RefusedSample
from nh_pipeline.transforms import typed

if TYPE_CHECKING:
    from nh_pipeline.lake.lake import Lake
    from nh_pipeline.lake.snapshots import TableSnapshot
    from nh_pipeline.landing.manifest import Delivery
    from nh_pipeline.model.dataset import Dataset

_SAMPLES = 20

_COLUMN = "substring_index(reason, ': expected ', 1)"
"""A reason names its column first: ``census: expected a whole number, found ...``."""


def inspected(bronze: DataFrame, dataset: Dataset, delivery: Delivery, *, ragged: DataFrame | None) -> dict[str, Any]:
    """Fields of a :class:`~nh_pipeline.pipeline.notes.DeliveryNote`, by the rules of all tables of the dataset.

    ``ragged`` are its lines that are no records, as ``bronze.rejects`` shows them.
    """
    day_first = [delivery.delivery_id] if is_day_first(delivery) else []
    quarter = delivery.manifest.coverage.key if dataset.coverage == "quarter" else ""
    keys = typed.doubled_keys(bronze, dataset, quarter=quarter, day_first=day_first) if dataset.key else None
    doubled = 0 if keys is None else int(keys.count())
    twice = bool(quarter and doubled)
    if not twice and typed.are_plain(bronze, dataset, dataset.typed, quarter=quarter, day_first=day_first):
        lines = typed.unrefused(bronze)
    else:
        lines = typed.classified(bronze, dataset, dataset.typed, quarter=quarter, doubled=twice, day_first=day_first)
    # A refused day is no day. In a release, the line says all the same that its facility is there.
    there = "reason is null" if quarter else typed.readable_sql(dataset, day_first=day_first)
    name = typed.parse_sql(dataset.by_name[dataset.facility]) if dataset.facility else "''"
    lines = lines.select(F.expr(f"case when {there} then {name} end").alias("facility"), "reason", "source_line")
    # One pass: lines by facility, and by what is wrong with them.
    counts = lines.groupBy("facility", F.expr(_COLUMN).alias("refused")).agg(F.count(F.lit(1)).alias("lines")).collect()
    refused: dict[str, int] = {}
    for row in counts:
        if row["refused"] is not None:
            refused[row["refused"]] = refused.get(row["refused"], 0) + int(row["lines"])
    facilities = sorted({row["facility"] for row in counts if row["facility"] is not None})
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
        "keys": sum(int(row["lines"]) for row in counts if row["facility"] is not None),
        "facilities": " ".join(facilities),
        "doubled": doubled,
        "days": _days(bronze, dataset, quarter, day_first) if dataset.day and quarter else (),
    }


def content_of(lake: Lake, dataset: Dataset, bronze: TableSnapshot) -> str:
    """A digest of a release's lines without its date, whatever their order: CMS has published some twice.

    Each line counts with the cells that it has, by the names of their columns: a column that nobody fills, or that is
    declared later, changes nothing. The lines' digests are added up, so that equal lines count, too.
    """
    lineage = {c.name for c in LINEAGE} - {"extra_columns"}
    names = sorted(set(dataset.bronze.names) - lineage - {dataset.dated_by})
    line = ", ".join(f"""'{name}=' || "{name}\"""" for name in names)
    sql = f"select count(*), sum(md5_number_lower(line)) from (select concat_ws(chr(31), {line}) as line from t)"
    with reading(lake, {"t": (dataset.bronze, bronze)}) as db:
        return "-".join(map(str, db.execute(sql).fetchone() or ()))


def _days(bronze: DataFrame, dataset: Dataset, quarter: str, day_first: list[str]) -> list[str]:
    """The days of the quarter that the lines speak of, ISO."""
    sql = typed.parse_sql(dataset.by_name[str(dataset.day)], day_first)
    written = bronze.select(str(dataset.day), "delivery_id").distinct()  # few: to read each line's would take longer
    found = (row["day"] for row in written.select(F.expr(sql).alias("day")).collect())
    first, last = quarter_bounds(quarter)
    return sorted(d.isoformat() for d in found if d is not None and first <= d <= last)
