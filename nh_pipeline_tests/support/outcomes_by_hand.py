"""Readmissions, emergency visits and payments by their definitions, in plain Python: slow and obvious."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal

from nh_pipeline_tests.support.fhir_by_hand import Resource, patient_of

NEVER = date.max
KINDS = {"32485007": "acute_inpatient", "449411000124106": "snf", "50849002": "emergency"}
CLASSES = {"AMB": "ambulatory", "VR": "virtual"}
PLANNED = {"52734007", "232717009", "38102005"}


@dataclass(frozen=True)
class Visit:
    """An encounter whose dates are whole."""

    key: str
    patient: str
    kind: str
    start: datetime
    end: datetime | None
    place: str
    category: str
    disposition: str

    @property
    def first(self) -> date:
        return self.start.date()

    @property
    def last(self) -> date:
        return self.end.date() if self.end else NEVER


def kind_of(encounter: Resource) -> str:
    return KINDS.get(encounter["type"][0]["coding"][0]["code"]) or CLASSES[encounter["class"]["code"]]


def visits(current: dict[str, Resource]) -> list[Visit]:
    """Encounters that took place."""
    found = []
    for name, each in current.items():
        period = each.get("period", {})
        if not name.startswith("Encounter/") or each["status"] not in {"finished", "in-progress"}:
            continue
        if len(period["start"]) < 10:
            continue
        refs = [diagnosis["condition"]["reference"] for diagnosis in each.get("diagnosis", ())]
        code = current[refs[0]]["code"]["coding"][0]["code"] if refs else ""
        discharge = each.get("hospitalization", {}).get("dischargeDisposition", {}).get("coding", [{"code": ""}])
        found.append(
            Visit(
                key=name,
                patient=patient_of(each),
                kind=kind_of(each),
                start=datetime.fromisoformat(period["start"]),
                end=datetime.fromisoformat(period["end"]) if "end" in period else None,
                place=each["serviceProvider"]["reference"],
                category=code[:1],
                disposition={"exp": "20"}.get(discharge[0]["code"], discharge[0]["code"].zfill(2)),
            )
        )
    return found


@dataclass
class Episode:
    """Acute stays that are one, by their legs; the last to end is the one that counts."""

    legs: list[Visit]

    @property
    def admitted(self) -> date:
        return min(leg.first for leg in self.legs)

    @property
    def ending(self) -> Visit:
        return max(self.legs, key=lambda leg: leg.last)

    def takes(self, leg: Visit) -> bool:
        before = self.ending
        elsewhere, gap = leg.place != before.place, (leg.first - before.last).days
        return gap < 0 or (gap == 0 and (elsewhere or leg.category == before.category)) or (gap == 1 and elsewhere)


def episodes(found: list[Visit]) -> dict[str, list[Episode]]:
    """By patient, in order."""
    by_patient: defaultdict[str, list[Episode]] = defaultdict(list)
    for leg in sorted(found, key=lambda each: (each.first, each.last, each.key)):
        if leg.kind == "acute_inpatient":
            so_far = by_patient[leg.patient]
            if so_far and so_far[-1].takes(leg):
                so_far[-1].legs.append(leg)
            else:
                so_far.append(Episode([leg]))
    return by_patient


def readmissions(current: dict[str, Resource], exported: date, *, unplanned: bool) -> tuple[int, int]:
    """Index stays and readmissions within 30 days."""
    planned = {
        each["encounter"]["reference"]
        for each in current.values()
        if each["resourceType"] == "Procedure" and each["code"]["coding"][0]["code"] in PLANNED
    }
    by_patient = episodes(visits(current))
    ends = [each.ending.last for stays in by_patient.values() for each in stays]
    horizon = min(exported, max(day for day in ends if day != NEVER))
    counts: Counter[str] = Counter()
    for stays in by_patient.values():
        for index, stay in enumerate(stays):
            if stay.ending.end is None or (horizon - stay.ending.last).days < 30:
                continue
            if unplanned and stay.ending.disposition in {"02", "07", "20", "40", "41", "42"}:
                continue
            counts["index"] += 1
            for following in stays[index + 1 : index + 2]:
                is_planned = any(leg.key in planned for leg in following.legs)
                soon = 0 <= (following.admitted - stay.ending.last).days <= 30
                counts["readmitted"] += soon and not (unplanned and is_planned)
    return counts["index"], counts["readmitted"]


def emergencies(current: dict[str, Resource]) -> tuple[int, int, int, int, dict[str, list[date]]]:
    """Visits, index visits, those seen again within 72 hours and 30 days, and days of index visits by patient."""
    found = visits(current)
    by_patient: defaultdict[str, list[Visit]] = defaultdict(list)
    for each in sorted(found, key=lambda visit: visit.start):
        if each.kind == "emergency":
            by_patient[each.patient].append(each)
    stays, days, total = episodes(found), defaultdict(list), Counter[str]()
    for patient, seen in by_patient.items():
        for number, each in enumerate(seen):
            total["visits"] += 1
            admitted = any(0 <= (stay.admitted - each.first).days <= 1 for stay in stays[patient])
            if admitted or each.disposition in {"20", "07"}:
                continue
            total["index"] += 1
            days[patient].append(each.first)
            for following in seen[number + 1 : number + 2]:
                total["72h"] += (following.start - each.end).total_seconds() <= 72 * 3600
                total["30d"] += (following.first - each.last).days <= 30
    return total["visits"], total["index"], total["72h"], total["30d"], days


def amounts(item: Resource, category: str) -> list[Decimal]:
    return [
        Decimal(each["amount"]["value"]).quantize(Decimal("0.0001"), ROUND_HALF_UP)
        for each in item["adjudication"]
        if each["category"]["coding"][0]["code"] == category
    ]


def denied_lines(explanation: Resource) -> list[Decimal]:
    """Charges of the denied lines."""
    return [
        amounts(item, "submitted")[0]
        for item in explanation["item"]
        if any(each["category"]["coding"][0]["code"] == "denialreason" for each in item["adjudication"])
    ]


def paid_by(explanation: Resource) -> Decimal:
    """By payment, else by totals, else by lines."""
    if "payment" in explanation:
        found = [{"category": {"coding": [{"code": "benefit"}]}, **explanation["payment"]}]
        return sum(amounts({"adjudication": found}, "benefit"), Decimal(0))
    totals = amounts({"adjudication": explanation["total"]}, "benefit")
    return sum(totals or [each for item in explanation["item"] for each in amounts(item, "benefit")], Decimal(0))
