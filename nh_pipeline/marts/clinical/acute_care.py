"""Acute stays and visits of emergency departments: what readmissions, revisits and the outcomes of homes count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.clinical.reference.planned import PLANNED_DIAGNOSES, PLANNED_PROCEDURES, PLANNED_TYPES
from nh_pipeline.transforms.stays import KNOWN_END, counted, stays

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

WITHIN = 30
"""Days in which what follows counts."""

ACUTE_LEG = counted("acute_inpatient")
ED_LEG = f"({counted('emergency')} and {KNOWN_END} is not null)"
"""SQL for the encounters that acute stays, and visits of emergency departments, are made of."""

_OTHER_PLACE = "organization_id <> _leg.organization_id"
_GOES_ON = (
    f"start_date < _leg.until or (start_date = _leg.until and ({_OTHER_PLACE} or "
    f"diagnosis_category = _leg.diagnosis_category)) or (start_date = date_add(_leg.until, 1) and {_OTHER_PLACE})"
)
_START, _END = "coalesce(start_at, cast(start_date as timestamp))", "coalesce(end_at, cast(end_date as timestamp))"


def acute_stays(encounters: DataFrame, procedures: DataFrame) -> DataFrame:
    """Stays in acute hospitals, with ``admit_date``, ``admit_at``, ``discharge_date`` and ``is_planned``.

    A stay goes on in what overlaps with it, in a transfer of the same or the next day, and on the same day in the same
    hospital with a diagnosis of the same category. An unknown hospital is no other one.
    """
    from pyspark.sql import functions as F

    legs = encounters.where(ACUTE_LEG)
    done = procedures.where(f"coalesce(status, '') <> 'not-done' and {PLANNED_PROCEDURES.sql('code')}")
    planned = f"{PLANNED_DIAGNOSES.sql('primary_diagnosis')} or {PLANNED_TYPES.sql('type')}"
    found = stays(
        legs.join(done.select("encounter_id", F.lit(True).alias("_done")).distinct(), "encounter_id", "left"),
        "patient_id",
        start="start_date",
        end=KNOWN_END,
        goes_on=_GOES_ON,
        also={
            "admit_date": "min(start_date)",
            "admit_at": "min(start_at)",
            "_treated": "max(coalesce(_done, false))",
            "_elective": f"first_value({planned})",
        },
    )
    return found.selectExpr(
        "*", "case when not _open then _until end as discharge_date", "_treated or _elective as is_planned"
    )


def ed_visits(encounters: DataFrame, admissions: DataFrame) -> DataFrame:
    """Visits of emergency departments that ended, with ``arrived_at``, ``arrival_date`` and ``is_admitted``.

    Rows that touch or overlap are one visit. It led to an admission if an acute stay began between the day of arrival
    and the day after departure. Where the source gives no time of day, it is midnight.
    """
    from pyspark.sql import functions as F

    visits = stays(
        encounters.where(ED_LEG),
        "patient_id",
        start=_START,
        end=f"greatest({_START}, {_END})",
        goes_on="_start <= _leg.until",
        also={"arrived_at": "min(_start)", "arrival_date": "min(start_date)"},
    )
    stayed = admissions.selectExpr("patient_id as _patient", "admit_date as _admitted_on")
    led = "patient_id = _patient and _admitted_on between arrival_date and date_add(end_date, 1)"
    admitted = visits.join(stayed, F.expr(led), "left_semi").select("encounter_id", F.lit(True).alias("_admitted"))
    return visits.join(admitted, "encounter_id", "left").selectExpr(
        "*", "coalesce(_admitted, false) as is_admitted", "_until as left_at"
    )


def first_after(rows: DataFrame, events: DataFrame, name: str) -> DataFrame:
    """The rows, with the day of the first event of their patient since, within 30 days, as ``name``.

    ``rows`` have ``encounter_id``, ``patient_id``, ``_since`` (a date) and ``_since_at`` (an instant, perhaps NULL);
    ``events`` have ``_patient``, ``_on`` and ``_at``. On the same day an event counts if it is known to be later.
    """
    from pyspark.sql import functions as F

    later = "(_on > _since or (_on = _since and _at >= _since_at))"
    in_time = F.expr(f"patient_id = _patient and _on <= date_add(_since, {WITHIN}) and {later}")
    pairs = rows.select("encounter_id", "patient_id", "_since", "_since_at").join(events, in_time)
    return rows.join(pairs.groupBy("encounter_id").agg(F.min("_on").alias(name)), "encounter_id", "left")
