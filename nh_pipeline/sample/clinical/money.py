"""Claims and what payers answered, by a few plots, each written next to what the tables must tell of it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from nh_pipeline.sample.clinical.fhir import SAMPLE, SNOMED, Ref, coding, concept, hl7, instant, later, money, resource
from nh_pipeline.sample.clinical.stays import stays

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nh_pipeline.sample.clinical.fhir import Resource
    from nh_pipeline.sample.clinical.people import Person
    from nh_pipeline.sample.clinical.stays import Stay

Adjudication: TypeAlias = Literal["paid", "zero_paid", "partly_denied", "denied", "unadjudicated"]

CARC = "https://x12.org/codes/claim-adjustment-reason-codes"
_CARIN = "http://hl7.org/fhir/us/carin-bb/CodeSystem/C4BBAdjudicationDiscriminator"
_REASONS = ("197", "50", "29", "18", "27", "16", "96")
_LINES = (1, 2, 3)
_RANGES = {  # of a line, in cents
    "acute_inpatient": (100_000, 900_000),
    "snf": (50_000, 400_000),
    "emergency": (10_000, 90_000),
    "ambulatory": (3_000, 20_000),
    "virtual": (2_000, 9_000),
}
_PHARMACY = (500, 30_000)
_TWICE_INSURED = 7  # every seventh resident


@dataclass(frozen=True)
class Answer:
    """An explanation of benefit.

    Attributes:
        adjudication: What it comes to.
        denied: Numbers of the lines that are denied.
        share: Of the other lines' charges that is paid; negative for a reversal.
        told_by: Where it says what was paid: in its payment, in its totals, or in its lines only.
        outcome: FHIR's.
    """

    adjudication: Adjudication = "paid"
    denied: tuple[int, ...] = ()
    share: float = 0.8
    told_by: Literal["payment", "total", "lines"] = "payment"
    outcome: str = "complete"


_DENIED = Answer("denied", denied=_LINES, share=0.0)

PLOTS: tuple[tuple[tuple[Answer, ...], Answer | None], ...] = (
    ((Answer(),), None),
    ((Answer("zero_paid", share=0.0),), None),
    ((_DENIED,), None),
    ((Answer(told_by="total"),), None),
    ((Answer("partly_denied", denied=(1,)),), None),
    ((_DENIED,), Answer()),  # overturned: the second export brings a new version
    ((Answer(),), None),
    ((Answer(), Answer(share=-0.8), Answer(share=0.56)), None),  # paid, reversed, adjusted
    ((Answer(told_by="lines"),), None),
    ((), None),
    ((Answer("denied", denied=_LINES, share=0.0, outcome="error"),), None),
)
"""The answers that are there from the first export on, and the new version of the last one in the second."""


@dataclass(frozen=True)
class Bill:
    """A claim and its answers.

    Attributes:
        stay: For what.
        charges: Of the lines, in dollars.
        answers: As the first export has them.
        new_version: Of the last answer, in the second export.
    """

    stay: Stay
    charges: tuple[Decimal, ...]
    answers: tuple[Answer, ...] = ()
    new_version: Answer | None = None
    pharmacy: bool = False

    @property
    def billed(self) -> Decimal:
        """In dollars."""
        return sum(self.charges, Decimal(0))

    @cached_property
    def ref(self) -> Ref:
        """To the Claim."""
        kind = "pharmacy" if self.pharmacy else "claim"
        return Ref("Claim", self.stay.person.identity(kind, self.stay.number))

    def final(self, exports: int) -> Answer | None:
        """The answer that counts after so many exports."""
        if exports > 1 and self.new_version:
            return self.new_version
        return self.answers[-1] if self.answers else None

    def paid(self, answer: Answer) -> Decimal:
        """In dollars, each amount half-up to 4 places."""
        if answer.told_by == "lines":
            return sum((_rounded(amount) for amount in self.payments(answer)), Decimal(0))
        return _rounded(sum(self.payments(answer)))

    def denied(self, answer: Answer) -> Decimal:
        """Charges of denied lines, in dollars."""
        return sum((self.charges[number - 1] for number in answer.denied), Decimal(0))

    def payments(self, answer: Answer) -> list[float]:
        """Of the lines, in dollars, with the noise of binary fractions that real ones have."""
        lines = enumerate(self.charges, 1)
        return [0.0 if number in answer.denied else float(charge) * answer.share for number, charge in lines]

    def claim(self) -> Resource:
        """The Claim. Its first line is the encounter and has no amount: lines do not add up to the total."""
        stay, person = self.stay, self.stay.person
        items = [
            {
                "sequence": number,
                "productOrService": concept("generated service", coding(SNOMED, code)),
                **({"net": money(self.charges[number - 1])} if number > 1 or self.pharmacy else {}),
                **({"encounter": [stay.ref.link()]} if number == 1 else {}),
            }
            for number, code in zip(_LINES[: len(self.charges)], ("308335008", "371908008", "430193006"), strict=False)
        ]
        diagnosed = {"diagnosisReference": stay.diagnosis.link()} if stay.diagnosis else None
        return resource(
            *("Claim", self.ref.id, person.updated(stay.event)),
            identifier=[{"system": SAMPLE, "value": self.ref.id}],
            status="active",
            type=self._type(),
            use="claim",
            patient=person.ref.link(),
            billablePeriod={"start": stay.start, "end": stay.end},
            created=stay.end,
            provider=person.place(stay.event.at).ref.link(),
            priority=hl7("processpriority", "normal"),
            prescription=self._prescription.link() if self.pharmacy else None,
            diagnosis=[{"sequence": 1, **diagnosed, "type": [hl7("ex-diagnosistype", "principal")]}]
            if diagnosed and not self.pharmacy
            else None,
            insurance=self._insurance(),
            item=items,
            total=money(self.billed),
        )

    def prescription(self) -> Resource:
        """The MedicationRequest of a pharmacy claim."""
        person = self.stay.person
        return resource(
            *("MedicationRequest", self._prescription.id, person.updated(self.stay.event)),
            status="completed",
            intent="order",
            medicationCodeableConcept=concept(
                "generated medicine", coding("http://www.nlm.nih.gov/research/umls/rxnorm", "314076")
            ),
            subject=person.ref.link(),
            encounter=self.stay.ref.link(),
            authoredOn=self.stay.start,
        )

    def explanations(self) -> Iterator[Resource]:
        """The ExplanationOfBenefit of each answer, two days apart."""
        for number, answer in enumerate(self.answers):
            decided = later(self.stay.person.day(self.stay.event.last or 0), 2 * (number + 1))
            yield self._explanation(number, answer, instant(decided), 1)

    def overturned(self, decided: str) -> Iterator[Resource]:
        """The second version of the last answer."""
        if self.new_version:
            yield self._explanation(len(self.answers) - 1, self.new_version, decided, 2)

    @property
    def _prescription(self) -> Ref:
        return Ref("MedicationRequest", self.stay.person.identity("prescription", self.stay.number))

    def _type(self) -> Resource:
        facility = self.stay.event.kind in {"acute_inpatient", "snf", "emergency"}
        return hl7("claim-type", "pharmacy" if self.pharmacy else "institutional" if facility else "professional")

    def _insurance(self) -> list[Resource]:
        """The one that counts; for some, one that does not stands before it."""
        focal = {"sequence": 1, "focal": True, "coverage": self._coverage()}
        if self.stay.person.number % _TWICE_INSURED:
            return [focal]
        other = "private" if self.stay.person.payer.display != "private" else "medicare"
        return [{"sequence": 1, "focal": False, "coverage": {"display": other}}, {**focal, "sequence": 2}]

    def _coverage(self) -> Resource:
        person = self.stay.person
        return person.coverage.link(person.payer.display) if person.has_coverage else {"display": person.payer.display}

    def _explanation(self, number: int, answer: Answer, decided: str, version: int) -> Resource:
        stay, person = self.stay, self.stay.person
        paid = sum(self.payments(answer))
        submitted = {"category": hl7("adjudication", "submitted"), "amount": money(self.billed)}
        benefit = {"category": hl7("adjudication", "benefit"), "amount": money(paid)}
        own = {"coverage": {"reference": "#coverage", "display": person.payer.display}}
        contained = {
            "resourceType": "Coverage",
            "id": "coverage",
            "status": "active",
            "beneficiary": person.ref.link(),
            "payor": [{"display": person.payer.display}],
        }
        return resource(
            *("ExplanationOfBenefit", person.identity("eob", stay.number, number), decided, version),
            contained=None if person.has_coverage else [contained],
            identifier=[{"system": "https://bluebutton.cms.gov/resources/variables/clm_id", "value": self.ref.id}],
            status="active",
            type=self._type(),
            use="claim",
            patient=person.ref.link(),
            billablePeriod={"start": stay.start, "end": stay.end},
            created=decided,
            insurer=person.payer.ref.link() if person.has_coverage else {"display": person.payer.display},
            provider=person.place(stay.event.at).ref.link(),
            claim=self.ref.link(),
            outcome=answer.outcome,
            diagnosis=[{"sequence": 1, "diagnosisReference": stay.diagnosis.link()}] if stay.diagnosis else None,
            insurance=[{"focal": True, **({"coverage": self._coverage()} if person.has_coverage else own)}],
            item=[self._line(line, answer, payment) for line, payment in enumerate(self.payments(answer), 1)],
            total=[submitted, *([benefit] if answer.told_by == "total" else [])],
            payment={"amount": money(paid), "date": decided[:10]} if answer.told_by == "payment" else None,
        )

    def _line(self, number: int, answer: Answer, payment: float) -> Resource:
        charge = self.charges[number - 1]
        adjudications = [{"category": hl7("adjudication", "submitted"), "amount": money(charge)}]
        if number in answer.denied:
            reason = _REASONS[self.stay.person.number % len(_REASONS)]
            denial = {"coding": [coding(_CARIN, "denialreason")]}
            adjudications.append({"category": denial, "reason": {"coding": [coding(CARC, reason)]}})
        else:
            rest = "coinsurance" if answer.share else "deductible"
            own = float(charge) - payment if answer.share >= 0 else 0.0
            amounts: dict[str, Decimal | float] = {"eligible": charge, rest: own, "benefit": payment}
            adjudications += [
                {"category": hl7("adjudication", name), "amount": money(amount)} for name, amount in amounts.items()
            ]
        return {
            "sequence": number,
            "productOrService": concept("generated service", coding(SNOMED, "308335008")),
            **({"encounter": [self.stay.ref.link()]} if number == 1 else {}),
            "adjudication": adjudications,
        }


def _rounded(amount: float) -> Decimal:
    return Decimal(repr(amount)).quantize(Decimal("0.0001"), ROUND_HALF_UP)


def bills(person: Person, seed: int) -> list[Bill]:
    """A person's: one for each encounter that is over, by plots in turn, and one of a pharmacy."""
    rng = np.random.default_rng([seed, 51, person.number])

    def charges(cents: tuple[int, int], lines: int) -> tuple[Decimal, ...]:
        return tuple(Decimal(number).scaleb(-2) for number in rng.integers(*cents, lines).tolist())

    found = []
    billed = [stay for stay in stays(person) if stay.event.is_billed]
    for ordinal, stay in enumerate(billed):
        answers, new_version = PLOTS[(person.number + ordinal) % len(PLOTS)]
        if person.payer.category == "Self-Pay":  # nobody answers
            answers, new_version = (), None
        found.append(Bill(stay, charges(_RANGES[stay.event.kind], len(_LINES)), answers, new_version))
    return [*found, *(Bill(stay, charges(_PHARMACY, 1), pharmacy=True) for stay in billed[:1])]
