"""Clinical tables of public synthetic patients (Synthea): every figure known before, computed apart from this project.

Bundles of 123 patients without files of clinicians and hospitals, and a bulk export of ten patients with them, beside
CMS's nursing homes of that year.
"""

from __future__ import annotations

import shutil
from decimal import Decimal

import duckdb
import pytest

from benchmarks.by_hand_fhir.build import build
from nh_pipeline.queries.duck import connect
from nh_pipeline.tables import tables
from nh_pipeline_tests.support import chain

pytestmark = [pytest.mark.golden, pytest.mark.integration]


@pytest.fixture(scope="module")
def built(engine, real_data, tmp_path_factory):
    """Makes a lake of one of both, as one delivery, when it is asked for first."""
    lakes = {}

    def lake(name):
        if name not in lakes:
            folder = tmp_path_factory.mktemp(name)
            drop = folder / "drop"
            drop.mkdir()
            if name == "bundles":
                shutil.copy(real_data / "synthea" / "synthea_r4_bundles.zip", drop)
            else:
                shutil.make_archive(str(drop / "bulk"), "zip", real_data / "synthea" / "synthea_bulk")
                shutil.copy(real_data / "drop" / "NH_ProviderInfo_Nov2024.csv", drop)
            workspace = chain.workspace_at(folder / "lake", engine)
            chain.land(workspace, drop)
            chain.whole(workspace, lambda stale: stale.table.database != "gold")
            lakes[name] = connect(workspace.lake)
        return lakes[name]

    return lake


@pytest.fixture
def ask(built):
    return lambda name, sql: built(name).execute(sql).fetchall()


@pytest.mark.parametrize(("name", "resources", "copies"), [("bundles", 36104, 260), ("bulk", 7160, 0)])
def test_every_resource_is_a_row_or_a_further_copy(ask, name, resources, copies):
    assert ask(name, "select count(*) from clinical_bronze.rejects") == [(0,)]
    assert ask(name, "select count(*) from clinical_bronze.resource") == [(resources - copies,)]


def test_references_by_identifier_are_all_resolved(ask):
    sql = """select count(*), count(organization_id), count(care_provider_id), count(location_id)
        from clinical_silver.fct_encounters"""
    assert ask("bulk", sql) == [(1215, 1215, 1215, 1215)]


def test_a_day_is_the_one_that_was_written(ask):
    sql = """select count(*) filter (start_date <> cast(start_at at time zone 'UTC' as date)),
        count(*) filter (is_end_before_start), count(*) filter (end_at > start_at and end_date < start_date)
        from clinical_silver.fct_encounters"""
    assert ask("bulk", sql) == [(435, 0, 0)]


def test_values_are_all_there_and_the_grain_of_observations_is_told(ask):
    sql = "select count(*) from clinical_silver.fct_observation_values"
    assert ask("bundles", sql) == [(18350,)]
    sql = "select count(*), count(*) filter (n_candidates > 1), count(*) filter (is_conflicting) from "
    assert ask("bundles", f"{sql} clinical_silver.fct_observations") == [(18081, 269, 157)]


def test_length_of_stay(ask):
    sql = """select length_of_stay, count(*) from clinical_silver.fct_encounters where class_code = 'IMP'
        group by all order by 1"""
    assert ask("bundles", sql) == [(1, 74), (2, 3), (3, 5), (4, 1)]


def test_a_skilled_nursing_stay_is_no_admission(ask):
    sql = """select encounter_kind, count(*) from clinical_silver.fct_encounters where class_code = 'IMP'
        group by all order by 1"""
    assert ask("bulk", sql) == [("acute_inpatient", 48), ("snf", 1)]


