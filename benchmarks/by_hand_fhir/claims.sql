-- Claims and decisions on them are alike: who pays (what the insurance says that is named, else the claim itself), the
-- principal diagnosis, and what the lines say.
create macro described(bills, items) as table (
    with lines as (
        select resource_key, count(*) as n_lines, sum(amount(net)) as line_net_amount, max(currency) as line_currency,
               count(distinct encounter_id) as n_encounters,
               arg_min(encounter_id, (coalesce(left(serviced_start, 10), '9999'), item_index))
               filter (encounter_id is not null) as encounter_id
        from query_table(items) group by resource_key),
    insured as (
        select coverage_id, patient_id as _insured, payor_id, payor_ref, coalesce(type_text, type_display) as insured_as
        from coverage)
    select b.id, b.patient_id, l.encounter_id, coalesce(l.n_encounters, 0) as n_encounters,
           case when o.id is null then b.provider_id end as care_provider_id, o.id as organization_id,
           case when b.type_code in ('institutional', 'professional', 'pharmacy', 'oral', 'vision') then b.type_code
                else 'other' end as claim_type,
           b.use, b.status, written(b.billable_start) as billable_start_date,
           written(b.billable_end) as billable_end_date, written(b.created) as created_date,
           case when payor_id = b.patient_id or payor_ref like 'RelatedPerson%' then 'Self pay' end as self_pay,
           coalesce('name:' || folded(self_pay), payor_id, 'name:' || folded(b.coverage_display), b.insurer_id,
                    'name:' || folded(b.insurer_display), 'name:' || folded(insured_as)) as payer_id,
           trim(coalesce(self_pay, b.coverage_display, b.insurer_display, insured_as)) as payer_name,
           coalesce(c.code_system, b.diagnosis_system) as primary_diagnosis_system,
           coalesce(c.code_code, b.diagnosis_code) as primary_diagnosis_code,
           coalesce(c.code_display, b.diagnosis_display, b.diagnosis_text) as primary_diagnosis_display,
           diagnosis_category(primary_diagnosis_system, primary_diagnosis_code) as diagnosis_category,
           b.related_claim_id, coalesce(l.n_lines, 0) as n_lines, l.line_net_amount, l.line_currency,
           b.last_updated, b.version_id, b.n_versions, b.resource_key
    from latest(bills) b left join lines l using (resource_key) left join insured i using (coverage_id)
    left join (select distinct id from organization) o on o.id = b.provider_id
    left join fct_conditions c on c.condition_id = b.diagnosis_condition_id
    where known(b.status)
);

create temp table described_claim as from described(claim, claim_item);
create temp table described_eob as from described(explanation_of_benefit, eob_item);

create table dim_payers as
    with named as (
        select payer_id, payer_name from described_claim union all select payer_id, payer_name from described_eob)
    select payer_id, coalesce(any_value(o.name), min(n.payer_name), payer_id) as payer_name,
           payer_category(coalesce(any_value(o.name), min(n.payer_name), payer_id)) as payer_category,
           payer_id not like 'name:%' as is_organization
    from named n left join latest(organization) o on o.id = payer_id where payer_id is not null group by payer_id;

