"""The elements that are read of each type of resource, as DuckDB's structures of JSON."""

from __future__ import annotations

from typing import Any

CODING = {"system": "VARCHAR", "code": "VARCHAR", "display": "VARCHAR"}
_CONCEPT = {"coding": [CODING], "text": "VARCHAR"}
_REFERENCE = {"reference": "VARCHAR", "display": "VARCHAR"}
_PERIOD = {"start": "VARCHAR", "end": "VARCHAR"}
_MONEY = {"value": "VARCHAR", "currency": "VARCHAR"}
_QUANTITY = {"value": "VARCHAR", "comparator": "VARCHAR", "unit": "VARCHAR", "code": "VARCHAR"}
_IDENTIFIER = [{"system": "VARCHAR", "value": "VARCHAR", "type": _CONCEPT, "use": "VARCHAR"}]
_ADDRESS = {"line": ["VARCHAR"], "city": "VARCHAR", "state": "VARCHAR", "postalCode": "VARCHAR"}
_EXTENSION = {"url": "VARCHAR", "valueString": "VARCHAR", "valueCoding": CODING}
_OBSERVED = {
    "code": _CONCEPT,
    "valueQuantity": _QUANTITY,
    "valueInteger": "VARCHAR",
    "valueCodeableConcept": _CONCEPT,
    "valueString": "VARCHAR",
    "valueBoolean": "VARCHAR",
    "valueDateTime": "VARCHAR",
    "valueTime": "VARCHAR",
    "valuePeriod": _PERIOD,
    "valueRange": {"low": _QUANTITY, "high": _QUANTITY},
    "valueRatio": {"numerator": _QUANTITY, "denominator": _QUANTITY},
    "interpretation": [_CONCEPT],
    "dataAbsentReason": _CONCEPT,
}
_LINE = {
    "sequence": "VARCHAR",
    "productOrService": _CONCEPT,
    "revenue": _CONCEPT,
    "servicedDate": "VARCHAR",
    "servicedPeriod": _PERIOD,
    "quantity": _QUANTITY,
    "unitPrice": _MONEY,
    "net": _MONEY,
    "encounter": [_REFERENCE],
}
_ADJUDICATION = [{"category": _CONCEPT, "reason": _CONCEPT, "amount": _MONEY, "value": "VARCHAR"}]
_BILL = {
    "status": "VARCHAR",
    "type": _CONCEPT,
    "use": "VARCHAR",
    "provider": _REFERENCE,
    "facility": _REFERENCE,
    "insurer": _REFERENCE,
    "created": "VARCHAR",
    "billablePeriod": _PERIOD,
    "insurance": [{"coverage": _REFERENCE}],
    "related": [{"claim": _REFERENCE}],
    "diagnosis": [{"diagnosisReference": _REFERENCE, "diagnosisCodeableConcept": _CONCEPT}],
}
_COVERAGE = {
    "status": "VARCHAR",
    "type": _CONCEPT,
    "beneficiary": _REFERENCE,
    "payor": [_REFERENCE],
    "period": _PERIOD,
    "relationship": _CONCEPT,
}

ENTRY = {
    "fullUrl": "VARCHAR",
    "resource": "JSON",
    "request": {"method": "VARCHAR", "url": "VARCHAR", "ifNoneExist": "VARCHAR"},
}
"""Of a Bundle's entries; a resource is parsed once more, when its type is known."""

HEAD = {
    "resourceType": "VARCHAR",
    "id": "VARCHAR",
    "meta": {"lastUpdated": "VARCHAR", "versionId": "VARCHAR", "profile": ["VARCHAR"]},
    "status": "JSON",
    "subject": _REFERENCE,
    "patient": _REFERENCE,
    "beneficiary": _REFERENCE,
}
"""What every resource may have."""

