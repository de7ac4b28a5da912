"""``clinical_silver.fct_procedures``: what was done to patients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.clinical.care import PROCEDURE
from nh_pipeline.datasets.clinical.export import DELETION
from nh_pipeline.marts.clinical.directory import LOOKUP
from nh_pipeline.marts.clinical.id_conflicts import ID_CONFLICTS
from nh_pipeline.marts.clinical.shared import CODE, OF_ENCOUNTER, OF_PATIENT, PATIENT_BUCKET, PATIENT_ID, VERSION
from nh_pipeline.model.columns import category, date, instant, text
from nh_pipeline.model.mart import Mart
from nh_pipeline.transforms import fhir_dates
from nh_pipeline.transforms.select import select

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def fct_procedures(
    procedures: DataFrame, directory: DataFrame, deletions: DataFrame, conflicts: DataFrame
) -> DataFrame:
    """The latest version of each procedure."""
    from nh_pipeline.transforms.latest import latest
    from nh_pipeline.transforms.references import resolved

    rows = resolved(latest(procedures, deletions, conflicts, PROCEDURE.table), directory, "encounter", "reason")
    sql = {
        "procedure_id": "resource_id",
        "encounter_id": "encounter_resolved",
        "code_display": "coalesce(code_display, code_text)",
        "performed_at": fhir_dates.instant("performed_start"),
        "performed_date": fhir_dates.written("performed_start"),
        "performed_precision": fhir_dates.precision("performed_start"),
        "performed_end_date": fhir_dates.written("performed_end"),
        "reason_condition_id": "reason_resolved",
    }
    return rows.selectExpr(*select(FCT_PROCEDURES.columns, sql))


MART = Mart(
    "fct_procedures",
    database="clinical_silver",
    description="Procedures of patients, one row each, as the latest delivery has them.",
    grain=("procedure_id",),
    sort=("patient_id", "procedure_id"),
    bucket="patient_bucket",
    columns=(
        text("procedure_id", "Procedure.id", nullable=False),
        PATIENT_ID.having(nullable=True),
        PATIENT_BUCKET,
        text("encounter_id", "Encounter in which it was done"),
        text("status", "State of the procedure"),
        text("category_code", "Category"),
        *CODE,
        instant("performed_at", "When it began, where the source gives time and zone"),
        date("performed_date", "When it began, as written; the first day of the year or month"),
        category("performed_precision", "How exactly that is known", fhir_dates.PRECISIONS),
        date("performed_end_date", "When it ended, as written"),
        text("reason_condition_id", "Condition, or observation, that is its reason"),
        *VERSION,
    ),
    reads=(PROCEDURE.table, LOOKUP, DELETION, ID_CONFLICTS),
    transform=fct_procedures,
    foreign_keys=(
        OF_PATIENT,
        OF_ENCOUNTER,
    ),
)

FCT_PROCEDURES = MART.table
