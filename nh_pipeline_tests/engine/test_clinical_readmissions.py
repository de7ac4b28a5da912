"""Acute stays, readmissions and visits of emergency departments, on patients whose figures are counted by hand."""

from __future__ import annotations

import random
from datetime import datetime, timedelta, timezone

import pytest

from nh_pipeline.datasets.clinical.care import ENCOUNTER
from nh_pipeline.marts.clinical import ed_visits, horizon, readmissions
from nh_pipeline.marts.clinical.fct_encounters import FCT_ENCOUNTERS
from nh_pipeline.marts.clinical.fct_procedures import FCT_PROCEDURES
from nh_pipeline_tests.support.clinical import built, day, encounter
from nh_pipeline_tests.support.fhir_rows import rows

pytestmark = pytest.mark.integration

A, B = "Circulatory", "Respiratory"
NEW_YORK = timezone(timedelta(hours=-5))


def stay(start, end=None, hospital="H", diagnosis=A, **more):
    """An acute stay."""
    told = {"kind": "acute_inpatient", "organization_id": hospital, "diagnosis_category": diagnosis}
    return encounter(start, end, **{**told, **more})


def at(start, end, **more):
    """A stay by its instants, as written in New York."""
    first, last = (datetime.fromisoformat(f"2024-{t}").replace(tzinfo=NEW_YORK) for t in (start, end))
    precise = {"start_precision": "time", "end_precision": "time", "start_at": first, "end_at": last}
    return stay(start[:5], end[:5], **{**precise, **more})


def visit(start, end, **more):
    """A visit of an emergency department by its instants."""
    return at(start, end, **{"kind": "emergency", **more})


SNF = {"kind": "snf"}
FIRST = stay("01-01", "01-05")

# Per patient: stays, then index stays and readmissions of the crude measure and of the unplanned one.
STAYS = {
    "thirty_days": ([FIRST, stay("02-04", "02-06", diagnosis=B)], (2, 1), (2, 1)),
    "thirty_one_days": ([FIRST, stay("02-05", "02-06")], (2, 0), (2, 0)),
    # [tuva-health/tuva-core#643] discharge and admission of one day are one stay only for one and the same illness
    "same_day_other_diagnosis": ([FIRST, stay("01-05", "01-08", diagnosis=B)], (2, 1), (2, 1)),
    "same_day_same_diagnosis": ([FIRST, stay("01-05", "01-08")], (1, 0), (1, 0)),
    "transfer": ([FIRST, stay("01-06", "01-09", "K")], (1, 0), (1, 0)),
    "next_day_same_hospital": ([FIRST, stay("01-06", "01-09")], (2, 1), (2, 1)),
    "stay_within_a_stay": (
        [stay("01-01", "01-10"), stay("01-03", "01-05", "K"), stay("01-20", "01-22")],
        (2, 1),
        (2, 1),
    ),
    "open_readmission": ([FIRST, stay("01-10")], (1, 1), (1, 1)),
    "died": ([stay("01-01", "01-05", discharge_disposition_code="20")], (1, 0), (0, 0)),
    "planned": ([FIRST, stay("01-15", "01-16", procedure="70536003"), stay("01-25", "01-27")], (3, 2), (3, 1)),
    "not_done": ([FIRST, stay("01-15", "01-16", not_done="70536003")], (2, 1), (2, 1)),
    "late": ([stay("12-05", "12-10")], (1, 0), (1, 0)),
    "nursing_home_between": (
        [FIRST, stay("01-06", "01-26", "N", class_code="IMP", **SNF), stay("01-28", "01-30")],
        (2, 1),
        (2, 1),
    ),
    "thirty_days_as_written": ([at("01-01T23:58", "01-02T23:58"), at("02-01T23:58", "02-03T10:00")], (2, 1), (2, 1)),
    "thirty_one_days_as_written": (
        [at("01-01T23:58", "01-02T23:58"), at("02-02T00:02", "02-03T10:00")],
        (2, 0),
        (2, 0),
    ),
    "readmission_is_an_index": ([FIRST, stay("01-20", "01-22"), stay("02-10", "02-12")], (3, 2), (3, 2)),
    # [tuva-health/tuva-core#932]
    "overlap_drops_neither": ([FIRST, stay("01-04", "01-08", "K"), stay("02-01", "02-03")], (2, 1), (2, 1)),
    "left_against_advice": (
        [stay("01-01", "01-05", discharge_disposition_code="07"), stay("01-07", "01-09")],
        (2, 1),
        (1, 0),
    ),
    "cancer": (
        [
            stay(
                "01-01", "01-05", primary_diagnosis_system="http://snomed.info/sct", primary_diagnosis_code="424132000"
            ),
            stay("01-20", "01-25"),
        ],
        (2, 1),
        (1, 0),
    ),
    "planned_by_its_diagnosis": (
        [
            FIRST,
            stay(
                "01-10",
                "01-11",
                primary_diagnosis_system="http://hl7.org/fhir/sid/icd-10-cm",
                primary_diagnosis_code="Z51.11",
            ),
        ],
        (2, 1),
        (1, 0),
    ),
    "cancelled": ([FIRST, stay("01-10", "01-11", status="cancelled")], (1, 0), (1, 0)),
    # [tuva-health/tuva-core#947] nobody knows whether it is another one: no transfer, in whatever order they come
    "unknown_hospital": ([stay("01-01", "01-05", None), stay("01-06", "01-09", "K")], (2, 1), (2, 1)),
    "never_closed": ([stay("01-01"), stay("02-20", "02-25"), stay("03-01", "03-02")], (2, 1), (2, 1)),
    "still_there_after_a_transfer": ([FIRST, stay("01-04", None, "K")], (0, 0), (0, 0)),
    "part_of_a_date": ([FIRST, stay("01-10", "01-12", start_precision="month")], (1, 0), (1, 0)),
}

