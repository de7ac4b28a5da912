"""Outcomes of a generated chain's residents, from its deliveries: as many as the stories tell."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import date

import pytest

from nh_pipeline.sample import Deliveries
from nh_pipeline.sample.clinical import EdTruth, HomeTruth, Rate, write_clinical
from nh_pipeline.sample.clinical.stories import STORIES
from nh_pipeline_tests.support.fhir_built import built

pytestmark = pytest.mark.integration

BUILT = (
    "id_conflicts", "directory", "facility_crosswalk", "facilities", "dim_patients", "fct_conditions", "fct_procedures",
    "fct_encounters", "readmissions", "ed_visits", "horizon", "cohort_encounters", "snf_stays", "snf_months",
)  # fmt: skip


@pytest.fixture(scope="module", params=[("bundles", (1, 2)), ("ndjson", (1,))], ids=str)
def made(request, engine, tmp_path_factory):
    """What the stories tell, and the rows of the marts by their names."""
    (form, exports), out = request.param, tmp_path_factory.mktemp("exports")
    plan = Deliveries(quarters=("2024Q1",))
    truth = write_clinical(out, cms=plan, patients=len(STORIES), form=form, zipped=True, exports=exports)
    delivered = ((date.fromisoformat(path.parent.name[3:]), path) for path in sorted(out.glob("dt=*/*.zip")))
    with ExitStack() as stack:
        rows = built(engine, [(day, stack.enter_context(path.open("rb"))) for day, path in delivered], BUILT)
    return truth, rows


def test_readmissions(made):
    truth, rows = made
    horizons = {row["delivery_id"]: row["horizon"] for row in rows["horizon"]}
    crude = unplanned = Rate()
    for stay in rows["readmissions"]:
        if stay["followed_up_on"] and stay["followed_up_on"] <= horizons[stay["delivery_id"]]:
            crude += Rate(stay["is_index"], stay["is_readmitted_30d"])
            unplanned += Rate(stay["is_unplanned_index"], stay["is_unplanned_readmitted_30d"])
    assert (crude, unplanned) == (truth.crude, truth.unplanned)
    assert crude.readmitted > unplanned.readmitted > 0


def test_visits_of_emergency_departments(made):
    truth, rows = made
    flags = ("is_index", "is_revisited_72h", "is_revisited_30d")
    assert sum((EdTruth(1, *(row[flag] for flag in flags)) for row in rows["ed_visits"]), EdTruth()) == truth.ed


def test_cohorts(made):
    truth, rows = made
    patients = {(row["cohort"], row["patient_id"]) for row in rows["cohort_encounters"]}
    assert {cohort: sum(c == cohort for c, _ in patients) for cohort in truth.cohorts} == dict(truth.cohorts)


def test_homes_that_say_their_number(made):
    truth, rows = made
    homes = {row["ccn"] for row in rows["facility_crosswalk"] if row["match_method"] == "identifier"}
    counts = ("snf_admissions", "rehospitalized_30d", "ed_30d")
    found = {
        (row["provider_id"], f"{row['month_start']}"): HomeTruth(*(row[name] for name in counts))
        for row in rows["snf_months"]
        if row["snf_admissions"]
    }
    assert found == {key: told for key, told in truth.homes.items() if key[0] in homes}
    assert sum(found.values(), HomeTruth()).rehospitalized_30d > 0
