-- People, places and care: the latest version of each resource, typed.

create macro latest(resources) as table (
    select *, count(*) over (partition by id) as n_versions
    from query_table(resources)
    qualify row_number() over (partition by id order by last_updated desc nulls last, resource_key desc) = 1
);
create macro known(status) as coalesce(status, '') <> 'entered-in-error';
-- The day as it was written, the first one of a year or a month; the instant, of what has a time.
create macro written(t) as
    try_cast(case length(t) when 4 then t || '-01-01' when 7 then t || '-01' else left(t, 10) end as date);
create macro instant(t) as case when length(t) > 10 then try_cast(t as timestamptz) end;
create macro exactness(t) as
    case when t is null then null when length(t) = 4 then 'year' when length(t) = 7 then 'month'
    when length(t) = 10 then 'day' else 'time' end;
create macro amount(t) as try_cast(t as decimal(18, 4));
create macro zip5(t) as regexp_extract(regexp_replace(t, '[^0-9]', '', 'g'), '^[0-9]{5}');

create table id_conflicts as
    select resource_type, id, 'collision' as reason from resource
    group by resource_type, id having count(distinct patient_id) > 1;

create table directory as
    with named as (
        select resource_type, 'Resource.id' as system, id as value, id from resource where patient_id is null
        union
        select resource_type, coalesce(system, ''), identifier_value, id
        from identifier where identifier_value is not null)
    select resource_type, system, value, case when count(*) = 1 then min(id) end as resource_id,
           count(*) as n_candidates
    from named group by all;

create table facility_crosswalk as
    select id as organization_id, ccn, case when ccn is null then 'none' else 'identifier' end as match_method,
           cast(ccn is not null as int) as n_candidates, npi, name, address_line as street,
           nullif(zip5(address_postal_code), '') as zip5
    from latest(organization);

create table facilities as select organization_id, ccn from facility_crosswalk where ccn is not null;

create table dim_patients as
    select id as patient_id, case when gender in ('male', 'female', 'other', 'unknown') then gender end as gender,
           written(birth_date) as birth_date, exactness(left(birth_date, 10)) as birth_date_precision,
           coalesce(deceased_boolean = 'true', false) or deceased_datetime is not null as is_deceased,
           written(deceased_datetime) as deceased_date, instant(deceased_datetime) as deceased_at,
           case when race_second_code is not null then 'multiple' else coalesce(race_code, race_text) end as race_code,
           coalesce(ethnicity_code, ethnicity_text) as ethnicity_code, marital_status_code, address_city as city,
           address_state as state, nullif(zip5(address_postal_code), '') as zip_code,
           managing_organization_id, coalesce(active <> 'false', true) as is_active, last_updated, version_id,
           n_versions
    from latest(patient);

create table dim_providers as
    with roles as (
        select practitioner_id as id, count(*) as n_roles,
               arg_min(struct_pack(specialty_code, organization_id,
                                   specialty_name := coalesce(specialty_display, specialty_text)),
                       (specialty_code is null, specialty_code, id)) as role
        from latest(practitioner_role) group by practitioner_id),
    providers as (
        select id, 'practitioner' as provider_kind, npi, nullif(concat_ws(' ', given_name, family_name), '') as name,
               role.specialty_code, role.specialty_name, role.organization_id, role.organization_id as home,
               coalesce(n_roles, 0) as n_roles, last_updated, version_id, n_versions
        from latest(practitioner) left join roles using (id)
        union all
        select id, 'organization', npi, name, null, null, part_of_id, id, 0, last_updated, version_id, n_versions
        from latest(organization))
    select id as care_provider_id, provider_kind, npi,
           case when regexp_full_match(npi, '[0-9]{10}') then (24 + list_sum(list_transform(range(1, 11), lambda i:
                    case when i % 2 = 0 then npi[i]::int when npi[i]::int > 4 then 2 * npi[i]::int - 9
                         else 2 * npi[i]::int end))) % 10 = 0
                when npi is not null then false end as is_npi_valid,
           name, specialty_code, specialty_name,
           case when specialty_code is null and specialty_name is null then 'none' else 'role' end as specialty_source,
           n_roles, p.organization_id, ccn, last_updated, version_id, n_versions
    from providers p left join facilities f on f.organization_id = p.home;

