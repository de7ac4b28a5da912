"""What the tables made of all clinical deliveries must come to: counted from the stories, never from files."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nh_pipeline.sample.clinical.money import Bill, bills
from nh_pipeline.sample.clinical.people import COHORTS
from nh_pipeline.sample.clinical.stays import OBSERVED, stays
from nh_pipeline.sample.clinical.sums import NO_STAYS, NO_VISITS, EdTruth, HomeTruth, PayerTruth, Rate

if TYPE_CHECKING:
    from nh_pipeline.sample.clinical.people import Person
    from nh_pipeline.sample.clinical.stays import Stay
    from nh_pipeline.sample.clinical.stories import Kind


@dataclass
class ClinicalTruth:
    """After some exports.

    Attributes:
        exports: How many, 1 or 2.
        patients: Residents.
        deceased: Those who died.
        encounters: By kind, cancelled and planned ones among them.
        length_of_stay: Σ days by kind, of closed encounters with whole dates.
        crude: Readmissions after any acute stay.
        unplanned: Readmissions that are not planned, after stays that do not end in death or transfer.
        homes: By certification number and first day of the month of admission.
        ed: Emergency visits.
        claims: By category of payer.
        observations: Observation resources.
        observation_values: Their values: their own (absent ones among them), or those of their components.
        conditions: Confirmed ones.
        procedures: Of planned admissions.
        cohorts: Patients by illness of long standing.
        superseded: Older versions of resources, delivered before or after newer ones.
        deleted: Resources that an export deletes; what goes with a deleted patient is not counted.
        entered_in_error: Resources so marked.
        duplicates_identical: Repetitions within one export.
        duplicates_conflicting: Other content for the same resource within one export, of which the last counts.
        rejected: Lines of NDJSON, or entries of Bundles, that cannot be read.
        quarantined: Files that cannot be read.
        unresolved_references: To what no export has brought.
    """

    exports: int
    patients: int = 0
    deceased: int = 0
    encounters: Counter[Kind] = field(default_factory=Counter)
    length_of_stay: Counter[Kind] = field(default_factory=Counter)
    crude: Rate = NO_STAYS
    unplanned: Rate = NO_STAYS
    homes: defaultdict[tuple[str, str], HomeTruth] = field(default_factory=lambda: defaultdict(HomeTruth))
    ed: EdTruth = NO_VISITS
    claims: defaultdict[str, PayerTruth] = field(default_factory=lambda: defaultdict(PayerTruth))
    observations: int = 0
    observation_values: int = 0
    conditions: int = 0
    procedures: int = 0
    cohorts: Counter[str] = field(default_factory=Counter)
    superseded: int = 0
    deleted: int = 0
    entered_in_error: int = 0
    duplicates_identical: int = 0
    duplicates_conflicting: int = 0
    rejected: int = 0
    quarantined: int = 0
    unresolved_references: int = 0

    @property
    def all_homes(self) -> HomeTruth:
        """Of all homes and months."""
        return sum(self.homes.values(), HomeTruth())

    @property
    def all_claims(self) -> PayerTruth:
        """Of all payers."""
        return sum(self.claims.values(), PayerTruth())

    def add(self, person: Person, seed: int) -> None:
        """Counts a resident in."""
        story, second = person.story, self.exports > 1
        if second and story.erased:
            self.deleted += 1
            return
        self.patients += 1
        self.deceased += story.dies
        crude, unplanned = story.readmissions(self.exports)
        self.crude += crude
        self.unplanned += unplanned
        self.ed += story.ed
        self.cohorts.update(cohort for cohort in COHORTS if person.has(cohort))
        self.conditions += sum(person.has(cohort) for cohort in COHORTS)
        for stay in stays(person):
            self._add_stay(stay)
        for bill in bills(person, seed):
            self._add_bill(bill)
        if second and not story.dies:  # weighed again
            self.observations += 1
            self.observation_values += 1

    def _add_stay(self, stay: Stay) -> None:
        event, second = stay.event, self.exports > 1
        if second:
            self.superseded += event.later in {"closed", "stale version"}
            self.entered_in_error += 2 * (event.later == "erroneous twin")  # with its diagnosis
        if not event.is_there(self.exports):
            self.deleted += 2  # with a weight of another encounter
            self.observations -= 1
            self.observation_values -= 1
            return
        self.encounters[event.kind] += 1
        self.length_of_stay[event.kind] += event.length_of_stay if event.is_closed(self.exports) else 0
        self.conditions += stay.diagnosis is not None
        self.procedures += event.planned
        self.unresolved_references += event.kind == "virtual" and not second
        if event.is_billed:
            self.observations += len(OBSERVED[event.kind])
            self.observation_values += sum(values for _, values in OBSERVED[event.kind])
        if event.kind == "snf":
            month = month_of(stay)
            self.homes[stay.person.place(event.at).ccn, month] += HomeTruth(
                1, int(event.rehospitalized), int(event.ed_visit)
            )

    def _add_bill(self, bill: Bill) -> None:
        category = bill.stay.person.payer.category
        answer = bill.final(self.exports)
        self.superseded += self.exports > 1 and bill.new_version is not None
        if answer is None:
            self.claims[category] += PayerTruth(1, bill.billed)
            return
        was_denied = any(each.adjudication == "denied" for each in bill.answers)
        self.claims[category] += PayerTruth(
            claims=1,
            billed=bill.billed,
            adjudicated=1,
            billed_adjudicated=bill.billed,
            paid=bill.paid(answer),
            zero_paid=int(answer.adjudication == "zero_paid"),
            partly_denied=int(answer.adjudication == "partly_denied"),
            denied=int(answer.adjudication == "denied"),
            denied_amount=bill.denied(answer),
            ever_denied=int(was_denied),
            overturned=int(was_denied and answer.adjudication == "paid"),
        )


def month_of(stay: Stay) -> str:
    """First day of the month in which a stay begins."""
    return f"{stay.person.day(stay.event.first):%Y-%m}-01"
