"""Encounters of residents: how many of which kind, how long they last, who came back, and chronic illness."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboard import charts, few, words
from dashboard.page import Column, Figure
from dashboard.sections.records import HORIZON, KINDS, average, told
from nh_pipeline.transforms.stays import TOOK_PLACE

if TYPE_CHECKING:
    from datetime import date

    from dashboard.asking import Ask
    from dashboard.page import Page

_IN = f"clinical_silver.fct_encounters where {TOOK_PLACE} and start_date between ? and ?"
_MONTH = "cast(date_trunc('month', start_date) as date)"
_OF_COHORTS = {
    "patients": ("encounters", "mean", "median", "soon", "later", "readmitted"),
    "encounters": ("mean", "median"),
    "ed_index": ("soon", "later"),
    "ed_soon": ("soon",),
    "ed_later": ("later",),
    "stays": ("readmitted",),
    "again": ("readmitted",),
}
_COHORTS = {"COPD": "Chronic obstructive pulmonary disease", "CHF": "Congestive heart failure"}


def by_kind(page: Page, ask: Ask, start: date, end: date) -> None:
    """Encounters by kind and month, and how long they last."""
    rows = ask(
        f"select encounter_kind, count(*) as encounters, count(distinct patient_id) as patients from {_IN} "
        "group by 1 order by 2 desc, 1",
        start,
        end,
    )
    page.section(
        "Encounters", "Those that took place and began in the period; planned and cancelled ones count nowhere."
    )
    if rows.empty:
        page.nothing(f"No encounter began in {words.period(start, end)}. Choose other months.")
        return
    _over_time(page, ask, start, end)
    lasted = ask(
        f"select encounter_kind, length_of_stay as days, count(*) as n from {_IN} and length_of_stay is not null "
        "group by 1, 2",
        start,
        end,
    )
    days = {kind: average(found) for kind, found in lasted.groupby("encounter_kind")}
    rows["mean"], rows["median"] = zip(*(days.get(kind, (None, None)) for kind in rows["encounter_kind"]), strict=True)
    page.table(
        few.guarded(rows, {"patients": ("encounters", "mean", "median"), "encounters": ("mean", "median")}).assign(
            kind=rows["encounter_kind"].map(KINDS)
        ),
        {
            "kind": Column("Kind"),
            "encounters": Column("Encounters", "people"),
            "patients": Column("Patients", "people"),
            "mean": Column(
                "Mean stay, days", "hours", "Length of stay of those that ended; of an inpatient at least 1"
            ),
            "median": Column("Median stay, days", "hours"),
        },
        name="encounters-by-kind",
        source=told(start, end, few.KEPT_BACK),
    )


def revisits(page: Page, ask: Ask, start: date, end: date) -> None:
    """Visits of emergency departments that were followed by another."""
    row = ask(
        "select count(*) as visits, count(distinct v.patient_id) as patients, "
        f"{_counted('is_index', 'indexed')}, {_counted('is_revisited_72h', 'soon')}, "
        f"{_counted('is_revisited_30d', 'later')} "
        f"from clinical_gold.ed_visits as v join {HORIZON} where v.arrival_date between ? and ?",
        start,
        end,
    ).iloc[0]
    page.section(
        "Emergency revisits",
        "Visits without admission, of patients who neither died nor left against advice, and those followed by another "
        "visit.",
    )
    if not row["visits"]:
        page.nothing(f"No visit of an emergency department in {words.period(start, end)} is followed up for 30 days.")
        return
    indexed, of = row["indexed"] if row["patients"] >= few.FEWEST else 0, told(start, end)
    page.figures(
        [
            Figure("Visits that count", few.count(indexed), f"of {few.count(row['visits'])} visits · {of}"),
            *(
                Figure(label, few.share(again, indexed), f"{few.count(again)} of {few.count(indexed)} visits · {of}")
                for label, again in (("Back within 72 hours", row["soon"]), ("Back within 30 days", row["later"]))
            ),
        ]
    )


def cohorts(page: Page, ask: Ask, start: date, end: date) -> None:
    """Encounters of patients with a chronic illness, once it was known."""
    rows = ask(
        "select c.cohort, count(*) as encounters, count(distinct c.patient_id) as patients, "
        f"{_counted('is_index', 'ed_index')}, {_counted('is_revisited_72h', 'ed_soon')}, "
        f"{_counted('is_revisited_30d', 'ed_later')}, {_counted('is_index', 'stays', of='r')}, "
        f"{_counted('is_readmitted_30d', 'again', of='r')} "
        "from clinical_gold.cohort_encounters as c "
        f"left join (select v.* from clinical_gold.ed_visits as v join {HORIZON}) as v "
        "on v.encounter_id = c.encounter_id "
        f"left join (select v.* from clinical_gold.readmissions as v join {HORIZON}) as r "
        "on r.encounter_id = c.encounter_id where c.start_date between ? and ? group by 1 order by 1",
        start,
        end,
    )
    page.section(
        "Cohorts",
        "Encounters of patients with a confirmed condition, from the day it was known. Who has both is in both.",
    )
    if rows.empty:
        page.nothing(f"No patient of a cohort had an encounter in {words.period(start, end)}.")
        return
    lasted = ask(
        "select cohort, length_of_stay as days, count(*) as n from clinical_gold.cohort_encounters "
        "where start_date between ? and ? and length_of_stay > 0 group by 1, 2",
        start,
        end,
    )
    days = {cohort: average(found) for cohort, found in lasted.groupby("cohort")}
    rows["mean"], rows["median"] = zip(*(days.get(cohort, (None, None)) for cohort in rows["cohort"]), strict=True)
    rows = rows.assign(
        soon=rows["ed_soon"] / rows["ed_index"].replace(0, float("nan")),
        later=rows["ed_later"] / rows["ed_index"].replace(0, float("nan")),
        readmitted=rows["again"] / rows["stays"].replace(0, float("nan")),
    )
    page.table(
        few.guarded(rows, _OF_COHORTS).assign(cohort=rows["cohort"].map(lambda c: _COHORTS.get(c, c))),
        {
            "cohort": Column("Patients with"),
            "patients": Column("Patients", "people"),
            "encounters": Column("Encounters", "people"),
            "mean": Column("Mean stay, days", "hours", "Of encounters of a day or more"),
            "median": Column("Median stay, days", "hours", "Of encounters of a day or more"),
            "soon": Column("ED, back in 72 hours", "share", "Of visits of emergency departments that count"),
            "later": Column("ED, back in 30 days", "share", "Of visits of emergency departments that count"),
            "readmitted": Column("Readmitted in 30 days", "share", "Of acute stays, crude"),
        },
        name="cohorts",
        source=told(start, end, few.KEPT_BACK),
    )


def _over_time(page: Page, ask: Ask, start: date, end: date) -> None:
    rows = ask(
        f"select {_MONTH} as month, encounter_kind, count(*) as encounters, count(distinct patient_id) as patients "
        f"from {_IN} group by 1, 2 order by 1, 2",
        start,
        end,
    )
    back = rows.groupby("month")["patients"].transform(few.kept_back) | (rows["encounters"] < few.FEWEST)
    shown = rows[~back].assign(kind=rows["encounter_kind"].map(KINDS))
    if shown.empty:
        return
    most = shown.groupby("kind")["encounters"].sum().idxmax()
    page.chart(
        charts.by_month(shown, "kind", "encounters", list(KINDS.values()), title="Encounters"),
        name="encounters-by-month",
        alt=f"Encounters by month and kind; most are of the kind {most}.",
        source=told(start, end, f"{few.KEPT_BACK} They are left out here."),
        data=shown[["month", "kind", "encounters"]],
    )


def _counted(flag: str, name: str, *, of: str = "v") -> str:
    return f"cast(sum(case when {of}.{flag} then 1 else 0 end) as bigint) as {name}"