CASES = {patient: found for patient, (found, _, _) in STAYS.items()}


def frames(engine, cases, seed=None):
    """Encounters and procedures of the patients, perhaps in another order."""
    said, done = [], []
    for patient, found in cases.items():
        for n, leg in enumerate(found):
            one = {**leg, "patient_id": patient, "encounter_id": f"{patient}-{n}"}
            for told, status in (("procedure", "completed"), ("not_done", "not-done")):
                if told in one:
                    code = {"code_system": "http://snomed.info/sct", "code_code": one.pop(told), "status": status}
                    done.append({"procedure_id": f"{patient}-{n}", "encounter_id": f"{patient}-{n}", **code})
            said.append(one)
    if seed is not None:
        random.Random(seed).shuffle(said)  # noqa: S311
    return rows(engine, FCT_ENCOUNTERS, *said), rows(engine, FCT_PROCEDURES, *done)


@pytest.fixture(scope="module")
def stays(engine):
    return built(readmissions.MART, *frames(engine, CASES))


def of(found, patient):
    return [row for row in found.values() if row["patient_id"] == patient]


@pytest.mark.parametrize("patient", STAYS)
def test_index_stays_and_readmissions(stays, patient):
    found = of(stays, patient)
    _, crude, unplanned = STAYS[patient]
    assert (sum(r["is_index"] for r in found), sum(r["is_readmitted_30d"] for r in found)) == crude
    counted = (r["is_unplanned_readmitted_30d"] for r in found)
    assert (sum(r["is_unplanned_index"] for r in found), sum(counted)) == unplanned


def test_a_stay_carries_what_it_began_and_ended_with(stays):
    (moved,) = of(stays, "transfer")
    assert (moved["encounter_id"], moved["first_encounter_id"], moved["n_legs"]) == ("transfer-1", "transfer-0", 2)
    assert (moved["admit_date"], moved["discharge_date"], moved["organization_id"]) == (day("01-01"), day("01-09"), "K")
    longest, later = of(stays, "stay_within_a_stay")
    assert (longest["encounter_id"], longest["discharge_date"], longest["n_legs"]) == (
        "stay_within_a_stay-0",
        day("01-10"),
        2,
    )
    assert (longest["days_to_readmission"], longest["readmission_encounter_id"]) == (10, later["encounter_id"])
    assert longest["followed_up_on"] == day("02-09")


