"""Where residents are cared for, by whom and on whose money: homes of the CMS files, hospitals, clinicians, payers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from nh_pipeline.sample import words
from nh_pipeline.sample.clinical.fhir import SAMPLE, Ref, Resource, coding, concept, hl7, identity, resource
from nh_pipeline.sample.history import NAME
from nh_pipeline.sample.providers import fixed_columns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nh_pipeline.sample.deliveries import Deliveries

CCN_SYSTEM = "urn:oid:2.16.840.1.113883.4.336"
NPI_SYSTEM = "http://hl7.org/fhir/sid/us-npi"
TAXONOMY = "http://nucc.org/provider-taxonomy"

_HOMES_PER_REGION = 4
_WITHOUT_CCN = 3  # every third home is known by name and address only
_SPECIALTIES = {"207R00000X": "internal medicine", "207Q00000X": "family medicine", "363L00000X": "nurse practitioner"}


def npi(number: int) -> str:
    """A national provider identifier with a valid check digit; real ones begin with 1 or 2.

    The check digit is Luhn's over 80840, the prefix of health in the United States, and the nine digits.
    """
    nine = f"9{number:08d}"
    digits = [int(digit) for digit in reversed("80840" + nine)]
    doubled = sum(sum(divmod(2 * digit, 10)) for digit in digits[::2])
    return f"{nine}{-(doubled + sum(digits[1::2])) % 10}"


@dataclass(frozen=True)
class Organization:
    """A home or a hospital, and the location of the same name.

    Attributes:
        key: Unique among them.
        name: As in Provider Information, if it is a home.
        address: Street, city, state, ZIP code.
        ccn: Certification number, of a home.
        shows_ccn: Whether the number is among its identifiers.
        number: In its NPI.
    """

    key: str
    name: str
    address: tuple[str, str, str, str]
    ccn: str = ""
    shows_ccn: bool = False
    number: int = 0

    @property
    def ref(self) -> Ref:
        """To the organization."""
        resource_id = identity("organization", self.key)
        return Ref("Organization", resource_id, (SAMPLE, resource_id))

    @property
    def location(self) -> Ref:
        """To the location."""
        resource_id = identity("location", self.key)
        return Ref("Location", resource_id, (SAMPLE, resource_id))

    def resources(self) -> Iterator[Resource]:
        """Organization and Location."""
        street, city, state, zip_code = self.address
        address = {"line": [street], "city": city, "state": state, "postalCode": zip_code, "country": "US"}
        identifiers = [{"system": SAMPLE, "value": self.ref.id}, {"system": NPI_SYSTEM, "value": npi(self.number)}]
        if self.shows_ccn:
            identifiers.append({"system": CCN_SYSTEM, "value": self.ccn})
        yield resource(
            *("Organization", self.ref.id),
            identifier=identifiers,
            active=True,
            type=[hl7("organization-type", "prov")],
            name=self.name,
            address=[address],
        )
        yield resource(
            *("Location", self.location.id),
            identifier=[{"system": SAMPLE, "value": self.location.id}],
            status="active",
            name=self.name,
            address=address,
            managingOrganization=self.ref.logical(self.name),
        )


@dataclass(frozen=True)
class Practitioner:
    """A clinician of one organization, some with a second role there."""

    number: int
    place: Organization
    specialties: tuple[str, ...]

    @property
    def name(self) -> str:
        """Invented."""
        return f"Dr. Generated Clinician {self.number}"

    @property
    def ref(self) -> Ref:
        """By NPI."""
        return Ref("Practitioner", identity("practitioner", self.number), (NPI_SYSTEM, npi(self.number)))

    def resources(self) -> Iterator[Resource]:
        """Practitioner and a PractitionerRole for each specialty."""
        yield resource(
            *("Practitioner", self.ref.id),
            identifier=[{"system": NPI_SYSTEM, "value": npi(self.number)}],
            active=True,
            name=[{"family": f"Clinician {self.number}", "given": ["Generated"], "prefix": ["Dr."]}],
            gender=("female", "male")[self.number % 2],
        )
        for code in self.specialties:
            specialty = [concept(_SPECIALTIES[code], coding(TAXONOMY, code, _SPECIALTIES[code]))]
            yield resource(
                *("PractitionerRole", identity("role", self.number, code)),
                practitioner=self.ref.logical(self.name),
                organization=self.place.ref.logical(self.place.name),
                code=specialty,
                specialty=specialty,
                location=[self.place.location.logical(self.place.name)],
            )


@dataclass(frozen=True)
class Payer:
    """Who pays.

    Attributes:
        category: What the tables must call it.
        name: Of the organization.
        display: What is written where only a name is.
        sopt: Code of the source of payment typology.
    """

    category: str
    name: str
    display: str
    sopt: str

    @property
    def ref(self) -> Ref:
        """To the organization."""
        resource_id = identity("payer", self.display)
        return Ref("Organization", resource_id, (SAMPLE, resource_id))

    def resources(self) -> Iterator[Resource]:
        """Organization."""
        yield resource(
            *("Organization", self.ref.id),
            identifier=[{"system": SAMPLE, "value": self.ref.id}],
            active=True,
            type=[hl7("organization-type", "pay")],
            name=self.name,
        )


PAYERS = (
    Payer("Medicare", "Medicare", "medicare", "1"),
    Payer("Medicaid", "Medicaid", "medicaid", "2"),
    Payer("Private", "Generated Private Insurance", "private", "5"),
    Payer("Dual", "Dual Eligible", "dual_eligible", "14"),
    Payer("Self-Pay", "NO_INSURANCE", "no_insurance", "81"),
)


@dataclass(frozen=True)
class Places:
    """Places around the homes of a plan of CMS deliveries.

    Attributes:
        cms: The plan. Homes are taken from those that all of its releases know.
        count: Homes at most.
    """

    cms: Deliveries
    count: int

    @cached_property
    def homes(self) -> list[Organization]:
        """Evenly spread over the certification numbers, and so over the states."""
        known = np.flatnonzero(self.cms.history.present.all(axis=0))
        picked = known[np.unique(np.linspace(0, len(known) - 1, self.count).astype(int))].tolist()
        columns = fixed_columns(self.cms.world)
        columns[NAME] = list(self.cms.history.start[NAME])
        street, city, state, zip_code = (
            columns[name] for name in ("Provider Address", "City/Town", "State", "ZIP Code")
        )
        return [
            Organization(
                key=self.cms.world.ccn[at],
                name=columns[NAME][at],
                address=(street[at], city[at], state[at], zip_code[at]),
                ccn=self.cms.world.ccn[at],
                shows_ccn=index % _WITHOUT_CCN != _WITHOUT_CCN - 1,
                number=10_000_000 + index,
            )
            for index, at in enumerate(picked)
        ]

    @cached_property
    def regions(self) -> list[list[Organization]]:
        """Two or three hospitals for every four homes, in the town of the first of them."""
        regions: list[list[Organization]] = []
        for region, home in enumerate(self.homes[::_HOMES_PER_REGION]):
            regions.append([])
            for each in range(2 + region % 2):
                number = 3 * region + each
                name = f"{words.FIRST_WORDS[number % len(words.FIRST_WORDS)]} GENERATED HOSPITAL {number + 1}"
                address = (f"{100 + number} {words.STREETS[number % len(words.STREETS)]} ROAD", *home.address[1:])
                regions[-1].append(Organization(f"hospital-{number}", name, address, number=20_000_000 + number))
        return regions

    def hospitals(self, home: int) -> list[Organization]:
        """Those of a home's region, by the number of the home."""
        return self.regions[home // _HOMES_PER_REGION]

    @cached_property
    def organizations(self) -> list[Organization]:
        """Homes and hospitals."""
        return [*self.homes, *(hospital for region in self.regions for hospital in region)]

    @cached_property
    def practitioners(self) -> dict[str, Practitioner]:
        """By the key of their organization."""
        codes = tuple(_SPECIALTIES)
        return {
            place.key: Practitioner(index + 1, place, codes[index % 3 : index % 3 + 1 + (index % 5 == 0)])
            for index, place in enumerate(self.organizations)
        }

    @cached_property
    def late_practitioner(self) -> Practitioner:
        """One whom only the second export brings, though the first refers to it."""
        return Practitioner(len(self.organizations) + 1, self.organizations[-1], tuple(_SPECIALTIES)[:1])