def test_seven_of_43_organizations_are_nursing_homes_of_cms(ask):
    """As read side by side: the last two have other names there, and one in Kingman is not in the file."""
    sql = """select name, ccn, match_method from clinical_silver.facility_crosswalk
        where n_candidates > 0 or name like '%KINGMAN%' order by name"""
    assert ask("bulk", sql) == [
        ("ANDBE HOME, INC", "175506", "address"),
        ("BROOKDALE OVERLAND PARK", "175517", "address"),
        ("HILLTOP MANOR NURSING CENTER", "175545", "address"),
        ("KINGMAN HEALTHCARE CENTER", None, "none"),
        ("LIFE CARE CENTER OF BURLINGTON", "175373", "address"),
        ("MOUNT ST MARY INC", "175561", "address"),
        ("RECOVER-CARE EMPORIA LLC", "175280", "address"),
        ("SHARON LANE HEALTH SERVICES", "175257", "address"),
    ]
    tables = ("facility_crosswalk", "facilities")
    assert [ask("bulk", f"select count(*) from clinical_silver.{name}") for name in tables] == [[(43,)], [(7,)]]


def test_acute_care_in_a_nursing_home_is_doubtful(ask):
    sql = """select facility_ccn, encounter_kind, is_kind_doubtful, count(*) from clinical_silver.fct_encounters
        where facility_ccn is not null group by all order by 1, 2"""
    assert ask("bulk", sql) == [
        ("175280", "snf", False, 1),
        ("175373", "acute_inpatient", True, 1),
        ("175373", "ambulatory", False, 5),
        ("175517", "emergency", True, 1),
        ("175545", "emergency", True, 2),
    ]


def test_where_diagnoses_of_encounters_are_from(ask):
    sql = "select diagnosis_source, count(*) from clinical_silver.fct_encounters group by all order by 1"
    assert ask("bundles", sql) == [("eob", 785), ("none", 1736), ("reason", 799)]


def test_what_each_payer_was_billed_and_paid(ask):
    adjudicated = "filter (adjudication <> 'unadjudicated')"
    sql = f"""select payer, count(*), sum(billed_amount), count(*) {adjudicated}, sum(billed_amount) {adjudicated},
        sum(paid_amount) from clinical_silver.fct_claims group by rollup (payer) order by 1"""
    told = ask("bundles", sql)
    assert told == [
        ("dual_eligible", 68, Decimal("109128.84"), 48, Decimal("104028.84"), Decimal("78463.0720")),
        ("medicaid", 586, Decimal("3170325.44"), 496, Decimal("3147375.44"), Decimal("2468300.3520")),
        ("medicare", 1067, Decimal("3737262.39"), 813, Decimal("3672492.39"), Decimal("2858573.9120")),
        ("no_insurance", 21, Decimal("3925.00"), 11, Decimal("1375.00"), Decimal(0)),
        ("private", 2382, Decimal("6642904.15"), 1952, Decimal("6533254.15"), Decimal("5032803.3200")),
        (None, 4124, Decimal("13663545.82"), 3320, Decimal("13458525.82"), Decimal("10438140.6560")),
    ]


def test_to_pay_nothing_is_not_to_deny(ask):
    sql = "select adjudication, count(*) from clinical_silver.fct_claims group by all order by 1"
    assert ask("bundles", sql) == [("paid", 1869), ("unadjudicated", 804), ("zero_paid", 1451)]


def test_what_costs_most_and_what_has_no_diagnosis(ask):
    sql = """select primary_diagnosis_code, count(*), sum(billed_amount) from clinical_silver.fct_claims
        group by all order by 3 desc limit 5"""
    assert ask("bundles", sql) == [
        (None, 3339, Decimal("9848220.61")),
        ("72892002", 39, Decimal("1965771.10")),
        ("22298006", 5, Decimal("225112.61")),
        ("68496003", 8, Decimal("197983.11")),
        ("230690007", 11, Decimal("145367.72")),
    ]


_READMISSIONS = """select count(*), count(*) filter (is_index and followed_up_on <= horizon),
    count(*) filter (is_readmitted_30d and followed_up_on <= horizon),
    count(*) filter (is_unplanned_readmitted_30d and followed_up_on <= horizon)
    from clinical_gold.readmissions join clinical_gold.horizon using (delivery_id)"""


def test_readmissions(ask):
    """Of the stays that are followed up. Nearly all are one patient's chemotherapy, and so none is unplanned."""
    assert ask("bulk", _READMISSIONS) == [(48, 47, 12, 0)]