create table fct_conditions as
    select id as condition_id, patient_id, encounter_id, category_code, code_system, code_code,
           coalesce(code_display, code_text) as code_display, clinical_status, verification_status, severity_code,
           written(onset_datetime) as onset_date, exactness(onset_datetime) as onset_precision,
           written(abatement_datetime) as abatement_date, written(recorded_date) as recorded_date,
           last_updated, version_id, n_versions
    from latest(condition) where known(verification_status);

create table fct_procedures as
    select id as procedure_id, patient_id, encounter_id, status, category_code, code_system, code_code,
           coalesce(code_display, code_text) as code_display, instant(performed_start) as performed_at,
           written(performed_start) as performed_date, exactness(performed_start) as performed_precision,
           written(performed_end) as performed_end_date, reason_id as reason_condition_id, last_updated, version_id,
           n_versions
    from latest(procedure) where known(status);

-- The primary diagnosis of an encounter: its own; else of the first decision, then claim, that bills it; else its
-- reason; else the first condition noted in it.
create temp table encounter_diagnoses as
    with billed as (
        select 'eob' as source, 1 as rank, claim_id, billable_start as said_at, id, diagnosis_condition_id,
               diagnosis_system, diagnosis_code, coalesce(diagnosis_display, diagnosis_text) as diagnosis_display
        from latest(explanation_of_benefit) where known(status)
        union all
        select 'claim', 2, id, billable_start, id, diagnosis_condition_id, diagnosis_system, diagnosis_code,
               coalesce(diagnosis_display, diagnosis_text)
        from latest(claim) where known(status)),
    told as (
        select i.encounter_id, source, rank, said_at, b.id, coalesce(diagnosis_code, code_code) as code,
               case when diagnosis_code is null then code_system else diagnosis_system end as system,
               case when diagnosis_code is null then code_display else diagnosis_display end as display
        from billed b join (select distinct id as claim_id, encounter_id from claim_item) i using (claim_id)
        left join fct_conditions on condition_id = diagnosis_condition_id
        union all
        select encounter_id, 'condition', 3, cast(recorded_date as varchar), condition_id, code_code, code_system,
               code_display
        from fct_conditions where category_code = 'encounter-diagnosis'),
    first as (
        select * from told where code is not null and encounter_id is not null
        qualify row_number() over (partition by encounter_id order by rank, said_at nulls last, id) = 1)
    select e.id as encounter_id,
           case when c.code_code is not null then 'encounter' when f.source in ('eob', 'claim') then f.source
                when reason_code is not null then 'reason' else f.source end as found_in,
           case found_in when 'encounter' then c.code_system when 'reason' then reason_system
                else f.system end as system,
           case found_in when 'encounter' then c.code_code when 'reason' then reason_code else f.code end as code,
           case found_in when 'encounter' then c.code_display when 'reason' then coalesce(reason_display, reason_text)
                else f.display end as display
    from latest(encounter) e left join fct_conditions c on c.condition_id = e.diagnosis_condition_id
    left join first f on f.encounter_id = e.id;

