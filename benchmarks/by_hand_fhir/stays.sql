-- Stays and visits, and what followed them.

create macro known_end(precision, first_day, last_day) as
    case when precision in ('day', 'time') and last_day >= first_day then last_day end;
create temp view took_place as
    select *, known_end(end_precision, start_date, end_date) as known_end_date from fct_encounters
    where status in ('finished', 'in-progress') and patient_id is not null and start_date is not null
        and start_precision in ('day', 'time');

-- A stay goes on in what overlaps with it, in a transfer of the same or the next day, and on the same day in the same
-- hospital with a diagnosis of the same category. It is shown by its last leg.
create temp table acute_stays as
    with legs as (
        select e.*, coalesce(known_end_date, start_date) as until,
               is_planned_diagnosis(primary_diagnosis_system, primary_diagnosis_code)
               or is_planned_type(type_system, type_code) as is_elective,
               encounter_id in (
                   select encounter_id from fct_procedures
                   where coalesce(status, '') <> 'not-done' and is_planned_procedure(code_system, code_code)
               ) as is_treated,
               row_number() over (
                   partition by patient_id order by start_date, known_end_date nulls last, encounter_id) as nth
        from took_place e where encounter_kind = 'acute_inpatient'),
    beside as (
        select *, max(struct_pack(until, start_date, encounter_id, organization_id, diagnosis_category))
               over (partition by patient_id order by nth rows between unbounded preceding and 1 preceding) as before
        from legs),
    parted as (
        select *, sum(case when start_date < before.until
                             or start_date = before.until and (organization_id <> before.organization_id
                                                               or diagnosis_category = before.diagnosis_category)
                             or start_date = before.until + 1 and organization_id <> before.organization_id
                           then 0 else 1 end) over (partition by patient_id order by nth) as stay
        from beside)
    select *, count(*) over whole as n_legs, first_value(encounter_id) over whole as first_encounter_id,
           min(start_date) over whole as admit_date, min(start_at) over whole as admit_at,
           case when last_value(known_end_date is not null) over whole then until end as discharge_date,
           bool_or(is_treated) over whole or first_value(is_elective) over whole as is_planned
    from parted
    window whole as (
        partition by patient_id, stay order by nth rows between unbounded preceding and unbounded following)
    qualify row_number() over (
        partition by patient_id, stay order by until desc, start_date desc, encounter_id desc) = 1;

create table ed_visits as
    with legs as (
        select *, coalesce(start_at, cast(start_date as timestamptz)) as arrived,
               greatest(arrived, coalesce(end_at, cast(end_date as timestamptz))) as gone,
               row_number() over (partition by patient_id order by arrived, gone, encounter_id) as nth
        from took_place where encounter_kind = 'emergency' and known_end_date is not null),
    beside as (
        select *, max(gone) over (
                   partition by patient_id order by nth rows between unbounded preceding and 1 preceding) as before
        from legs),
    parted as (
        select *, sum((arrived <= before is not true)::int) over (partition by patient_id order by nth) as visit
        from beside),
    visits as (
        select *, count(*) over whole as n_legs, min(arrived) over whole as arrived_at, max(gone) over whole as left_at,
               min(start_date) over whole as arrival_date
        from parted
        window whole as (partition by patient_id, visit)
        qualify row_number() over (
            partition by patient_id, visit order by gone desc, arrived desc, encounter_id desc) = 1),
    led as (
        select *, exists (
                   from acute_stays s
                   where s.patient_id = v.patient_id and s.admit_date between arrival_date and v.end_date + 1
               ) as is_admitted
        from visits v),
    followed as (
        select *, case when is_admitted then 'admitted'
                       when discharge_disposition_code in ('20', '40', '41', '42') then 'died'
                       when discharge_disposition_code = '07' then 'against_advice' end as not_index_reason,
               not_index_reason is null as is_index, lead(arrived_at) over next as next_at,
               lead(arrival_date) over next - end_date as days_to_revisit,
               lead(encounter_id) over next as revisit_encounter_id
        from led window next as (partition by patient_id order by arrived_at, visit))
    select encounter_id, patient_id, n_legs, arrived_at, left_at, arrival_date, end_date as departure_date,
           end_date + 30 as followed_up_on, organization_id, diagnosis_category, is_admitted, is_index,
           not_index_reason, days_to_revisit, revisit_encounter_id,
           is_index and coalesce(next_at between left_at and left_at + interval 72 hours, false) as is_revisited_72h,
           is_index and coalesce(days_to_revisit between 0 and 30, false) as is_revisited_30d
    from followed;

