"""FHIR resources, and deliveries of them, as small as a test needs."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Resource = dict[str, Any]

SNOMED = "http://snomed.info/sct"
NPI = "http://hl7.org/fhir/sid/us-npi"
INPATIENT, SNF_STAY, EMERGENCY = "32485007", "449411000124106", "50849002"


def patient(i: str, **more: Any) -> Resource:
    return {"resourceType": "Patient", "id": i, "gender": "female", "birthDate": "1940-05-01", **more}


def practitioner(i: str, npi: str, **more: Any) -> Resource:
    return {"resourceType": "Practitioner", "id": i, "identifier": [{"system": NPI, "value": npi}], **more}


def organization(i: str, name: str = "Hospital", **more: Any) -> Resource:
    return {"resourceType": "Organization", "id": i, "name": name, **more}


def encounter(
    i: str,
    of: str,
    start: str = "2024-01-01T08:00:00-06:00",
    end: str | None = "2024-01-05T10:00:00-06:00",
    *,
    kind: str = INPATIENT,
    **more: Any,
) -> Resource:
    period = {"start": start, **({"end": end} if end else {})}
    return {
        "resourceType": "Encounter",
        "id": i,
        "status": "finished" if end else "in-progress",
        "class": {"code": "EMER" if kind == EMERGENCY else "IMP"},
        "type": [{"coding": [{"system": SNOMED, "code": kind}]}],
        "subject": {"reference": f"Patient/{of}"},
        "period": period,
        **more,
    }


def performed_by(npi: str) -> Mapping[str, Any]:
    """The participant of an encounter, found by a number that a practitioner has."""
    return {"participant": [{"individual": {"reference": f"Practitioner?identifier={NPI}|{npi}"}}]}


def updated(resource: Resource, at: str, version: str | None = None) -> Resource:
    """A version of a resource."""
    return {**resource, "meta": {"lastUpdated": at, **({"versionId": version} if version else {})}}


def ndjson(resources: Iterable[Resource | str]) -> bytes:
    """A line each; a text is a line as it is."""
    return b"".join((r if isinstance(r, str) else json.dumps(r)).encode() + b"\n" for r in resources)


def bundle(resources: Iterable[Resource], kind: str = "collection") -> bytes:
    """One Bundle; its references are written as they are."""
    entries = [{"fullUrl": f"urn:uuid:{r['id']}", "resource": r} for r in resources]
    return json.dumps({"resourceType": "Bundle", "type": kind, "entry": entries}).encode()


def deleted(*names: str) -> bytes:
    """What a bulk export says is deleted: ``Patient/1``."""
    lines = ({"request": {"method": "DELETE", "url": name}} for name in names)
    return ndjson({"resourceType": "Bundle", "type": "transaction", "entry": [line]} for line in lines)


def full_export(day: str, patients: Sequence[str]) -> bytes:
    """An archive of all patients that the server had on a day."""
    output = [{"type": "Patient", "url": "https://x/1", "count": len(patients)}]
    manifest = {"transactionTime": f"{day}T00:00:00Z", "request": "https://ours/fhir/$export", "output": output}
    return zipped({"1.ndjson": ndjson(map(patient, patients)), "m.json": json.dumps(manifest).encode()})


def zipped(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0)), content)
    return out.getvalue()
