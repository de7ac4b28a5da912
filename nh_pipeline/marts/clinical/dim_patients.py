"""``clinical_silver.dim_patients``: who is cared for, without a name or a number of theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.clinical.export import DELETION
from nh_pipeline.datasets.clinical.people import PATIENT
from nh_pipeline.marts.clinical.directory import LOOKUP
from nh_pipeline.marts.clinical.id_conflicts import ID_CONFLICTS
from nh_pipeline.marts.clinical.shared import PATIENT_BUCKET, PATIENT_ID, VERSION
from nh_pipeline.model.columns import category, date, flag, instant, text
from nh_pipeline.model.mart import Mart
from nh_pipeline.transforms import fhir_dates
from nh_pipeline.transforms.select import select

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

GENDERS = ("male", "female", "other", "unknown")


def dim_patients(patients: DataFrame, directory: DataFrame, deletions: DataFrame, conflicts: DataFrame) -> DataFrame:
    """The latest version of each patient."""
    from pyspark.sql import functions as F

    from nh_pipeline.transforms.latest import latest
    from nh_pipeline.transforms.references import resolved

    rows = resolved(latest(patients, deletions, conflicts, PATIENT.table), directory, "managing_organization")
    zip_digits = F.regexp_replace("address_postal_code", "[^0-9]", "").alias("_zip")
    sql = {
        "patient_id": "resource_id",
        "gender": f"case when gender in {GENDERS} then gender end",
        "birth_date": fhir_dates.written("birth_date"),
        "birth_date_precision": fhir_dates.precision("substr(birth_date, 1, 10)"),
        "is_deceased": "coalesce(deceased_boolean = 'true', false) or deceased_datetime is not null",
        "deceased_date": fhir_dates.written("deceased_datetime"),
        "deceased_at": fhir_dates.instant("deceased_datetime"),
        "race_code": "case when race_second_code is not null then 'multiple' else coalesce(race_code, race_text) end",
        "ethnicity_code": "coalesce(ethnicity_code, ethnicity_text)",
        "city": "address_city",
        "state": "address_state",
        "zip_code": "case when length(_zip) >= 5 then substr(_zip, 1, 5) end",
        "managing_organization_id": "managing_organization_resolved",
        "is_active": "coalesce(active <> 'false', true)",
    }
    return rows.select("*", zip_digits).selectExpr(*select(DIM_PATIENTS.columns, sql))


MART = Mart(
    "dim_patients",
    database="clinical_silver",
    description="Patients, one row each, as the latest delivery has them.",
    grain=("patient_id",),
    sort=("patient_id",),
    bucket="patient_bucket",
    columns=(
        PATIENT_ID.having(description="Patient.id; of a named source `source:id`"),
        PATIENT_BUCKET,
        category("gender", "Administrative gender", GENDERS),
        date("birth_date", "Date of birth; the first day of it if only the year or the month is known"),
        category("birth_date_precision", "How much of it is known", ("year", "month", "day")),
        flag("is_deceased", "The patient has died"),
        date("deceased_date", "Day of death, as written"),
        instant("deceased_at", "Time of death, where the source gives it"),
        text("race_code", "Race by OMB's categories; `multiple` if several, else in words"),
        text("ethnicity_code", "Ethnicity by OMB's categories, else in words"),
        text("marital_status_code", "Marital status, by HL7's codes"),
        text("city", "City of residence"),
        text("state", "State of residence"),
        text("zip_code", "ZIP code of residence, five digits"),
        text("managing_organization_id", "Organization that keeps the record"),
        flag("is_active", "The record is in use; true if it does not say"),
        *VERSION,
    ),
    reads=(PATIENT.table, LOOKUP, DELETION, ID_CONFLICTS),
    transform=dim_patients,
)

DIM_PATIENTS = MART.table
