"""``clinical_gold.readmissions``: acute stays and what followed them within 30 days, after CMS's hospital-wide measure.

Two measures. *Crude*: every closed stay is an index, every next stay within 30 days a readmission. *Unplanned*: a stay
is no index if the patient died, left against advice or was transferred, or if its main diagnosis is of cancer,
psychiatric or rehabilitation; a planned stay is no readmission, and ends the wait for one. An unknown disposition
disqualifies nothing. A readmission can be an index.

What is not followed up yet is no index: a stay counts once ``followed_up_on``, 30 days after discharge, is not after
the horizon of its source (``clinical_gold.horizon``). That is no fact about the patient, and moves with every delivery:
whoever counts compares them (``clinical_bi.v_readmission_rates`` does), and a delivery makes the buckets of its own
patients anew, not all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.clinical.reference.planned import NO_INDEX_DIAGNOSES, NO_INDEX_DISPOSITIONS
from nh_pipeline.marts.clinical.acute_care import ACUTE_LEG, WITHIN, acute_stays, ed_visits, first_after
from nh_pipeline.marts.clinical.fct_encounters import FCT_ENCOUNTERS
from nh_pipeline.marts.clinical.fct_procedures import FCT_PROCEDURES
from nh_pipeline.marts.clinical.shared import OF_PATIENT
from nh_pipeline.model.columns import category, count, date, flag, instant, integer, text
from nh_pipeline.model.mart import Mart
from nh_pipeline.model.rules import Rule
from nh_pipeline.transforms.select import select

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

REASONS = {
    "open": "in neither measure: not discharged, as far as is known",
    "died": "died in the stay",
    "against_advice": "left against advice",
    "transferred": "transferred to another hospital",
    **{name: f"main diagnosis: {name}" for name in NO_INDEX_DIAGNOSES},
}
_NO_INDEX = " ".join(
    [
        "when discharge_date is null then 'open'",
        *(
            f"when discharge_disposition_code in ({', '.join(map(repr, codes))}) then '{reason}'"
            for reason, codes in NO_INDEX_DISPOSITIONS.items()
        ),
        *(f"when {codes.sql('primary_diagnosis')} then '{reason}'" for reason, codes in NO_INDEX_DIAGNOSES.items()),
    ]
)
_IN_TIME = f"coalesce(days_to_readmission between 0 and {WITHIN}, false)"


def readmissions(encounters: DataFrame, procedures: DataFrame) -> DataFrame:
    """Acute stays, each with the next one of its patient."""
    stays = acute_stays(encounters, procedures)
    visits = ed_visits(encounters, stays).where("not is_admitted")
    seen = first_after(
        stays.selectExpr("*", "discharge_date as _since", "end_at as _since_at"),
        visits.selectExpr("patient_id as _patient", "arrival_date as _on", "arrived_at as _at"),
        "_ed_on",
    )
    following = "over (partition by patient_id order by admit_date, _stay)"
    found = seen.selectExpr(
        "*",
        f"lead(encounter_id) {following} as readmission_encounter_id",
        f"cast(datediff(lead(admit_date) {following}, discharge_date) as int) as days_to_readmission",
        f"coalesce(lead(is_planned) {following}, false) as _next_planned",
        "discharge_date is not null as is_index",
        f"case {_NO_INDEX} end as not_index_reason",
    ).selectExpr("*", "not_index_reason is null as is_unplanned_index")
    sql = {
        "followed_up_on": f"date_add(discharge_date, {WITHIN})",
        "is_readmitted_30d": f"is_index and {_IN_TIME}",
        "is_unplanned_readmitted_30d": f"is_unplanned_index and {_IN_TIME} and not _next_planned",
        "ed_visit_30d": "_ed_on is not null",
    }
    return found.selectExpr(*select(READMISSIONS.columns, sql))


_OF = FCT_ENCOUNTERS.by_name

MART = Mart(
    "readmissions",
    database="clinical_gold",
    description=(
        "One row per acute stay (encounters that overlap, transfers and same-day returns are one stay), with the next "
        "stay of its patient: readmissions within 30 days, crude and unplanned."
    ),
    grain=("encounter_id",),
    sort=("patient_id", "admit_date", "encounter_id"),
    bucket="patient_bucket",
    reads=(FCT_ENCOUNTERS, FCT_PROCEDURES),
    transform=readmissions,
    conserves=(("sum(n_legs)", f"sum(case when {ACUTE_LEG} then 1 else 0 end)"),),
    columns=(
        _OF["encounter_id"].having(description="Encounter with which the stay ends"),
        _OF["patient_id"].having(nullable=False),
        _OF["patient_bucket"],
        text("first_encounter_id", "Encounter with which it begins", nullable=False),
        count("n_legs", "Encounters that it is made of", nullable=False),
        date("admit_date", "First day, as written", nullable=False),
        instant("admit_at", "When it began, if the source gives a time of day"),
        date("discharge_date", "Last day, as written; NULL while it is open"),
        date("followed_up_on", f"{WITHIN} days after discharge: the stay counts once the horizon has reached this day"),
        _OF["organization_id"],
        _OF["diagnosis_category"],
        _OF["discharge_disposition_code"],
        flag("is_planned", "Elective, or for what is planned: transplants, chemotherapy, rehabilitation, dialysis"),
        flag("is_index", "Crude measure: whether it is closed, so that a readmission can follow"),
        flag("is_unplanned_index", "Unplanned measure: whether a readmission after it would count"),
        category(
            "not_index_reason",
            f"Why it is no index of the unplanned measure: {'; '.join(f'`{k}`: {v}' for k, v in REASONS.items())}",
            tuple(REASONS),
        ),
        integer("days_to_readmission", "Days from discharge to the next stay, however many", unit="days"),
        text("readmission_encounter_id", "The next stay (its `encounter_id` here), however late"),
        flag("is_readmitted_30d", f"Crude: an index whose next stay begins within {WITHIN} days"),
        flag("is_unplanned_readmitted_30d", "Unplanned: the same, and the next stay is not planned"),
        flag("ed_visit_30d", f"Whether the patient came to an emergency department within {WITHIN} days, unadmitted"),
        _OF["delivery_id"],
    ),
    rules=(
        Rule(
            "next_not_before_discharge",
            "days_to_readmission >= 0",
            "a stay that begins before another one ends is part of it: look at how stays are put together",
        ),
        Rule("discharge_not_before_admission", "discharge_date >= admit_date", "look at the ends that are believed"),
    ),
    foreign_keys=(OF_PATIENT,),
    caution="Rates are of stays with followed_up_on <= horizon (clinical_gold.horizon, by delivery_id): later ones are "
    "not followed up",
)

READMISSIONS = MART.table
