"""A treatment system: what it holds of each treatment at a time, and how it writes that.

Each treatment is a function of its number, so that all that is asked about one can be computed by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias
from zlib import crc32

from nh_pipeline.sample.clinical.places import Places
from nh_pipeline.sample.treatments.writing import Tagged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nh_pipeline.sample.deliveries import Deliveries

Place: TypeAlias = tuple[str, str, str]

SPRINGFIELDS: tuple[Place, ...] = tuple(
    ("United States", state, "Springfield") for state in ("Illinois", "Missouri", "Massachusetts")
)
KINDS = ("Surgery", "Medication", "Physiotherapy", "Radiotherapy", "Counselling")
STATUSES = {
    "success": ("Successful", "successful ", "SUCCESS", "Recovered"),
    "failure": ("Failed", "Unsuccessful", "Deceased"),
    "open": ("Ongoing", "In Progress", None),
    "unknown": ("Transferred",),
}
"""How outcomes are written, by what they mean."""

DISEASES = ("Pneumonia", "Hip fracture", "Diabetes", "Stroke", "Influenza", "Depression", "Heart failure", "COPD")
SPECIALITIES = ("Internal medicine", "Orthopedics", "Neurology", "Psychiatry", "Cardiology")

_OUTCOMES = ("success",) * 61 + ("failure",) * 15 + ("open",) * 23 + ("unknown",)

FULL, WINDOW, EXPORT, FULL_AGAIN = 1, 2, 3, 4
"""The extractions: scans of all, of a window, DynamoDB's incremental export, and a scan of all again."""

_SMALLEST_AGE, _OLDEST_AGE = 55, 100

_LONGEST = timedelta(days=150)
"""What began earlier than this before the first extraction is over."""

# Which treatments are of a kind: every so many, and the first of them.
_CHANGED, _CHANGED_AGAIN, _DELETED, _UNSEEN, _REFUSED = (10, 1), (35, 2), (50, 3), (97, 5), (1009, 504)
_NO_START, _NO_COST, _NO_PROVIDER = (211, 7), (29, 4), (401, 9)


def _is(number: int, of: tuple[int, int]) -> bool:
    every, first = of
    return number % every == first


@dataclass(frozen=True)
class Treated:
    """A treatment as it is at a time.

    Attributes:
        number: its id.
        kind, status, outcome: kind of treatment; outcome as written, and what it means.
        started, completed: days; None if it does not say, or is not over.
        cost: in dollars; None if it does not say.
        provider, patient, disease: their numbers; provider None if it does not say.
        place: number of the place.
        modified_at: when it was changed.
    """

    number: int
    kind: str
    status: str | None
    outcome: str
    started: date | None
    completed: date | None
    cost: Decimal | None
    provider: int | None
    place: int
    patient: int
    disease: int
    age: int
    modified_at: datetime


