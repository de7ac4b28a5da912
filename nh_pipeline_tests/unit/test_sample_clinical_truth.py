"""The truth of generated clinical deliveries: plain Python counts it in their JSON by definitions, not by stories."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date
from decimal import Decimal
from typing import NamedTuple

import pytest

from nh_pipeline.sample import Deliveries
from nh_pipeline.sample.clinical import (
    Chain,
    ClinicalTruth,
    EdTruth,
    HomeTruth,
    PayerTruth,
    Rate,
    clinical_truth,
    write_clinical,
)
from nh_pipeline.sample.clinical.stories import STORIES
from nh_pipeline_tests.support import fhir_by_hand as by_hand
from nh_pipeline_tests.support import outcomes_by_hand as outcomes
from nh_pipeline_tests.support.fhir_by_hand import Delivered

QUARTERS = ("2024Q1", "2023Q4")  # summer time begins, and ends
PATIENTS = 2 * len(STORIES)
CATEGORIES = {
    "medicare": "Medicare",
    "medicaid": "Medicaid",
    "private": "Private",
    "dual_eligible": "Dual",
    "no_insurance": "Self-Pay",
    "Medicare": "Medicare",
    "Medicaid": "Medicaid",
    "Generated Private Insurance": "Private",
    "Dual Eligible": "Dual",
    "NO_INSURANCE": "Self-Pay",
}


class Landed(NamedTuple):
    """One or both exports: day of the last one, content, truth, homes by organization."""

    day: date
    found: Delivered
    truth: ClinicalTruth
    homes: dict[str, str]


@pytest.fixture(
    scope="module",
    params=[(form, exports, quarter) for form in ("ndjson", "bundles") for exports in (1, 2) for quarter in QUARTERS],
    ids=str,
)
def landed(request, tmp_path_factory) -> Landed:
    form, exports, quarter = request.param
    out, cms = tmp_path_factory.mktemp("landed"), Deliveries(quarters=(quarter,))
    truth = write_clinical(out, cms=cms, patients=PATIENTS, form=form, exports=range(1, exports + 1))
    assert clinical_truth(cms=cms, patients=PATIENTS, form=form, exports=exports) == truth
    folders = sorted(out.glob("dt=*"))
    homes = {f"Organization/{home.ref.id}": home.ccn for home in Chain(cms).places.homes}
    return Landed(date.fromisoformat(folders[-1].name[3:]), Delivered.read(folders), truth, homes)


def test_truth_of_readmissions(landed):
    exported, found, truth, _ = landed
    current = found.current()
    assert Rate(*outcomes.readmissions(current, exported, unplanned=False)) == truth.crude
    assert Rate(*outcomes.readmissions(current, exported, unplanned=True)) == truth.unplanned
    assert truth.crude.readmitted > truth.unplanned.readmitted > 0


def test_truth_of_emergency_visits_and_homes(landed):
    _, found, truth, homes = landed
    current = found.current()
    *counts, days = outcomes.emergencies(current)
    assert EdTruth(*counts) == truth.ed
    assert truth.ed.revisited_30d > truth.ed.revisited_72h > 0
    took_place = outcomes.visits(current)
    stays = outcomes.episodes(took_place)
    expected: defaultdict[tuple[str, str], HomeTruth] = defaultdict(HomeTruth)
    for stay in (each for each in took_place if each.kind == "snf"):

        def soon(day: date, begin: date = stay.first) -> bool:
            return 0 <= (day - begin).days <= 30

        expected[homes[stay.place], f"{stay.first:%Y-%m}-01"] += HomeTruth(
            1,
            int(any(soon(each.admitted) for each in stays[stay.patient])),
            int(any(soon(day) for day in days[stay.patient])),
        )
    assert expected == truth.homes
    assert truth.all_homes.snf_admissions > truth.all_homes.rehospitalized_30d > truth.all_homes.ed_30d > 0


def test_truth_of_patients_encounters_and_findings(landed):
    _, found, truth, _ = landed
    current = found.current()
    of = defaultdict(list)
    for each in current.values():
        of[each["resourceType"]].append(each)
    assert len(of["Patient"]) == truth.patients
    assert sum("deceasedDateTime" in each for each in of["Patient"]) == truth.deceased > 0
    assert Counter(map(outcomes.kind_of, of["Encounter"])) == truth.encounters
    days: Counter[str] = Counter()
    for visit in outcomes.visits(current):
        if visit.end:
            days[visit.kind] += max((visit.last - visit.first).days, visit.kind in {"acute_inpatient", "snf"})
    assert {kind: days[kind] for kind in truth.length_of_stay} == truth.length_of_stay
    assert len(of["Observation"]) == truth.observations
    assert sum(len(each.get("component", (each,))) for each in of["Observation"]) == truth.observation_values
    assert len(of["Condition"]) == truth.conditions
    assert len(of["Procedure"]) == truth.procedures > 0
    cohorts = Counter(each["code"]["text"] for each in of["Condition"])
    assert {name: cohorts[name] for name in ("COPD", "CHF")} == truth.cohorts


def test_truth_of_claims(landed):
    _, found, truth, _ = landed
    current = found.current()
    answers, ever_denied = defaultdict(list), set()
    for each in found.versions:
        if each["resourceType"] == "ExplanationOfBenefit" and len(outcomes.denied_lines(each)) == len(each["item"]):
            ever_denied.add(each["claim"]["reference"])
    for each in current.values():
        if each["resourceType"] == "ExplanationOfBenefit":
            answers[each["claim"]["reference"]].append(each)
    expected: defaultdict[str, PayerTruth] = defaultdict(PayerTruth)
    for name, claim in current.items():
        if claim["resourceType"] == "Claim":
            (insurance,) = (each for each in claim["insurance"] if each["focal"])
            coverage = insurance["coverage"]
            payer = current[coverage["reference"]]["payor"][0] if "reference" in coverage else coverage
            billed, seen = Decimal(claim["total"]["value"]), answers[name]
            sums = PayerTruth(1, billed)
            if seen:
                final = max(seen, key=lambda each: each["meta"]["lastUpdated"])
                paid, denied = outcomes.paid_by(final), outcomes.denied_lines(final)
                sums += PayerTruth(
                    adjudicated=1,
                    billed_adjudicated=billed,
                    paid=paid,
                    zero_paid=paid == 0 and not denied,
                    partly_denied=0 < len(denied) < len(final["item"]),
                    denied=len(denied) == len(final["item"]),
                    denied_amount=sum(denied, Decimal(0)),
                    ever_denied=name in ever_denied,
                    overturned=name in ever_denied and paid > 0,
                )
            expected[CATEGORIES[payer["display"]]] += sums
    assert expected == truth.claims
    every = truth.all_claims
    assert min(every.zero_paid, every.partly_denied, every.denied, every.claims - every.adjudicated) > 0
    assert (every.overturned > 0) == (truth.exports == 2)


def test_truth_of_versions_and_broken_lines(landed):
    _, found, truth, _ = landed
    assert found.rejected == truth.rejected
    assert found.quarantined == truth.quarantined
    assert len(found.deleted) == truth.deleted
    known = {by_hand.key(each) for each in found.versions}
    assert sum(ref not in known for ref in found.references()) == truth.unresolved_references
    assert sum(map(by_hand.is_erroneous, found.versions)) == truth.entered_in_error
    by_key = defaultdict(list)
    for each in found.versions:
        by_key[by_hand.key(each)].append(each)
    times = [[each["meta"].get("lastUpdated") for each in versions] for versions in by_key.values()]
    assert sum(len(set(each)) - 1 for each in times) == truth.superseded
    repeated = [versions for versions, each in zip(by_key.values(), times, strict=True) if len(set(each)) < len(each)]
    identical = sum(first == second for first, second in repeated)
    assert identical == truth.duplicates_identical
    assert len(repeated) - identical == truth.duplicates_conflicting
    assert (truth.superseded, truth.deleted, truth.unresolved_references) != (0, 0, 0)
