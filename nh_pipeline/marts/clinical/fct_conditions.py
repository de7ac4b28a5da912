"""``clinical_silver.fct_conditions``: diagnoses and problems of patients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.clinical.care import CONDITION
from nh_pipeline.datasets.clinical.export import DELETION
from nh_pipeline.marts.clinical.directory import LOOKUP
from nh_pipeline.marts.clinical.id_conflicts import ID_CONFLICTS
from nh_pipeline.marts.clinical.shared import CODE, OF_ENCOUNTER, OF_PATIENT, PATIENT_BUCKET, PATIENT_ID, VERSION
from nh_pipeline.model.columns import category, date, text
from nh_pipeline.model.mart import Mart
from nh_pipeline.transforms import fhir_dates
from nh_pipeline.transforms.select import select

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def fct_conditions(
    conditions: DataFrame, directory: DataFrame, deletions: DataFrame, conflicts: DataFrame
) -> DataFrame:
    """The latest version of each condition."""
    from nh_pipeline.transforms.latest import latest
    from nh_pipeline.transforms.references import resolved

    rows = resolved(latest(conditions, deletions, conflicts, CONDITION.table), directory, "encounter")
    sql = {
        "condition_id": "resource_id",
        "encounter_id": "encounter_resolved",
        "code_display": "coalesce(code_display, code_text)",
        "onset_date": fhir_dates.written("onset_datetime"),
        "onset_precision": fhir_dates.precision("onset_datetime"),
        "abatement_date": fhir_dates.written("abatement_datetime"),
        "recorded_date": fhir_dates.written("recorded_date"),
    }
    return rows.selectExpr(*select(FCT_CONDITIONS.columns, sql))


MART = Mart(
    "fct_conditions",
    database="clinical_silver",
    description="Conditions of patients, one row each, as the latest delivery has them.",
    grain=("condition_id",),
    sort=("patient_id", "condition_id"),
    bucket="patient_bucket",
    columns=(
        text("condition_id", "Condition.id", nullable=False),
        PATIENT_ID.having(nullable=True),
        PATIENT_BUCKET,
        text("encounter_id", "Encounter in which it was recorded"),
        text("category_code", "`encounter-diagnosis`, `problem-list-item` and the like"),
        *CODE,
        text("clinical_status", "Whether it is active"),
        text("verification_status", "Whether it is confirmed; what was entered in error is not here"),
        text("severity_code", "Severity"),
        date("onset_date", "When it began, as written; the first day of the year or month"),
        category("onset_precision", "How exactly that is known", fhir_dates.PRECISIONS),
        date("abatement_date", "When it ended, as written"),
        date("recorded_date", "When it was recorded, as written"),
        *VERSION,
    ),
    reads=(CONDITION.table, LOOKUP, DELETION, ID_CONFLICTS),
    transform=fct_conditions,
    foreign_keys=(
        OF_PATIENT,
        OF_ENCOUNTER,
    ),
)

FCT_CONDITIONS = MART.table
