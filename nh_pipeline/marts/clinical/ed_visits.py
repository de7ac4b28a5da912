"""``clinical_gold.ed_visits``: visits of emergency departments, and who came back within 72 hours and 30 days."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.clinical.reference.planned import NO_INDEX_DISPOSITIONS
from nh_pipeline.marts.clinical import acute_care
from nh_pipeline.marts.clinical.acute_care import ED_LEG, WITHIN
from nh_pipeline.marts.clinical.fct_encounters import FCT_ENCOUNTERS
from nh_pipeline.marts.clinical.readmissions import READMISSIONS
from nh_pipeline.marts.clinical.shared import OF_PATIENT
from nh_pipeline.model.columns import category, count, date, flag, instant, integer
from nh_pipeline.model.mart import Mart
from nh_pipeline.model.rules import Rule
from nh_pipeline.transforms.select import select

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

REASONS = ("admitted", "died", "against_advice")
_NO_INDEX = " ".join(
    f"when discharge_disposition_code in ({', '.join(map(repr, NO_INDEX_DISPOSITIONS[reason]))}) then '{reason}'"
    for reason in REASONS[1:]
)
_HOURS = 72


def ed_visits(encounters: DataFrame, stays: DataFrame) -> DataFrame:
    """Visits, each with the next one of its patient; ``stays`` are the acute ones."""
    following = "over (partition by patient_id order by arrived_at, _stay)"
    found = (
        acute_care.ed_visits(encounters, stays)
        .selectExpr(
            "*",
            f"case when is_admitted then 'admitted' {_NO_INDEX} end as not_index_reason",
            f"unix_micros(lead(arrived_at) {following}) - unix_micros(left_at) as _micros",
            f"cast(datediff(lead(arrival_date) {following}, end_date) as int) as days_to_revisit",
            f"lead(encounter_id) {following} as revisit_encounter_id",
        )
        .selectExpr("*", "not_index_reason is null as is_index")
    )
    sql = {
        "departure_date": "end_date",
        "followed_up_on": f"date_add(end_date, {WITHIN})",
        "is_revisited_72h": f"is_index and coalesce(_micros between 0 and {_HOURS * 3_600_000_000}, false)",
        "is_revisited_30d": f"is_index and coalesce(days_to_revisit between 0 and {WITHIN}, false)",
    }
    return found.selectExpr(*select(ED_VISITS.columns, sql))


_OF = FCT_ENCOUNTERS.by_name

MART = Mart(
    "ed_visits",
    database="clinical_gold",
    description=(
        "One row per visit of an emergency department that ended (rows that touch or overlap are one), with the next "
        "visit of its patient."
    ),
    grain=("encounter_id",),
    sort=("patient_id", "arrived_at", "encounter_id"),
    bucket="patient_bucket",
    reads=(FCT_ENCOUNTERS, READMISSIONS),
    transform=ed_visits,
    conserves=(("sum(n_legs)", f"sum(case when {ED_LEG} then 1 else 0 end)"),),
    columns=(
        _OF["encounter_id"].having(description="Encounter with which the visit ends"),
        _OF["patient_id"].having(nullable=False),
        _OF["patient_bucket"],
        count("n_legs", "Encounters that it is made of", nullable=False),
        instant("arrived_at", "Arrival; midnight if the source gives no time of day", nullable=False),
        instant("left_at", "Departure; midnight if the source gives no time of day", nullable=False),
        date("arrival_date", "Day of arrival, as written", nullable=False),
        date("departure_date", "Day of departure, as written", nullable=False),
        date("followed_up_on", f"{WITHIN} days after departure: it counts once the horizon has reached this day"),
        _OF["organization_id"],
        _OF["diagnosis_category"],
        flag("is_admitted", "Whether an acute stay began between the day of arrival and the day after departure"),
        flag("is_index", "Whether a revisit after it counts: neither admitted, nor dead, nor left against advice"),
        category("not_index_reason", "Why it is no index", REASONS),
        integer("days_to_revisit", "Days from departure to the next visit, however many", unit="days"),
        _OF["encounter_id"].having(
            name="revisit_encounter_id", description="The next visit, however late", nullable=True
        ),
        flag("is_revisited_72h", f"An index whose next visit begins within {_HOURS} hours, to the second"),
        flag("is_revisited_30d", f"An index whose next visit begins within {WITHIN} days, by dates as written"),
        _OF["delivery_id"],
    ),
    rules=(Rule("left_not_before_arrival", "left_at >= arrived_at", "look at the ends that are believed"),),
    foreign_keys=(OF_PATIENT,),
    caution="Rates are of visits with followed_up_on <= horizon (clinical_gold.horizon, by delivery_id)",
)

ED_VISITS = MART.table
