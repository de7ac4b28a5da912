"""FHIR bundles to tables and answers with DuckDB, written by hand, without any check, lineage, history or commit.

The yardstick for the clinical tables: what a good engineer would write in a day for bundles that are all well formed.
References are cut to their ids without looking whether they lead anywhere; no table is cut by patients.
``python -m benchmarks.by_hand_fhir ZIP OUT`` prints seconds of wall and of CPU per layer as JSON.
"""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.clock import Clock

_CODING = {"system": "VARCHAR", "code": "VARCHAR", "display": "VARCHAR"}
_CONCEPT = {"coding": [_CODING], "text": "VARCHAR"}
_REFERENCE = {"reference": "VARCHAR", "display": "VARCHAR"}
_PERIOD = {"start": "VARCHAR", "end": "VARCHAR"}
_MONEY = {"value": "VARCHAR", "currency": "VARCHAR"}
_QUANTITY = {"value": "VARCHAR", "comparator": "VARCHAR", "unit": "VARCHAR", "code": "VARCHAR"}
_IDENTIFIER = [{"system": "VARCHAR", "value": "VARCHAR"}]
_ADDRESS = [{"line": ["VARCHAR"], "city": "VARCHAR", "state": "VARCHAR", "postalCode": "VARCHAR"}]
_EXTENSION = {"url": "VARCHAR", "valueString": "VARCHAR", "valueCoding": _CODING}
_VALUE = {
    "valueQuantity": _QUANTITY,
    "valueInteger": "VARCHAR",
    "valueCodeableConcept": _CONCEPT,
    "valueString": "VARCHAR",
    "valueBoolean": "VARCHAR",
    "valueDateTime": "VARCHAR",
}
_OBSERVED = {"code": _CONCEPT, **_VALUE}
_INSURANCE = [{"focal": "BOOLEAN", "coverage": _REFERENCE}]
_DIAGNOSIS = [{"sequence": "INTEGER", "diagnosisReference": _REFERENCE, "diagnosisCodeableConcept": _CONCEPT}]
_LINE = {
    "sequence": "VARCHAR",
    "productOrService": _CONCEPT,
    "revenue": _CONCEPT,
    "servicedDate": "VARCHAR",
    "servicedPeriod": _PERIOD,
    "quantity": _QUANTITY,
    "unitPrice": _MONEY,
    "net": _MONEY,
    "diagnosisSequence": ["VARCHAR"],
    "encounter": [_REFERENCE],
}
_ADJUDICATION = [{"category": _CONCEPT, "reason": _CONCEPT, "amount": _MONEY, "value": "VARCHAR"}]
_BILL = {
    "status": "VARCHAR",
    "type": _CONCEPT,
    "use": "VARCHAR",
    "patient": _REFERENCE,
    "provider": _REFERENCE,
    "facility": _REFERENCE,
    "insurer": _REFERENCE,
    "created": "VARCHAR",
    "billablePeriod": _PERIOD,
    "insurance": _INSURANCE,
    "diagnosis": _DIAGNOSIS,
}

