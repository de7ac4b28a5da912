"""Bronze by hand: of each table the type, its columns, and what is unnested for its rows.

Of several codings, addresses, participants or insurances the first counts.
"""

from __future__ import annotations

from benchmarks.by_hand_fhir.elements import CODING

_BLUE_BUTTON = "https://bluebutton.cms.gov/resources/variables/"


def _concept(name: str, path: str) -> str:
    coding = ", ".join(f"{path}.coding[1].{part} as {name}_{part}" for part in CODING)
    return f"{coding}, {path}.text as {name}_text"


def _reference(name: str, path: str) -> str:
    return (
        f"{path}.reference as {name}_ref, nullif(regexp_extract({path}.reference, '[^:/]+$'), '') as {name}_id, "
        f"{path}.display as {name}_display"
    )


def _with(elements: str, path: str, value: str) -> str:
    return f"list_filter({elements}, lambda e: e.{path} = '{value}')"


def _us_core(name: str, part: str, nth: int = 1) -> str:
    url = f"http://hl7.org/fhir/us/core/StructureDefinition/us-core-{name}"
    told = _with("r.extension", "url", url)
    return f"{_with(f'{told}[1].extension', 'url', part)}[{nth}]"


def _total(category: str) -> str:
    return f"{_with('r.total', 'category.coding[1].code', category)}[1].amount.value as total_{category}"


def _value(path: str) -> str:
    kinds = (
        "Quantity", "CodeableConcept", "String", "Boolean", "Integer", "DateTime", "Period", "Range", "Ratio", "Time"
    )  # fmt: skip
    kind = " ".join(f"when {path}.value{kind} is not null then '{kind}'" for kind in kinds)
    return f"""{_concept("code", f"{path}.code")}, case {kind} end as value_kind,
        coalesce({path}.valueQuantity.value, {path}.valueInteger) as value_number,
        {path}.valueQuantity.comparator as value_comparator, {path}.valueQuantity.unit as value_unit,
        {path}.valueQuantity.code as value_unit_code, {_concept("value", f"{path}.valueCodeableConcept")},
        coalesce({path}.valueString, {path}.valueBoolean, {path}.valueDateTime, {path}.valueTime) as value_string,
        {path}.valuePeriod.start as value_start, {path}.valuePeriod.end as value_end,
        {path}.valueRange.low.value as value_low, {path}.valueRange.high.value as value_high,
        {path}.valueRatio.numerator.value as value_numerator, {path}.valueRatio.denominator.value as value_denominator,
        {_concept("interpretation", f"{path}.interpretation[1]")}, {_absent(path)} as absent_reason"""


def _absent(path: str) -> str:
    return f"coalesce({path}.dataAbsentReason.coding[1].code, {path}.dataAbsentReason.text)"


def _address(path: str) -> str:
    return (
        f"{path}.line[1] as address_line, {path}.city as address_city, {path}.state as address_state, "
        f"{path}.postalCode as address_postal_code"
    )


def _identifier(name: str, system: str) -> str:
    return f"{_with('r.identifier', 'system', system)}[1].value as {name}"


_NPI = _identifier("npi", "http://hl7.org/fhir/sid/us-npi")
_EFFECTIVE = "coalesce(r.effectiveDateTime, r.effectivePeriod.start) as effective"
_BILLED = f"""r.status as status, {_concept("type", "r.type")}, r.use as use, {_reference("provider", "r.provider")},
    {_reference("facility", "r.facility")}, {_reference("insurer", "r.insurer")}, r.created as created,
    r.billablePeriod.start as billable_start, r.billablePeriod.end as billable_end,
    r.insurance[1].coverage.reference as coverage_ref, r.insurance[1].coverage.display as coverage_display,
    case when coverage_ref like '#%' then id || coverage_ref
    else regexp_extract(coverage_ref, '[^:/]+$') end as coverage_id,
    len(r.item) as item_count,
    {_reference("related_claim", "r.related[1].claim")},
    {_reference("diagnosis_condition", "r.diagnosis[1].diagnosisReference")},
    {_concept("diagnosis", "r.diagnosis[1].diagnosisCodeableConcept")}"""
_SERVICE = f"""nth_i as item_index, i.sequence as sequence, {_concept("service", "i.productOrService")},
    {_concept("revenue", "i.revenue")}, coalesce(i.servicedDate, i.servicedPeriod.start) as serviced_start,
    i.net.value as net, coalesce(i.net.currency, i.unitPrice.currency) as currency,
    {_reference("encounter", "i.encounter[1]")}"""
