"""A resident: which story it is, where and when, and the resources about the person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nh_pipeline.sample.clinical.fhir import (
    ICD10,
    SAMPLE,
    SNOMED,
    Ref,
    coding,
    concept,
    hl7,
    identity,
    instant,
    later,
    resource,
)
from nh_pipeline.sample.clinical.places import PAYERS
from nh_pipeline.sample.clinical.stories import STORIES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from nh_pipeline.sample.clinical.fhir import Resource
    from nh_pipeline.sample.clinical.places import Organization, Payer, Places
    from nh_pipeline.sample.clinical.stories import Event, Place, Story

US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition"
SSN_SYSTEM = "http://hl7.org/fhir/sid/us-ssn"

_RACES = {"2106-3": "White", "2054-5": "Black or African American", "2028-9": "Asian"}
_ETHNICITIES = {"2186-5": "Not Hispanic or Latino", "2135-2": "Hispanic or Latino"}
_OMB = "urn:oid:2.16.840.1.113883.6.238"
_FIRST_DAYS = (14, 64)  # of stories without a day of their own
_LONG_AGO = -400  # day on which illnesses of long standing were recorded

COHORTS = {"COPD": (3, "13645005", "J44.9"), "CHF": (4, "42343007", "I50.9")}
"""Illness of every third, every fourth resident; its SNOMED and ICD-10-CM code."""


@dataclass(frozen=True)
class Person:
    """A resident.

    Attributes:
        number: From 1; in names and identifiers.
        story: What happens.
        start: Day 0 of the story.
        home: Where the resident lives.
        other_home: Where one may move to.
        hospitals: The first two of the region, in an order that varies.
        payer: Of all claims.
    """

    number: int
    story: Story
    start: date
    home: Organization
    other_home: Organization
    hospitals: tuple[Organization, Organization]
    payer: Payer

    @property
    def ref(self) -> Ref:
        """To the Patient."""
        return Ref("Patient", self.identity("patient"))

    @property
    def name(self) -> str:
        """Invented."""
        return f"Generated Person {self.number}"

    @property
    def has_coverage(self) -> bool:
        """Whether a Coverage names the payer, or the claims do by themselves."""
        return self.number % 2 == 0

    @property
    def coverage(self) -> Ref:
        """To the Coverage."""
        return Ref("Coverage", self.identity("coverage"))

    def identity(self, *parts: object) -> str:
        """Of one of the person's resources."""
        return identity("person", self.number, *parts)

    def has(self, cohort: str) -> bool:
        """Whether the person has the illness of a cohort."""
        return self.number % COHORTS[cohort][0] == 0

    def day(self, day: int) -> date:
        """Of a day of the story."""
        return later(self.start, day)

    def place(self, at: Place) -> Organization:
        """Of a word of the story."""
        return {
            "home": self.home,
            "other home": self.other_home,
            "hospital": self.hospitals[0],
            "other hospital": self.hospitals[1],
        }[at]

    def updated(self, event: Event) -> str:
        """When what belongs to an encounter was written: the day after it, before it if it is only planned."""
        if event.status == "planned":
            return instant(self.start)
        return instant(self.day((event.first if event.last is None else event.last) + 1))

    def resources(self) -> Iterator[Resource]:
        """Patient, Coverage and illnesses of long standing."""
        yield self._patient()
        if self.has_coverage:
            yield resource(
                *("Coverage", self.coverage.id, instant(self.day(_LONG_AGO))),
                status="active",
                type=concept(self.payer.display, coding("https://nahdo.org/sopt", self.payer.sopt)),
                beneficiary=self.ref.link(),
                payor=[self.payer.ref.link(self.payer.name)],
            )
        for cohort, (_, snomed, icd10) in COHORTS.items():
            if self.has(cohort):
                yield condition(
                    self,
                    self.identity("illness", cohort),
                    concept(cohort, coding(SNOMED, snomed), coding(ICD10, icd10)),
                    category="problem-list-item",
                    onset=str(self.day(_LONG_AGO).year),
                    recorded=instant(self.day(_LONG_AGO)),
                )

    def _patient(self) -> Resource:
        _, city, state, zip_code = self.home.address
        town = {"city": city, "state": state, "postalCode": zip_code, "country": "US"}
        born = f"{1926 + self.number % 35}-{1 + self.number % 12:02d}-{1 + self.number % 28:02d}"
        partial = {5: born[:4], 6: born[:7]}  # of ten
        died = max((e.last or 0 for e in self.story.events if e.kind == "acute_inpatient"), default=0)
        return resource(
            *("Patient", self.ref.id, instant(self.day(_LONG_AGO))),
            extension=[
                _omb("us-core-race", _RACES, self.number % 3),
                _omb("us-core-ethnicity", _ETHNICITIES, self.number % 2),
            ],
            identifier=[
                {"system": SAMPLE, "value": self.ref.id},
                {
                    "type": hl7("v2-0203", "SS"),
                    "system": SSN_SYSTEM,
                    # No social security number begins with 000.
                    "value": f"000-{self.number // 10_000 % 100:02d}-{self.number % 10_000:04d}",
                },
            ],
            active=True,
            name=[{"use": "official", "text": self.name, "family": f"Person {self.number}", "given": ["Generated"]}],
            telecom=[{"system": "phone", "value": f"555-01{self.number % 100:02d}", "use": "home"}],
            gender=("female", "male")[self.number % 3 == 1],
            birthDate=partial.get(self.number % 10, born),
            deceasedDateTime=instant(self.day(died)) if self.story.dies else None,
            address=[
                {"use": "old", "line": ["1 GENERATED ROAD"], "city": "ELSEWHERE", "state": "ZZ", "postalCode": "00000"},
                {"use": "home", "line": [f"{self.number} GENERATED WAY"], **town},
            ],
            maritalStatus=hl7("v3-MaritalStatus", "WMS"[self.number % 3]),
            managingOrganization=self.home.ref.link(self.home.name),
        )