RESOURCES: dict[str, dict[str, Any]] = {
    "Patient": {
        "gender": "VARCHAR",
        "birthDate": "VARCHAR",
        "deceasedBoolean": "VARCHAR",
        "deceasedDateTime": "VARCHAR",
        "extension": [{"url": "VARCHAR", "extension": [_EXTENSION]}],
        "maritalStatus": _CONCEPT,
        "address": _ADDRESS,
        "multipleBirthBoolean": "VARCHAR",
        "active": "VARCHAR",
        "managingOrganization": _REFERENCE,
    },
    "Encounter": {
        "status": "VARCHAR",
        "class": _CODING,
        "type": [_CONCEPT],
        "period": _PERIOD,
        "subject": _REFERENCE,
        "serviceProvider": _REFERENCE,
        "participant": [{"individual": _REFERENCE}],
        "location": [{"location": _REFERENCE}],
        "partOf": _REFERENCE,
        "reasonCode": [_CONCEPT],
        "diagnosis": [{"condition": _REFERENCE}],
        "hospitalization": {"admitSource": _CONCEPT, "dischargeDisposition": _CONCEPT},
        "length": _QUANTITY,
    },
    "Condition": {
        "category": [_CONCEPT],
        "code": _CONCEPT,
        "clinicalStatus": _CONCEPT,
        "verificationStatus": _CONCEPT,
        "severity": _CONCEPT,
        "subject": _REFERENCE,
        "encounter": _REFERENCE,
        "onsetDateTime": "VARCHAR",
        "abatementDateTime": "VARCHAR",
        "recordedDate": "VARCHAR",
    },
    "Procedure": {
        "status": "VARCHAR",
        "category": _CONCEPT,
        "code": _CONCEPT,
        "subject": _REFERENCE,
        "encounter": _REFERENCE,
        "performedDateTime": "VARCHAR",
        "performedPeriod": _PERIOD,
        "reasonReference": [_REFERENCE],
    },
    "Observation": {
        "status": "VARCHAR",
        "category": [_CONCEPT],
        **_OBSERVED,
        "subject": _REFERENCE,
        "encounter": _REFERENCE,
        "effectiveDateTime": "VARCHAR",
        "effectivePeriod": _PERIOD,
        "issued": "VARCHAR",
        "interpretation": [_CONCEPT],
        "component": [_OBSERVED],
    },
    "Claim": {
        **_BILL,
        "priority": _CONCEPT,
        "prescription": _REFERENCE,
        "total": _MONEY,
        "related": [{"claim": _REFERENCE}],
        "item": [_LINE],
    },
    "ExplanationOfBenefit": {
        **_BILL,
        "outcome": "VARCHAR",
        "disposition": "VARCHAR",
        "claim": _REFERENCE,
        "claimResponse": _REFERENCE,
        "identifier": _IDENTIFIER,
        "payment": {"amount": _MONEY, "date": "VARCHAR", "type": _CONCEPT},
        "total": [{"category": _CONCEPT, "amount": _MONEY}],
        "item": [{**_LINE, "adjudication": _ADJUDICATION}],
    },
    "Organization": {"name": "VARCHAR", "type": [_CONCEPT], "identifier": _IDENTIFIER, "address": _ADDRESS},
    "Practitioner": {
        "name": [{"family": "VARCHAR", "given": ["VARCHAR"]}],
        "identifier": _IDENTIFIER,
        "active": "VARCHAR",
        "gender": "VARCHAR",
        "address": _ADDRESS,
    },
}
"""The elements that are read of each type."""


def _concept(name: str, path: str) -> str:
    coding = ", ".join(f"{path}.coding[1].{part} as {name}_{part}" for part in _CODING)
    return f"{coding}, {path}.text as {name}_text"


def _reference(name: str, path: str) -> str:
    return (
        f"{path}.reference as {name}_ref, regexp_extract({path}.reference, '[^:/]+$') as {name}_id, "
        f"{path}.display as {name}_display"
    )


def _us_core(name: str, part: str) -> str:
    url = f"http://hl7.org/fhir/us/core/StructureDefinition/us-core-{name}"
    return (
        f"list_filter(list_filter(r.extension, lambda e: e.url = '{url}')[1].extension, lambda e: e.url = '{part}')[1]"
    )


def _total(category: str) -> str:
    return (
        f"list_filter(r.total, lambda t: t.category.coding[1].code = '{category}')[1].amount.value as total_{category}"
    )


def _value(path: str) -> str:
    return f"""{_concept("code", f"{path}.code")},
        coalesce({path}.valueQuantity.value, {path}.valueInteger) as value_number,
        {path}.valueQuantity.comparator as value_comparator, {path}.valueQuantity.unit as value_unit,
        {path}.valueQuantity.code as value_unit_code, {_concept("value", f"{path}.valueCodeableConcept")},
        coalesce({path}.valueString, {path}.valueBoolean, {path}.valueDateTime) as value_string"""


