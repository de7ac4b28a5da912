"""FHIR R4 in plain JSON: identities, references that each form of delivery writes its own way, exact numbers."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Container

Resource: TypeAlias = dict[str, Any]

SAMPLE = "urn:nh-pipeline:sample"
"""Identifier system of everything generated, and of the tag that says so."""

TAG = {"system": SAMPLE, "code": "generated", "display": "Generated sample data: no real person or place"}

ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
ICD10 = "http://hl7.org/fhir/sid/icd-10-cm"
LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
UNITS = "http://unitsofmeasure.org"

_ZONE = ZoneInfo("America/Chicago")
_NUMBER = re.compile(r'"\\u0000([^"]*)\\u0000"')


@dataclass(frozen=True)
class Ref:
    """What a resource refers to.

    Attributes:
        kind: Resource type.
        id: Of the resource.
        identifier: System and value, of what is not delivered together with the resource that refers to it.
    """

    kind: str
    id: str
    identifier: tuple[str, str] | None = None

    def link(self, display: str | None = None) -> Resource:
        """As the value of an element."""
        return {"reference": self} | ({"display": display} if display else {})

    def logical(self, display: str) -> Resource:
        """By identifier only."""
        if self.identifier is None:
            raise ValueError(f"{self.kind} {self.id} has no identifier")
        system, value = self.identifier
        return {"identifier": {"system": system, "value": value}, "display": display}


def relative(ref: Ref) -> str:
    """``Patient/1``, as bulk exports refer."""
    return f"{ref.kind}/{ref.id}"


def from_bundle(ref: Ref, entries: Container[str]) -> str:
    """Conditional (``Practitioner?identifier=system|value``), by the entry of the same Bundle, or else relative."""
    if ref.identifier:
        return f"{ref.kind}?identifier={'|'.join(ref.identifier)}"
    return full_url(ref.id) if ref.id in entries else relative(ref)


def full_url(resource_id: str) -> str:
    """Of a resource's entry in a Bundle: not always the resource's own id."""
    return f"urn:uuid:{resource_id if int(resource_id[-1], 16) % 2 else uuid.uuid5(uuid.UUID(resource_id), 'entry')}"


def encode(value: object, refer: Callable[[Ref], str]) -> str:
    """JSON in one line; decimals keep their text (``0.10``)."""

    def other(part: object) -> str:
        if isinstance(part, Ref):
            return refer(part)
        if isinstance(part, Decimal):
            return f"\0{part}\0"
        raise TypeError(f"not JSON: {part!r}")

    return _NUMBER.sub(r"\1", json.dumps(value, default=other, ensure_ascii=False, separators=(",", ":")))


def identity(*parts: object) -> str:
    """A UUID that is a function of the parts."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join((SAMPLE, *map(str, parts)))))


def resource(kind: str, resource_id: str, updated: str | None = None, version: int = 1, **elements: object) -> Resource:
    """A labelled resource.

    Args:
        kind: Resource type.
        resource_id: Its id.
        updated: ``meta.lastUpdated``; without it there is no version either.
        version: ``meta.versionId``.
        elements: The others, ``class_`` for ``class``; those that are None are left out.
    """
    told = {"versionId": str(version), "lastUpdated": updated} if updated else {}
    given = {name.rstrip("_"): value for name, value in elements.items() if value is not None}
    return {"resourceType": kind, "id": resource_id, "meta": {**told, "tag": [TAG]}, **given}


def instant(day: date, clock: str = "12:00") -> str:
    """Wall clock of the homes with its offset, which summer time changes: ``2024-01-05T14:00:00-06:00``."""
    return datetime.combine(day, time.fromisoformat(clock), _ZONE).isoformat()


def later(day: date, days: int) -> date:
    """The day that many days later."""
    return day + timedelta(days=days)


def coding(system: str, code: str, display: str | None = None) -> Resource:
    """A Coding."""
    return {"system": system, "code": code} | ({"display": display} if display else {})


def concept(text: str, *codings: Resource) -> Resource:
    """A CodeableConcept."""
    return {"coding": list(codings), "text": text}


def hl7(system: str, code: str) -> Resource:
    """A CodeableConcept of one of HL7's code systems."""
    return {"coding": [coding(f"http://terminology.hl7.org/CodeSystem/{system}", code)]}


def money(value: Decimal | float) -> Resource:
    """US dollars."""
    return {"value": value, "currency": "USD"}
