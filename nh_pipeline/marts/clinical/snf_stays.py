"""``clinical_gold.snf_stays``: stays in nursing homes, and who of them came to a hospital within 30 days."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.marts.clinical.acute_care import WITHIN, first_after
from nh_pipeline.marts.clinical.ed_visits import ED_VISITS
from nh_pipeline.marts.clinical.fct_encounters import FCT_ENCOUNTERS
from nh_pipeline.marts.clinical.readmissions import READMISSIONS
from nh_pipeline.model.columns import ccn, count, date
from nh_pipeline.model.mart import Mart
from nh_pipeline.model.rules import Rule
from nh_pipeline.transforms.select import select
from nh_pipeline.transforms.stays import KNOWN_END, counted, stays

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

LEG = f"({counted('snf')} and facility_ccn is not null)"
"""SQL for the encounters that they are made of: in a home that CMS knows."""


def snf_stays(encounters: DataFrame, acute: DataFrame, visits: DataFrame) -> DataFrame:
    """Stays in one home without a night elsewhere; one never closed ends when the patient's next one begins."""
    found = stays(
        encounters.where(LEG),
        "patient_id, facility_ccn",
        start="start_date",
        end=KNOWN_END,
        goes_on="start_date <= date_add(_leg.until, 1)",
        also={"admit_date": "min(start_date)", "_since_at": "min(start_at)"},
    ).selectExpr(
        "*",
        "admit_date as _since",
        "case when _open then lead(admit_date) over (partition by patient_id order by admit_date, encounter_id) "
        "else _until end as discharge_date",
    )
    admitted = acute.selectExpr("patient_id as _patient", "admit_date as _on", "admit_at as _at")
    came = visits.where("not is_admitted").selectExpr(
        "patient_id as _patient", "arrival_date as _on", "arrived_at as _at"
    )
    followed = first_after(first_after(found, admitted, "rehospitalized_on"), came, "ed_visit_on")
    sql = {"provider_id": "facility_ccn", "followed_up_on": f"date_add(admit_date, {WITHIN})"}
    return followed.selectExpr(*select(SNF_STAYS.columns, sql))


_OF = FCT_ENCOUNTERS.by_name

MART = Mart(
    "snf_stays",
    database="clinical_gold",
    description=(
        "One row per stay in a nursing home (encounters that follow each other are one), with the first acute stay and "
        f"the first visit of an emergency department within {WITHIN} days after admission."
    ),
    grain=("encounter_id",),
    sort=("patient_id", "admit_date", "encounter_id"),
    bucket="patient_bucket",
    reads=(FCT_ENCOUNTERS, READMISSIONS, ED_VISITS),
    transform=snf_stays,
    conserves=(("sum(n_legs)", f"sum(case when {LEG} then 1 else 0 end)"),),
    columns=(
        _OF["encounter_id"].having(description="Encounter with which the stay ends"),
        _OF["patient_id"].having(nullable=False),
        _OF["patient_bucket"],
        ccn("provider_id", "CCN of the home"),
        count("n_legs", "Encounters that it is made of", nullable=False),
        date("admit_date", "First day, as written", nullable=False),
        date("discharge_date", "Last day, as written, or first day of the next stay; NULL while the resident is there"),
        date("followed_up_on", f"{WITHIN} days after admission", nullable=False),
        date("rehospitalized_on", f"First day of the first acute stay within {WITHIN} days after admission"),
        date("ed_visit_on", f"Day of the first ED visit without admission within {WITHIN} days after admission"),
        _OF["delivery_id"],
    ),
    rules=(
        Rule("discharge_not_before_admission", "discharge_date >= admit_date", "look at the ends that are believed"),
    ),
    foreign_keys=(("provider_id", "silver.dim_providers.provider_id"),),
)

SNF_STAYS = MART.table