_NPI = "list_filter(r.identifier, lambda i: i.system = 'http://hl7.org/fhir/sid/us-npi')[1].value as npi"
_LIVES = "r.address[1].city as address_city, r.address[1].state as address_state, r.address[1].postalCode as zip_code"
_BILLED = f"""r.status as status, {_concept("type", "r.type")}, r.use as use, {_reference("provider", "r.provider")},
    {_reference("facility", "r.facility")}, {_reference("insurer", "r.insurer")}, r.created as created,
    r.billablePeriod.start as billable_start, r.billablePeriod.end as billable_end,
    {_reference("coverage", "r.insurance[1].coverage")}, len(r.item) as item_count,
    {_reference("diagnosis_condition", "r.diagnosis[1].diagnosisReference")},
    {_concept("diagnosis", "r.diagnosis[1].diagnosisCodeableConcept")}"""
_SERVICE = f"""i.sequence as sequence, {_concept("service", "i.productOrService")}, {_concept("revenue", "i.revenue")},
    coalesce(i.servicedDate, i.servicedPeriod.start) as serviced_start, i.servicedPeriod.end as serviced_end,
    i.quantity.value as quantity, i.unitPrice.value as unit_price, i.net.value as net, i.net.currency as currency,
    i.diagnosisSequence[1] as diagnosis_sequence, {_reference("encounter", "i.encounter[1]")}"""
_DECIDED = f"""{_concept("category", "a.category")}, {_concept("reason", "a.reason")}, a.amount.value as amount,
    a.amount.currency as currency, a.value as value"""

TABLES = {
    "patient": (
        "Patient",
        f"""r.gender as gender, r.birthDate as birth_date, r.deceasedBoolean as deceased_boolean,
        r.deceasedDateTime as deceased_datetime, {_us_core("race", "ombCategory")}.valueCoding.code as race_code,
        {_us_core("race", "text")}.valueString as race_text,
        {_us_core("ethnicity", "ombCategory")}.valueCoding.code as ethnicity_code,
        {_concept("marital_status", "r.maritalStatus")}, {_LIVES}, r.multipleBirthBoolean as multiple_birth,
        r.active as active, {_reference("managing_organization", "r.managingOrganization")}""",
        "",
    ),
    "encounter": (
        "Encounter",
        f"""r.status as status, r.class.code as class_code, r.class.system as class_system,
        {_concept("type", "r.type[1]")}, r.period.start as period_start, r.period.end as period_end,
        {_reference("service_provider", "r.serviceProvider")},
        {_reference("participant", "r.participant[1].individual")}, {_reference("location", "r.location[1].location")},
        {_reference("part_of", "r.partOf")}, {_concept("reason", "r.reasonCode[1]")},
        {_reference("diagnosis_condition", "r.diagnosis[1].condition")},
        {_concept("admit_source", "r.hospitalization.admitSource")},
        {_concept("discharge_disposition", "r.hospitalization.dischargeDisposition")},
        r.length.value as length_value, r.length.unit as length_unit""",
        "",
    ),
    "condition": (
        "Condition",
        f"""{_concept("category", "r.category[1]")}, {_concept("code", "r.code")},
        r.clinicalStatus.coding[1].code as clinical_status,
        r.verificationStatus.coding[1].code as verification_status, {_concept("severity", "r.severity")},
        {_reference("encounter", "r.encounter")}, r.onsetDateTime as onset_datetime,
        r.abatementDateTime as abatement_datetime, r.recordedDate as recorded_date""",
        "",
    ),
    "procedure": (
        "Procedure",
        f"""r.status as status, {_concept("category", "r.category")}, {_concept("code", "r.code")},
        {_reference("encounter", "r.encounter")},
        coalesce(r.performedDateTime, r.performedPeriod.start) as performed_start,
        r.performedPeriod.end as performed_end, {_reference("reason", "r.reasonReference[1]")}""",
        "",
    ),
    "observation": (
        "Observation",
        f"""r.status as status, {_concept("category", "r.category[1]")}, {_value("r")},
        {_reference("encounter", "r.encounter")}, coalesce(r.effectiveDateTime, r.effectivePeriod.start) as effective,
        r.effectivePeriod.end as effective_end, r.issued as issued, {_concept("interpretation", "r.interpretation[1]")},
        len(r.component) as component_count""",
        "",
    ),
    "observation_component": ("Observation", _value("c"), ", unnest(r.component) as _(c)"),
    "claim": (
        "Claim",
        f"""{_BILLED}, {_concept("priority", "r.priority")}, {_reference("prescription", "r.prescription")},
        r.total.value as total_value, r.total.currency as total_currency,
        {_reference("related_claim", "r.related[1].claim")}""",
        "",
    ),
    "claim_item": ("Claim", _SERVICE, ", unnest(r.item) as _(i)"),
    "explanation_of_benefit": (
        "ExplanationOfBenefit",
        f"""{_BILLED}, r.outcome as outcome, r.disposition as disposition, {_reference("claim", "r.claim")},
        {_reference("claim_response", "r.claimResponse")}, r.payment.amount.value as payment_amount,
        r.payment.date as payment_date, {_total("submitted")}, {_total("benefit")}, {_total("eligible")}""",
        "",
    ),
    "eob_item": ("ExplanationOfBenefit", _SERVICE, ", unnest(r.item) as _(i)"),
    "eob_adjudication": (
        "ExplanationOfBenefit",
        f"i.sequence as sequence, {_DECIDED}",
        ", unnest(r.item) as _(i), unnest(i.adjudication) as __(a)",
    ),
    "organization": ("Organization", f"r.name as name, {_concept('type', 'r.type[1]')}, {_NPI}, {_LIVES}", ""),
    "practitioner": (
        "Practitioner",
        f"""{_NPI}, r.name[1].family as family_name, r.name[1].given[1] as given_name, r.active as active,
        r.gender as gender, {_LIVES}""",
        "",
    ),
}
"""Of each table the type, its columns, and what is unnested for its rows."""

