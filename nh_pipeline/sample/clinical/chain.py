"""The deliveries of a chain: what is in its two exports, resident by resident, and what they must come to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Literal, TypeAlias

from nh_pipeline.sample.clinical.fhir import LOINC, Ref, coding, concept, instant, later
from nh_pipeline.sample.clinical.money import bills
from nh_pipeline.sample.clinical.people import person
from nh_pipeline.sample.clinical.places import PAYERS, Places
from nh_pipeline.sample.clinical.stays import (
    diagnosis,
    encounter,
    observation,
    observations,
    procedure,
    quantity,
    stays,
    weight,
)
from nh_pipeline.sample.clinical.stories import CLOSING_DAY
from nh_pipeline.sample.clinical.truth import ClinicalTruth

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date

    from nh_pipeline.sample.clinical.fhir import Resource
    from nh_pipeline.sample.clinical.people import Person
    from nh_pipeline.sample.deliveries import Deliveries

Form: TypeAlias = Literal["bundles", "ndjson"]

BROKEN = ('{"resourceType":"Observation","id":"cut-off","status":', '{"resourceType":"Observation","valueInteger":NaN}')
"""No JSON: lines of the second bulk export, Bundles of their own in the other form."""

_EXPORT_DAYS = (CLOSING_DAY + 9, CLOSING_DAY + 23)
_READINGS = 80  # of the first resident's pulse: so many lines that the broken ones are few


@dataclass(frozen=True)
class Group:
    """What belongs together: a Bundle, or lines of several files.

    Attributes:
        name: Of the Bundle.
        resources: In order.
        deleted: What is no more.
    """

    name: str
    resources: Iterable[Resource]
    deleted: tuple[Ref, ...] = ()


@dataclass(frozen=True)
class Chain:
    """A deterministic plan: equal plans are equal deliveries.

    Attributes:
        cms: At whose homes the residents live.
        patients: How many.
        homes: At most.
    """

    cms: Deliveries
    patients: int = 60
    homes: int = 12

    def __post_init__(self) -> None:
        if self.patients < 1 or self.homes < 1:
            raise ValueError("needs at least one patient and one home")

    @cached_property
    def places(self) -> Places:
        """Homes, hospitals, clinicians."""
        return Places(self.cms, self.homes)

    def people(self) -> Iterator[Person]:
        """All residents."""
        return (person(self.places, number) for number in range(1, self.patients + 1))

    def day(self, export: int) -> date:
        """Of an export, 1 or 2."""
        return later(self.cms.parsed_quarters[0].first, _EXPORT_DAYS[export - 1])

    def groups(self, export: int) -> Iterator[Group]:
        """Of an export, 1 or 2, one after another."""
        places = self.places
        if export > 1:
            yield Group("practitioners", places.late_practitioner.resources())
            yield from (self._changes(who) for who in self.people())
            return
        payers = chain.from_iterable(payer.resources() for payer in PAYERS)
        hospitals = chain.from_iterable(place.resources() for place in places.organizations)
        yield Group("hospitals", chain(hospitals, payers))
        practitioners = (each.resources() for each in places.practitioners.values())
        yield Group("practitioners", chain.from_iterable(practitioners))
        yield from (Group(_name(who), self._first(who)) for who in self.people())

    def truth(self, exports: int, form: Form) -> ClinicalTruth:
        """What the first exports come to."""
        truth = ClinicalTruth(exports)
        for who in self.people():
            truth.add(who, self.cms.seed)
        if exports > 1:
            truth.observations += _READINGS
            truth.observation_values += _READINGS
            truth.duplicates_identical = truth.duplicates_conflicting = truth.rejected = 1
            if form == "ndjson":
                truth.rejected += len(BROKEN)
            else:
                truth.quarantined = len(BROKEN)
        return truth

    def _first(self, who: Person) -> Iterator[Resource]:
        """All of a resident, as the first export has it."""
        yield from who.resources()
        for stay in stays(who):
            change = stay.event.later
            if change == "closed":
                updated = instant(later(who.day(stay.event.first), 1))
                yield encounter(self.places, stay, updated=updated, open_=True)
            else:
                yield encounter(self.places, stay, version=2 if change == "stale version" else 1)
            yield from diagnosis(stay)
            yield from procedure(stay)
            yield from observations(stay)
        for bill in bills(who, self.cms.seed):
            if bill.pharmacy:
                yield bill.prescription()
            yield bill.claim()
            yield from bill.explanations()

    def _changes(self, who: Person) -> Group:
        """What the second export has of a resident."""
        if who.story.erased:
            return Group(_name(who), (), (who.ref,))
        gone = tuple(
            ref
            for stay in stays(who)
            if stay.event.later == "deleted"
            for ref in (stay.ref, Ref("Observation", who.identity("observation", 0, 1)))
        )
        return Group(_name(who), self._second(who), gone)

    def _second(self, who: Person) -> Iterator[Resource]:
        """New and changed resources of a resident."""
        now = instant(later(self.day(2), -1))
        for stay in stays(who):
            if stay.event.later == "closed":
                yield encounter(self.places, stay, updated=now, version=2)
            if stay.event.later == "stale version":
                yield encounter(self.places, stay, updated=stay.start, open_=True)
            if stay.event.later == "erroneous twin":
                yield encounter(self.places, stay, updated=now, status="entered-in-error", resource_id=stay.twin.id)
                yield from diagnosis(stay, twin=True)
        for bill in bills(who, self.cms.seed):
            yield from bill.overturned(now)
        if not who.story.dies:
            yield observation(who, who.identity("weight"), instant(self.day(1)), now, weight(who.number + 1))
        if who.number == 1:
            yield from self._readings(who, now)

    def _readings(self, who: Person, now: str) -> Iterator[Resource]:
        """A pulse every ten minutes; the first twice, the second with another value, one with two values at once."""

        def reading(number: int, beats: int, **also: object) -> Resource:
            at = instant(later(self.day(1), 1), f"{number // 6:02d}:{number % 6}0")
            code = concept("generated pulse", coding(LOINC, "8867-4"))
            found = {"code": code, "valueQuantity": quantity(str(beats), "/min"), **also}
            return observation(who, who.identity("pulse", number), at, now, found)

        yield from (reading(number, 60 + number % 20) for number in range(_READINGS))
        yield reading(0, 60)
        yield reading(1, 99)
        yield reading(_READINGS, 70, valueString="seventy")


def _name(who: Person) -> str:
    return f"person-{who.number:06d}"