create table fct_encounters as
    with read as (
        select id as encounter_id, patient_id, coalesce(status, 'unknown') as status, class_code, class_system,
               type_system, type_code, coalesce(type_display, type_text) as type_display,
               encounter_kind(class_code, type_system, type_code) as encounter_kind,
               instant(period_start) as start_at, instant(period_end) as end_at, written(period_start) as start_date,
               written(period_end) as end_date,
               case when period_start like '%Z' then 0 when length(period_start) > 16
                    then (period_start[-6] || '1')::int * (60 * period_start[-5:-4]::int + period_start[-2:]::int)
               end as utc_offset_minutes,
               exactness(period_start) as start_precision, exactness(period_end) as end_precision,
               period_end is null as is_open, service_provider_id as organization_id,
               case when participant_ref not like 'PractitionerRole%' then participant_id end as care_provider_id,
               location_id, f.ccn as facility_ccn, admit_source_code,
               case when regexp_full_match(discharge_disposition_code, '[0-9]{1,2}')
                    then lpad(discharge_disposition_code, 2, '0')
                    else map {'home': '01', 'snf': '03', 'aama': '07', 'exp': '20', 'hosp': '50', 'rehab': '62',
                              'psy': '65'}[discharge_disposition_code] end as discharge_disposition_code,
               part_of_id, episode_of_care_id, last_updated, version_id, n_versions
        from latest(encounter) left join facilities f on f.organization_id = service_provider_id where known(status)),
    nights as (
        select *, case when start_precision in ('day', 'time') and end_precision in ('day', 'time')
                            and end_date >= start_date then end_date - start_date end as midnights
        from read)
    select n.*, case when midnights = 0 and encounter_kind in ('acute_inpatient', 'non_acute_inpatient', 'snf') then 1
                     else midnights end as length_of_stay,
           d.system as primary_diagnosis_system, d.code as primary_diagnosis_code,
           d.display as primary_diagnosis_display,
           coalesce(d.found_in, 'none') as diagnosis_source, diagnosis_category(d.system, d.code) as diagnosis_category,
           coalesce(end_at < start_at, end_date < start_date, false) as is_end_before_start,
           coalesce(start_date < birth_date, false) as is_before_birth,
           coalesce(start_at > deceased_at, start_date > deceased_date, false) as is_after_death,
           encounter_kind in ('acute_inpatient', 'emergency') and facility_ccn is not null as is_kind_doubtful
    from nights n left join encounter_diagnoses d using (encounter_id) left join dim_patients using (patient_id);

create table fct_observation_values as
    with read as (
        select patient_id,
               coalesce(instant(effective),
                        case when length(effective) = 10 then try_cast(effective as timestamptz) end,
                        instant(issued)) as obs_at,
               case when length(effective) > 10 then 'effective' when length(effective) = 10 then 'effective_day'
                    when issued is not null then 'issued' end as obs_at_source,
               coalesce(written(effective), written(issued)) as obs_date,
               coalesce(code_code, 'text:' || lower(trim(code_text))) as obs_code, code_system as obs_system,
               coalesce(code_display, code_text) as obs_display,
               case when item_index > 0 then panel_code end as panel_code,
               id as observation_id, item_index, encounter_id, category_code, coalesce(v.status, 'unknown') as status,
               case value_kind when 'CodeableConcept' then 'code' else coalesce(lower(value_kind), 'absent') end
               as value_kind,
               try_cast(value_number as double) as value_number,
               coalesce(value_number, value_string, value_text, value_display,
                        value_start || '/' || coalesce(value_end, ''), value_low || '..' || coalesce(value_high, ''),
                        value_numerator || ':' || value_denominator) as value_text,
               coalesce(value_unit_code, value_unit) as value_unit, value_comparator, value_system, value_code,
               value_display, interpretation_code, absent_reason, last_updated, version_id, n_versions
        from observation_value v
        join (select resource_key, n_versions from latest(observation) where known(status)) using (resource_key)),
    said as (select *, concat_ws('|', value_kind, coalesce(value_text, ''), coalesce(value_unit, '')) as said from read)
    select * exclude (said), count(*) over same as n_candidates,
           min(said) over same <> max(said) over same as is_conflicting
    from said window same as (partition by patient_id, obs_at, obs_code);

create table fct_observations as
    select * from fct_observation_values where patient_id is not null and obs_at is not null and obs_code is not null
    qualify row_number() over (
        partition by patient_id, obs_at, obs_code
        order by case when status = 'final' then 0 when status in ('amended', 'corrected') then 1 else 2 end,
                 last_updated desc, observation_id desc, item_index desc) = 1;