_LATEST = "qualify row_number() over (partition by id order by last_updated desc nulls last) = 1"
_STAY = "class_code = 'IMP' and status = 'finished'"

SILVER = {
    "encounters": f"""select id, patient_id, status, class_code, type_code, type_display, service_provider_id,
        participant_id, cast(period_start as timestamptz) as start_at, cast(period_end as timestamptz) as end_at,
        cast(substr(period_start, 1, 10) as date) as start_date, cast(substr(period_end, 1, 10) as date) as end_date,
        greatest(1, date_diff('day', start_date, end_date)) as length_of_stay, reason_code
        from encounter {_LATEST}""",
    "patients": f"""select id, gender, cast(birth_date as date) as birth_date, race_code, ethnicity_code,
        coalesce(deceased_datetime, deceased_boolean, 'false') <> 'false' as is_deceased, address_city, address_state,
        zip_code from patient {_LATEST}""",
    "conditions": f"""select id, patient_id, encounter_id, code_code, code_display, clinical_status,
        cast(onset_datetime as timestamptz) as onset_at from condition {_LATEST}""",
    "procedures": f"""select id, patient_id, encounter_id, code_code, code_display,
        cast(performed_start as timestamptz) as performed_at from procedure {_LATEST}""",
    "observations": f"""select patient_id, id, 0 as item, encounter_id, code_code, value_unit_code, value_string,
        value_code, try_cast(value_number as double) as value_number, cast(effective as timestamptz) as obs_at
        from (from observation {_LATEST}) where component_count is null or component_count = 0
        union all select o.patient_id, o.id, 1, o.encounter_id, c.code_code, c.value_unit_code, c.value_string,
        c.value_code, try_cast(c.value_number as double), cast(o.effective as timestamptz)
        from (from observation {_LATEST}) o join observation_component c using (id)""",
    "claims": f"""with paid as (select claim_id, sum(cast(payment_amount as decimal(18, 4))) as paid_amount,
            min(payment_date) as payment_date from (from explanation_of_benefit {_LATEST}) group by claim_id)
        select c.id, c.patient_id, c.type_code, coalesce(c.coverage_display, c.insurer_display) as payer,
        d.code_code as diagnosis_code, d.code_display as diagnosis, cast(c.total_value as decimal(18, 4)) as billed,
        paid_amount, cast(substr(c.billable_start, 1, 10) as date) as billable_start
        from (from claim {_LATEST}) c left join paid on paid.claim_id = c.id
        left join (from condition {_LATEST}) d on d.id = c.diagnosis_condition_id""",
    "claim_lines": """select id, sequence, service_code, service_display, cast(net as decimal(18, 4)) as net,
        encounter_id from claim_item""",
}
"""Latest version of each resource, typed."""