def _omb(extension: str, categories: dict[str, str], at: int) -> Resource:
    code, text = list(categories.items())[at]
    return {
        "url": f"{US_CORE}/{extension}",
        "extension": [
            {"url": "ombCategory", "valueCoding": coding(_OMB, code, text)},
            {"url": "text", "valueString": text},
        ],
    }


def condition(
    person: Person,
    resource_id: str,
    code: Resource,
    *,
    category: str,
    onset: str,
    recorded: str,
    encounter: Ref | None = None,
    verification: str = "confirmed",
) -> Resource:
    """A Condition."""
    return resource(
        *("Condition", resource_id, recorded),
        clinicalStatus=hl7("condition-clinical", "active") if verification == "confirmed" else None,
        verificationStatus=hl7("condition-ver-status", verification),
        category=[hl7("condition-category", category)],
        code=code,
        subject=person.ref.link(),
        encounter=encounter.link() if encounter else None,
        onsetDateTime=onset,
        recordedDate=recorded,
    )


def person(places: Places, number: int) -> Person:
    """The resident of a number, from 1: a function of it and of the places."""
    rng = np.random.default_rng([places.cms.seed, 50, number])
    story = STORIES[(number - 1) % len(STORIES)]
    homes, at = places.homes, int(rng.integers(len(places.homes)))
    hospitals = places.hospitals(at)
    first = int(rng.integers(len(hospitals)))
    drawn = int(rng.integers(*_FIRST_DAYS))
    return Person(
        number=number,
        story=story,
        start=later(places.cms.parsed_quarters[0].first, drawn if story.day is None else story.day),
        home=homes[at],
        other_home=homes[(at + 1) % len(homes)],
        hospitals=(hospitals[first], hospitals[(first + 1) % len(hospitals)]),
        payer=PAYERS[number % len(PAYERS)],
    )