@dataclass(frozen=True)
class System:
    """All treatments.

    Attributes:
        cms: The plan of CMS deliveries at whose homes the providers are; its seed is that of all random numbers.
        treatments: How many there are in the beginning.
        homes: At most.
    """

    cms: Deliveries
    treatments: int
    homes: int = 12

    @cached_property
    def opened_at(self) -> datetime:
        """When the first extraction begins."""
        return datetime.combine(self.cms.parsed_quarters[0].first, time(3), timezone.utc) + timedelta(days=191)

    def at(self, extraction: int) -> datetime:
        """When an extraction begins, from 1: a full scan, a window, an incremental export, a week later a full scan."""
        return self.opened_at + timedelta(days=(0, 1, 2, 9)[extraction - 1])

    @cached_property
    def hospitals(self) -> list[str]:
        """Names of the homes."""
        return [home.name for home in self._homes]

    @cached_property
    def places(self) -> list[Place]:
        """Where treatments take place: the towns of the homes, three Springfields, and one abroad."""
        towns = (("United States", home.address[2], home.address[1].title()) for home in self._homes)
        return [*SPRINGFIELDS, ("Canada", "Ontario", "Toronto"), *dict.fromkeys(towns)]

    @cached_property
    def _homes(self) -> list[Any]:
        return Places(self.cms, self.homes).homes

    @property
    def providers(self) -> int:
        """How many, numbered from 1."""
        return 8 + self.treatments // 400

    def numbers(self, extraction: int) -> range:
        """Treatments that there have been up to an extraction."""
        return range(1, self.treatments + 1 + (self.treatments // 50 if extraction > 1 else 0))

    def is_refused(self, number: int) -> bool:
        """Whether an item has a value that cannot be taken."""
        return _is(number, _REFUSED)

    def is_changed(self, number: int, extraction: int) -> bool:
        """Whether it is made or changed in the window of an extraction."""
        if extraction == WINDOW:
            return _is(number, _CHANGED) or number > self.treatments
        return extraction == EXPORT and _is(number, _CHANGED_AGAIN) and not self.is_deleted(number)

    def is_deleted(self, number: int) -> bool:
        """Whether it is deleted in the window of the export."""
        return _is(number, _DELETED)

    def is_there(self, number: int, extraction: int) -> bool:
        """Whether it is in the table when an extraction begins."""
        unseen = extraction >= FULL_AGAIN and _is(number, _UNSEEN)
        gone = unseen or (extraction >= EXPORT and self.is_deleted(number))
        return number in self.numbers(extraction) and not gone

    def treated(self, number: int, extraction: int) -> Treated:
        """A treatment as it is when an extraction begins."""
        changes = [n for n in (WINDOW, EXPORT) if n <= extraction and self.is_changed(number, n)]
        made = self._made(number)
        for n in changes:
            at = self.at(n) - timedelta(hours=2, seconds=number % 3600)
            made = replace(self._decided(made, n), modified_at=at)
        return made

    def all_treated(self, extraction: int) -> Iterator[Treated]:
        """All that is there when an extraction begins, but for what is refused."""
        for number in self.numbers(extraction):
            if self.is_there(number, extraction) and not self.is_refused(number):
                yield self.treated(number, extraction)

    def _draw(self, number: int, what: str, below: int) -> int:
        """A number from 0 on, of a treatment and of what it is for."""
        return crc32(f"{self.cms.seed} {what} {number}".encode()) % below

    def _made(self, number: int) -> Treated:
        def draw(what: str, below: int) -> int:
            return self._draw(number, what, below)

        started = self.opened_at.date() - timedelta(days=20 + draw("start", 480))
        outcome = _OUTCOMES[draw("outcome", len(_OUTCOMES))]
        if outcome == "open" and started < self.opened_at.date() - _LONGEST:
            outcome = "success"
        over = None if outcome == "open" else started + timedelta(days=draw("days", 60))
        return Treated(
            number=number,
            kind=KINDS[draw("kind", len(KINDS))],
            status=STATUSES[outcome][draw("status", len(STATUSES[outcome]))],
            outcome=outcome,
            started=None if _is(number, _NO_START) else started,
            completed=over,
            cost=None if _is(number, _NO_COST) else Decimal(draw("cost", 2_000_000)) / 100,
            provider=None if _is(number, _NO_PROVIDER) else 1 + draw("provider", self.providers),
            place=1 + draw("place", len(self.places)),
            patient=1 + number * 7 % max(self.treatments // 3, 1),
            disease=1 + draw("disease", len(DISEASES)),
            age=_SMALLEST_AGE + draw("age", _OLDEST_AGE - _SMALLEST_AGE),
            modified_at=self.opened_at - timedelta(days=15, seconds=number % 86_400, microseconds=number % 7),
        )

    def _decided(self, before: Treated, extraction: int) -> Treated:
        outcome = ("success", "failure")[self._draw(before.number, f"outcome {extraction}", 2)]
        begun = before.started or self.opened_at.date() - timedelta(days=30)
        over = before.completed or begun + timedelta(days=self._draw(before.number, "more days", 20))
        return replace(before, outcome=outcome, status=STATUSES[outcome][0], completed=over)

    def item(self, of: Treated) -> dict[str, Any]:
        """The item that it is in the table, each kind of oddity on some of them."""
        n, country, state, city = of.number, *self.places[of.place - 1]
        over = of.completed and f"{of.completed}T{n % 24:02d}:{n % 60:02d}:00{'Z' * (n % 2)}"
        days = (of.completed - of.started).days if of.completed and of.started else None
        item: dict[str, Any] = {
            "treatment_id_partition_key": f"{n}",
            "treatment": {
                "id": n,
                "type": of.kind,
                "outcome_status": of.status if of.status is not None or n % 2 else "  ",
                "start_date": of.started and f"{of.started}",
                "completion_date": over,
                "duration_in_days": Tagged(N=f"{days}.0") if days is not None and n % 3 == 0 else days,
                "cost": _cost(of),
            },
            "location": {"id": of.place, "country": country, "state": state, "city": city},
            "patient": {"id": of.patient, "full_name": f"Generated Patient {of.patient}",
                        "gender": "FM"[of.patient % 2], "age": of.age},
            "disease": {"id": of.disease, "name": DISEASES[of.disease - 1], "type": "chronic", "severity": "moderate",
                        "speciality_id": 1 + of.disease % len(SPECIALITIES), "mortality_rate": Decimal("1.25")},
            "metadata": {"added_at": f"{self.opened_at - timedelta(days=600):%Y-%m-%d}", "modified_at": _modified(of)},
        }  # fmt: skip
        if of.provider is not None:
            item["provider"] = {
                "id": of.provider,
                "full_name": f"Dr. Generated Provider {of.provider}",
                "speciality_id": 1 + of.provider % len(SPECIALITIES),
                "speciality_name": SPECIALITIES[of.provider % len(SPECIALITIES)],
                "affiliated_hospital": self.hospitals[of.provider % len(self.hospitals)],
            }
        if n % 23 == 0:  # what nobody has declared
            item |= {"tags": {"generated", f"group {n % 5}"}, "S": {"N": n}}
        if self.is_refused(n):
            item["treatment"]["duration_in_days"] = Decimal("5.5")
        return item


def _cost(of: Treated) -> Any:
    """Its cost, as text or with an exponent on some."""
    if of.cost is None:
        return Tagged(NULL=True)
    return Tagged(S=f"{of.cost}") if of.number % 11 == 0 else Tagged(N=f"{of.cost.normalize()}")


def _modified(of: Treated) -> Any:
    """When it was changed: as text, on some in another zone or in milliseconds."""
    at, form = of.modified_at, of.number % 19
    if form == 0:
        return Tagged(N=f"{Decimal(round(at.timestamp() * 1_000_000)) / 1000}")
    return at.astimezone(timezone(timedelta(hours=2))).isoformat() if form == 1 else at.isoformat()