GOLD = {
    "claims_by_payer": """select payer, count(*) as claims, sum(billed) as billed, sum(paid_amount) as paid
        from claims group by payer""",
    "top_diagnoses": """select diagnosis_code, any_value(diagnosis) as diagnosis, count(*) as claims,
        sum(billed) as billed from claims where diagnosis_code is not null group by 1 order by billed desc limit 10""",
    "readmissions": f"""with stays as (select *, lead(start_date) over (partition by patient_id
            order by start_at, id) as next_start from encounters where {_STAY})
        select id, patient_id, end_date, next_start, date_diff('day', end_date, next_start) between 0 and 30
            as is_readmitted from stays""",
    "months": """select date_trunc('month', start_date) as month, class_code, count(*) as encounters,
        count(distinct patient_id) as patients, avg(length_of_stay) as length_of_stay from encounters group by all""",
    "observed": """select patient_id, code_code, arg_max(value_number, obs_at) as latest, count(*) as observations
        from observations group by all""",
}


def build(archive: Path, out: Path) -> dict[str, float]:
    """Builds bronze, silver and gold as Parquet files; seconds of wall and of CPU per layer."""
    clock, files, options = Clock(), out / "json", "(format parquet, compression zstd)"
    with zipfile.ZipFile(archive) as bundles:
        bundles.extractall(files)
    clock.lap("unpacking")
    with duckdb.connect() as db:
        db.execute("set threads to 2; set preserve_insertion_order = false; set timezone = 'UTC'")
        db.execute(
            f"""copy (
                with entries as (
                    select filename, unnest(entry).resource as resource
                    from read_json('{files}/**/*.json', columns={{entry: 'STRUCT(resource JSON)[]'}}, filename=true,
                                   maximum_object_size=268435456)),
                named as (
                    select filename, resource->>'$.resourceType' as type, resource->>'$.id' as id,
                           resource->>'$.meta.lastUpdated' as last_updated,
                           coalesce(resource->>'$.subject.reference', resource->>'$.patient.reference',
                                    if(type = 'Patient', id, null)) as patient,
                           resource from entries)
                select distinct on (type, id, md5(resource)) * exclude (patient),
                       regexp_extract(patient, '[^:/]+$') as patient_id from named
            ) to '{out}/resource.parquet' {options}"""
        )
        for table, (of, columns, unnested) in TABLES.items():
            structure = json.dumps(RESOURCES[of])
            rows = f"""select id, last_updated, patient_id, filename, from_json(resource, '{structure}') as r
                from '{out}/resource.parquet' where type = '{of}'"""
            db.execute(
                f"""copy (select id, last_updated, patient_id, filename, {columns} from ({rows}) {unnested})
                to '{out}/{table}.parquet' {options}"""
            )
            db.execute(f"create view {table} as from '{out}/{table}.parquet'")
        clock.lap("bronze")
        for layer, queries in (("silver", SILVER), ("gold", GOLD)):
            for name, query in queries.items():
                db.execute(f"copy ({query}) to '{out}/{name}.parquet' {options}")
                db.execute(f"create view {name} as from '{out}/{name}.parquet'")
            clock.lap(layer)
    return clock.laps


def main(archive: str, out: str) -> None:
    """A zip of bundles into a new folder."""
    folder = Path(out)
    folder.mkdir()
    sys.stdout.write(json.dumps(build(Path(archive), folder)))


if __name__ == "__main__":
    main(*sys.argv[1:])