def test_nobody_of_the_bundles_came_back(ask):
    """Ten of the inpatient stays are for drug rehabilitation, and not acute."""
    assert ask("bundles", _READMISSIONS) == [(83 - 10, 82 - 10, 0, 0)]


def test_emergency_revisits(ask):
    sql = """select sum(n_legs), count(*) filter (is_revisited_72h), count(*) filter (is_revisited_30d)
        from clinical_gold.ed_visits"""
    assert ask("bundles", sql) == [(207, 0, 5)]


def test_cohorts(ask):
    sql = """select cohort, count(distinct patient_id) from clinical_gold.cohort_encounters group by all order by 1"""
    assert ask("bundles", sql) == [("CHF", 14), ("COPD", 6)]


def test_a_population_is_what_its_tables_are(ask):
    sql = """select metric, sum(value) from clinical_gold.population_summary
        where dimension = 'all' and metric in ('encounters', 'observations', 'billed_amount', 'paid_amount')
        group by all order by 1"""
    assert ask("bundles", sql) == [
        ("billed_amount", Decimal("13663545.8200")),
        ("encounters", 3320),
        ("observations", 18081),
        ("paid_amount", Decimal("10438140.6560")),
    ]


MADE = {t.name for t in tables() if t.database.startswith("clinical_")}
NOT_BY_HAND = {"clinical_bronze.rejects", "clinical_gold.population_parts", "clinical_gold.data_quality"}


@pytest.fixture(scope="module")
def by_hand(real_data, tmp_path_factory):
    """The tables of the benchmark's yardstick, by the names of ours."""
    out = tmp_path_factory.mktemp("by_hand")
    build(real_data / "synthea" / "synthea_r4_bundles.zip", out)
    db = duckdb.connect()
    for name in sorted(MADE - NOT_BY_HAND):
        database, _, table = name.partition(".")
        db.execute(f"create schema if not exists {database}; create view {name} as from '{out}/{table}.parquet'")
    return lambda sql: db.execute(sql).fetchall()


def test_by_hand_come_the_same_tables(ask, by_hand):
    rows = {name: f"select count(*) from {name}" for name in MADE - NOT_BY_HAND}
    found = {name: by_hand(sql) for name, sql in rows.items()}
    assert found == {name: ask("bundles", sql) for name, sql in rows.items()}


@pytest.mark.parametrize(
    "sql",
    [
        "payer, payer_category, count(*), sum(billed_amount), sum(paid_amount) from clinical_silver.fct_claims",
        "diagnosis_category, primary_diagnosis_code, count(*), sum(billed_amount) from clinical_silver.fct_claims",
        """adjudication, paid_source, count(*), sum(billed_amount), sum(allowed_amount), sum(patient_responsibility),
        sum(paid_change) from clinical_silver.fct_adjudications""",
        """is_denied, count(*), count(distinct encounter_id), sum(net_amount), sum(allowed_amount), sum(paid_amount)
        from clinical_silver.fct_claim_lines""",
        """encounter_kind, diagnosis_source, diagnosis_category, count(*), sum(length_of_stay), min(start_at),
        max(end_date), count(care_provider_id), count(organization_id) from clinical_silver.fct_encounters""",
        """obs_code, value_kind, value_unit, count(*), max(value_number), sum(n_candidates),
        count(*) filter (is_conflicting) from clinical_silver.fct_observations""",
        """organization_id, discharge_date, not_index_reason, is_planned, n_legs, days_to_readmission,
        is_readmitted_30d, is_unplanned_readmitted_30d, ed_visit_30d from clinical_gold.readmissions""",
        """departure_date, is_admitted, n_legs, days_to_revisit, is_revisited_72h, is_revisited_30d
        from clinical_gold.ed_visits""",
        "cohort, patient_id, member_since, count(*), sum(length_of_stay) from clinical_gold.cohort_encounters",
        "month_start, dimension, category, metric, value from clinical_gold.population_summary",
    ],
)
def test_by_hand_come_the_same_values(ask, by_hand, sql):
    sql = f"select {sql} group by all order by all"
    assert by_hand(sql) == ask("bundles", sql)
