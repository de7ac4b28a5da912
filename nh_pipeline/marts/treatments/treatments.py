"""``treatments_silver.treatments``: what holds of each treatment, whatever was delivered in which order.

Each delivered item is one that was there at a time: when DynamoDB wrote it; else when it was changed, or, as an
extraction has seen it, when that began, as far as clocks can be trusted. What was deleted since, or lacks in the last
full extraction that began since, is no more; of what is left of a treatment, the latest counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.facility_map import DIM_FACILITY_MAP
from nh_pipeline.datasets.treatments.attributes import ATTRIBUTES
from nh_pipeline.datasets.treatments.outcomes import OUTCOME_CLASSES, outcome_class
from nh_pipeline.datasets.treatments.tables import EXTRACTIONS, REJECTS, TREATMENT_ITEMS
from nh_pipeline.marts.treatments.shared import digest
from nh_pipeline.model.columns import category, flag, text
from nh_pipeline.model.mart import Mart
from nh_pipeline.model.rules import CCN
from nh_pipeline.transforms.select import select

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_NAMES = tuple(attribute.name for attribute in ATTRIBUTES)
_AT = TREATMENT_ITEMS.grain
_MODIFIED_AT = "cast(metadata_modified_at as timestamp)"
_CHANGED_AT = f"least({_MODIFIED_AT}, started_at)"
_THERE_AT = f"coalesce(write_time, greatest({_CHANGED_AT}, _seen_at), {_CHANGED_AT})"
_SURE_AT = "timestampadd(second, -overlap_seconds, started_at)"
_ORDER = ", ".join(
    f"{by} desc nulls last" for by in (_MODIFIED_AT, "write_time", "started_at", "delivery_id", "member", "source_line")
)
"""The latest first: a total order."""

_VALUES = ", ".join(f"coalesce({name}, '-')" for name in (*_NAMES, "extra_attributes"))
_CONTENT = digest(f"concat_ws('|', {_VALUES})")


def treatments(items: DataFrame, extractions: DataFrame, rejects: DataFrame, confirmed: DataFrame) -> DataFrame:
    """The latest item of each treatment that is still there, typed."""
    latest = _latest(items, extractions, rejects).join(_passed(extractions), ["table_name", "_first_at"], "left")
    counted = items.join(latest.select(*_AT, "is_conflicting", "_passed_until"), [*_AT])
    typed = counted.selectExpr(
        *select(tuple(attribute.column for attribute in ATTRIBUTES), {}),
        "coerced is not null as is_type_coerced",
        f"coalesce({_MODIFIED_AT} > started_at, false) as is_future_modified",
        "is_conflicting",
        f"coalesce({_MODIFIED_AT} < _passed_until, false) as is_late",
    )
    homes = confirmed.selectExpr("organization_id as provider_affiliated_hospital", "provider_id as facility_ccn")
    started, completed = "cast(treatment_start_at as date)", "cast(treatment_completion_at as date)"
    sql = {
        "outcome_class": outcome_class("treatment_outcome_status", "treatment_completion_at"),
        "is_completed_before_start": "coalesce(treatment_completion_at < treatment_start_at, false)",
        "is_duration_inconsistent": f"coalesce(treatment_duration_in_days <> datediff({completed}, {started}), false)",
        "is_cost_negative": "coalesce(treatment_cost < 0, false)",
    }
    return typed.join(homes, "provider_affiliated_hospital", "left").selectExpr(*select(TREATMENTS.columns, sql))


def _latest(items: DataFrame, extractions: DataFrame, rejects: DataFrame) -> DataFrame:
    """Where the latest items stand that nothing says are gone.

    To find them takes few columns: engines sort all that there are. Of numbers, as windows over text take much memory.
    """
    few = ("treatment_id", "metadata_modified_at", "write_time", "started_at", "table_name", *_AT)
    held = _held(items.selectExpr("op", *few, f"{_CONTENT} as _content"), extractions, rejects)
    same = "over (partition by treatment_id, metadata_modified_at)"
    return held.selectExpr(
        "table_name",
        *_AT,
        f"row_number() over (partition by treatment_id order by {_ORDER}) as _nth",
        f"min(_content) {same} <> max(_content) {same} as is_conflicting",
        f"min(started_at) {same} as _first_at",
    ).where("_nth = 1")


def _held(items: DataFrame, extractions: DataFrame, rejects: DataFrame) -> DataFrame:
    """Items that nothing says are gone."""
    from pyspark.sql import functions as F

    deleted = (
        items.where("op = 'delete'")
        .groupBy("treatment_id")
        .agg(F.expr("max(coalesce(write_time, started_at)) as _deleted_at"))
    )
    last = "row_number() over (partition by table_name order by started_at desc, delivery_id desc) as _nth"
    full = (
        extractions.where("is_full and table_name <> ''")
        .selectExpr("*", last)
        .where("_nth = 1")
        .selectExpr(
            "table_name",
            "delivery_id as _full",
            "started_at as _full_at",
            f"{_SURE_AT} as _sure_until",
        )
    )
    # What was refused there was there all the same.
    refused = rejects.selectExpr("delivery_id as _full", "cast(treatment_id as string) as treatment_id")
    shown = (
        items.where("op = 'put'")
        .selectExpr("delivery_id as _full", "treatment_id")
        .union(refused)
        .join(full.select("_full", "table_name"), "_full")
        .groupBy("table_name", "treatment_id")
        .agg(F.expr("true as _is_shown"))
    )
    # Of a file alone nobody knows when it was extracted.
    seen = extractions.where("mode <> 'file'").selectExpr("delivery_id", f"{_SURE_AT} as _seen_at")
    puts = items.where("op = 'put'").join(seen, "delivery_id", "left").selectExpr("*", f"{_THERE_AT} as _there_at")
    looked = (
        puts.join(deleted, "treatment_id", "left")
        .join(full, "table_name", "left")
        .join(shown, ["table_name", "treatment_id"], "left")
    )
    is_missed = "_is_shown is null and started_at < _full_at and _there_at < _sure_until"
    return looked.where(f"(_deleted_at is null or _there_at > _deleted_at) and not coalesce({is_missed}, false)")


def _passed(extractions: DataFrame) -> DataFrame:
    """Full extractions by their beginning, and until when extractions before had to see what was written in time."""
    from pyspark.sql import functions as F

    before = "over (partition by table_name order by started_at rows between unbounded preceding and 1 preceding)"
    return (
        extractions.where("mode <> 'file' and table_name <> ''")
        .groupBy("table_name", "started_at")
        .agg(
            F.expr("max(is_full) as is_full"),
            F.expr("max(overlap_seconds) as _overlap"),
            F.expr("max(case when newest_modified_at <= started_at then newest_modified_at end) as _newest"),
        )
        .selectExpr("*", f"max(_newest) {before} as _known")
        .where("is_full")
        .selectExpr("table_name", "started_at as _first_at", "timestampadd(second, -_overlap, _known) as _passed_until")
    )


_COLUMNS = {attribute.name: attribute.column for attribute in ATTRIBUTES}
_FIRST = _NAMES[: _NAMES.index("treatment_outcome_status") + 1]

MART = Mart(
    "treatments",
    database="treatments_silver",
    description="Treatments, one row each, as the latest item has them that is still there.",
    grain=("treatment_id",),
    columns=(
        *(_COLUMNS[name] for name in _FIRST),
        category("outcome_class", "What the outcome means: see the documentation", OUTCOME_CLASSES, nullable=False),
        *(_COLUMNS[name] for name in _NAMES if name not in _FIRST),
        text("facility_ccn", "CCN of the hospital or home, if a line of the facility map has its name", allowed=CCN),
        flag("is_completed_before_start", "It was over before it began"),
        flag("is_duration_inconsistent", "The duration is not the days from start to completion"),
        flag("is_cost_negative", "The cost is below zero"),
        flag("is_future_modified", "It was changed after it was extracted, by the source's own clock"),
        flag("is_type_coerced", "A value had another type than it should, or was only the day of a time"),
        flag("is_conflicting", "Other items were changed at the same time, and are not the same"),
        flag("is_late", "Windows missed it, as it was written later than the overlap: a full extraction did not"),
    ),
    reads=(TREATMENT_ITEMS, EXTRACTIONS, REJECTS, DIM_FACILITY_MAP),
    transform=treatments,
    caution="patient_id is the treatment system's own number, not that of the clinical domain",
)

TREATMENTS = MART.table
