"""Encounters, and what was found and done in them: diagnoses, procedures, observations."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from nh_pipeline.sample.clinical.fhir import (
    ACT,
    ICD10,
    LOINC,
    SAMPLE,
    SNOMED,
    UNITS,
    Ref,
    coding,
    concept,
    hl7,
    instant,
    resource,
)
from nh_pipeline.sample.clinical.people import condition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from nh_pipeline.sample.clinical.fhir import Resource
    from nh_pipeline.sample.clinical.people import Person
    from nh_pipeline.sample.clinical.places import Places
    from nh_pipeline.sample.clinical.stories import Event, Kind

NUBC = "https://www.nubc.org/CodeSystem/PatDischargeStatus"

DIAGNOSES: Mapping[str, tuple[str, str]] = {
    "lung": ("233604007", "J18.9"),
    "heart": ("401314000", "I21.4"),
    "bone": ("263225007", "S72.001A"),
    "kidney": ("68566005", "N39.0"),
}
"""SNOMED and ICD-10-CM code, each of another chapter."""

PLANNED = {"52734007": "hip replacement", "232717009": "coronary bypass", "38102005": "gallbladder removal"}
"""Procedures (SNOMED) for which one is admitted as planned."""

_CLASSES: Mapping[Kind, tuple[str, str]] = {
    "acute_inpatient": ("IMP", "32485007"),
    "snf": ("IMP", "449411000124106"),
    "emergency": ("EMER", "50849002"),
    "ambulatory": ("AMB", "185349003"),
    "virtual": ("VR", "448337001"),
}
_DIAGNOSED = ("acute_inpatient", "snf", "emergency")


@dataclass(frozen=True)
class Stay:
    """An encounter of a person, by its number in the story."""

    person: Person
    number: int
    event: Event

    @property
    def ref(self) -> Ref:
        """To the Encounter."""
        return Ref("Encounter", self.person.identity("encounter", self.number))

    @property
    def twin(self) -> Ref:
        """To the Encounter that was entered in error."""
        return Ref("Encounter", self.person.identity("encounter", self.number, "twin"))

    @property
    def diagnosis(self) -> Ref | None:
        """To its Condition, if it has one."""
        if self.event.kind not in _DIAGNOSED:
            return None
        return Ref("Condition", self.person.identity("condition", self.number))

    @property
    def start(self) -> str:
        """As written, of whole dates."""
        return instant(self.person.day(self.event.first), self.event.begins)

    @property
    def end(self) -> str | None:
        """As written, of whole dates; None while it is open."""
        return None if self.event.last is None else instant(self.person.day(self.event.last), self.event.ends)

    def reason(self) -> Resource:
        """The diagnosis as a concept."""
        snomed, icd10 = DIAGNOSES[self.event.about]
        return concept(f"generated {self.event.about} trouble", coding(ICD10, icd10), coding(SNOMED, snomed))


def stays(person: Person) -> list[Stay]:
    """A person's, in the story's order."""
    return [Stay(person, number, event) for number, event in enumerate(person.story.events)]


def encounter(
    places: Places,
    stay: Stay,
    *,
    updated: str | None = None,
    version: int = 1,
    open_: bool = False,
    status: str | None = None,
    resource_id: str | None = None,
) -> Resource:
    """A version of an Encounter.

    Args:
        places: Whose practitioners take part.
        stay: Which.
        updated: When the version was written; by default the day after the stay.
        version: Its number.
        open_: Whether it has no end yet.
        status: Another than the story's.
        resource_id: Another than the stay's.
    """
    event, person = stay.event, stay.person
    place = person.place(event.at)
    late = event.kind == "virtual"
    practitioner = places.late_practitioner if late else places.practitioners[place.key]
    period = {"start": stay.start, "end": None if open_ else stay.end}
    if event.written != "time":
        period = {name: text[: {"year": 4, "month": 7}[event.written]] for name, text in period.items() if text}
    class_code, type_code = _CLASSES[event.kind]
    return resource(
        *("Encounter", resource_id or stay.ref.id, updated or person.updated(event), version),
        identifier=[{"use": "official", "system": SAMPLE, "value": resource_id or stay.ref.id}],
        status=status or ("in-progress" if open_ else event.status),
        class_=coding(ACT, class_code),
        type=[concept(f"generated {event.kind}", coding(SNOMED, type_code))],
        priority={"coding": [coding("http://terminology.hl7.org/CodeSystem/v3-ActPriority", "EL")]}
        if event.planned
        else None,
        subject=person.ref.link(person.name),
        participant=[
            {"type": [hl7("v3-ParticipationType", "PPRF")], "individual": practitioner.ref.link(practitioner.name)}
        ],
        period={name: text for name, text in period.items() if text},
        reasonCode=[stay.reason()] if not stay.diagnosis else None,
        diagnosis=[{"condition": stay.diagnosis.link(), "use": hl7("diagnosis-role", "AD"), "rank": 1}]
        if stay.diagnosis
        else None,
        hospitalization=None if open_ else _hospitalization(stay),
        location=[{"location": place.location.link(place.name)}],
        serviceProvider=place.ref.link(place.name),
    )


def _hospitalization(stay: Stay) -> Resource | None:
    event = stay.event
    if stay.diagnosis is None or event.last is None:
        return None
    code = coding(NUBC, event.disposition)
    if event.disposition == "20" and stay.person.number % 2:
        code = coding("http://terminology.hl7.org/CodeSystem/discharge-disposition", "exp")
    admitted = hl7("admit-source", "hosp-trans") if event.kind == "snf" else None
    return {"dischargeDisposition": {"coding": [code]}} | ({"admitSource": admitted} if admitted else {})


def diagnosis(stay: Stay, *, twin: bool = False) -> Iterator[Resource]:
    """The stay's Condition, if it has one; or its twin that was entered in error."""
    if stay.diagnosis:
        yield condition(
            stay.person,
            stay.person.identity("condition", stay.number, "twin") if twin else stay.diagnosis.id,
            stay.reason(),
            category="encounter-diagnosis",
            onset=stay.start[:10],
            recorded=stay.start,
            encounter=stay.twin if twin else stay.ref,
            verification="entered-in-error" if twin else "confirmed",
        )