@pytest.mark.parametrize(
    ("patient", "days"),
    {"same_day_other_diagnosis": 0, "next_day_same_hospital": 1, "thirty_days": 30, "thirty_one_days": 31,
     "nursing_home_between": 23, "thirty_days_as_written": 30, "thirty_one_days_as_written": 31}.items(),
)  # fmt: skip
def test_days_are_counted_from_discharge_forward(stays, patient, days):
    assert of(stays, patient)[0]["days_to_readmission"] == days


def test_why_a_stay_is_no_index(stays):
    told = {row["patient_id"]: row["not_index_reason"] for row in stays.values() if row["not_index_reason"]}
    assert told == {
        "open_readmission": "open",
        "died": "died",
        "left_against_advice": "against_advice",
        "cancer": "cancer",
        "planned_by_its_diagnosis": "cancer",
        "never_closed": "open",
        "still_there_after_a_transfer": "open",
    }


@pytest.mark.parametrize("seed", range(2))
def test_the_order_of_rows_changes_nothing(engine, stays, seed):
    """Nor does it among visits of one day [OHDSI/dbt-synthea#43, #47]."""
    assert built(readmissions.MART, *frames(engine, CASES, seed)) == stays


def test_any_stays_are_put_together_as_one_would_by_hand(engine):
    """Random stays of fifty patients, against a list that is walked through."""
    chance, told, cases = random.Random(7), set(), {}  # noqa: S311
    for patient in (f"p{n:02}" for n in range(50)):
        starts = [chance.randint(1, 25) for _ in range(chance.randint(1, 7))]
        ends = [min(first + chance.choice((0, 0, 1, 3, 9)), 31) for first in starts]
        cases[patient] = [
            stay(f"01-{a:02}", f"01-{b:02}", chance.choice("HK"), chance.choice((A, B)))
            for a, b in zip(starts, ends, strict=True)
        ]
        told |= {(patient, *stay) for stay in put_together(patient, cases[patient])}
    encounters, procedures = frames(engine, cases)
    found = readmissions.readmissions(encounters, procedures).collect()
    assert {(r.patient_id, r.encounter_id, r.admit_date, r.discharge_date, r.n_legs) for r in found} == told
    assert len(found) == len(told) < sum(map(len, cases.values()))


def put_together(patient, legs):
    """Last leg, admission, discharge and number of legs of each stay."""
    named = sorted((e["start_date"], e["end_date"], f"{patient}-{n}", e) for n, e in enumerate(legs))
    found, longest = [], None
    for start, end, name, leg in named:
        if longest:
            other = leg["organization_id"] != longest[3]["organization_id"]
            alike = leg["diagnosis_category"] == longest[3]["diagnosis_category"]
            gap = (start - longest[0]).days
        if longest and (gap < 0 or (gap == 0 and (other or alike)) or (gap == 1 and other)):
            found[-1].append((end, start, name))
        else:
            found.append([(end, start, name)])
        longest = max(longest or (end, start, name, leg), (end, start, name, leg), key=lambda one: one[:3])
    return [(max(stay)[2], min(s for _, s, _ in stay), max(stay)[0], len(stay)) for stay in found]