create table readmissions as
    with followed as (
        select *, lead(encounter_id) over next as readmission_encounter_id,
               lead(admit_date) over next - discharge_date as days_to_readmission,
               coalesce(lead(is_planned) over next, false) as next_is_planned, discharge_date is not null as is_index,
               case when discharge_date is null then 'open'
                    when discharge_disposition_code in ('20', '40', '41', '42') then 'died'
                    when discharge_disposition_code = '07' then 'against_advice'
                    when discharge_disposition_code = '02' then 'transferred'
                    when is_cancer(primary_diagnosis_system, primary_diagnosis_code) then 'cancer'
                    when is_psychiatric(primary_diagnosis_system, primary_diagnosis_code) then 'psychiatric'
                    when is_rehabilitation(primary_diagnosis_system, primary_diagnosis_code) then 'rehabilitation' end
                    as not_index_reason,
               exists (
                   from ed_visits v
                   where v.patient_id = s.patient_id and not v.is_admitted and v.arrival_date <= discharge_date + 30
                   and (v.arrival_date > discharge_date
                        or v.arrival_date = discharge_date and v.arrived_at >= s.end_at)) as ed_visit_30d
        from acute_stays s window next as (partition by patient_id order by admit_date, stay))
    select encounter_id, patient_id, first_encounter_id, n_legs, admit_date, admit_at, discharge_date,
           discharge_date + 30 as followed_up_on, organization_id, diagnosis_category, discharge_disposition_code,
           is_planned, is_index, not_index_reason is null as is_unplanned_index, not_index_reason,
           days_to_readmission, readmission_encounter_id,
           is_index and coalesce(days_to_readmission between 0 and 30, false) as is_readmitted_30d,
           is_unplanned_index and coalesce(days_to_readmission between 0 and 30, false) and not next_is_planned
           as is_unplanned_readmitted_30d, ed_visit_30d
    from followed;

create table horizon as
    select current_date as last_export_date, max(known_end_date) as last_discharge_date,
           least(last_export_date, last_discharge_date) as horizon
    from took_place where encounter_kind = 'acute_inpatient';

create table snf_stays as
    with legs as (
        select *, coalesce(known_end_date, start_date) as until,
               row_number() over (
                   partition by patient_id, facility_ccn
                   order by start_date, known_end_date nulls last, encounter_id) as nth
        from took_place where encounter_kind = 'snf' and facility_ccn is not null),
    beside as (
        select *, max(until) over (
                   partition by patient_id, facility_ccn
                   order by nth rows between unbounded preceding and 1 preceding) as before
        from legs),
    parted as (
        select *, sum((start_date <= before + 1 is not true)::int)
               over (partition by patient_id, facility_ccn order by nth) as stay
        from beside),
    stays as (
        select *, count(*) over whole as n_legs, min(start_date) over whole as admit_date,
               min(start_at) over whole as admit_at, last_value(known_end_date is null) over whole as is_still_open
        from parted
        window whole as (
            partition by patient_id, facility_ccn, stay
            order by nth rows between unbounded preceding and unbounded following)
        qualify row_number() over (
            partition by patient_id, facility_ccn, stay
            order by until desc, start_date desc, encounter_id desc) = 1)
    select encounter_id, patient_id, facility_ccn as provider_id, n_legs, admit_date,
           case when not is_still_open then until
                else lead(admit_date) over (partition by patient_id order by admit_date, encounter_id)
           end as discharge_date,
           admit_date + 30 as followed_up_on,
           (select min(a.admit_date) from readmissions a
            where a.patient_id = s.patient_id and a.admit_date <= s.admit_date + 30
            and (a.admit_date > s.admit_date or a.admit_date = s.admit_date and a.admit_at >= s.admit_at)
           ) as rehospitalized_on,
           (select min(v.arrival_date) from ed_visits v
            where v.patient_id = s.patient_id and not v.is_admitted and v.arrival_date <= s.admit_date + 30
            and (v.arrival_date > s.admit_date or v.arrival_date = s.admit_date and v.arrived_at >= s.admit_at)
           ) as ed_visit_on
    from stays s;

create temp table resident_months as
    select s.*, horizon,
           unnest(generate_series(date_trunc('month', admit_date), greatest(admit_date, until - 1),
                                  interval 1 month))::date as month_start,
           greatest(0, least(until, (month_start + interval 1 month)::date) - greatest(admit_date, month_start))
           as resident_days
    from (select *, coalesce(discharge_date, last_export_date + 1) as until from snf_stays, horizon) s;

create table snf_months as
    with residents as (
        select provider_id, month_start, patient_id, count(*) filter (begins) as admissions,
               sum(resident_days) as resident_days, count(rehospitalized_on) filter (begins) as rehospitalized,
               count(ed_visit_on) filter (begins) as ed,
               bool_and(not begins or followed_up_on <= horizon) as is_followed_up
        from (select *, month_start = date_trunc('month', admit_date) as begins from resident_months) group by all)
    select provider_id, month_start, sum(admissions) as snf_admissions, sum(rehospitalized) as rehospitalized_30d,
           sum(ed) as ed_30d, bool_and(is_followed_up) as is_followed_up,
           count(*) filter (resident_days > 0) as residents, sum(resident_days) as resident_days
    from residents group by all;
