"""PBJ Daily Nurse Staffing: paid hours by kind of staff and residents, per facility and day (a file each quarter).

Hours are paid hours; RN includes the director of nursing, direct care excludes administration. 2017-2026 headers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nh_pipeline.datasets.cms.shared import CITY, NAME, PROVIDER_ID, STATE
from nh_pipeline.model.columns import count, date, flag, hours, text
from nh_pipeline.model.dataset import Correction, Dataset, Era
from nh_pipeline.model.kinds import Daily
from nh_pipeline.model.rules import Rule

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

JOBS = {
    "rndon": ("registered nurses who are director of nursing", "hrs_rn_donadmin"),
    "rnadmin": ("registered nurses with administrative duties", ""),
    "rn": ("registered nurses", ""),
    "lpnadmin": ("licensed practical nurses with administrative duties", "hrs_lpn_admin"),
    "lpn": ("licensed practical nurses", ""),
    "cna": ("certified nurse aides", ""),
    "natrn": ("nurse aides in training", "hrs_na_trn"),
    "medaide": ("medication aides and technicians", ""),
}
"""The eight kinds of staff as CMS spells them in its columns: who they are, and the older spelling of their total."""

_STAFF = {"": "employees and contract staff", "_emp": "employees", "_ctr": "contract staff"}

HOURS = tuple(
    hours(
        f"hrs_{job}{suffix}",
        f"Paid hours of {who}, {staff}",
        *((f"hrs_{job}{suffix}", older) if older and not suffix else (f"hrs_{job}{suffix}",)),
        required=True,
    )
    for job, (who, older) in JOBS.items()
    for suffix, staff in _STAFF.items()
)
"""The 24 columns of hours, in CMS's order."""

ROLLUPS: dict[str, tuple[str, tuple[str, ...]]] = {
    "rn_hours": ("registered nurse hours: RNDON + RNadmin + RN", ("rndon", "rnadmin", "rn")),
    "lpn_hours": ("licensed practical nurse hours: LPNadmin + LPN", ("lpnadmin", "lpn")),
    "aide_hours": ("nurse aide hours: CNA + NAtrn + MedAide", ("cna", "natrn", "medaide")),
    "total_hours": ("all nurse staffing hours: the eight groups", tuple(JOBS)),
    "direct_care_hours": (
        "direct care hours: RN + LPN + CNA + NAtrn + MedAide, no director, no admin",
        ("rn", "lpn", "cna", "natrn", "medaide"),
    ),
    "contract_hours": ("contract staff hours: the eight _ctr columns", tuple(f"{job}_ctr" for job in JOBS)),
}
"""What each roll-up is, and the columns that it adds."""

FLAGS = {
    "is_zero_census": ("No residents that day: hours count, the day is left out of HPRD", "census = 0"),
    "is_missing_hours": ("Residents but no nurse hours at all", "census > 0 and total_hours = 0"),
    "is_implausible_hours": (
        "More than 24 nurse hours per resident: kept, not believed",
        "census > 0 and total_hours > 24 * census",
    ),
    "is_unbalanced": (
        "Some group's total differs from employees + contract by more than 0.01",
        " or ".join(f"abs(hrs_{job} - hrs_{job}_emp - hrs_{job}_ctr) > 0.01" for job in JOBS),
    ),
    "is_incomplete": (
        "Cut off by CMS (2021Q4 only): leave the day out of counts of days",
        "incomplete is not null and incomplete = '1'",
    ),
}
"""What each flag means, and when it is set."""


def roll_up(days: DataFrame) -> DataFrame:
    """Adds roll-ups and flags, row by row."""
    sums = {name: " + ".join(f"hrs_{job}" for job in jobs) for name, (_, jobs) in ROLLUPS.items()}
    summed = days.selectExpr("*", *(f"cast({sql} as decimal(11,2)) as {name}" for name, sql in sums.items()))
    return summed.selectExpr("*", *(f"{sql} as {name}" for name, (_, sql) in FLAGS.items()))