_INSURED = f"""{{of}}.status as status, {_concept("type", "{of}.type")},
    {{of}}.beneficiary.reference as beneficiary_ref, {_reference("payor", "{of}.payor[1]")},
    {{of}}.period.start as period_start, {{of}}.period.end as period_end,
    {{of}}.relationship.coding[1].code as relationship"""
_DECIDED = f"""{_concept("category", "a.category")}, {_concept("reason", "a.reason")}, a.amount.value as amount,
    a.amount.currency as currency, a.value as value"""
_OBSERVED = f"""r.status as status, {_concept("category", "r.category[1]")}, {_concept("panel", "r.code")},
    {_reference("encounter", "r.encounter")}, {_EFFECTIVE}, r.issued as issued"""
_IDENTIFIED = "i.system as system, i.value as identifier_value, i.type.coding[1].code as type_code, i.use as use"
_ITEMS = ("r.item i",)

TABLES: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    (
        "patient",
        "Patient",
        f"""r.gender as gender, r.birthDate as birth_date, r.deceasedBoolean as deceased_boolean,
        r.deceasedDateTime as deceased_datetime, {_us_core("race", "ombCategory")}.valueCoding.code as race_code,
        {_us_core("race", "ombCategory", 2)}.valueCoding.code as race_second_code,
        {_us_core("race", "text")}.valueString as race_text,
        {_us_core("ethnicity", "ombCategory")}.valueCoding.code as ethnicity_code,
        {_us_core("ethnicity", "text")}.valueString as ethnicity_text,
        {_concept("marital_status", "r.maritalStatus")}, {_address("r.address[1]")},
        r.multipleBirthBoolean as multiple_birth, r.active as active,
        {_reference("managing_organization", "r.managingOrganization")}""",
        (),
    ),
    (
        "practitioner",
        "Practitioner",
        f"""{_NPI}, r.name[1].family as family_name, r.name[1].given[1] as given_name, r.active as active,
        r.gender as gender, {_address("r.address[1]")}""",
        (),
    ),
    (
        "practitioner_role",
        "PractitionerRole",
        f"""{_reference("practitioner", "r.practitioner")}, {_reference("organization", "r.organization")},
        {_concept("specialty", "r.specialty[1]")}, r.active as active""",
        (),
    ),
    (
        "organization",
        "Organization",
        f"""r.name as name, {_concept("type", "r.type[1]")}, {_NPI},
        {_identifier("ccn", "urn:oid:2.16.840.1.113883.4.336")}, r.active as active, {_address("r.address[1]")},
        {_reference("part_of", "r.partOf")}""",
        (),
    ),
    (
        "location",
        "Location",
        f"""r.name as name, r.status as location_status, {_concept("type", "r.type[1]")}, {_address("r.address")},
        {_reference("managing_organization", "r.managingOrganization")}""",
        (),
    ),
    (
        "encounter",
        "Encounter",
        f"""r.status as status, r.class.code as class_code, r.class.system as class_system,
        {_concept("type", "r.type[1]")}, r.period.start as period_start, r.period.end as period_end,
        {_reference("service_provider", "r.serviceProvider")},
        {_reference("participant", "r.participant[1].individual")}, {_reference("location", "r.location[1].location")},
        {_reference("part_of", "r.partOf")}, {_reference("episode_of_care", "r.episodeOfCare[1]")},
        {_concept("reason", "r.reasonCode[1]")}, {_reference("diagnosis_condition", "r.diagnosis[1].condition")},
        {_concept("admit_source", "r.hospitalization.admitSource")},
        {_concept("discharge_disposition", "r.hospitalization.dischargeDisposition")},
        r.length.value as length_value, coalesce(r.length.code, r.length.unit) as length_unit""",
        (),
    ),
    (
        "condition",
        "Condition",
        f"""{_concept("category", "r.category[1]")}, {_concept("code", "r.code")},
        r.clinicalStatus.coding[1].code as clinical_status,
        r.verificationStatus.coding[1].code as verification_status, {_concept("severity", "r.severity")},
        {_reference("encounter", "r.encounter")}, coalesce(r.onsetDateTime, r.onsetPeriod.start) as onset_datetime,
        r.onsetString as onset_text, coalesce(r.abatementDateTime, r.abatementPeriod.start) as abatement_datetime,
        r.recordedDate as recorded_date""",
        (),
    ),
    (
        "procedure",
        "Procedure",
        f"""r.status as status, {_concept("category", "r.category")}, {_concept("code", "r.code")},
        {_reference("encounter", "r.encounter")},
        coalesce(r.performedDateTime, r.performedPeriod.start) as performed_start,
        r.performedPeriod.end as performed_end, {_reference("reason", "r.reasonReference[1]")}""",
        (),
    ),
    (
        "observation",
        "Observation",
        f"""r.status as status, {_concept("category", "r.category[1]")}, {_concept("code", "r.code")},
        {_reference("encounter", "r.encounter")}, {_EFFECTIVE}, r.effectivePeriod.end as effective_end,
        r.issued as issued, {_concept("interpretation", "r.interpretation[1]")}, {_absent("r")} as data_absent_reason,
        coalesce(len(r.component), 0) as component_count""",
        (),
    ),
    ("observation_value", "Observation", f"0 as item_index, {_value('r')}, {_OBSERVED}", ()),
    (
        "observation_value",
        "Observation",
        f"nth_c as item_index, {_value('c')}, {_OBSERVED}",
        ("r.component c",),
    ),
    (
        "claim",
        "Claim",
        f"""{_BILLED}, {_concept("sub_type", "r.subType")}, {_concept("priority", "r.priority")},
        {_reference("prescription", "r.prescription")},
        len(r.insurance) as insurance_count, r.total.value as total_value,
        r.total.currency as total_currency""",
        (),
    ),
    (
        "claim_item",
        "Claim",
        f"""{_SERVICE}, i.servicedPeriod.end as serviced_end, i.quantity.value as quantity,
        i.unitPrice.value as unit_price, i.diagnosisSequence[1] as diagnosis_sequence""",
        _ITEMS,
    ),
    (
        "explanation_of_benefit",
        "ExplanationOfBenefit",
        f"""{_BILLED}, r.outcome as outcome, r.disposition as disposition, {_reference("claim", "r.claim")},
        {_identifier("claim_number", _BLUE_BUTTON + "clm_id")}, {_reference("claim_response", "r.claimResponse")},
        r.payment.amount.value as payment_amount, r.payment.amount.currency as payment_currency,
        r.payment.date as payment_date, {_concept("payment_type", "r.payment.type")}, {_total("submitted")},
        {_total("benefit")}, {_total("eligible")}, {_total("deductible")}, {_total("noncovered")},
        r.total[1].amount.currency as total_currency,
        {_with("r.extension", "url", _BLUE_BUTTON + "clm_mdcr_non_pmt_rsn_cd")}[1].valueCoding.code
        as non_payment_reason""",
        (),
    ),
    (
        "eob_item",
        "ExplanationOfBenefit",
        f"""{_SERVICE}, i.itemSequence[1] as claim_sequence,
        {_with("i.extension", "url", _BLUE_BUTTON + "line_prcsg_ind_cd")}[1].valueCoding.code as processing_code""",
        _ITEMS,
    ),
    (
        "eob_adjudication",
        "ExplanationOfBenefit",
        f"{_DECIDED}, i.sequence as sequence, 1000 * nth_i + nth_a as item_index",
        ("r.item i", "i.adjudication a"),
    ),
    (
        "eob_adjudication",
        "ExplanationOfBenefit",
        f"{_DECIDED}, null as sequence, nth_a as item_index",
        ("r.adjudication a",),
    ),
    ("coverage", "Coverage", f"id as coverage_id, 0 as item_index, {_INSURED.format(of='r')}", ()),
    (
        "coverage",
        "ExplanationOfBenefit",
        f"id || '#' || c.id as coverage_id, nth_c as item_index, {_INSURED.format(of='c')}",
        ("list_filter(r.contained, lambda e: e.resourceType = 'Coverage') c",),
    ),
    *(
        ("identifier", of, f"'{of}' as resource_type, nth_i as item_index, {_IDENTIFIED}", ("r.identifier i",))
        for of in ("Practitioner", "PractitionerRole", "Organization", "Location")
    ),
)

ONLY = {"observation_value": "where value_kind is not null or absent_reason is not null"}
"""A panel has no value of its own."""
