"""``clinical_silver.fct_observation_values``: every value of every observation.

A *leaf* is a value: an observation's own, or one of its components. So a blood pressure is two rows, and its panel,
which has no value of its own, is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.clinical.export import DELETION
from nh_pipeline.datasets.clinical.observations import OBSERVATION, OBSERVATION_VALUE
from nh_pipeline.marts.clinical.directory import LOOKUP
from nh_pipeline.marts.clinical.id_conflicts import ID_CONFLICTS
from nh_pipeline.marts.clinical.shared import OF_ENCOUNTER, OF_PATIENT, PATIENT_BUCKET, PATIENT_ID, VERSION
from nh_pipeline.model.columns import Column, category, count, date, flag, instant, text
from nh_pipeline.model.mart import Mart
from nh_pipeline.model.types import DOUBLE
from nh_pipeline.transforms import fhir_dates
from nh_pipeline.transforms.select import select

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

STATUSES = ("registered", "preliminary", "final", "amended", "corrected", "cancelled", "unknown")
KINDS = {
    "Quantity": "quantity",
    "CodeableConcept": "code",
    "string": "string",
    "boolean": "boolean",
    "integer": "integer",
    "dateTime": "datetime",
    "Period": "period",
    "Range": "range",
    "Ratio": "ratio",
    "time": "time",
    "SampledData": "sampled",
}
"""Types of values in FHIR, and what they are called here; what has none is ``absent``, of another type ``other``."""

KEY = "patient_id, obs_at, obs_code"
KEYED = "patient_id is not null and obs_at is not null and obs_code is not null"
"""What ``fct_observations`` has one value of; where that is known."""

_FOLDED = "lower(trim(regexp_replace(code_text, '[ \\\\t\\\\r\\\\n]+', ' ')))"
_NUMBER = r"'^-?[0-9]+([.][0-9]+)?([eE][+-]?[0-9]+)?\\z'"


def fct_observation_values(
    observations: DataFrame, values: DataFrame, directory: DataFrame, deletions: DataFrame, conflicts: DataFrame
) -> DataFrame:
    """The values of the latest version of each observation."""
    from nh_pipeline.transforms.latest import elements, winners
    from nh_pipeline.transforms.references import resolved

    leaves = elements(values, winners(observations, deletions, conflicts, OBSERVATION.table))
    kinds = " ".join(f"when '{fhir}' then '{kind}'" for fhir, kind in KINDS.items())
    at, day = fhir_dates.instant("effective"), fhir_dates.written("effective")
    issued = fhir_dates.instant("issued")
    effective_day = (
        f"case when {fhir_dates.precision('effective')} in ('day', 'time') then cast({day} as timestamp) end"
    )
    source = (
        f"case when {at} is not null then 'effective' when {effective_day} is not null then 'effective_day' "
        f"when {issued} is not null then 'issued' end"
    )
    sql = {
        "obs_at": f"coalesce({at}, {effective_day}, {issued})",
        "obs_at_source": source,
        "obs_date": f"coalesce({day}, {fhir_dates.written('issued')})",
        "obs_code": f"coalesce(code_code, concat('text:', {_FOLDED}))",
        "obs_system": "code_system",
        "obs_display": "coalesce(code_display, code_text)",
        "panel_code": "case when item_index > 0 then panel_code end",
        "observation_id": "resource_id",
        "encounter_id": "encounter_resolved",
        "status": f"case when status in {STATUSES} then status else 'unknown' end",
        "value_kind": f"case value_kind {kinds} else case when value_kind is null then 'absent' else 'other' end end",
        "value_number": f"case when value_number rlike {_NUMBER} then try_cast(value_number as double) end",
        "value_text": (
            "coalesce(value_number, value_string, value_text, value_display, "
            "case value_kind when 'Period' then concat(coalesce(value_start, ''), '/', coalesce(value_end, '')) "
            "when 'Range' then concat(coalesce(value_low, ''), '..', coalesce(value_high, '')) "
            "when 'Ratio' then concat(coalesce(value_numerator, ''), ':', coalesce(value_denominator, '')) end)"
        ),
        "value_unit": "coalesce(value_unit_code, value_unit)",
    }
    named = [name for name in FCT_OBSERVATION_VALUES.names if name not in ("n_candidates", "is_conflicting")]
    columns = tuple(FCT_OBSERVATION_VALUES.by_name[name] for name in named)
    read = resolved(leaves, directory, "encounter").selectExpr(*select(columns, sql))
    keyed = f"({KEYED})"
    among = f"over (partition by {KEY})"
    said = "concat_ws('|', value_kind, coalesce(value_text, ''), coalesce(value_unit, ''))"
    compared = {
        "n_candidates": f"case when {keyed} then count(1) {among} else 1 end",
        "is_conflicting": f"{keyed} and min({said}) {among} <> max({said}) {among}",
    }
    return read.selectExpr(*select(FCT_OBSERVATION_VALUES.columns, compared))


COLUMNS = (
    PATIENT_ID,
    PATIENT_BUCKET,
    instant(
        "obs_at", "When it was observed; midnight UTC if only the day is known; if nothing is, when it was made known",
        nullable=False,
    ),
    category("obs_at_source", "What that is", ("effective", "effective_day", "issued"), nullable=False),
    date("obs_date", "Day of it, as written", nullable=False),
    text("obs_code", "What was observed: code, or `text:` and the text in small letters", nullable=False),
    text("obs_system", "System of the code"),
    text("obs_display", "What was observed, in the source's words"),
    text("panel_code", "Code of the whole observation, if this is a component of it"),
    text("observation_id", "Observation.id", nullable=False),
    count("item_index", "0 for the observation's own value, components from 1", nullable=False),
    text("encounter_id", "Encounter in which it was made"),
    text("category_code", "Category"),
    category("status", "State of the observation; what was entered in error is not here", STATUSES, nullable=False),
    category("value_kind", "Type of the value", (*KINDS.values(), "absent", "other"), nullable=False),
    Column(name="value_number", type=DOUBLE, description="The number", unit="value_unit"),
    text("value_text", "The value exactly as written; of a code, its text; `from/to`, `low..high`, `this:that`"),
    text("value_unit", "Unit in UCUM, else in words"),
    text("value_comparator", "`<`, `<=`, `>=` or `>` if the number is a limit: never average it with others"),
    text("value_system", "System of a coded value"),
    text("value_code", "Code of a coded value"),
    text("value_display", "A coded value in words"),
    text("interpretation_code", "Whether it is high, low, normal"),
    text("absent_reason", "Why there is no value"),
    count("n_candidates", "Values for the same patient, time and code", nullable=False),
    flag("is_conflicting", "They differ in type, value or unit"),
    *VERSION,
)  # fmt: skip
_MAY_LACK = ("patient_id", "obs_at", "obs_at_source", "obs_date", "obs_code")
REFERS = (
    OF_PATIENT,
    OF_ENCOUNTER,
)

MART = Mart(
    "fct_observation_values",
    database="clinical_silver",
    description="Every value of every observation, one row each, as the latest delivery has them.",
    grain=("observation_id", "item_index"),
    sort=("patient_id", "obs_at", "obs_code", "observation_id", "item_index"),
    bucket="patient_bucket",
    columns=tuple(column.having(nullable=True) if column.name in _MAY_LACK else column for column in COLUMNS),
    reads=(OBSERVATION.table, OBSERVATION_VALUE.table, LOOKUP, DELETION, ID_CONFLICTS),
    transform=fct_observation_values,
    foreign_keys=REFERS,
)

FCT_OBSERVATION_VALUES = MART.table