-- What was decided on each line: amounts by what they are, whether it is denied, and why.
create temp table decided as
    with said as (
        select resource_key, sequence, item_index, lower(regexp_replace(category_code, '^.*/', '')) as kind,
               amount(amount) as amount, currency, reason_system, reason_code from eob_adjudication)
    select resource_key, sequence, max(currency) as currency,
           sum(amount) filter (kind in ('submitted', 'line_sbmtd_chrg_amt')) as submitted,
           sum(amount) filter (kind in ('eligible', 'allowed', 'line_alowd_chrg_amt')) as allowed,
           coalesce(sum(amount) filter (kind in ('benefit', 'payment', 'line_nch_pmt_amt')), sum(amount) filter (kind in
               ('paidtoprovider', 'paidtopatient', 'line_prvdr_pmt_amt', 'line_bene_pmt_amt'))) as paid,
           sum(amount) filter (kind in ('deductible', 'coinsurance', 'copay', 'line_bene_ptb_ddctbl_amt',
               'line_coinsrnc_amt')) as responsibility,
           sum(amount) filter (kind = 'noncovered') as noncovered,
           coalesce(bool_or(kind = 'denialreason'), false) as has_reason,
           max(reason_code) filter (kind = 'line_prcsg_ind_cd') as indicator,
           arg_min(struct_pack(system := reason_system, code := reason_code),
               (kind <> 'denialreason', kind <> 'noncovered', item_index))
           filter (reason_code is not null and kind in ('denialreason', 'noncovered', 'adjustmentreason')) as reason
    from said group by resource_key, sequence;

create temp table decided_lines as
    with beside as (
        select i.resource_key, i.id, i.item_index, i.sequence, i.claim_sequence, i.service_system, i.service_code,
               i.service_display, i.revenue_code, i.serviced_start, i.encounter_id, amount(i.net) as net_amount,
               coalesce(d.submitted, net_amount) as submitted, d.allowed, d.paid, d.responsibility,
               coalesce(d.currency, i.currency) as currency, coalesce(d.indicator, i.processing_code) as indicator,
               d.reason, coalesce(d.indicator, i.processing_code) not in ('A', 'R', 'S') as turned_down,
               coalesce(d.has_reason, false) or coalesce(turned_down, false)
               or coalesce(d.noncovered > 0 and d.noncovered >= coalesce(d.submitted, amount(i.net)), false)
               as is_denied
        from eob_item i left join decided d using (resource_key, sequence))
    select *, case when is_denied and reason is not null then reason.system when turned_down
                   then 'https://bluebutton.cms.gov/resources/variables/line_prcsg_ind_cd' end as denial_reason_system,
           case when is_denied and reason is not null then reason.code when turned_down then indicator end
           as denial_reason_code
    from beside;

create table fct_adjudications as
    with lines as (
        select resource_key, sum(submitted) as submitted, sum(allowed) as allowed, sum(paid) as paid,
               sum(responsibility) as responsibility, sum(submitted) filter (is_denied) as denied,
               count(*) filter (is_denied) as n_denied, max(currency) as currency,
               arg_min(struct_pack(system := denial_reason_system, code := denial_reason_code), item_index)
               filter (is_denied and denial_reason_code is not null) as reason
        from decided_lines group by resource_key),
    amounts as (
        select d.* exclude (resource_key, line_currency, self_pay, payer_name), amount(e.payment_amount) as payment,
               coalesce(amount(e.total_benefit), w.paid) as total, l.paid as line_paid,
               coalesce(payment, total, line_paid) as paid_amount,
               coalesce(amount(e.total_submitted), w.submitted, l.submitted) as billed_amount,
               coalesce(amount(e.total_eligible), w.allowed, l.allowed) as allowed_amount,
               coalesce(l.responsibility, w.responsibility, amount(e.total_deductible)) as patient_responsibility,
               coalesce(e.payment_currency, e.total_currency, l.currency, d.line_currency, 'USD') as currency,
               coalesce(e.claim_id, e.claim_number, 'eob:' || e.id) as claim_id, e.outcome,
               coalesce(instant(e.created), cast(d.created_date as timestamptz)) as created_at,
               coalesce(written(e.payment_date), d.created_date) as adjudicated_date,
               coalesce(l.n_denied, 0) as n_denied_lines, l.denied as line_denied,
               e.outcome = 'error' or coalesce(e.non_payment_reason <> 'P', false) or coalesce(w.has_reason, false)
               or (d.n_lines > 0 and n_denied_lines = d.n_lines) as is_refused,
               coalesce(w.reason.code, nullif(e.non_payment_reason, 'P'), l.reason.code) as reason_code,
               case when w.reason.code is not null then w.reason.system
                    when nullif(e.non_payment_reason, 'P') is not null
                    then 'https://bluebutton.cms.gov/resources/variables/clm_mdcr_non_pmt_rsn_cd'
                    else l.reason.system end as reason_system
        from described_eob d join explanation_of_benefit e using (resource_key) left join lines l using (resource_key)
        left join (from decided where sequence is null) w using (resource_key)),
    judged as (
        select *, case when paid_amount < 0 then 'reversed'
                       when is_refused and coalesce(paid_amount, 0) = 0 then 'denied'
                       when is_refused or n_denied_lines > 0 then 'partly_denied'
                       when outcome = 'queued' or paid_amount is null then 'pending'
                       when paid_amount = 0 then 'zero_paid' else 'paid' end as adjudication,
               adjudication in ('denied', 'partly_denied') as is_denied
        from amounts)
    select id as eob_id, * exclude (id, payment, total, line_paid, outcome, line_denied, is_refused, is_denied,
           reason_code, reason_system),
           case when payment is not null then 'payment' when total is not null then 'total'
                when line_paid is not null then 'lines' end as paid_source,
           case when status = 'active' then coalesce(paid_amount, 0) else 0 end as paid_change,
           case when not is_denied then 0 when adjudication = 'denied' and n_denied_lines < n_lines or n_lines = 0
                then billed_amount else line_denied end as denied_amount,
           case when is_denied then reason_system end as denial_reason_system,
           case when is_denied then reason_code end as denial_reason_code,
           case when is_denied then denial_category(reason_system, reason_code) end as denial_category
    from judged;

