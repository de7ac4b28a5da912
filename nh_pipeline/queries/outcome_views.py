"""Views of readmissions and cohorts for people who report: ratios of sums, over what has been followed up.

A stay, or a visit, counts once its source is known to be complete for the 30 days after it: until then nobody knows
whether the patient came back.
"""

from __future__ import annotations

from nh_pipeline.marts.clinical.cohort_encounters import COHORT_ENCOUNTERS
from nh_pipeline.marts.clinical.ed_visits import ED_VISITS
from nh_pipeline.marts.clinical.horizon import HORIZON
from nh_pipeline.marts.clinical.readmissions import READMISSIONS
from nh_pipeline.queries.claim_views import ratio
from nh_pipeline.queries.view import CLINICAL_SCHEMA, View


def _followed(table: str) -> str:
    """The rows of a table with ``is_followed_up``."""
    return f"""
        select t.*, coalesce(t.followed_up_on <= h.horizon, false) as is_followed_up
        from {table} as t left join {HORIZON.name} as h on h.delivery_id = t.delivery_id"""


def _count(test: str) -> str:
    return f"count(case when is_followed_up and {test} then 1 end)"


def _percent(part: str, whole: str) -> str:
    return f"100 * {ratio(_count(part), _count(whole))}"


_UNPLANNED = "is_unplanned_readmitted_30d", "is_unplanned_index"

READMISSION_RATES = View(
    f"{CLINICAL_SCHEMA}.v_readmission_rates",
    "One row per diagnosis category of acute stays: how many were followed by another within 30 days. Rates are NULL "
    "where no stay has been followed up.",
    f"""
    with stays as ({_followed(READMISSIONS.name)})
    select
        diagnosis_category, cast(sum(n_legs) as bigint) as encounters, {_count("is_index")} as index_admissions,
        {_count("is_readmitted_30d")} as readmissions,
        {_percent("is_readmitted_30d", "is_index")} as readmit_rate_pct,
        {_count(_UNPLANNED[1])} as unplanned_index_admissions, {_count(_UNPLANNED[0])} as unplanned_readmissions,
        {_percent(*_UNPLANNED)} as unplanned_readmit_rate_pct
    from stays group by diagnosis_category
    """,
)

COHORTS = View(
    f"{CLINICAL_SCHEMA}.v_cohorts",
    "One row per cohort: encounters, length of acute stays, and how many came back. A patient of two cohorts counts "
    "in both.",
    f"""
    with visits as ({_followed(ED_VISITS.name)}),
    stays as ({_followed(READMISSIONS.name)}),
    lengths as (
        select
            cohort, length_of_stay, row_number() over (partition by cohort order by length_of_stay) as nth,
            count(*) over (partition by cohort) as n
        from {COHORT_ENCOUNTERS.name} where encounter_kind = 'acute_inpatient' and length_of_stay is not null),
    of_length as (
        select
            cohort, count(*) as acute_stays, avg(cast(length_of_stay as double)) as mean_length_of_stay,
            avg(case when 2 * nth between n and n + 2 then cast(length_of_stay as double) end) as median_length_of_stay
        from lengths group by cohort),
    of_visits as (
        select
            c.cohort, {_count("is_index")} as ed_index_visits, {_count("is_revisited_72h")} as ed_revisits_72h,
            {_count("is_revisited_30d")} as ed_revisits_30d
        from {COHORT_ENCOUNTERS.name} as c join visits as v on v.encounter_id = c.encounter_id group by c.cohort),
    of_stays as (
        select
            c.cohort, {_count("is_index")} as index_admissions, {_count("is_readmitted_30d")} as readmissions,
            {_percent("is_readmitted_30d", "is_index")} as readmit_rate_pct
        from {COHORT_ENCOUNTERS.name} as c join stays as s on s.encounter_id = c.encounter_id group by c.cohort),
    of_all as (
        select cohort, count(distinct patient_id) as patients, count(*) as encounters
        from {COHORT_ENCOUNTERS.name} group by cohort)
    select
        a.cohort, a.patients, a.encounters, coalesce(l.acute_stays, 0) as acute_stays, l.mean_length_of_stay,
        l.median_length_of_stay, coalesce(v.ed_index_visits, 0) as ed_index_visits,
        coalesce(v.ed_revisits_72h, 0) as ed_revisits_72h, coalesce(v.ed_revisits_30d, 0) as ed_revisits_30d,
        coalesce(s.index_admissions, 0) as index_admissions, coalesce(s.readmissions, 0) as readmissions,
        s.readmit_rate_pct
    from of_all as a
    left join of_length as l on l.cohort = a.cohort
    left join of_visits as v on v.cohort = a.cohort
    left join of_stays as s on s.cohort = a.cohort
    """,
)

OUTCOME_VIEWS = (READMISSION_RATES, COHORTS)
