"""Views of readmissions and cohorts: of what is followed up, with rates that are NULL where there is nothing to count.

What is followed up is decided here, as it moves with every delivery (:mod:`nh_pipeline.marts.clinical.horizon`).
"""

from __future__ import annotations

from nh_pipeline.queries.views import SCHEMA, View


def _count(condition: str) -> str:
    return f"sum(case when {condition} then 1 else 0 end)"


def _percent(above: str, below: str) -> str:
    return f"100.0 * cast({_count(above)} as double) / nullif({_count(below)}, 0)"


def _rates(of: str, followed: str) -> str:
    """Index stays, readmissions and their rate, of both measures."""
    columns = []
    for measure, index, readmitted in (
        ("", "is_index", "is_readmitted_30d"),
        ("unplanned_", "is_unplanned_index", "is_unplanned_readmitted_30d"),
    ):
        stays, back = (f"{of}.{flag} and {followed}" for flag in (index, readmitted))
        columns += [
            f"{_count(stays)} as {measure}index_admissions",
            f"{_count(back)} as {measure}readmissions",
            f"{_percent(back, stays)} as {measure}readmit_rate_pct",
        ]
    return ", ".join(columns)


READMISSION_RATES = View(
    f"{SCHEMA}.v_readmission_rates",
    "One row per diagnosis category: acute stays, and readmissions within 30 days of those that are followed up.",
    f"""
    select r.diagnosis_category, count(*) as stays, {_rates("r", "r.followed_up_on <= h.horizon")}
    from clinical_gold.readmissions as r
    left join clinical_gold.horizon as h on h.delivery_id = r.delivery_id
    group by r.diagnosis_category
    """,
)

_FOLLOWED = "v.followed_up_on <= h.horizon"
_MIDDLE = "2 * nth between n and n + 2"

COHORTS = View(
    f"{SCHEMA}.v_cohorts",
    "One row per cohort: its encounters, lengths of acute stays, emergency revisits and readmissions. A patient may "
    "belong to several cohorts.",
    f"""
    with lengths as (
        select cohort, length_of_stay as days, count(*) over (partition by cohort) as n,
            row_number() over (partition by cohort order by length_of_stay, encounter_id) as nth
        from clinical_gold.cohort_encounters
        where encounter_kind = 'acute_inpatient' and length_of_stay is not null),
    stays as (
        select cohort, count(*) as acute_stays, cast(sum(days) as double) / count(*) as mean_length_of_stay,
            cast(sum(case when {_MIDDLE} then days end) as double) / {_count(_MIDDLE)} as median_length_of_stay
        from lengths group by cohort),
    outcomes as (
        select c.cohort, count(distinct c.patient_id) as patients, count(*) as encounters,
            {_count(f"v.is_index and {_FOLLOWED}")} as ed_index_visits,
            {_count(f"v.is_revisited_72h and {_FOLLOWED}")} as ed_revisits_72h,
            {_count(f"v.is_revisited_30d and {_FOLLOWED}")} as ed_revisits_30d,
            {_rates("r", "r.followed_up_on <= h.horizon")}
        from clinical_gold.cohort_encounters as c
        left join clinical_gold.horizon as h on h.delivery_id = c.delivery_id
        left join clinical_gold.ed_visits as v on v.encounter_id = c.encounter_id
        left join clinical_gold.readmissions as r on r.encounter_id = c.encounter_id
        group by c.cohort)
    select o.*, coalesce(s.acute_stays, 0) as acute_stays, s.mean_length_of_stay, s.median_length_of_stay
    from outcomes as o left join stays as s on s.cohort = o.cohort
    """,
)

VIEWS = (READMISSION_RATES, COHORTS)
"""Both."""