-- Claims with the last active decision on each; and of decisions on claims that nobody delivered, one claim each.
create table fct_claims as
    with ever as (
        select claim_id, count(*) as n_eobs, sum(paid_change) as cash,
               bool_or(status = 'active' and adjudication = 'denied') as was_denied,
               bool_or(status = 'active' and adjudication = 'partly_denied') as was_partly_denied
        from fct_adjudications group by claim_id),
    last as (
        select * from fct_adjudications
        qualify row_number() over (
            partition by claim_id
            order by status = 'active' desc, created_at desc nulls last, last_updated desc nulls last,
                     paid_amount desc nulls last, eob_id desc) = 1),
    said as (
        select d.* exclude (id, resource_key, self_pay, payer_name), d.id as claim_id,
               amount(c.total_value) as billed_amount, coalesce(c.total_currency, d.line_currency, 'USD') as currency,
               false as is_from_eob
        from described_claim d join claim c using (resource_key)
        union all by name
        select * exclude (eob_id), true as is_from_eob from last
        where claim_id not in (select id from described_claim)),
    paid as (
        select s.claim_id, s.patient_id, s.encounter_id, s.n_encounters, s.care_provider_id, s.organization_id,
               s.claim_type, s.use, s.status, s.billable_start_date, s.billable_end_date, s.created_date,
               coalesce(s.payer_id, l.payer_id) as payer_id,
               s.primary_diagnosis_system, s.primary_diagnosis_code, s.primary_diagnosis_display, s.diagnosis_category,
               s.related_claim_id, s.n_lines, s.line_net_amount, s.currency, s.is_from_eob, s.last_updated,
               s.version_id, s.n_versions, l.status = 'active' as decided, decided and l.currency = s.currency as same,
               coalesce(s.billed_amount, case when same then l.billed_amount end) as billed_amount,
               case when decided or s.is_from_eob then l.eob_id end as eob_id,
               case when decided then l.adjudication else 'unadjudicated' end as adjudication,
               case when decided then l.adjudicated_date end as adjudicated_date,
               case when same then l.allowed_amount end as allowed_amount,
               case when same then case l.adjudication when 'reversed' then e.cash else l.paid_amount end end
               as paid_amount,
               case when same then l.patient_responsibility end as patient_responsibility,
               case when same then l.denied_amount end as denied_amount,
               case when decided then l.paid_source end as paid_source,
               case when decided then l.denial_reason_system end as denial_reason_system,
               case when decided then l.denial_reason_code end as denial_reason_code,
               case when decided then l.denial_category end as denial_category,
               coalesce(e.n_eobs, 0) as n_eobs, coalesce(e.was_denied, false) as was_denied,
               coalesce(e.was_partly_denied, false) as was_partly_denied
        from said s left join last l using (claim_id) left join ever e using (claim_id)),
    again as (
        select related_claim_id as claim_id, bool_or(coalesce(paid_amount > 0, false)) as paid_again from paid
        where related_claim_id <> claim_id and use = 'claim' and status = 'active' group by 1)
    select p.* exclude (decided, same, was_denied, was_partly_denied)
           replace (case when adjudication = 'denied' then coalesce(denied_amount, billed_amount)
                         else denied_amount end as denied_amount),
           payer_name as payer, coalesce(payer_category, 'Unmapped') as payer_category,
           case when not was_denied and not was_partly_denied then null when paid_again then true
                when was_denied and paid_amount > 0 or adjudication = 'paid' then true
                when adjudication in ('pending', 'unadjudicated') then null else false end as is_overturned,
           adjudication = 'denied' and paid_again is not null as is_resubmitted,
           coalesce(billed_amount, 0) <> coalesce(line_net_amount, 0) as is_header_unbalanced,
           coalesce(paid_amount > billed_amount, false) as is_paid_over_billed
    from paid p left join dim_payers using (payer_id) left join again using (claim_id);

