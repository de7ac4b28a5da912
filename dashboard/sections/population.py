"""Who is cared for, and what happens to them, month by month."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboard import charts, few, words
from dashboard.measures import Measure
from dashboard.page import Column, Figure
from dashboard.sections.records import KINDS, SOURCE, told
from nh_pipeline.datasets.clinical.reference.payers import PAYER_CATEGORIES

if TYPE_CHECKING:
    from datetime import date

    import pandas as pd

    from dashboard.asking import Ask
    from dashboard.page import Page

METRICS = {
    "patients_seen": Measure("Patients seen", "count"),
    "patients_alive": Measure("Patients alive at the end of the month", "count"),
    "encounters": Measure("Encounters", "count"),
    "ed_visits": Measure("Emergency visits", "count"),
    "acute_admissions": Measure("Acute admissions", "count"),
    "snf_resident_days": Measure("Nights in nursing homes", "count"),
    "observations": Measure("Observations", "count"),
    "billed_amount": Measure("Billed, US dollars", "dollars"),
    "paid_amount": Measure("Paid so far, US dollars", "dollars"),
}
DIMENSIONS = {
    "age_band": "Age",
    "gender": "Gender",
    "race": "Race",
    "payer_category": "Payer",
    "encounter_kind": "Kind of encounter",
}
_RACES = {
    "1002-5": "American Indian or Alaska Native",
    "2028-9": "Asian",
    "2054-5": "Black or African American",
    "2076-8": "Native Hawaiian or other Pacific Islander",
    "2106-3": "White",
    "2131-1": "Other race",
    "multiple": "Several races",
}
_WORDS = {**KINDS, **_RACES, "male": "Male", "female": "Female", "other": "Other", "unknown": "Not known"}
_ORDER = (*PAYER_CATEGORIES, *_WORDS.values())
_LONGEST_MONTH = 31


def at_a_glance(page: Page, ask: Ask, end: date) -> None:
    """Every metric of the last month that is chosen, of everybody."""
    rows = _values(ask, end.replace(day=1), end, "all").set_index("metric")
    if rows.empty:
        page.nothing(f"Nothing is recorded in {end:%B %Y}. Choose other months.")
        return
    note = f"all residents · {end:%B %Y} · {SOURCE}"
    told_of = {name: rows.loc[name] for name in METRICS if name in rows.index}
    page.figures(
        [Figure(METRICS[name].label, _told(METRICS[name], row["value"], row["people"]), note)
         for name, row in told_of.items()]
    )  # fmt: skip


def by_dimension(page: Page, ask: Ask, start: date, end: date, *, metric: str, dimension: str) -> None:
    """One metric by month, and by what people or events are told apart by."""
    measure, by = METRICS[metric], DIMENSIONS[dimension]
    rows = _values(ask, start, end, dimension)
    rows = rows[rows["metric"] == metric].reset_index(drop=True)
    page.section(f"{measure.label} by {by.lower()}", _note(metric, dimension))
    if rows.empty:
        page.nothing(f"{measure.label} are not told apart by {by.lower()}. Choose another measure, or other months.")
        return
    rows["group"] = [_WORDS.get(category, category) for category in rows["category"]]
    back = rows.groupby("month")["people"].transform(few.kept_back)
    drawn = rows[~back]
    source = told(start, end, few.KEPT_BACK)
    if not drawn.empty:
        most = drawn.groupby("group")["value"].sum().idxmax()
        order = [*(name for name in _ORDER if name in set(drawn["group"])), *sorted(set(drawn["group"]) - set(_ORDER))]
        page.chart(
            charts.by_month(drawn, "group", "value", order, title=measure.label),
            name=f"{metric}-by-{dimension}",
            alt=f"{measure.label} by month and {by.lower()}; most: {most}.",
            source=f"{source} They are left out here.",
            data=drawn[["month", "group", "value"]],
        )
    page.table(
        _wide(rows, back, measure),
        {"month": Column("Month"), **{name: Column(name, "people") for name in sorted(set(rows["group"]))}},
        name=f"{metric}-by-{dimension}-and-month",
        source=source,
    )


def _wide(rows: pd.DataFrame, back: pd.Series, measure: Measure) -> pd.DataFrame:
    """A row per month and a column per category, as they may be shown."""
    texts = [
        words.NOTHING if hidden and people >= few.FEWEST else _told(measure, value, people)
        for value, people, hidden in zip(rows["value"], rows["people"], back, strict=True)
    ]
    wide = rows.assign(told=texts).pivot_table(index="month", columns="group", values="told", aggfunc="first")
    wide = wide.fillna(words.NOTHING).reset_index()
    return wide.assign(month=[f"{m:%b %Y}" for m in wide["month"]])


def _told(measure: Measure, value: float, people: float) -> str:
    """A value, if it tells of enough people; a sum of money tells nothing else."""
    if people >= few.FEWEST:
        return measure.told(value)
    return words.NOTHING if measure.kind == "dollars" else few.FEW


def _values(ask: Ask, start: date, end: date, dimension: str) -> pd.DataFrame:
    """Values by month, category and metric, with ``people``: how many they tell of, at least.

    Of nights that is how many residents there must have been; of money, and of what happens to a patient more than
    once, who was seen in the month and category.
    """
    rows = ask(
        "select v.month_start as month, v.category, v.metric, cast(v.value as double) as value, "
        "cast(s.value as double) as seen from clinical_gold.population_summary as v "
        "left join clinical_gold.population_summary as s on s.month_start = v.month_start "
        "and s.dimension = v.dimension and s.category = v.category and s.metric = 'patients_seen' "
        "where v.dimension = ? and v.month_start between ? and ? order by 1, 2, 3",
        dimension,
        start,
        end,
    )
    seen, value, metric = rows["seen"].fillna(0), rows["value"], rows["metric"]
    people = seen.where(metric.isin(["billed_amount", "paid_amount"]), value.clip(upper=seen))
    people = people.mask(metric == "patients_alive", value).mask(metric == "snf_resident_days", value // _LONGEST_MONTH)
    return rows.assign(people=people)


def _note(metric: str, dimension: str) -> str:
    if metric == "patients_seen" and dimension in ("payer_category", "encounter_kind"):
        return "A patient may be in several of them: do not sum up."
    if metric == "patients_alive":
        return "Who has died at an unknown time is counted in no month."
    return ""