_QUARTER = text("cy_qtr", "Calendar quarter of the file, such as 2024Q2", "CY_Qtr", required=True, nullable=False)

DAILY_NURSE_STAFFING = Dataset(
    name="daily_nurse_staffing",
    title="Payroll Based Journal Daily Nurse Staffing",
    eras=(
        Era("pbj-2021q4", ("incomplete",)),
        Era("pbj-2017q1", ("hrs_rn_donadmin", "hrs_medaide_ctr")),
        Era("pbj-2017q3", ("hrs_lpn_admin", "hrs_medaide_ctr")),
        Era("pbj-2018", ("hrs_medaide_ctr",)),
        Era("pbj-2017q2"),
    ),
    told_by=("work_date", "hrs_cna", "hrs_lpn", "hrs_rn"),
    quarter_by=_QUARTER,
    day="work_date",
    key=("provider_id", "work_date"),
    # 2017Q2 labels the contract hours of medication aides so: medaide = medaide_emp + that column.
    corrections=(Correction("hrs_rn_donadmin", after="hrs_medaide_emp", means="hrs_medaide_ctr"),),
    late_after=240,  # a quarter comes out four to five months after its end, and is the newest for three
    columns=(
        PROVIDER_ID.having(labels=(PROVIDER_ID.labels[2], *PROVIDER_ID.labels[:2])),
        NAME,
        CITY,
        STATE,
        text("county_name", "County or parish", "COUNTY_NAME"),
        text("county_fips", "County part of the FIPS code; leading zeros are lost in some vintages", "COUNTY_FIPS"),
        _QUARTER,
        date("work_date", "Day worked", "WorkDate", required=True, nullable=False, expects="a date (yyyymmdd)"),
        count(
            "census",
            "Residents that day, from MDS assessments (a stock: sum it over days for resident-days)",
            "MDScensus",
            required=True,
            nullable=False,
            expects="a whole number of residents",
        ),
        *HOURS,
        text("incomplete", "1 where CMS cut the day's data off (2021Q4 only)", "incomplete"),
    ),
    tables=(
        Daily(
            "fct_staffing_levels",
            description="Daily nurse staffing hours and resident census per nursing home.",
            columns=("provider_id", "work_date", "cy_qtr", "state", "census", *(c.name for c in HOURS)),
            needs=("incomplete",),
            adds=(
                *(hours(name, title, precision=11) for name, (title, _) in ROLLUPS.items()),
                *(flag(name, title) for name, (title, _) in FLAGS.items()),
            ),
            transform=roll_up,
            sort=("provider_id", "work_date"),
            rules=(
                Rule(
                    "rollups_add_up",
                    "rn_hours + lpn_hours + aide_hours = total_hours",
                    "RN + LPN + aide must be the total: the roll-up expressions disagree with each other",
                ),
                Rule(
                    "date_in_quarter",
                    "cy_qtr = concat(cast(year(work_date) as string), 'Q', cast(quarter(work_date) as string))",
                    "work_date lies outside its CY_Qtr: such lines belong in the rejects",
                ),
                Rule(
                    "groups_balance",
                    "not is_unbalanced",
                    "X differs from X_emp + X_ctr in the source: rows are kept and flagged is_unbalanced; tell CMS",
                    blocking=False,
                ),
                Rule(
                    "hours_plausible",
                    "not is_implausible_hours",
                    "more than 24 hours per resident: rows are kept and flagged; leave them out where they distort",
                    blocking=False,
                ),
            ),
            foreign_keys=(("provider_id", "silver.dim_providers.provider_id"), ("work_date", "silver.dim_date.date")),
            caution="HPRD of a group or period is sum of hours / sum of census, never a mean of daily ratios",
        ),
    ),
)

FCT_STAFFING_LEVELS = DAILY_NURSE_STAFFING["fct_staffing_levels"]