def procedure(stay: Stay) -> Iterator[Resource]:
    """What a planned admission was for."""
    if stay.event.planned:
        code, text = list(PLANNED.items())[stay.person.number % len(PLANNED)]
        yield resource(
            *("Procedure", stay.person.identity("procedure", stay.number), stay.person.updated(stay.event)),
            status="completed",
            code=concept(text, coding(SNOMED, code)),
            subject=stay.person.ref.link(),
            encounter=stay.ref.link(),
            performedPeriod={"start": stay.start, "end": stay.end},
            reasonReference=[stay.diagnosis.link()] if stay.diagnosis else None,
        )


def quantity(text: str, unit: str) -> Resource:
    """A value whose digits are written as they stand."""
    return {"value": Decimal(text), "unit": unit, "system": UNITS, "code": unit}


def _pressure(number: int) -> Resource:
    values = {"8480-6": f"{110 + number % 30}", "8462-4": f"{65 + number % 20}.0"}
    components = [
        {"code": concept("generated pressure", coding(LOINC, code)), "valueQuantity": quantity(value, "mm[Hg]")}
        for code, value in values.items()
    ]
    return {"code": concept("generated blood pressure", coding(LOINC, "85354-9")), "component": components}


def weight(number: int) -> Resource:
    """What is observed of a body weight."""
    value = quantity(f"{60 + number % 30}.{number % 10}0", "kg")
    return {"code": concept("generated weight", coding(LOINC, "29463-7")), "valueQuantity": value}


def _creatinine(number: int) -> Resource:
    value = quantity(("0.10", "1.00", "0.0006", "1.2500")[number % 4], "mg/dL")
    value |= {"comparator": "<"} if number % 8 == 0 else {}
    return {"code": concept("generated creatinine", coding(LOINC, "2160-0")), "valueQuantity": value}


def _smoking(number: int) -> Resource:
    answer = concept("generated answer", coding(SNOMED, ("266919005", "8517006")[number % 2]))
    return {"code": concept("generated question", coding(LOINC, "72166-2")), "valueCodeableConcept": answer}


def _remark(number: int) -> Resource:
    return {"code": concept("generated remark", coding(LOINC, "48767-8")), "valueString": f"generated remark {number}"}


def _not_asked(_: int) -> Resource:
    absent = hl7("data-absent-reason", "not-asked")
    return {"code": concept("generated pain score", coding(LOINC, "72514-3")), "dataAbsentReason": absent}


OBSERVED: Mapping[Kind, tuple[tuple[Callable[[int], Resource], int], ...]] = {
    "acute_inpatient": ((_pressure, 2), (weight, 1), (_creatinine, 1)),
    "snf": ((_pressure, 2), (weight, 1), (_smoking, 1)),
    "emergency": ((_pressure, 2), (_not_asked, 1)),
    "ambulatory": ((weight, 1), (_remark, 1)),
    "virtual": ((_remark, 1),),
}
"""What is observed in an encounter, and how many values each observation has: its own, or those of its components."""


def observation(
    person: Person, resource_id: str, at: str, updated: str, found: Resource, *, encounter: Ref | None = None
) -> Resource:
    """An Observation."""
    return resource(
        *("Observation", resource_id, updated),
        status="final",
        category=[hl7("observation-category", "survey" if "valueCodeableConcept" in found else "vital-signs")],
        subject=person.ref.link(),
        encounter=encounter.link() if encounter else None,
        effectiveDateTime=at,
        issued=at,
        **found,
    )


def observations(stay: Stay) -> Iterator[Resource]:
    """All of a stay's, at its start."""
    if stay.event.is_billed:
        for index, (find, _) in enumerate(OBSERVED[stay.event.kind]):
            resource_id = stay.person.identity("observation", stay.number, index)
            found = find(stay.person.number + stay.number)
            updated = stay.person.updated(stay.event)
            yield observation(stay.person, resource_id, stay.start, updated, found, encounter=stay.ref)