create table fct_claim_lines as
    with lines as (
        select id as claim_id, coalesce(try_cast(sequence as int), item_index) as line_number,
               arg_min(struct_pack(service_system, service_code, service_display, revenue_code, serviced_start,
                                   encounter_id), item_index) as said,
               sum(amount(quantity)) as quantity, sum(amount(net)) as net_amount
        from claim_item where resource_key in (select resource_key from described_claim) group by all),
    theirs as (
        select c.claim_id, coalesce(try_cast(coalesce(claim_sequence, sequence) as int), item_index) as line_number,
               arg_min(struct_pack(service_system, service_code, service_display, revenue_code, serviced_start,
                                   encounter_id := d.encounter_id), item_index) as said,
               sum(net_amount) as net_amount, sum(submitted) filter (is_denied) as denied,
               bool_or(is_denied) as is_denied, sum(allowed) as allowed, sum(paid) as paid,
               sum(responsibility) as responsibility,
               arg_min(struct_pack(system := d.denial_reason_system, code := d.denial_reason_code), item_index)
               filter (d.denial_reason_code is not null) as reason
        from decided_lines d join fct_claims c on c.eob_id = d.id group by all)
    select claim_id, line_number, c.patient_id, coalesce(l.said.encounter_id, t.said.encounter_id) as encounter_id,
           coalesce(l.said.service_system, t.said.service_system) as service_system,
           coalesce(l.said.service_code, t.said.service_code) as service_code,
           coalesce(l.said.service_display, t.said.service_display) as service_display,
           coalesce(l.said.revenue_code, t.said.revenue_code) as revenue_code,
           written(coalesce(l.said.serviced_start, t.said.serviced_start)) as serviced_date, l.quantity,
           case when is_from_eob then t.net_amount else l.net_amount end as net_amount, t.allowed as allowed_amount,
           t.paid as paid_amount, t.responsibility as patient_responsibility, coalesce(t.is_denied, false) as is_denied,
           t.denied as denied_amount, t.reason.system as denial_reason_system, t.reason.code as denial_reason_code,
           case when t.is_denied then denial_category(t.reason.system, t.reason.code) end as denial_category,
           c.currency, c.last_updated, c.version_id, c.n_versions
    from lines l full join theirs t using (claim_id, line_number) join fct_claims c using (claim_id);