RESOURCES: dict[str, dict[str, Any]] = {
    "Patient": {
        "gender": "VARCHAR",
        "birthDate": "VARCHAR",
        "deceasedBoolean": "VARCHAR",
        "deceasedDateTime": "VARCHAR",
        "extension": [{"url": "VARCHAR", "extension": [_EXTENSION]}],
        "maritalStatus": _CONCEPT,
        "address": [_ADDRESS],
        "multipleBirthBoolean": "VARCHAR",
        "active": "VARCHAR",
        "managingOrganization": _REFERENCE,
    },
    "Practitioner": {
        "name": [{"family": "VARCHAR", "given": ["VARCHAR"]}],
        "identifier": _IDENTIFIER,
        "active": "VARCHAR",
        "gender": "VARCHAR",
        "address": [_ADDRESS],
    },
    "PractitionerRole": {
        "practitioner": _REFERENCE,
        "organization": _REFERENCE,
        "specialty": [_CONCEPT],
        "active": "VARCHAR",
        "identifier": _IDENTIFIER,
    },
    "Organization": {
        "name": "VARCHAR",
        "type": [_CONCEPT],
        "identifier": _IDENTIFIER,
        "active": "VARCHAR",
        "address": [_ADDRESS],
        "partOf": _REFERENCE,
    },
    "Location": {
        "name": "VARCHAR",
        "status": "VARCHAR",
        "type": [_CONCEPT],
        "address": _ADDRESS,
        "managingOrganization": _REFERENCE,
        "identifier": _IDENTIFIER,
    },
    "Encounter": {
        "status": "VARCHAR",
        "class": CODING,
        "type": [_CONCEPT],
        "period": _PERIOD,
        "serviceProvider": _REFERENCE,
        "participant": [{"individual": _REFERENCE}],
        "location": [{"location": _REFERENCE}],
        "partOf": _REFERENCE,
        "episodeOfCare": [_REFERENCE],
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
        "encounter": _REFERENCE,
        "onsetDateTime": "VARCHAR",
        "onsetPeriod": _PERIOD,
        "onsetString": "VARCHAR",
        "abatementDateTime": "VARCHAR",
        "abatementPeriod": _PERIOD,
        "recordedDate": "VARCHAR",
    },
    "Procedure": {
        "status": "VARCHAR",
        "category": _CONCEPT,
        "code": _CONCEPT,
        "encounter": _REFERENCE,
        "performedDateTime": "VARCHAR",
        "performedPeriod": _PERIOD,
        "reasonReference": [_REFERENCE],
    },
    "Observation": {
        "status": "VARCHAR",
        "category": [_CONCEPT],
        **_OBSERVED,
        "encounter": _REFERENCE,
        "effectiveDateTime": "VARCHAR",
        "effectivePeriod": _PERIOD,
        "issued": "VARCHAR",
        "component": [_OBSERVED],
    },
    "Claim": {
        **_BILL,
        "subType": _CONCEPT,
        "priority": _CONCEPT,
        "prescription": _REFERENCE,
        "total": _MONEY,
        "item": [{**_LINE, "diagnosisSequence": ["VARCHAR"]}],
    },
    "ExplanationOfBenefit": {
        **_BILL,
        "outcome": "VARCHAR",
        "disposition": "VARCHAR",
        "claim": _REFERENCE,
        "claimResponse": _REFERENCE,
        "identifier": _IDENTIFIER,
        "extension": [_EXTENSION],
        "payment": {"amount": _MONEY, "date": "VARCHAR", "type": _CONCEPT},
        "total": [{"category": _CONCEPT, "amount": _MONEY}],
        "item": [
            {**_LINE, "itemSequence": ["VARCHAR"], "extension": [_EXTENSION], "adjudication": _ADJUDICATION},
        ],
        "adjudication": _ADJUDICATION,
        "contained": [{"resourceType": "VARCHAR", "id": "VARCHAR", **_COVERAGE}],
    },
    "Coverage": _COVERAGE,
}
