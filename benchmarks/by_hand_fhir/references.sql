-- References to resources that nobody delivered. Those without a target, or to one that they contain, are none.

create macro refers(of, path, ref, target, kinds) as
    {'resource_type': of, 'path': path, 'reference': ref, 'target': target, 'kinds': kinds};

create table unresolved_references as
    with said as (
        select id, patient_id, unnest([refers('Patient', 'managing_organization', managing_organization_ref,
               managing_organization_id, ['Organization'])]) as told
        from latest(patient)
        union all
        select id, patient_id, unnest([
            refers('PractitionerRole', 'practitioner', practitioner_ref, practitioner_id, ['Practitioner']),
            refers('PractitionerRole', 'organization', organization_ref, organization_id, ['Organization'])])
        from latest(practitioner_role)
        union all
        select id, patient_id, unnest([refers('Organization', 'part_of', part_of_ref, part_of_id, ['Organization'])])
        from latest(organization)
        union all
        select id, patient_id, unnest([refers('Location', 'managing_organization', managing_organization_ref,
               managing_organization_id, ['Organization'])])
        from latest(location)
        union all
        select id, patient_id, unnest([
            refers('Encounter', 'subject', subject_ref, patient_id, ['Patient']),
            refers('Encounter', 'service_provider', service_provider_ref, service_provider_id, ['Organization']),
            refers('Encounter', 'participant', participant_ref, participant_id,
                ['Practitioner', 'PractitionerRole', 'RelatedPerson']),
            refers('Encounter', 'location', location_ref, location_id, ['Location']),
            refers('Encounter', 'part_of', part_of_ref, part_of_id, ['Encounter']),
            refers('Encounter', 'episode_of_care', episode_of_care_ref, episode_of_care_id, ['EpisodeOfCare']),
            refers('Encounter', 'diagnosis_condition', diagnosis_condition_ref, diagnosis_condition_id,
                ['Condition', 'Procedure'])])
        from latest(encounter)
        union all
        select id, patient_id, unnest([
            refers('Condition', 'subject', subject_ref, patient_id, ['Patient']),
            refers('Condition', 'encounter', encounter_ref, encounter_id, ['Encounter'])])
        from latest(condition)
        union all
        select id, patient_id, unnest([
            refers('Procedure', 'subject', subject_ref, patient_id, ['Patient']),
            refers('Procedure', 'encounter', encounter_ref, encounter_id, ['Encounter']),
            refers('Procedure', 'reason', reason_ref, reason_id, ['Condition', 'Observation'])])
        from latest(procedure)
        union all
        select id, patient_id, unnest([
            refers('Observation', 'subject', subject_ref, patient_id, ['Patient']),
            refers('Observation', 'encounter', encounter_ref, encounter_id, ['Encounter'])])
        from latest(observation)
        union all
        select id, patient_id, unnest([
            refers('Claim', 'subject', subject_ref, patient_id, ['Patient']),
            refers('Claim', 'provider', provider_ref, provider_id,
                ['Practitioner', 'PractitionerRole', 'Organization']),
            refers('Claim', 'facility', facility_ref, facility_id, ['Location', 'Organization']),
            refers('Claim', 'insurer', insurer_ref, insurer_id, ['Organization']),
            refers('Claim', 'prescription', prescription_ref, prescription_id, ['MedicationRequest', 'DeviceRequest']),
            refers('Claim', 'coverage', coverage_ref, coverage_id, ['Coverage']),
            refers('Claim', 'related_claim', related_claim_ref, related_claim_id, ['Claim']),
            refers('Claim', 'diagnosis_condition', diagnosis_condition_ref, diagnosis_condition_id, ['Condition'])])
        from latest(claim)
        union all
        select id, patient_id, unnest([
            refers('ExplanationOfBenefit', 'subject', subject_ref, patient_id, ['Patient']),
            refers('ExplanationOfBenefit', 'provider', provider_ref, provider_id,
                ['Practitioner', 'PractitionerRole', 'Organization']),
            refers('ExplanationOfBenefit', 'facility', facility_ref, facility_id, ['Location', 'Organization']),
            refers('ExplanationOfBenefit', 'insurer', insurer_ref, insurer_id, ['Organization']),
            refers('ExplanationOfBenefit', 'claim', claim_ref, claim_id, ['Claim']),
            refers('ExplanationOfBenefit', 'claim_response', claim_response_ref, claim_response_id, ['ClaimResponse']),
            refers('ExplanationOfBenefit', 'coverage', coverage_ref, coverage_id, ['Coverage']),
            refers('ExplanationOfBenefit', 'related_claim', related_claim_ref, related_claim_id, ['Claim']),
            refers('ExplanationOfBenefit', 'diagnosis_condition', diagnosis_condition_ref, diagnosis_condition_id,
                ['Condition'])])
        from latest(explanation_of_benefit)
        union all
        select id, patient_id, unnest([
            refers('Coverage', 'beneficiary', beneficiary_ref, patient_id, ['Patient']),
            refers('Coverage', 'payor', payor_ref, payor_id, ['Organization'])])
        from latest(coverage) where item_index = 0
        union all
        select id, patient_id, unnest([refers('Claim', 'item[' || item_index || '].encounter', encounter_ref,
               encounter_id, ['Encounter'])])
        from claim_item
        union all
        select id, patient_id, unnest([refers('ExplanationOfBenefit', 'item[' || item_index || '].encounter',
               encounter_ref, encounter_id, ['Encounter'])])
        from eob_item)
    select id, patient_id, told.resource_type, told.path, told.reference from said
    where told.reference not like '#%'
    and not exists (from resource t where t.id = told.target and list_contains(told.kinds, t.resource_type));