VISITS = {
    "within_72_hours": [visit("01-01T10:00", "01-01T12:00"), visit("01-04T11:59", "01-04T13:00")],
    "at_72_hours": [visit("01-01T10:00", "01-01T12:00"), visit("01-04T12:00", "01-04T13:00")],
    "after_72_hours": [visit("01-01T10:00", "01-01T12:00"), visit("01-04T12:01", "01-04T13:00")],
    "at_30_days": [visit("01-01T10:00", "01-01T12:00"), visit("01-31T23:00", "01-31T23:30")],
    "after_30_days": [visit("01-01T10:00", "01-01T12:00"), visit("02-01T01:00", "02-01T02:00")],
    "admitted": [
        visit("01-01T10:00", "01-01T12:00"),
        at("01-01T13:00", "01-03T10:00"),
        visit("01-04T10:00", "01-04T11:00"),
    ],
    "admitted_the_next_day": [visit("01-01T23:00", "01-01T23:30"), at("01-02T01:00", "01-03T10:00")],
    "overlapping": [
        visit("01-01T10:00", "01-01T12:00"),
        visit("01-01T11:00", "01-01T11:30"),
        visit("01-01T12:00", "01-01T14:00"),
        visit("01-03T10:00", "01-03T11:00"),
    ],
    "died": [visit("01-01T10:00", "01-01T12:00", discharge_disposition_code="20")],
    "open": [visit("01-01T10:00", "01-01T12:00") | {"end_date": None, "end_at": None, "end_precision": None}],
    "without_times": [
        stay("01-01", "01-01", kind="emergency"),
        stay("01-03", "01-03", kind="emergency"),
    ],
    "after_a_stay": [at("01-01T10:00", "01-05T10:00"), visit("02-04T10:00", "02-04T11:00")],
    "long_after_a_stay": [at("01-01T10:00", "01-05T10:00"), visit("02-05T10:00", "02-05T11:00")],
    "later_on_the_day_of_discharge": [at("01-01T10:00", "01-05T10:00"), visit("01-05T11:00", "01-05T12:00")],
    "earlier_on_the_day_of_discharge": [at("01-01T10:00", "01-05T10:00"), visit("01-05T08:00", "01-05T09:00")],
}


@pytest.fixture(scope="module")
def emergencies(engine):
    """Visits, and the acute stays beside them."""
    encounters, procedures = frames(engine, VISITS)
    acute = readmissions.readmissions(encounters, procedures)
    return built(ed_visits.MART, encounters, acute), built(readmissions.MART, encounters, procedures)


@pytest.mark.parametrize(
    ("patient", "index", "in_72_hours", "in_30_days"),
    [
        ("within_72_hours", 2, 1, 1),
        ("at_72_hours", 2, 1, 1),
        ("after_72_hours", 2, 0, 1),
        ("at_30_days", 2, 0, 1),
        ("after_30_days", 2, 0, 0),
        ("admitted", 1, 0, 0),
        ("admitted_the_next_day", 0, 0, 0),
        ("overlapping", 2, 1, 1),
        ("died", 0, 0, 0),
        ("open", 0, 0, 0),
        ("without_times", 2, 1, 1),
    ],
)
def test_visits_and_revisits(emergencies, patient, index, in_72_hours, in_30_days):
    found = of(emergencies[0], patient)
    assert sum(row["is_index"] for row in found) == index
    assert sum(row["is_revisited_72h"] for row in found) == in_72_hours
    assert sum(row["is_revisited_30d"] for row in found) == in_30_days


def test_rows_of_one_visit_are_one(emergencies):
    first, last = of(emergencies[0], "overlapping")
    assert (first["encounter_id"], first["n_legs"], last["n_legs"]) == ("overlapping-2", 3, 1)
    assert first["left_at"] - first["arrived_at"] == timedelta(hours=4)


def test_visits_after_a_stay(emergencies):
    seen = {row["patient_id"] for row in emergencies[1].values() if row["ed_visit_30d"]}
    assert seen == {"admitted", "after_a_stay", "later_on_the_day_of_discharge"}


def test_a_horizon_is_that_of_the_source(engine):
    """The least of the last export and the last discharge; of another source it says nothing."""
    said = [
        stay("01-01", "01-05", patient_id="a", encounter_id="a", delivery_id="old"),
        stay("05-01", "05-09", patient_id="b", encounter_id="b", delivery_id="new"),
        stay("02-01", "02-03", patient_id="c", encounter_id="c", delivery_id="other"),
    ]
    told = {
        "old": ("ehr", "03-01"),
        "new": ("ehr", "06-01"),
        "other": ("clinic", "02-02"),
        "empty": ("clinic", "01-31"),
    }
    delivered = [{"delivery_id": name, "source": source, "dt": day(dt)} for name, (source, dt) in told.items()]
    made = horizon.horizon(rows(engine, FCT_ENCOUNTERS, *said), rows(engine, ENCOUNTER.table, *delivered))
    found = {row["delivery_id"]: (row["source"], row["horizon"]) for row in made.collect()}
    ehr, clinic = ("ehr", day("05-09")), ("clinic", day("02-02"))
    assert found == {"old": ehr, "new": ehr, "other": clinic, "empty": clinic}
