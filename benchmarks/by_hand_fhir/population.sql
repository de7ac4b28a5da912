-- Cohorts, denials, and the population by month.

create table cohort_encounters as
    with members as (
        select patient_id, cohort, min(coalesce(recorded_date, onset_date)) as member_since
        from (select *, unnest([case when is_copd(code_system, code_code) then 'COPD' end,
                                case when is_chf(code_system, code_code) then 'CHF' end]) as cohort
              from fct_conditions where verification_status = 'confirmed')
        where cohort is not null group by all)
    select cohort, encounter_id, patient_id, member_since, encounter_kind, start_date, end_date, length_of_stay,
           organization_id, facility_ccn, diagnosis_category
    from took_place join members using (patient_id) where member_since <= coalesce(known_end_date, date '9999-12-31');

create table claim_denials as
    with denied as (
        select claim_id, min(adjudicated_date) as first_denied_date, count(*) as n_denials,
               bool_and(adjudication = 'partly_denied') as is_partial,
               arg_max(struct_pack(denied_amount, denial_reason_system, denial_reason_code, denial_category),
                       (created_at, eob_id)) as last
        from fct_adjudications where status = 'active' and adjudication in ('denied', 'partly_denied')
        group by claim_id)
    select claim_id, c.patient_id, claim_type, billable_start_date, organization_id, care_provider_id, payer_id, payer,
           payer_category, diagnosis_category, billed_amount, first_denied_date, n_denials, is_partial,
           case when is_partial then last.denied_amount else coalesce(last.denied_amount, billed_amount) end
           as denied_amount,
           last.denial_reason_system, last.denial_reason_code, last.denial_category, adjudication, paid_amount,
           is_overturned, is_resubmitted, currency
    from fct_claims c join denied using (claim_id) where use = 'claim' and c.status = 'active';

-- Each event by all that is told apart, and of these the sums by each.
create table population_summary as
    with billed as (select * from fct_claims where use = 'claim' and status = 'active' and currency = 'USD'),
    payers as (
        select encounter_id, arg_min(payer_category, claim_id) as payer_category
        from billed where encounter_id is not null group by 1),
    happened as (
        select patient_id, encounter_id, start_date as day, 'encounters' as metric, 1 as value, null as payer_category
        from took_place
        union all select patient_id, encounter_id, arrival_date, 'ed_visits', 1, null from ed_visits
        union all select patient_id, encounter_id, admit_date, 'acute_admissions', 1, null from readmissions
        union all select patient_id, encounter_id, obs_date, 'observations', 1, null from fct_observations
        union all
        select patient_id, encounter_id, billable_start_date, 'billed_amount', billed_amount, payer_category
        from billed where not is_resubmitted
        union all
        select patient_id, encounter_id, billable_start_date, 'paid_amount', paid_amount, payer_category from billed),
    events as (
        select date_trunc('month', day)::date as month_start, metric, h.patient_id,
               coalesce(encounter_kind, 'unknown') as encounter_kind,
               coalesce(h.payer_category, p.payer_category, 'unknown') as payer_category, sum(value) as value
        from happened h left join fct_encounters e using (encounter_id) left join payers p using (encounter_id)
        where day is not null and value is not null group by all),
    months as (
        select unnest(generate_series(min(month_start), max(month_start), interval 1 month))::date as month_start
        from events),
    counted as (
        select * from events
        union all
        select month_start, 'patients_alive', patient_id, null, null, 1 from dim_patients, months
        where (not is_deceased or deceased_date is not null)
        and (birth_date is null or birth_date <= last_day(month_start))
        and (deceased_date is null or deceased_date > last_day(month_start))
        union all
        select month_start, 'snf_resident_days', patient_id, 'snf', null, resident_days
        from resident_months where resident_days > 0),
    told as (
        select c.*, coalesce(gender, 'unknown') as gender, coalesce(race_code, 'unknown') as race,
               year(month_start) - year(birth_date) - (month(month_start) < month(birth_date))::int as age,
               case when age is null then 'unknown' when age < 18 then '0-17' when age < 45 then '18-44'
                    when age < 65 then '45-64' when age < 75 then '65-74' when age < 85 then '75-84'
                    else '85+' end as age_band
        from counted c left join dim_patients using (patient_id)),
    summed as (
        select month_start, metric,
               case when grouping(age_band) = 0 then 'age_band' when grouping(gender) = 0 then 'gender'
                    when grouping(race) = 0 then 'race' when grouping(payer_category) = 0 then 'payer_category'
                    when grouping(encounter_kind) = 0 then 'encounter_kind' else 'all' end as dimension,
               case dimension when 'all' then 'all' when 'age_band' then age_band when 'gender' then gender
                    when 'race' then race when 'payer_category' then payer_category else encounter_kind end as category,
               sum(value) as value,
               count(distinct patient_id) filter (metric = 'encounters') as patients
        from told
        group by grouping sets ((month_start, metric), (month_start, metric, age_band), (month_start, metric, gender),
            (month_start, metric, race), (month_start, metric, payer_category), (month_start, metric, encounter_kind)))
    select month_start, dimension, category, metric, cast(value as decimal(18, 4)) as value
    from summed where category is not null
    union all
    select month_start, dimension, category, 'patients_seen', patients from summed where metric = 'encounters';
